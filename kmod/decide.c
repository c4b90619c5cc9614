// SPDX-License-Identifier: GPL-2.0
/* The trace point vtap:decide, and what it is told. */
#include <net/ipv6.h>

#include "port.h"
#include "rule.h"
#include "table.h"
#include "taps.h"

/* As IPv6 has the address @addr of the key. */
static void vtap_decide_addr(u8 *to, const struct vtap_key *key, const struct in6_addr *addr)
{
	struct in6_addr a = *addr;

	if (key->proto != htons(ETH_P_IPV6) && addr->s6_addr32[0])
		ipv6_addr_set_v4mapped(addr->s6_addr32[0], &a);
	memcpy(to, &a, sizeof(a));
}

#define CREATE_TRACE_POINTS
#include "decide_event.h"

/* As vtap_decide(), when somebody traces it. */
noinline void vtap_decide_traced(const struct vtap_port *port, const struct vtap_table *table,
				 const struct vtap_rule *rule, const struct vtap_frame *f)
{
	u8 decision = VTAP_DECIDED_MIRROR;

	if (!table)
		decision = VTAP_DECIDED_OWN;
	else if (!rule)
		decision = VTAP_DECIDED_UNMATCHED;
	else if (rule->action == VTAP_ACTION_SKIP)
		decision = VTAP_DECIDED_SKIP;
	trace_decide(port, table ? table->rules[0]->tap : NULL, rule, f, decision);
}
