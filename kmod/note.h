/* SPDX-License-Identifier: GPL-2.0 */
/* Notes: which sessions have a frame already, known by its memory, never by its bytes alone. */
#ifndef _VTAP_NOTE_H
#define _VTAP_NOTE_H

#include "port.h"

/* vtap_given.flags */
#define VTAP_GIVEN_OWN	BIT(0)	/* the frame is a copy that vtap made */

/* A NAPI poll hands up to 64 frames to the stack before it processes the first of them. */
#define VTAP_NOTES	64

/* Where frames wait, besides queues that have the ifindex of a device */
#define VTAP_QUEUE_NONE		0
#define VTAP_QUEUE_NESTED	(-1)	/* nowhere: stacked devices pass a frame on at once */
#define VTAP_QUEUE_OVS		(-2)	/* between ports of Open vSwitch and the host */

/*
 * Words for the sessions and rules that are remembered of a frame: one of either for each of 16
 * taps, and some more. An even number.
 */
#define VTAP_GIVEN_MAX	38

/**
 * struct vtap_given - what has been decided about a frame so far
 * @n: how many sessions got the frame
 * @n_passed: words that have the ids of sampling rules that did not choose it, two for each
 * @flags: VTAP_GIVEN_*
 * @who: vtap_session.serial of the sessions, from the beginning on, and ids of the rules, from
 *	the end on, lower half first; nothing is in between
 */
struct vtap_given {
	u16 n;
	u16 n_passed;
	u16 flags;
	u32 who[VTAP_GIVEN_MAX];
} __aligned(8);

/* softnet_data.processed when this CPU wrote its last note; BH disabled */
DECLARE_PER_CPU(u32, vtap_note_processed);

bool vtap_note_enter(const struct vtap_port *port, const struct sk_buff *skb,
		     struct vtap_given **given);
struct vtap_given *vtap_note_find(const struct vtap_port *port, const struct sk_buff *skb,
				  struct vtap_given *buf);
void vtap_note_send(const struct sk_buff *skb, int queue, const struct vtap_given *given);
int vtap_note_init(void);
void vtap_note_exit(void);

/*
 * Can vtap_note_find() know the frame? It cannot if this CPU has received too much since a port
 * left a note on it, unless tc sets frames aside, or an outer transmission has the frame.
 */
static __always_inline bool vtap_note_may_know(const struct vtap_port *port,
					       const struct sk_buff *skb)
{
	const u32 since = __this_cpu_read(softnet_data.processed) -
			  __this_cpu_read(vtap_note_processed);

	return dev_recursion_level() ||
	       (skb->skb_iif && (since < VTAP_NOTES || READ_ONCE(port->vn->sets_aside)));
}

static __always_inline void vtap_given_clear(struct vtap_given *given)
{
	given->n = 0;
	given->n_passed = 0;
	given->flags = 0;
}

static __always_inline void vtap_given_copy(struct vtap_given *to, const struct vtap_given *from)
{
	unsigned int i;

	to->n = from->n;
	to->n_passed = from->n_passed;
	to->flags = from->flags;
	for (i = 0; i < from->n; i++)
		to->who[i] = from->who[i];
	for (i = VTAP_GIVEN_MAX - from->n_passed; i < VTAP_GIVEN_MAX; i++)
		to->who[i] = from->who[i];
}

static __always_inline bool vtap_given_has(const struct vtap_given *given, u32 session)
{
	unsigned int i;

	for (i = 0; i < given->n; i++) {
		if (given->who[i] == session)
			return true;
	}
	return false;
}

/* What finds no place counts as not given: the session may get the frame once more. */
static __always_inline void vtap_given_add(struct vtap_given *given, u32 session)
{
	if (likely(given->n + given->n_passed < VTAP_GIVEN_MAX))
		given->who[given->n++] = session;
}

/* Did this sampling rule not choose the frame? */
static __always_inline bool vtap_given_passed(const struct vtap_given *given, u64 rule)
{
	unsigned int i;

	for (i = VTAP_GIVEN_MAX - given->n_passed; i < VTAP_GIVEN_MAX; i += 2) {
		if (given->who[i] == (u32)rule && given->who[i + 1] == rule >> 32)
			return true;
	}
	return false;
}

/* What finds no place is sampled anew at another port. */
static __always_inline void vtap_given_pass(struct vtap_given *given, u64 rule)
{
	u32 *who;

	if (unlikely(given->n + given->n_passed + 2 > VTAP_GIVEN_MAX))
		return;
	given->n_passed += 2;
	who = given->who + VTAP_GIVEN_MAX - given->n_passed;
	who[0] = rule;
	who[1] = rule >> 32;
}

#endif /* _VTAP_NOTE_H */
