// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of what outer headers say per copy: no device, no traffic. */
#include <kunit/test.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip6_checksum.h>

#include "encap.h"
#include "flow.h"
#include "session.h"
#include "test.h"

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
	vtap_encap_finish(&t, skb, &f, 0, c->truncated);
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
		KUNIT_EXPECT_TRUE(test, t.per_packet);
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
		KUNIT_EXPECT_TRUE(test, t.per_packet);
		skb = vtap_test_copy(test, &t);
		vtap_encap_finish(&t, skb, &f, 0, false);
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

static struct kunit_case vtap_test_finishes_cases[] = {
	KUNIT_CASE_PARAM(vtap_test_erspan, vtap_test_copies_gen_params),
	KUNIT_CASE(vtap_test_vxlan),
	{}
};

static struct kunit_suite vtap_test_finishes = {
	.name = "vtap_finish",
	.init = vtap_test_init,
	.exit = vtap_test_exit,
	.test_cases = vtap_test_finishes_cases,
};

kunit_test_suite(vtap_test_finishes);
