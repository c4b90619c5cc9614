// SPDX-License-Identifier: GPL-2.0
/* Words with their values, of which match words may have several: a list. */

#include <stdlib.h>
#include <string.h>

#include "group.h"

struct span msg_span(const struct nlmsghdr *nlh)
{
	return (struct span){ mnl_nlmsg_get_payload_offset(nlh, sizeof(struct genlmsghdr)),
			      mnl_nlmsg_get_payload_len(nlh) - sizeof(struct genlmsghdr) };
}

struct span nest_span(const struct nlattr *nest)
{
	return (struct span){ mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest) };
}

/* Cut the first attribute off. Return: NULL when there is none. */
static const struct nlattr *span_cut(struct span *s)
{
	const struct nlattr *a = (const void *)s->at;
	size_t len;

	if (!mnl_attr_ok(a, s->len))
		return NULL;
	len = MNL_ALIGN((size_t)a->nla_len);
	if (len > s->len)
		len = s->len;
	s->at += len;
	s->len -= len;
	return a;
}

/**
 * span_next - Find the next value of a word, which has one attribute or two.
 * @rest: What is searched; set to what is behind the value.
 * @value: Set to its attributes.
 *
 * Return: whether there is one.
 */
bool span_next(struct span *rest, const struct word *w, struct span *value)
{
	const struct nlattr *a;
	struct span more;

	while ((a = span_cut(rest)))
		if (mnl_attr_get_type(a) == w->attr)
			break;
	if (!a)
		return false;
	more = *rest;
	if (w->attr2) {
		const struct nlattr *second = span_cut(&more);

		if (second && mnl_attr_get_type(second) == w->attr2)
			*rest = more;
	}
	*value = (struct span){ (const char *)a, rest->at - (const char *)a };
	return true;
}

/* Take one value of a list. @n: those that were taken before, which are other ones. */
static int value_take(struct parse *p, const struct word *w, const char *val, const char *list,
		      size_t n)
{
	struct span rest, value, last;
	int rc;

	if (!*val)
		return usage("\"%s\" is not a valid value for \"%s\": a value of the list is empty",
			     list, w->name);
	rc = word_parse(p, w, val);
	if (rc)
		return rc;
	rest = msg_span(p->match);
	for (size_t i = 0; i <= n && span_next(&rest, w, &last); i++)
		;
	rest = msg_span(p->match);
	for (size_t i = 0; i < n && span_next(&rest, w, &value); i++)
		if (value.len == last.len && !memcmp(value.at, last.at, last.len))
			return usage("\"%s\" is twice in the list of \"%s\"", val, w->name);
	return OK;
}

/* a,b or {a,b}, with blanks between the braces or not */
static int list_take(struct parse *p, const struct word *w, const char *val)
{
	const bool braces = *val == '{';
	char *list = check_mem(strdup(val + braces)), *item, *next;
	const size_t len = strlen(list);
	int rc = OK;

	if (braces && (!len || list[len - 1] != '}'))
		rc = usage("\"%s\" is not a valid value for \"%s\": the list does not end with }",
			   val, w->name);
	else if (braces)
		list[len - 1] = '\0';
	item = list;
	for (size_t n = 0; item && !rc; item = next, n++) {
		next = strchr(item, ',');
		if (next)
			*next++ = '\0';
		if (braces) {
			item += strspn(item, " ");
			for (size_t i = strlen(item); i && item[i - 1] == ' '; i--)
				item[i - 1] = '\0';
		}
		if (n == VTAP_RULE_MATCHES_MAX)
			rc = usage("the list of \"%s\" has more than %u values", w->name,
				   VTAP_RULE_MATCHES_MAX);
		else
			rc = value_take(p, w, item, val, n);
	}
	free(list);
	return rc;
}

/* Take the value or values of a word, whose keyword was taken. */
int word_take(struct parse *p, const struct word *w)
{
	const char *val;
	int rc = word_see(p, w);

	if (rc)
		return rc;
	val = *p->argv;
	if (!val)
		return usage("\"%s\" requires a value", w->name);
	p->argv++;
	if (w->flags & W_MATCH)
		p->has_match = true;
	if (w->flags & W_LIST && (strchr(val, ',') || *val == '{'))
		return list_take(p, w, val);
	return word_parse(p, w, val);
}
