// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the parser: no device, no traffic. */
#include <kunit/test.h>
#include <linux/hex.h>

#include "flow.h"
#include "parse.h"
#include "test.h"

/**
 * struct vtap_test_frame - a frame and what the parser is to find in it
 * @name: of the case
 * @hex: the frame
 * @tci: of a tag in the metadata, or 0
 * @vlan: outermost tag
 * @proto: EtherType behind all tags
 * @family: of the addresses, which are always the same; 0 for none
 * @ip_proto: protocol
 * @flags: VTAP_KEY_*
 * @sport: source port
 * @dport: destination port
 * @tcp_flags: flags
 * @icmp: type and code
 * @l3: offset of the IP header
 * @l4: offset of the transport header
 * @need: how many bytes it takes to know all of this
 */
struct vtap_test_frame {
	const char *name;
	const char *hex;
	u16 tci;
	u16 vlan;
	u16 proto;
	u8 family;
	u8 ip_proto;
	u8 flags;
	u16 sport;
	u16 dport;
	u16 tcp_flags;
	u8 icmp[2];
	u16 l3;
	u16 l4;
	u16 need;
};

#define T_TCP_KEY	.ip_proto = IPPROTO_TCP, .sport = 1234, .dport = 80, .tcp_flags = 0x112
#define T_UDP_KEY	.ip_proto = IPPROTO_UDP, .sport = 1234, .dport = 53
#define T_TCP_FLAGS	(VTAP_KEY_IP | VTAP_KEY_PORTS | VTAP_KEY_TCP)
#define T_FIRST		(VTAP_KEY_FRAG | VTAP_KEY_FIRST)
#define T_V4		.proto = ETH_P_IP, .family = AF_INET, .l3 = 14
#define T_V6		.proto = ETH_P_IPV6, .family = AF_INET6, .l3 = 14

static const struct vtap_test_frame vtap_test_frames[] = {
	{ "arp", T_MACS "0806" "0001080006040001" T_PAYLOAD, .proto = ETH_P_ARP, .need = 14 },
	{ "802.3", T_MACS "0026" "424203" T_PAYLOAD, .proto = 0x26, .need = 14 },
	{ "tcp", T_MACS "0800" T_IP4("06") T_TCP T_PAYLOAD, T_V4, T_TCP_KEY,
	  .flags = T_TCP_FLAGS, .l4 = 34, .need = 48 },
	{ "udp", T_MACS "0800" T_IP4("11") T_UDP T_PAYLOAD, T_V4, T_UDP_KEY,
	  .flags = T_UDP_FLAGS, .l4 = 34, .need = 38 },
	{ "udplite", T_MACS "0800" T_IP4("88") T_UDP T_PAYLOAD, T_V4, .ip_proto = IPPROTO_UDPLITE,
	  .sport = 1234, .dport = 53, .flags = T_UDP_FLAGS, .l4 = 34, .need = 38 },
	{ "sctp", T_MACS "0800" T_IP4("84") T_UDP T_PAYLOAD, T_V4, .ip_proto = IPPROTO_SCTP,
	  .sport = 1234, .dport = 53, .flags = T_UDP_FLAGS, .l4 = 34, .need = 38 },
	{ "dccp", T_MACS "0800" T_IP4("21") T_UDP T_PAYLOAD, T_V4, .ip_proto = IPPROTO_DCCP,
	  .sport = 1234, .dport = 53, .flags = T_UDP_FLAGS, .l4 = 34, .need = 38 },
	{ "icmp", T_MACS "0800" T_IP4("01") "0304" T_PAYLOAD, T_V4, .ip_proto = IPPROTO_ICMP,
	  .flags = VTAP_KEY_IP | VTAP_KEY_ICMP, .icmp = { 3, 4 }, .l4 = 34, .need = 36 },
	{ "icmpv6 in IPv4", T_MACS "0800" T_IP4("3a") "0304" T_PAYLOAD, T_V4,
	  .ip_proto = IPPROTO_ICMPV6, .flags = VTAP_KEY_IP, .need = 34 },
	{ "esp", T_MACS "0800" T_IP4("32") T_PAYLOAD, T_V4, .ip_proto = IPPROTO_ESP,
	  .flags = VTAP_KEY_IP, .l4 = 34, .need = 34 },
	{ "IPv4 options", T_MACS "0800" "47000054" "00010000" "40060000" T_IP4_ADDRS
	  "0101010101010101" T_TCP T_PAYLOAD, T_V4, T_TCP_KEY, .flags = T_TCP_FLAGS, .l4 = 42,
	  .need = 56 },
	{ "IPv4 header length 4", T_MACS "0800" "44000054" "00010000" "40060000" T_IP4_ADDRS
	  T_TCP T_PAYLOAD, .proto = ETH_P_IP, .need = 14 },
	{ "IPv4 version 5", T_MACS "0800" "55000054" "00010000" "40060000" T_IP4_ADDRS
	  T_TCP T_PAYLOAD, .proto = ETH_P_IP, .need = 14 },
	{ "IPv4 first fragment", T_MACS "0800" T_IP4_FRAG("2000", "11") T_UDP T_PAYLOAD, T_V4,
	  T_UDP_KEY, .flags = T_UDP_FLAGS | T_FIRST, .l4 = 34, .need = 38 },
	{ "IPv4 later fragment", T_MACS "0800" T_IP4_FRAG("2001", "11") T_UDP T_PAYLOAD, T_V4,
	  .ip_proto = IPPROTO_UDP, .flags = VTAP_KEY_IP | VTAP_KEY_FRAG, .need = 34 },
	{ "IPv4 last fragment", T_MACS "0800" T_IP4_FRAG("1fff", "06") T_TCP T_PAYLOAD, T_V4,
	  .ip_proto = IPPROTO_TCP, .flags = VTAP_KEY_IP | VTAP_KEY_FRAG, .need = 34 },
	{ "IPv4 do not fragment", T_MACS "0800" T_IP4_FRAG("4000", "11") T_UDP T_PAYLOAD, T_V4,
	  T_UDP_KEY, .flags = T_UDP_FLAGS, .l4 = 34, .need = 38 },
	{ "tag", T_MACS "8100" "6005" "0800" T_IP4("11") T_UDP T_PAYLOAD, .proto = ETH_P_IP,
	  .family = AF_INET, T_UDP_KEY, .flags = T_UDP_FLAGS, .vlan = 0x7005, .l3 = 18, .l4 = 38,
	  .need = 42 },
	{ "tag of priority 0, id 0", T_MACS "8100" "0000" "0806" T_PAYLOAD, .proto = ETH_P_ARP,
	  .vlan = 0x1000, .need = 18 },
	{ "two tags", T_MACS "88a8" "a064" "8100" "6005" "86dd" T_IP6("06") T_TCP T_PAYLOAD,
	  .proto = ETH_P_IPV6, .family = AF_INET6, T_TCP_KEY, .flags = T_TCP_FLAGS,
	  .vlan = 0xb064, .l3 = 22, .l4 = 62, .need = 76 },
	{ "four tags", T_MACS "8100" "0001" "8100" "0002" "8100" "0003" "8100" "0004" "0800"
	  T_IP4("11") T_UDP T_PAYLOAD, .proto = ETH_P_IP, .family = AF_INET, T_UDP_KEY,
	  .flags = T_UDP_FLAGS, .vlan = 0x1001, .l3 = 30, .l4 = 50, .need = 54 },
	{ "five tags", T_MACS "8100" "0001" "8100" "0002" "8100" "0003" "8100" "0004" "8100"
	  "0005" "0800" T_IP4("11") T_UDP T_PAYLOAD, .proto = ETH_P_8021Q, .vlan = 0x1001,
	  .need = 18 },
	{ "tag in the metadata", T_MACS "0800" T_IP4("11") T_UDP T_PAYLOAD, T_V4, T_UDP_KEY,
	  .flags = T_UDP_FLAGS, .tci = 0x2007, .vlan = 0x3007, .l4 = 34, .need = 38 },
	{ "tag in the metadata, tag", T_MACS "8100" "6005" "0800" T_IP4("11") T_UDP T_PAYLOAD,
	  .proto = ETH_P_IP, .family = AF_INET, T_UDP_KEY, .flags = T_UDP_FLAGS, .tci = 0x2007,
	  .vlan = 0x3007, .l3 = 18, .l4 = 38, .need = 42 },
	{ "IPv6 tcp", T_MACS "86dd" T_IP6("06") T_TCP T_PAYLOAD, T_V6, T_TCP_KEY,
	  .flags = T_TCP_FLAGS, .l4 = 54, .need = 68 },
	{ "IPv6 udp", T_MACS "86dd" T_IP6("11") T_UDP T_PAYLOAD, T_V6, T_UDP_KEY,
	  .flags = T_UDP_FLAGS, .l4 = 54, .need = 58 },
	{ "icmpv6", T_MACS "86dd" T_IP6("3a") "8701" T_PAYLOAD, T_V6, .ip_proto = IPPROTO_ICMPV6,
	  .flags = VTAP_KEY_IP | VTAP_KEY_ICMP, .icmp = { 0x87, 1 }, .l4 = 54, .need = 56 },
	{ "icmp in IPv6", T_MACS "86dd" T_IP6("01") "0304" T_PAYLOAD, T_V6,
	  .ip_proto = IPPROTO_ICMP, .flags = VTAP_KEY_IP, .need = 54 },
	{ "no next header", T_MACS "86dd" T_IP6("3b") T_PAYLOAD, T_V6, .ip_proto = 59,
	  .flags = VTAP_KEY_IP, .l4 = 54, .need = 54 },
	{ "IPv6 version 5", T_MACS "86dd" "50000000" "00401140" T_IP6_SRC T_IP6_DST T_UDP
	  T_PAYLOAD, .proto = ETH_P_IPV6, .need = 14 },
	{ "IPv6 hop-by-hop, destination", T_MACS "86dd" T_IP6("00") T_EXT("3c", "00")
	  T_EXT_16("11") T_UDP T_PAYLOAD, T_V6, T_UDP_KEY, .flags = T_UDP_FLAGS, .l4 = 78,
	  .need = 82 },
	{ "IPv6 routing", T_MACS "86dd" T_IP6("2b") T_EXT("06", "00") T_TCP T_PAYLOAD, T_V6,
	  T_TCP_KEY, .flags = T_TCP_FLAGS, .l4 = 62, .need = 76 },
	{ "IPv6 authentication", T_MACS "86dd" T_IP6("33") "11040000" "0000000100000001"
	  "000000000000000000000000" T_UDP T_PAYLOAD, T_V6, T_UDP_KEY, .flags = T_UDP_FLAGS,
	  .l4 = 78, .need = 82 },
	{ "IPv6 first fragment", T_MACS "86dd" T_IP6("2c") "11000001" "00000001" T_UDP T_PAYLOAD,
	  T_V6, T_UDP_KEY, .flags = T_UDP_FLAGS | T_FIRST, .l4 = 62, .need = 66 },
	{ "IPv6 atomic fragment", T_MACS "86dd" T_IP6("2c") "06000000" "00000001" T_TCP
	  T_PAYLOAD, T_V6, T_TCP_KEY, .flags = T_TCP_FLAGS | T_FIRST, .l4 = 62, .need = 76 },
	{ "IPv6 later fragment", T_MACS "86dd" T_IP6("2c") "11000008" "00000001" T_UDP T_PAYLOAD,
	  T_V6, .ip_proto = IPPROTO_UDP, .flags = VTAP_KEY_IP | VTAP_KEY_FRAG, .need = 62 },
	{ "IPv6 eight extension headers", T_MACS "86dd" T_IP6("3c") T_EXT("3c", "00")
	  T_EXT("3c", "00") T_EXT("3c", "00") T_EXT("3c", "00") T_EXT("3c", "00") T_EXT("3c", "00")
	  T_EXT("3c", "00") T_EXT("11", "00") T_UDP T_PAYLOAD, T_V6, T_UDP_KEY,
	  .flags = T_UDP_FLAGS, .l4 = 118, .need = 122 },
	{ "IPv6 nine extension headers", T_MACS "86dd" T_IP6("3c") T_EXT("3c", "00")
	  T_EXT("3c", "00") T_EXT("3c", "00") T_EXT("3c", "00") T_EXT("3c", "00") T_EXT("3c", "00")
	  T_EXT("3c", "00") T_EXT("3c", "00") T_EXT("11", "00") T_UDP T_PAYLOAD, T_V6,
	  .ip_proto = IPPROTO_UDP, .flags = VTAP_KEY_IP, .need = 120 },
};

static void vtap_test_frame_name(const struct vtap_test_frame *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vtap_test_frames, vtap_test_frames, vtap_test_frame_name);

static void vtap_test_key(struct kunit *test, const u8 *bytes, struct vtap_key *key)
{
	const struct vtap_test_frame *c = test->param_value;

	memset(key, 0, sizeof(*key));
	memcpy(key->dst_mac, bytes, ETH_ALEN);
	memcpy(key->src_mac, bytes + ETH_ALEN, ETH_ALEN);
	key->proto = htons(c->proto);
	key->vlan = htons(c->vlan);
	if (c->family == AF_INET) {
		key->src.s6_addr32[0] = htonl(0x0a000001);
		key->dst.s6_addr32[0] = htonl(0x0a000002);
	} else if (c->family == AF_INET6) {
		KUNIT_ASSERT_EQ(test, hex2bin(key->src.s6_addr, T_IP6_SRC, 16), 0);
		KUNIT_ASSERT_EQ(test, hex2bin(key->dst.s6_addr, T_IP6_DST, 16), 0);
	}
	key->ip_proto = c->ip_proto;
	key->flags = c->flags;
	key->dir = BIT(VTAP_OUT);
	key->sport = htons(c->sport);
	key->dport = htons(c->dport);
	key->tcp_flags = htons(c->tcp_flags);
	key->icmp_type = c->icmp[0];
	key->icmp_code = c->icmp[1];
}

static void vtap_test_whole(struct kunit *test)
{
	const struct vtap_test_frame *c = test->param_value;
	unsigned int n, pulled;
	u8 bytes[VTAP_TEST_MAX];
	struct vtap_key want;
	struct vtap_frame f;

	n = vtap_test_bytes(test, c->hex, bytes);
	vtap_test_key(test, bytes, &want);
	for (pulled = 0; pulled < 2; pulled++) {
		struct sk_buff *skb = vtap_test_skb(test, bytes, n);

		KUNIT_EXPECT_TRUE(test, vtap_test_parse(&f, skb, pulled, c->tci));
		KUNIT_EXPECT_EQ(test, f.mac, pulled ? -ETH_HLEN : 0);
		KUNIT_EXPECT_EQ(test, f.len, n);
		KUNIT_EXPECT_EQ(test, f.l3, c->l3);
		KUNIT_EXPECT_EQ(test, f.l4, c->l4);
		KUNIT_EXPECT_EQ(test, ntohs(f.key.proto), c->proto);
		KUNIT_EXPECT_EQ(test, ntohs(f.key.vlan), c->vlan);
		KUNIT_EXPECT_EQ(test, f.key.ip_proto, c->ip_proto);
		KUNIT_EXPECT_EQ(test, f.key.flags, c->flags);
		KUNIT_EXPECT_EQ(test, ntohs(f.key.sport), c->sport);
		KUNIT_EXPECT_EQ(test, ntohs(f.key.dport), c->dport);
		KUNIT_EXPECT_EQ(test, ntohs(f.key.tcp_flags), c->tcp_flags);
		KUNIT_EXPECT_EQ(test, memcmp(&f.key, &want, sizeof(want)), 0);
		kfree_skb(skb);
	}
}

/* The packet alone, with any part of it in the linear part, and another's bytes before it */
static void vtap_test_bare(struct kunit *test)
{
	const struct vtap_test_frame *c = test->param_value;
	unsigned int n, head;
	u8 bytes[VTAP_TEST_MAX];
	struct vtap_key want;
	struct vtap_frame f;
	struct sk_buff *skb;

	n = vtap_test_bytes(test, c->hex, bytes);
	/* what has a tag in its data or is no IP packet is for no such device */
	if (n <= ETH_HLEN || get_unaligned_be16(bytes + 12) != c->proto || !c->family)
		return;
	vtap_test_key(test, bytes, &want);
	eth_zero_addr(want.dst_mac);
	eth_zero_addr(want.src_mac);
	skb = alloc_skb(VTAP_TEST_MAX + NET_SKB_PAD, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	for (head = 0; head <= n - ETH_HLEN; head++) {
		vtap_test_fill(test, skb, bytes + ETH_HLEN, n - ETH_HLEN, head, 0);
		memset(skb->data - ETH_HLEN, 0xa5, ETH_HLEN);
		skb_reset_network_header(skb);
		/* not where anybody could believe it */
		skb_set_mac_header(skb, 7);
		skb->protocol = head & 1 ? 0 : htons(c->proto);
		if (c->tci)
			__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), c->tci);
		memset(&f, 0x5a, sizeof(f));
		f.skb = skb;
		f.dir = VTAP_OUT;
		f.bare = true;
		KUNIT_EXPECT_TRUE(test, vtap_parse(&f));
		KUNIT_EXPECT_EQ(test, f.mac, -ETH_HLEN);
		KUNIT_EXPECT_EQ(test, f.len, n);
		KUNIT_EXPECT_EQ(test, f.l3, c->l3);
		KUNIT_EXPECT_EQ(test, f.l4, c->l4);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(&f.key, &want, sizeof(want)), 0, "head %u", head);
	}
	kfree_skb(skb);
}

/* Each length: nothing is taken from beyond the end, and nothing that fits is missed. */
static void vtap_test_cut(struct kunit *test)
{
	const struct vtap_test_frame *c = test->param_value;
	unsigned int n, cut, need = 0;
	u8 bytes[VTAP_TEST_MAX];
	struct vtap_key want;
	struct sk_buff *skb;

	n = vtap_test_bytes(test, c->hex, bytes);
	vtap_test_key(test, bytes, &want);
	skb = vtap_test_skb(test, bytes, n);
	for (cut = 0; cut <= n; cut++) {
		struct vtap_frame f, g;
		bool parsed;

		vtap_test_fill(test, skb, bytes, cut, cut, 0);
		parsed = vtap_test_parse(&f, skb, false, c->tci);
		KUNIT_EXPECT_EQ_MSG(test, parsed, cut >= ETH_HLEN, "%u bytes", cut);
		vtap_test_fill(test, skb, bytes, cut, cut, 0xff);
		KUNIT_EXPECT_EQ(test, vtap_test_parse(&g, skb, false, c->tci), parsed);
		if (parsed) {
			KUNIT_EXPECT_EQ_MSG(test, memcmp(&f.key, &g.key, sizeof(f.key)), 0,
					    "%u bytes: something beyond them was read", cut);
			KUNIT_EXPECT_EQ(test, f.l3, g.l3);
			KUNIT_EXPECT_EQ(test, f.l4, g.l4);
		}
		if (!parsed || memcmp(&f.key, &want, sizeof(want)))
			need = cut + 1;
	}
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, need, c->need);
}

/* Headers in the linear part, in page frags, and across. */
static void vtap_test_split(struct kunit *test)
{
	const struct vtap_test_frame *c = test->param_value;
	unsigned int n, head, pulled;
	u8 bytes[VTAP_TEST_MAX];
	struct vtap_key want;
	struct vtap_frame f;
	struct sk_buff *skb;

	n = vtap_test_bytes(test, c->hex, bytes);
	vtap_test_key(test, bytes, &want);
	skb = vtap_test_skb(test, bytes, n);
	for (head = 0; head <= n; head++) {
		for (pulled = 0; pulled < 2; pulled++) {
			if (pulled && head < ETH_HLEN)
				continue;
			vtap_test_fill(test, skb, bytes, n, head, 0xff);
			KUNIT_EXPECT_EQ_MSG(test, vtap_test_parse(&f, skb, pulled, c->tci),
					    head >= ETH_HLEN, "%u linear", head);
			if (head >= ETH_HLEN) {
				KUNIT_EXPECT_EQ_MSG(test, memcmp(&f.key, &want, sizeof(want)), 0,
						    "%u linear, pulled %u", head, pulled);
				KUNIT_EXPECT_EQ(test, f.l3, c->l3);
				KUNIT_EXPECT_EQ(test, f.l4, c->l4);
				KUNIT_EXPECT_EQ(test, f.len, n);
			}
		}
	}
	kfree_skb(skb);
}

static void vtap_test_no_mac_header(struct kunit *test)
{
	struct sk_buff *skb = alloc_skb(VTAP_TEST_MAX, GFP_KERNEL);
	struct vtap_frame f = { .skb = skb };

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_put_zero(skb, 64);
	KUNIT_EXPECT_FALSE(test, vtap_parse(&f));
	/* behind the data */
	skb_set_mac_header(skb, 1);
	KUNIT_EXPECT_FALSE(test, vtap_parse(&f));
	skb_reset_mac_header(skb);
	KUNIT_EXPECT_TRUE(test, vtap_parse(&f));
	kfree_skb(skb);
}

static void vtap_test_hash(struct kunit *test)
{
	static const char *const frames[][2] = {
		{ T_MACS "0800" T_IP4("11") T_UDP,
		  "020000000001" "020000000002" "0800" "45000054" "00010000" "40110000"
		  "0a000002" "0a000001" "0035" "04d2" "00100000" },
		{ T_MACS "86dd" T_IP6("06") T_TCP,
		  "020000000001" "020000000002" "86dd" "60000000" "00400640" T_IP6_DST T_IP6_SRC
		  "0050" "04d2" "0000000100000002" "5112" "0400" "00000000" },
		{ T_MACS "0806" T_PAYLOAD, "020000000001" "020000000002" "0806" T_PAYLOAD },
		{ T_MACS "0800" T_IP4("01") "0800" "00000000", "020000000001" "020000000002" "0800"
		  "45000054" "00010000" "40010000" "0a000002" "0a000001" "0000" "00000000" },
	};
	u32 seen[ARRAY_SIZE(frames)];
	u8 bytes[VTAP_TEST_MAX];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(frames); i++) {
		u32 h[2];

		for (j = 0; j < 2; j++) {
			unsigned int n = vtap_test_bytes(test, frames[i][j], bytes);
			struct sk_buff *skb = vtap_test_skb(test, bytes, n);
			struct vtap_frame f;

			KUNIT_EXPECT_TRUE(test, vtap_test_parse(&f, skb, false, 0));
			h[j] = vtap_flow_hash(7, &f.key);
			kfree_skb(skb);
		}
		KUNIT_EXPECT_EQ_MSG(test, h[0], h[1], "flow %u", i);
		KUNIT_EXPECT_NE(test, h[0], 0);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_NE_MSG(test, h[0], seen[j], "flows %u and %u", i, j);
		seen[i] = h[0];
	}
}

/* All frames below are of one flow: first and later fragments, in both directions. */
static void vtap_test_hash_fragments(struct kunit *test)
{
	static const char *const frames[] = {
		T_MACS "86dd" "60000000" "00400240" T_IP6_SRC T_IP6_DST "3c00" "0001" "00000007"
		"1100" "010400000000" T_UDP,
		T_MACS "86dd" "60000000" "00402c40" T_IP6_SRC T_IP6_DST "3c00" "0001" "00000007"
		"1100" "010400000000" T_UDP,
		T_MACS "86dd" "60000000" "00402c40" T_IP6_SRC T_IP6_DST "3b00" "0100" "00000007"
		T_PAYLOAD,
		T_MACS "86dd" "60000000" "00402c40" T_IP6_DST T_IP6_SRC "1100" "0001" "00000008"
		T_UDP,
	};
	u32 h[ARRAY_SIZE(frames)];
	u8 bytes[VTAP_TEST_MAX];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(frames); i++) {
		unsigned int n = vtap_test_bytes(test, frames[i], bytes);
		struct sk_buff *skb = vtap_test_skb(test, bytes, n);
		struct vtap_frame f;

		KUNIT_EXPECT_TRUE(test, vtap_test_parse(&f, skb, false, 0));
		h[i] = vtap_flow_hash(7, &f.key);
		KUNIT_EXPECT_NE(test, h[i], vtap_flow_hash(8, &f.key));
		kfree_skb(skb);
	}
	/* the first one is none: its protocol is another one */
	KUNIT_EXPECT_NE(test, h[0], h[1]);
	KUNIT_EXPECT_EQ(test, h[1], h[2]);
	KUNIT_EXPECT_EQ(test, h[1], h[3]);
}

static struct kunit_case vtap_test_parser_cases[] = {
	KUNIT_CASE_PARAM(vtap_test_whole, vtap_test_frames_gen_params),
	KUNIT_CASE_PARAM(vtap_test_bare, vtap_test_frames_gen_params),
	KUNIT_CASE_PARAM(vtap_test_cut, vtap_test_frames_gen_params),
	KUNIT_CASE_PARAM(vtap_test_split, vtap_test_frames_gen_params),
	KUNIT_CASE(vtap_test_no_mac_header),
	KUNIT_CASE(vtap_test_hash),
	KUNIT_CASE(vtap_test_hash_fragments),
	{}
};

static struct kunit_suite vtap_test_parser = {
	.name = "vtap_parser",
	.init = vtap_test_init,
	.exit = vtap_test_exit,
	.test_cases = vtap_test_parser_cases,
};

kunit_test_suite(vtap_test_parser);
