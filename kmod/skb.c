// SPDX-License-Identifier: GPL-2.0
/* Skbs that are used again and again: the ring that they are kept in. */
#include <linux/percpu.h>

#include "skb.h"

DEFINE_PER_CPU(struct vtap_ring, vtap_ring) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

static noinline struct sk_buff *vtap_copy_master(void)
{
	struct sk_buff *master = alloc_skb_fclone(VTAP_RING_ROOM, GFP_ATOMIC | __GFP_NOWARN);

	if (!master)
		return NULL;
	/* what comes of the reserves is not for everybody */
	if (skb_pfmemalloc(master)) {
		consume_skb(master);
		return NULL;
	}
	/* both are, when there are two of them */
	master->cloned = 1;
	return master;
}

/* A slot that is not free may be so for long: the next one, or none. */
noinline struct sk_buff *vtap_copy_advance(struct vtap_ring *r)
{
	struct sk_buff **slot;

	r->last = (r->last + 1) % VTAP_RING_SLOTS;
	slot = &r->slot[r->last];
	if (unlikely(!*slot))
		*slot = vtap_copy_master();
	return *slot ? vtap_copy_companion(*slot) : NULL;
}

noinline struct sk_buff *vtap_copy_build(unsigned int headroom, unsigned int len)
{
	unsigned int size = SKB_DATA_ALIGN(headroom + len + VTAP_HDR_QUICK) +
			    SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	struct sk_buff *skb;
	void *data;

	if (size <= SKB_WITH_OVERHEAD(PAGE_SIZE)) {
		data = napi_alloc_frag(size);
		if (unlikely(!data))
			return NULL;
		skb = napi_build_skb(data, size);
		if (unlikely(!skb)) {
			skb_free_frag(data);
			return NULL;
		}
	} else {
		skb = alloc_skb(headroom + len + VTAP_HDR_QUICK, GFP_ATOMIC | __GFP_NOWARN);
		if (unlikely(!skb))
			return NULL;
	}
	skb_reserve(skb, headroom);
	skb_put(skb, len);
	return skb;
}

/** vtap_copy_exit - free the rings; nobody makes copies any more, some may still be on their way */
void vtap_copy_exit(void)
{
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		for (i = 0; i < VTAP_RING_SLOTS; i++)
			consume_skb(per_cpu(vtap_ring, cpu).slot[i]);
	}
}
