// SPDX-License-Identifier: GPL-2.0
/* Whole configurations: save writes one, apply makes the kernel's equal to one. */

#include <stdlib.h>
#include <string.h>

#include "vtap.h"

/* An object that is wanted or present. */
struct item {
	struct nlmsghdr *nlh;
	char *text;		/* see item_text() */
	char *set;		/* the words that set takes to make it */
	int line;
	size_t order;
	uint32_t pref;
	bool add, del;
	bool early;		/* deleted before the sessions are changed */
};

struct items {
	struct item *v;
	size_t n;
};

struct change {
	const struct object *o;
	enum command cmd;
	struct nlmsghdr *nlh;
	char *text;
	int line;		/* of the file, 0 for a deletion */
};

struct config {
	struct items sessions, rules;
};

struct changes {
	struct change *v;
	size_t n;
};

int save_run(char **argv)
{
	static const struct object *const saved[] = { &session_object, &rule_object };
	int rc = OK;

	if (*argv)
		return usage("\"%s\" after \"save\"", *argv);
	for (int i = 0; !rc && i < 2; i++) {
		struct msgs m = {};

		rc = nl_dump(saved[i]->get, &m);
		for (size_t j = 0; !rc && j < m.n; j++) {
			char *text = object_text(saved[i], m.v[j]);

			printf("%s add %s\n", saved[i]->name, text);
			free(text);
		}
		msgs_free(&m);
	}
	return rc;
}

/* configurations */

static const struct nlattr *item_attr(const struct item *i, uint16_t attr)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, i->nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == attr)
			return a;
	return NULL;
}

static const char *item_name(const struct item *i)
{
	return mnl_attr_get_str(item_attr(i, VTAP_A_SESSION_NAME));
}

/* Takes the message over. */
static void items_add(struct items *l, const struct object *o, struct nlmsghdr *nlh, int line)
{
	const struct nlattr *a;
	struct item *i;

	if (!(l->n & (l->n + 1)))
		l->v = check_mem(realloc(l->v, 2 * (l->n + 1) * sizeof(*l->v)));
	i = &l->v[l->n];
	*i = (struct item){ .nlh = nlh, .line = line, .order = l->n++ };
	if (o != &rule_object)
		return;
	a = item_attr(i, VTAP_A_RULE_PREF);
	i->pref = a ? attr_num(a) : 0;
}

static void items_free(struct items *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].nlh);
		free(l->v[i].text);
		free(l->v[i].set);
	}
	free(l->v);
}

static struct item *session_find(const struct items *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(item_name(&l->v[i]), name))
			return &l->v[i];
	return NULL;
}

static int config_line(struct config *c, const struct line *l)
{
	const struct object *o;
	struct nlmsghdr *nlh;
	int rc;

	if (!strcmp(l->argv[0], "session"))
		o = &session_object;
	else if (!strcmp(l->argv[0], "rule"))
		o = &rule_object;
	else
		return usage("\"%s\" cannot be applied, only \"session\" and \"rule\"", l->argv[0]);
	if (l->argc < 2 || strcmp(l->argv[1], "add"))
		return usage("\"%s\" cannot be applied, only \"%s add\"",
			     l->argc < 2 ? o->name : l->argv[1], o->name);
	rc = object_parse(o, CMD_ADD, l->argv + 2, &nlh);
	if (rc)
		return rc;
	items_add(o == &rule_object ? &c->rules : &c->sessions, o, nlh, l->first);
	return OK;
}

/* Names are unique, and rules name sessions of the file. */
static int config_check(const struct config *c)
{
	const struct nlattr *a;

	for (size_t i = 0; i < c->sessions.n; i++) {
		const struct item *s = &c->sessions.v[i];

		err_line = s->line;
		if (session_find(&c->sessions, item_name(s)) != s)
			return usage("session \"%s\" is there twice", item_name(s));
	}
	for (size_t i = 0; i < c->rules.n; i++) {
		err_line = c->rules.v[i].line;
		mnl_attr_for_each(a, c->rules.v[i].nlh, sizeof(struct genlmsghdr))
			if (mnl_attr_get_type(a) == VTAP_A_RULE_SESSION &&
			    !session_find(&c->sessions, mnl_attr_get_str(a)))
				return usage("session \"%s\" is not in the file",
					     mnl_attr_get_str(a));
	}
	return OK;
}

static int config_read(struct config *c, FILE *f)
{
	struct line line = {};
	int rc;

	do {
		rc = line_read(f, &line);
		err_line = rc ? err_line : line.first;
		if (rc || !line.argc)
			break;
		rc = config_line(c, &line);
	} while (!rc);
	line_free(&line);
	return rc ? rc : config_check(c);
}

static int config_get(struct config *c)
{
	struct msgs sessions = {}, rules = {};
	int rc;

	rc = nl_dump(VTAP_CMD_SESSION_GET, &sessions);
	if (!rc)
		rc = nl_dump(VTAP_CMD_RULE_GET, &rules);
	for (size_t i = 0; !rc && i < sessions.n; i++)
		items_add(&c->sessions, &session_object, msg_dup(sessions.v[i]), 0);
	for (size_t i = 0; !rc && i < rules.n; i++)
		items_add(&c->rules, &rule_object, msg_dup(rules.v[i]), 0);
	msgs_free(&sessions);
	msgs_free(&rules);
	return rc;
}

/* differences */

/* An expression compiles to another program when a host name in it has moved. */
static bool same_program(const struct item *a, const struct item *b)
{
	const struct nlattr *pa = item_attr(a, VTAP_A_RULE_FILTER);
	const struct nlattr *pb = item_attr(b, VTAP_A_RULE_FILTER);

	if (!pa || !pb)
		return pa == pb;
	return mnl_attr_get_payload_len(pa) == mnl_attr_get_payload_len(pb) &&
	       !memcmp(mnl_attr_get_payload(pa), mnl_attr_get_payload(pb),
		       mnl_attr_get_payload_len(pa));
}

/* The words that add takes. */
static const char *item_text(const struct object *o, struct item *i)
{
	if (!i->text)
		i->text = object_text(o, i->nlh);
	return i->text;
}

static bool same_rule(const struct item *a, const struct item *b)
{
	return object_same(&rule_object, a->nlh, b->nlh) && same_program(a, b);
}

/* The same for who compares one with many. */
static bool same_rule_text(struct item *a, struct item *b)
{
	return !strcmp(item_text(&rule_object, a), item_text(&rule_object, b)) &&
	       same_program(a, b);
}

/* The words for set that turn one object into another, NULL when set cannot. */
static char *item_diff(const struct object *o, const char *key, const struct item *have,
		       const struct item *want)
{
	bool possible = true, match = false, any = true;
	struct view vh, vw;
	const struct word *w;
	char *text;
	size_t len;
	FILE *f = check_mem(open_memstream(&text, &len));

	fputs(key, f);
	view_init(&vh, o, have->nlh);
	view_init(&vw, o, want->nlh);
	for (w = o->words; w->name; w++) {
		char *a = w->flags & W_ADD ? word_text(o, w, &vh, false) : NULL;
		char *b = w->flags & W_ADD ? word_text(o, w, &vw, false) : NULL;
		bool same = a && b ? !strcmp(a, b) : a == b;

		if (w->type == &type_filter && same && a)
			same = same_program(have, want);
		/* a program takes the place of the old one, in whatever form */
		if (!b && (w->type == &type_filter || w->type == &type_bytecode) &&
		    item_attr(want, VTAP_A_RULE_FILTER))
			same = true;
		if (w->flags & W_MATCH) {
			match |= !same;
		} else if (!same) {
			if (w->flags & W_FIXED)
				possible = false;
			putc(' ', f);
			word_write(f, w, b);
		}
		free(a);
		free(b);
	}
	for (w = o->words; match && w->name; w++) {
		char *b = w->flags & W_MATCH ? word_text(o, w, &vw, false) : NULL;

		if (!b)
			continue;
		any = false;
		putc(' ', f);
		word_write(f, w, b);
		free(b);
	}
	if (match && any)
		fputs(" no match", f);
	fclose(f);
	check_mem(text);
	if (possible)
		return text;
	free(text);
	return NULL;
}

static void sessions_diff(struct items *have, struct items *want)
{
	for (size_t i = 0; i < have->n; i++)
		have->v[i].del = !session_find(want, item_name(&have->v[i]));
	for (size_t i = 0; i < want->n; i++) {
		struct item *w = &want->v[i];
		struct item *h = session_find(have, item_name(w));

		if (h && object_same(&session_object, h->nlh, w->nlh))
			continue;
		if (h)
			w->set = item_diff(&session_object, item_name(w), h, w);
		if (!w->set)
			w->add = true;
		if (h && !w->set)
			h->early = true;
	}
}

/* A rule of an old session that must make room for a new one of that name goes first. */
static bool rule_is_early(const struct item *rule, const struct items *sessions)
{
	const struct nlattr *a;
	const struct item *s;

	mnl_attr_for_each(a, rule->nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(a) != VTAP_A_RULE_SESSION)
			continue;
		s = session_find(sessions, mnl_attr_get_str(a));
		if (s && s->early)
			return true;
	}
	return false;
}

static void rule_key(char *buf, size_t size, const struct item *rule)
{
	snprintf(buf, size, "id %" PRIu64, attr_num(item_attr(rule, VTAP_A_RULE_ID)));
}

/* Rules of one pref: their order counts, and new ones come behind all the others. */
static void rules_align(struct item *have, size_t nh, struct item *want, size_t nw)
{
	size_t h = 0, w = 0, i;
	char key[32];

	while (h < nh && w < nw) {
		if (have[h].early) {
			h++;
			continue;
		}
		if (same_rule(&have[h], &want[w])) {
			h++, w++;
			continue;
		}
		for (i = h + 1; i < nh; i++)
			if (!have[i].early && same_rule_text(&have[i], &want[w]))
				break;
		if (i < nh) {
			have[h++].del = true;
			continue;
		}
		rule_key(key, sizeof(key), &have[h]);
		want[w].set = item_diff(&rule_object, key, &have[h], &want[w]);
		if (!want[w].set)
			break;
		h++, w++;
	}
	for (; h < nh; h++)
		have[h].del = !have[h].early;
	for (; w < nw; w++)
		want[w].add = true;
}

static int item_cmp(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->pref != y->pref)
		return x->pref < y->pref ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void rules_diff(struct items *have, struct items *want, const struct items *sessions)
{
	size_t h = 0, w = 0;

	for (size_t i = 0; i < have->n; i++)
		have->v[i].early = rule_is_early(&have->v[i], sessions);
	if (have->n)
		qsort(have->v, have->n, sizeof(*have->v), item_cmp);
	if (want->n)
		qsort(want->v, want->n, sizeof(*want->v), item_cmp);
	while (h < have->n || w < want->n) {
		size_t nh = 0, nw = 0;
		uint32_t pref;

		if (w == want->n || (h < have->n && have->v[h].pref < want->v[w].pref))
			pref = have->v[h].pref;
		else
			pref = want->v[w].pref;
		while (h + nh < have->n && have->v[h + nh].pref == pref)
			nh++;
		while (w + nw < want->n && want->v[w + nw].pref == pref)
			nw++;
		rules_align(have->v + h, nh, want->v + w, nw);
		h += nh;
		w += nw;
	}
}

/* changes */

/* A command with its words, which are parsed unless the message is there already and tells all. */
static int change_add(struct changes *c, const struct object *o, enum command cmd,
		      const char *words, const struct nlmsghdr *nlh, int line)
{
	static const char *const names[CMDS] = {
		[CMD_ADD] = "add", [CMD_SET] = "set", [CMD_DEL] = "del"
	};
	struct change *n;
	int rc = OK;

	if (!(c->n & (c->n + 1)))
		c->v = check_mem(realloc(c->v, 2 * (c->n + 1) * sizeof(*c->v)));
	n = &c->v[c->n++];
	*n = (struct change){ .o = o, .cmd = cmd, .line = line };
	if (words) {
		n->text = check_mem(malloc(strlen(o->name) + strlen(words) + 8));
		sprintf(n->text, "%s %s %s", o->name, names[cmd], words);
	}
	if (nlh) {
		n->nlh = msg_dup(nlh);
	} else {
		FILE *f = check_mem(fmemopen((char *)words, strlen(words), "r"));
		struct line l = {};

		rc = line_read(f, &l);
		if (!rc)
			rc = object_parse(o, cmd, l.argv, &n->nlh);
		line_free(&l);
		fclose(f);
	}
	return rc;
}

/* Delete objects, @early those that make room for others. */
static int changes_del(struct changes *c, const struct object *o, const struct items *l,
		       bool early)
{
	int rc = OK;

	for (const struct item *i = l->v; !rc && i < l->v + l->n; i++) {
		char id[32];
		const char *key = id;

		if (early ? !i->early : !i->del)
			continue;
		if (o == &session_object)
			key = item_name(i);
		else
			rule_key(id, sizeof(id), i);
		rc = change_add(c, o, CMD_DEL, key, NULL, 0);
	}
	return rc;
}

static int changes_put(struct changes *c, const struct object *o, const struct items *l)
{
	int rc = OK;

	for (struct item *i = l->v; !rc && i < l->v + l->n; i++) {
		if (i->add)
			rc = change_add(c, o, CMD_ADD, opt.details ? item_text(o, i) : NULL,
					i->nlh, i->line);
		else if (i->set)
			rc = change_add(c, o, CMD_SET, i->set, NULL, i->line);
	}
	return rc;
}

/* Made at once; what goes comes first, so that no limit is in the way. */
static int changes_make(struct changes *c, const struct config *have, const struct config *want)
{
	int rc;

	rc = changes_del(c, &rule_object, &have->rules, true);
	if (!rc)
		rc = changes_del(c, &rule_object, &have->rules, false);
	if (!rc)
		rc = changes_del(c, &session_object, &have->sessions, true);
	if (!rc)
		rc = changes_put(c, &session_object, &want->sessions);
	if (!rc)
		rc = changes_put(c, &rule_object, &want->rules);
	if (!rc)
		rc = changes_del(c, &session_object, &have->sessions, false);
	return rc;
}

/* All of them or none. */
static int changes_send(const struct changes *c, const char *file)
{
	struct txn txn = {};

	for (size_t i = 0; i < c->n; i++) {
		const struct change *n = &c->v[i];

		if (opt.details && !opt.json)
			puts(n->text);
		txn_add(&txn, n->o, n->cmd, n->nlh, n->line, n->text);
	}
	return txn_send(&txn, file, false);
}

int apply_run(char **argv)
{
	const char *name = *argv, *outer_file = err_file;
	struct config have = {}, want = {};
	struct changes changes = {};
	int outer_line = err_line;
	FILE *f = stdin;
	int rc;

	if (!name)
		return usage("\"apply\" requires a file");
	if (argv[1])
		return usage("\"%s\" after \"apply %s\"", argv[1], name);
	if (!strcmp(name, "-"))
		name = "stdin";
	else
		f = fopen(name, "r");
	if (!f) {
		err("%s: %m", name);
		return REFUSED;
	}

	err_file = name;
	rc = config_read(&want, f);
	if (f != stdin)
		fclose(f);
	if (!rc) {
		err_file = outer_file;
		err_line = outer_line;
		rc = config_get(&have);
	}
	if (!rc) {
		sessions_diff(&have.sessions, &want.sessions);
		rules_diff(&have.rules, &want.rules, &have.sessions);
		rc = changes_make(&changes, &have, &want);
	}
	if (!rc)
		rc = changes_send(&changes, name);
	err_file = outer_file;
	err_line = outer_line;

	for (size_t i = 0; i < changes.n; i++) {
		free(changes.v[i].nlh);
		free(changes.v[i].text);
	}
	free(changes.v);
	items_free(&have.sessions);
	items_free(&have.rules);
	items_free(&want.sessions);
	items_free(&want.rules);
	return rc;
}
