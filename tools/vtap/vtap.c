// SPDX-License-Identifier: GPL-2.0
/* vtap: configures the virtual network TAP. Options and batches. */

#include <string.h>

#include "../../kmod/version.h"
#include "cmdline.h"

static void help(FILE *f)
{
	fputs("Usage: vtap [ OPTIONS ] OBJECT { COMMAND | help }\n"
	      "       vtap [ OPTIONS ] monitor [ OBJECT ... ]\n"
	      "       vtap [ OPTIONS ] top [ by OBJECT ] [ -b ] [ -n COUNT ] [ -d SECONDS ]\n"
	      "       vtap [ OPTIONS ] metrics [ FILE ]\n"
	      "       vtap [ OPTIONS ] check [ tap NAME ]\n"
	      "       vtap [ OPTIONS ] capture [ PORT ] [ RULE-WORDS ] [ -w FILE ] [ -c COUNT ]\n"
	      "                                [ -G SECONDS ] [ -W FILES ]\n"
	      "       vtap [ OPTIONS ] trace PORT [ dir D ] { WORDS | hex FILE | pcap FILE }\n"
	      "       vtap [ OPTIONS ] trace -live PORT [ dir D ]\n"
	      "       vtap [ OPTIONS ] save [ tap NAME ] [ FILE ] [ -force ]\n"
	      "       vtap [ OPTIONS ] [ -c[heck] ] apply [ tap NAME ] { FILE | - } [ -force ]\n"
	      "       vtap [ OPTIONS ] -b[atch] { FILE | - } [ -force ]\n"
	      "where  OBJECT := { session | rule | port | tap }\n"
	      "       OPTIONS := { -j[son] | -p[retty] | -s[tatistics] | -d[etails] |\n"
	      "                    -o[neline] | -br[ief] | -t[imestamp] | -n[etns] NETNS |\n"
	      "                    -co[lor][={always|auto|never}] | -V[ersion] | -h[elp] }\n", f);
}

/* what a command line begins with */
static const char *const verbs[] = {
	"session", "rule", "port", "tap", "monitor", "top", "metrics", "check", "trace", "save",
	"apply", "capture", "extcap", "help", NULL
};

/* Replace an abbreviation by what it stands for; an unknown word stays. */
static int verb_expand(char **argv)
{
	const char *name;
	int rc = name_pick(verbs, *argv, &name);

	if (!rc && name)
		*argv = (char *)name;
	return rc;
}

static int unknown(char **argv)
{
	static const char *const names[] = { "show", "add", "set", "del", "flush", NULL };
	const char *verb = *argv, *hint = hint_name(verbs, verb), *command, *object = NULL;

	/* as nft has it: the command first */
	if (argv[1] && !name_pick(names, verb, &command) && command &&
	    name_pick(verbs, argv[1], &object))
		return USAGE;
	if (object)
		return usage("\"%s\" is not an object: did you mean \"%s %s\"?", verb, object,
			     command);
	for (const char *const *v = verbs; opt.netns && *v; v++)
		if (!strcmp(*v, opt.netns))
			return usage("\"%s\" is not an object: option -n took \"%s\" as its namespace",
				     verb, *v);
	return hint ? usage("\"%s\" is not an object: did you mean \"%s\"?", verb, hint) :
		      usage("\"%s\" is not an object, see \"vtap help\"", verb);
}

static int help_object(char **argv)
{
	int rc = verb_expand(argv);

	for (int i = 0; !rc && objects[i]; i++) {
		if (!strcmp(*argv, objects[i]->name)) {
			object_help(objects[i]);
			return OK;
		}
	}
	return rc ? rc : unknown(argv);
}

/* With @txn, changes are added to it, and other commands send it first. */
static int run(char **argv, struct txn *txn)
{
	int rc;

	if (!strcmp(*argv, "help") && argv[1])
		return help_object(argv + 1);
	if (!strcmp(*argv, "help")) {
		help(stdout);
		return OK;
	}
	for (int i = 0; objects[i]; i++)
		if (!strcmp(*argv, objects[i]->name))
			return object_run(objects[i], argv + 1, txn);
	rc = txn ? txn_send(txn, err_file, true) : OK;
	if (rc)
		return rc;
	if (!strcmp(*argv, "monitor"))
		return monitor_run(argv + 1);
	if (!strcmp(*argv, "top"))
		return top_run(argv + 1);
	if (!strcmp(*argv, "metrics"))
		return metrics_run(argv + 1);
	if (!strcmp(*argv, "save"))
		return save_run(argv + 1);
	if (!strcmp(*argv, "apply"))
		return apply_run(argv + 1);
	if (!strcmp(*argv, "check"))
		return check_run(argv + 1);
	if (!strcmp(*argv, "capture"))
		return capture_run(argv + 1);
	if (!strcmp(*argv, "extcap"))
		return extcap_run(argv + 1);
	if (!strcmp(*argv, "trace"))
		return trace_run(argv + 1);
	return unknown(argv);
}

static int batch(const char *name)
{
	struct source *source;
	struct txn txn = {};
	struct line *line;
	int first = OK;
	int rc;

	rc = source_open(&source, name);
	if (rc)
		return rc;
	for (;;) {
		rc = source_read(&source, &line);
		if (rc || !line->argc)
			break;
		rc = verb_expand(line->argv);
		if (!rc)
			rc = run(line->argv, opt.force ? NULL : &txn);
		if (!first)
			first = rc;
		if (rc && !opt.force)
			break;
	}
	if (!rc && !first)
		rc = txn_send(&txn, err_file, true);
	txn_free(&txn);
	source_close(&source);
	err_file = NULL;
	return first ? first : rc;
}

/* Move @argv behind the options. Return: whether all is done, then @rc is the exit status. */
static bool options_done(char ***argv, int *rc)
{
	const struct option_info *o;
	const struct name *n;
	const char *value;

	for (*rc = OK; **argv && ***argv == '-'; ++*argv) {
		const char *arg = **argv;

		o = option_find(arg, &value);
		if (!o) {
			*rc = usage("option \"%s\" is unknown, see \"vtap help\"", arg);
			return true;
		}
		if (o->flag) {
			*o->flag = true;
			opt.json |= opt.pretty;
		} else if (o->value) {
			if (!(*argv)[1]) {
				*rc = usage("option \"%s\" requires a value", arg);
				return true;
			}
			*o->value = *++*argv;
		} else if (o->choices) {
			n = name_find(o->choices, value ? value : "always");
			if (!n) {
				*rc = usage("\"%s\" is not a valid value for option -%s: always, auto or never",
					    value, o->name);
				return true;
			}
			opt.color = n->value;
		} else if (!strcmp(o->name, "help")) {
			help(stdout);
			return true;
		} else {
			version_print();
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	const char *file;
	int rc;

	(void)argc;
	word_hint = hint_value;
	argv++;
	if (options_done(&argv, &rc))
		return rc;
	file = opt.batch;
	if (!file && *argv && !strcmp(*argv, "complete"))
		return complete_run(argv + 1, verbs);
	if (!file && *argv) {
		rc = verb_expand(argv);
		if (rc)
			return rc;
	}
	if (file && *argv)
		return usage("unexpected \"%s\" after option -batch", *argv);
	if (opt.force && !file && (!*argv || (strcmp(*argv, "apply") && strcmp(*argv, "save"))))
		return usage("option -force without -batch, apply or save");
	if (opt.check && (file || !*argv || strcmp(*argv, "apply")))
		return usage("option -check without apply; for colors, give -color");
	if (!file && !*argv) {
		help(stderr);
		return USAGE;
	}
	rc = file ? batch(file) : run(argv, NULL);

	if (fflush(stdout) || ferror(stdout)) {
		err("write: %m");
		return REFUSED;
	}
	return rc;
}
