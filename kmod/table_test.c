// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the classifier: no device, no traffic. */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/rtnetlink.h>

#include "parse.h"
#include "table.h"
#include "test.h"

#define VTAP_TEST_FRAMES	100

/* Sent by this VM, or to it, as the port's kind has it */
bool vtap_test_is_vms(u8 sends, const struct vtap_test_facts *x, u8 mac)
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

	KUNIT_EXPECT_TRUE(test, vtap_parse(&f));
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
						"round %u, table %d of %u: rule %llu, not %llu",
						round, side, n, got ? got->id : 0,
						want ? want->id : 0);
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

static struct kunit_case vtap_test_classifier_cases[] = {
	KUNIT_CASE_PARAM(vtap_test_classify, vtap_test_sizes_gen_params),
	KUNIT_CASE(vtap_test_table_shared),
	KUNIT_CASE(vtap_test_table_dirs),
	{}
};

static struct kunit_suite vtap_test_classifier = {
	.name = "vtap_classifier",
	.init = vtap_test_init,
	.exit = vtap_test_exit,
	.test_cases = vtap_test_classifier_cases,
};

kunit_test_suite(vtap_test_classifier);
