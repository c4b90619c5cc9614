/* SPDX-License-Identifier: GPL-2.0 */
/* All that a hook does with a frame: know it, find its rule, give it to sessions. */
#ifndef _VTAP_TAP_H
#define _VTAP_TAP_H

#include "decide.h"
#include "note.h"
#include "own.h"
#include "parse.h"
#include "rule.h"
#include "stats.h"
#include "table.h"

void vtap_tap_matched(const struct vtap_port *port, const struct vtap_rule *rule,
		      struct vtap_frame *f, struct vtap_given *given);
void vtap_tap_noted(const struct vtap_port *port, const struct vtap_rule *rule,
		    struct vtap_frame *f);
void vtap_tap_several(const struct vtap_port *port, const struct vtap_table *table,
		      struct vtap_frame *f, struct vtap_given *given);
void vtap_tap_own(struct vtap_port *port, unsigned int dir, struct vtap_given *given);
void vtap_tap_in_noting(struct vtap_port *port, struct sk_buff *skb);
void vtap_tap_out_noting(struct vtap_port *port, struct sk_buff *skb);
void vtap_tap_send_own(struct vtap_port *port, const struct sk_buff *skb);

/* Count a frame at a port. */
static __always_inline void vtap_tap_count(const struct vtap_port *port, unsigned int dir,
					   enum vtap_port_stat stat)
{
	vtap_stats_add(port->stats, dir * __VTAP_PORT_STAT_MAX + stat, 1);
}

static __always_inline void vtap_tap_frame(struct vtap_port *port, struct sk_buff *skb,
					   unsigned int dir, struct vtap_given *given)
{
	const struct vtap_table *table = rcu_dereference(port->table);
	const struct vtap_rule *rule;
	struct vtap_frame f __uninitialized;

	if (unlikely(!table))
		return;
	f.skb = skb;
	f.dir = dir;
	f.bare = READ_ONCE(port->bare);
	if (unlikely(!vtap_parse(&f))) {
		vtap_tap_count(port, dir, VTAP_PORT_STAT_UNMATCHED);
		return;
	}
	/* vtap_tap_out() has looked already */
	if (unlikely((dir == VTAP_IN && vtap_own_sending(port->vn, skb)) ||
		     vtap_own(port->vn, &f))) {
		vtap_decide(port, NULL, NULL, &f);
		vtap_tap_own(port, dir, given);
		return;
	}
	if (unlikely(table->n_parts)) {
		vtap_tap_several(port, table, &f, given);
		return;
	}
	rule = vtap_table_lookup(table, &f);
	vtap_decide(port, table, rule, &f);
	if (!rule)
		vtap_tap_count(port, dir, VTAP_PORT_STAT_UNMATCHED);
	else if (dir == VTAP_OUT && !given && unlikely(vtap_note_may_know(port, skb)))
		vtap_tap_noted(port, rule, &f);
	else
		vtap_tap_matched(port, rule, &f, given);
}

/**
 * vtap_tap_in - a frame was received from a port's device
 * @port: the port
 * @skb: the frame, which is only read
 *
 * Softirq, RCU read side.
 */
static __always_inline void vtap_tap_in(struct vtap_port *port, struct sk_buff *skb)
{
	if (unlikely(READ_ONCE(port->noting)))
		vtap_tap_in_noting(port, skb);
	else
		vtap_tap_frame(port, skb, VTAP_IN, NULL);
}

/**
 * vtap_tap_out - a frame is about to be sent to a port's device
 * @port: the port
 * @skb: the frame, which is only read
 *
 * Bottom halves are disabled; RCU read side.
 */
static __always_inline void vtap_tap_out(struct vtap_port *port, struct sk_buff *skb)
{
	if (unlikely(vtap_own_sending(port->vn, skb)))
		vtap_tap_send_own(port, skb);
	else if (unlikely(port->queue_out || port->stacked))
		vtap_tap_out_noting(port, skb);
	else
		vtap_tap_frame(port, skb, VTAP_OUT, NULL);
}

#endif /* _VTAP_TAP_H */
