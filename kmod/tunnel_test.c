// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of tunnel headers: no device, no traffic. */
#include <kunit/test.h>

#include "test.h"
#include "tunnel.h"

struct vtap_test_inner {
	const char *name;
	const char *hex;
	unsigned int off;	/* of the inner frame; 0 for none */
	unsigned int need;	/* bytes it takes to find it */
};

#define T_GRE(gre)	T_MACS "0800" T_IP4("2f") gre T_INNER
#define T_VXLAN(flags)	T_MACS "0800" T_IP4("11") "c00012b5" "01000000" flags "00002a00" T_INNER

#define T_GENEVE(hdr)	T_MACS "0800" T_IP4("11") "c00017c1" "01000000" hdr T_INNER

static const struct vtap_test_inner vtap_test_inners[] = {
	{ "gre", T_GRE("00006558"), 38, 52 },
	{ "gre key", T_GRE("20006558" "0000002a"), 42, 56 },
	{ "gre key, sequence", T_GRE("30006558" "0000002a" "00000001"), 46, 60 },
	{ "gre checksum, key, sequence", T_GRE("b0006558" "00000000" "0000002a" "00000001"),
	  50, 64 },
	{ "erspan I", T_GRE("000088be"), 38, 52 },
	{ "erspan II", T_GRE("100088be" "00000001" "10000001" "00000000"), 50, 64 },
	{ "erspan III", T_GRE("100022eb" "00000001" "20000001" "00000000" "00008000"), 54, 68 },
	{ "erspan III sub-header", T_GRE("100022eb" "00000001" "20000001" "00000000" "00008005"
					 "14000005" "00000000"), 62, 76 },
	{ "erspan II over IPv6", T_MACS "86dd" T_IP6("2f") "100088be" "00000001" "10000001"
	  "00000000" T_INNER, 70, 84 },
	{ "vxlan", T_VXLAN("08000000"), 50, 64 },
	{ "vxlan, other flags", T_VXLAN("0c000000"), 0 },
	{ "gre routing", T_GRE("40006558"), 0 },
	{ "gre version 1", T_GRE("00016558"), 0 },
	{ "gre of another protocol", T_GRE("0000880b"), 0 },
	{ "geneve", T_GENEVE("00006558" "00002a00"), 50, 64 },
	{ "geneve options", T_GENEVE("02406558" "00002a00" "01020304" "05060708"), 58, 72 },
	{ "geneve over IPv6", T_MACS "86dd" T_IP6("11") "c00017c1" "01000000" "00006558" "00002a00"
	  T_INNER, 70, 84 },
	{ "geneve version 1", T_GENEVE("40006558" "00002a00"), 0 },
	{ "geneve of another protocol", T_GENEVE("0000880b" "00002a00"), 0 },
	{ "later fragment", T_MACS "0800" T_IP4_FRAG("0001", "2f") "00006558" T_INNER, 0 },
};

static void vtap_test_inner_name(const struct vtap_test_inner *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vtap_test_inners, vtap_test_inners, vtap_test_inner_name);

static u32 vtap_test_tunnel(const struct vtap_frame *f)
{
	if (f->key.ip_proto == IPPROTO_GRE)
		return VTAP_TUNNEL_GRE;
	return f->key.dport == htons(VTAP_GENEVE_PORT) ? VTAP_TUNNEL_GENEVE : VTAP_TUNNEL_VXLAN;
}

/* The frame that is in all of the tunnels */
static void vtap_test_inner_expect(struct kunit *test, const struct vtap_frame *f, int mac)
{
	KUNIT_EXPECT_EQ(test, f->mac, mac);
	KUNIT_EXPECT_EQ(test, f->ifindex, 5);
	KUNIT_EXPECT_EQ(test, f->dir, VTAP_OUT);
	KUNIT_EXPECT_EQ(test, f->key.dir, BIT(VTAP_OUT));
	KUNIT_EXPECT_EQ(test, ether_addr_to_u64(f->key.dst_mac), 0x020000000004ULL);
	KUNIT_EXPECT_EQ(test, ether_addr_to_u64(f->key.src_mac), 0x020000000003ULL);
	KUNIT_EXPECT_EQ(test, f->l3, 14);
	KUNIT_EXPECT_EQ(test, f->l4, 34);
	KUNIT_EXPECT_EQ(test, ntohl(f->key.src.s6_addr32[0]), 0xc0000201);
	KUNIT_EXPECT_EQ(test, ntohl(f->key.dst.s6_addr32[0]), 0xc0000202);
	KUNIT_EXPECT_EQ(test, f->key.flags, T_UDP_FLAGS);
	KUNIT_EXPECT_EQ(test, ntohs(f->key.sport), 1234);
	KUNIT_EXPECT_EQ(test, ntohs(f->key.dport), 53);
}

static void vtap_test_inner(struct kunit *test)
{
	const struct vtap_test_inner *c = test->param_value;
	u8 bytes[VTAP_TEST_MAX];
	unsigned int n, head;
	struct sk_buff *skb;

	n = vtap_test_bytes(test, c->hex, bytes);
	skb = vtap_test_skb(test, bytes, n);
	for (head = ETH_HLEN; head <= n; head++) {
		struct vtap_frame f, g;
		bool pulled = head & 1;
		bool found;

		vtap_test_fill(test, skb, bytes, n, head, 0xff);
		KUNIT_EXPECT_TRUE(test, vtap_test_parse(&f, skb, pulled, 0));
		memset(&g, 0x5a, sizeof(g));
		found = vtap_tunnel_inner(&f, vtap_test_tunnel(&f), &g);
		KUNIT_EXPECT_EQ_MSG(test, found, !!c->off, "%u linear", head);
		if (found) {
			vtap_test_inner_expect(test, &g, (int)c->off - (pulled ? ETH_HLEN : 0));
			KUNIT_EXPECT_EQ(test, g.len, n - c->off);
		}
	}
	kfree_skb(skb);
}

static void vtap_test_inner_cut(struct kunit *test)
{
	const struct vtap_test_inner *c = test->param_value;
	u8 bytes[VTAP_TEST_MAX];
	unsigned int n, cut;
	struct sk_buff *skb;

	n = vtap_test_bytes(test, c->hex, bytes);
	skb = vtap_test_skb(test, bytes, n);
	for (cut = ETH_HLEN; cut <= n; cut++) {
		struct vtap_frame f;

		vtap_test_fill(test, skb, bytes, cut, cut, 0xff);
		KUNIT_EXPECT_TRUE(test, vtap_test_parse(&f, skb, false, 0));
		/* into itself, as the loop guard does it */
		KUNIT_EXPECT_EQ_MSG(test, vtap_tunnel_inner(&f, vtap_test_tunnel(&f), &f),
				    c->off && cut >= c->need, "%u bytes", cut);
	}
	kfree_skb(skb);
}

static struct kunit_case vtap_test_tunnels_cases[] = {
	KUNIT_CASE_PARAM(vtap_test_inner, vtap_test_inners_gen_params),
	KUNIT_CASE_PARAM(vtap_test_inner_cut, vtap_test_inners_gen_params),
	{}
};

static struct kunit_suite vtap_test_tunnels = {
	.name = "vtap_tunnel",
	.init = vtap_test_init,
	.exit = vtap_test_exit,
	.test_cases = vtap_test_tunnels_cases,
};

kunit_test_suite(vtap_test_tunnels);
