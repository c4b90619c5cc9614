/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Prepared skbs, used again and again: a master and its data stay in their slot, and the copy
 * that leaves is the companion that the slab has beside the master. Each CPU has a ring of up to
 * 64 masters of 2.5 KB each, allocated when it first needs that many at a time.
 */
#ifndef _VTAP_RING_H
#define _VTAP_RING_H

#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>

#include "compat.h"

#define VTAP_RING_ROOM		SKB_WITH_OVERHEAD(2048)

#if IS_ENABLED(CONFIG_VTAP_RING)

#define VTAP_RING_SLOTS		64

struct vtap_ring {
	struct sk_buff *slot[VTAP_RING_SLOTS];
	unsigned int last;
	local_lock_t lock;	/* of the above, against other softirqs on PREEMPT_RT */
};

/**
 * struct vtap_ring_kernel - what the ring takes for granted of the kernel; tests have others
 * @clone: skb_clone()
 * @consume: consume_skb()
 * @kfree: kfree_skb()
 */
struct vtap_ring_kernel {
	struct sk_buff *(*clone)(struct sk_buff *skb, gfp_t gfp);
	void (*consume)(struct sk_buff *skb);
	void (*kfree)(struct sk_buff *skb);
};

DECLARE_PER_CPU(struct vtap_ring, vtap_ring);
extern bool vtap_ring_on;
extern struct sk_buff *vtap_ring_left;

struct sk_buff *vtap_ring_advance(struct vtap_ring *r);
const char *vtap_ring_prove(const struct vtap_ring_kernel *k, struct sk_buff **master);
int vtap_ring_init(const struct vtap_ring_kernel *k);
void vtap_ring_exit(void);

/*
 * The master's companion, unless somebody still has it or its data. skb_clone() takes 100
 * instructions more: it copies field by field, and masters have nothing but their data.
 */
static __always_inline struct sk_buff *vtap_ring_companion(struct sk_buff *master)
{
	struct sk_buff_fclones *pair = container_of(master, struct sk_buff_fclones, skb1);
	struct skb_shared_info *sh = skb_shinfo(master);

	/* a clone of the companion outlives it, and has the data, too */
	if (refcount_read(&pair->fclone_ref) != 1 ||
	    (atomic_read(&sh->dataref) & SKB_DATAREF_MASK) != 1)
		return NULL;
	/* order the reads of the counts ahead of the writes to the companion */
	smp_acquire__after_ctrl_dep();
	pair->skb2 = *master;
	pair->skb2.fclone = SKB_FCLONE_CLONE;
	refcount_set(&pair->fclone_ref, 2);
	atomic_inc(&sh->dataref);
	return &pair->skb2;
}

/* The slot used last is often free again, and warm. */
static __always_inline struct sk_buff *vtap_ring_get(unsigned int headroom, unsigned int len)
{
	struct sk_buff *master, *skb = NULL;
	struct vtap_ring *r;

	local_lock_nested_bh(&vtap_ring.lock);
	r = this_cpu_ptr(&vtap_ring);
	master = r->slot[r->last];
	if (likely(master))
		skb = vtap_ring_companion(master);
	if (unlikely(!skb))
		skb = vtap_ring_advance(r);
	local_unlock_nested_bh(&vtap_ring.lock);
	if (unlikely(!skb))
		return NULL;
	skb->data += headroom;
	skb->len = len;
	skb_set_tail_pointer(skb, len);
	return skb;
}

#else

struct vtap_ring_kernel;

static inline int vtap_ring_init(const struct vtap_ring_kernel *k)
{
	return 0;
}

static inline struct sk_buff *vtap_ring_get(unsigned int headroom, unsigned int len)
{
	return NULL;
}

static inline void vtap_ring_exit(void)
{
}

#endif

#endif /* _VTAP_RING_H */
