/* SPDX-License-Identifier: GPL-2.0 */
/* Copies that come back as other frames: found by experiment, and broken. */
#ifndef _VTAP_LOOP_H
#define _VTAP_LOOP_H

#include <linux/hrtimer.h>
#include <linux/skbuff.h>

#include "own.h"
#include "port.h"

struct vtap_session;
struct vtap_tmpl;

#define VTAP_LOOP_CLASSES	64
#define VTAP_LOOP_BATCH		64	/* copies that leave at a time */

/**
 * enum vtap_loop_phase - what goes on in a namespace
 * @VTAP_LOOP_IDLE: nothing; copies leave at once
 * @VTAP_LOOP_HOLD: copies are held back until no suspicious frame comes
 * @VTAP_LOOP_ROUND: a few copies were let go, or none, to see what comes back
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
 * @off: the namespace is going away: no experiment starts any more
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
 * @strays: how often it began again with longer rounds
 * @rest: jiffies until which no experiment begins
 * @seed: of class ids
 * @mark_at: jiffies when the last suspicious frame came at the time of @mark
 * @mark: copies that sessions in a loop had sent by then
 * @classes: those that were seen last, by their ids
 */
struct vtap_loop {
	struct rcu_head rcu;
	struct vtap_net *vn;
	spinlock_t lock;	/* of all below it */
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
	u8 strays;
	unsigned long rest;
	u32 seed;
	unsigned long mark_at;
	u64 mark;
	struct vtap_loop_class classes[VTAP_LOOP_CLASSES];
};

#define VTAP_LOOP_LEFT	(3 * HZ)	/* how long copies count as leaving by a port */
#define VTAP_GENEVE_MASK	0xc000ffff	/* version 0, an Ethernet frame inside */
#define VTAP_GENEVE_TEB	0x00006558

/* release.c */
void vtap_copy_release(struct sk_buff *skb);
void vtap_copy_discard(struct sk_buff *skb);
void vtap_loop_flush(struct vtap_loop *vl);
void vtap_loop_forget(struct vtap_net *vn, struct vtap_tmpl *t);
int vtap_loop_init_net(struct vtap_net *vn);
void vtap_loop_exit_net(struct vtap_net *vn);
void vtap_loop_reset(struct vtap_net *vn);
void vtap_loop_tick(struct vtap_net *vn);

/* loop.c */
void vtap_loop_take(struct vtap_loop *vl, struct sk_buff_head *out, unsigned int n, u32 id);
void vtap_loop_end(struct vtap_loop *vl, bool own);
bool vtap_loop_watch(struct vtap_session *s, const struct vtap_frame *f);
void vtap_loop_step(struct vtap_loop *vl, struct sk_buff_head *out, struct sk_buff_head *drop);

/* suspect.c */
u32 vtap_loop_class_id(const struct vtap_net *vn, const struct vtap_frame *f);
bool vtap_loop_tunnel(const struct vtap_own *o, const struct vtap_frame *f);

static inline void vtap_loop_timer_in(struct vtap_loop *vl, u64 ns)
{
	hrtimer_start(&vl->timer, ns_to_ktime(ns), HRTIMER_MODE_REL_SOFT);
}

/* Return: false if the UDP payload does not begin as VXLAN or GENEVE does. */
static __always_inline bool vtap_loop_udp(const struct vtap_frame *f)
{
	const int at = f->mac + f->l4 + 8;
	u32 w;

	if (!f->l4 || unlikely(at + 4 > (int)skb_headlen(f->skb)))
		return f->l4;
	w = get_unaligned_be32(f->skb->data + at);
	return w == VTAP_VXLAN_FLAGS || (w & VTAP_GENEVE_MASK) == VTAP_GENEVE_TEB;
}

/**
 * vtap_loop_suspect - may the frame be there because of a copy?
 * @port: the port that sees it
 * @f: parsed frame that is about to be copied; RCU read side
 *
 * Frames that the host itself made, frames that come in by where copies leave, and those of
 * tunnels to one of our collectors. It is a suspicion only: they are copied all the same.
 *
 * Return: what to look for a loop by, the same for all frames of a loop; 0 for most frames.
 */
static __always_inline u32 vtap_loop_suspect(const struct vtap_port *port,
					     const struct vtap_frame *f)
{
	const struct vtap_own *o = rcu_dereference(port->vn->own);
	bool maybe;

	if (unlikely(!o))
		return 0;
	if (f->dir == VTAP_OUT) {
		maybe = !f->skb->skb_iif;
	} else {
		const unsigned long left = READ_ONCE(port->left);

		maybe = unlikely(left) && time_before(jiffies, left + VTAP_LOOP_LEFT);
		if (unlikely(READ_ONCE(o->hops) & vtap_own_mac_bit(f->key.src_mac)))
			maybe |= vtap_own_hop(o, f->key.src_mac);
	}
	if (f->key.ip_proto == IPPROTO_GRE ||
	    (f->key.ip_proto == IPPROTO_UDP && unlikely(vtap_loop_udp(f))))
		maybe = maybe || vtap_loop_tunnel(o, f);
	return unlikely(maybe) ? vtap_loop_class_id(port->vn, f) : 0;
}

#endif /* _VTAP_LOOP_H */
