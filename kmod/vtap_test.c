// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of parser, classifier and header builders: no device, no traffic. */
#include <kunit/test.h>
#include <linux/hex.h>
#include <linux/netlink.h>
#include <linux/prandom.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>

#include "own.h"

#define VTAP_TEST_MAX	256	/* longest frame */

/* --- frames --- */

/* Headers in hexadecimal digits, as wire-level documents print them */
#define T_MACS		"020000000002" "020000000001"
#define T_IP4_ADDRS	"0a000001" "0a000002"
#define T_IP4_FRAG(frag, proto)	"45000100" "0001" frag "40" proto "0000" T_IP4_ADDRS
#define T_IP4(proto)	T_IP4_FRAG("0000", proto)
#define T_IP6_SRC	"20010db8" "00000000" "00000000" "00000001"
#define T_IP6_DST	"20010db8" "00000000" "00000000" "00000002"
#define T_IP6(next)	"60000000" "0100" next "40" T_IP6_SRC T_IP6_DST
#define T_TCP		"04d2" "0050" "00000001" "00000002" "5112" "0400" "0000" "0000"
#define T_UDP		"04d2" "0035" "0010" "0000"
#define T_PAYLOAD	"00112233445566778899aabbccddeeff"
#define T_EXT(next, len)	next len "010400000000"
#define T_EXT_16(next)	next "01" "01040000000000000000000000" "00"

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
#define T_UDP_FLAGS	(VTAP_KEY_IP | VTAP_KEY_PORTS)
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

static unsigned int vtap_test_bytes(struct kunit *test, const char *hex, u8 *to)
{
	unsigned int n = strlen(hex) / 2;

	KUNIT_ASSERT_LE(test, n, VTAP_TEST_MAX);
	KUNIT_ASSERT_EQ(test, hex2bin(to, hex, n), 0);
	return n;
}

/* The first @head of @n bytes in the linear part, with @beyond after them, the others in a page. */
static void vtap_test_fill(struct kunit *test, struct sk_buff *skb, const u8 *bytes,
			   unsigned int n, unsigned int head, u8 beyond)
{
	struct page *page = test->priv;

	/* it may have been used before */
	KUNIT_ASSERT_EQ(test, pskb_trim(skb, 0), 0);
	__vlan_hwaccel_clear_tag(skb);
	skb->data = skb->head + NET_SKB_PAD;
	skb_reset_tail_pointer(skb);
	skb_put_data(skb, bytes, head);
	memset(skb_tail_pointer(skb), beyond, VTAP_TEST_MAX - head);
	skb_reset_mac_header(skb);
	if (head == n)
		return;
	memcpy(page_address(page), bytes + head, n - head);
	memset(page_address(page) + n - head, beyond, VTAP_TEST_MAX);
	get_page(page);
	skb_add_rx_frag(skb, 0, page, 0, n - head, n - head);
}

static struct sk_buff *vtap_test_skb(struct kunit *test, const u8 *bytes, unsigned int n)
{
	struct sk_buff *skb = alloc_skb(VTAP_TEST_MAX + NET_SKB_PAD, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	vtap_test_fill(test, skb, bytes, n, n, 0);
	return skb;
}

static int vtap_test_init(struct kunit *test)
{
	test->priv = alloc_page(GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static void vtap_test_exit(struct kunit *test)
{
	put_page(test->priv);
}

/* Parse as a hook would: @pulled for those that see the frame behind its Ethernet header. */
static bool vtap_test_parse(struct vtap_frame *f, struct sk_buff *skb, bool pulled, u16 tci)
{
	memset(f, 0x5a, sizeof(*f));
	if (tci)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tci);
	if (pulled)
		__skb_pull(skb, ETH_HLEN);
	f->skb = skb;
	f->ifindex = 5;
	f->dir = VTAP_OUT;
	f->bare = false;
	return vtap_match_parse(f);
}

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
		KUNIT_EXPECT_TRUE(test, vtap_match_parse(&f));
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
	KUNIT_EXPECT_FALSE(test, vtap_match_parse(&f));
	/* behind the data */
	skb_set_mac_header(skb, 1);
	KUNIT_EXPECT_FALSE(test, vtap_match_parse(&f));
	skb_reset_mac_header(skb);
	KUNIT_EXPECT_TRUE(test, vtap_match_parse(&f));
	kfree_skb(skb);
}

/* --- frames within tunnels --- */

struct vtap_test_inner {
	const char *name;
	const char *hex;
	unsigned int off;	/* of the inner frame; 0 for none */
	unsigned int need;	/* bytes it takes to find it */
};

#define T_INNER	"020000000004" "020000000003" "0800" "45000054" "00010000" "40110000" \
		"c0000201" "c0000202" T_UDP T_PAYLOAD
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
		found = vtap_match_inner(&f, vtap_test_tunnel(&f), &g);
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
		KUNIT_EXPECT_EQ_MSG(test, vtap_match_inner(&f, vtap_test_tunnel(&f), &f),
				    c->off && cut >= c->need, "%u bytes", cut);
	}
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
	KUNIT_CASE_PARAM(vtap_test_inner, vtap_test_inners_gen_params),
	KUNIT_CASE_PARAM(vtap_test_inner_cut, vtap_test_inners_gen_params),
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

/* --- classifier --- */

/**
 * struct vtap_test_facts - what a random frame is made of, in host order
 * @mac: the last bytes of its source and destination address, the others are 2, 0, 0, 0, 0
 * @tagged: it has a VLAN tag
 * @prio: its priority
 * @vid: its id
 * @family: AF_INET, AF_INET6, or 0 for ARP
 * @net: the third byte of source and destination network
 * @host: the last byte of source and destination address
 * @ip_proto: protocol
 * @frag: VTAP_KEY_FRAG, VTAP_KEY_FIRST
 * @port: source and destination port
 * @tcp_flags: flags
 * @icmp: type and code
 * @dir: VTAP_IN or VTAP_OUT
 */
struct vtap_test_facts {
	u8 mac[2];
	bool tagged;
	u8 prio;
	u16 vid;
	u8 family;
	u8 net[2];
	u8 host[2];
	u8 ip_proto;
	u8 frag;
	u16 port[2];
	u16 tcp_flags;
	u8 icmp[2];
	u8 dir;
};

#define VTAP_TEST_RULES		300
#define VTAP_TEST_FRAMES	100

/* What a test of the classifier works with; too much for the stack */
struct vtap_test_table {
	struct rnd_state rnd;
	struct vtap_net vn;
	u8 sends;
	struct vtap_rule_cfg cfg[2][VTAP_TEST_RULES];
	struct vtap_rule *rules[2][VTAP_TEST_RULES];
	const struct vtap_rule *list[2][VTAP_TEST_RULES];
	struct vtap_filter *odd;
	struct vtap_table *t[2];
};

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

static void vtap_test_random_facts(struct vtap_test_table *tt, struct vtap_test_facts *x)
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
static unsigned int vtap_test_put_frame(const struct vtap_test_facts *x, u8 *bytes)
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

static void vtap_test_random_rule(struct vtap_test_table *tt, struct vtap_rule_cfg *cfg)
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

static bool vtap_test_matches(const struct vtap_test_facts *x, const struct vtap_match *m)
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

/* Sent by this VM, or to it, as the port's kind has it */
static bool vtap_test_is_vms(u8 sends, const struct vtap_test_facts *x, u8 mac)
{
	const u8 both = BIT(VTAP_IN) | BIT(VTAP_OUT);
	const u8 gets = sends == both ? both : both & ~sends;

	return (sends & BIT(x->dir) && x->mac[0] == mac) ||
	       (gets & BIT(x->dir) && x->mac[1] == mac);
}

/* The first rule that matches, found as the manual says it */
static const struct vtap_rule *vtap_test_reference(const struct vtap_test_table *tt, int side,
						   unsigned int n, const struct vtap_test_facts *x)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		const struct vtap_rule_cfg *cfg = &tt->cfg[side][i];

		if (!(cfg->dir & BIT(x->dir)))
			continue;
		if (cfg->mac[0] && !vtap_test_is_vms(tt->sends, x, cfg->mac[5]))
			continue;
		if (cfg->filter && !(x->mac[1] & 1))
			continue;
		if (vtap_test_matches(x, &cfg->match))
			return tt->rules[side][i];
	}
	return NULL;
}

/* Return: how many of the two tables had a rule for the frame. */
static unsigned int vtap_test_lookup(struct kunit *test, struct vtap_test_table *tt,
				     unsigned int n, const struct vtap_test_facts *x)
{
	u8 bytes[VTAP_TEST_MAX];
	unsigned int len = vtap_test_put_frame(x, bytes), round, found = 0;
	struct sk_buff *skb = vtap_test_skb(test, bytes, len);
	struct vtap_frame f = { .skb = skb, .dir = x->dir };
	int side;

	KUNIT_EXPECT_TRUE(test, vtap_match_parse(&f));
	/* the second time the caches know */
	for (round = 0; round < 2; round++) {
		for (side = 0; side < 2; side++) {
			const struct vtap_rule *got, *want;

			local_bh_disable();
			rcu_read_lock();
			got = vtap_table_lookup(tt->t[side], &f);
			rcu_read_unlock();
			local_bh_enable();
			want = vtap_test_reference(tt, side, n, x);
			KUNIT_EXPECT_PTR_EQ_MSG(test, got, want,
						"round %u, table %d of %u: rule %u, not %u", round,
						side, n, got ? got->id : 0, want ? want->id : 0);
			found += !!want;
		}
	}
	kfree_skb(skb);
	return found / 2;
}

static struct vtap_test_table *vtap_test_table_new(struct kunit *test)
{
	/* the last byte of the destination address is odd */
	static const struct sock_filter odd[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 5),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct vtap_test_table *tt = kunit_kzalloc(test, sizeof(*tt), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, tt);
	prandom_seed_state(&tt->rnd, 20261122);
	INIT_LIST_HEAD(&tt->vn.tables);
	tt->sends = BIT(VTAP_IN);
	tt->odd = vtap_filter_new(odd, ARRAY_SIZE(odd), "", NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tt->odd);
	return tt;
}

static void vtap_test_rule_new(struct kunit *test, struct vtap_test_table *tt, int side,
			       unsigned int i)
{
	struct vtap_rule *rule = vtap_rule_alloc(&tt->cfg[side][i]);

	KUNIT_ASSERT_NOT_NULL(test, rule);
	rule->id = i + 1;
	tt->rules[side][i] = rule;
	tt->list[side][i] = rule;
}

static void vtap_test_tables_get(struct kunit *test, struct vtap_test_table *tt, unsigned int n)
{
	unsigned int i;
	int side;

	for (side = 0; side < 2; side++) {
		for (i = 0; i < n; i++) {
			vtap_test_random_rule(tt, &tt->cfg[side][i]);
			vtap_test_rule_new(test, tt, side, i);
		}
		rtnl_lock();
		tt->t[side] = vtap_table_get(&tt->vn, tt->sends, tt->list[side], n);
		rtnl_unlock();
		KUNIT_ASSERT_NOT_NULL(test, tt->t[side]);
	}
}

static void vtap_test_tables_put(struct vtap_test_table *tt, unsigned int n)
{
	unsigned int i;
	int side;

	rtnl_lock();
	for (side = 0; side < 2; side++) {
		vtap_table_put(tt->t[side]);
		for (i = 0; i < n; i++)
			vtap_rule_free(tt->rules[side][i]);
	}
	rtnl_unlock();
}

static const unsigned int vtap_test_sizes[] = { 1, 2, 8, 9, 40, VTAP_TEST_RULES };

static void vtap_test_size_name(const unsigned int *n, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%u rules", *n);
}

KUNIT_ARRAY_PARAM(vtap_test_sizes, vtap_test_sizes, vtap_test_size_name);

/* Random rules, random frames: what the tables say is what trying rules one by one says. */
static void vtap_test_classify(struct kunit *test)
{
	const unsigned int n = *(const unsigned int *)test->param_value;
	struct vtap_test_table *tt = vtap_test_table_new(test);
	unsigned int i, found = 0, rounds;

	/* few rules say little, so that more of them are tried; of each kind of port */
	for (rounds = n < 10 ? 6 : 3; rounds; rounds--) {
		tt->sends = 1 + rounds % 3;
		vtap_test_tables_get(test, tt, n);
		for (i = 0; i < VTAP_TEST_FRAMES; i++) {
			struct vtap_test_facts x;

			vtap_test_random_facts(tt, &x);
			found += vtap_test_lookup(test, tt, n, &x);
		}
		vtap_test_tables_put(tt, n);
	}
	KUNIT_EXPECT_GT_MSG(test, found, 20, "too few frames met a rule");
	vtap_filter_put(tt->odd);
}

static void vtap_test_table_shared(struct kunit *test)
{
	struct vtap_test_table *tt = vtap_test_table_new(test);
	struct vtap_table *t;

	vtap_test_tables_get(test, tt, 10);
	KUNIT_EXPECT_PTR_NE(test, tt->t[0], tt->t[1]);
	rtnl_lock();
	t = vtap_table_get(&tt->vn, tt->sends, tt->list[0], 10);
	KUNIT_EXPECT_PTR_EQ(test, t, tt->t[0]);
	vtap_table_put(t);
	t = vtap_table_get(&tt->vn, tt->sends, tt->list[0], 9);
	KUNIT_EXPECT_PTR_NE(test, t, tt->t[0]);
	vtap_table_put(t);
	t = vtap_table_get(&tt->vn, BIT(VTAP_OUT), tt->list[0], 10);
	KUNIT_EXPECT_PTR_NE(test, t, tt->t[0]);
	vtap_table_put(t);
	swap(tt->list[0][3], tt->list[0][4]);
	t = vtap_table_get(&tt->vn, tt->sends, tt->list[0], 10);
	KUNIT_EXPECT_PTR_NE(test, t, tt->t[0]);
	vtap_table_put(t);
	rtnl_unlock();
	vtap_test_tables_put(tt, 10);
	KUNIT_EXPECT_TRUE(test, list_empty(&tt->vn.tables));
	vtap_filter_put(tt->odd);
}

static void vtap_test_table_dirs(struct kunit *test)
{
	struct vtap_test_table *tt = vtap_test_table_new(test);
	u32 dirs;

	for (dirs = 1; dirs <= 3; dirs++) {
		struct vtap_table *t;

		vtap_test_random_rule(tt, &tt->cfg[0][0]);
		tt->cfg[0][0].dir = dirs;
		vtap_test_rule_new(test, tt, 0, 0);
		rtnl_lock();
		t = vtap_table_get(&tt->vn, tt->sends, tt->list[0], 1);
		KUNIT_EXPECT_NOT_NULL(test, t);
		if (t)
			KUNIT_EXPECT_EQ(test, vtap_table_dirs(t), dirs);
		vtap_table_put(t);
		vtap_rule_free(tt->rules[0][0]);
		rtnl_unlock();
	}
	vtap_filter_put(tt->odd);
}

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
	{ "ip_proto icmpv6 is of IPv6: use icmp with IPv4 addresses and protocol ip",
	  { .present = T_PRESENT(IP_PROTO), .ip_proto = IPPROTO_ICMPV6,
	    .src_ip.family = AF_INET } },
	{ "", { .present = T_PRESENT(IP_PROTO), .ip_proto = IPPROTO_ICMPV6,
		.src_ip.family = AF_INET6 } },
	{ "the first fragment is a fragment: use ip_flags firstfrag or nofrag",
	  { .present = T_PRESENT(IP_FLAGS), .ip_flags = 2, .ip_flags_mask = 3 } },
	{ "fragments but the first have no ports, tcp_flags, icmp_type, icmp_code and tunnel",
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

static struct kunit_case vtap_test_classifier_cases[] = {
	KUNIT_CASE_PARAM(vtap_test_classify, vtap_test_sizes_gen_params),
	KUNIT_CASE(vtap_test_table_shared),
	KUNIT_CASE(vtap_test_table_dirs),
	KUNIT_CASE_PARAM(vtap_test_match_check, vtap_test_refusals_gen_params),
	{}
};

static struct kunit_suite vtap_test_classifier = {
	.name = "vtap_classifier",
	.init = vtap_test_init,
	.exit = vtap_test_exit,
	.test_cases = vtap_test_classifier_cases,
};

/* --- header builders --- */

#define T_ETH(proto)	"0200000000aa" "0200000000bb" proto
#define T_OUT4_FRAG(frag, proto)	T_ETH("0800") "45880000" "0000" frag "40" proto "0000" \
					"c0000201" "c0000209"
#define T_OUT4(proto)	T_OUT4_FRAG("0000", proto)
#define T_OUT6(proto)	T_ETH("86dd") "68800000" "0000" proto "40" T_IP6_SRC T_IP6_DST

#define T_REMOTE4	.remote = { AF_INET, 32, .ip.s6_addr = { 192, 0, 2, 9 } }
#define T_REMOTE6	.remote = { AF_INET6, 128, \
				    .ip.s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 2 } }
#define T_TO4		T_REMOTE4, .ttl = 64, .tos = 0x88
#define T_TO6		T_REMOTE6, .ttl = 64, .tos = 0x88

/**
 * struct vtap_test_header - what a user says of a session, and its template
 * @name: of the case
 * @cfg: what the user says
 * @hex: the template's headers
 * @whole: longest inner frame for an MTU of 1500
 * @dst: the host's output path writes the link-layer header
 * @twin: byte behind the link-layer header that tells its copies from those of a similar session
 */
struct vtap_test_header {
	const char *name;
	struct vtap_session_cfg cfg;
	const char *hex;
	unsigned int whole;
	bool dst;
	unsigned int twin;
};

static const struct vtap_test_header vtap_test_headers[] = {
	{ "gre", { T_TO4, .type = VTAP_SESSION_TYPE_GRE }, T_OUT4("2f") "00006558", 1476 },
	{ "gre key", { T_TO4, .has_key = true, .key = 7 },
	  T_OUT4("2f") "20006558" "00000007", 1472, .twin = 27 },
	{ "gre sequence", { T_TO4, .seq = true },
	  T_OUT4("2f") "10006558" "00000000", 1472 },
	{ "gre key, sequence", { T_TO4, .has_key = true, .key = 0x12345678, .seq = true },
	  T_OUT4("2f") "30006558" "12345678" "00000000", 1468, .twin = 24 },
	{ "gre checksum", { T_TO4, .csum = true }, T_OUT4("2f") "80006558" "00000000", 1472 },
	{ "gre checksum, key, sequence", { T_TO4, .csum = true, .has_key = true,
					   .key = 0x12345678, .seq = true },
	  T_OUT4("2f") "b0006558" "00000000" "12345678" "00000000", 1464, .twin = 28 },
	{ "gre checksum, key, sequence over IPv6", { T_TO6, .csum = true, .has_key = true,
						     .key = 7, .seq = true },
	  T_OUT6("2f") "b0006558" "00000000" "00000007" "00000000", 1444, .twin = 51 },
	{ "gre truncate", { T_TO4, .mtu = VTAP_MTU_POLICY_TRUNCATE },
	  T_OUT4_FRAG("4000", "2f") "00006558", 1476 },
	{ "gre drop", { T_TO4, .mtu = VTAP_MTU_POLICY_DROP },
	  T_OUT4_FRAG("4000", "2f") "00006558", 1476 },
	{ "gre snaplen", { T_TO4, .snaplen = 256 }, T_OUT4("2f") "00006558", 256 },
	{ "gre snaplen, longer than that", { T_TO4, .snaplen = 1477 },
	  T_OUT4("2f") "00006558", 1476 },
	{ "gre by the host", { T_TO4 }, "45880000" "00000000" "402f0000" "c0000201" "c0000209"
	  "00006558", 1476, .dst = true },
	{ "erspan I", { T_TO4, .type = VTAP_SESSION_TYPE_ERSPAN1 },
	  T_OUT4("2f") "000088be", 1476 },
	{ "erspan II", { T_TO4, .type = VTAP_SESSION_TYPE_ERSPAN2, .id = 100, .index = 0x12345 },
	  T_OUT4("2f") "100088be" "00000000" "10000064" "00012345", 1464, .twin = 31 },
	{ "erspan II, highest", { T_TO4, .type = VTAP_SESSION_TYPE_ERSPAN2, .id = 1023,
				  .index = 0xfffff },
	  T_OUT4("2f") "100088be" "00000000" "100003ff" "000fffff", 1464, .twin = 30 },
	{ "erspan III", { T_TO4, .type = VTAP_SESSION_TYPE_ERSPAN3, .id = 100 },
	  T_OUT4("2f") "100022eb" "00000000" "20000064" "00000000" "00008000", 1460, .twin = 31 },
	{ "erspan III sub-header", { T_TO4, .type = VTAP_SESSION_TYPE_ERSPAN3, .id = 100,
				     .subheader = true },
	  T_OUT4("2f") "100022eb" "00000000" "20000064" "00000000" "00008005" "14000000"
	  "00000000", 1452, .twin = 31 },
	{ "vxlan", { T_TO4, .type = VTAP_SESSION_TYPE_VXLAN, .has_key = true, .key = 0x123456,
		     .dport = 4789 },
	  T_OUT4("11") "000012b5" "00000000" "08000000" "12345600", 1464, .twin = 23 },
	{ "gre over IPv6", { T_TO6 }, T_OUT6("2f") "00006558", 1456 },
	{ "erspan II over IPv6", { T_TO6, .type = VTAP_SESSION_TYPE_ERSPAN2, .id = 1 },
	  T_OUT6("2f") "100088be" "00000000" "10000001" "00000000", 1444, .twin = 51 },
	{ "erspan III over IPv6", { T_TO6, .type = VTAP_SESSION_TYPE_ERSPAN3, .id = 1,
				    .mtu = VTAP_MTU_POLICY_DROP },
	  T_OUT6("2f") "100022eb" "00000000" "20000001" "00000000" "00008000", 1440, .twin = 51 },
	{ "vxlan over IPv6", { T_TO6, .type = VTAP_SESSION_TYPE_VXLAN, .has_key = true, .key = 42,
			       .dport = 4790 },
	  T_OUT6("11") "000012b6" "00000000" "08000000" "00002a00", 1444, .twin = 43 },
	{ "port", { .type = VTAP_SESSION_TYPE_PORT }, "", 1500 },
	{ "port snaplen", { .type = VTAP_SESSION_TYPE_PORT, .snaplen = 128 }, "", 128 },
};

static void vtap_test_header_name(const struct vtap_test_header *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vtap_test_headers, vtap_test_headers, vtap_test_header_name);

static void vtap_test_template(struct vtap_tmpl *t, const struct vtap_session_cfg *cfg,
			       unsigned int mtu, bool dst)
{
	static const u8 smac[ETH_ALEN] = { 2, 0, 0, 0, 0, 0xbb };
	static const u8 dmac[ETH_ALEN] = { 2, 0, 0, 0, 0, 0xaa };
	struct vtap_addr local = { .family = cfg->remote.family };

	if (local.family == AF_INET6)
		local.ip = (struct in6_addr){ .s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	else
		local.ip.s6_addr32[0] = htonl(0xc0000201);
	memset(t, 0, sizeof(*t));
	t->family = cfg->remote.family;
	t->mtu = mtu;
	/* that there is one is all that it looks at */
	t->dst = dst ? (struct dst_entry *)t : NULL;
	vtap_encap_build(t, cfg, &local, smac, dmac);
}

static void vtap_test_build(struct kunit *test)
{
	const struct vtap_test_header *c = test->param_value;
	unsigned int n, ip;
	u8 bytes[VTAP_TEST_MAX];
	struct vtap_tmpl t;

	n = vtap_test_bytes(test, c->hex, bytes);
	KUNIT_EXPECT_EQ(test, vtap_encap_check(&c->cfg, NULL),
			c->cfg.type == VTAP_SESSION_TYPE_PORT ? -EINVAL : 0);
	vtap_test_template(&t, &c->cfg, 1500, c->dst);
	KUNIT_EXPECT_EQ(test, t.hlen, n);
	KUNIT_EXPECT_EQ(test, t.whole, c->whole);
	KUNIT_EXPECT_EQ(test, t.snaplen, c->cfg.snaplen);
	KUNIT_EXPECT_EQ(test, t.mtu_policy, c->cfg.mtu);
	if (t.hlen != n)
		return;
	KUNIT_EXPECT_EQ_MSG(test, memcmp(t.hdr, bytes, n), 0, "%*phN, not %*phN", n, t.hdr, n,
			    bytes);
	if (!n)
		return;
	ip = t.family == AF_INET ? 20 : 40;
	KUNIT_EXPECT_EQ(test, t.l2len, c->dst ? 0 : ETH_HLEN);
	KUNIT_EXPECT_EQ(test, t.tun, t.l2len + ip);
	KUNIT_EXPECT_EQ(test, t.seq, c->cfg.type != VTAP_SESSION_TYPE_VXLAN && bytes[t.tun] & 0x10);
	/* an MTU that has no room for a frame, and one that has room for a byte */
	vtap_test_template(&t, &c->cfg, n - t.l2len, c->dst);
	KUNIT_EXPECT_EQ(test, t.whole, 0);
	vtap_test_template(&t, &c->cfg, n - t.l2len + 1, c->dst);
	KUNIT_EXPECT_EQ(test, t.whole, 1);
}

/* The sum over the header, to which a packet adds length and id */
static void vtap_test_ipsum(struct kunit *test)
{
	static const u16 values[] = { 0, 1, 0x1234, 0x7fff, 0x8000, 0xfffe, 0xffff };
	const struct vtap_test_header *c = test->param_value;
	unsigned int i, j;
	struct vtap_tmpl t;

	vtap_test_template(&t, &c->cfg, 1500, c->dst);
	if (t.family != AF_INET)
		kunit_skip(test, "no IPv4 header");
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		for (j = 0; j < ARRAY_SIZE(values); j++) {
			struct iphdr iph;

			memcpy(&iph, t.hdr + t.l2len, sizeof(iph));
			iph.tot_len = htons(values[i]);
			iph.id = htons(values[j]);
			iph.check = csum_fold((__force __wsum)(t.ipsum + (__force u16)iph.tot_len +
							       (__force u16)iph.id));
			KUNIT_EXPECT_EQ_MSG(test, (__force u16)ip_fast_csum(&iph, 5), 0,
					    "length %u, id %u", values[i], values[j]);
		}
	}
}

/* Return: a copy's headers and its frame, as it goes out. */
static struct sk_buff *vtap_test_copy(struct kunit *test, const struct vtap_tmpl *t)
{
	u8 bytes[VTAP_TEST_MAX];
	unsigned int n;

	memcpy(bytes, t->hdr, t->hlen);
	n = t->hlen + vtap_test_bytes(test, T_INNER, bytes + t->hlen);
	return vtap_test_skb(test, bytes, n);
}

/* Return: a namespace of which nothing is there but its table of own headers. */
static struct vtap_net *vtap_test_net(struct kunit *test)
{
	struct vtap_net *vn = kunit_kzalloc(test, sizeof(*vn), GFP_KERNEL);
	struct vtap_own *o = kunit_kzalloc(test, sizeof(*o), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vn);
	KUNIT_ASSERT_NOT_NULL(test, o);
	rcu_assign_pointer(vn->own, o);
	return vn;
}

static bool vtap_test_known(const struct vtap_net *vn, const struct vtap_frame *f)
{
	bool own;

	local_bh_disable();
	rcu_read_lock();
	own = vtap_own(vn, f);
	rcu_read_unlock();
	local_bh_enable();
	return own;
}

/* Is a copy of @t with byte @at changed taken for one of @t? */
static bool vtap_test_own(struct kunit *test, const struct vtap_tmpl *t, unsigned int at)
{
	struct sk_buff *skb = vtap_test_copy(test, t);
	struct vtap_net *vn = vtap_test_net(test);
	struct vtap_tmpl copy = *t;
	struct vtap_frame f;
	bool own;

	if (at)
		skb->data[at] ^= 1;
	KUNIT_EXPECT_TRUE(test, vtap_test_parse(&f, skb, at & 1, 0));
	vtap_own_add(rcu_dereference_protected(vn->own, true), &copy);
	own = vtap_test_known(vn, &f);
	vtap_own_del(rcu_dereference_protected(vn->own, true), &copy);
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_known(vn, &f), "after it is gone");
	kfree_skb(skb);
	return own;
}

static void vtap_test_is_own(struct kunit *test)
{
	const struct vtap_test_header *c = test->param_value;
	struct vtap_tmpl t;
	unsigned int ip;

	vtap_test_template(&t, &c->cfg, 1500, false);
	if (!t.family) {
		KUNIT_EXPECT_FALSE(test, vtap_test_own(test, &t, 0));
		return;
	}
	ip = t.tun - t.l2len;
	KUNIT_EXPECT_TRUE(test, vtap_test_own(test, &t, 0));
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_own(test, &t, t.tun - 1), "destination");
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_own(test, &t, t.tun - ip / 5 - 1), "source");
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_own(test, &t, t.l2len + (ip == 20 ? 9 : 6)),
			       "protocol");
	if (c->twin)
		KUNIT_EXPECT_FALSE(test, vtap_test_own(test, &t, t.l2len + c->twin));
	if (t.seq)
		KUNIT_EXPECT_TRUE_MSG(test, vtap_test_own(test, &t, t.tun + t.l4len - 1),
				      "another sequence number");
	if (t.type == VTAP_SESSION_TYPE_VXLAN)
		KUNIT_EXPECT_FALSE_MSG(test, vtap_test_own(test, &t, t.hlen - 2),
				       "network identifier");
	if (t.type == VTAP_SESSION_TYPE_GRE && c->cfg.has_key)
		KUNIT_EXPECT_FALSE_MSG(test, vtap_test_own(test, &t, t.tun + 7), "key");
}

/* An ICMP error about a copy of @t, of which byte @at is changed: is it ours? */
static bool vtap_test_quoted(struct kunit *test, const struct vtap_tmpl *t, unsigned int at)
{
	const unsigned int off = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct icmphdr);
	const struct iphdr *quoted = (const struct iphdr *)(t->hdr + t->l2len);
	struct vtap_net *vn = vtap_test_net(test);
	struct vtap_tmpl copy = *t;
	u8 bytes[128] = {};
	struct vtap_frame f;
	struct sk_buff *skb;
	bool own;

	memcpy(bytes, t->hdr, ETH_HLEN);
	*(struct iphdr *)(bytes + ETH_HLEN) = (struct iphdr){
		.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_ICMP,
		.saddr = quoted->daddr, .daddr = quoted->saddr,
	};
	bytes[ETH_HLEN + sizeof(struct iphdr)] = ICMP_DEST_UNREACH;
	memcpy(bytes + off, quoted, sizeof(*quoted) + 8);
	if (at)
		bytes[at] ^= 1;
	skb = vtap_test_skb(test, bytes, off + sizeof(*quoted) + 8);
	KUNIT_EXPECT_TRUE(test, vtap_test_parse(&f, skb, 0, 0));
	vtap_own_add(rcu_dereference_protected(vn->own, true), &copy);
	own = vtap_test_known(vn, &f);
	kfree_skb(skb);
	return own;
}

static void vtap_test_errors(struct kunit *test)
{
	const unsigned int icmp = ETH_HLEN + sizeof(struct iphdr), ip = icmp + 8;
	const struct vtap_test_header *c = test->param_value;
	struct vtap_tmpl t;

	vtap_test_template(&t, &c->cfg, 1500, false);
	if (t.family != AF_INET)
		kunit_skip(test, "no IPv4 header");
	KUNIT_EXPECT_TRUE(test, vtap_test_quoted(test, &t, 0));
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_quoted(test, &t, icmp), "another type");
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_quoted(test, &t, icmp - 1), "sent to another");
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_quoted(test, &t, ip + 9), "protocol");
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_quoted(test, &t, ip + 15), "source");
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_quoted(test, &t, ip + 19), "destination");
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_quoted(test, &t, ip + 23), "protocol or port");
	KUNIT_EXPECT_FALSE_MSG(test, vtap_test_quoted(test, &t, ip + 7), "a later fragment");
}

/* Templates of the same headers come and go in any order. */
static void vtap_test_own_same(struct kunit *test)
{
	static const u8 orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 0, 2 }, { 1, 2, 0 } };
	const struct vtap_test_header *c = test->param_value;
	struct vtap_net *vn = vtap_test_net(test);
	struct vtap_own *o = rcu_dereference_protected(vn->own, true);
	struct vtap_tmpl *t = kunit_kzalloc(test, 3 * sizeof(*t), GFP_KERNEL);
	struct vtap_frame f;
	struct sk_buff *skb;
	unsigned int i, j;

	KUNIT_ASSERT_NOT_NULL(test, t);
	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		for (j = 0; j < 3; j++) {
			vtap_test_template(&t[j], &c->cfg, 1500, false);
			vtap_own_add(o, &t[j]);
		}
		skb = vtap_test_copy(test, t);
		KUNIT_EXPECT_TRUE(test, vtap_test_parse(&f, skb, 0, 0));
		for (j = 0; j < 3; j++) {
			KUNIT_EXPECT_EQ_MSG(test, vtap_test_known(vn, &f), !!t->family,
					    "%u of order %u", j, i);
			vtap_own_del(o, &t[orders[i][j]]);
		}
		KUNIT_EXPECT_FALSE(test, vtap_test_known(vn, &f));
		KUNIT_EXPECT_EQ(test, o->udp_ports | o->hops, 0ULL);
		kfree_skb(skb);
	}
}

/**
 * struct vtap_test_copy - a copy's ERSPAN header
 * @name: of the case
 * @type: of the session
 * @strip: the tag goes into the header
 * @subheader: with sub-header
 * @meta: TCI in the metadata, or 0
 * @tag: TCI in the frame, or 0
 * @dir: VTAP_IN or VTAP_OUT
 * @truncated: bytes are missing
 * @w0: first word
 * @w2: third word of type III
 */
struct vtap_test_copy {
	const char *name;
	u8 type;
	bool strip;
	bool subheader;
	u16 meta;
	u16 tag;
	u8 dir;
	bool truncated;
	u32 w0;
	u32 w2;
};

#define T_II	.type = VTAP_SESSION_TYPE_ERSPAN2
#define T_III	.type = VTAP_SESSION_TYPE_ERSPAN3

static const struct vtap_test_copy vtap_test_copies[] = {
	{ "II", T_II, .w0 = 0x10000064 },
	{ "II, tag", T_II, .tag = 0x6005, .w0 = 0x10007864 },
	{ "II, tag in the metadata", T_II, .meta = 0x6005, .w0 = 0x10007864 },
	{ "II, tag, and one in the metadata", T_II, .meta = 0xa007, .tag = 0x6005,
	  .w0 = 0x1000b864 },
	{ "II, tag with DEI", T_II, .meta = 0xfffe, .w0 = 0x1000f864 },
	{ "II, tag stripped", T_II, .strip = true, .tag = 0x6005, .w0 = 0x10057064 },
	{ "II, metadata stripped", T_II, .strip = true, .meta = 0xefff, .w0 = 0x1ffff064 },
	{ "II, nothing to strip", T_II, .strip = true, .w0 = 0x10000064 },
	{ "II, truncated", T_II, .truncated = true, .w0 = 0x10000464 },
	{ "II, egress", T_II, .dir = VTAP_OUT, .w0 = 0x10000064 },
	{ "III", T_III, .w0 = 0x20000064, .w2 = 0x8000 },
	{ "III, egress", T_III, .dir = VTAP_OUT, .w0 = 0x20000064, .w2 = 0x8008 },
	{ "III, tag", T_III, .tag = 0x6005, .w0 = 0x20006064, .w2 = 0x8000 },
	{ "III, tag stripped", T_III, .strip = true, .tag = 0x6005, .w0 = 0x20056064,
	  .w2 = 0x8000 },
	{ "III, truncated", T_III, .truncated = true, .w0 = 0x20000464, .w2 = 0x8000 },
	{ "III, sub-header", T_III, .subheader = true, .w0 = 0x20000064, .w2 = 0x8005 },
	{ "III, sub-header, egress", T_III, .subheader = true, .dir = VTAP_OUT,
	  .w0 = 0x20000064, .w2 = 0x800d },
};

static void vtap_test_copy_name(const struct vtap_test_copy *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vtap_test_copies, vtap_test_copies, vtap_test_copy_name);

/* Parse the frame that is copied, which has the tags of the case. */
static struct sk_buff *vtap_test_original(struct kunit *test, struct vtap_frame *f, u16 meta,
					  u16 tag, u8 dir)
{
	u8 bytes[VTAP_TEST_MAX];
	unsigned int n = vtap_test_bytes(test, T_INNER, bytes);
	struct sk_buff *skb;

	if (tag) {
		memmove(bytes + 16, bytes + 12, n - 12);
		put_unaligned_be16(ETH_P_8021Q, bytes + 12);
		put_unaligned_be16(tag, bytes + 14);
		n += VLAN_HLEN;
	}
	skb = vtap_test_skb(test, bytes, n);
	if (meta)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), meta);
	*f = (struct vtap_frame){ .skb = skb, .dir = dir, .ifindex = 0x10005 };
	KUNIT_EXPECT_TRUE(test, vtap_match_parse(f));
	return skb;
}

static void vtap_test_stamps(struct kunit *test, const u8 *e, bool subheader, u64 before)
{
	u64 after = ktime_get_real_ns(), ns;

	if (subheader) {
		ns = get_unaligned_be32(e + 16) * NSEC_PER_SEC + get_unaligned_be32(e + 4);
		KUNIT_EXPECT_GE(test, ns, before);
		KUNIT_EXPECT_LE(test, ns, after);
		/* the port's index has 16 bits */
		KUNIT_EXPECT_EQ(test, get_unaligned_be32(e + 12), 0x14000005);
	} else {
		u32 since = get_unaligned_be32(e + 4) - (u32)div_u64(before, 100000);

		KUNIT_EXPECT_LE(test, since, (u32)div_u64(after, 100000) -
					     (u32)div_u64(before, 100000));
	}
}

static void vtap_test_erspan(struct kunit *test)
{
	const struct vtap_test_copy *c = test->param_value;
	const struct vtap_session_cfg cfg = {
		T_TO4, .type = c->type, .id = 100, .subheader = c->subheader,
		.vlan = c->strip ? VTAP_VLAN_MODE_STRIP : VTAP_VLAN_MODE_KEEP,
	};
	struct sk_buff *orig, *skb;
	struct vtap_tmpl t;
	struct vtap_frame f;
	u64 before;
	u8 *e;

	vtap_test_template(&t, &cfg, 1500, false);
	orig = vtap_test_original(test, &f, c->meta, c->tag, c->dir);
	skb = vtap_test_copy(test, &t);
	before = ktime_get_real_ns();
	vtap_encap_finish(&t, skb, &f, c->truncated);
	e = skb->data + t.tun + 8;
	KUNIT_EXPECT_EQ(test, get_unaligned_be32(e), c->w0);
	if (c->type == VTAP_SESSION_TYPE_ERSPAN3) {
		KUNIT_EXPECT_EQ(test, get_unaligned_be32(e + 8), c->w2);
		vtap_test_stamps(test, e, c->subheader, before);
	}
	KUNIT_EXPECT_EQ_MSG(test, memcmp(skb->data, t.hdr, t.tun + 8), 0, "other headers changed");
	/* a copy needs no call when nothing of this is so */
	if (c->type == VTAP_SESSION_TYPE_ERSPAN2 && !c->truncated && !c->meta && !c->tag)
		KUNIT_EXPECT_EQ(test, memcmp(skb->data, t.hdr, t.hlen), 0);
	else if (c->type == VTAP_SESSION_TYPE_ERSPAN3)
		KUNIT_EXPECT_TRUE(test, t.varies);
	kfree_skb(skb);
	kfree_skb(orig);
}

static void vtap_test_vxlan(struct kunit *test)
{
	const struct vtap_session_cfg cfgs[] = {
		{ T_TO4, .type = VTAP_SESSION_TYPE_VXLAN, .has_key = true, .dport = 4789 },
		{ T_TO6, .type = VTAP_SESSION_TYPE_VXLAN, .has_key = true, .dport = 4789 },
	};
	struct sk_buff *orig, *skb;
	struct vtap_tmpl t;
	struct vtap_frame f;
	unsigned int i, len;
	__sum16 sum;

	orig = vtap_test_original(test, &f, 0, 0, VTAP_IN);
	for (i = 0; i < ARRAY_SIZE(cfgs); i++) {
		struct udphdr *uh;

		vtap_test_template(&t, &cfgs[i], 1500, false);
		KUNIT_EXPECT_TRUE(test, t.varies);
		skb = vtap_test_copy(test, &t);
		vtap_encap_finish(&t, skb, &f, false);
		uh = (struct udphdr *)(skb->data + t.tun);
		len = skb->len - t.tun;
		KUNIT_EXPECT_EQ(test, ntohs(uh->len), len);
		KUNIT_EXPECT_EQ(test, ntohs(uh->source),
				0xc000 | (vtap_flow_hash(t.seed, &f.key) & 0x3fff));
		sum = 0;
		if (t.family == AF_INET6) {
			const struct ipv6hdr *ip6h = (void *)(skb->data + ETH_HLEN);

			KUNIT_EXPECT_NE(test, (__force u16)uh->check, 0);
			sum = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, len, IPPROTO_UDP,
					      csum_partial(uh, len, 0));
		} else {
			KUNIT_EXPECT_EQ(test, (__force u16)uh->check, 0);
		}
		KUNIT_EXPECT_EQ(test, (__force u16)sum, 0);
		kfree_skb(skb);
	}
	kfree_skb(orig);
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
	{ "offload goes with neither csum nor seq nor decap",
	  { T_TYPE(GRE), T_TO4, .offload = true, .seq = true } },
	{ "offload goes with neither csum nor seq nor decap",
	  { T_TYPE(GRE), T_TO4, .offload = true, .csum = true } },
	{ "", { T_TYPE(GRE), T_TO4, .csum = true, .seq = true, .has_key = true, .decap = true } },
	{ "csum is for type gre", { T_TYPE(ERSPAN1), T_TO4, .csum = true } },
	{ "csum is for type gre", { T_TYPE(PORT), .dev = "eth0", .csum = true } },
	{ "offload goes with neither rate nor pps",
	  { T_TYPE(GRE), T_TO4, .offload = true, .pps = 1 } },
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

/* The GRE checksum covers all from the GRE header on, whatever stands before it. */
static void vtap_test_gre_csum(struct kunit *test)
{
	const struct vtap_session_cfg cfgs[] = {
		{ T_TO4, .csum = true },
		{ T_TO4, .csum = true, .has_key = true, .key = 0x12345678, .seq = true },
		{ T_TO6, .csum = true, .has_key = true, .key = 7 },
	};
	struct sk_buff *orig, *skb;
	struct vtap_tmpl t;
	struct vtap_frame f;
	unsigned int i, cut;
	u8 *gre;

	orig = vtap_test_original(test, &f, 0, 0, VTAP_IN);
	for (i = 0; i < ARRAY_SIZE(cfgs); i++) {
		vtap_test_template(&t, &cfgs[i], 1500, false);
		KUNIT_EXPECT_TRUE(test, t.varies);
		/* even and odd lengths */
		for (cut = 0; cut < 2; cut++) {
			skb = vtap_test_copy(test, &t);
			skb_trim(skb, skb->len - cut);
			vtap_encap_finish(&t, skb, &f, cut);
			gre = skb->data + t.tun;
			KUNIT_EXPECT_NE(test, get_unaligned_be16(gre + 4), 0);
			KUNIT_EXPECT_EQ(test, get_unaligned_be16(gre + 6), 0);
			KUNIT_EXPECT_EQ(test, (__force u16)ip_compute_csum(gre, skb->len - t.tun),
					0);
			memset(gre + 4, 0, 2);
			KUNIT_EXPECT_EQ_MSG(test, memcmp(skb->data, t.hdr, t.hlen), 0,
					    "other headers changed");
			kfree_skb(skb);
		}
	}
	kfree_skb(orig);
}

static struct kunit_case vtap_test_builder_cases[] = {
	KUNIT_CASE_PARAM(vtap_test_build, vtap_test_headers_gen_params),
	KUNIT_CASE_PARAM(vtap_test_ipsum, vtap_test_headers_gen_params),
	KUNIT_CASE_PARAM(vtap_test_is_own, vtap_test_headers_gen_params),
	KUNIT_CASE_PARAM(vtap_test_errors, vtap_test_headers_gen_params),
	KUNIT_CASE_PARAM(vtap_test_own_same, vtap_test_headers_gen_params),
	KUNIT_CASE_PARAM(vtap_test_erspan, vtap_test_copies_gen_params),
	KUNIT_CASE(vtap_test_vxlan),
	KUNIT_CASE(vtap_test_gre_csum),
	KUNIT_CASE_PARAM(vtap_test_encap_check, vtap_test_settings_gen_params),
	{}
};

static struct kunit_suite vtap_test_builder = {
	.name = "vtap_headers",
	.init = vtap_test_init,
	.exit = vtap_test_exit,
	.test_cases = vtap_test_builder_cases,
};

kunit_test_suites(&vtap_test_parser, &vtap_test_classifier, &vtap_test_builder);
