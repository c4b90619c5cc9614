// SPDX-License-Identifier: GPL-2.0
/* Recognises copies that vtap made: by the skb that is being sent, or by the outer headers. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <net/gre.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "own.h"

#define VTAP_OWN_ERSPAN_ID	0x3ff
/* an ICMP error quotes at least so many bytes behind the IP header */
#define VTAP_OWN_QUOTED		8

/* Softirq, or BH disabled */
DEFINE_PER_CPU(struct vtap_own_mark, vtap_own_mark);

static u32 vtap_own_what(u16 proto, u8 ip_proto, enum vtap_own_kind kind)
{
	return proto << 16 | ip_proto << 8 | kind;
}

/* The fields that all packets of a tunnel between two addresses share. */
static bool vtap_own_path(struct vtap_own_key *k, u8 ip_proto, const u8 *h, unsigned int len)
{
	if (len < 4)
		return false;
	if (ip_proto == IPPROTO_GRE)
		k->tun = get_unaligned((const __be32 *)h);
	else
		k->tun = (__force __be32)(u32)(__force u16)((const struct udphdr *)h)->dest;
	return true;
}

/*
 * The fields of a tunnel header of which @len bytes are at @h.
 * Return: false when no session sends such a header.
 */
static bool vtap_own_tunnel(struct vtap_own_key *k, u8 ip_proto, const u8 *h, unsigned int len)
{
	unsigned int at = sizeof(struct gre_base_hdr);
	const struct gre_base_hdr *gre;

	if (!vtap_own_path(k, ip_proto, h, len))
		return false;
	k->id = 0;
	k->session = 0;
	if (ip_proto == IPPROTO_UDP) {
		if (len < sizeof(struct udphdr) + 8 ||
		    get_unaligned_be32(h + sizeof(struct udphdr)) != VTAP_VXLAN_FLAGS)
			return false;
		k->id = get_unaligned((const __be32 *)(h + sizeof(struct udphdr) + 4));
		return true;
	}
	gre = (const struct gre_base_hdr *)h;
	if (gre->flags & ~(GRE_CSUM | GRE_KEY | GRE_SEQ))
		return false;
	if (gre->flags & GRE_CSUM)
		at += 4;
	if (gre->flags & GRE_KEY) {
		if (at + 4 > len)
			return false;
		k->id = get_unaligned((const __be32 *)(h + at));
		at += 4;
	}
	/* ERSPAN I has neither a sequence number nor a header of its own */
	if (!(gre->flags & GRE_SEQ))
		return true;
	at += 4;
	if (gre->protocol != htons(ETH_P_ERSPAN) && gre->protocol != htons(ETH_P_ERSPAN2))
		return true;
	if (at + 4 > len)
		return false;
	k->session = get_unaligned_be32(h + at) & VTAP_OWN_ERSPAN_ID;
	return true;
}

static u32 vtap_own_hash(const struct vtap_own *o, const struct vtap_own_key *k)
{
	BUILD_BUG_ON(sizeof(*k) % sizeof(u32));
	return jhash2((const u32 *)k, sizeof(*k) / sizeof(u32), o->seed);
}

static struct vtap_own_node *vtap_own_find(const struct vtap_own *o, const struct vtap_own_key *k,
					   u32 hash)
{
	struct vtap_own_node *n;

	hlist_for_each_entry_rcu(n, &o->buckets[hash >> (32 - VTAP_OWN_BITS)], node,
				 lockdep_rtnl_is_held()) {
		if (n->hash == hash && !memcmp(&n->key, k, sizeof(*k)))
			return n;
	}
	return NULL;
}

static bool vtap_own_has(const struct vtap_own *o, const struct vtap_own_key *k)
{
	return vtap_own_find(o, k, vtap_own_hash(o, k));
}

/* The tunnel header of a GRE or UDP frame. Return: false if no session sends such a header. */
static bool vtap_own_frame(struct vtap_own_key *k, const struct vtap_frame *f)
{
	const unsigned int len = min_t(unsigned int, f->len - f->l4, VTAP_OWN_TUN_MAX);
	u8 buf[VTAP_OWN_TUN_MAX];
	const u8 *h;

	/* later fragments have no tunnel header */
	if (!f->l4)
		return false;
	h = skb_header_pointer(f->skb, f->mac + f->l4, len, buf);
	return h && vtap_own_tunnel(k, f->key.ip_proto, h, len);
}

/*
 * An ICMP error about one of our copies quotes the copy's outer headers, and is sent to their
 * source address. A fragmented copy is recognised by its first fragment.
 */
static bool vtap_own_error(const struct vtap_own *o, const struct vtap_frame *f)
{
	unsigned int at = f->l4 + sizeof(struct icmphdr);
	const bool ipv4 = f->key.proto == htons(ETH_P_IP);
	struct vtap_own_key k = { .src = f->key.dst };
	u8 proto, buf[sizeof(struct ipv6hdr)];
	const u8 *h;

	BUILD_BUG_ON(sizeof(struct icmphdr) != sizeof(struct icmp6hdr));
	if (!f->l4 || f->key.flags & VTAP_KEY_FRAG)
		return false;
	if (ipv4) {
		const struct iphdr *iph;

		iph = skb_header_pointer(f->skb, f->mac + at, sizeof(*iph), buf);
		if (!iph || iph->version != 4 || iph->ihl < 5 ||
		    iph->frag_off & htons(IP_OFFSET) || iph->saddr != k.src.s6_addr32[0])
			return false;
		k.dst.s6_addr32[0] = iph->daddr;
		proto = iph->protocol;
		at += iph->ihl * 4;
	} else {
		const struct ipv6hdr *ip6h;

		ip6h = skb_header_pointer(f->skb, f->mac + at, sizeof(*ip6h), buf);
		if (!ip6h || ip6h->version != 6 || !ipv6_addr_equal(&ip6h->saddr, &k.src))
			return false;
		k.dst = ip6h->daddr;
		proto = ip6h->nexthdr;
		at += sizeof(*ip6h);
		if (proto == NEXTHDR_FRAGMENT) {
			const struct frag_hdr *fh;

			fh = skb_header_pointer(f->skb, f->mac + at, sizeof(*fh), buf);
			if (!fh || fh->frag_off & htons(IP6_OFFSET))
				return false;
			proto = fh->nexthdr;
			at += sizeof(*fh);
		}
	}
	if (proto != IPPROTO_GRE && proto != IPPROTO_UDP)
		return false;
	h = skb_header_pointer(f->skb, f->mac + at, VTAP_OWN_QUOTED, buf);
	if (!h || !vtap_own_path(&k, proto, h, VTAP_OWN_QUOTED))
		return false;
	k.what = vtap_own_what(ipv4 ? ETH_P_IP : ETH_P_IPV6, proto, VTAP_OWN_PATH);
	return vtap_own_has(o, &k);
}

/**
 * vtap_own_look - the rest of vtap_own()
 * @o: the namespace's copies
 * @f: parsed frame that is UDP, GRE, or an ICMP error; RCU read side
 *
 * Return: true when it has the outer headers of a session, or quotes them.
 */
bool vtap_own_look(const struct vtap_own *o, const struct vtap_frame *f)
{
	struct vtap_own_key k;

	if (f->key.ip_proto != IPPROTO_UDP && f->key.ip_proto != IPPROTO_GRE)
		return vtap_own_error(o, f);
	if (!vtap_own_frame(&k, f))
		return false;
	k.src = f->key.src;
	k.dst = f->key.dst;
	k.what = vtap_own_what(ntohs(f->key.proto), f->key.ip_proto, VTAP_OWN_EXACT);
	return vtap_own_has(o, &k);
}

/**
 * vtap_own_dest - is the frame addressed to a collector as our copies are, whatever its source?
 * @o: the namespace's copies
 * @f: parsed frame that is UDP or GRE; RCU read side
 *
 * Return: true when it does.
 */
bool vtap_own_dest(const struct vtap_own *o, const struct vtap_frame *f)
{
	struct vtap_own_key k = {};

	if (!vtap_own_frame(&k, f))
		return false;
	k.dst = f->key.dst;
	k.what = vtap_own_what(ntohs(f->key.proto), f->key.ip_proto, VTAP_OWN_DEST);
	return vtap_own_has(o, &k);
}

/**
 * vtap_own_quote - is the packet that an ICMP error quotes a copy?
 * @o: the namespace's copies
 * @k: has the addresses, and gets what vtap_own_quoted() compares
 * @proto: EtherType
 * @ip_proto: IP protocol
 * @h: the quoted tunnel header
 * @len: how much of it is quoted, which may be no more than VTAP_OWN_QUOTED; RCU read side
 *
 * Return: true when it is, as far as the quote goes.
 */
bool vtap_own_quote(const struct vtap_own *o, struct vtap_own_key *k, u16 proto, u8 ip_proto,
		    const u8 *h, unsigned int len)
{
	enum vtap_own_kind kind = VTAP_OWN_EXACT;

	if ((ip_proto != IPPROTO_GRE && ip_proto != IPPROTO_UDP) || len < VTAP_OWN_QUOTED)
		return false;
	if (!vtap_own_tunnel(k, ip_proto, h, len)) {
		/* what is there must be enough, unless the quote ends in the header */
		if (len >= VTAP_OWN_TUN_MAX || !vtap_own_path(k, ip_proto, h, len))
			return false;
		k->id = 0;
		kind = VTAP_OWN_PATH;
	}
	k->what = vtap_own_what(proto, ip_proto, kind);
	return vtap_own_has(o, k);
}

/* Would copies of this template be quoted so? Return: true when they would. */
bool vtap_own_quoted(const struct vtap_tmpl *t, const struct vtap_own_key *k)
{
	return !memcmp(&t->own[(u8)k->what].key, k, sizeof(*k));
}

static void vtap_own_hop_key(struct vtap_own_key *k, const u8 *mac)
{
	*k = (struct vtap_own_key){ .what = vtap_own_what(0, 0, VTAP_OWN_HOP) };
	memcpy(&k->dst, mac, ETH_ALEN);
}

/*
 * Do copies of ours go to this link-layer address? RCU read side. Return: true when it is that of
 * a collector, or of a router on the way to one.
 */
bool vtap_own_hop(const struct vtap_own *o, const u8 *mac)
{
	struct vtap_own_key k;

	vtap_own_hop_key(&k, mac);
	return vtap_own_has(o, &k);
}

/* Return: false if this template has no key of that kind. */
static bool vtap_own_tmpl(struct vtap_own_key *k, const struct vtap_tmpl *t,
			  enum vtap_own_kind kind)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)(t->hdr + t->l2len);
	const struct iphdr *iph = (const struct iphdr *)(t->hdr + t->l2len);
	const bool ipv4 = t->family == AF_INET;
	const u8 *tun = t->hdr + t->tun;
	u8 proto;

	if (kind == VTAP_OWN_HOP) {
		if (!t->l2len)
			return false;
		vtap_own_hop_key(k, t->hdr);
		return true;
	}
	*k = (struct vtap_own_key){};
	if (!t->family)
		return false;
	if (ipv4) {
		proto = iph->protocol;
		k->dst.s6_addr32[0] = iph->daddr;
		if (kind != VTAP_OWN_DEST)
			k->src.s6_addr32[0] = iph->saddr;
	} else {
		proto = ip6h->nexthdr;
		k->dst = ip6h->daddr;
		if (kind != VTAP_OWN_DEST)
			k->src = ip6h->saddr;
	}
	k->what = vtap_own_what(ipv4 ? ETH_P_IP : ETH_P_IPV6, proto, kind);
	if (kind == VTAP_OWN_PATH)
		return vtap_own_path(k, proto, tun, t->hlen - t->tun);
	return vtap_own_tunnel(k, proto, tun, t->hlen - t->tun);
}

static void vtap_own_count(u16 n[64], u64 *bits, u64 bit, int add)
{
	const unsigned int i = __ffs64(bit);

	n[i] += add;
	WRITE_ONCE(*bits, n[i] ? *bits | bit : *bits & ~bit);
}

/* Keeps the bitmaps that tell at once that most frames are not ours. */
static void vtap_own_sieve(struct vtap_own *o, const struct vtap_tmpl *t, int add)
{
	if (t->type == VTAP_SESSION_TYPE_VXLAN) {
		const struct udphdr *uh = (const struct udphdr *)(t->hdr + t->tun);

		vtap_own_count(o->n_udp, &o->udp_ports, vtap_own_port_bit(uh->dest), add);
	}
	if (t->l2len)
		vtap_own_count(o->n_hops, &o->hops, vtap_own_mac_bit(t->hdr), add);
}

/* Recognise copies of a template from now on; RTNL. */
void vtap_own_add(struct vtap_own *o, struct vtap_tmpl *t)
{
	unsigned int kind;

	for (kind = 0; kind < VTAP_OWN_KINDS; kind++) {
		struct vtap_own_node *n = &t->own[kind], *first;

		INIT_LIST_HEAD(&n->same);
		if (!vtap_own_tmpl(&n->key, t, kind))
			continue;
		n->hash = vtap_own_hash(o, &n->key);
		first = vtap_own_find(o, &n->key, n->hash);
		if (first)
			list_add_tail(&n->same, &first->same);
		else
			hlist_add_head_rcu(&n->node, &o->buckets[n->hash >> (32 - VTAP_OWN_BITS)]);
	}
	vtap_own_sieve(o, t, 1);
}

/**
 * vtap_own_del - stop recognising copies of a template; RTNL
 * @o: the namespace's copies
 * @t: the template, from vtap_own_add(); to be freed after a grace period
 */
void vtap_own_del(struct vtap_own *o, struct vtap_tmpl *t)
{
	unsigned int kind;

	for (kind = 0; kind < VTAP_OWN_KINDS; kind++) {
		struct vtap_own_node *n = &t->own[kind];

		if (!hlist_unhashed(&n->node)) {
			if (list_empty(&n->same))
				hlist_del_rcu(&n->node);
			else
				hlist_replace_rcu(&n->node, &list_next_entry(n, same)->node);
		}
		list_del(&n->same);
	}
	vtap_own_sieve(o, t, -1);
}

/* Allocate a namespace's table of templates; RTNL. Return: 0 or -ENOMEM. */
int vtap_own_init_net(struct vtap_net *vn)
{
	struct vtap_own *o;

	if (rtnl_dereference(vn->own))
		return 0;
	o = kvzalloc(sizeof(*o), GFP_KERNEL_ACCOUNT);
	if (!o)
		return -ENOMEM;
	o->seed = get_random_u32();
	rcu_assign_pointer(vn->own, o);
	return 0;
}

/* Free it; no session is left. */
void vtap_own_exit_net(struct vtap_net *vn)
{
	struct vtap_own *o = rcu_replace_pointer(vn->own, NULL, true);

	if (o)
		kvfree_rcu(o, rcu);
}
