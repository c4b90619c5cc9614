// SPDX-License-Identifier: GPL-2.0
/* Copies that are held back while loops are looked for. */
#include "hold.h"
#include "loop.h"

/* limits that end the experiment; four times as much is never exceeded */
#define VTAP_LOOP_QUEUE		4096
#define VTAP_LOOP_BYTES		SZ_16M

static bool vtap_loop_full(const struct vtap_loop *vl, unsigned int times)
{
	return skb_queue_len(&vl->queue) >= VTAP_LOOP_QUEUE * times ||
	       vl->bytes >= VTAP_LOOP_BYTES * times;
}

/**
 * vtap_loop_hold - hold back a copy while an experiment is running
 * @t: its template
 * @skb: complete; consumed if it is held back
 * @suspect: vtap_frame.suspect of the frame that was copied
 * @hash: of its flow
 * @n: what to count when it leaves
 *
 * Return: true when it is held back, false when it is to be sent now.
 */
bool vtap_loop_hold(const struct vtap_tmpl *t, struct sk_buff *skb, u32 suspect, u32 hash,
		    struct vtap_send_stats n)
{
	struct vtap_loop *vl = rcu_dereference(t->s->vn->loop);
	bool held = false;

	spin_lock(&vl->lock);
	if (vl->phase != VTAP_LOOP_IDLE && !t->dead && !vtap_loop_full(vl, 4)) {
		*vtap_held(skb) = (struct vtap_held){ .t = t, .suspect = suspect, .n = n };
		__skb_set_sw_hash(skb, hash, true);
		__skb_queue_tail(&vl->queue, skb);
		vl->bytes += skb->truesize;
		held = true;
		if (vl->class && vtap_loop_full(vl, 1)) {
			vl->rest = jiffies + HZ;
			vtap_loop_end(vl, false);
		}
	}
	spin_unlock(&vl->lock);
	return held;
}
