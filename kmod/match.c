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

#include "refuse.h"
#include "vtap.h"

#define VTAP_MAX_TAGS		4	/* in the frame, besides one in the metadata */
#define VTAP_MAX_EXTHDRS	8
#define VTAP_MAX_HEADERS	512	/* looked at when they are not in the linear part */
/* as draft-foschiano-erspan has them; encap.c writes them */
#define VTAP_ERSPAN2_LEN	8
#define VTAP_ERSPAN3_LEN	12
#define VTAP_ERSPAN3_SUB_LEN	8
/* first byte of a VXLAN header; of a GENEVE header, below its version, which is 0 */
#define VTAP_VXLAN_I		0x08
#define VTAP_VXLAN_P		0x04
#define VTAP_GENEVE_OPT_LEN	0x3f
#define VTAP_VNI_MAX		0xffffff

static const void *vtap_match_header(const struct vtap_frame *f, unsigned int off,
				     unsigned int len, void *buf)
{
	return skb_header_pointer(f->skb, f->mac + (int)off, len, buf);
}

static u8 vtap_match_tunnel_proto(u32 tunnel)
{
	return tunnel == VTAP_TUNNEL_GRE ? IPPROTO_GRE : IPPROTO_UDP;
}

static __be16 vtap_match_tunnel_port(u32 tunnel)
{
	return htons(tunnel == VTAP_TUNNEL_VXLAN ? VTAP_VXLAN_PORT : VTAP_GENEVE_PORT);
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

/* A packet behind ETH_HLEN bytes that are not read: @eth is in their place. */
static bool vtap_match_bare(struct vtap_frame *f, const u8 *p, unsigned int len,
			    const struct ethhdr *eth, __be16 tci)
{
	vtap_match_start(f, (const u8 *)eth, tci);
	if (eth->h_proto == htons(ETH_P_IP))
		return vtap_match_ipv4(f, p, len, ETH_HLEN);
	if (eth->h_proto == htons(ETH_P_IPV6))
		return vtap_match_ipv6(f, p, len, ETH_HLEN);
	return true;
}

/* Headers that lie in page frags. Apart, so that other frames do not pay for the buffer. */
static noinline void vtap_match_far(struct vtap_frame *f, __be16 tci, const struct ethhdr *bare)
{
	const unsigned int len = min_t(unsigned int, f->len, VTAP_MAX_HEADERS);
	const unsigned int off = bare ? ETH_HLEN : 0;
	u8 buf[VTAP_MAX_HEADERS] __aligned(8);

	if (skb_copy_bits(f->skb, f->mac + (int)off, buf + off, len - off))
		return;
	if (bare)
		vtap_match_bare(f, buf, len, bare, tci);
	else
		vtap_match_frame(f, buf, len, tci);
}

/**
 * struct vtap_tunnel_hdr - a tunnel header that was read
 * @len: from the transport header to what is inside
 * @proto: EtherType of what is inside, ETH_P_TEB for an Ethernet frame
 * @key: its key
 * @has_key: there is one
 */
struct vtap_tunnel_hdr {
	unsigned int len;
	__be16 proto;
	u32 key;
	bool has_key;
};

/* GRE of version 0; ERSPAN is GRE with an own header before the Ethernet frame. */
static noinline bool vtap_match_gre(const struct vtap_frame *f, struct vtap_tunnel_hdr *t)
{
	unsigned int at = f->l4 + sizeof(struct gre_base_hdr);
	const struct gre_base_hdr *gre;
	struct gre_base_hdr buf;
	const __be32 *key;
	const u8 *h;
	__be32 word;
	u8 last;

	gre = vtap_match_header(f, f->l4, sizeof(buf), &buf);
	if (!gre || gre->flags & (GRE_ROUTING | GRE_VERSION))
		return false;
	if (gre->flags & GRE_CSUM)
		at += sizeof(word);
	t->has_key = gre->flags & GRE_KEY;
	if (t->has_key) {
		key = vtap_match_header(f, at, sizeof(word), &word);
		if (!key)
			return false;
		t->key = get_unaligned_be32(key);
		at += sizeof(word);
	}
	if (gre->flags & GRE_SEQ)
		at += sizeof(word);
	t->proto = gre->protocol;
	/* type I has no sequence number, and no header of its own */
	if (t->proto == htons(ETH_P_ERSPAN)) {
		t->proto = htons(ETH_P_TEB);
		at += gre->flags & GRE_SEQ ? VTAP_ERSPAN2_LEN : 0;
	} else if (t->proto == htons(ETH_P_ERSPAN2)) {
		h = vtap_match_header(f, at + VTAP_ERSPAN3_LEN - 1, 1, &last);
		t->proto = h ? htons(ETH_P_TEB) : 0;
		at += VTAP_ERSPAN3_LEN + (h && *h & 1 ? VTAP_ERSPAN3_SUB_LEN : 0);
	}
	t->len = at - f->l4;
	return true;
}

/*
 * VXLAN and GENEVE, whatever the port: rules and sessions know which ports they mean. Both have
 * the identifier in the same place.
 */
static __always_inline bool vtap_match_udp(const struct vtap_frame *f, u32 tunnel,
					   struct vtap_tunnel_hdr *t)
{
	const unsigned int at = f->l4 + sizeof(struct udphdr);
	const u8 *h;
	u64 buf;

	h = vtap_match_header(f, at, sizeof(buf), &buf);
	if (!h)
		return false;
	if (tunnel == VTAP_TUNNEL_VXLAN) {
		/* an identifier, and no other protocol than Ethernet inside (VXLAN-GPE) */
		if ((h[0] & (VTAP_VXLAN_I | VTAP_VXLAN_P)) != VTAP_VXLAN_I)
			return false;
		t->proto = htons(ETH_P_TEB);
		t->len = sizeof(struct udphdr) + sizeof(buf);
	} else {
		if (h[0] & ~VTAP_GENEVE_OPT_LEN)
			return false;
		t->proto = get_unaligned((const __be16 *)(h + 2));
		t->len = sizeof(struct udphdr) + sizeof(buf) + h[0] * 4;
	}
	t->key = get_unaligned_be32(h + 4) >> 8;
	t->has_key = true;
	return true;
}

static __always_inline bool vtap_match_tunnel_hdr(const struct vtap_frame *f, u32 tunnel,
						  struct vtap_tunnel_hdr *t)
{
	/* none in later fragments, nor behind headers that are cut off */
	if (!f->l4 || f->key.ip_proto != vtap_match_tunnel_proto(tunnel))
		return false;
	return tunnel == VTAP_TUNNEL_GRE ? vtap_match_gre(f, t) : vtap_match_udp(f, tunnel, t);
}

/**
 * vtap_match_tunnel - read into the key what rules can ask of a tunnel header
 * @f: parsed frame; may be so for the second time
 */
void vtap_match_tunnel(struct vtap_frame *f)
{
	struct vtap_tunnel_hdr t __uninitialized;
	struct vtap_key *key = &f->key;
	u32 tunnel;

	key->tunnel = 0;
	key->tunnel_key = 0;
	for (tunnel = VTAP_TUNNEL_VXLAN; tunnel <= VTAP_TUNNEL_GRE; tunnel++) {
		if (!vtap_match_tunnel_hdr(f, tunnel, &t))
			continue;
		key->tunnel |= BIT(tunnel);
		if (t.has_key) {
			key->tunnel |= VTAP_KEY_TUNNEL_KEY;
			key->tunnel_key = t.key;
		}
	}
}

/*
 * Where the packet of the outer headers ends: behind it may be the padding of a short frame.
 * Super-frames are longer than their headers can say.
 */
static unsigned int vtap_match_end(const struct vtap_frame *f)
{
	unsigned int end = f->len, n;
	const __be16 *len;
	__be16 buf;

	if (skb_is_gso(f->skb))
		return end;
	if (f->key.proto == htons(ETH_P_IP)) {
		len = vtap_match_header(f, f->l3 + offsetof(struct iphdr, tot_len),
					sizeof(buf), &buf);
		n = 0;
	} else {
		len = vtap_match_header(f, f->l3 + offsetof(struct ipv6hdr, payload_len),
					sizeof(buf), &buf);
		n = sizeof(struct ipv6hdr);
	}
	if (len && *len)
		end = min(end, f->l3 + n + ntohs(*len));
	if (f->key.ip_proto != IPPROTO_UDP)
		return end;
	len = vtap_match_header(f, f->l4 + offsetof(struct udphdr, len), sizeof(buf), &buf);
	if (len && *len)
		end = min_t(unsigned int, end, f->l4 + ntohs(*len));
	return end;
}

/* What lies behind a tunnel header; an IP packet is taken for a frame with the addresses of @f. */
static noinline bool vtap_match_behind(const struct vtap_frame *f, const struct vtap_tunnel_hdr *t,
				       struct vtap_frame *inner)
{
	const bool bare = t->proto == htons(ETH_P_IP) || t->proto == htons(ETH_P_IPV6);
	struct ethhdr eth;
	unsigned int end;
	int avail, off;

	if (!bare && t->proto != htons(ETH_P_TEB))
		return false;
	end = vtap_match_end(f);
	off = f->l4 + t->len - (bare ? ETH_HLEN : 0);
	if (off + ETH_HLEN + (bare ? 1 : 0) > end)
		return false;

	memcpy(&eth, &f->key.eth, sizeof(eth));
	eth.h_proto = t->proto;
	inner->skb = f->skb;
	inner->ifindex = f->ifindex;
	inner->dir = f->dir;
	inner->bare = bare;
	inner->mac = f->mac + off;
	inner->len = end - off;
	avail = min_t(int, (int)skb_headlen(f->skb) - inner->mac, inner->len);
	if (avail < ETH_HLEN ||
	    (!(bare ? vtap_match_bare(inner, f->skb->data + inner->mac, avail, &eth, 0) :
		      vtap_match_frame(inner, f->skb->data + inner->mac, avail, 0)) &&
	     avail < (int)inner->len))
		vtap_match_far(inner, 0, bare ? &eth : NULL);
	return true;
}

static __always_inline bool vtap_match_through(const struct vtap_frame *f, u32 tunnel,
					       struct vtap_frame *inner)
{
	struct vtap_tunnel_hdr t __uninitialized;

	return vtap_match_tunnel_hdr(f, tunnel, &t) && vtap_match_behind(f, &t, inner);
}

/**
 * vtap_match_inner - read the fields of what is inside a tunnel
 * @f: parsed frame
 * @tunnel: enum vtap_tunnel
 * @inner: gets the frame; the same as @f or another
 *
 * Return: false when there is neither a frame nor an IP packet.
 */
bool vtap_match_inner(const struct vtap_frame *f, u32 tunnel, struct vtap_frame *inner)
{
	return vtap_match_through(f, tunnel, inner);
}

/**
 * vtap_match_decap - what to copy of a frame when tunnels are to be taken away
 * @f: parsed frame; its key says of which kind the rule that decided on it knows it to be
 * @inner: gets what is inside
 *
 * Without a rule that says so, UDP is a tunnel by its port. Of a fragmented packet, no part can
 * be had that is a frame.
 *
 * Return: false when it is in no tunnel.
 */
bool vtap_match_decap(const struct vtap_frame *f, struct vtap_frame *inner)
{
	const struct vtap_key *key = &f->key;
	u32 tunnel;

	if (key->flags & VTAP_KEY_FRAG)
		return false;
	if (key->ip_proto == IPPROTO_GRE)
		return vtap_match_inner(f, VTAP_TUNNEL_GRE, inner);
	for (tunnel = VTAP_TUNNEL_VXLAN; tunnel <= VTAP_TUNNEL_GENEVE; tunnel++) {
		if (key->tunnel ? key->tunnel & BIT(tunnel) :
				  key->dport == vtap_match_tunnel_port(tunnel))
			return vtap_match_inner(f, tunnel, inner);
	}
	return false;
}

/**
 * vtap_match_inside - does what is inside a tunnel look as a rule wants it?
 * @m: what it wants
 * @f: parsed frame
 *
 * Return: true when it does.
 */
bool vtap_match_inside(const struct vtap_inner *m, const struct vtap_frame *f)
{
	struct vtap_frame inner __uninitialized;
	const u64 *key = (const u64 *)&inner.key;
	unsigned int i;
	u16 s, d;

	if (!vtap_match_inner(f, m->tunnel, &inner))
		return false;
	for (i = 0; i < VTAP_KEY_WORDS; i++) {
		if ((key[i] & m->mask[i]) != m->key[i])
			return false;
	}
	s = ntohs(inner.key.sport);
	d = ntohs(inner.key.dport);
	return s >= m->sport[0] && s <= m->sport[1] && d >= m->dport[0] && d <= m->dport[1];
}

/* Anything; Return: true. */
static noinline bool vtap_match_any(struct vtap_frame *f, unsigned int avail, __be16 tci)
{
	if (!vtap_match_frame(f, f->skb->data + f->mac, avail, tci) && avail < f->len)
		vtap_match_far(f, tci, NULL);
	return true;
}

/*
 * The Ethernet header that a packet of a device without one gets: the device's address where it
 * has one of that length, and the protocol that the stack takes it for. At egress nobody says
 * where a MAC header would be, and at ingress it may be another's.
 */
static noinline bool vtap_match_packet(struct vtap_frame *f)
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
		vtap_match_start(f, (const u8 *)&eth, tci);
		vtap_match_far(f, tci, &eth);
	} else if (!vtap_match_bare(f, skb->data + f->mac, avail, &eth, tci) &&
		   avail < (int)f->len) {
		vtap_match_far(f, tci, &eth);
	}
	return true;
}

/**
 * vtap_match_parse - read the fields that rules can ask for
 * @f: frame with skb, ifindex, dir and bare set; the rest is filled in
 *
 * Reads only; trusts no length in the frame. Softirq context.
 *
 * Return: false when the skb has no complete Ethernet header, or of a bare one when it is empty.
 */
bool vtap_match_parse(struct vtap_frame *f)
{
	const struct sk_buff *skb = f->skb;
	__be16 tci = 0;
	const u8 *p;
	int avail;

	if (unlikely(f->bare))
		return vtap_match_packet(f);
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

/* The tunnel in a match, and @proto, which it implies. */
static int vtap_match_check_tunnel(const struct vtap_match *m, int proto,
				   struct netlink_ext_ack *extack)
{
	if (vtap_match_has(m, VTAP_A_MATCH_PROTOCOL) &&
	    m->protocol != ETH_P_IP && m->protocol != ETH_P_IPV6) {
		NL_SET_ERR_MSG(extack, "tunnel needs protocol ip or ipv6");
		return -EINVAL;
	}
	if (vtap_match_has(m, VTAP_A_MATCH_IP_PROTO) && m->ip_proto != proto) {
		NL_SET_ERR_MSG(extack, "tunnel vxlan and geneve need ip_proto udp, tunnel gre needs gre");
		return -EINVAL;
	}
	if (proto == IPPROTO_UDP && m->tunnel_key > VTAP_VNI_MAX) {
		NL_SET_ERR_MSG(extack, "tunnel_key of vxlan and geneve is at most 16777215");
		return -EINVAL;
	}
	return 0;
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
	int proto = vtap_match_has(m, VTAP_A_MATCH_IP_PROTO) ? m->ip_proto : -1;
	u8 family = m->src_ip.family ?: m->dst_ip.family;

	if (vtap_match_has(m, VTAP_A_MATCH_TUNNEL)) {
		proto = vtap_match_tunnel_proto(m->tunnel);
		if (vtap_match_check_tunnel(m, proto, extack))
			return -EINVAL;
	} else if (vtap_match_has(m, VTAP_A_MATCH_TUNNEL_KEY) ||
		   vtap_match_has(m, VTAP_A_MATCH_INNER)) {
		NL_SET_ERR_MSG(extack, "tunnel_key and inner need a tunnel");
		return -EINVAL;
	}
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
	if (proto >= 0) {
		switch (proto) {
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
		if (vtap_match_has(m, VTAP_A_MATCH_TCP_FLAGS) && proto != IPPROTO_TCP) {
			NL_SET_ERR_MSG(extack, "tcp_flags needs ip_proto tcp");
			return -EINVAL;
		}
		if (vtap_match_icmp(m) && proto != IPPROTO_ICMP && proto != IPPROTO_ICMPV6) {
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
	return vtap_refuse_match(m, proto, extack);
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

static void vtap_match_compile_tunnel(const struct vtap_match *m, struct vtap_key *k,
				      struct vtap_key *w)
{
	k->tunnel = BIT(m->tunnel);
	if (vtap_match_has(m, VTAP_A_MATCH_TUNNEL_KEY)) {
		k->tunnel |= VTAP_KEY_TUNNEL_KEY;
		k->tunnel_key = m->tunnel_key;
		w->tunnel_key = U32_MAX;
	}
	w->tunnel = k->tunnel;
	k->ip_proto = vtap_match_tunnel_proto(m->tunnel);
	w->ip_proto = 0xff;
	k->flags |= VTAP_KEY_IP;
	if (k->ip_proto != IPPROTO_UDP || vtap_match_has(m, VTAP_A_MATCH_DST_PORT))
		return;
	k->dport = vtap_match_tunnel_port(m->tunnel);
	w->dport = htons(0xffff);
	k->flags |= VTAP_KEY_PORTS;
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
	if (vtap_match_has(m, VTAP_A_MATCH_TUNNEL))
		vtap_match_compile_tunnel(m, k, w);
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
