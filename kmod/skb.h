/* SPDX-License-Identifier: GPL-2.0 */
/* Skbs for copies: prepared ones where there are any, else new ones. */
#ifndef _VTAP_SKB_H
#define _VTAP_SKB_H

#include <linux/skbuff.h>

#include "compat.h"
#include "encap.h"
#include "ring.h"

#define VTAP_HDR_QUICK		64	/* bytes that are copied whatever the headers' length */

struct sk_buff *vtap_copy_build(unsigned int headroom, unsigned int len);

/* An skb of @len bytes to fill in; the first VTAP_HDR_QUICK may always be written. */
static __always_inline struct sk_buff *vtap_copy_alloc(const struct vtap_tmpl *t, unsigned int len)
{
	struct sk_buff *skb = NULL;

	if (likely(t->headroom + len + VTAP_HDR_QUICK <= VTAP_RING_ROOM))
		skb = vtap_ring_get(t->headroom, len);
	return likely(skb) ? skb : vtap_copy_build(t->headroom, len);
}

/* Must come first: it may write beyond the headers. */
static __always_inline void vtap_copy_headers(const struct vtap_tmpl *t, struct sk_buff *skb)
{
	if (likely(t->hlen <= VTAP_HDR_QUICK))
		memcpy(skb->data, t->hdr, VTAP_HDR_QUICK);
	else
		memcpy(skb->data, t->hdr, t->hlen);
}

#endif /* _VTAP_SKB_H */
