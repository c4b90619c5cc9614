// SPDX-License-Identifier: GPL-2.0
/* The breaker's timer, its begin and its end: copies that were held back leave, or are dropped. */
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "hold.h"
#include "loop.h"
#include "send.h"
#include "stats.h"

/**
 * vtap_copy_release - send a copy that was held back, and count it
 * @skb: from vtap_loop_hold(); BH disabled, RCU read side
 */
void vtap_copy_release(struct sk_buff *skb)
{
	const struct vtap_held held = *vtap_held(skb);
	int rc;

	memset(skb->cb, 0, sizeof(skb->cb));
	if (skb_is_gso(skb))
		rc = vtap_copy_xmit_offload(held.t, skb);
	else
		rc = vtap_copy_xmit(held.t, skb, NULL, skb->hash);
	if (!held.n.sent)
		return;
	if (rc)
		vtap_copy_drop(held.t->s, VTAP_SESSION_STAT_DROP_XMIT, held.n.sent);
	else
		vtap_copy_count(held.t->s, &held.n);
}

/**
 * vtap_copy_discard - drop a copy that was held back and is part of a loop, and count it
 * @skb: from vtap_loop_hold(); BH disabled, RCU read side
 */
void vtap_copy_discard(struct sk_buff *skb)
{
	const struct vtap_held *held = vtap_held(skb);

	vtap_copy_drop(held->t->s, VTAP_SESSION_STAT_DROP_LOOP, held->n.sent);
	kfree_skb(skb);
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

/* No copy of this template is held back afterwards; RTNL. */
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

/* Make a namespace's breaker; RTNL. Return: 0 or -ENOMEM. */
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

/* End of it; no session and no port is left. */
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

#define VTAP_LOOP_END		(5 * HZ)

/* Nothing is a loop any more; under the lock. The sessions' state follows soon. */
static void vtap_loop_clear(struct vtap_loop *vl)
{
	struct vtap_session *s;

	list_for_each_entry(s, &vl->vn->sessions, list) {
		if (!s->loops)
			continue;
		WRITE_ONCE(s->loops, false);
		WRITE_ONCE(s->loop_port, 0);
		schedule_delayed_work(&vl->vn->kick, 0);
	}
}

/* Rules or sessions are others: all begins anew; RTNL. */
void vtap_loop_reset(struct vtap_net *vn)
{
	struct vtap_loop *vl = rtnl_dereference(vn->loop);

	if (!vl)
		return;
	vtap_loop_flush(vl);
	spin_lock_bh(&vl->lock);
	if (!vl->class) {
		memset(vl->classes, 0, sizeof(vl->classes));
		vl->rest = jiffies;
		vtap_loop_clear(vl);
	}
	spin_unlock_bh(&vl->lock);
}

/**
 * vtap_loop_tick - is a loop over? RTNL
 * @vn: the namespace's vtap
 *
 * It is when copies are sent, and none has come back for some seconds.
 */
void vtap_loop_tick(struct vtap_net *vn)
{
	struct vtap_loop *vl = rtnl_dereference(vn->loop);
	struct vtap_loop_class *c, *last = NULL;
	u64 v[__VTAP_SESSION_STAT_MAX], sent = 0;
	struct vtap_session *s;

	if (!vl)
		return;
	list_for_each_entry(s, &vn->sessions, list) {
		if (!READ_ONCE(s->loops))
			continue;
		vtap_stats_read(s->stats, v, __VTAP_SESSION_STAT_MAX);
		sent += v[VTAP_SESSION_STAT_SENT];
	}
	spin_lock_bh(&vl->lock);
	for (c = vl->classes; c < vl->classes + VTAP_LOOP_CLASSES; c++) {
		if (c->loop && (!last || time_after(c->last, last->last)))
			last = c;
	}
	if (last && last->last != vl->mark_at) {
		vl->mark_at = last->last;
		vl->mark = sent;
	} else if (last && sent > vl->mark && time_after(jiffies, vl->mark_at + VTAP_LOOP_END)) {
		for (c = vl->classes; c < vl->classes + VTAP_LOOP_CLASSES; c++)
			c->loop = false;
		vtap_loop_clear(vl);
	}
	spin_unlock_bh(&vl->lock);
}
