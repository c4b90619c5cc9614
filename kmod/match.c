// SPDX-License-Identifier: GPL-2.0
/* Frame to key, match to key and mask, key to rule. No locks, no netlink. */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "vtap.h"

#define VTAP_MAX_TAGS		4	/* in the frame, besides one in the metadata */
#define VTAP_MAX_EXTHDRS	8

/**
 * struct vtap_entry - a rule as packets are compared with it
 * @rule: the rule
 * @key: what the bits in @mask have to be, a struct vtap_key
 * @mask: the bits that matter, a struct vtap_key
 * @sport: lowest and highest source port
 * @dport: lowest and highest destination port
 * @words: bit i set when key word i matters
 * @ranges: @sport and @dport have to be looked at as well
 * @dirs: directions the rule is for, BIT(VTAP_IN) | BIT(VTAP_OUT)
 */
struct vtap_entry {
	const struct vtap_rule *rule;
	u64 key[VTAP_KEY_WORDS];
	u64 mask[VTAP_KEY_WORDS];
	u16 sport[2];
	u16 dport[2];
	u8 words;
	bool ranges;
	u8 dirs;
};

struct vtap_table {
	struct rcu_head rcu;
	unsigned int n;
	struct vtap_entry entry[];
};

static const void *vtap_match_header(const struct vtap_frame *f, unsigned int off,
				     unsigned int len, void *buf)
{
	return skb_header_pointer(f->skb, f->mac + (int)off, len, buf);
}

static void vtap_match_l4(struct vtap_frame *f, unsigned int off)
{
	struct vtap_key *key = &f->key;
	const __be16 *w;
	__be16 buf[7];
	const u8 *b;

	switch (key->ip_proto) {
	case IPPROTO_TCP:
		w = vtap_match_header(f, off, 14, buf);
		if (w) {
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
		if ((key->ip_proto == IPPROTO_ICMP) != (key->proto == htons(ETH_P_IP)))
			return;
		b = vtap_match_header(f, off, 2, buf);
		if (b) {
			key->icmp_type = b[0];
			key->icmp_code = b[1];
			key->flags |= VTAP_KEY_ICMP;
			f->l4 = off;
		}
		return;
	default:
		f->l4 = off;
		return;
	}

	w = vtap_match_header(f, off, 4, buf);
	if (w) {
		key->sport = w[0];
		key->dport = w[1];
		key->flags |= VTAP_KEY_PORTS;
	}
}

static void vtap_match_ipv4(struct vtap_frame *f, unsigned int off)
{
	struct vtap_key *key = &f->key;
	const struct iphdr *iph;
	struct iphdr buf;

	iph = vtap_match_header(f, off, sizeof(buf), &buf);
	if (!iph || iph->version != 4 || iph->ihl < 5)
		return;

	f->l3 = off;
	key->flags |= VTAP_KEY_IP;
	key->src.s6_addr32[0] = iph->saddr;
	key->dst.s6_addr32[0] = iph->daddr;
	key->ip_proto = iph->protocol;
	if (iph->frag_off & htons(IP_MF | IP_OFFSET)) {
		key->flags |= VTAP_KEY_FRAG;
		if (iph->frag_off & htons(IP_OFFSET))
			return;
		key->flags |= VTAP_KEY_FIRST;
	}
	vtap_match_l4(f, off + iph->ihl * 4);
}

static void vtap_match_ipv6(struct vtap_frame *f, unsigned int off)
{
	struct vtap_key *key = &f->key;
	const struct ipv6_opt_hdr *opt;
	const struct ipv6hdr *ip6h;
	struct frag_hdr fbuf;
	struct ipv6hdr buf;
	int i;

	ip6h = vtap_match_header(f, off, sizeof(buf), &buf);
	if (!ip6h || ip6h->version != 6)
		return;

	f->l3 = off;
	key->flags |= VTAP_KEY_IP;
	key->src = ip6h->saddr;
	key->dst = ip6h->daddr;
	key->ip_proto = ip6h->nexthdr;
	off += sizeof(*ip6h);

	for (i = 0; i < VTAP_MAX_EXTHDRS; i++) {
		const struct frag_hdr *fh;

		switch (key->ip_proto) {
		case NEXTHDR_FRAGMENT:
			fh = vtap_match_header(f, off, sizeof(fbuf), &fbuf);
			if (!fh)
				return;
			key->flags |= VTAP_KEY_FRAG;
			key->ip_proto = fh->nexthdr;
			if (fh->frag_off & htons(IP6_OFFSET))
				return;
			/* an atomic fragment is a fragment, as the flow dissector has it */
			key->flags |= VTAP_KEY_FIRST;
			off += sizeof(*fh);
			break;
		case NEXTHDR_HOP:
		case NEXTHDR_ROUTING:
		case NEXTHDR_DEST:
		case NEXTHDR_AUTH:
			opt = vtap_match_header(f, off, sizeof(*opt), &fbuf);
			if (!opt)
				return;
			off += key->ip_proto == NEXTHDR_AUTH ?
			       ipv6_authlen(opt) : ipv6_optlen(opt);
			key->ip_proto = opt->nexthdr;
			break;
		default:
			vtap_match_l4(f, off);
			return;
		}
	}
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
	struct vtap_key *key = &f->key;
	const struct ethhdr *eth;
	unsigned int off = ETH_HLEN;
	__be16 proto;
	int i;

	if (unlikely(!skb_mac_header_was_set(skb)))
		return false;

	f->mac = skb_mac_header(skb) - skb->data;
	if (unlikely(f->mac > 0 || (int)skb_headlen(skb) - f->mac < ETH_HLEN))
		return false;

	f->len = skb->len - f->mac;
	f->l3 = 0;
	f->l4 = 0;
	memset(key, 0, sizeof(*key));
	eth = (const struct ethhdr *)(skb->data + f->mac);
	memcpy(&key->macs, eth, sizeof(key->macs));
	key->dir = BIT(f->dir);

	if (skb_vlan_tag_present(skb))
		key->vlan = htons(skb_vlan_tag_get(skb) | VTAP_KEY_TAGGED);

	proto = eth->h_proto;
	for (i = 0; eth_type_vlan(proto) && i < VTAP_MAX_TAGS; i++) {
		const struct vlan_hdr *vh;
		struct vlan_hdr buf;

		vh = vtap_match_header(f, off, sizeof(buf), &buf);
		if (!vh)
			break;
		if (!key->vlan)
			key->vlan = vh->h_vlan_TCI | htons(VTAP_KEY_TAGGED);
		proto = vh->h_vlan_encapsulated_proto;
		off += VLAN_HLEN;
	}
	key->proto = proto;

	if (proto == htons(ETH_P_IP))
		vtap_match_ipv4(f, off);
	else if (proto == htons(ETH_P_IPV6))
		vtap_match_ipv6(f, off);
	return true;
}

/**
 * vtap_match_hash - hash of a flow, the same for both directions
 * @key: from vtap_match_parse()
 *
 * Return: the hash, never 0.
 */
u32 vtap_match_hash(const struct vtap_key *key)
{
	u32 h, i;

	h = (__force u16)(key->sport ^ key->dport) | key->ip_proto << 16;
	for (i = 0; i < 4; i++)
		h += (__force u32)(key->src.s6_addr32[i] ^ key->dst.s6_addr32[i]);
	if (!(key->flags & VTAP_KEY_IP)) {
		for (i = 0; i < ETH_ALEN; i++)
			h += (u32)(key->src_mac[i] ^ key->dst_mac[i]) << (4 * i);
	}
	h *= 0x9e3779b1;	/* the golden ratio, as in linux/hash.h */
	h ^= h >> 16;
	return h ?: 1;
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

static void vtap_match_compile(const struct vtap_match *m, struct vtap_entry *e)
{
	struct vtap_key *k = (struct vtap_key *)e->key, *w = (struct vtap_key *)e->mask;
	u8 family = m->src_ip.family ?: m->dst_ip.family;
	unsigned int i;

	BUILD_BUG_ON(sizeof(struct vtap_key) != 64);

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
	e->sport[1] = 0xffff;
	e->dport[1] = 0xffff;
	if (vtap_match_has(m, VTAP_A_MATCH_SRC_PORT))
		e->ranges |= vtap_match_port(m->src_port, m->src_port_max,
					     &k->sport, &w->sport, e->sport);
	if (vtap_match_has(m, VTAP_A_MATCH_DST_PORT))
		e->ranges |= vtap_match_port(m->dst_port, m->dst_port_max,
					     &k->dport, &w->dport, e->dport);
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

	for (i = 0; i < VTAP_KEY_WORDS; i++) {
		if (e->mask[i])
			e->words |= BIT(i);
	}
}

/**
 * vtap_table_alloc - an empty table
 * @n_rules: most rules that will be appended
 *
 * Return: the table, NULL when memory is short.
 */
struct vtap_table *vtap_table_alloc(unsigned int n_rules)
{
	struct vtap_table *t;

	return kvzalloc(struct_size(t, entry, n_rules), GFP_KERNEL);
}

/**
 * vtap_table_append - add a rule behind those that are in the table
 * @t: not published yet, with room for one more
 * @rule: stays valid for an RCU grace period after the table is replaced
 */
void vtap_table_append(struct vtap_table *t, const struct vtap_rule *rule)
{
	struct vtap_entry *e = &t->entry[t->n++];

	e->rule = rule;
	e->dirs = rule->cfg.dir;
	vtap_match_compile(&rule->cfg.match, e);
}

static bool vtap_table_match(const struct vtap_entry *e, const struct vtap_key *key)
{
	const u64 *k = (const u64 *)key;
	unsigned int words = e->words;

	if (!(e->dirs & key->dir))
		return false;
	while (words) {
		unsigned int i = __ffs(words);

		if ((k[i] & e->mask[i]) != e->key[i])
			return false;
		words &= words - 1;
	}
	if (unlikely(e->ranges)) {
		u16 s = ntohs(key->sport), d = ntohs(key->dport);

		return s >= e->sport[0] && s <= e->sport[1] &&
		       d >= e->dport[0] && d <= e->dport[1];
	}
	return true;
}

/**
 * vtap_table_lookup - the first rule that matches
 * @t: published table; RCU read side
 * @f: parsed frame
 *
 * Return: the rule, NULL for none.
 */
const struct vtap_rule *vtap_table_lookup(const struct vtap_table *t, const struct vtap_frame *f)
{
	const struct vtap_entry *e;

	for (e = t->entry; e < t->entry + t->n; e++) {
		if (vtap_table_match(e, &f->key))
			return e->rule;
	}
	return NULL;
}

/**
 * vtap_table_same - do two tables hold the same rules?
 * @a: a table
 * @b: another
 *
 * Return: true when packets cannot tell them apart.
 */
bool vtap_table_same(const struct vtap_table *a, const struct vtap_table *b)
{
	unsigned int i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++) {
		if (a->entry[i].rule != b->entry[i].rule)
			return false;
	}
	return true;
}

/**
 * vtap_table_dirs - directions that any of the rules is for
 * @t: a table
 *
 * Return: BIT(VTAP_IN) | BIT(VTAP_OUT), or one of them.
 */
u32 vtap_table_dirs(const struct vtap_table *t)
{
	unsigned int i;
	u32 dirs = 0;

	for (i = 0; i < t->n; i++)
		dirs |= t->entry[i].dirs;
	return dirs;
}

/**
 * vtap_table_free_rcu - free a table that no packet finds any more
 * @t: a table, or NULL
 */
void vtap_table_free_rcu(struct vtap_table *t)
{
	if (t)
		kvfree_rcu(t, rcu);
}
