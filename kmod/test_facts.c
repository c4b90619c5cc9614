// SPDX-License-Identifier: GPL-2.0
/* Random frames and rules, and which of them match by the plainest reckoning. */
#include <linux/prandom.h>
#include <net/ip.h>

#include "test.h"

static const u8 vtap_test_protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6,
				       IPPROTO_GRE, IPPROTO_SCTP };
static const u16 vtap_test_ports[] = { 53, 80, 443, 8080 };
static const u16 vtap_test_tcp_flags[] = { 0x02, 0x12, 0x10, 0x11 };

static u32 vtap_test_random(struct vtap_test_table *tt, u32 n)
{
	return prandom_u32_state(&tt->rnd) % n;
}

/* True once in @n times. */
static bool vtap_test_dice(struct vtap_test_table *tt, u32 n)
{
	return !vtap_test_random(tt, n);
}

#define vtap_test_one_of(tt, array)	((array)[vtap_test_random(tt, ARRAY_SIZE(array))])

void vtap_test_random_facts(struct vtap_test_table *tt, struct vtap_test_facts *x)
{
	int i;

	memset(x, 0, sizeof(*x));
	for (i = 0; i < 2; i++) {
		x->mac[i] = vtap_test_random(tt, 4);
		x->net[i] = vtap_test_random(tt, 2);
		x->host[i] = vtap_test_random(tt, 4);
		x->port[i] = vtap_test_one_of(tt, vtap_test_ports);
		x->icmp[i] = vtap_test_random(tt, 3);
	}
	x->dir = vtap_test_random(tt, 2);
	x->tagged = vtap_test_dice(tt, 3);
	x->prio = vtap_test_random(tt, 3);
	x->vid = vtap_test_random(tt, 3);
	if (!vtap_test_dice(tt, 10))
		x->family = vtap_test_dice(tt, 2) ? AF_INET : AF_INET6;
	x->ip_proto = vtap_test_one_of(tt, vtap_test_protos);
	x->tcp_flags = vtap_test_one_of(tt, vtap_test_tcp_flags);
	if (vtap_test_dice(tt, 6))
		x->frag = VTAP_KEY_FRAG | (vtap_test_dice(tt, 2) ? VTAP_KEY_FIRST : 0);
}

static void vtap_test_addr(u8 family, u8 net, u8 host, struct in6_addr *a)
{
	memset(a, 0, sizeof(*a));
	if (family == AF_INET) {
		a->s6_addr32[0] = htonl(0x0a000000 | net << 8 | host);
	} else {
		a->s6_addr32[0] = htonl(0x20010db8);
		a->s6_addr32[1] = htonl(net);
		a->s6_addr32[3] = htonl(host);
	}
}

static u8 *vtap_test_put_l4(const struct vtap_test_facts *x, u8 *p)
{
	if (x->ip_proto == IPPROTO_ICMP || x->ip_proto == IPPROTO_ICMPV6) {
		p[0] = x->icmp[0];
		p[1] = x->icmp[1];
	} else {
		put_unaligned_be16(x->port[0], p);
		put_unaligned_be16(x->port[1], p + 2);
		put_unaligned_be16(0x5000 | x->tcp_flags, p + 12);
	}
	return p + 20;
}

static u8 *vtap_test_put_ip(const struct vtap_test_facts *x, u8 *p)
{
	struct in6_addr a[2];
	u16 off = x->frag ? x->frag & VTAP_KEY_FIRST ? 1 : 8 : 0;
	int i;

	for (i = 0; i < 2; i++)
		vtap_test_addr(x->family, x->net[i], x->host[i], &a[i]);
	if (x->family == AF_INET) {
		p[0] = 0x45;
		p[9] = x->ip_proto;
		/* more fragments, or an offset */
		put_unaligned_be16(off == 1 ? IP_MF : off, p + 6);
		memcpy(p + 12, &a[0], 4);
		memcpy(p + 16, &a[1], 4);
		return vtap_test_put_l4(x, p + 20);
	}
	p[0] = 0x60;
	memcpy(p + 8, &a[0], 16);
	memcpy(p + 24, &a[1], 16);
	p[6] = x->frag ? NEXTHDR_FRAGMENT : x->ip_proto;
	p += 40;
	if (x->frag) {
		p[0] = x->ip_proto;
		put_unaligned_be16(off, p + 2);
		p += 8;
	}
	return vtap_test_put_l4(x, p);
}

/* Return: the length of the frame that has @x. */
unsigned int vtap_test_put_frame(const struct vtap_test_facts *x, u8 *bytes)
{
	u8 *p = bytes + 2 * ETH_ALEN;

	memset(bytes, 0, VTAP_TEST_MAX);
	bytes[0] = 2;
	bytes[5] = x->mac[1];
	bytes[6] = 2;
	bytes[11] = x->mac[0];
	if (x->tagged) {
		put_unaligned_be16(ETH_P_8021Q, p);
		put_unaligned_be16(x->prio << VLAN_PRIO_SHIFT | x->vid, p + 2);
		p += VLAN_HLEN;
	}
	put_unaligned_be16(x->family == AF_INET ? ETH_P_IP :
			   x->family == AF_INET6 ? ETH_P_IPV6 : ETH_P_ARP, p);
	p += 2;
	return (x->family ? vtap_test_put_ip(x, p) : p + 28) - bytes;
}

static void vtap_test_random_mac(struct vtap_test_table *tt, u8 *mac, u8 *mask)
{
	mac[0] = 2;
	mac[5] = vtap_test_random(tt, 4);
	eth_broadcast_addr(mask);
	if (vtap_test_dice(tt, 3)) {
		mask[5] = 0xfe;
		mac[5] &= 0xfe;
	}
}

static void vtap_test_random_addr(struct vtap_test_table *tt, u8 family, struct vtap_addr *a)
{
	static const u8 lens[2][4] = { { 32, 31, 24, 0 }, { 128, 127, 64, 32 } };

	a->family = family;
	a->len = vtap_test_one_of(tt, lens[family == AF_INET6]);
	vtap_test_addr(family, vtap_test_random(tt, 2), vtap_test_random(tt, 4), &a->ip);
}

static void vtap_test_random_range(struct vtap_test_table *tt, u16 *lo, u16 *hi)
{
	*lo = vtap_test_one_of(tt, vtap_test_ports);
	*hi = *lo;
	if (vtap_test_dice(tt, 3))
		*hi += 1 << vtap_test_random(tt, 12);
}

/* Some of all conditions; those that go together are for vtap_match_check() to say. */
static void vtap_test_random_match(struct vtap_test_table *tt, struct vtap_match *m)
{
	u8 family = vtap_test_dice(tt, 2) ? AF_INET : AF_INET6;

	memset(m, 0, sizeof(*m));
	/* a condition in one of five rules: most rules have some, and some have many */
#define vtap_test_want(attr)	(vtap_test_dice(tt, 5) && (m->present |= BIT(attr)))
	if (vtap_test_want(VTAP_A_MATCH_SRC_MAC))
		vtap_test_random_mac(tt, m->src_mac, m->src_mac_mask);
	if (vtap_test_want(VTAP_A_MATCH_DST_MAC))
		vtap_test_random_mac(tt, m->dst_mac, m->dst_mac_mask);
	if (vtap_test_want(VTAP_A_MATCH_PROTOCOL))
		m->protocol = vtap_test_dice(tt, 2) ? ETH_P_IP : ETH_P_ARP;
	if (vtap_test_want(VTAP_A_MATCH_VLAN_ID))
		m->vlan_id = vtap_test_random(tt, 3);
	if (vtap_test_want(VTAP_A_MATCH_VLAN_PRIO))
		m->vlan_prio = vtap_test_random(tt, 3);
	if (vtap_test_want(VTAP_A_MATCH_SRC_IP))
		vtap_test_random_addr(tt, family, &m->src_ip);
	if (vtap_test_want(VTAP_A_MATCH_DST_IP))
		vtap_test_random_addr(tt, family, &m->dst_ip);
	if (vtap_test_want(VTAP_A_MATCH_IP_PROTO))
		m->ip_proto = vtap_test_one_of(tt, vtap_test_protos);
	if (vtap_test_want(VTAP_A_MATCH_SRC_PORT))
		vtap_test_random_range(tt, &m->src_port, &m->src_port_max);
	if (vtap_test_want(VTAP_A_MATCH_DST_PORT))
		vtap_test_random_range(tt, &m->dst_port, &m->dst_port_max);
	if (vtap_test_want(VTAP_A_MATCH_TCP_FLAGS)) {
		m->tcp_flags_mask = vtap_test_dice(tt, 2) ? 0x02 : 0xfff;
		m->tcp_flags = vtap_test_one_of(tt, vtap_test_tcp_flags) & m->tcp_flags_mask;
	}
	if (vtap_test_want(VTAP_A_MATCH_ICMP_TYPE))
		m->icmp_type = vtap_test_random(tt, 3);
	if (vtap_test_want(VTAP_A_MATCH_ICMP_CODE))
		m->icmp_code = vtap_test_random(tt, 3);
	if (vtap_test_want(VTAP_A_MATCH_IP_FLAGS)) {
		m->ip_flags_mask = 1 + vtap_test_random(tt, 3);
		m->ip_flags = vtap_test_random(tt, 4) & m->ip_flags_mask;
	}
#undef vtap_test_want
}

void vtap_test_random_rule(struct vtap_test_table *tt, struct vtap_rule_cfg *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->dir = 1 + vtap_test_random(tt, 3);
	do {
		vtap_test_random_match(tt, &cfg->match);
	} while (vtap_match_check(&cfg->match, NULL));
	if (vtap_test_dice(tt, 6)) {
		cfg->mac[0] = 2;
		cfg->mac[5] = vtap_test_random(tt, 4);
	}
	if (vtap_test_dice(tt, 6))
		cfg->filter = tt->odd;
}

static bool vtap_test_mac_matches(u8 last, const u8 *mac, const u8 *mask)
{
	const u8 bytes[ETH_ALEN] = { 2, 0, 0, 0, 0, last };
	int i;

	for (i = 0; i < ETH_ALEN; i++) {
		if ((bytes[i] & mask[i]) != (mac[i] & mask[i]))
			return false;
	}
	return true;
}

static bool vtap_test_addr_matches(const struct vtap_test_facts *x, int i,
				   const struct vtap_addr *a)
{
	struct in6_addr is;

	if (!a->family)
		return true;
	if (x->family != a->family)
		return false;
	vtap_test_addr(x->family, x->net[i], x->host[i], &is);
	return ipv6_prefix_equal(&is, &a->ip, a->len);
}

static bool vtap_test_l4_matches(const struct vtap_test_facts *x, const struct vtap_match *m)
{
	bool readable = x->family && (!x->frag || x->frag & VTAP_KEY_FIRST);
	bool tcp = readable && x->ip_proto == IPPROTO_TCP;
	bool ports = tcp || (readable && (x->ip_proto == IPPROTO_UDP ||
					  x->ip_proto == IPPROTO_SCTP));
	bool icmp = readable && x->ip_proto == (x->family == AF_INET ? IPPROTO_ICMP :
							       IPPROTO_ICMPV6);
	u32 is = m->present;

	if (is & BIT(VTAP_A_MATCH_SRC_PORT) &&
	    (!ports || x->port[0] < m->src_port || x->port[0] > m->src_port_max))
		return false;
	if (is & BIT(VTAP_A_MATCH_DST_PORT) &&
	    (!ports || x->port[1] < m->dst_port || x->port[1] > m->dst_port_max))
		return false;
	if (is & BIT(VTAP_A_MATCH_TCP_FLAGS) &&
	    (!tcp || (x->tcp_flags & m->tcp_flags_mask) != m->tcp_flags))
		return false;
	if (is & BIT(VTAP_A_MATCH_ICMP_TYPE) && (!icmp || x->icmp[0] != m->icmp_type))
		return false;
	return !(is & BIT(VTAP_A_MATCH_ICMP_CODE)) || (icmp && x->icmp[1] == m->icmp_code);
}

bool vtap_test_matches(const struct vtap_test_facts *x, const struct vtap_match *m)
{
	u16 proto = x->family == AF_INET ? ETH_P_IP : x->family ? ETH_P_IPV6 : ETH_P_ARP;
	u32 is = m->present;

	if (!vtap_test_mac_matches(x->mac[0], m->src_mac, m->src_mac_mask) ||
	    !vtap_test_mac_matches(x->mac[1], m->dst_mac, m->dst_mac_mask))
		return false;
	if (is & BIT(VTAP_A_MATCH_PROTOCOL) && proto != m->protocol)
		return false;
	if (is & BIT(VTAP_A_MATCH_VLAN_ID) && (!x->tagged || x->vid != m->vlan_id))
		return false;
	if (is & BIT(VTAP_A_MATCH_VLAN_PRIO) && (!x->tagged || x->prio != m->vlan_prio))
		return false;
	if (!vtap_test_addr_matches(x, 0, &m->src_ip) || !vtap_test_addr_matches(x, 1, &m->dst_ip))
		return false;
	if (is & BIT(VTAP_A_MATCH_IP_PROTO) && (!x->family || x->ip_proto != m->ip_proto))
		return false;
	if (is & BIT(VTAP_A_MATCH_IP_FLAGS) &&
	    (!x->family || (x->frag & m->ip_flags_mask) != m->ip_flags))
		return false;
	return vtap_test_l4_matches(x, m);
}
