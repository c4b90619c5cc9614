// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the header builders: no device, no traffic. */
#include <kunit/test.h>
#include <linux/rtnetlink.h>
#include <net/checksum.h>
#include <net/ip.h>

#include "own.h"
#include "session.h"
#include "test.h"

#define T_ETH(proto)	"0200000000aa" "0200000000bb" proto
#define T_OUT4_FRAG(frag, proto)	T_ETH("0800") "45880000" "0000" frag "40" proto "0000" \
					"c0000201" "c0000209"
#define T_OUT4(proto)	T_OUT4_FRAG("0000", proto)
#define T_OUT6(proto)	T_ETH("86dd") "68800000" "0000" proto "40" T_IP6_SRC T_IP6_DST

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
	KUNIT_EXPECT_EQ(test, t.max_plain, c->whole);
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
	KUNIT_EXPECT_EQ(test, t.max_plain, 0);
	vtap_test_template(&t, &c->cfg, n - t.l2len + 1, c->dst);
	KUNIT_EXPECT_EQ(test, t.max_plain, 1);
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
	rtnl_lock();
	vtap_own_add(rcu_dereference_protected(vn->own, true), &copy);
	own = vtap_test_known(vn, &f);
	vtap_own_del(rcu_dereference_protected(vn->own, true), &copy);
	rtnl_unlock();
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
		KUNIT_EXPECT_FALSE_MSG(test, vtap_test_own(test, &t, t.tun + (t.csum ? 11 : 7)),
				       "key");
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
	rtnl_lock();
	vtap_own_add(rcu_dereference_protected(vn->own, true), &copy);
	rtnl_unlock();
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
		rtnl_lock();
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
		rtnl_unlock();
		KUNIT_EXPECT_FALSE(test, vtap_test_known(vn, &f));
		KUNIT_EXPECT_EQ(test, o->udp_ports | o->hops, 0ULL);
		kfree_skb(skb);
	}
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
		KUNIT_EXPECT_TRUE(test, t.per_packet);
		/* even and odd lengths */
		for (cut = 0; cut < 2; cut++) {
			skb = vtap_test_copy(test, &t);
			skb_trim(skb, skb->len - cut);
			vtap_encap_finish(&t, skb, &f, 0, cut);
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
	KUNIT_CASE(vtap_test_gre_csum),
	{}
};

static struct kunit_suite vtap_test_builder = {
	.name = "vtap_headers",
	.init = vtap_test_init,
	.exit = vtap_test_exit,
	.test_cases = vtap_test_builder_cases,
};

kunit_test_suite(vtap_test_builder);
