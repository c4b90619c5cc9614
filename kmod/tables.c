// SPDX-License-Identifier: GPL-2.0
/* The tables of a namespace; ports that have the same rules share one. */
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "index.h"
#include "net.h"
#include "rule.h"
#include "table.h"
#include "taps.h"

static void vtap_table_rcu(struct rcu_head *rcu)
{
	vtap_table_free(container_of(rcu, struct vtap_table, rcu));
}

/**
 * vtap_table_get - a table of these rules, the one that another port uses if there is one; RTNL
 * @vn: the namespace's vtap
 * @sends: where the port's VM sends, from vtap_kind_sends()
 * @rules: the rules in their order; each stays valid for a grace period after its last table
 * @n: how many, not 0
 *
 * Return: the table with a reference, NULL when memory is short.
 */
struct vtap_table *vtap_table_get(struct vtap_net *vn, u8 sends,
				  const struct vtap_rule *const *rules, unsigned int n)
{
	struct vtap_table *t;

	list_for_each_entry(t, &vn->tables, list) {
		if (t->n == n && t->sends == sends &&
		    !memcmp(t->rules, rules, n * sizeof(*rules))) {
			t->refs++;
			return t;
		}
	}
	t = vtap_table_build(sends, rules, n);
	if (!t)
		return NULL;
	t->refs = 1;
	list_add(&t->list, &vn->tables);
	return t;
}

/* The same tables as those that @joined is made of? */
static bool vtap_table_is_join(const struct vtap_table *joined, struct vtap_table *const *parts,
			       unsigned int n)
{
	return joined->n_parts == n && !memcmp(joined->parts, parts, n * sizeof(*parts));
}

/* One table of several, whose references it takes over. Return: NULL when memory is short. */
static struct vtap_table *vtap_table_join(struct vtap_net *vn, struct vtap_table *const *parts,
					  unsigned int n)
{
	struct vtap_table *t;
	unsigned int i;

	list_for_each_entry(t, &vn->tables, list) {
		if (!vtap_table_is_join(t, parts, n))
			continue;
		/* it has references of its own */
		for (i = 0; i < n; i++)
			vtap_table_put(parts[i]);
		t->refs++;
		return t;
	}
	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return NULL;
	t->parts = kmemdup(parts, n * sizeof(*parts), GFP_KERNEL_ACCOUNT);
	if (!t->parts) {
		kfree(t);
		return NULL;
	}
	t->n_parts = n;
	for (i = 0; i < n; i++) {
		parts[i]->joins++;
		t->dirs |= parts[i]->dirs;
	}
	t->refs = 1;
	list_add(&t->list, &vn->tables);
	return t;
}

/**
 * vtap_table_get_taps - a table of the rules of all taps; RTNL
 * @vn: the namespace's vtap
 * @sends: where the port's VM sends, from vtap_kind_sends()
 * @rules: the rules by tap, and of each tap in their order, as in vtap_table_get()
 * @n: how many, not 0
 *
 * Return: the table with a reference, NULL when memory is short.
 */
struct vtap_table *vtap_table_get_taps(struct vtap_net *vn, u8 sends,
				       const struct vtap_rule *const *rules, unsigned int n)
{
	struct vtap_table *parts[VTAP_TAPS_MAX], *t = NULL;
	unsigned int n_parts = 0, from, to;

	for (from = 0; from < n; from = to) {
		for (to = from + 1; to < n && rules[to]->tap == rules[from]->tap; to++)
			;
		parts[n_parts] = vtap_table_get(vn, sends, rules + from, to - from);
		if (!parts[n_parts])
			goto err;
		n_parts++;
	}
	if (n_parts == 1)
		return parts[0];
	t = vtap_table_join(vn, parts, n_parts);
	if (t)
		return t;
err:
	while (n_parts--)
		vtap_table_put(parts[n_parts]);
	return NULL;
}

/**
 * vtap_table_find - the table of ports that match the same patterns; RTNL
 * @vn: the namespace's vtap
 * @sends: as in vtap_table_get()
 * @stamps: of the patterns, in the order of their ids
 * @n: length of @stamps
 *
 * Return: the table with a reference, or NULL when there is none, or the patterns' rules are
 * others since it was made.
 */
struct vtap_table *vtap_table_find(const struct vtap_net *vn, u8 sends,
				   const struct vtap_stamp *stamps, unsigned int n)
{
	struct vtap_table *t;

	list_for_each_entry(t, &vn->tables, list) {
		if (t->n_stamps == n && t->stamp_sends == sends &&
		    !memcmp(t->stamps, stamps, n * sizeof(*stamps))) {
			t->refs++;
			return t;
		}
	}
	return NULL;
}

/* @t was made of what patterns have now; it takes over @stamps, which is @n long; RTNL. */
void vtap_table_stamp(struct vtap_table *t, u8 sends, struct vtap_stamp *stamps, unsigned int n)
{
	kvfree(t->stamps);
	t->stamps = stamps;
	t->n_stamps = n;
	t->stamp_sends = sends;
}

/* Do ports that have the table match a pattern? RTNL. Return: true when they do. */
bool vtap_table_has_pattern(const struct vtap_table *t, u64 id)
{
	unsigned int i;

	for (i = 0; i < t->n_stamps; i++) {
		if (t->stamps[i].id == id)
			return true;
	}
	return false;
}

/**
 * vtap_table_put - give back a reference; RTNL
 * @t: a table that packets do not find through this reference any more, or NULL
 */
void vtap_table_put(struct vtap_table *t)
{
	unsigned int i;

	if (!t || --t->refs)
		return;
	list_del(&t->list);
	for (i = 0; i < t->n_parts; i++) {
		t->parts[i]->joins--;
		vtap_table_put(t->parts[i]);
	}
	call_rcu(&t->rcu, vtap_table_rcu);
}

/* Is a rule among those of a table? Return: true when it is. */
bool vtap_table_has(const struct vtap_table *t, const struct vtap_rule *rule)
{
	unsigned int lo = 0, hi = t->n, i;

	for (i = 0; i < t->n_parts; i++) {
		if (vtap_table_has(t->parts[i], rule))
			return true;
	}
	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (vtap_rule_before(t->rules[mid], rule))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->n && t->rules[lo] == rule;
}

/* To how many ports is a rule bound? RTNL. Return: their number. */
unsigned int vtap_table_ports(const struct vtap_net *vn, const struct vtap_rule *rule)
{
	const struct vtap_table *t;
	unsigned int n = 0;

	list_for_each_entry(t, &vn->tables, list) {
		if (vtap_table_has(t, rule))
			n += t->refs - t->joins;
	}
	return n;
}

static bool vtap_table_has_tap(const struct vtap_table *t, const struct vtap_tap *tap)
{
	unsigned int i;

	for (i = 0; i < t->n_parts; i++) {
		if (vtap_table_has_tap(t->parts[i], tap))
			return true;
	}
	return t->n && t->rules[0]->tap == tap;
}

/* To how many ports is any rule of a tap bound? RTNL. Return: their number. */
unsigned int vtap_table_tap_ports(const struct vtap_net *vn, const struct vtap_tap *tap)
{
	const struct vtap_table *t;
	unsigned int n = 0;

	list_for_each_entry(t, &vn->tables, list) {
		if (vtap_table_has_tap(t, tap))
			n += t->refs - t->joins;
	}
	return n;
}

/*
 * Directions that any of the rules is for. Return: BIT(VTAP_IN) | BIT(VTAP_OUT), or one of them.
 */
u32 vtap_table_dirs(const struct vtap_table *t)
{
	return t->dirs;
}
