// SPDX-License-Identifier: GPL-2.0
/* vtap: configures the virtual network TAP. Options and batches. */

#include <string.h>

#include "../../kmod/version.h"
#include "vtap.h"

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
	      "                    -V[ersion] | -h[elp] }\n", f);
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

/* -j, -json and --json are the same option. */
static bool is_opt(const char *arg, const char *name)
{
	arg++;
	if (*arg == '-')
		return !strcmp(arg + 1, name);
	return !strcmp(arg, name) || (arg[0] == name[0] && !arg[1]);
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	int rc;

	(void)argc;
	word_hint = hint_value;
	for (argv++; *argv && **argv == '-'; argv++) {
		const char *arg = *argv;

		if (is_opt(arg, "json")) {
			opt.json = true;
		} else if (is_opt(arg, "pretty")) {
			opt.json = true;
			opt.pretty = true;
		} else if (is_opt(arg, "statistics") || !strcmp(arg, "-stats") ||
			   !strcmp(arg, "--stats")) {
			opt.stats = true;
		} else if (is_opt(arg, "details")) {
			opt.details = true;
		} else if (!strcmp(arg, "-force") || !strcmp(arg, "--force")) {
			opt.force = true;
		} else if (is_opt(arg, "oneline")) {
			opt.oneline = true;
		} else if (!strcmp(arg, "-br") || !strcmp(arg, "-brief") ||
			   !strcmp(arg, "--brief")) {
			opt.brief = true;
		} else if (is_opt(arg, "timestamp") || !strcmp(arg, "-ts") ||
			   !strcmp(arg, "-tshort")) {
			opt.timestamp = true;
		} else if (is_opt(arg, "check")) {
			opt.check = true;
		} else if (is_opt(arg, "netns") || is_opt(arg, "batch")) {
			if (!argv[1])
				return usage("option \"%s\" requires a value", arg);
			if (is_opt(arg, "batch"))
				file = *++argv;
			else
				opt.netns = *++argv;
		} else if (is_opt(arg, "Version") || !strcmp(arg, "--version") ||
			   !strcmp(arg, "-version")) {
			version_print();
			return OK;
		} else if (is_opt(arg, "help")) {
			help(stdout);
			return OK;
		} else {
			return usage("option \"%s\" is unknown, see \"vtap help\"", arg);
		}
	}

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
		return usage("option -check without apply");
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
