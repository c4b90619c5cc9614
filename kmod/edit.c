// SPDX-License-Identifier: GPL-2.0
/* Copies the bytes of a frame with its VLAN tag inserted or removed. */
#include "edit.h"

/* The first @len bytes of a packet's copy; its Ethernet header is in the key only. */
static noinline bool vtap_copy_bare(const struct vtap_frame *f, struct vtap_edit e, u8 *to,
				    unsigned int len)
{
	unsigned int n = 2 * ETH_ALEN;
	u8 head[ETH_HLEN + VLAN_HLEN];

	memcpy(head, &f->key.eth, n);
	if (e.insert) {
		put_unaligned(f->skb->vlan_proto, (__be16 *)(head + n));
		put_unaligned_be16(skb_vlan_tag_get(f->skb), head + n + 2);
		n += VLAN_HLEN;
	}
	put_unaligned(f->key.proto, (__be16 *)(head + n));
	n += sizeof(f->key.proto);
	memcpy(to, head, min(n, len));
	return len <= n || !skb_copy_bits(f->skb, f->mac + ETH_HLEN, to + n, len - n);
}

/* The first @len bytes of the edited frame. Return: false when they cannot be read. */
noinline bool vtap_copy_bytes(const struct vtap_frame *f, struct vtap_edit e, u8 *to,
			      unsigned int len)
{
	unsigned int off = 0;

	if (unlikely(f->bare))
		return vtap_copy_bare(f, e, to, len);
	if (unlikely(e.insert || e.remove)) {
		off = 2 * ETH_ALEN;
		skb_copy_bits(f->skb, f->mac, to, off);
		to += off;
		len -= off + e.insert;
		if (e.insert) {
			put_unaligned(f->skb->vlan_proto, (__be16 *)to);
			put_unaligned_be16(skb_vlan_tag_get(f->skb), to + 2);
			to += VLAN_HLEN;
		}
		off += e.remove;
	}
	return !skb_copy_bits(f->skb, f->mac + (int)off, to, len);
}
