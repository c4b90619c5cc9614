// SPDX-License-Identifier: GPL-2.0
/*
 * Reading a frame that is not ours where the kernel's own helpers would write to it, or to what it
 * shares with its copy.
 */
#include "original.h"

/**
 * vtap_original_esp - is ESP of this outgoing frame still to be done?
 * @skb: a frame with a security path
 *
 * A frame that was received in ESP keeps its path when the host forwards it; only the device or
 * GRO that decrypted it has left a flag.
 *
 * Return: true when the frame has an ESP header whose packet a device, or the kernel below the
 * hook, encrypts later.
 */
bool vtap_original_esp(struct sk_buff *skb)
{
	const struct xfrm_offload *xo = xfrm_offload(skb);

	return xo && !(xo->flags & (CRYPTO_DONE | XFRM_GRO));
}

/**
 * vtap_original_read - a copy of all of an skb, page frags included
 * @skb: the original; a super-frame
 *
 * pskb_copy() makes whoever lent its pages to the frame (a zero-copy sender) copy them into the
 * frame first.
 *
 * Return: the copy with all headers and segmentation fields, NULL when memory is short, or an
 * ERR_PTR() when the frame cannot be read.
 */
struct sk_buff *vtap_original_read(const struct sk_buff *skb)
{
	const unsigned int headlen = skb_headlen(skb);
	struct sk_buff *copy;
	unsigned int i;
	int err, off;

	/* a list is cut along its members, which would have to be copied one by one */
	if (skb_has_frag_list(skb))
		return ERR_PTR(-EOPNOTSUPP);
	/* headers are found by their offset from the beginning of the buffer */
	copy = alloc_skb_with_frags(skb_headroom(skb) + headlen, skb->data_len,
				    PAGE_ALLOC_COSTLY_ORDER, &err, GFP_ATOMIC | __GFP_NOWARN);
	if (!copy)
		return NULL;
	skb_reserve(copy, skb_headroom(skb));
	skb_put_data(copy, skb->data, headlen);
	copy->len += skb->data_len;
	copy->data_len = skb->data_len;
	off = headlen;
	for (i = 0; i < skb_shinfo(copy)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(copy)->frags[i];

		err = skb_copy_bits(skb, off, skb_frag_address(frag), skb_frag_size(frag));
		if (err) {
			kfree_skb(copy);
			return ERR_PTR(err);
		}
		off += skb_frag_size(frag);
	}
	skb_copy_header(copy, skb);
	return copy;
}

/* A super-frame for the kernel to cut. Return: as vtap_original_read(). */
struct sk_buff *vtap_original_copy(struct sk_buff *skb)
{
	struct sk_buff *copy;

	copy = skb_zcopy(skb) ? vtap_original_read(skb) :
				pskb_copy(skb, GFP_ATOMIC | __GFP_NOWARN);
	/* extensions are shared, and segmentation writes to them */
	if (!IS_ERR_OR_NULL(copy))
		skb_ext_reset(copy);
	return copy;
}

/**
 * vtap_original_crc32c - the checksum of SCTP
 * @skb: the original; its checksum field is taken as it stands, as devices do
 * @off: of the SCTP header from skb->data
 * @len: of the packet from there on
 *
 * Return: the checksum as it stands in the header, as a number in little-endian order.
 */
u32 vtap_original_crc32c(const struct sk_buff *skb, unsigned int off, unsigned int len)
{
	return ~vtap_skb_crc32c(skb, off, len, ~0U);
}
