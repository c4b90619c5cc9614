/* SPDX-License-Identifier: GPL-2.0 */
/* Several alternative matches of a rule, matches inside tunnels, and exceptions. */
#ifndef _VTAP_LIST_H
#define _VTAP_LIST_H

#include <linux/refcount.h>

#include "match.h"

/**
 * struct vtap_want - a match, and what is inside its tunnel
 * @form: the match
 * @inner: what the frame in the tunnel has to look like, or NULL
 */
struct vtap_want {
	struct vtap_form form;
	struct vtap_form *inner;
};

/**
 * struct vtap_list - what a rule wants of frames that is more than one match
 * @ref: rules that have it; it does not change any more then
 * @n_matches: alternatives, at least one
 * @n_excepts: exceptions
 * @n_inner: alternatives that look into a tunnel
 * @depth: so many alternatives may hold for one frame, as far as the table tells
 * @tunnels: a bit for each tunnel that any of them names
 * @wants: the alternatives, and behind them the exceptions, in the user's order
 */
struct vtap_list {
	refcount_t ref;
	u16 n_matches;
	u16 n_excepts;
	u16 n_inner;
	u16 depth;
	u8 tunnels;
	struct vtap_want wants[];
};

struct vtap_list *vtap_list_new(unsigned int n_matches, unsigned int n_excepts);
int vtap_list_set_inner(struct vtap_want *w, const struct vtap_match *inner);
int vtap_list_finish(struct vtap_list *l, unsigned int *twice);
struct vtap_list *vtap_list_get(struct vtap_list *l);
void vtap_list_put(struct vtap_list *l);
bool vtap_list_holds(const struct vtap_list *l, unsigned int match, const struct vtap_frame *f);
u8 vtap_list_tunnel(const struct vtap_list *l, const struct vtap_frame *f);

/* Return: is there something to be asked of a frame that a table does not ask? */
static inline bool vtap_list_has_extra(const struct vtap_list *l)
{
	return l && (l->n_inner || l->n_excepts);
}

#endif /* _VTAP_LIST_H */
