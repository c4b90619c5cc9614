// SPDX-License-Identifier: GPL-2.0
/* Parses a frame into a key. Takes no locks; trusts no length in the frame. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "frame.h"
#include "parse.h"

#define VTAP_MAX_TAGS		4	/* in the data, in addition to one in the metadata */
#define VTAP_MAX_EXTHDRS	8
#define VTAP_MAX_HEADERS	512	/* copied when they are not in the linear part */

/*
 * The functions below read headers from @p, of which @len bytes are there,
 * counted from the MAC header. Return: false when a header does not fit.
 */
static __always_inline bool vtap_parse_l4(struct vtap_frame *f, const u8 *p, unsigned int len,
					  unsigned int off)
{
	struct vtap_key *key = &f->key;
	const __be16 *w = (const __be16 *)(p + off);

	switch (key->ip_proto) {
	case IPPROTO_TCP:
		if (off + 14 <= len) {
			key->tcp_flags = w[6] & htons(0x0fff);
			key->flags |= VTAP_KEY_TCP;
			f->l4 = off;
		}
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		f->l4 = off;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (key->proto != htons(key->ip_proto == IPPROTO_ICMP ? ETH_P_IP : ETH_P_IPV6))
			return true;
		if (off + 2 > len)
			return false;
		key->icmp_type = p[off];
		key->icmp_code = p[off + 1];
		key->flags |= VTAP_KEY_ICMP;
		f->l4 = off;
		return true;
	default:
		f->l4 = off;
		return true;
	}

	if (off + 4 > len)
		return false;
	BUILD_BUG_ON(offsetof(struct vtap_key, dport) != offsetof(struct vtap_key, sport) + 2);
	*(u32 *)&key->sport = get_unaligned((const u32 *)w);
	key->flags |= VTAP_KEY_PORTS;
	return key->ip_proto != IPPROTO_TCP || key->flags & VTAP_KEY_TCP;
}

static __always_inline bool vtap_parse_ipv4(struct vtap_frame *f, const u8 *p, unsigned int len,
					    unsigned int off)
{
	const struct iphdr *iph = (const struct iphdr *)(p + off);
	unsigned int hlen = sizeof(*iph);
	struct vtap_key *key = &f->key;

	if (off + sizeof(*iph) > len)
		return false;
	/* version 4 without options, in one comparison */
	if (unlikely(p[off] != 0x45)) {
		if (iph->version != 4 || iph->ihl < 5)
			return true;
		hlen = iph->ihl * 4;
	}

	f->l3 = off;
	key->flags |= VTAP_KEY_IP;
	key->src.s6_addr32[0] = iph->saddr;
	key->dst.s6_addr32[0] = iph->daddr;
	key->ip_proto = iph->protocol;
	if (iph->frag_off & htons(IP_MF | IP_OFFSET)) {
		key->flags |= VTAP_KEY_FRAG;
		if (iph->frag_off & htons(IP_OFFSET))
			return true;
		key->flags |= VTAP_KEY_FIRST;
	}
	return vtap_parse_l4(f, p, len, off + hlen);
}

static noinline bool vtap_parse_ipv6(struct vtap_frame *f, const u8 *p, unsigned int len,
				     unsigned int off)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)(p + off);
	struct vtap_key *key = &f->key;
	int i;

	if (off + sizeof(*ip6h) > len)
		return false;
	if (ip6h->version != 6)
		return true;

	f->l3 = off;
	key->flags |= VTAP_KEY_IP;
	key->src = ip6h->saddr;
	key->dst = ip6h->daddr;
	key->ip_proto = ip6h->nexthdr;
	off += sizeof(*ip6h);

	for (i = 0; i <= VTAP_MAX_EXTHDRS; i++) {
		const struct ipv6_opt_hdr *opt = (const struct ipv6_opt_hdr *)(p + off);
		const struct frag_hdr *fh = (const struct frag_hdr *)(p + off);

		switch (key->ip_proto) {
		case NEXTHDR_FRAGMENT:
			if (off + sizeof(*fh) > len)
				return false;
			key->flags |= VTAP_KEY_FRAG;
			key->ip_proto = fh->nexthdr;
			if (fh->frag_off & htons(IP6_OFFSET))
				return true;
			/* an atomic fragment counts as a fragment, as in the flow dissector */
			key->flags |= VTAP_KEY_FIRST;
			off += sizeof(*fh);
			break;
		case NEXTHDR_HOP:
		case NEXTHDR_ROUTING:
		case NEXTHDR_DEST:
		case NEXTHDR_AUTH:
			if (off + sizeof(*opt) > len)
				return false;
			off += key->ip_proto == NEXTHDR_AUTH ?
			       ipv6_authlen(opt) : ipv6_optlen(opt);
			key->ip_proto = opt->nexthdr;
			break;
		default:
			return vtap_parse_l4(f, p, len, off);
		}
	}
	return true;
}

/* Starts a key; @tci is that of a tag in the metadata, 0 if there is none. */
static __always_inline void vtap_parse_start(struct vtap_frame *f, const u8 *p, __be16 tci)
{
	struct vtap_key *key = &f->key;

	f->l3 = 0;
	f->l4 = 0;
	/* word by word: compilers make a string instruction of a memset() of this size */
	BUILD_BUG_ON(VTAP_KEY_WORDS != 8);
	((u64 *)key)[2] = 0;
	((u64 *)key)[3] = 0;
	((u64 *)key)[4] = 0;
	((u64 *)key)[5] = 0;
	((u64 *)key)[6] = 0;
	((u64 *)key)[7] = 0;
	memcpy(&key->eth, p, sizeof(key->eth));
	BUILD_BUG_ON(VTAP_IN + 1 != BIT(VTAP_IN) || VTAP_OUT + 1 != BIT(VTAP_OUT));
	key->dir = f->dir + 1;
	key->vlan = tci;
}

/* A whole frame */
bool vtap_parse_frame(struct vtap_frame *f, const u8 *p, unsigned int len, __be16 tci)
{
	__be16 proto = ((const struct ethhdr *)p)->h_proto;
	struct vtap_key *key = &f->key;
	unsigned int off = ETH_HLEN;
	int i;

	vtap_parse_start(f, p, tci);
	for (i = 0; eth_type_vlan(proto) && i < VTAP_MAX_TAGS; i++) {
		const struct vlan_hdr *vh = (const struct vlan_hdr *)(p + off);

		if (off + sizeof(*vh) > len) {
			key->proto = proto;
			return false;
		}
		if (!key->vlan)
			key->vlan = vh->h_vlan_TCI | htons(VTAP_KEY_TAGGED);
		proto = vh->h_vlan_encapsulated_proto;
		off += VLAN_HLEN;
	}
	key->proto = proto;

	if (proto == htons(ETH_P_IP))
		return vtap_parse_ipv4(f, p, len, off);
	if (proto == htons(ETH_P_IPV6))
		return vtap_parse_ipv6(f, p, len, off);
	return true;
}

/* A packet without an Ethernet header: @eth stands in for ETH_HLEN bytes that are not read. */
bool vtap_parse_bare(struct vtap_frame *f, const u8 *p, unsigned int len, const struct ethhdr *eth,
		     __be16 tci)
{
	vtap_parse_start(f, (const u8 *)eth, tci);
	if (eth->h_proto == htons(ETH_P_IP))
		return vtap_parse_ipv4(f, p, len, ETH_HLEN);
	if (eth->h_proto == htons(ETH_P_IPV6))
		return vtap_parse_ipv6(f, p, len, ETH_HLEN);
	return true;
}

/* Headers in page fragments. Out of line, so that other frames do not pay for the buffer. */
noinline void vtap_parse_paged(struct vtap_frame *f, __be16 tci, const struct ethhdr *bare)
{
	const unsigned int len = min_t(unsigned int, f->len, VTAP_MAX_HEADERS);
	const unsigned int off = bare ? ETH_HLEN : 0;
	u8 buf[VTAP_MAX_HEADERS] __aligned(8);

	if (skb_copy_bits(f->skb, f->mac + (int)off, buf + off, len - off))
		return;
	if (bare)
		vtap_parse_bare(f, buf, len, bare, tci);
	else
		vtap_parse_frame(f, buf, len, tci);
}

/* Any frame. Return: true. */
static noinline bool vtap_parse_slow(struct vtap_frame *f, unsigned int avail, __be16 tci)
{
	if (!vtap_parse_frame(f, f->skb->data + f->mac, avail, tci) && avail < f->len)
		vtap_parse_paged(f, tci, NULL);
	return true;
}

/*
 * Makes an Ethernet header for a packet of a device that has none: the device's address if it has
 * one of that length, and the protocol that the stack uses. At egress, the offset of the MAC
 * header is not set, and at ingress it may be that of another device's header.
 */
static noinline bool vtap_parse_packet(struct vtap_frame *f)
{
	const struct sk_buff *skb = f->skb;
	const struct net_device *dev = skb->dev;
	struct ethhdr eth = { .h_proto = skb->protocol };
	int avail, off = skb_network_offset(skb);
	const u8 *first;
	__be16 tci = 0;
	u8 buf;

	if (off < 0 || off >= (int)skb->len)
		off = 0;
	first = skb_header_pointer(skb, off, sizeof(buf), &buf);
	if (!first)
		return false;
	if (!eth_proto_is_802_3(eth.h_proto) && *first >> 4 == 4)
		eth.h_proto = htons(ETH_P_IP);
	else if (!eth_proto_is_802_3(eth.h_proto) && *first >> 4 == 6)
		eth.h_proto = htons(ETH_P_IPV6);
	if (dev && dev->addr_len == ETH_ALEN)
		ether_addr_copy(f->dir == VTAP_IN ? eth.h_dest : eth.h_source, dev->dev_addr);
	if (skb_vlan_tag_present(skb))
		tci = htons(skb_vlan_tag_get(skb) | VTAP_KEY_TAGGED);

	f->mac = off - ETH_HLEN;
	f->len = skb->len - f->mac;
	avail = (int)skb_headlen(skb) - f->mac;
	if (avail <= ETH_HLEN) {
		vtap_parse_start(f, (const u8 *)&eth, tci);
		vtap_parse_paged(f, tci, &eth);
	} else if (!vtap_parse_bare(f, skb->data + f->mac, avail, &eth, tci) &&
		   avail < (int)f->len) {
		vtap_parse_paged(f, tci, &eth);
	}
	return true;
}

/**
 * vtap_parse - read the fields that rules can ask for
 * @f: frame with skb, ifindex, dir and bare set; the rest is filled in
 *
 * Reads only; trusts no length in the frame. Softirq context.
 *
 * Return: false if the skb has no complete Ethernet header, or is bare and empty.
 */
bool vtap_parse(struct vtap_frame *f)
{
	const struct sk_buff *skb = f->skb;
	__be16 tci = 0;
	const u8 *p;
	int avail;

	if (unlikely(f->bare))
		return vtap_parse_packet(f);
	if (unlikely(!skb_mac_header_was_set(skb)))
		return false;

	p = skb_mac_header(skb);
	f->mac = p - skb->data;
	avail = (int)skb_headlen(skb) - f->mac;
	if (unlikely(f->mac > 0 || avail < ETH_HLEN))
		return false;

	f->len = skb->len - f->mac;
	if (unlikely(skb_vlan_tag_present(skb)))
		tci = htons(skb_vlan_tag_get(skb) | VTAP_KEY_TAGGED);
	/*
	 * Fast path for untagged IPv4. Anything else is parsed again from the start below, to
	 * keep this path short.
	 */
	if (likely(((const struct ethhdr *)p)->h_proto == htons(ETH_P_IP))) {
		vtap_parse_start(f, p, tci);
		if (likely(vtap_parse_ipv4(f, p, avail, ETH_HLEN)))
			return true;
	}
	return vtap_parse_slow(f, avail, tci);
}
