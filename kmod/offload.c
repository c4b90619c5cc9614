// SPDX-License-Identifier: GPL-2.0
/* TCP super-frames that are sent as they are, for the egress device to segment. */
#include <linux/ip.h>
#include <linux/tcp.h>
#include <net/ip.h>

#include "offload.h"
#include "send.h"
#include "super.h"

/* A copy in new pages: the frame's may change or be encrypted while the copy is queued. */
static struct sk_buff *vtap_copy_paged(const struct vtap_tmpl *t, const struct vtap_cut *c)
{
	int err, from = c->f->mac + (int)c->skip;
	struct sk_buff *skb;
	unsigned int i;

	skb = alloc_skb_with_frags(t->headroom + c->hlen, c->payload, PAGE_ALLOC_COSTLY_ORDER, &err,
				   GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, t->headroom);
	skb_put_data(skb, c->hdr, c->hlen);
	skb->len += c->payload;
	skb->data_len = c->payload;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		if (skb_copy_bits(c->f->skb, from, skb_frag_address(frag), skb_frag_size(frag)))
			goto free;
		from += skb_frag_size(frag);
	}
	if (!skb_pfmemalloc(skb))
		return skb;
free:
	kfree_skb(skb);
	return NULL;
}

/* The device finishes the checksum: write that of the pseudo-header, as plain TCP does. */
static void vtap_copy_offload_inner(const struct vtap_tmpl *t, const struct vtap_cut *c,
				    struct sk_buff *skb)
{
	if (c->ipv4) {
		struct iphdr *iph = (struct iphdr *)(skb->data + c->l3);

		iph->id = htons(c->id);
		iph->check = csum_fold((__force __wsum)(c->ipsum + (__force u16)iph->id));
	}
	((struct tcphdr *)(skb->data + c->l4))->check = (__force __sum16)c->psum;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + c->l4;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb_set_inner_mac_header(skb, t->hlen);
	skb_set_inner_network_header(skb, c->l3);
	skb_set_inner_transport_header(skb, c->l4);
	skb_set_inner_protocol(skb, htons(ETH_P_TEB));
	skb->encapsulation = 1;
}

static void vtap_copy_offload_outer(const struct vtap_tmpl *t, const struct vtap_cut *c,
				    struct sk_buff *skb)
{
	vtap_copy_outer(t, skb, c->f, c->hash, 0, false);
	if (t->family == AF_INET) {
		struct iphdr *iph = (struct iphdr *)(skb->data + t->l2len);

		/* the device increments the id, and would collide with other copies: set DF */
		iph->frag_off = htons(IP_DF);
		ip_send_check(iph);
	}
	skb->dev = t->dev;
	skb->protocol = t->proto;
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, t->l2len);
	skb_set_transport_header(skb, t->tun);
	__skb_set_sw_hash(skb, c->hash, true);
}

/* Sends a TCP super-frame without cutting it. Return: false if it has to be cut here. */
noinline bool vtap_copy_offload(const struct vtap_tmpl *t, struct vtap_cut *c)
{
	const struct skb_shared_info *sh = skb_shinfo(c->f->skb);
	const unsigned int mss = sh->gso_size, n = DIV_ROUND_UP(c->payload, mss);
	const unsigned int inner = c->hlen - t->hlen;
	const unsigned int type = (sh->gso_type & (SKB_GSO_DODGY | SKB_GSO_TCP_ECN)) | SKB_GSO_GRE |
				  (c->ipv4 ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6);
	/* where the device does not check headers that a VM made, the kernel does */
	const netdev_features_t robust = NETIF_F_GSO_ROBUST;
	const struct vtap_send_stats all = { .sent = n, .bytes = c->payload + n * inner };
	struct sk_buff *skb;

	/* FIXEDID means the inner or the outer header, depending on the kernel */
	if (!c->tcp || n < 2 || t->slow_path || c->f->skb->ip_summed != CHECKSUM_PARTIAL ||
	    sh->gso_type & SKB_GSO_TCP_FIXEDID || inner + mss > t->max_plain ||
	    c->hlen - t->l2len + c->payload > IP_MAX_MTU ||
	    !net_gso_ok((t->dev->features & t->dev->hw_enc_features) | robust, type))
		return false;
	vtap_copy_cut_shape(t, c, 0, c->payload);
	skb = vtap_copy_paged(t, c);
	if (!skb)
		return false;
	vtap_copy_offload_inner(t, c, skb);
	skb_shinfo(skb)->gso_size = mss;
	skb_shinfo(skb)->gso_segs = n;
	skb_shinfo(skb)->gso_type = type;
	vtap_copy_offload_outer(t, c, skb);
	if (!skb_gso_ok(skb, netif_skb_features(skb) | robust)) {
		kfree_skb(skb);
		return false;
	}
	if (vtap_copy_may_hold(t, c->f) && vtap_copy_hold(t, skb, c->f, c->hash, all))
		return true;
	if (vtap_copy_xmit_offload(t, skb))
		vtap_copy_drop(t->s, VTAP_SESSION_STAT_DROP_XMIT, n);
	else
		vtap_copy_count(t->s, &all);
	return true;
}
