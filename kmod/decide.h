/* SPDX-License-Identifier: GPL-2.0 */
/* What has been decided about a frame at a port, for those who trace it. */
#ifndef _VTAP_DECIDE_H
#define _VTAP_DECIDE_H

#include <linux/tracepoint-defs.h>

#include "frame.h"

struct vtap_port;
struct vtap_rule;
struct vtap_table;

/* Decisions of the trace point */
enum vtap_decision {
	VTAP_DECIDED_UNMATCHED,
	VTAP_DECIDED_SKIP,
	VTAP_DECIDED_MIRROR,
	VTAP_DECIDED_OWN,
};

DECLARE_TRACEPOINT(decide);

void vtap_decide_traced(const struct vtap_port *port, const struct vtap_table *table,
			const struct vtap_rule *rule, const struct vtap_frame *f);

/**
 * vtap_decide - a table of one tap's rules has decided on a frame
 * @port: the frame's port
 * @table: the table; NULL when the frame is a copy that vtap made
 * @rule: the rule, or NULL for none
 * @f: the frame
 *
 * RCU read side.
 */
static __always_inline void vtap_decide(const struct vtap_port *port,
					const struct vtap_table *table,
					const struct vtap_rule *rule, const struct vtap_frame *f)
{
	if (tracepoint_enabled(decide))
		vtap_decide_traced(port, table, rule, f);
}

#endif /* _VTAP_DECIDE_H */
