// SPDX-License-Identifier: GPL-2.0
/* Skbs for copies that no prepared one is free for. */
#include "skb.h"

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
