// SPDX-License-Identifier: GPL-2.0
/*
 * Copies without payload. Headers are read from the copy, which nobody else can change, and when in
 * doubt a byte is payload.
 */
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/sctp.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "send.h"
#include "slice.h"
#include "stats.h"

/* as the parser has them, one tag of which may have been in the metadata */
#define VTAP_SLICE_TAGS		5
#define VTAP_SLICE_EXTHDRS	8
#define VTAP_SLICE_ARP		28	/* of IPv4 over Ethernet */
#define VTAP_SLICE_ICMP		8
#define VTAP_SLICE_DCCP		12	/* at least; in words at offset 4 */
#define VTAP_SLICE_NONE		(-1)	/* no header behind this one, or none that is known */

/**
 * struct vtap_slice - how far the headers of a frame have been read
 * @p: the frame
 * @off: what is before it is headers
 * @len: bytes that headers may be read of
 * @end: of the packet; what is behind it is padding
 */
struct vtap_slice {
	const u8 *p;
	unsigned int off;
	unsigned int len;
	unsigned int end;
};

static bool vtap_slice_has(const struct vtap_slice *s, unsigned int n)
{
	return n <= s->len - s->off;
}

/* Pass over a header of @n bytes. Return: false when it is not whole. */
static bool vtap_slice_pass(struct vtap_slice *s, unsigned int n)
{
	if (!vtap_slice_has(s, n))
		return false;
	s->off += n;
	return true;
}

/* The packet ends at @end by its own reckoning. */
static void vtap_slice_limit(struct vtap_slice *s, unsigned int end)
{
	s->end = min(s->end, end);
	s->len = min(s->len, end);
}

/* Return: EtherType behind all tags. */
static __be16 vtap_slice_l2(struct vtap_slice *s)
{
	__be16 proto = ((const struct ethhdr *)s->p)->h_proto;
	int i;

	s->off = ETH_HLEN;
	for (i = 0; eth_type_vlan(proto) && i < VTAP_SLICE_TAGS; i++) {
		const struct vlan_hdr *vh = (const struct vlan_hdr *)(s->p + s->off);

		if (!vtap_slice_pass(s, sizeof(*vh)))
			break;
		proto = vh->h_vlan_encapsulated_proto;
	}
	return proto;
}

/* ARP has no payload. What is not of IPv4 may be anything. */
static int vtap_slice_arp(struct vtap_slice *s)
{
	const struct arphdr *ah = (const struct arphdr *)(s->p + s->off);

	if (vtap_slice_has(s, VTAP_SLICE_ARP) && ah->ar_hrd == htons(ARPHRD_ETHER) &&
	    ah->ar_pro == htons(ETH_P_IP) && ah->ar_hln == ETH_ALEN &&
	    ah->ar_pln == sizeof(__be32))
		s->off += VTAP_SLICE_ARP;
	return VTAP_SLICE_NONE;
}

/* The next two return the protocol behind, VTAP_SLICE_NONE also for later fragments. */
static int vtap_slice_ipv4(struct vtap_slice *s)
{
	const struct iphdr *iph = (const struct iphdr *)(s->p + s->off);
	unsigned int hlen;

	if (!vtap_slice_has(s, sizeof(*iph)) || iph->version != 4)
		return VTAP_SLICE_NONE;
	hlen = iph->ihl * 4;
	if (hlen < sizeof(*iph) || ntohs(iph->tot_len) < hlen)
		return VTAP_SLICE_NONE;
	vtap_slice_limit(s, s->off + ntohs(iph->tot_len));
	if (!vtap_slice_pass(s, hlen) || iph->frag_off & htons(IP_OFFSET))
		return VTAP_SLICE_NONE;
	return iph->protocol;
}

static int vtap_slice_ipv6(struct vtap_slice *s)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)(s->p + s->off);
	u8 next;
	int i;

	if (!vtap_slice_has(s, sizeof(*ip6h)) || ip6h->version != 6)
		return VTAP_SLICE_NONE;
	s->off += sizeof(*ip6h);
	vtap_slice_limit(s, s->off + ntohs(ip6h->payload_len));
	next = ip6h->nexthdr;
	for (i = 0; i <= VTAP_SLICE_EXTHDRS; i++) {
		const struct ipv6_opt_hdr *opt = (const struct ipv6_opt_hdr *)(s->p + s->off);
		const struct frag_hdr *fh = (const struct frag_hdr *)opt;
		unsigned int n = sizeof(*fh);

		switch (next) {
		case NEXTHDR_HOP:
		case NEXTHDR_ROUTING:
		case NEXTHDR_DEST:
		case NEXTHDR_AUTH:
			if (!vtap_slice_has(s, sizeof(*opt)))
				return VTAP_SLICE_NONE;
			n = next == NEXTHDR_AUTH ? ipv6_authlen(opt) : ipv6_optlen(opt);
			break;
		case NEXTHDR_FRAGMENT:
			break;
		default:
			return next;
		}
		if (!vtap_slice_pass(s, n) ||
		    (next == NEXTHDR_FRAGMENT && fh->frag_off & htons(IP6_OFFSET)))
			return VTAP_SLICE_NONE;
		next = opt->nexthdr;
	}
	return VTAP_SLICE_NONE;
}

/* Return: false when the header of @proto is not whole, or not known. */
static bool vtap_slice_l4(struct vtap_slice *s, u8 proto, bool ipv4)
{
	const u8 *h = s->p + s->off;
	unsigned int n, start = s->off;

	switch (proto) {
	case IPPROTO_TCP:
		if (!vtap_slice_has(s, sizeof(struct tcphdr)))
			return false;
		n = ((const struct tcphdr *)h)->doff * 4;
		return n >= sizeof(struct tcphdr) && vtap_slice_pass(s, n);
	case IPPROTO_UDP:
		n = sizeof(struct udphdr);
		if (!vtap_slice_pass(s, n))
			return false;
		vtap_slice_limit(s, start + max_t(unsigned int, n,
						  ntohs(((const struct udphdr *)h)->len)));
		return true;
	case IPPROTO_UDPLITE:
		return vtap_slice_pass(s, sizeof(struct udphdr));
	case IPPROTO_SCTP:
		return vtap_slice_pass(s, sizeof(struct sctphdr));
	case IPPROTO_DCCP:
		if (!vtap_slice_has(s, VTAP_SLICE_DCCP))
			return false;
		n = h[4] * 4;
		return n >= VTAP_SLICE_DCCP && vtap_slice_pass(s, n);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return ipv4 == (proto == IPPROTO_ICMP) && vtap_slice_pass(s, VTAP_SLICE_ICMP);
	default:
		return false;
	}
}

/**
 * vtap_slice_end - where does what a copy may show of a frame end?
 * @p: the frame, at least its Ethernet header
 * @avail: how many bytes of it can be read
 * @whole: its length
 * @layer: enum vtap_layer: the last header that may be shown
 * @more: bytes behind it that may be shown
 *
 * A header that the frame has not, that is not whole in the packet or not known, and all that is
 * behind it, is payload; then @more is not shown either.
 *
 * Return: number of bytes, at most @whole and at most VTAP_SLICE_HEADERS + @more.
 */
unsigned int vtap_slice_end(const u8 *p, unsigned int avail, unsigned int whole, u8 layer,
			    u16 more)
{
	struct vtap_slice s = {
		.p = p, .len = min_t(unsigned int, avail, VTAP_SLICE_HEADERS), .end = whole,
	};
	const __be16 proto = vtap_slice_l2(&s);
	int next = VTAP_SLICE_NONE;

	if (layer == VTAP_LAYER_L2)
		return min(s.off + more, whole);
	if (proto == htons(ETH_P_IP))
		next = vtap_slice_ipv4(&s);
	else if (proto == htons(ETH_P_IPV6))
		next = vtap_slice_ipv6(&s);
	else if (proto == htons(ETH_P_ARP))
		next = vtap_slice_arp(&s);
	if (next == VTAP_SLICE_NONE ||
	    (layer == VTAP_LAYER_L4 && !vtap_slice_l4(&s, next, proto == htons(ETH_P_IP))))
		return s.off;
	return min(s.off + more, s.end);
}

/**
 * vtap_slice_room - how many bytes of a frame does it take to make its copy?
 * @t: the session's template, with slice or mask
 * @whole: length of the frame
 *
 * Return: their number, 0 if the copy has to be dropped for its length.
 */
unsigned int vtap_slice_room(const struct vtap_tmpl *t, unsigned int whole)
{
	const unsigned int headers = min_t(unsigned int, whole, VTAP_SLICE_HEADERS + t->more);
	unsigned int len;

	if (!t->mask)
		return headers;
	len = vtap_copy_limit(t, whole);
	return len ? max(len, headers) : 0;
}

/* Write zeros over @n bytes of a copy; a copy that has none to be overwritten does not count. */
void vtap_slice_mask(const struct vtap_tmpl *t, u8 *from, unsigned int n)
{
	memset(from, 0, n);
	vtap_stats_add(t->s->stats, VTAP_SESSION_STAT_MASKED, 1);
}

/**
 * vtap_slice_copy - take the payload out of a copy
 * @t: the session's template, with slice or mask
 * @copy: outer headers, and vtap_slice_room() bytes of the frame with final checksums
 * @whole: length of the frame
 *
 * Return: how many bytes of the frame are left, 0 if the copy has to be dropped for its length.
 */
unsigned int vtap_slice_copy(const struct vtap_tmpl *t, struct sk_buff *copy, unsigned int whole)
{
	const unsigned int avail = copy->len - t->hlen;
	u8 *inner = copy->data + t->hlen;
	unsigned int end, len;

	end = vtap_slice_end(inner, avail, whole, t->layer, t->more);
	len = vtap_copy_limit(t, t->mask ? whole : end);
	if (t->mask && end < len)
		vtap_slice_mask(t, inner + end, len - end);
	if (len)
		skb_trim(copy, t->hlen + len);
	return len;
}
