// SPDX-License-Identifier: GPL-2.0
/* Matches: their checks, and their translation into key and mask. */
#include <linux/netlink.h>

#include "extack.h"
#include "match.h"
#include "netlink_gen.h"
#include "refuse.h"

#define VTAP_VNI_MAX		0xffffff

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
	    m->protocol != ETH_P_IP && m->protocol != ETH_P_IPV6)
		return vtap_refuse(extack, -EINVAL, "tunnel needs protocol ip or ipv6");
	if (vtap_match_has(m, VTAP_A_MATCH_IP_PROTO) && m->ip_proto != proto)
		return vtap_refuse(extack, -EINVAL,
				   "tunnel vxlan and geneve need ip_proto udp, tunnel gre needs gre");
	if (proto == IPPROTO_UDP && m->tunnel_key > VTAP_VNI_MAX)
		return vtap_refuse(extack, -EINVAL,
				   "tunnel_key of vxlan and geneve is at most 16777215");
	return 0;
}

/* Refuse what no frame can match. Return: 0 or -EINVAL. */
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
		return vtap_refuse(extack, -EINVAL, "tunnel_key and inner need a tunnel");
	}
	if (m->src_ip.family && m->dst_ip.family && m->src_ip.family != m->dst_ip.family)
		return vtap_refuse(extack, -EINVAL, "src_ip and dst_ip are of different families");
	if (family && vtap_match_has(m, VTAP_A_MATCH_PROTOCOL) &&
	    m->protocol != (family == AF_INET ? ETH_P_IP : ETH_P_IPV6))
		return vtap_refuse(extack, -EINVAL, "protocol contradicts the address family");
	if ((vtap_match_has(m, VTAP_A_MATCH_SRC_PORT_MAX) &&
	     !vtap_match_has(m, VTAP_A_MATCH_SRC_PORT)) ||
	    (vtap_match_has(m, VTAP_A_MATCH_DST_PORT_MAX) &&
	     !vtap_match_has(m, VTAP_A_MATCH_DST_PORT)))
		return vtap_refuse(extack, -EINVAL, "a port range needs its low end");
	if (m->src_port > m->src_port_max || m->dst_port > m->dst_port_max)
		return vtap_refuse(extack, -EINVAL, "port range ends before it begins");
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
			return vtap_refuse(extack, -EINVAL,
					   "src_port and dst_port need ip_proto tcp, udp, udplite, sctp or dccp");
		}
		if (vtap_match_has(m, VTAP_A_MATCH_TCP_FLAGS) && proto != IPPROTO_TCP)
			return vtap_refuse(extack, -EINVAL, "tcp_flags needs ip_proto tcp");
		if (vtap_match_icmp(m) && proto != IPPROTO_ICMP && proto != IPPROTO_ICMPV6)
			return vtap_refuse(extack, -EINVAL,
					   "icmp_type and icmp_code need ip_proto icmp or icmpv6");
	}
	if (vtap_match_icmp(m) &&
	    (vtap_match_ports(m) || vtap_match_has(m, VTAP_A_MATCH_TCP_FLAGS)))
		return vtap_refuse(extack, -EINVAL, "ICMP has neither ports nor TCP flags");
	if (m->tcp_flags & ~m->tcp_flags_mask)
		return vtap_refuse(extack, -EINVAL, "tcp_flags has bits outside its mask");
	if (m->ip_flags & ~m->ip_flags_mask)
		return vtap_refuse(extack, -EINVAL, "ip_flags has bits outside its mask");
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

/* Only a range of one port fits into the mask; others are compared separately. */
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

/*
 * The bits of a key that a match looks at. Return: true when @sport and @dport say more than @k
 * and @w.
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
	/* so far, the mask has the bits that must be set */
	w->flags = k->flags;
	if (vtap_match_has(m, VTAP_A_MATCH_IP_FLAGS)) {
		k->flags |= m->ip_flags | VTAP_KEY_IP;
		w->flags |= m->ip_flags_mask | VTAP_KEY_IP;
	}

	return ranges;
}

/* @form has its match. */
void vtap_form_compile(struct vtap_form *form)
{
	form->ranges = vtap_match_compile(&form->match, (struct vtap_key *)form->key,
					  (struct vtap_key *)form->mask,
					  form->ports, form->ports + 2);
}

/* What is the most likely to differ comes last in the key. Return: does a frame look like this? */
bool vtap_form_matches(const struct vtap_form *form, const struct vtap_frame *f)
{
	const u64 *key = (const u64 *)&f->key;
	unsigned int i = VTAP_KEY_WORDS;

	while (i--) {
		if ((key[i] & form->mask[i]) != form->key[i])
			return false;
	}
	return !form->ranges || vtap_ports_match(form->ports, f);
}
