// SPDX-License-Identifier: GPL-2.0
/*
 * vtap complete WORD...: what may stand in place of the last word, one on each line, for the
 * completion of shells. "@files" stands for names of files.
 */

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "cmdline.h"
#include "group.h"

#define FILES	"@files"

/* The words that are typed, the last one of which is completed. */
struct typed {
	char **v;
	size_t n;
};

static const char *typed_last(const struct typed *t)
{
	return t->v[t->n - 1];
}

/* The word before the last one. */
static const char *typed_before(const struct typed *t)
{
	return t->n > 1 ? t->v[t->n - 2] : "";
}

static void offer(const struct typed *t, const char *word)
{
	if (!strncmp(word, typed_last(t), strlen(typed_last(t))))
		puts(word);
}

static void offer_names(const struct typed *t, const struct name *n)
{
	for (; n->name; n++)
		offer(t, n->name);
}

/* Names behind the last comma of a list, with what stands in front of them. */
static void offer_list(const struct typed *t, const struct name *n)
{
	const char *last = typed_last(t), *comma = strrchr(last, ',');
	const int len = comma ? comma + 1 - last : 0;

	for (; n->name; n++)
		if (!strncmp(n->name, last + len, strlen(last + len)))
			printf("%.*s%s\n", len, last, n->name);
}

static void offer_files(void)
{
	puts(FILES);
}

static void offer_dir(const struct typed *t, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (*e->d_name != '.')
			offer(t, e->d_name);
	if (dir)
		closedir(dir);
}

/* The names of objects that there are; a request would load the module. */
static void offer_objects(const struct typed *t, const struct object *o)
{
	const struct word *key = o->words;
	struct msgs m = {};

	if (!access("/sys/module/vtap", F_OK) && !nl_dump(o->get, &m)) {
		for (size_t i = 0; i < m.n; i++) {
			struct view v;

			view_init(&v, o, m.v[i]);
			if (key->type == &type_str)
				offer(t, view_str(&v, key->attr));
		}
	}
	msgs_free(&m);
}

/* The match words that "or" and "except" take, and "not", which takes no inner. */
static void offer_match(const struct typed *t, const struct word *group)
{
	for (const struct word *w = rule_object.words; w->name; w++)
		if (w->flags & W_MATCH && !(w->nest && !strcmp(group->name, "not")))
			offer(t, w->name);
}

/* Return: whether the value of a word is one of some that are known, which are offered. */
static bool offer_values(const struct typed *t, const struct word *w)
{
	if (w->names && w->flags & W_LIST)
		offer_list(t, w->names);
	else if (w->names)
		offer_names(t, w->names);
	else if (w->flags & W_GROUP)
		offer_match(t, w);
	else if (w->type == &type_action)
		offer_names(t, (struct name[]){ { "mirror", 0 }, { "skip", 0 }, {} });
	else if (w->type == &type_dev || !strcmp(w->name, "port") || !strcmp(w->name, "master"))
		offer_dir(t, "/sys/class/net");
	else if (!strcmp(w->name, "session"))
		offer_objects(t, &session_object);
	else if (!strcmp(w->name, "tap"))
		offer_objects(t, &tap_object);
	else
		return w->type != &type_inner;
	return true;
}

/* The keywords that a command takes, but for those that are typed already since "or". */
static void offer_words(const struct typed *t, const struct object *o, uint16_t flags)
{
	size_t or = 0;

	for (size_t i = 0; i + 1 < t->n; i++)
		or = strcmp(t->v[i], "or") ? or : i;
	for (const struct word *w = o->words; w->name; w++) {
		bool typed = false;

		if (!(w->flags & flags) || w->flags & W_POS ||
		    (flags & W_PICK && w->type == &type_or))
			continue;
		for (size_t i = w->flags & W_MATCH ? or : 0; i + 1 < t->n; i++)
			typed |= !(w->flags & W_GROUP) && !strcmp(t->v[i], w->name) &&
				 !(i && !strcmp(t->v[i - 1], "not"));
		if (!typed)
			offer(t, w->name);
	}
}

static void complete_commands(const struct typed *t, const struct object *o)
{
	for (int i = CMD_SHOW; i < CMDS; i++)
		if (i == CMD_SHOW || o->change[i])
			offer(t, commands[i].name);
	offer(t, "help");
}

/* @t: from the command on. */
static void complete_object(const struct typed *t, const struct object *o)
{
	const char *names[CMDS + 1] = {}, *name, *before = typed_before(t);
	const struct word *key = o->words, *w;
	enum command cmd = CMD_SHOW;
	uint16_t flags;
	size_t n = 0;

	if (t->n == 1) {
		complete_commands(t, o);
		return;
	}
	for (int i = CMD_SHOW; i < CMDS; i++)
		if (i == CMD_SHOW || o->change[i])
			names[n++] = commands[i].name;
	if (name_pick(names, t->v[0], &name) || !name)
		return;
	while (strcmp(commands[cmd].name, name))
		cmd++;
	flags = command_flags(o, cmd);
	if (t->n == 2 && key->flags & W_POS && key->flags & flags) {
		if (cmd != CMD_ADD)
			offer_objects(t, o);
		if (cmd != CMD_SHOW)
			return;
	}
	w = word_find(o, before, flags);
	if (w && offer_values(t, w))
		return;
	if (!strcmp(before, "mirror")) {
		offer_objects(t, &session_object);
		return;
	}
	if (cmd == CMD_SET && strcmp(before, "no"))
		offer(t, "no");
	offer_words(t, o, cmd == CMD_SET ? W_SET : flags);
}

static void complete_trace(const struct typed *t)
{
	const char *before = typed_before(t);
	const struct word *w = word_find(&rule_object, before, W_MATCH);

	if (t->n == 1)
		offer(t, "-live");
	if (t->n == 1 || !strcmp(before, "-live")) {
		offer_objects(t, &port_object);
	} else if (!strcmp(before, "hex") || !strcmp(before, "pcap")) {
		offer_files();
	} else if (!strcmp(before, "dir")) {
		offer_names(t, (struct name[]){ { "ingress", 0 }, { "egress", 0 }, {} });
	} else if (strcmp(t->v[0], "-live") && !(w && offer_values(t, w))) {
		offer_names(t, (struct name[]){ { "dir", 0 }, { "hex", 0 }, { "pcap", 0 }, {} });
		offer_words(t, &rule_object, W_INNER);
	} else if (!strcmp(t->v[0], "-live")) {
		offer(t, "dir");
	}
}

/* A port, match words and options, in any order. */
static void complete_capture(const struct typed *t)
{
	const char *before = typed_before(t);
	const struct word *w = word_find(&rule_object, before, W_ADD);

	if (!strcmp(before, "-w"))
		offer_files();
	if (*before == '-' || (w && offer_values(t, w)))
		return;
	if (t->n == 1)
		offer_dir(t, "/sys/class/net");
	offer_names(t, (struct name[]){ { "-w", 0 }, { "-c", 0 }, { "-G", 0 }, { "-W", 0 }, {} });
	offer_words(t, &rule_object, W_ADD);
}

static void complete_top(const struct typed *t)
{
	const char *before = typed_before(t);

	if (!strcmp(before, "by"))
		for (int i = 0; objects[i]; i++)
			offer(t, objects[i]->name);
	else if (strcmp(before, "-n") && strcmp(before, "-d"))
		offer_names(t, (struct name[]){
			{ "by", 0 }, { "-b", 0 }, { "-n", 0 }, { "-d", 0 }, {}
		});
}

/* "tap NAME", and then a file. */
static void complete_tap(const struct typed *t, bool file)
{
	if (!strcmp(typed_before(t), "tap"))
		offer_objects(t, &tap_object);
	else if (file)
		offer_files();
	else if (t->n == 1)
		offer(t, "tap");
}

/* @t: from what stands behind the verb on. */
static void complete_verb(const struct typed *t, const char *verb)
{
	for (int i = 0; objects[i]; i++) {
		if (!strcmp(verb, objects[i]->name))
			complete_object(t, objects[i]);
		else if (!strcmp(verb, "help") ||
			 (!strcmp(verb, "monitor") && objects[i]->ntf != NTF_NONE))
			offer(t, objects[i]->name);
	}
	if (!strcmp(verb, "trace"))
		complete_trace(t);
	else if (!strcmp(verb, "capture"))
		complete_capture(t);
	else if (!strcmp(verb, "top"))
		complete_top(t);
	else if (!strcmp(verb, "metrics"))
		offer_files();
	else if (!strcmp(verb, "save") || !strcmp(verb, "apply") || !strcmp(verb, "check"))
		complete_tap(t, strcmp(verb, "check"));
}

static void complete_option(const struct typed *t)
{
	for (const struct option_info *o = option_table; o->name; o++) {
		const char *name = typed_last(t) + strspn(typed_last(t), "-");
		const int dashes = name - typed_last(t);

		if (!strncmp(o->name, name, strlen(name)))
			printf("%.*s%s\n", dashes, typed_last(t), o->name);
	}
}

int complete_run(char **argv, const char *const *verbs)
{
	struct typed t = { .v = argv };
	const char *verb;

	while (t.v[t.n])
		t.n++;
	for (; t.n > 1 && **t.v == '-'; t.v++, t.n--) {
		const char *value;
		const struct option_info *o = option_find(*t.v, &value);

		if (!o || !o->value)
			continue;
		t.v++;
		t.n--;
		if (t.n > 1) {
			*o->value = *t.v;
		} else if (o->value == &opt.netns) {
			offer_dir(&t, "/run/netns");
			return OK;
		} else {
			offer_files();
			return OK;
		}
	}
	if (!t.n)
		return OK;
	if (t.n > 1) {
		if (!name_pick(verbs, *t.v, &verb) && verb)
			complete_verb(&(struct typed){ t.v + 1, t.n - 1 }, verb);
	} else if (**t.v == '-') {
		complete_option(&t);
	} else {
		for (const char *const *v = verbs; *v; v++)
			offer(&t, *v);
	}
	return OK;
}
