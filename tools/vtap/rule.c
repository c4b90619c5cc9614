// SPDX-License-Identifier: GPL-2.0
/* Rules: which frames of which ports are copied. */

#include "group.h"

static const struct name dir_names[] = {
	{ "ingress", VTAP_DIR_INGRESS },
	{ "egress", VTAP_DIR_EGRESS },
	{ "both", VTAP_DIR_INGRESS | VTAP_DIR_EGRESS },
	{}
};

static const struct name protocol_names[] = {
	{ "ip", 0x0800 }, { "ipv4", 0x0800 }, { "arp", 0x0806 }, { "rarp", 0x8035 },
	{ "802.1q", 0x8100 }, { "802.1Q", 0x8100 }, { "ipv6", 0x86dd },
	{ "mpls_uc", 0x8847 }, { "mpls_mc", 0x8848 },
	{ "ppp_disc", 0x8863 }, { "ppp_ses", 0x8864 }, { "eapol", 0x888e },
	{ "802.1ad", 0x88a8 }, { "lldp", 0x88cc }, { "macsec", 0x88e5 }, { "ptp", 0x88f7 },
	{}
};

static const struct name ip_proto_names[] = {
	{ "icmp", 1 }, { "igmp", 2 }, { "ipip", 4 }, { "tcp", 6 }, { "udp", 17 },
	{ "dccp", 33 }, { "ipv6", 41 }, { "gre", 47 }, { "esp", 50 }, { "ah", 51 },
	{ "icmpv6", 58 }, { "ospf", 89 }, { "pim", 103 }, { "vrrp", 112 }, { "l2tp", 115 },
	{ "sctp", 132 }, { "udplite", 136 },
	{}
};

static const struct name tunnel_names[] = {
	{ "vxlan", VTAP_TUNNEL_VXLAN },
	{ "geneve", VTAP_TUNNEL_GENEVE },
	{ "gre", VTAP_TUNNEL_GRE },
	{}
};

#define A(n)	.attr = VTAP_A_RULE_##n
#define A2(n)	.attr2 = VTAP_A_RULE_##n
#define MATCH	(W_ADD | W_SET | W_MATCH)
#define ONE(n)	.attr = VTAP_A_MATCH_##n, .flags = MATCH | W_INNER
#define M(n)	.attr = VTAP_A_MATCH_##n, .flags = MATCH | W_INNER | W_LIST
#define M2(n)	.attr2 = VTAP_A_MATCH_##n
#define RW	.flags = W_ADD | W_SET
#define GROUP	.flags = W_ADD | W_SET | W_GROUP | W_VERBATIM

static const struct word rule_words[] = {
	{ "id", &type_u64, A(ID), .flags = W_KEY },
	{ "tap", &type_str, TAP_DEFAULT, A(TAP), .flags = W_ADD | W_FLUSH | W_PICK,
	  .max = VTAP_NAME_MAX },
	{ "pref", &type_u32, A(PREF), .flags = W_ADD | W_SET | W_FLUSH },
	{ "port", &type_str, "", A(PORT), .flags = W_ADD | W_SET | W_PICK, .max = VTAP_NAME_MAX },
	{ "session", &type_str, A(SESSION), .flags = W_PICK, .max = VTAP_NAME_MAX },
	{ "master", &type_str, "", A(MASTER), RW, .max = 15 },
	{ "mac", &type_mac, "00:00:00:00:00:00", A(MAC), RW },
	{ "dir", &type_enum, "both", A(DIR), RW, .names = dir_names },
	{ "match", &type_any, A(MATCH), .flags = W_SET },
	{ "src_mac", &type_mac_mask, M(SRC_MAC), M2(SRC_MAC_MASK), .name2 = "src_mac_mask" },
	{ "dst_mac", &type_mac_mask, M(DST_MAC), M2(DST_MAC_MASK), .name2 = "dst_mac_mask" },
	{ "protocol", &type_u16, .names = protocol_names,
	  .attr = VTAP_A_MATCH_PROTOCOL, .flags = MATCH | W_INNER | W_LIST | W_HEX },
	{ "vlan_id", &type_u16, M(VLAN_ID) },
	{ "vlan_prio", &type_u8, M(VLAN_PRIO) },
	{ "src_ip", &type_addr, M(SRC_IP), M2(SRC_IP_LEN), .name2 = "src_ip_len" },
	{ "dst_ip", &type_addr, M(DST_IP), M2(DST_IP_LEN), .name2 = "dst_ip_len" },
	{ "ip_proto", &type_u8, M(IP_PROTO), .names = ip_proto_names },
	{ "src_port", &type_ports, M(SRC_PORT), M2(SRC_PORT_MAX), .name2 = "src_port_max" },
	{ "dst_port", &type_ports, M(DST_PORT), M2(DST_PORT_MAX), .name2 = "dst_port_max" },
	{ "tcp_flags", &type_tcp_flags, ONE(TCP_FLAGS), M2(TCP_FLAGS_MASK),
	  .name2 = "tcp_flags_mask" },
	{ "icmp_type", &type_u8, M(ICMP_TYPE) },
	{ "icmp_code", &type_u8, M(ICMP_CODE) },
	{ "ip_flags", &type_ip_flags, ONE(IP_FLAGS), M2(IP_FLAGS_MASK) },
	{ "tunnel", &type_enum, .attr = VTAP_A_MATCH_TUNNEL, .flags = MATCH | W_LIST,
	  .names = tunnel_names },
	{ "tunnel_key", &type_u32, .attr = VTAP_A_MATCH_TUNNEL_KEY, .flags = MATCH | W_LIST },
	{ "inner", &type_inner, .attr = VTAP_A_MATCH_INNER, .nest = rule_words,
	  .flags = MATCH | W_VERBATIM },
	{ "or", &type_or, A(MATCH), GROUP },
	{ "not", &type_not, A(EXCEPT), GROUP },
	{ "except", &type_except, A(EXCEPT), GROUP },
	{ "filter", &type_filter, "", A(FILTER_TEXT), A2(FILTER), RW, .name2 = "filter",
	  .max = 1023 },
	{ "bytecode", &type_bytecode, "0", A(FILTER), RW },
	{ "action", &type_action, A(ACTION), A2(SESSION), .flags = W_ADD | W_SET | W_VERBATIM,
	  .name2 = "session", .max = VTAP_NAME_MAX },
	{ "sample", &type_sample, "1", A(SAMPLE), A2(SAMPLE_FLOW),
	  .flags = W_ADD | W_SET | W_VERBATIM, .name2 = "sample_flow" },
	{ "dup", &type_onoff, "off", A(DUP), RW, .names = onoff_names },
	{ "ports", &type_u32, A(PORTS) },
	{ "packets", &type_u64, A(PACKETS), .flags = W_STATS },
	{ "bytes", &type_u64, A(BYTES), .flags = W_STATS },
	{}
};

/* A filter's expression is shown instead of its program: they cannot be given together. */
static bool rule_implied(const struct word *w, const struct view *v, bool all)
{
	if (w->flags & W_GROUP)
		return alts_implied(w, v);
	return w->type == &type_bytecode && v->tb[VTAP_A_RULE_FILTER_TEXT] &&
	       !(all && opt.json && opt.details);
}

static const char *const rule_brief[] = {
	"id", "pref", "port+master+mac", "dir", "action", BRIEF_REST, NULL
};

const struct object rule_object = {
	.name = "rule",
	.words = rule_words,
	.implied = rule_implied,
	.get = VTAP_CMD_RULE_GET,
	.change = {
		[CMD_ADD] = VTAP_A_CHANGE_RULE_NEW,
		[CMD_SET] = VTAP_A_CHANGE_RULE_SET,
		[CMD_DEL] = VTAP_A_CHANGE_RULE_DEL,
		[CMD_FLUSH] = VTAP_A_CHANGE_RULE_FLUSH,
	},
	.ntf = VTAP_CMD_RULE_ADD_NTF,
	.match = VTAP_A_RULE_MATCH,
	.except = VTAP_A_RULE_EXCEPT,
	.tap = VTAP_A_RULE_TAP,
	.unset = VTAP_A_RULE_UNSET,
	.brief = rule_brief,
};
