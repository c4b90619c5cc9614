/* SPDX-License-Identifier: GPL-2.0 */
/* What a user wants a frame to look like. */
#ifndef _VTAP_MATCH_H
#define _VTAP_MATCH_H

#include <linux/etherdevice.h>
#include <linux/in6.h>

#include "frame.h"

struct netlink_ext_ack;

/**
 * struct vtap_addr - an IPv4 or IPv6 address with a prefix length
 * @family: AF_INET, AF_INET6, or 0 for none
 * @len: prefix length
 * @ip: the address; an IPv4 address is its first word
 */
struct vtap_addr {
	u8 family;
	u8 len;
	struct in6_addr ip;
};

/*
 * struct vtap_match - what a user wants a frame to look like
 * @present: BIT(VTAP_A_MATCH_*) of the members that were given
 *
 * Numbers in host order; members are named and bounded as the attributes in
 * vtap.yaml. Members that were not given are zero.
 */
struct vtap_match {
	u32 present;
	u8 src_mac[ETH_ALEN];
	u8 src_mac_mask[ETH_ALEN];
	u8 dst_mac[ETH_ALEN];
	u8 dst_mac_mask[ETH_ALEN];
	struct vtap_addr src_ip;
	struct vtap_addr dst_ip;
	u16 protocol;
	u16 vlan_id;
	u16 src_port;
	u16 src_port_max;
	u16 dst_port;
	u16 dst_port_max;
	u16 tcp_flags;
	u16 tcp_flags_mask;
	u8 vlan_prio;
	u8 ip_proto;
	u8 icmp_type;
	u8 icmp_code;
	u8 ip_flags;
	u8 ip_flags_mask;
	u32 tunnel;
	u32 tunnel_key;
};

/**
 * struct vtap_form - a match that frames are compared with alone
 * @match: as the user said it
 * @ranges: @ports say more than @key
 * @key: the bits it looks at
 * @mask: which these are
 * @ports: lowest and highest source port, lowest and highest destination port
 */
struct vtap_form {
	struct vtap_match match;
	bool ranges;
	u64 key[VTAP_KEY_WORDS];
	u64 mask[VTAP_KEY_WORDS];
	u16 ports[4];
};

int vtap_match_check(const struct vtap_match *m, struct netlink_ext_ack *extack);
bool vtap_match_compile(const struct vtap_match *m, struct vtap_key *k, struct vtap_key *w,
			u16 sport[2], u16 dport[2]);
void vtap_form_compile(struct vtap_form *form);
bool vtap_form_matches(const struct vtap_form *form, const struct vtap_frame *f);

/* @ports: lowest and highest source port, lowest and highest destination port */
static inline bool vtap_ports_match(const u16 *ports, const struct vtap_frame *f)
{
	u16 s = ntohs(f->key.sport), d = ntohs(f->key.dport);

	return s >= ports[0] && s <= ports[1] && d >= ports[2] && d <= ports[3];
}

#endif /* _VTAP_MATCH_H */
