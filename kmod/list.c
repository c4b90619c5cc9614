// SPDX-License-Identifier: GPL-2.0
/* Several alternative matches of a rule, matches inside tunnels, and exceptions. */
#include <linux/slab.h>
#include <linux/sort.h>

#include "list.h"
#include "tunnel.h"

/* Return: a list with one reference, all of whose matches are empty, or NULL. */
struct vtap_list *vtap_list_new(unsigned int n_matches, unsigned int n_excepts)
{
	struct vtap_list *l;

	l = kvzalloc(struct_size(l, wants, n_matches + n_excepts), GFP_KERNEL_ACCOUNT);
	if (!l)
		return NULL;
	refcount_set(&l->ref, 1);
	l->n_matches = n_matches;
	l->n_excepts = n_excepts;
	return l;
}

/* Before vtap_list_finish(); one that is empty is none. Return: 0 or -ENOMEM. */
int vtap_list_set_inner(struct vtap_want *w, const struct vtap_match *inner)
{
	if (!inner->present)
		return 0;
	w->inner = kzalloc(sizeof(*w->inner), GFP_KERNEL_ACCOUNT);
	if (!w->inner)
		return -ENOMEM;
	w->inner->match = *inner;
	return 0;
}

static int vtap_list_cmp_form(const struct vtap_form *a, const struct vtap_form *b)
{
	return memcmp(a->mask, b->mask, sizeof(a->mask)) ?:
	       memcmp(a->key, b->key, sizeof(a->key)) ?:
	       memcmp(a->ports, b->ports, sizeof(a->ports));
}

/* By mask, then by all that frames are asked for. */
static int vtap_list_cmp(const struct vtap_want *a, const struct vtap_want *b)
{
	int diff = vtap_list_cmp_form(&a->form, &b->form);

	if (diff || !a->inner || !b->inner)
		return diff ?: !!a->inner - !!b->inner;
	return vtap_list_cmp_form(a->inner, b->inner);
}

static int vtap_list_cmp_sort(const void *a, const void *b)
{
	const struct vtap_want *x = *(const struct vtap_want *const *)a;
	const struct vtap_want *y = *(const struct vtap_want *const *)b;

	return vtap_list_cmp(x, y) ?: (x > y) - (x < y);
}

/* The @n from @w on, sorted. Return: the first that is there twice, or NULL. */
static const struct vtap_want *vtap_list_sort(const struct vtap_want **sorted,
					      const struct vtap_want *w, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		sorted[i] = w + i;
	sort(sorted, n, sizeof(*sorted), vtap_list_cmp_sort, NULL);
	for (i = 1; i < n; i++) {
		if (!vtap_list_cmp(sorted[i - 1], sorted[i]))
			return sorted[i];
	}
	return NULL;
}

/* Of those with the same mask, whose keys differ, one alone can hold for a frame. */
static unsigned int vtap_list_depth(const struct vtap_want **sorted, unsigned int n)
{
	const struct vtap_form *last = NULL;
	unsigned int depth = 0, i;

	for (i = 0; i < n; i++) {
		const struct vtap_form *form = &sorted[i]->form;

		if (sorted[i]->inner || form->ranges) {
			depth++;
		} else if (!last || memcmp(last->mask, form->mask, sizeof(form->mask))) {
			last = form;
			depth++;
		}
	}
	return depth;
}

/**
 * vtap_list_finish - compile a list whose matches are known
 * @l: the list
 * @twice: gets the number in vtap_list.wants of one that is there twice
 *
 * Return: 0, -EEXIST or -ENOMEM.
 */
int vtap_list_finish(struct vtap_list *l, unsigned int *twice)
{
	const unsigned int n = l->n_matches + l->n_excepts;
	const struct vtap_want **sorted, *same;
	struct vtap_want *w;

	sorted = kmalloc_array(n, sizeof(*sorted), GFP_KERNEL);
	if (!sorted)
		return -ENOMEM;
	for (w = l->wants; w < l->wants + n; w++) {
		vtap_form_compile(&w->form);
		if (w->inner)
			vtap_form_compile(w->inner);
		if (w->form.match.present & BIT(VTAP_A_MATCH_TUNNEL))
			l->tunnels |= BIT(w->form.match.tunnel);
		if (w->inner && w < l->wants + l->n_matches)
			l->n_inner++;
	}
	same = vtap_list_sort(sorted, l->wants + l->n_matches, l->n_excepts);
	if (!same)
		same = vtap_list_sort(sorted, l->wants, l->n_matches);
	if (!same)
		l->depth = vtap_list_depth(sorted, l->n_matches);
	kfree(sorted);
	if (!same)
		return 0;
	*twice = same - l->wants;
	return -EEXIST;
}

/**
 * vtap_list_get - one more user
 * @l: a list, or NULL
 *
 * Return: @l.
 */
struct vtap_list *vtap_list_get(struct vtap_list *l)
{
	if (l)
		refcount_inc(&l->ref);
	return l;
}

/**
 * vtap_list_put - one user less; any context
 * @l: a list that no packet can see any more if this is the last user, or NULL
 */
void vtap_list_put(struct vtap_list *l)
{
	unsigned int i;

	if (!l || !refcount_dec_and_test(&l->ref))
		return;
	for (i = 0; i < l->n_matches + l->n_excepts; i++)
		kfree(l->wants[i].inner);
	kvfree(l);
}

static bool vtap_want_inner(const struct vtap_want *w, const struct vtap_frame *f)
{
	return !w->inner || vtap_tunnel_inner_matches(w->form.match.tunnel, w->inner, f);
}

/**
 * vtap_list_holds - all that the table has not asked of a frame
 * @l: the list
 * @match: the alternative whose own key the frame has
 * @f: parsed frame; softirq, RCU read side
 *
 * Return: is what the alternative wants in the tunnel there, and is the frame no exception?
 */
bool vtap_list_holds(const struct vtap_list *l, unsigned int match, const struct vtap_frame *f)
{
	const struct vtap_want *w = l->wants + l->n_matches;
	const struct vtap_want *end = w + l->n_excepts;

	if (!vtap_want_inner(l->wants + match, f))
		return false;
	for (; w < end; w++) {
		if (vtap_form_matches(&w->form, f) && vtap_want_inner(w, f))
			return false;
	}
	return true;
}

/**
 * vtap_list_tunnel - the tunnel that a rule says a frame is in
 * @l: the rule's list
 * @f: parsed frame that the rule decided on, its tunnel headers noted
 *
 * Return: the bit of the tunnel that the first alternative names that holds, or 0.
 */
u8 vtap_list_tunnel(const struct vtap_list *l, const struct vtap_frame *f)
{
	const struct vtap_want *w;

	for (w = l->wants; w < l->wants + l->n_matches; w++) {
		if (!vtap_form_matches(&w->form, f) || !vtap_want_inner(w, f))
			continue;
		return w->form.match.present & BIT(VTAP_A_MATCH_TUNNEL) ?
		       BIT(w->form.match.tunnel) : 0;
	}
	return 0;
}
