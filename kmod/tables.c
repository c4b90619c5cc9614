// SPDX-License-Identifier: GPL-2.0
/* The tables of a namespace; ports that have the same rules share one. */
#include <linux/rcupdate.h>

#include "net.h"
#include "rule.h"
#include "table.h"

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

/**
 * vtap_table_put - give back a reference; RTNL
 * @t: a table that packets do not find through this reference any more, or NULL
 */
void vtap_table_put(struct vtap_table *t)
{
	if (!t || --t->refs)
		return;
	list_del(&t->list);
	call_rcu(&t->rcu, vtap_table_rcu);
}

/**
 * vtap_table_has - is a rule among those of a table?
 * @t: the table
 * @rule: the rule
 *
 * Return: true when it is.
 */
bool vtap_table_has(const struct vtap_table *t, const struct vtap_rule *rule)
{
	unsigned int lo = 0, hi = t->n;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (vtap_rule_before(t->rules[mid], rule))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->n && t->rules[lo] == rule;
}

/**
 * vtap_table_ports - to how many ports is a rule bound? RTNL
 * @vn: the namespace's vtap
 * @rule: the rule
 *
 * Return: their number.
 */
unsigned int vtap_table_ports(const struct vtap_net *vn, const struct vtap_rule *rule)
{
	const struct vtap_table *t;
	unsigned int n = 0;

	list_for_each_entry(t, &vn->tables, list) {
		if (vtap_table_has(t, rule))
			n += t->refs;
	}
	return n;
}

/**
 * vtap_table_dirs - directions that any of the rules is for
 * @t: a table
 *
 * Return: BIT(VTAP_IN) | BIT(VTAP_OUT), or one of them.
 */
u32 vtap_table_dirs(const struct vtap_table *t)
{
	return t->dirs;
}
