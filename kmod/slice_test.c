// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of where payload begins: no device, no traffic. */
#include <kunit/test.h>
#include <uapi/linux/vtap.h>

#include "slice.h"
#include "test.h"

/**
 * struct vtap_test_slice - a frame and where its headers end
 * @name: of the case
 * @hex: the frame
 * @end: of Ethernet, of IP, of the transport header; 0 for one that is not there, or not whole
 * @more: how many of 5 more bytes may be shown behind IP and behind the transport header
 */
struct vtap_test_slice {
	const char *name;
	const char *hex;
	u8 end[3];
	u8 more[2];
};

#define T_V4_LEN(len, proto)	"4500" len "00010000" "40" proto "0000" T_IP4_ADDRS
#define T_ARP_HEADER		"0001080006040001"
#define T_10			"01020304050607080900"

static const struct vtap_test_slice vtap_test_slices[] = {
	{ "tcp", T_MACS "0800" T_IP4("06") T_TCP T_PAYLOAD, { 14, 34, 54 }, { 5, 5 } },
	{ "tagged", T_MACS "8100" "0005" "0800" T_IP4("11") T_UDP T_PAYLOAD,
	  { 18, 38, 46 }, { 5, 5 } },
	{ "six tags", T_MACS "8100" "0005" "8100" "0005" "8100" "0005" "8100" "0005" "8100" "0005"
	  "8100" "0005" "0800" T_IP4("11") T_UDP T_PAYLOAD, { 34 } },
	{ "a part of a tag", T_MACS "8100" "0005", { 14 } },
	{ "later fragment", T_MACS "0800" T_IP4_FRAG("0001", "11") T_PAYLOAD, { 14, 34 } },
	{ "first fragment", T_MACS "0800" T_IP4_FRAG("2000", "11") T_UDP T_PAYLOAD,
	  { 14, 34, 42 }, { 5, 5 } },
	{ "esp", T_MACS "0800" T_IP4("32") T_PAYLOAD, { 14, 34 }, { 5 } },
	{ "padding", T_MACS "0800" T_V4_LEN("001e", "11") T_UDP T_PAYLOAD,
	  { 14, 34, 42 }, { 5, 2 } },
	{ "packet without a header", T_MACS "0800" T_V4_LEN("0018", "11") T_UDP T_PAYLOAD,
	  { 14, 34 }, { 4 } },
	{ "length of less than the header", T_MACS "0800" T_V4_LEN("0013", "11") T_UDP, { 14 } },
	{ "udp of 10 bytes", T_MACS "0800" T_IP4("11") "04d2" "0035" "000a" "0000" T_PAYLOAD,
	  { 14, 34, 42 }, { 5, 2 } },
	{ "udp of 0 bytes", T_MACS "0800" T_IP4("11") "04d2" "0035" "0000" "0000" T_PAYLOAD,
	  { 14, 34, 42 }, { 5 } },
	{ "tcp of 16 bytes", T_MACS "0800" T_IP4("06")
	  "04d2" "0050" "00000001" "00000002" "4112" "0400" "0000" "0000", { 14, 34 }, { 5 } },
	{ "tcp of 60 bytes", T_MACS "0800" T_IP4("06")
	  "04d2" "0050" "00000001" "00000002" "f112" "0400" "0000" "0000" T_PAYLOAD,
	  { 14, 34 }, { 5 } },
	{ "extensions", T_MACS "86dd" "60000000" "00640040" T_IP6_SRC T_IP6_DST T_EXT("3c", "00")
	  T_EXT_16("11") T_UDP T_PAYLOAD, { 14, 78, 86 }, { 5, 5 } },
	{ "extension of more than the packet", T_MACS "86dd" "60000000" "00180040" T_IP6_SRC
	  T_IP6_DST T_EXT("11", "03") T_UDP T_PAYLOAD, { 14, 54 } },
	{ "later fragment behind an extension", T_MACS "86dd" "60000000" "00640040" T_IP6_SRC
	  T_IP6_DST T_EXT("2c", "00") "1100" "0009" "00000007" T_PAYLOAD, { 14, 70 } },
	{ "icmp in IPv6", T_MACS "86dd" T_IP6("01") T_PAYLOAD, { 14, 54 }, { 5 } },
	{ "icmpv6", T_MACS "86dd" T_IP6("3a") T_PAYLOAD, { 14, 54, 62 }, { 5, 5 } },
	{ "arp", T_MACS "0806" T_ARP_HEADER T_10 T_10 T_PAYLOAD, { 14, 42 } },
	{ "arp of 802.5", T_MACS "0806" "0006080006040001" T_10 T_10, { 14 } },
	{ "mpls", T_MACS "8847" "000001ff" T_IP4("06") T_TCP, { 14 } },
};

static void vtap_test_slice_name(const struct vtap_test_slice *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vtap_test_slices, vtap_test_slices, vtap_test_slice_name);

static void vtap_test_slice_end(struct kunit *test)
{
	const struct vtap_test_slice *c = test->param_value;
	unsigned int i, n, end = 0, more;
	u8 bytes[VTAP_TEST_MAX];

	n = vtap_test_bytes(test, c->hex, bytes);
	for (i = 0; i < 3; i++) {
		end = c->end[i] ?: end;
		KUNIT_EXPECT_EQ(test, vtap_slice_end(bytes, n, n, VTAP_LAYER_L2 + i, 0), end);
		if (!i)
			continue;
		more = c->end[i] ? c->more[i - 1] : 0;
		KUNIT_EXPECT_EQ(test, vtap_slice_end(bytes, n, n, VTAP_LAYER_L2 + i, 5),
				end + more);
	}
}

/* Whatever is not there to be read, the end is within the frame, and never further on. */
static void vtap_test_slice_cut(struct kunit *test)
{
	const struct vtap_test_slice *c = test->param_value;
	unsigned int layer, n, avail, end;
	u8 bytes[VTAP_TEST_MAX];

	n = vtap_test_bytes(test, c->hex, bytes);
	for (layer = VTAP_LAYER_L2; layer <= VTAP_LAYER_L4; layer++) {
		end = vtap_slice_end(bytes, n, n, layer, 0);
		for (avail = ETH_HLEN; avail < n; avail++)
			KUNIT_EXPECT_LE(test, vtap_slice_end(bytes, avail, n, layer, 0),
					min(end, avail));
	}
}

static struct kunit_case vtap_test_slice_cases[] = {
	KUNIT_CASE_PARAM(vtap_test_slice_end, vtap_test_slices_gen_params),
	KUNIT_CASE_PARAM(vtap_test_slice_cut, vtap_test_slices_gen_params),
	{}
};

static struct kunit_suite vtap_test_slice_suite = {
	.name = "vtap_slice",
	.test_cases = vtap_test_slice_cases,
};

kunit_test_suite(vtap_test_slice_suite);
