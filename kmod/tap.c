// SPDX-License-Identifier: GPL-2.0
/* The slow half of a tap: frames that a rule decided on, and copies that pass a port. */
#include "copy.h"
#include "loop.h"
#include "session.h"
#include "stats.h"
#include "tap.h"

/*
 * A rule decided on a frame, the first one that did at this port. @copies: it, or a later one, has
 * sessions.
 *
 * Return: false when it is a copy that vtap made.
 */
static __always_inline bool vtap_tap_begin(const struct vtap_port *port, struct vtap_frame *f,
					   const struct vtap_given *given, bool copies)
{
	if (given && unlikely(given->flags & VTAP_GIVEN_OWN)) {
		vtap_tap_count(port, f->dir, VTAP_PORT_STAT_OWN);
		return false;
	}
	if (copies) {
		f->ifindex = port->id.ifindex;
		f->suspect = vtap_loop_suspect(port, f);
		f->watched = f->suspect || READ_ONCE(port->vn->holding);
	}
	vtap_tap_count(port, f->dir, VTAP_PORT_STAT_MATCHED);
	return true;
}

/*
 * Give the frame to the sessions of a rule that decided on it, to each once. @given: NULL when
 * nobody gave it to any before, and nobody will ask.
 */
static __always_inline void vtap_tap_give(const struct vtap_port *port,
					  const struct vtap_rule *rule, struct vtap_frame *f,
					  struct vtap_given *given)
{
	unsigned int i;

	vtap_rule_count(rule, f->len);
	if (unlikely(rule->sample > 1)) {
		/* the rule has decided on this frame at another port */
		if (given && !rule->dup && vtap_given_passed(given, rule->id))
			return;
		if (!vtap_rule_sample(rule, f)) {
			if (given)
				vtap_given_pass(given, rule->id);
			return;
		}
	}
	if (likely(!given)) {
		for (i = 0; i < rule->n_sessions; i++)
			vtap_copy(rule->sessions[i], f);
		return;
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
 * @given: what has been decided about the frame so far, to be added to; NULL when nothing is known
 *	of it, and no other port will ask
 *
 * Kept out of line, so that other frames do not pay for what it needs.
 */
noinline void vtap_tap_matched(const struct vtap_port *port, const struct vtap_rule *rule,
			       struct vtap_frame *f, struct vtap_given *given)
{
	if (vtap_tap_begin(port, f, given, rule->n_sessions))
		vtap_tap_give(port, rule, f, given);
}

/* As vtap_tap_matched(), for a frame that is going out and may have a note. */
noinline void vtap_tap_noted(const struct vtap_port *port, const struct vtap_rule *rule,
			     struct vtap_frame *f)
{
	struct vtap_given buf __uninitialized;

	vtap_tap_matched(port, rule, f, vtap_note_find(port, f->skb, &buf));
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
		vtap_decide(port, table->parts[i], rule, f);
		if (!rule)
			continue;
		if (!matched) {
			if (f->dir == VTAP_OUT && !given && vtap_note_may_know(port, f->skb))
				given = vtap_note_find(port, f->skb, &buf);
			if (!vtap_tap_begin(port, f, given, true))
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
static noinline void vtap_tap_sent(const struct vtap_port *port, const struct sk_buff *skb,
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

/* vtap_tap_in() where other ports may see the frame again. */
noinline void vtap_tap_in_noting(struct vtap_port *port, struct sk_buff *skb)
{
	struct vtap_given *given;

	if (!vtap_note_enter(port, skb, &given))
		return;
	vtap_tap_frame(port, skb, VTAP_IN, given);
	if (!rcu_access_pointer(*port->waits_up[0]) && !rcu_access_pointer(*port->waits_up[1]))
		return;
	vtap_note_send(skb, READ_ONCE(port->queue_up), given);
	if (rcu_access_pointer(*port->waits_up[1]) && !READ_ONCE(port->vn->sets_aside))
		WRITE_ONCE(port->vn->sets_aside, true);
}

/* vtap_tap_out() where other ports may see the frame again. */
noinline void vtap_tap_out_noting(struct vtap_port *port, struct sk_buff *skb)
{
	struct vtap_given buf __uninitialized;
	struct vtap_given *given;

	vtap_given_clear(&buf);
	given = vtap_note_find(port, skb, &buf) ?: &buf;
	vtap_tap_frame(port, skb, VTAP_OUT, given);
	vtap_tap_sent(port, skb, given);
}
