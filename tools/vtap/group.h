/* SPDX-License-Identifier: GPL-2.0 */
/* Rules with lists, alternatives and exceptions: read from words, and written as words. */
#ifndef VTAP_TOOL_GROUP_H
#define VTAP_TOOL_GROUP_H

#include "vtap.h"

/* Attributes that follow each other. */
struct span {
	const char *at;
	size_t len;
};

/* list.c */
int word_take(struct parse *p, const struct word *w);
struct span msg_span(const struct nlmsghdr *nlh);
struct span nest_span(const struct nlattr *nest);
bool span_next(struct span *rest, const struct word *w, struct span *value);

/* group.c */
int group_take(struct parse *p, const struct object *o, const struct word *w, bool select);
int group_end(struct parse *p, const struct object *o);

/* alts.c */
extern const struct type type_or, type_not, type_except;
bool alts_implied(const struct word *w, const struct view *v);
void alts_format(FILE *f, const struct word *w, const struct view *v);
const char *alts_name(const struct object *o, const struct nlattr *nest);
void alts_json(const struct view *v);
bool alts_picked(const struct word *w, const struct view *want, const struct view *v);

#endif
