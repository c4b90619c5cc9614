// SPDX-License-Identifier: GPL-2.0
/* Frame to key; match to key and mask. No locks, no netlink. */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netlink.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/gre.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/vxlan.h>

#include "vtap.h"

#define VTAP_MAX_TAGS		4	/* in the frame, besides one in the metadata */
#define VTAP_MAX_EXTHDRS	8
#define VTAP_MAX_HEADERS	512	/* looked at when they are not in the linear part */
/* as draft-foschiano-erspan has them; encap.c writes them */
#define VTAP_ERSPAN2_LEN	8
#define VTAP_ERSPAN3_LEN	12
#define VTAP_ERSPAN3_SUB_LEN	8

static const void *vtap_match_header(const struct vtap_frame *f, unsigned int off,
				     unsigned int len, void *buf)
{
	return skb_header_pointer(f->skb, f->mac + (int)off, len, buf);
}

/*
 * The functions below read headers from @p, of which @len bytes are there,
 * counted from the MAC header. Return: false when a header does not fit.
 */
static __always_inline bool vtap_match_l4(struct vtap_frame *f, const u8 *p, unsigned int len,
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

static __always_inline bool vtap_match_ipv4(struct vtap_frame *f, const u8 *p, unsigned int len,
					    unsigned int off)
{
	const struct iphdr *iph = (const struct iphdr *)(p + off);
	unsigned int hlen = sizeof(*iph);
	struct vtap_key *key = &f->key;

	if (off + sizeof(*iph) > len)
		return false;
	/* version 4 without options, at one glance */
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
	return vtap_match_l4(f, p, len, off + hlen);
}

static noinline bool vtap_match_ipv6(struct vtap_frame *f, const u8 *p, unsigned int len,
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
			/* an atomic fragment is a fragment, as the flow dissector has it */
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
			return vtap_match_l4(f, p, len, off);
		}
	}
	return true;
}

/* The beginning of a key; @tci is of a tag in the metadata, 0 when there is none. */
static __always_inline void vtap_match_start(struct vtap_frame *f, const u8 *p, __be16 tci)
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
static bool vtap_match_frame(struct vtap_frame *f, const u8 *p, unsigned int len, __be16 tci)
{
	__be16 proto = ((const struct ethhdr *)p)->h_proto;
	struct vtap_key *key = &f->key;
	unsigned int off = ETH_HLEN;
	int i;

	vtap_match_start(f, p, tci);
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
		return vtap_match_ipv4(f, p, len, off);
	if (proto == htons(ETH_P_IPV6))
		return vtap_match_ipv6(f, p, len, off);
	return true;
}

/* Headers that lie in page frags. Apart, so that other frames do not pay for the buffer. */
static noinline void vtap_match_far(struct vtap_frame *f, __be16 tci)
{
	unsigned int len = min_t(unsigned int, f->len, VTAP_MAX_HEADERS);
	u8 buf[VTAP_MAX_HEADERS] __aligned(8);

	if (!skb_copy_bits(f->skb, f->mac, buf, len))
		vtap_match_frame(f, buf, len, tci);
}

/* Length of a GRE header with an Ethernet frame behind it, ERSPAN included; 0 for others. */
static unsigned int vtap_match_gre(const struct vtap_frame *f)
{
	unsigned int len = sizeof(struct gre_base_hdr);
	const struct gre_base_hdr *gre;
	struct gre_base_hdr buf;
	const u8 *h;
	u8 last;

	gre = vtap_match_header(f, f->l4, sizeof(buf), &buf);
	if (!gre || gre->flags & (GRE_ROUTING | GRE_VERSION))
		return 0;
	if (gre->flags & GRE_CSUM)
		len += sizeof(__be32);
	if (gre->flags & GRE_KEY)
		len += sizeof(__be32);
	if (gre->flags & GRE_SEQ)
		len += sizeof(__be32);
	switch (gre->protocol) {
	case htons(ETH_P_TEB):
		return len;
	case htons(ETH_P_ERSPAN):
		/* type I has no sequence number, and no header of its own */
		return gre->flags & GRE_SEQ ? len + VTAP_ERSPAN2_LEN : len;
	case htons(ETH_P_ERSPAN2):
		h = vtap_match_header(f, f->l4 + len + VTAP_ERSPAN3_LEN - 1, 1, &last);
		if (!h)
			return 0;
		return len + VTAP_ERSPAN3_LEN + (*h & 1 ? VTAP_ERSPAN3_SUB_LEN : 0);
	default:
		return 0;
	}
}

/* The same for VXLAN, whatever the port: the frame behind it tells more than a number would. */
static unsigned int vtap_match_vxlan(const struct vtap_frame *f)
{
	const unsigned int len = sizeof(struct udphdr) + sizeof(struct vxlanhdr);
	const __be32 *flags;
	__be32 buf;

	flags = vtap_match_header(f, f->l4 + sizeof(struct udphdr), sizeof(buf), &buf);
	return flags && get_unaligned(flags) == VXLAN_HF_VNI ? len : 0;
}

/**
 * vtap_match_inner - read the fields of the Ethernet frame within GRE, ERSPAN or VXLAN
 * @f: parsed frame that is GRE or UDP
 * @inner: gets the frame; the same as @f or another
 *
 * Return: false when there is none.
 */
bool vtap_match_inner(const struct vtap_frame *f, struct vtap_frame *inner)
{
	unsigned int off;
	int avail;

	if (!f->l4)
		return false;
	off = f->key.ip_proto == IPPROTO_GRE ? vtap_match_gre(f) : vtap_match_vxlan(f);
	if (!off)
		return false;
	off += f->l4;
	if (off + ETH_HLEN > f->len)
		return false;
	inner->skb = f->skb;
	inner->ifindex = f->ifindex;
	inner->dir = f->dir;
	inner->mac = f->mac + (int)off;
	inner->len = f->len - off;
	avail = (int)skb_headlen(f->skb) - inner->mac;
	if (avail < ETH_HLEN || (!vtap_match_frame(inner, f->skb->data + inner->mac, avail, 0) &&
				 avail < inner->len))
		vtap_match_far(inner, 0);
	return true;
}

/* Anything; Return: true. */
static noinline bool vtap_match_any(struct vtap_frame *f, unsigned int avail, __be16 tci)
{
	if (!vtap_match_frame(f, f->skb->data + f->mac, avail, tci) && avail < f->len)
		vtap_match_far(f, tci);
	return true;
}

/**
 * vtap_match_parse - read the fields that rules can ask for
 * @f: frame with skb, ifindex and dir set; the rest is filled in
 *
 * Reads only; trusts no length in the frame. Softirq context.
 *
 * Return: false when the skb has no complete Ethernet header.
 */
bool vtap_match_parse(struct vtap_frame *f)
{
	const struct sk_buff *skb = f->skb;
	__be16 tci = 0;
	const u8 *p;
	int avail;

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
	/* most frames; all others begin again, so that these need neither registers nor sums */
	if (likely(((const struct ethhdr *)p)->h_proto == htons(ETH_P_IP))) {
		vtap_match_start(f, p, tci);
		if (likely(vtap_match_ipv4(f, p, avail, ETH_HLEN)))
			return true;
	}
	return vtap_match_any(f, avail, tci);
}

static bool vtap_match_has(const struct vtap_match *m, int attr)
{
	return m->present & BIT(attr);
}

static bool vtap_match_ports(const struct vtap_match *m)
{
	return vtap_match_has(m, VTAP_A_MATCH_SRC_PORT) || vtap_match_has(m, VTAP_A_MATCH_DST_PORT);
}

static bool vtap_match_icmp(const struct vtap_match *m)
{
	return vtap_match_has(m, VTAP_A_MATCH_ICMP_TYPE) ||
	       vtap_match_has(m, VTAP_A_MATCH_ICMP_CODE);
}

/**
 * vtap_match_check - refuse what no frame can match
 * @m: from the user
 * @extack: gets the reason
 *
 * Return: 0 or -EINVAL.
 */
int vtap_match_check(const struct vtap_match *m, struct netlink_ext_ack *extack)
{
	u8 family = m->src_ip.family ?: m->dst_ip.family;

	if (m->src_ip.family && m->dst_ip.family && m->src_ip.family != m->dst_ip.family) {
		NL_SET_ERR_MSG(extack, "src_ip and dst_ip are of different families");
		return -EINVAL;
	}
	if (family && vtap_match_has(m, VTAP_A_MATCH_PROTOCOL) &&
	    m->protocol != (family == AF_INET ? ETH_P_IP : ETH_P_IPV6)) {
		NL_SET_ERR_MSG(extack, "protocol contradicts the address family");
		return -EINVAL;
	}
	if ((vtap_match_has(m, VTAP_A_MATCH_SRC_PORT_MAX) &&
	     !vtap_match_has(m, VTAP_A_MATCH_SRC_PORT)) ||
	    (vtap_match_has(m, VTAP_A_MATCH_DST_PORT_MAX) &&
	     !vtap_match_has(m, VTAP_A_MATCH_DST_PORT))) {
		NL_SET_ERR_MSG(extack, "a port range needs its low end");
		return -EINVAL;
	}
	if (m->src_port > m->src_port_max || m->dst_port > m->dst_port_max) {
		NL_SET_ERR_MSG(extack, "port range ends before it begins");
		return -EINVAL;
	}
	if (vtap_match_has(m, VTAP_A_MATCH_IP_PROTO)) {
		switch (m->ip_proto) {
		case IPPROTO_TCP:
		case IPPROTO_UDP:
		case IPPROTO_UDPLITE:
		case IPPROTO_SCTP:
		case IPPROTO_DCCP:
			break;
		default:
			if (!vtap_match_ports(m))
				break;
			NL_SET_ERR_MSG(extack, "src_port and dst_port need ip_proto tcp, udp, udplite, sctp or dccp");
			return -EINVAL;
		}
		if (vtap_match_has(m, VTAP_A_MATCH_TCP_FLAGS) && m->ip_proto != IPPROTO_TCP) {
			NL_SET_ERR_MSG(extack, "tcp_flags needs ip_proto tcp");
			return -EINVAL;
		}
		if (vtap_match_icmp(m) && m->ip_proto != IPPROTO_ICMP &&
		    m->ip_proto != IPPROTO_ICMPV6) {
			NL_SET_ERR_MSG(extack, "icmp_type and icmp_code need ip_proto icmp or icmpv6");
			return -EINVAL;
		}
	}
	if (vtap_match_icmp(m) &&
	    (vtap_match_ports(m) || vtap_match_has(m, VTAP_A_MATCH_TCP_FLAGS))) {
		NL_SET_ERR_MSG(extack, "ICMP has neither ports nor TCP flags");
		return -EINVAL;
	}
	if (m->tcp_flags & ~m->tcp_flags_mask) {
		NL_SET_ERR_MSG(extack, "tcp_flags has bits outside its mask");
		return -EINVAL;
	}
	if (m->ip_flags & ~m->ip_flags_mask) {
		NL_SET_ERR_MSG(extack, "ip_flags has bits outside its mask");
		return -EINVAL;
	}
	return 0;
}

static void vtap_match_addr(const struct vtap_addr *a, struct in6_addr *key, struct in6_addr *mask)
{
	int i;

	for (i = 0; i < a->len; i++)
		mask->s6_addr[i / 8] |= 0x80 >> (i % 8);
	for (i = 0; i < 16; i++)
		key->s6_addr[i] = a->ip.s6_addr[i] & mask->s6_addr[i];
}

static void vtap_match_mac(const u8 *a, const u8 *m, u8 *key, u8 *mask)
{
	int i;

	for (i = 0; i < ETH_ALEN; i++) {
		mask[i] = m[i];
		key[i] = a[i] & m[i];
	}
}

/* Only ranges of one port go into the mask; the others are compared apart. */
static bool vtap_match_port(u16 lo, u16 hi, __be16 *key, __be16 *mask, u16 range[2])
{
	range[0] = lo;
	range[1] = hi;
	if (lo != hi)
		return true;
	*key = htons(lo);
	*mask = htons(0xffff);
	range[0] = 0;
	range[1] = 0xffff;
	return false;
}

/**
 * vtap_match_compile - the bits of a key that a match looks at
 * @m: checked by vtap_match_check()
 * @k: gets their values
 * @w: gets the mask of them
 * @sport: gets the lowest and the highest source port
 * @dport: gets the lowest and the highest destination port
 *
 * Return: true when @sport and @dport say more than @k and @w.
 */
bool vtap_match_compile(const struct vtap_match *m, struct vtap_key *k, struct vtap_key *w,
			u16 sport[2], u16 dport[2])
{
	u8 family = m->src_ip.family ?: m->dst_ip.family;
	bool ranges = false;

	BUILD_BUG_ON(sizeof(struct vtap_key) != 64);
	memset(k, 0, sizeof(*k));
	memset(w, 0, sizeof(*w));

	vtap_match_mac(m->src_mac, m->src_mac_mask, k->src_mac, w->src_mac);
	vtap_match_mac(m->dst_mac, m->dst_mac_mask, k->dst_mac, w->dst_mac);
	if (vtap_match_has(m, VTAP_A_MATCH_PROTOCOL)) {
		k->proto = htons(m->protocol);
		w->proto = htons(0xffff);
	}
	if (vtap_match_has(m, VTAP_A_MATCH_VLAN_ID)) {
		k->vlan |= htons(m->vlan_id | VTAP_KEY_TAGGED);
		w->vlan |= htons(VLAN_VID_MASK | VTAP_KEY_TAGGED);
	}
	if (vtap_match_has(m, VTAP_A_MATCH_VLAN_PRIO)) {
		k->vlan |= htons(m->vlan_prio << VLAN_PRIO_SHIFT | VTAP_KEY_TAGGED);
		w->vlan |= htons(VLAN_PRIO_MASK | VTAP_KEY_TAGGED);
	}
	if (family) {
		k->proto = htons(family == AF_INET ? ETH_P_IP : ETH_P_IPV6);
		w->proto = htons(0xffff);
		k->flags |= VTAP_KEY_IP;
		vtap_match_addr(&m->src_ip, &k->src, &w->src);
		vtap_match_addr(&m->dst_ip, &k->dst, &w->dst);
	}
	if (vtap_match_has(m, VTAP_A_MATCH_IP_PROTO)) {
		k->ip_proto = m->ip_proto;
		w->ip_proto = 0xff;
		k->flags |= VTAP_KEY_IP;
	}
	sport[0] = 0;
	sport[1] = 0xffff;
	dport[0] = 0;
	dport[1] = 0xffff;
	if (vtap_match_has(m, VTAP_A_MATCH_SRC_PORT))
		ranges |= vtap_match_port(m->src_port, m->src_port_max,
					     &k->sport, &w->sport, sport);
	if (vtap_match_has(m, VTAP_A_MATCH_DST_PORT))
		ranges |= vtap_match_port(m->dst_port, m->dst_port_max,
					     &k->dport, &w->dport, dport);
	if (vtap_match_ports(m))
		k->flags |= VTAP_KEY_PORTS;
	if (vtap_match_has(m, VTAP_A_MATCH_TCP_FLAGS)) {
		k->tcp_flags = htons(m->tcp_flags);
		w->tcp_flags = htons(m->tcp_flags_mask);
		k->flags |= VTAP_KEY_TCP;
	}
	if (vtap_match_icmp(m))
		k->flags |= VTAP_KEY_ICMP;
	if (vtap_match_has(m, VTAP_A_MATCH_ICMP_TYPE)) {
		k->icmp_type = m->icmp_type;
		w->icmp_type = 0xff;
	}
	if (vtap_match_has(m, VTAP_A_MATCH_ICMP_CODE)) {
		k->icmp_code = m->icmp_code;
		w->icmp_code = 0xff;
	}
	/* what was set so far are bits that have to be there */
	w->flags = k->flags;
	if (vtap_match_has(m, VTAP_A_MATCH_IP_FLAGS)) {
		k->flags |= m->ip_flags | VTAP_KEY_IP;
		w->flags |= m->ip_flags_mask | VTAP_KEY_IP;
	}

	return ranges;
}
