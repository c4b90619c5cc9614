/* SPDX-License-Identifier: GPL-2.0 */
/* Copies that are held back while loops are looked for. */
#ifndef _VTAP_HOLD_H
#define _VTAP_HOLD_H

#include <linux/skbuff.h>

#include "session.h"

/**
 * struct vtap_held - what is known of a copy that is held back, in skb->cb
 * @t: the template it is made of
 * @suspect: vtap_frame.suspect of the frame that was copied
 * @n: what to count when it leaves; nothing but for the last of several fragments
 */
struct vtap_held {
	const struct vtap_tmpl *t;
	u32 suspect;
	struct vtap_send_stats n;
};

bool vtap_loop_hold(const struct vtap_tmpl *t, struct sk_buff *skb, u32 suspect, u32 hash,
		    struct vtap_send_stats n);

static inline struct vtap_held *vtap_held(const struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct vtap_held) > sizeof(skb->cb));
	return (struct vtap_held *)skb->cb;
}

#endif /* _VTAP_HOLD_H */
