// SPDX-License-Identifier: GPL-2.0
/* The slow half of a tap: frames that a rule decided on, and copies that pass a port. */
#include "tap.h"

/**
 * vtap_tap_count - count a frame at a port
 * @port: the port
 * @dir: VTAP_IN or VTAP_OUT
 * @stat: as what
 */
void vtap_tap_count(const struct vtap_port *port, unsigned int dir, enum vtap_port_stat stat)
{
	struct vtap_port_stats *st = this_cpu_ptr(port->stats);

	u64_stats_update_begin(&st->syncp);
	u64_stats_inc(&st->v[dir][stat]);
	u64_stats_update_end(&st->syncp);
}

/**
 * vtap_tap_matched - a rule decided on a frame
 * @port: the port
 * @rule: the rule
 * @f: the frame
 * @given: what has been decided about the frame so far; NULL at egress, when that is still to be
 *	found out
 *
 * Kept out of line, so that other frames do not pay for what it needs.
 */
noinline void vtap_tap_matched(const struct vtap_port *port, const struct vtap_rule *rule,
			       struct vtap_frame *f, struct vtap_given *given)
{
	struct vtap_given buf = {};
	const unsigned int dir = f->dir;
	unsigned int i;

	if (!given)
		given = vtap_note_find(port, f->skb, &buf) ?: &buf;
	if (unlikely(given->flags & VTAP_GIVEN_OWN)) {
		vtap_tap_count(port, dir, VTAP_PST_OWN);
		return;
	}
	f->ifindex = port->ifindex;
	vtap_tap_count(port, dir, VTAP_PST_MATCHED);
	vtap_rule_count(rule, f->len);
	if (unlikely(rule->sample > 1)) {
		/* the rule has decided on this frame at another port */
		if (given->rule == rule->id)
			return;
		if (!vtap_rule_sample(rule, f)) {
			given->rule = rule->id;
			return;
		}
	}
	for (i = 0; i < rule->n_sessions; i++) {
		struct vtap_session *s = rule->sessions[i];

		if (unlikely(vtap_given_has(given, s->serial)) && !rule->dup) {
			vtap_tap_count(port, dir, VTAP_PST_DUP);
			continue;
		}
		vtap_copy(s, f);
		vtap_given_add(given, s->serial);
	}
}

/**
 * vtap_tap_send_own - a copy that vtap is sending passes a port
 * @port: the port
 * @skb: the copy
 */
noinline void vtap_tap_send_own(const struct vtap_port *port, const struct sk_buff *skb)
{
	const struct vtap_given own = { .flags = VTAP_GIVEN_OWN };

	if (rcu_access_pointer(port->table))
		vtap_tap_count(port, VTAP_OUT, VTAP_PST_OWN);
	if (port->hop_out)
		vtap_note_send(skb, &own);
}
