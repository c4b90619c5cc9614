// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the ring: it is off when the kernel's skbs do not behave as it needs them to. */
#include <kunit/test.h>

#include "skb.h"

/* Not freed by a kernel of the tests below */
static struct sk_buff *vtap_test_kept;

static struct sk_buff *vtap_test_clone_apart(struct sk_buff *skb, gfp_t gfp)
{
	/* as skb_clone() did if it always took an skb of its own */
	struct sk_buff *pair = skb_clone(skb, gfp), *apart = skb_clone(skb, gfp);

	consume_skb(pair);
	vtap_test_kept = apart;
	return apart;
}

static struct sk_buff *vtap_test_clone_tagged(struct sk_buff *skb, gfp_t gfp)
{
	struct sk_buff *clone = skb_clone(skb, gfp);

	if (clone)
		clone->hdr_len = 1;
	return clone;
}

static struct sk_buff *vtap_test_clone_none(struct sk_buff *skb, gfp_t gfp)
{
	return NULL;
}

static void vtap_test_keep(struct sk_buff *skb)
{
	vtap_test_kept = skb;
}

static const struct vtap_test_kernel {
	const char *name;
	const char *why;
	struct vtap_ring_kernel k;
} vtap_test_kernels[] = {
	{ "this one", NULL, { skb_clone, consume_skb, kfree_skb } },
	{ "clones apart", "a clone is not the other half of the pair",
	  { vtap_test_clone_apart, consume_skb, kfree_skb } },
	{ "clones with more", "a clone is not what the companion is",
	  { vtap_test_clone_tagged, consume_skb, kfree_skb } },
	{ "consume_skb() keeps it", "a clone that is freed does not leave the pair as it was",
	  { skb_clone, vtap_test_keep, kfree_skb } },
	{ "kfree_skb() keeps it", "a companion that is freed does not leave the pair as it was",
	  { skb_clone, consume_skb, vtap_test_keep } },
};

static void vtap_test_kernel_name(const struct vtap_test_kernel *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vtap_test_kernels, vtap_test_kernels, vtap_test_kernel_name);

static void vtap_test_ring_prove(struct kunit *test)
{
	const struct vtap_test_kernel *c = test->param_value;
	struct sk_buff *master = NULL;

	vtap_test_kept = NULL;
	KUNIT_EXPECT_STREQ(test, vtap_ring_prove(&c->k, &master) ?: "", c->why ?: "");
	KUNIT_EXPECT_EQ(test, !master, !c->why);
	/* the kernel itself can free both */
	consume_skb(vtap_test_kept);
	consume_skb(master);
}

static void vtap_test_ring_memory(struct kunit *test)
{
	const struct vtap_ring_kernel k = { vtap_test_clone_none, consume_skb, kfree_skb };
	struct sk_buff *master;

	KUNIT_EXPECT_EQ(test, PTR_ERR(vtap_ring_prove(&k, &master)), -ENOMEM);
}

/* Copies are made of prepared skbs when the proof succeeds, and allocated when it does not. */
static void vtap_test_ring_off(struct kunit *test)
{
	static const struct vtap_ring_kernel bad = {
		vtap_test_clone_tagged, consume_skb, kfree_skb,
	};
	struct vtap_ring *ring = kunit_kzalloc(test, sizeof(*ring), GFP_KERNEL);
	struct sk_buff *skb;

	KUNIT_ASSERT_NOT_NULL(test, ring);
	KUNIT_EXPECT_TRUE(test, vtap_ring_on);
	KUNIT_EXPECT_EQ(test, vtap_ring_init(&bad), 0);
	KUNIT_EXPECT_FALSE(test, vtap_ring_on);
	consume_skb(vtap_ring_left);
	vtap_ring_left = NULL;
	KUNIT_EXPECT_NULL(test, vtap_ring_advance(ring));
	KUNIT_EXPECT_NULL(test, ring->slot[ring->last]);

	KUNIT_EXPECT_EQ(test, vtap_ring_init(NULL), 0);
	KUNIT_EXPECT_TRUE(test, vtap_ring_on);
	skb = vtap_ring_advance(ring);
	KUNIT_EXPECT_NOT_NULL(test, skb);
	consume_skb(skb);
	consume_skb(ring->slot[ring->last]);
}

static struct kunit_case vtap_test_ring_cases[] = {
	KUNIT_CASE_PARAM(vtap_test_ring_prove, vtap_test_kernels_gen_params),
	KUNIT_CASE(vtap_test_ring_memory),
	KUNIT_CASE(vtap_test_ring_off),
	{}
};

static struct kunit_suite vtap_test_ring = {
	.name = "vtap_ring",
	.test_cases = vtap_test_ring_cases,
};

kunit_test_suite(vtap_test_ring);
