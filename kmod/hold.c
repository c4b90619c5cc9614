// SPDX-License-Identifier: GPL-2.0
/* Copies that are held back while loops are looked for: their queue, its timer and its end. */
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "loop.h"

/* so many end the experiment, four times as many are the most */
#define VTAP_LOOP_QUEUE		4096
#define VTAP_LOOP_BYTES		SZ_16M

static bool vtap_loop_full(const struct vtap_loop *vl, unsigned int times)
{
	return skb_queue_len(&vl->queue) >= VTAP_LOOP_QUEUE * times ||
	       vl->bytes >= VTAP_LOOP_BYTES * times;
}

/**
 * vtap_loop_hold - hold a copy back, if copies are held back
 * @t: its template
 * @skb: complete; taken when it is held back
 * @suspect: vtap_frame.suspect of the frame that was copied
 * @hash: of its flow
 * @n: what to count when it leaves
 *
 * Return: true when it is held back, false when it is to be sent now.
 */
bool vtap_loop_hold(const struct vtap_tmpl *t, struct sk_buff *skb, u32 suspect, u32 hash,
		    struct vtap_tally n)
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

static struct sk_buff *vtap_loop_pop(struct vtap_loop *vl)
{
	struct sk_buff *skb = __skb_dequeue(&vl->queue);

	if (skb)
		vl->bytes -= skb->truesize;
	return skb;
}

/**
 * vtap_loop_take - take copies from the front of the queue; under the lock
 * @vl: the breaker
 * @out: gets them
 * @n: how many
 * @id: only those of this class count, the ones between them are taken as well; or 0
 */
void vtap_loop_take(struct vtap_loop *vl, struct sk_buff_head *out, unsigned int n, u32 id)
{
	struct sk_buff *skb;

	while (n && (skb = vtap_loop_pop(vl))) {
		if (!id || vtap_held(skb)->suspect == id)
			n--;
		__skb_queue_tail(out, skb);
	}
}

/* BH disabled. Return: whether there was anything to do. */
static bool vtap_loop_run(struct vtap_loop *vl)
{
	struct sk_buff_head out, drop;
	struct sk_buff *skb;
	bool more;

	__skb_queue_head_init(&out);
	__skb_queue_head_init(&drop);
	rcu_read_lock();
	spin_lock(&vl->lock);
	vtap_loop_step(vl, &out, &drop);
	more = vl->phase != VTAP_LOOP_IDLE;
	spin_unlock(&vl->lock);
	while ((skb = __skb_dequeue(&out)))
		vtap_copy_release(skb);
	while ((skb = __skb_dequeue(&drop)))
		vtap_copy_discard(skb);
	rcu_read_unlock();
	return more;
}

static enum hrtimer_restart vtap_loop_timer(struct hrtimer *timer)
{
	vtap_loop_run(container_of(timer, struct vtap_loop, timer));
	return HRTIMER_NORESTART;
}

/**
 * vtap_loop_flush - all copies that are held back now leave, in order; RTNL, or the end of all
 * @vl: the breaker
 *
 * Those that come meanwhile, perhaps because of these, are left to the timer.
 */
void vtap_loop_flush(struct vtap_loop *vl)
{
	int left = -1;
	bool more;

	do {
		spin_lock_bh(&vl->lock);
		if (vl->class)
			vtap_loop_end(vl, false);
		if (left < 0)
			left = skb_queue_len(&vl->queue);
		spin_unlock_bh(&vl->lock);
		/* what it has taken is sent afterwards, and it takes no more */
		hrtimer_cancel(&vl->timer);
		local_bh_disable();
		more = vtap_loop_run(vl);
		local_bh_enable();
		left -= VTAP_LOOP_BATCH;
	} while (more && left > 0);
}

/**
 * vtap_loop_forget - no copy of this template is held back afterwards; RTNL
 * @vn: the namespace's vtap
 * @t: the template
 */
void vtap_loop_forget(struct vtap_net *vn, struct vtap_tmpl *t)
{
	struct vtap_loop *vl = rtnl_dereference(vn->loop);
	bool holding;

	spin_lock_bh(&vl->lock);
	t->dead = true;
	holding = vl->phase != VTAP_LOOP_IDLE;
	spin_unlock_bh(&vl->lock);
	if (holding)
		vtap_loop_flush(vl);
}

/**
 * vtap_loop_init_net - make a namespace's breaker; RTNL
 * @vn: its vtap; may have it already
 *
 * Return: 0 or -ENOMEM.
 */
int vtap_loop_init_net(struct vtap_net *vn)
{
	struct vtap_loop *vl;

	if (rtnl_dereference(vn->loop))
		return 0;
	vl = kzalloc(sizeof(*vl), GFP_KERNEL_ACCOUNT);
	if (!vl)
		return -ENOMEM;
	vl->vn = vn;
	vl->seed = get_random_u32();
	vl->rest = jiffies;
	spin_lock_init(&vl->lock);
	__skb_queue_head_init(&vl->queue);
	vtap_hrtimer_setup(&vl->timer, vtap_loop_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	rcu_assign_pointer(vn->loop, vl);
	return 0;
}

/**
 * vtap_loop_exit_net - end of it; no session and no port is left
 * @vn: its vtap
 */
void vtap_loop_exit_net(struct vtap_net *vn)
{
	struct vtap_loop *vl = rcu_dereference_protected(vn->loop, true);

	if (!vl)
		return;
	spin_lock_bh(&vl->lock);
	vl->off = true;
	spin_unlock_bh(&vl->lock);
	/* hooks that are running may still begin or use what is here */
	synchronize_net();
	vtap_loop_flush(vl);
	hrtimer_cancel(&vl->timer);
	__skb_queue_purge(&vl->queue);
	RCU_INIT_POINTER(vn->loop, NULL);
	kfree_rcu(vl, rcu);
}
