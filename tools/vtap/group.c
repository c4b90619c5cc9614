// SPDX-License-Identifier: GPL-2.0
/*
 * The alternatives and exceptions of a rule, made of its words: lists stand for all combinations of
 * their values, "or" begins further alternatives, "not" and "except" say what must not hold.
 */

#include <string.h>

#include "group.h"

#define DIMS	48	/* match words and inner ones together are fewer */

/* A word that was given, with its @n values in @all. */
struct dim {
	const struct word *w;
	struct span all;
	size_t n;
	bool inner;
};

/* Words are in the order of the table, so that the same values make the same message. */
static size_t dims_get(struct dim *d, const struct word *words, struct span all, bool inner)
{
	size_t n = 0;

	for (const struct word *w = words; w->name; w++) {
		struct span rest = all, value;

		if (!(w->flags & (inner ? W_INNER : W_MATCH)))
			continue;
		d[n] = (struct dim){ w, all, 0, inner };
		while (span_next(&rest, w, &value))
			d[n].n++;
		if (d[n].n && w->nest)
			n += dims_get(d + n, w->nest,
				      nest_span((const struct nlattr *)value.at), true);
		else if (d[n].n)
			n++;
	}
	return n;
}

static bool span_copy(struct nlmsghdr *nlh, struct span s)
{
	if (nlh->nlmsg_len + s.len > MSG_MAX)
		return false;
	memcpy(mnl_nlmsg_get_payload_tail(nlh), s.at, s.len);
	nlh->nlmsg_len += s.len;
	return true;
}

/* Put the combination with a number into the message; the last word's values come first. */
static bool combination_put(struct nlmsghdr *nlh, uint16_t type, const struct dim *d, size_t n,
			    uint64_t total, uint64_t number)
{
	struct nlattr *nest = mnl_attr_nest_start_check(nlh, MSG_MAX, type), *inner = NULL;
	bool fits = nest;

	for (size_t i = 0; fits && i < n; i++) {
		struct span rest = d[i].all, value = {};
		uint64_t skip;

		total /= d[i].n;
		skip = number / total % d[i].n;
		while (span_next(&rest, d[i].w, &value) && skip--)
			;
		if (d[i].inner && !inner) {
			inner = mnl_attr_nest_start_check(nlh, MSG_MAX, VTAP_A_MATCH_INNER);
			fits = inner;
		}
		fits = fits && span_copy(nlh, value);
	}
	if (fits && inner)
		mnl_attr_nest_end(nlh, inner);
	if (fits)
		mnl_attr_nest_end(nlh, nest);
	return fits;
}

/* Put all combinations of the values of words into the message, as nests of @type. */
static int combinations_put(struct parse *p, const struct object *o, struct span all,
			    uint16_t type)
{
	const bool except = type == o->except;
	size_t *count = except ? &p->excepts : &p->matches;
	const size_t max = except ? VTAP_RULE_EXCEPTS_MAX : VTAP_RULE_MATCHES_MAX;
	struct dim d[DIMS];
	const size_t n = dims_get(d, o->words, all, false);
	uint64_t total = 1, sum;

	for (size_t i = 0; i < n; i++) {
		if (__builtin_mul_overflow(total, d[i].n, &total)) {
			/* too many, however many there are */
			total = UINT64_MAX - *count;
			break;
		}
	}
	sum = *count + total;
	if (sum > max)
		return usage("the rule would have %" PRIu64 " %s, at most %zu are possible", sum,
			     except ? "exceptions" : "combinations of values", max);
	*count = sum;
	for (uint64_t i = 0; i < total; i++)
		if (!combination_put(p->nlh, type, d, n, total, i))
			return usage("the %s does not fit in the message", o->name);
	return OK;
}

/*
 * What must not hold inside the tunnel holds of frames in the tunnel that the words name, the port
 * of which says which frames are in it.
 */
static int nots_put(struct parse *p, const struct object *o)
{
	static char buf[MSG_MAX] __attribute__((aligned(8)));
	const struct nlattr *not;
	int rc = OK;

	mnl_attr_for_each(not, p->nots, sizeof(struct genlmsghdr)) {
		struct nlmsghdr *nlh = msg_put(buf, 0);
		bool tunnel = false, fits = true;

		for (const struct word *w = o->words; w->name; w++) {
			struct span rest = msg_span(p->match), value;

			if (!(w->flags & W_MATCH) ||
			    (w->attr != VTAP_A_MATCH_TUNNEL && w->attr != VTAP_A_MATCH_TUNNEL_KEY &&
			     w->attr != VTAP_A_MATCH_DST_PORT))
				continue;
			while (fits && span_next(&rest, w, &value)) {
				tunnel |= w->attr == VTAP_A_MATCH_TUNNEL;
				fits = span_copy(nlh, value);
			}
		}
		if (!tunnel)
			return usage("\"not\" after \"inner\" requires \"tunnel\"");
		fits = fits && span_copy(nlh, (struct span){ (const char *)not,
							     MNL_ALIGN(not->nla_len) });
		if (!fits)
			return usage("the %s does not fit in the message", o->name);
		rc = combinations_put(p, o, msg_span(nlh), o->except);
		if (rc)
			break;
	}
	return rc;
}

/* All words of a group of alternatives are read. Return: OK or USAGE. */
int group_end(struct parse *p, const struct object *o)
{
	const struct span all = msg_span(p->match);
	int rc = services_check(p);

	/* none at all is "match any" */
	if (!rc && (all.len || (p->has_match && !p->matches)))
		rc = combinations_put(p, o, all, o->match);
	if (!rc)
		rc = nots_put(p, o);
	msg_put(p->match, 0);
	msg_put(p->nots, 0);
	p->seen[1] = 0;
	p->addr = NULL;
	p->n_services = 0;
	return rc;
}

/* Say that @p's next word is none that may follow @w. */
static int no_match_word(const struct parse *p, const struct object *o, const struct word *w)
{
	const char *arg = *p->argv, *hint;

	if (!arg)
		return usage("\"%s\" requires a match word", w->name);
	hint = hint_word(o, arg, W_MATCH);
	if (hint && word_find(o, hint, W_MATCH))
		return usage("\"%s\" is not a match word, which \"%s\" takes: did you mean \"%s\"?",
			     arg, w->name, hint);
	return usage("\"%s\" is not a match word, which \"%s\" takes, see \"vtap %s help\"", arg,
		     w->name, o->name);
}

static int or_take(struct parse *p, const struct object *o, const struct word *w)
{
	if (!p->seen[1])
		return usage("\"or\" stands between match words");
	if (!*p->argv || !word_find(o, *p->argv, W_MATCH))
		return no_match_word(p, o, w);
	return group_end(p, o);
}

/* One word behind "not", or all that follow "except". */
static int except_take(struct parse *p, const struct object *o, const struct word *w, bool one)
{
	static char buf[MSG_MAX] __attribute__((aligned(8)));
	static struct service services[SERVICES_MAX];
	struct parse in = { .argv = p->argv, .match = msg_put(buf, 0), .services = services };
	const struct word *m = *in.argv ? word_find(o, *in.argv, W_MATCH) : NULL;
	int rc;

	if (!m)
		return no_match_word(p, o, w);
	if (one && m->nest)
		return usage("\"not inner\": say \"inner not WORD VALUE\"");
	do {
		in.argv++;
		rc = word_take(&in, m);
		m = !rc && !one && *in.argv ? word_find(o, *in.argv, W_MATCH) : NULL;
	} while (m);
	p->argv = in.argv;
	if (!rc)
		rc = services_check(&in);
	return rc ? rc : combinations_put(p, o, msg_span(in.match), o->except);
}

/**
 * group_take - Take what follows "or", "not" or "except".
 * @w: Which of them.
 * @select: The words pick rules.
 *
 * Return: OK, or USAGE after telling what is wrong.
 */
int group_take(struct parse *p, const struct object *o, const struct word *w, bool select)
{
	if (w->attr == o->match && select)
		return usage("\"or\" picks no rules: list the values, or pick by other words");
	if (w->attr == o->match)
		return or_take(p, o, w);
	p->seen[0] |= 1ULL << w->attr;
	return except_take(p, o, w, !strcmp(w->name, "not"));
}
