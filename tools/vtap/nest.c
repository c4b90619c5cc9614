// SPDX-License-Identifier: GPL-2.0
/* Types of nested attributes: what is inside a tunnel, and counters. */

#include <string.h>

#include "group.h"

/* inner: the match words that follow apply to the frame inside the tunnel */

static const struct word *inner_find(const struct word *w, const char *name)
{
	const struct word *n;

	for (n = w->nest; n->name; n++)
		if (n->flags & W_INNER && !strcmp(n->name, name))
			return n;
	return NULL;
}

/* Take a word behind "not", whose values must not be those of the frame inside the tunnel. */
static int inner_not(struct parse *p, const struct word *w, char ***argv)
{
	static char buf[MSG_MAX] __attribute__((aligned(8)));
	static struct service services[SERVICES_MAX];
	struct parse in = { .argv = *argv, .match = msg_put(buf, 0), .services = services };
	const struct word *n = *in.argv ? inner_find(w, *in.argv) : NULL;
	struct span all;
	int rc;

	if (!p->nots)
		return usage("\"not\" cannot stand behind \"except\"");
	if (!n)
		return usage("\"not\" after \"inner\" takes a word that \"inner\" takes, not \"%s\"",
			     *in.argv ? *in.argv : "");
	in.argv++;
	rc = word_take(&in, n);
	*argv = in.argv;
	if (rc)
		return rc;
	all = msg_span(in.match);
	if (!mnl_attr_put_check(p->nots, MSG_MAX, w->attr | NLA_F_NESTED, all.len, all.at))
		return usage("\"%s\" does not fit in the message", n->name);
	return OK;
}

static int inner_parse(struct parse *p, const struct word *w, const char *val)
{
	static char buf[MSG_MAX] __attribute__((aligned(8)));
	static struct service services[SERVICES_MAX];
	struct parse in = { .argv = p->argv - 1, .match = msg_put(buf, 0), .services = services };
	const struct word *n;
	struct span all;
	int rc = OK;

	if (!inner_find(w, val) && strcmp(val, "not"))
		return word_bad(w, val);
	while (!rc && *in.argv) {
		const bool not = !strcmp(*in.argv, "not");

		n = inner_find(w, *in.argv);
		if (!n && !not)
			break;
		in.argv++;
		rc = not ? inner_not(p, w, &in.argv) : word_take(&in, n);
	}
	p->argv = in.argv;
	if (!rc)
		rc = services_check(&in);
	all = msg_span(in.match);
	if (rc || !all.len)
		return rc;
	return word_put(p, w, w->attr | NLA_F_NESTED, all.at, all.len);
}

/* what is shown, of either type */

static void attrs_get(const struct nlattr **to, const struct nlattr *nest)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
		if (mnl_attr_get_type(a) <= ATTR_MAX)
			to[mnl_attr_get_type(a)] = a;
}

/* The attributes of a match, or of what is inside a tunnel: match words find them. */
void match_view(struct view *v, const struct nlattr *nest)
{
	memset(v->match, 0, sizeof(v->match));
	attrs_get(v->match, nest);
}

static void nest_view(struct view *v, const struct word *w, const struct view *outer)
{
	*v = (struct view){ .nlh = outer->nlh };
	attrs_get(w->type == &type_inner ? v->match : v->tb, view_attr(outer, w, w->attr));
}

/* The first word from @n on that is there. */
static const struct word *nest_next(const struct word *w, const struct word *n,
				    const struct view *v)
{
	for (; n->name; n++)
		if ((w->type != &type_inner || n->flags & W_INNER) && view_attr(v, n, n->attr))
			return n;
	return NULL;
}

static void nest_format(FILE *f, const struct word *w, const struct view *outer)
{
	const struct word *n;
	const char *sep = "";
	struct view v;

	nest_view(&v, w, outer);
	for (n = w->nest; (n = nest_next(w, n, &v)); n++) {
		if (n->flags & W_BREAK && !opt.oneline)
			sep = "\n    ";
		fprintf(f, "%s%s ", sep, n->name);
		word_format(f, n, &v);
		sep = " ";
	}
}

static void nest_json(const struct word *w, const struct view *outer)
{
	const struct word *n;
	struct view v;

	nest_view(&v, w, outer);
	out_open(w->name, '{');
	for (n = w->nest; (n = nest_next(w, n, &v)); n++)
		word_json(n, &v);
	out_close('}');
}

const struct type type_inner = {
	"WORDS", .parse = inner_parse, .format = nest_format, .to_json = nest_json
};

const struct type type_nest = { .format = nest_format, .to_json = nest_json };
