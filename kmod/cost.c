// SPDX-License-Identifier: GPL-2.0
/* What rules may cost a frame that no hash table can spare it: filters, and looks into tunnels. */
#include <linux/netlink.h>

#include "compat.h"
#include "cost.h"
#include "list.h"
#include "net.h"
#include "rule.h"

/* 3,276 filters of 20 instructions, which is what "udp and port 53" compiles to. */
#define VTAP_COST_MAX	65536
/* A look into a tunnel at an inner match, in instructions of a filter */
#define VTAP_COST_INNER	16
/* The comparison with an exception */
#define VTAP_COST_EXCEPT	8
#define VTAP_MATCHES_MAX	65536

/*
 * The work of a rule that a frame may have to do for it alone. What alternatives have in common is
 * done for each that the frame may match. Return: its filter's instructions, VTAP_COST_EXCEPT for
 * each exception, and VTAP_COST_INNER for each inner match.
 */
u64 vtap_cost_of(const struct vtap_rule *rule)
{
	const struct vtap_list *l = rule->wanted;
	u64 each = rule->filter ? rule->filter->n : 0;
	unsigned int i;

	if (!l)
		return each;
	for (i = 0; i < l->n_excepts; i++) {
		each += VTAP_COST_EXCEPT;
		if (l->wants[l->n_matches + i].inner)
			each += VTAP_COST_INNER;
	}
	/* with a VM's address, there are entries for what it sends and for what it gets */
	return (l->depth * each + l->n_inner * VTAP_COST_INNER) << !is_zero_ether_addr(rule->mac);
}

/**
 * vtap_cost_check - refuse more work than a frame may be made to do; RTNL
 * @vn: the namespace's vtap, with the rules as they shall be
 * @extack: gets the reason
 *
 * Whoever may change the rules of a namespace makes frames run the filters in softirq. Whichever
 * ports rules bind to later, no table has more work than all rules together.
 *
 * Return: 0 or -ENOSPC.
 */
int vtap_cost_check(const struct vtap_net *vn, struct netlink_ext_ack *extack)
{
	if (vn->n_matches > VTAP_MATCHES_MAX) {
		vtap_extack_fmt(extack, "rules have more than 65536 matches",
				"rules have %llu matches; the limit is 65536", vn->n_matches);
		return -ENOSPC;
	}
	if (vn->cost <= VTAP_COST_MAX)
		return 0;
	vtap_extack_fmt(extack,
			"filters have more than 65536 instructions, 16 an inner, 8 an except",
			"filters have %u instructions, 16 an inner, 8 an except; limit 65536",
			(u32)min_t(u64, vn->cost, U32_MAX));
	return -ENOSPC;
}
