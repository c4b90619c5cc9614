// SPDX-License-Identifier: GPL-2.0
/*
 * Loops that no header shows: a collector behind an encrypting tunnel whose own packets are
 * tapped, hosts that copy each other, a router that sends copies back. To find out whether
 * frames exist because of our copies, the copies are held back: in a loop the frames cease, and
 * come again when a few copies are let go.
 */
#include <linux/kernel.h>
#include <linux/random.h>

#include "hold.h"
#include "loop.h"
#include "session.h"

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

#define VTAP_LOOP_PROBES	4

/* an experiment begins with more suspicious copies than that ... */
#define VTAP_LOOP_FAST		24	/* in VTAP_LOOP_WINDOW; up to so many more, at random */
#define VTAP_LOOP_WINDOW	(HZ / 10)
#define VTAP_LOOP_SLOW		128	/* in VTAP_LOOP_SLOW_WINDOW */
#define VTAP_LOOP_SLOW_WINDOW	(60 * HZ)
/* ... and ends when so many came while all were held back */
#define VTAP_LOOP_MANY		128

#define VTAP_LOOP_QUIET		(40 * NSEC_PER_MSEC)	/* up to twice as long, at random */
#define VTAP_LOOP_QUIET_SLOW	(160 * NSEC_PER_MSEC)
#define VTAP_LOOP_QUIET_MOST	(640 * NSEC_PER_MSEC)
#define VTAP_LOOP_STRAYS	2			/* frames at the wrong time */
#define VTAP_LOOP_PATIENCE	NSEC_PER_SEC		/* for all to become quiet */
#define VTAP_LOOP_RETURN	(500 * NSEC_PER_MSEC)	/* for the first copy to come back */
#define VTAP_LOOP_ROUNDS	3			/* of each kind */
#define VTAP_LOOP_RELEASE	4			/* suspicious copies in a round */
#define VTAP_LOOP_EXEMPT	64			/* seconds at most */

/* Up to twice @ns, so that hosts that experiment at the same time do not stay in step. */
static u64 vtap_loop_random(u64 ns)
{
	return ns + reciprocal_scale(get_random_u32(), ns);
}

/* The class of an id; may replace one not seen lately. Return: NULL if there is no room. */
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

/**
 * vtap_loop_end - end the experiment and let the copies go; under the lock
 * @vl: the breaker; there is an experiment
 * @own: frames come whether we copy or not: leave them alone for a while
 */
void vtap_loop_end(struct vtap_loop *vl, bool own)
{
	struct vtap_loop_class *c = vl->class;
	const u64 took = ktime_get_ns() - vl->began;

	if (own) {
		c->backoff = c->backoff ? min_t(u32, 2 * c->backoff, VTAP_LOOP_EXEMPT) : 1;
		c->exempt = jiffies + c->backoff * HZ;
		/* other classes have to wait, too: copies have been delayed long enough */
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

/* (Re)starts the experiment with rounds of @quiet ns; no copy leaves. */
static void vtap_loop_begin(struct vtap_loop *vl, u64 quiet)
{
	vl->phase = VTAP_LOOP_HOLD;
	vl->began = ktime_get_ns();
	vl->last = vl->began;
	vl->quiet = quiet;
	vl->seen = 0;
	vl->released = false;
	vl->left[false] = VTAP_LOOP_ROUNDS;
	vl->left[true] = VTAP_LOOP_ROUNDS;
	vtap_loop_timer_in(vl, quiet);
}

/* Counts a suspicious copy; many of them start an experiment. */
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
	vl->strays = 0;
	WRITE_ONCE(vl->vn->holding, true);
	vtap_loop_begin(vl, vtap_loop_random(fast ? VTAP_LOOP_QUIET : VTAP_LOOP_QUIET_SLOW));
}

/* A suspicious frame came in while copies are held back. */
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
		/* it may be late, or due to another host's experiment: prove nothing from it */
		if (vl->strays++ < VTAP_LOOP_STRAYS)
			vtap_loop_begin(vl, min_t(u64, 4 * vl->quiet, VTAP_LOOP_QUIET_MOST));
		else
			vtap_loop_end(vl, false);
	} else if (vl->seen == 1 && vl->left[true] == VTAP_LOOP_ROUNDS) {
		/* measures how long copies take to come back */
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

/*
 * A suspicious frame is about to be copied; softirq, RCU read side. Return: true when it must not
 * be copied, being a copy that came back.
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
			/* answers to them come in there, and are suspicious from now on */
			vtap_port_left(s->vn, f->ifindex);
		} else if (!vl->class) {
			/* also while held copies leave: a loop may keep that state going */
			vtap_loop_count(vl, c);
		} else if (c == vl->class) {
			vtap_loop_came(vl, f->ifindex);
		}
	}
	spin_unlock(&vl->lock);
	return loop;
}

/* The frames came each time copies were let go, and never otherwise: a loop. */
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

/* The next step of an experiment; under the lock. */
void vtap_loop_step(struct vtap_loop *vl, struct sk_buff_head *out, struct sk_buff_head *drop)
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
			/* no copy came back, or another host held it back */
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
		/* only after the previous batch has left, so that none is overtaken */
		if (skb_queue_empty(out)) {
			vl->phase = VTAP_LOOP_IDLE;
			WRITE_ONCE(vl->vn->holding, false);
		} else {
			vtap_loop_timer_in(vl, 0);
		}
		break;
	}
}
