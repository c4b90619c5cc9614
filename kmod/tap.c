// SPDX-License-Identifier: GPL-2.0
/* The slow half of a tap: frames that a rule decided on, and copies that pass a port. */
#include "copy.h"
#include "loop.h"
#include "session.h"
#include "stats.h"
#include "tap.h"

/* Count a frame at a port. */
void vtap_tap_count(const struct vtap_port *port, unsigned int dir, enum vtap_port_stat stat)
{
	vtap_stats_add(port->stats, dir * __VTAP_PORT_STAT_MAX + stat, 1);
}

/*
 * A rule decided on a frame, the first one that did at this port. @buf: where the answer stands
 * when the frame has no note.
 *
 * Return: what has been decided about the frame so far, or NULL when it is a copy that vtap made.
 */
static __always_inline struct vtap_given *vtap_tap_begin(const struct vtap_port *port,
							 struct vtap_frame *f,
							 struct vtap_given *given,
							 struct vtap_given *buf)
{
	const unsigned int dir = f->dir;

	if (!given) {
		if (dir == VTAP_OUT)
			given = vtap_note_find(port, f->skb, buf);
		if (!given) {
			vtap_given_clear(buf);
			given = buf;
		}
	}
	if (unlikely(given->flags & VTAP_GIVEN_OWN)) {
		vtap_tap_count(port, dir, VTAP_PORT_STAT_OWN);
		return NULL;
	}
	f->ifindex = port->id.ifindex;
	f->suspect = vtap_loop_suspect(port, f);
	vtap_tap_count(port, dir, VTAP_PORT_STAT_MATCHED);
	return given;
}

/* Give the frame to the sessions of a rule that decided on it, to each once. */
static __always_inline void vtap_tap_give(const struct vtap_port *port,
					  const struct vtap_rule *rule, struct vtap_frame *f,
					  struct vtap_given *given)
{
	unsigned int i;

	vtap_rule_count(rule, f->len);
	if (unlikely(rule->sample > 1)) {
		/* the rule has decided on this frame at another port */
		if (vtap_given_passed(given, rule->id))
			return;
		if (!vtap_rule_sample(rule, f)) {
			vtap_given_pass(given, rule->id);
			return;
		}
	}
	for (i = 0; i < rule->n_sessions; i++) {
		struct vtap_session *s = rule->sessions[i];

		if (unlikely(vtap_given_has(given, s->serial)) && !rule->dup) {
			vtap_tap_count(port, f->dir, VTAP_PORT_STAT_DUP);
			continue;
		}
		vtap_copy(s, f);
		vtap_given_add(given, s->serial);
	}
}

/**
 * vtap_tap_matched - a rule decided on a frame
 * @port: the port
 * @rule: the rule
 * @f: the frame
 * @given: what has been decided about the frame so far; NULL at ingress when no other port asks,
 *	and at egress when that is still to be found out
 *
 * Kept out of line, so that other frames do not pay for what it needs.
 */
noinline void vtap_tap_matched(const struct vtap_port *port, const struct vtap_rule *rule,
			       struct vtap_frame *f, struct vtap_given *given)
{
	struct vtap_given buf __uninitialized;

	given = vtap_tap_begin(port, f, given, &buf);
	if (given)
		vtap_tap_give(port, rule, f, given);
}

/**
 * vtap_tap_several - find and follow the rule of each tap that decides on a frame
 * @port: the port
 * @table: the port's rules, those of several taps
 * @f: the frame
 * @given: what has been decided about the frame so far, as in vtap_tap_matched()
 *
 * Sessions belong to one tap, so that no two rules give the frame to the same.
 */
noinline void vtap_tap_several(const struct vtap_port *port, const struct vtap_table *table,
			       struct vtap_frame *f, struct vtap_given *given)
{
	struct vtap_given buf __uninitialized;
	const u8 tunnel = f->key.tunnel;
	const struct vtap_rule *rule;
	bool matched = false;
	unsigned int i;

	for (i = 0; i < table->n_parts; i++) {
		/* not what a rule of another tap takes the frame for */
		f->key.tunnel = tunnel;
		rule = vtap_table_lookup(table->parts[i], f);
		if (!rule)
			continue;
		if (!matched) {
			given = vtap_tap_begin(port, f, given, &buf);
			if (!given)
				return;
			matched = true;
		}
		vtap_tap_give(port, rule, f, given);
	}
	if (!matched)
		vtap_tap_count(port, f->dir, VTAP_PORT_STAT_UNMATCHED);
}

/**
 * vtap_tap_own - a port sees a copy that vtap made, or an error about one
 * @port: the port
 * @dir: VTAP_IN or VTAP_OUT
 * @given: what has been decided about the frame, or NULL
 */
noinline void vtap_tap_own(struct vtap_port *port, unsigned int dir, struct vtap_given *given)
{
	if (given)
		given->flags |= VTAP_GIVEN_OWN;
	if (rcu_access_pointer(port->table))
		vtap_tap_count(port, dir, VTAP_PORT_STAT_OWN);
	if (dir == VTAP_OUT)
		WRITE_ONCE(port->left, jiffies ?: 1);
}

/* Note a frame that another port will see next. */
noinline void vtap_tap_sent(const struct vtap_port *port, const struct sk_buff *skb,
			    const struct vtap_given *given)
{
	int queue = READ_ONCE(port->queue_out);

	if (queue)
		vtap_note_send(skb, queue, given);
	if (port->stacked)
		vtap_note_send(skb, VTAP_QUEUE_NESTED, given);
}

/* A copy that vtap is sending passes a port. */
noinline void vtap_tap_send_own(struct vtap_port *port, const struct sk_buff *skb)
{
	static const struct vtap_given own = { .flags = VTAP_GIVEN_OWN };

	vtap_tap_own(port, VTAP_OUT, NULL);
	vtap_tap_sent(port, skb, &own);
}
