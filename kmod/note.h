/* SPDX-License-Identifier: GPL-2.0 */
/* Notes: which sessions have a frame already, known by its memory, never by its bytes alone. */
#ifndef _VTAP_NOTE_H
#define _VTAP_NOTE_H

#include "port.h"

/* vtap_given.flags */
#define VTAP_GIVEN_OWN	BIT(0)	/* the frame is a copy that vtap made */

/* Where frames wait, besides queues that have the ifindex of a device */
#define VTAP_QUEUE_NONE		0
#define VTAP_QUEUE_NESTED	(-1)	/* nowhere: stacked devices pass a frame on at once */
#define VTAP_QUEUE_OVS		(-2)	/* between ports of Open vSwitch and the host */

/**
 * struct vtap_given - what has been decided about a frame so far
 * @n: length of @session
 * @flags: VTAP_GIVEN_*
 * @rule: id of a sampling rule that did not choose the frame, or 0
 * @session: vtap_session.serial of the sessions that got the frame
 */
struct vtap_given {
	u16 n;
	u16 flags;
	u32 rule;
	u32 session[VTAP_RULE_SESSIONS_MAX];
} __aligned(8);

bool vtap_note_enter(const struct vtap_port *port, const struct sk_buff *skb,
		     struct vtap_given **given);
struct vtap_given *vtap_note_find(const struct vtap_port *port, const struct sk_buff *skb,
				  struct vtap_given *buf);
void vtap_note_send(const struct sk_buff *skb, int queue, const struct vtap_given *given);
int vtap_note_init(void);
void vtap_note_exit(void);

static __always_inline void vtap_given_clear(struct vtap_given *given)
{
	given->n = 0;
	given->flags = 0;
	given->rule = 0;
}

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

#endif /* _VTAP_NOTE_H */
