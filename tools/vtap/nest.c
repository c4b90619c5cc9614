// SPDX-License-Identifier: GPL-2.0
/* Types of nested attributes: what is inside a tunnel, and counters. */

#include <string.h>

#include "vtap.h"

/* inner: the match words that follow apply to the frame inside the tunnel */

static const struct word *inner_find(const struct word *w, const char *name)
{
	const struct word *n;

	for (n = w->nest; n->name; n++)
		if (n->flags & W_INNER && !strcmp(n->name, name))
			return n;
	return NULL;
}

static int inner_parse(struct parse *p, const struct word *w, const char *val)
{
	static char buf[MSG_MAX] __attribute__((aligned(8)));
	struct parse in = { .argv = p->argv, .match = msg_put(buf, 0) };
	const struct word *n = inner_find(w, val);
	int rc;

	if (!n)
		return word_bad(w, val);
	do {
		rc = word_take(&in, n);
	} while (!rc && *in.argv && (n = inner_find(w, *in.argv)) && in.argv++);
	p->argv = in.argv;
	if (!rc)
		rc = services_check(&in);
	if (rc)
		return rc;
	return word_put(p, w, w->attr | NLA_F_NESTED,
			mnl_nlmsg_get_payload_offset(in.match, sizeof(struct genlmsghdr)),
			mnl_nlmsg_get_payload_len(in.match) - sizeof(struct genlmsghdr));
}

/* what is shown, of either type */

/* Attributes of @w, which W_INNER words find as those of a match. */
static void nest_view(struct view *v, const struct word *w, const struct view *outer)
{
	const struct nlattr **to = w->type == &type_inner ? v->match : v->tb, *a;

	*v = (struct view){ .nlh = outer->nlh };
	mnl_attr_for_each_nested(a, view_attr(outer, w, w->attr))
		if (mnl_attr_get_type(a) <= ATTR_MAX)
			to[mnl_attr_get_type(a)] = a;
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
