/* SPDX-License-Identifier: GPL-2.0 */
/* Skbs for copies, used again and again. */
#ifndef _VTAP_SKB_H
#define _VTAP_SKB_H

#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>

#include "compat.h"
#include "encap.h"

#define VTAP_HDR_QUICK		64	/* copied without a look at their length */
#define VTAP_RING_SLOTS		64
#define VTAP_RING_ROOM		SKB_WITH_OVERHEAD(2048)

struct vtap_ring {
	struct sk_buff *slot[VTAP_RING_SLOTS];
	unsigned int last;
	local_lock_t lock;	/* of the above, against other softirqs on PREEMPT_RT */
};

DECLARE_PER_CPU(struct vtap_ring, vtap_ring);

struct sk_buff *vtap_copy_advance(struct vtap_ring *r);
struct sk_buff *vtap_copy_build(unsigned int headroom, unsigned int len);
void vtap_copy_exit(void);

/*
 * The master's companion, if nobody else knows it or its data. skb_clone() takes 100 instructions
 * more: it copies field by field, and masters have nothing but their data.
 */
static __always_inline struct sk_buff *vtap_copy_companion(struct sk_buff *master)
{
	struct sk_buff_fclones *pair = container_of(master, struct sk_buff_fclones, skb1);
	struct skb_shared_info *sh = skb_shinfo(master);

	/* a clone of the companion outlives it, and has the data, too */
	if (refcount_read(&pair->fclone_ref) != 1 ||
	    (atomic_read(&sh->dataref) & SKB_DATAREF_MASK) != 1)
		return NULL;
	/* who gave them back has read them before */
	smp_acquire__after_ctrl_dep();
	pair->skb2 = *master;
	pair->skb2.fclone = SKB_FCLONE_CLONE;
	refcount_set(&pair->fclone_ref, 2);
	atomic_inc(&sh->dataref);
	return &pair->skb2;
}

/* The slot used last is often free again, and warm. */
static __always_inline struct sk_buff *vtap_copy_reuse(unsigned int headroom, unsigned int len)
{
	struct sk_buff *master, *skb = NULL;
	struct vtap_ring *r;

	local_lock_nested_bh(&vtap_ring.lock);
	r = this_cpu_ptr(&vtap_ring);
	master = r->slot[r->last];
	if (likely(master))
		skb = vtap_copy_companion(master);
	if (unlikely(!skb))
		skb = vtap_copy_advance(r);
	local_unlock_nested_bh(&vtap_ring.lock);
	if (unlikely(!skb))
		return NULL;
	skb->data += headroom;
	skb->len = len;
	skb_set_tail_pointer(skb, len);
	return skb;
}

/* An skb of @len bytes to be filled in; the first VTAP_HDR_QUICK may be written in any case. */
static __always_inline struct sk_buff *vtap_copy_alloc(const struct vtap_tmpl *t, unsigned int len)
{
	struct sk_buff *skb = NULL;

	if (likely(t->headroom + len + VTAP_HDR_QUICK <= VTAP_RING_ROOM))
		skb = vtap_copy_reuse(t->headroom, len);
	return likely(skb) ? skb : vtap_copy_build(t->headroom, len);
}

/* Ahead of all else: it may write beyond the headers. */
static __always_inline void vtap_copy_headers(const struct vtap_tmpl *t, struct sk_buff *skb)
{
	if (likely(t->hlen <= VTAP_HDR_QUICK))
		memcpy(skb->data, t->hdr, VTAP_HDR_QUICK);
	else
		memcpy(skb->data, t->hdr, t->hlen);
}

#endif /* _VTAP_SKB_H */
