// SPDX-License-Identifier: GPL-2.0
/* The changes that turn one configuration into another. */

#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "group.h"

/* differences */

/* The program of an expression differs when the address of a host name in it has changed. */
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

/* The same, faster when one rule is compared with many: the texts are kept. */
static bool same_rule_text(struct item *a, struct item *b)
{
	return !strcmp(item_text(&rule_object, a), item_text(&rule_object, b)) &&
	       same_program(a, b);
}

static bool is_except(const struct word *w)
{
	return w->type == &type_not || w->type == &type_except;
}

/* The words for set that turn one object into another, NULL when set cannot. */
static char *item_diff(const struct object *o, const char *key, const struct item *have,
		       const struct item *want)
{
	bool possible = true, changed[2] = {}, given[2] = {};
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
		/* the new program replaces the old one, whether either has a text or not */
		if (!b && (w->type == &type_filter || w->type == &type_bytecode) &&
		    item_attr(want, VTAP_A_RULE_FILTER))
			same = true;
		if (w->flags & (W_MATCH | W_GROUP)) {
			changed[is_except(w)] |= !same;
		} else if (!same) {
			if (w->flags & W_FIXED)
				possible = false;
			putc(' ', f);
			word_write(f, w, b);
		}
		free(a);
		free(b);
	}
	for (w = o->words; w->name; w++) {
		char *b = w->flags & (W_MATCH | W_GROUP) && changed[is_except(w)] ?
			  word_text(o, w, &vw, false) : NULL;

		if (!b)
			continue;
		given[is_except(w)] = true;
		putc(' ', f);
		word_write(f, w, b);
		free(b);
	}
	if (changed[0] && !given[0])
		fputs(" no match", f);
	if (changed[1] && !given[1])
		fputs(" no except", f);
	fclose(f);
	check_mem(text);
	if (possible)
		return text;
	free(text);
	return NULL;
}

/* The words that name a session; the next call uses the same place. */
static const char *session_key(const struct item *i)
{
	static char key[2 * VTAP_NAME_MAX + 8];

	snprintf(key, sizeof(key), "%s%s%s", item_name(i),
		 strcmp(i->tap, TAP_DEFAULT) ? " tap " : "",
		 strcmp(i->tap, TAP_DEFAULT) ? i->tap : "");
	return key;
}

void sessions_diff(struct items *have, struct items *want)
{
	for (size_t i = 0; i < have->n; i++)
		have->v[i].del = !session_find(want, have->v[i].tap, item_name(&have->v[i]));
	for (size_t i = 0; i < want->n; i++) {
		struct item *w = &want->v[i];
		struct item *h = session_find(have, w->tap, item_name(w));

		if (h && object_same(&session_object, h->nlh, w->nlh))
			continue;
		if (h)
			w->set = item_diff(&session_object, session_key(w), h, w);
		if (!w->set)
			w->add = true;
		if (h && !w->set)
			h->early = true;
	}
}

/* A rule is deleted early when it uses a session that must be recreated under the same name. */
static bool rule_is_early(const struct item *rule, const struct items *sessions)
{
	const struct nlattr *a;
	const struct item *s;

	mnl_attr_for_each(a, rule->nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(a) != VTAP_A_RULE_SESSION)
			continue;
		s = session_find(sessions, rule->tap, mnl_attr_get_str(a));
		if (s && s->early)
			return true;
	}
	return false;
}

static void rule_key(char *buf, size_t size, const struct item *rule)
{
	snprintf(buf, size, "id %" PRIu64, attr_num(item_attr(rule, VTAP_A_RULE_ID)));
}

/* Align rules of a tap and one pref: their order matters, and the kernel appends new ones. */
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

/* By tap and pref */
static int item_cmp_pref(const struct item *x, const struct item *y)
{
	int rc = strcmp(x->tap, y->tap);

	if (rc || x->pref == y->pref)
		return rc;
	return x->pref < y->pref ? -1 : 1;
}

static int item_cmp(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int rc = item_cmp_pref(x, y);

	if (rc)
		return rc;
	return x->order < y->order ? -1 : 1;
}

void rules_diff(struct items *have, struct items *want, const struct items *sessions)
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
		const struct item *first;

		if (w == want->n ||
		    (h < have->n && item_cmp_pref(&have->v[h], &want->v[w]) < 0))
			first = &have->v[h];
		else
			first = &want->v[w];
		while (h + nh < have->n && !item_cmp_pref(&have->v[h + nh], first))
			nh++;
		while (w + nw < want->n && !item_cmp_pref(&want->v[w + nw], first))
			nw++;
		rules_align(have->v + h, nh, want->v + w, nw);
		h += nh;
		w += nw;
	}
}

/* changes */

/* Add a command. Its words are parsed, unless its message is given. */
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

/* Delete objects; with @early, only those that must go before others can be added. */
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
			key = session_key(i);
		else
			rule_key(id, sizeof(id), i);
		rc = change_add(c, o, CMD_DEL, key, NULL, 0);
	}
	return rc;
}

static int changes_put(struct changes *c, const struct object *o, const struct items *l)
{
	size_t n = c->n;
	int rc = OK;

	for (struct item *i = l->v; !rc && i < l->v + l->n; i++) {
		if (i->add)
			rc = change_add(c, o, CMD_ADD, opt.details ? item_text(o, i) : NULL,
					i->nlh, i->line);
		else if (i->set)
			rc = change_add(c, o, CMD_SET, i->set, NULL, i->line);
		for (; n < c->n; n++)
			c->v[n].file = i->file;
	}
	return rc;
}

/* Deletions come first, so that the limits of the kernel leave room for additions. */
int changes_make(struct changes *c, const struct config *have, const struct config *want)
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
