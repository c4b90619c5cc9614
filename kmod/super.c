// SPDX-License-Identifier: GPL-2.0
/* The headers of a super-frame, and of the segments it is cut into. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "edit.h"
#include "send.h"
#include "slice.h"
#include "super.h"

/* How much of a segment of @n bytes leaves; its headers say how long it is. */
static void vtap_copy_cut_room(const struct vtap_tmpl *t, struct vtap_cut *c, unsigned int n)
{
	const unsigned int hlen = c->hlen - t->hlen, whole = hlen + n;
	unsigned int len = whole, end;

	c->mask = 0;
	if (t->layer) {
		end = vtap_slice_end(c->hdr + t->hlen, hlen, whole, t->layer, t->more);
		if (t->mask)
			c->mask = t->hlen + end;
		else
			len = end;
	}
	if (len > t->max_plain)
		len = vtap_copy_limit(t, len);
	/* headers are written completely, and trimmed afterwards */
	c->n = n;
	c->room = len ? max(t->hlen + len, c->hlen) : 0;
	c->cut = c->room - t->hlen - len;
	c->part = c->room - c->hlen;
	c->edit = c->cut || c->mask;
}

/* The headers and sums that the segment of @n bytes at @off shares with others of its length. */
noinline void vtap_copy_cut_shape(const struct vtap_tmpl *t, struct vtap_cut *c, unsigned int off,
				  unsigned int n)
{
	unsigned int l4len = c->hlen - c->l4 + n;
	__sum16 pseudo;

	if (c->ipv4) {
		struct iphdr *iph = (struct iphdr *)(c->hdr + c->l3);

		iph->tot_len = htons(c->hlen - c->l3 + n);
		c->ipsum = (__force u16)~ip_fast_csum(iph, iph->ihl);
		pseudo = csum_tcpudp_magic(iph->saddr, iph->daddr, l4len, c->f->key.ip_proto, 0);
	} else {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)(c->hdr + c->l3);

		ip6h->payload_len = htons(l4len);
		pseudo = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, l4len, c->f->key.ip_proto, 0);
	}
	c->psum = (__force u16)~pseudo;
	if (c->tcp) {
		u8 flags = c->flags;

		if (off)
			flags &= ~TCPHDR_CWR;
		if (off + n < c->payload)
			flags &= ~(TCPHDR_FIN | TCPHDR_PSH);
		tcp_flag_byte((struct tcphdr *)(c->hdr + c->l4)) = flags;
	} else {
		((struct udphdr *)(c->hdr + c->l4))->len = htons(l4len);
	}
	vtap_copy_cut_room(t, c, n);
}

/* Reads the headers that all segments share. Return: false if the frame has no payload. */
static bool vtap_copy_cut_init(const struct vtap_tmpl *t, struct vtap_cut *c)
{
	const struct vtap_frame *f = c->f;
	const struct vtap_edit e = vtap_copy_edit(t, f);
	const unsigned int to = t->hlen + e.insert - e.remove;
	u8 *p = c->hdr + t->hlen;

	c->skip = f->l4 + (c->tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr));
	if (c->skip + VLAN_HLEN > VTAP_MAX_CUT_HDR || c->skip >= f->len)
		return false;
	c->l3 = to + f->l3;
	c->l4 = to + f->l4;
	vtap_copy_bytes(f, e, p, to + c->skip - t->hlen);
	if (c->tcp) {
		struct tcphdr *th = (struct tcphdr *)(c->hdr + c->l4);

		c->skip = f->l4 + __tcp_hdrlen(th);
		if (th->doff < 5 || c->skip + VLAN_HLEN > VTAP_MAX_CUT_HDR || c->skip >= f->len)
			return false;
		vtap_copy_bytes(f, e, p, to + c->skip - t->hlen);
		c->seq = ntohl(th->seq);
		c->flags = tcp_flag_byte(th);
		th->check = 0;
	} else {
		struct udphdr *uh = (struct udphdr *)(c->hdr + c->l4);

		/* the sender wants no checksum */
		if (!uh->check && f->skb->ip_summed != CHECKSUM_PARTIAL)
			return false;
		uh->check = 0;
	}
	if (c->ipv4) {
		struct iphdr *iph = (struct iphdr *)(c->hdr + c->l3);

		c->id = ntohs(iph->id);
		iph->id = 0;
		iph->check = 0;
	}
	memcpy(c->hdr, t->hdr, t->hlen);
	c->hlen = to + c->skip;
	c->payload = f->len - c->skip;
	return true;
}

/**
 * vtap_copy_cut_begin - prepare to cut a super-frame of TCP or UDP in plain IP
 * @t: the session's template
 * @f: the frame; not changed
 * @c: gets what all segments have in common
 *
 * Return: false for any other frame, and for datagrams that may be tunnels.
 */
bool vtap_copy_cut_begin(const struct vtap_tmpl *t, const struct vtap_frame *f, struct vtap_cut *c)
{
	const struct skb_shared_info *sh = skb_shinfo(f->skb);
	const bool tcp = f->key.ip_proto == IPPROTO_TCP;
	const unsigned int known = SKB_GSO_DODGY | (tcp ? SKB_GSO_TCPV4 | SKB_GSO_TCPV6 |
				   SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID : SKB_GSO_UDP_L4);
	const u8 need = VTAP_KEY_IP | VTAP_KEY_PORTS | (tcp ? VTAP_KEY_TCP : 0);

	if (sh->gso_type & ~known || f->skb->encapsulation ||
	    (!tcp && (f->key.ip_proto != IPPROTO_UDP || t->decap)) ||
	    (f->key.flags & (need | VTAP_KEY_FRAG)) != need)
		return false;
	c->f = f;
	c->tcp = tcp;
	c->ipv4 = f->key.proto == htons(ETH_P_IP);
	if ((!c->ipv4 && f->l4 - f->l3 != sizeof(struct ipv6hdr)) || !vtap_copy_cut_init(t, c))
		return false;
	c->step = !(sh->gso_type & SKB_GSO_TCP_FIXEDID);
	c->hash = vtap_flow_hash(t->seed, &f->key);
	c->tally = (struct vtap_send_stats){};
	return true;
}
