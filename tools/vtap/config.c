// SPDX-License-Identifier: GPL-2.0
/* Whole configurations: those that apply reads from a file and from the kernel. */

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "json.h"

const struct nlattr *item_attr(const struct item *i, uint16_t attr)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, i->nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == attr)
			return a;
	return NULL;
}

const char *item_name(const struct item *i)
{
	return mnl_attr_get_str(item_attr(i, VTAP_A_SESSION_NAME));
}

/* Takes ownership of the message. */
static void items_add(struct items *l, const struct object *o, struct nlmsghdr *nlh, int line)
{
	const struct nlattr *a;
	struct item *i;

	if (!(l->n & (l->n + 1)))
		l->v = check_mem(realloc(l->v, 2 * (l->n + 1) * sizeof(*l->v)));
	i = &l->v[l->n];
	*i = (struct item){
		.nlh = nlh, .file = err_file, .line = line, .order = l->n++, .tap = tap_of(o, nlh),
	};
	if (o != &rule_object)
		return;
	a = item_attr(i, VTAP_A_RULE_PREF);
	i->pref = a ? attr_num(a) : 0;
}

void items_free(struct items *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].nlh);
		free(l->v[i].text);
		free(l->v[i].set);
	}
	free(l->v);
}

struct item *session_find(const struct items *l, const char *tap, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(item_name(&l->v[i]), name) && !strcmp(l->v[i].tap, tap))
			return &l->v[i];
	return NULL;
}

static bool config_has_tap(const struct config *c, const char *tap)
{
	for (size_t i = 0; i < c->n_taps; i++)
		if (!strcmp(c->taps[i], tap))
			return true;
	return false;
}

static void config_add_tap(struct config *c, const char *tap)
{
	if (config_has_tap(c, tap))
		return;
	c->taps = check_mem(realloc(c->taps, (c->n_taps + 1) * sizeof(*c->taps)));
	c->taps[c->n_taps++] = tap;
}

/* Add the object that has the words @argv behind "add". */
static int config_add(struct config *c, const struct object *o, char **argv, int line)
{
	struct nlmsghdr *nlh;
	int rc = object_parse(o, CMD_ADD, argv, &nlh);

	if (rc)
		return rc;
	rc = need_check(o, nlh);
	/* all messages name it, so that they can be compared with the kernel's */
	if (!rc)
		rc = tap_set(o, &nlh, c->tap ? c->tap : tap_of(o, nlh));
	if (rc) {
		free(nlh);
		return rc;
	}
	config_add_tap(c, tap_of(o, nlh));
	items_add(o == &rule_object ? &c->rules : &c->sessions, o, nlh, line);
	return OK;
}

static int config_add_json(const struct object *o, char **argv, void *data)
{
	return config_add(data, o, argv, 0);
}

static int config_line(struct config *c, const struct line *l)
{
	const struct object *o;

	if (!strcmp(l->argv[0], "session"))
		o = &session_object;
	else if (!strcmp(l->argv[0], "rule"))
		o = &rule_object;
	else
		return usage("\"%s\" cannot be applied, only \"session\" and \"rule\"", l->argv[0]);
	if (l->argc < 2 || strcmp(l->argv[1], "add"))
		return usage("\"%s\" cannot be applied, only \"%s add\"",
			     l->argc < 2 ? o->name : l->argv[1], o->name);
	return config_add(c, o, l->argv + 2, l->first);
}

/* Names are unique in their tap, and rules name sessions of the file that are of theirs. */
static int config_check(const struct config *c)
{
	const struct nlattr *a;

	for (size_t i = 0; i < c->sessions.n; i++) {
		const struct item *s = &c->sessions.v[i];

		err_file = s->file;
		err_line = s->line;
		if (session_find(&c->sessions, s->tap, item_name(s)) != s)
			return usage("session \"%s\" is there twice", item_name(s));
	}
	for (size_t i = 0; i < c->rules.n; i++) {
		err_file = c->rules.v[i].file;
		err_line = c->rules.v[i].line;
		mnl_attr_for_each(a, c->rules.v[i].nlh, sizeof(struct genlmsghdr))
			if (mnl_attr_get_type(a) == VTAP_A_RULE_SESSION &&
			    !session_find(&c->sessions, c->rules.v[i].tap, mnl_attr_get_str(a)))
				return usage("session \"%s\" of tap \"%s\" is not in the file",
					     mnl_attr_get_str(a), c->rules.v[i].tap);
	}
	return OK;
}

int config_read(struct config *c, const char *name)
{
	struct source *source;
	struct line *line;
	FILE *json;
	int rc;

	rc = source_open(&source, name);
	if (rc)
		return rc;
	json = source_json(source);
	if (json)
		rc = json_read(json, config_add_json, c);
	while (!json && !rc) {
		rc = source_read(&source, &line);
		if (rc || !line->argc)
			break;
		rc = config_line(c, line);
	}
	source_close(&source);
	if (!rc && !c->n_taps) {
		/* nothing else could be meant by a file without a command */
		config_add_tap(c, c->tap ? c->tap : TAP_DEFAULT);
		if (!opt.force) {
			err_line = 0;
			rc = usage("there is no command in it; -force deletes all sessions and rules of tap %s",
				   c->taps[0]);
		}
	}
	return rc ? rc : config_check(c);
}

/* What the kernel has of the taps that @want names; the others are left alone. */
int config_get(struct config *c, const struct config *want)
{
	struct msgs sessions = {}, rules = {};
	int rc;

	rc = nl_dump(VTAP_CMD_SESSION_GET, &sessions);
	if (!rc)
		rc = nl_dump(VTAP_CMD_RULE_GET, &rules);
	for (size_t i = 0; !rc && i < sessions.n; i++)
		if (config_has_tap(want, tap_of(&session_object, sessions.v[i])))
			items_add(&c->sessions, &session_object, msg_dup(sessions.v[i]), 0);
	for (size_t i = 0; !rc && i < rules.n; i++)
		if (config_has_tap(want, tap_of(&rule_object, rules.v[i])))
			items_add(&c->rules, &rule_object, msg_dup(rules.v[i]), 0);
	msgs_free(&sessions);
	msgs_free(&rules);
	return rc;
}
