// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of what is refused. */
#include <kunit/test.h>
#include <linux/netlink.h>

#include "encap.h"
#include "session.h"
#include "test.h"

struct vtap_test_refusal {
	const char *text;
	struct vtap_match m;
};

#define T_PRESENT(attr)	BIT(VTAP_A_MATCH_##attr)

static const struct vtap_test_refusal vtap_test_refusals[] = {
	{ "", {} },
	{ "src_ip and dst_ip are of different families",
	  { .src_ip.family = AF_INET, .dst_ip.family = AF_INET6 } },
	{ "", { .src_ip.family = AF_INET, .dst_ip.family = AF_INET } },
	{ "protocol contradicts the address family",
	  { .src_ip.family = AF_INET6, .present = T_PRESENT(PROTOCOL), .protocol = ETH_P_IP } },
	{ "", { .src_ip.family = AF_INET6, .present = T_PRESENT(PROTOCOL),
		.protocol = ETH_P_IPV6 } },
	{ "a port range needs its low end",
	  { .present = T_PRESENT(SRC_PORT_MAX), .src_port_max = 80 } },
	{ "a port range needs its low end",
	  { .present = T_PRESENT(DST_PORT_MAX), .dst_port_max = 80 } },
	{ "port range ends before it begins",
	  { .present = T_PRESENT(SRC_PORT), .src_port = 81, .src_port_max = 80 } },
	{ "port range ends before it begins",
	  { .present = T_PRESENT(DST_PORT), .dst_port = 81, .dst_port_max = 80 } },
	{ "src_port and dst_port need ip_proto tcp, udp, udplite, sctp or dccp",
	  { .present = T_PRESENT(DST_PORT) | T_PRESENT(IP_PROTO), .ip_proto = IPPROTO_ICMP } },
	{ "", { .present = T_PRESENT(DST_PORT) | T_PRESENT(IP_PROTO), .ip_proto = IPPROTO_SCTP } },
	{ "tcp_flags needs ip_proto tcp",
	  { .present = T_PRESENT(TCP_FLAGS) | T_PRESENT(IP_PROTO), .ip_proto = IPPROTO_UDP } },
	{ "icmp_type and icmp_code need ip_proto icmp or icmpv6",
	  { .present = T_PRESENT(ICMP_CODE) | T_PRESENT(IP_PROTO), .ip_proto = IPPROTO_TCP } },
	{ "ICMP has neither ports nor TCP flags",
	  { .present = T_PRESENT(ICMP_TYPE) | T_PRESENT(SRC_PORT) } },
	{ "ICMP has neither ports nor TCP flags",
	  { .present = T_PRESENT(ICMP_CODE) | T_PRESENT(TCP_FLAGS) } },
	{ "tcp_flags has bits outside its mask",
	  { .present = T_PRESENT(TCP_FLAGS), .tcp_flags = 3, .tcp_flags_mask = 2 } },
	{ "ip_flags has bits outside its mask",
	  { .present = T_PRESENT(IP_FLAGS), .ip_flags = 3, .ip_flags_mask = 1 } },
	{ "protocol is the EtherType behind VLAN tags: use vlan_id or vlan_prio",
	  { .present = T_PRESENT(PROTOCOL), .protocol = ETH_P_8021Q } },
	{ "ip_proto, ports, tcp_flags, icmp_type, icmp_code and ip_flags need protocol ip or ipv6",
	  { .present = T_PRESENT(PROTOCOL) | T_PRESENT(DST_PORT), .protocol = ETH_P_ARP } },
	{ "ip_proto icmpv6 belongs to IPv6: use icmp with IPv4 addresses and protocol ip",
	  { .present = T_PRESENT(IP_PROTO), .ip_proto = IPPROTO_ICMPV6,
	    .src_ip.family = AF_INET } },
	{ "", { .present = T_PRESENT(IP_PROTO), .ip_proto = IPPROTO_ICMPV6,
		.src_ip.family = AF_INET6 } },
	{ "the first fragment is a fragment: use ip_flags firstfrag or nofrag",
	  { .present = T_PRESENT(IP_FLAGS), .ip_flags = 2, .ip_flags_mask = 3 } },
	{ "fragments other than the first have no ports, tcp_flags, icmp_type, icmp_code and tunnel",
	  { .present = T_PRESENT(IP_FLAGS) | T_PRESENT(DST_PORT), .ip_flags = 1,
	    .ip_flags_mask = 3 } },
};

static void vtap_test_refusal_name(const struct vtap_test_refusal *c, char *name)
{
	strscpy(name, c->text[0] ? c->text : "accepted", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vtap_test_refusals, vtap_test_refusals, vtap_test_refusal_name);

static void vtap_test_match_check(struct kunit *test)
{
	const struct vtap_test_refusal *c = test->param_value;
	struct netlink_ext_ack extack = {};

	KUNIT_EXPECT_EQ(test, vtap_match_check(&c->m, &extack), c->text[0] ? -EINVAL : 0);
	KUNIT_EXPECT_STREQ(test, extack._msg ?: "", c->text);
}

struct vtap_test_setting {
	const char *text;
	struct vtap_session_cfg cfg;
};

#define T_TYPE(t)	.type = VTAP_SESSION_TYPE_##t

static const struct vtap_test_setting vtap_test_settings[] = {
	{ "", { T_TO4 } },
	{ "", { T_TYPE(PORT), .dev = "eth0", .snaplen = 60, .rate = 8, .burst = 1 } },
	{ "type port takes no remote and no local", { T_TYPE(PORT), T_REMOTE4, .dev = "eth0" } },
	{ "type port takes no remote and no local",
	  { T_TYPE(PORT), .local.family = AF_INET, .dev = "eth0" } },
	{ "key is for types gre and vxlan", { T_TYPE(ERSPAN2), T_TO4, .has_key = true } },
	{ "id is for types erspan2 and erspan3", { T_TYPE(ERSPAN1), T_TO4, .id = 1 } },
	{ "index is for type erspan2", { T_TYPE(ERSPAN3), T_TO4, .index = 1 } },
	{ "seq is for type gre", { T_TYPE(VXLAN), T_TO4, .has_key = true, .seq = true } },
	{ "subheader is for type erspan3", { T_TYPE(ERSPAN2), T_TO4, .subheader = true } },
	{ "dport is for type vxlan", { T_TYPE(GRE), T_TO4, .dport = 4789 } },
	{ "vlan strip is for types erspan2 and erspan3",
	  { T_TYPE(GRE), T_TO4, .vlan = VTAP_VLAN_MODE_STRIP } },
	{ "", { T_TYPE(ERSPAN3), T_TO4, .vlan = VTAP_VLAN_MODE_STRIP } },
	{ "type port needs dev", { T_TYPE(PORT) } },
	{ "remote is missing", { T_TYPE(GRE) } },
	{ "local and remote are of different families", { T_TO4, .local.family = AF_INET6 } },
	{ "type vxlan needs a key", { T_TYPE(VXLAN), T_TO4 } },
	{ "key of type vxlan is at most 16777215",
	  { T_TYPE(VXLAN), T_TO4, .has_key = true, .key = 0x1000000 } },
	{ "", { T_TYPE(VXLAN), T_TO4, .has_key = true, .key = 0xffffff } },
	{ "index is at most 1048575", { T_TYPE(ERSPAN2), T_TO4, .index = 0x100000 } },
	{ "snaplen is 0 or at least 60", { T_TO4, .snaplen = 59 } },
	{ "the ECN bits of tos must be 0", { T_REMOTE4, .tos = 1 } },
	{ "rate is 0 or at least 8 bit per second", { T_TO4, .rate = 7 } },
	{ "burst needs a rate", { T_TO4, .burst = 1 } },
	{ "", { T_TYPE(GRE), T_TO4, .offload = true } },
	{ "offload is for type gre", { T_TYPE(ERSPAN1), T_TO4, .offload = true } },
	{ "offload cannot be combined with csum, seq or decap",
	  { T_TYPE(GRE), T_TO4, .offload = true, .seq = true } },
	{ "offload cannot be combined with csum, seq or decap",
	  { T_TYPE(GRE), T_TO4, .offload = true, .csum = true } },
	{ "", { T_TYPE(GRE), T_TO4, .csum = true, .seq = true, .has_key = true, .decap = true } },
	{ "csum is for type gre", { T_TYPE(ERSPAN1), T_TO4, .csum = true } },
	{ "csum is for type gre", { T_TYPE(PORT), .dev = "eth0", .csum = true } },
	{ "offload cannot be combined with rate or pps",
	  { T_TYPE(GRE), T_TO4, .offload = true, .pps = 1 } },
	{ "offload cannot be combined with slice or mask",
	  { T_TYPE(GRE), T_TO4, .offload = true, .mask = VTAP_LAYER_L4 } },
	{ "slice and mask cannot be combined",
	  { T_TO4, .slice = VTAP_LAYER_L2, .mask = VTAP_LAYER_L4 } },
	{ "slice-more needs slice", { T_TO4, .mask = VTAP_LAYER_L4, .slice_more = 1 } },
	{ "", { T_TO4, .slice = VTAP_LAYER_L4, .slice_more = 1, .decap = true } },
};

static void vtap_test_setting_name(const struct vtap_test_setting *c, char *name)
{
	strscpy(name, c->text[0] ? c->text : "accepted", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vtap_test_settings, vtap_test_settings, vtap_test_setting_name);

static void vtap_test_encap_check(struct kunit *test)
{
	const struct vtap_test_setting *c = test->param_value;
	struct netlink_ext_ack extack = {};

	KUNIT_EXPECT_EQ(test, vtap_encap_check(&c->cfg, &extack), c->text[0] ? -EINVAL : 0);
	KUNIT_EXPECT_STREQ(test, extack._msg ?: "", c->text);
}

static struct kunit_case vtap_test_checks_cases[] = {
	KUNIT_CASE_PARAM(vtap_test_match_check, vtap_test_refusals_gen_params),
	KUNIT_CASE_PARAM(vtap_test_encap_check, vtap_test_settings_gen_params),
	{}
};

static struct kunit_suite vtap_test_checks = {
	.name = "vtap_refusals",
	.test_cases = vtap_test_checks_cases,
};

kunit_test_suite(vtap_test_checks);
