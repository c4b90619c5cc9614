// SPDX-License-Identifier: GPL-2.0
/* What rules may cost a frame that no hash table can spare it: filters, and looks into tunnels. */
#include <linux/netlink.h>

#include "compat.h"
#include "cost.h"
#include "net.h"
#include "rule.h"

/* 3,276 filters of 20 instructions, which is what "udp and port 53" compiles to. */
#define VTAP_COST_MAX	65536
/* A look into a tunnel at a rule's inner match, in instructions of a filter */
#define VTAP_COST_INNER	16

/*
 * The work of a rule that a frame may have to do for it alone. Return: its filter's instructions,
 * and VTAP_COST_INNER for an inner match.
 */
unsigned int vtap_cost_of(const struct vtap_rule *rule)
{
	return (rule->filter ? rule->filter->n : 0) + (rule->inner ? VTAP_COST_INNER : 0);
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
	if (vn->cost <= VTAP_COST_MAX)
		return 0;
	vtap_extack_fmt(extack,
			"filters have more than 65536 instructions, with 16 for each inner",
			"filters have %u instructions, with 16 for each inner; the limit is 65536",
			vn->cost);
	return -ENOSPC;
}
