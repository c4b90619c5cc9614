// SPDX-License-Identifier: GPL-2.0
/*
 * Loops that no header shows: a collector behind an encrypting tunnel whose own packets are
 * tapped, hosts that copy each other, a router that sends copies back. Whether frames are there
 * because of our copies is found out by holding the copies back and looking whether the frames
 * cease, and come again when a few copies are let go.
 */
#include <linux/hrtimer.h>
#include <linux/jhash.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "loop.h"

#define VTAP_LOOP_CLASSES	64
#define VTAP_LOOP_PROBES	4
#define VTAP_LOOP_DEPTH		4	/* tunnels inside each other that are looked through */

/* an experiment begins with more suspicious copies than that ... */
#define VTAP_LOOP_FAST		24	/* in VTAP_LOOP_WINDOW; up to so many more, at random */
#define VTAP_LOOP_WINDOW	(HZ / 10)
#define VTAP_LOOP_SLOW		256	/* in VTAP_LOOP_SLOW_WINDOW */
#define VTAP_LOOP_SLOW_WINDOW	(5 * HZ)
/* ... and ends when so many came while all were held back */
#define VTAP_LOOP_MANY		128

#define VTAP_LOOP_QUIET		(40 * NSEC_PER_MSEC)	/* up to twice as long, at random */
#define VTAP_LOOP_QUIET_SLOW	(160 * NSEC_PER_MSEC)
#define VTAP_LOOP_PATIENCE	NSEC_PER_SEC		/* for all to become quiet */
#define VTAP_LOOP_RETURN	(500 * NSEC_PER_MSEC)	/* for the first copy to come back */
#define VTAP_LOOP_ROUNDS	3			/* of each kind */
#define VTAP_LOOP_RELEASE	4			/* suspicious copies in a round */
#define VTAP_LOOP_EXEMPT	64			/* seconds at most */
#define VTAP_LOOP_END		(5 * HZ)

/* copies that are held back: so many end the experiment, four times as many are the most */
#define VTAP_LOOP_QUEUE		4096
#define VTAP_LOOP_BYTES		SZ_16M
#define VTAP_LOOP_BATCH		64

/**
 * enum vtap_loop_phase - what goes on in a namespace
 * @VTAP_LOOP_IDLE: nothing; copies leave at once
 * @VTAP_LOOP_HOLD: copies are held back until no suspicious frame comes
 * @VTAP_LOOP_ROUND: a few copies were let go, or none, and we look what comes
 * @VTAP_LOOP_FLUSH: the copies held back leave, in order
 */
enum vtap_loop_phase {
	VTAP_LOOP_IDLE,
	VTAP_LOOP_HOLD,
	VTAP_LOOP_ROUND,
	VTAP_LOOP_FLUSH,
};

/**
 * struct vtap_loop_class - suspicious frames to the same place
 * @id: vtap_frame.suspect, or 0
 * @n: how many were copied since @since
 * @limit: how many are too many
 * @slow: how many were copied since @slow_since
 * @since: jiffies
 * @slow_since: jiffies
 * @last: jiffies when the last one came
 * @exempt: jiffies until which they are left alone, when @backoff
 * @backoff: seconds that they were left alone the last time, or 0
 * @loop: they are copies that came back: they are not copied
 */
struct vtap_loop_class {
	u32 id;
	u32 n;
	u32 limit;
	u32 slow;
	unsigned long since;
	unsigned long slow_since;
	unsigned long last;
	unsigned long exempt;
	u32 backoff;
	bool loop;
};

/**
 * struct vtap_loop - the breaker of a namespace; all but @rcu and @vn under @lock
 * @rcu: frees it when no packet can see it any more
 * @vn: the namespace's vtap
 * @lock: BH disabled
 * @timer: next step of an experiment; runs in softirq
 * @phase: where it stands
 * @off: the namespace goes: no experiment begins any more
 * @queue: copies that are held back, in order
 * @bytes: memory that they take
 * @class: what the experiment is about
 * @port: ifindex of the port that saw such a frame last
 * @began: when it began, ns
 * @last: when the last suspicious frame came, or the round began, ns
 * @quiet: how long a round takes, ns
 * @seen: suspicious frames in this phase, or this round
 * @released: copies were let go in this round
 * @left: rounds that are left with copies let go, and without
 * @rest: jiffies until which no experiment begins
 * @seed: of class ids
 * @mark_at: jiffies when the last suspicious frame came at the time of @mark
 * @mark: copies that sessions in a loop had sent by then
 * @classes: those that were seen last, by their ids
 */
struct vtap_loop {
	struct rcu_head rcu;
	struct vtap_net *vn;
	spinlock_t lock;
	struct hrtimer timer;
	enum vtap_loop_phase phase;
	bool off;
	struct sk_buff_head queue;
	unsigned int bytes;
	struct vtap_loop_class *class;
	int port;
	u64 began;
	u64 last;
	u64 quiet;
	unsigned int seen;
	bool released;
	u8 left[2];
	unsigned long rest;
	u32 seed;
	unsigned long mark_at;
	u64 mark;
	struct vtap_loop_class classes[VTAP_LOOP_CLASSES];
};

/* Up to twice as long, so that hosts which experiment at the same time do not stay in step. */
static u64 vtap_loop_random(u64 ns)
{
	return ns + reciprocal_scale(get_random_u32(), ns);
}

/**
 * vtap_loop_class_id - what frames of a loop have in common
 * @vn: the namespace's vtap
 * @f: parsed frame; RCU read side
 *
 * The place that they go to. Where they come from, and the ports on the way, may vary.
 *
 * Return: the id, 0 for none.
 */
u32 vtap_loop_class_id(const struct vtap_net *vn, const struct vtap_frame *f)
{
	const struct vtap_loop *vl = rcu_dereference(vn->loop);
	const struct vtap_key *key = &f->key;
	u32 h;

	if (!vl)
		return 0;
	h = (__force u16)key->proto << 16 | (__force u16)key->dport;
	if (key->flags & VTAP_KEY_IP)
		h = jhash2(key->dst.s6_addr32, 4, vl->seed ^ h);
	else
		h = jhash(key->dst_mac, ETH_ALEN, vl->seed ^ h);
	return jhash_1word(key->ip_proto, h) ?: 1;
}

/**
 * vtap_loop_tunnel - does the frame carry what goes to one of our collectors?
 * @o: the namespace's copies
 * @f: parsed frame that is GRE or UDP; RCU read side
 *
 * As hosts that copy our copies send it, or who sends them on with another source.
 *
 * Return: true when it does, at any level that is looked at.
 */
bool vtap_loop_tunnel(const struct vtap_own *o, const struct vtap_frame *f)
{
	struct vtap_frame inner;
	unsigned int depth;

	for (depth = 0; depth < VTAP_LOOP_DEPTH; depth++) {
		u32 tunnel = VTAP_TUNNEL_GRE;

		if (f->key.ip_proto != IPPROTO_GRE && f->key.ip_proto != IPPROTO_UDP)
			return false;
		if (vtap_own_dest(o, f))
			return true;
		if (f->key.ip_proto == IPPROTO_UDP) {
			const u8 *h;
			u8 buf;

			if (!f->l4)
				return false;
			h = skb_header_pointer(f->skb, f->mac + f->l4 + 8, sizeof(buf), &buf);
			if (!h)
				return false;
			tunnel = *h == VTAP_VXLAN_FLAGS >> 24 ? VTAP_TUNNEL_VXLAN :
								VTAP_TUNNEL_GENEVE;
		}
		if (!vtap_match_inner(f, tunnel, &inner))
			return false;
		f = &inner;
	}
	return false;
}

/* The class of an id; one that was not seen for long makes room. Return: NULL when none does. */
static struct vtap_loop_class *vtap_loop_class(struct vtap_loop *vl, u32 id)
{
	struct vtap_loop_class *c, *free = NULL;
	unsigned int i;

	for (i = 0; i < VTAP_LOOP_PROBES; i++) {
		c = &vl->classes[(id + i) % VTAP_LOOP_CLASSES];
		if (c->id == id)
			return c;
		if (c == vl->class || c->loop)
			continue;
		if (!c->id || time_after(jiffies, c->last + VTAP_LOOP_WINDOW)) {
			if (!free || time_before(c->last, free->last))
				free = c;
		}
	}
	if (free)
		*free = (struct vtap_loop_class){ .id = id, .last = jiffies,
						  .slow_since = jiffies };
	return free;
}

static bool vtap_loop_exempt(const struct vtap_loop_class *c)
{
	return c->backoff && time_before(jiffies, c->exempt);
}

static void vtap_loop_timer_in(struct vtap_loop *vl, u64 ns)
{
	hrtimer_start(&vl->timer, ns_to_ktime(ns), HRTIMER_MODE_REL_SOFT);
}

/* Let the copies go. @own: frames come whether we copy or not, leave them alone for a while. */
static void vtap_loop_end(struct vtap_loop *vl, bool own)
{
	struct vtap_loop_class *c = vl->class;
	const u64 took = ktime_get_ns() - vl->began;

	if (own) {
		c->backoff = c->backoff ? min_t(u32, 2 * c->backoff, VTAP_LOOP_EXEMPT) : 1;
		c->exempt = jiffies + c->backoff * HZ;
		/* others that come by themselves have to wait, too: copies are late long enough */
		vl->rest = jiffies + min_t(u64, nsecs_to_jiffies(8 * took), HZ);
	}
	c->n = 0;
	c->slow = 0;
	c->since = jiffies;
	c->slow_since = jiffies;
	vl->class = NULL;
	vl->phase = VTAP_LOOP_FLUSH;
	vtap_loop_timer_in(vl, 0);
}

static bool vtap_loop_full(const struct vtap_loop *vl, unsigned int times)
{
	return skb_queue_len(&vl->queue) >= VTAP_LOOP_QUEUE * times ||
	       vl->bytes >= VTAP_LOOP_BYTES * times;
}

/* Many suspicious copies: an experiment begins when it is time for one. */
static void vtap_loop_count(struct vtap_loop *vl, struct vtap_loop_class *c)
{
	bool fast;

	if (!c->limit || time_after(jiffies, c->since + VTAP_LOOP_WINDOW)) {
		c->since = jiffies;
		c->n = 0;
		c->limit = VTAP_LOOP_FAST + reciprocal_scale(get_random_u32(), VTAP_LOOP_FAST);
	}
	if (time_after(jiffies, c->slow_since + VTAP_LOOP_SLOW_WINDOW)) {
		c->slow_since = jiffies;
		c->slow = 0;
	}
	c->n++;
	c->slow++;
	fast = c->n > c->limit;
	if ((!fast && c->slow <= VTAP_LOOP_SLOW) || vl->off || vtap_loop_exempt(c) ||
	    time_before(jiffies, vl->rest))
		return;

	vl->class = c;
	vl->phase = VTAP_LOOP_HOLD;
	vl->began = ktime_get_ns();
	vl->last = vl->began;
	vl->quiet = vtap_loop_random(fast ? VTAP_LOOP_QUIET : VTAP_LOOP_QUIET_SLOW);
	vl->seen = 0;
	vl->released = false;
	vl->left[false] = VTAP_LOOP_ROUNDS;
	vl->left[true] = VTAP_LOOP_ROUNDS;
	WRITE_ONCE(vl->vn->holding, true);
	vtap_loop_timer_in(vl, vl->quiet);
}

/* A suspicious frame came while copies are held back. */
static void vtap_loop_came(struct vtap_loop *vl, int ifindex)
{
	const u64 now = ktime_get_ns();

	vl->port = ifindex;
	if (++vl->seen > VTAP_LOOP_MANY) {
		vtap_loop_end(vl, true);
		return;
	}
	if (vl->phase == VTAP_LOOP_HOLD) {
		vl->last = now;
	} else if (!vl->released) {
		/* perhaps another host's experiment: not a reason to leave them alone */
		vtap_loop_end(vl, false);
	} else if (vl->seen == 1 && vl->left[true] == VTAP_LOOP_ROUNDS) {
		/* this is how long copies take to come back */
		vl->quiet = max(vl->quiet, 3 * (now - vl->last));
		vtap_loop_timer_in(vl, vl->quiet);
	}
}

static void vtap_loop_feeds(struct vtap_session *s, int ifindex)
{
	if (READ_ONCE(s->loops))
		return;
	WRITE_ONCE(s->loop_port, ifindex);
	WRITE_ONCE(s->loops, true);
	schedule_delayed_work(&s->vn->kick, 0);
}

/**
 * vtap_loop_watch - a suspicious frame is about to be copied
 * @s: the session
 * @f: the frame; softirq, RCU read side
 *
 * Return: true when it must not be copied, being a copy that came back.
 */
bool vtap_loop_watch(struct vtap_session *s, const struct vtap_frame *f)
{
	struct vtap_loop *vl = rcu_dereference(s->vn->loop);
	struct vtap_loop_class *c;
	bool loop = false;

	spin_lock(&vl->lock);
	c = vtap_loop_class(vl, f->suspect);
	if (c) {
		c->last = jiffies;
		loop = c->loop;
		if (loop) {
			vtap_loop_feeds(s, f->ifindex);
			/* what answers them comes in there, and is suspicious from now on */
			vtap_port_left(s->vn, f->ifindex);
		} else if (vl->phase == VTAP_LOOP_IDLE) {
			vtap_loop_count(vl, c);
		} else if (c == vl->class) {
			vtap_loop_came(vl, f->ifindex);
		}
	}
	spin_unlock(&vl->lock);
	return loop;
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

/* Copies from the front of the queue: @n of them, or up to the nth that is suspicious. */
static void vtap_loop_take(struct vtap_loop *vl, struct sk_buff_head *out, unsigned int n, u32 id)
{
	struct sk_buff *skb;

	while (n && (skb = vtap_loop_pop(vl))) {
		if (!id || vtap_held(skb)->suspect == id)
			n--;
		__skb_queue_tail(out, skb);
	}
}

/* They came back each time, and never without us. */
static void vtap_loop_found(struct vtap_loop *vl, struct sk_buff_head *drop)
{
	struct vtap_loop_class *c = vl->class;
	struct sk_buff *skb, *next;

	c->loop = true;
	c->last = jiffies;
	skb_queue_walk_safe(&vl->queue, skb, next) {
		if (vtap_held(skb)->suspect != c->id)
			continue;
		vtap_loop_feeds(vtap_held(skb)->t->s, vl->port);
		__skb_unlink(skb, &vl->queue);
		vl->bytes -= skb->truesize;
		__skb_queue_tail(drop, skb);
	}
	vtap_loop_end(vl, false);
}

static void vtap_loop_round(struct vtap_loop *vl, struct sk_buff_head *out)
{
	const bool first = vl->left[true] == VTAP_LOOP_ROUNDS;

	vl->phase = VTAP_LOOP_ROUND;
	vl->released = first || (vl->left[true] && (!vl->left[false] || get_random_u32() & 1));
	vl->seen = 0;
	vl->last = ktime_get_ns();
	if (vl->released)
		vtap_loop_take(vl, out, VTAP_LOOP_RELEASE, vl->class->id);
	vtap_loop_timer_in(vl, vl->released && first ? VTAP_LOOP_RETURN : vl->quiet);
}

/* The next step; copies to send and to drop are put into @out and @drop. */
static void vtap_loop_step(struct vtap_loop *vl, struct sk_buff_head *out,
			   struct sk_buff_head *drop)
{
	u64 silent;

	switch (vl->phase) {
	case VTAP_LOOP_IDLE:
		break;
	case VTAP_LOOP_HOLD:
		silent = ktime_get_ns() - vl->last;
		if (silent >= vl->quiet)
			vtap_loop_round(vl, out);
		else if (vl->last - vl->began > VTAP_LOOP_PATIENCE)
			vtap_loop_end(vl, true);
		else
			vtap_loop_timer_in(vl, vl->quiet - silent);
		break;
	case VTAP_LOOP_ROUND:
		if (vl->released && !vl->seen) {
			/* nothing came back, or went into another host's experiment */
			vtap_loop_end(vl, false);
			break;
		}
		vl->left[vl->released]--;
		if (vl->left[false] || vl->left[true])
			vtap_loop_round(vl, out);
		else
			vtap_loop_found(vl, drop);
		break;
	case VTAP_LOOP_FLUSH:
		vtap_loop_take(vl, out, VTAP_LOOP_BATCH, 0);
		/* only when those of the last time have left: none may overtake them */
		if (skb_queue_empty(out)) {
			vl->phase = VTAP_LOOP_IDLE;
			WRITE_ONCE(vl->vn->holding, false);
		} else {
			vtap_loop_timer_in(vl, 0);
		}
		break;
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

/* All copies that are held back leave now, in order; RTNL. */
static void vtap_loop_flush(struct vtap_loop *vl)
{
	bool more;

	do {
		spin_lock_bh(&vl->lock);
		if (vl->class)
			vtap_loop_end(vl, false);
		spin_unlock_bh(&vl->lock);
		/* what it has taken is sent afterwards, and it takes no more */
		hrtimer_cancel(&vl->timer);
		local_bh_disable();
		more = vtap_loop_run(vl);
		local_bh_enable();
	} while (more);
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

/**
 * vtap_loop_reset - rules or sessions are others: all begins anew; RTNL
 * @vn: the namespace's vtap
 */
void vtap_loop_reset(struct vtap_net *vn)
{
	struct vtap_loop *vl = rtnl_dereference(vn->loop);

	if (!vl)
		return;
	vtap_loop_flush(vl);
	spin_lock_bh(&vl->lock);
	if (vl->phase == VTAP_LOOP_IDLE) {
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
	u64 v[__VTAP_ST_MAX], sent = 0;
	struct vtap_session *s;

	if (!vl)
		return;
	list_for_each_entry(s, &vn->sessions, list) {
		if (!READ_ONCE(s->loops))
			continue;
		vtap_session_read(s, v);
		sent += v[VTAP_ST_SENT];
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
	RCU_INIT_POINTER(vn->loop, NULL);
	kfree_rcu(vl, rcu);
}
