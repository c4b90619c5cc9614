/* SPDX-License-Identifier: GPL-2.0 */
/* Notes: which sessions have a frame already, known by the frame's memory and never by its bytes alone. */
#ifndef _VTAP_NOTE_H
#define _VTAP_NOTE_H

#include "vtap.h"

/* vtap_given.flags */
#define VTAP_GIVEN_OWN	BIT(0)	/* the frame is a copy that vtap made */

/**
 * struct vtap_given - what has been decided about a frame so far
 * @n: length of @session
 * @flags: VTAP_GIVEN_*
 * @rule: id of a sampling rule that did not choose the frame, or 0
 * @session: vtap_session.serial of the sessions that got the frame
 */
struct vtap_given {
	u8 n;
	u8 flags;
	u32 rule;
	u32 session[VTAP_RULE_SESSIONS_MAX];
};

/**
 * struct vtap_note - a frame that came in by a port
 * @skb: its skb; only compared
 * @head: its data; only compared
 * @port: vtap_port.serial of the port
 * @ifindex: of the port
 * @processed: frames that this CPU had received by then, this one included
 * @given: what has been decided about it
 */
struct vtap_note {
	const struct sk_buff *skb;
	const unsigned char *head;
	u32 port;
	int ifindex;
	u32 processed;
	struct vtap_given given;
};

/* A NAPI poll hands up to 64 frames to the stack before it processes the first of them. */
#define VTAP_NOTES	64

/**
 * struct vtap_notes - the last frames that came in on this CPU
 * @last: the latest of @note
 * @lock: of @last, against other softirqs on PREEMPT_RT
 * @note: a ring
 */
struct vtap_notes {
	struct vtap_note *last;
	local_lock_t lock;
	struct vtap_note note[VTAP_NOTES];
};

extern struct vtap_notes __percpu *vtap_notes;

bool vtap_note_renew(const struct vtap_port *port, const struct sk_buff *skb,
		     const struct vtap_note *last, struct vtap_given *given);
struct vtap_given *vtap_note_find(const struct vtap_port *port, const struct sk_buff *skb,
				  struct vtap_given *buf);
void vtap_note_send(const struct sk_buff *skb, const struct vtap_given *given);
int vtap_note_init(void);
void vtap_note_exit(void);

static __always_inline bool vtap_given_has(const struct vtap_given *given, u32 session)
{
	unsigned int i;

	for (i = 0; i < given->n; i++) {
		if (given->session[i] == session)
			return true;
	}
	return false;
}

/* What finds no place counts as not given: the session may get the frame once more. */
static __always_inline void vtap_given_add(struct vtap_given *given, u32 session)
{
	if (likely(given->n < ARRAY_SIZE(given->session)))
		given->session[given->n++] = session;
}

/**
 * vtap_note_enter - note that a frame came in by a port
 * @port: the port
 * @skb: the frame
 *
 * Every frame that comes in writes a note, so that an older one under the same
 * memory is never taken for its own. Softirq, RCU read side.
 *
 * Return: what has been decided about the frame, or NULL when this port has seen
 * it already, by the hook that is being replaced.
 */
static __always_inline struct vtap_given *vtap_note_enter(const struct vtap_port *port,
							  const struct sk_buff *skb)
{
	const u32 processed = __this_cpu_read(softnet_data.processed);
	const struct vtap_note *last;
	struct vtap_notes *notes;
	struct vtap_note *note;

	local_lock_nested_bh(&vtap_notes->lock);
	notes = this_cpu_ptr(vtap_notes);
	last = notes->last;
	note = notes->last + 1;
	if (unlikely(note == notes->note + VTAP_NOTES))
		note = notes->note;
	if (unlikely(last->skb == skb || last->head == skb->head) &&
	    last->processed == processed && last->port == port->serial) {
		note = NULL;
		goto out;
	}
	notes->last = note;
	note->given.n = 0;
	note->given.flags = 0;
	note->given.rule = 0;
	if (unlikely(last->skb == skb || last->head == skb->head || port->hop_in))
		vtap_note_renew(port, skb, last, &note->given);
	note->skb = skb;
	note->head = skb->head;
	note->port = port->serial;
	note->ifindex = port->ifindex;
	note->processed = processed;
out:
	local_unlock_nested_bh(&vtap_notes->lock);
	return note ? &note->given : NULL;
}

#endif /* _VTAP_NOTE_H */
