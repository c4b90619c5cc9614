// SPDX-License-Identifier: GPL-2.0
/* Super-frames of TCP and UDP, cut to the size of the wire. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "cut.h"
#include "send.h"
#include "skb.h"
#include "slice.h"
#include "super.h"

/* The next @n bytes of the payload, passed over when @to is NULL. */
static __always_inline void vtap_copy_cut_next(struct vtap_cut *c, u8 *to, unsigned int n)
{
	const struct skb_shared_info *sh = skb_shinfo(c->f->skb);

	while (unlikely(n > c->left)) {
		if (to) {
			memcpy(to, c->at, c->left);
			to += c->left;
		}
		n -= c->left;
		c->at = skb_frag_address(&sh->frags[c->frag]);
		c->left = skb_frag_size(&sh->frags[c->frag]);
		c->frag++;
	}
	if (to)
		memcpy(to, c->at, n);
	c->at += n;
	c->left -= n;
}

/* For a segment that is truncated, or whose payload cannot be read in order. */
static noinline __wsum vtap_copy_cut_slow(struct vtap_cut *c, u8 *to, unsigned int off)
{
	const int from = c->f->mac + (int)(c->skip + off);
	const unsigned int l4len = c->hlen - c->l4;
	__wsum sum;

	skb_copy_bits(c->f->skb, from, to + c->hlen, c->part);
	sum = csum_partial(to + c->l4, l4len + c->part, (__force __wsum)c->psum);
	if (c->part < c->n)
		sum = csum_block_add(sum, skb_checksum(c->f->skb, from + (int)c->part,
						       c->n - c->part, 0), l4len + c->part);
	if (c->walk)
		vtap_copy_cut_next(c, NULL, c->n);
	return sum;
}

static __always_inline void vtap_copy_segment(const struct vtap_tmpl *t, struct vtap_cut *c,
					      unsigned int off)
{
	struct sk_buff *copy = NULL;
	__sum16 check;
	__wsum sum;
	u8 *p;

	if (likely(c->room))
		copy = vtap_copy_alloc(t, c->room);
	if (unlikely(!copy)) {
		vtap_copy_drop(t->s, c->room ? VTAP_SESSION_STAT_DROP_NOMEM :
			       VTAP_SESSION_STAT_DROP_MTU, 1);
		if (c->walk)
			vtap_copy_cut_next(c, NULL, c->n);
		return;
	}
	p = copy->data;
	memcpy(p, c->hdr, c->hlen);
	if (c->ipv4) {
		struct iphdr *iph = (struct iphdr *)(p + c->l3);

		iph->id = htons(c->id);
		iph->check = csum_fold((__force __wsum)(c->ipsum + (__force u16)iph->id));
	}
	if (c->tcp)
		((struct tcphdr *)(p + c->l4))->seq = htonl(c->seq + off);
	if (likely(c->walk && c->part == c->n)) {
		vtap_copy_cut_next(c, p + c->hlen, c->n);
		/* copying and summing up in one pass takes a third more instructions */
		sum = csum_partial(p + c->l4, c->room - c->l4, (__force __wsum)c->psum);
	} else {
		sum = vtap_copy_cut_slow(c, p, off);
	}
	check = csum_fold(sum);
	if (c->tcp)
		((struct tcphdr *)(p + c->l4))->check = check;
	else
		((struct udphdr *)(p + c->l4))->check = check ?: CSUM_MANGLED_0;
	if (unlikely(c->edit)) {
		skb_trim(copy, c->room - c->cut);
		if (c->mask && c->mask < copy->len)
			vtap_slice_mask(t, p + c->mask, copy->len - c->mask);
	}
	vtap_copy_send(t, copy, c->f, c->hash, c->part < c->n || c->cut, &c->tally);
}

/* Cut a super-frame, and send a copy of each segment. */
noinline void vtap_copy_cut(const struct vtap_tmpl *t, struct vtap_cut *c)
{
	const struct vtap_frame *f = c->f;
	unsigned int off, mss = skb_shinfo(f->skb)->gso_size;
	int from, linear;

	/* frag lists and pages without an address are rare, and take the slow way */
	c->walk = !IS_ENABLED(CONFIG_HIGHMEM) && !skb_has_frag_list(f->skb);
	if (c->walk) {
		from = f->mac + (int)c->skip;
		linear = skb_headlen(f->skb);
		c->at = f->skb->data + min(from, linear);
		c->left = linear - min(from, linear);
		c->frag = 0;
		vtap_copy_cut_next(c, NULL, from - min(from, linear));
	}

	for (off = 0; off < c->payload; off += mss) {
		/* once for the first segment, those in the middle, and the last */
		if (off <= mss || c->payload - off <= mss)
			vtap_copy_cut_shape(t, c, off, min(mss, c->payload - off));
		vtap_copy_segment(t, c, off);
		c->id += c->step;
	}
	vtap_copy_count(t->s, &c->tally);
}
