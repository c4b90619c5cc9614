// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the ids of rules, and of what is undone: no device, no traffic. */
#include <kunit/test.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "note.h"
#include "ruleset.h"
#include "taps.h"
#include "test.h"
#include "txn.h"

/* A namespace's rules, and a transaction that is never committed, so that no device is looked at */
struct vtap_test_ids {
	struct vtap_net vn;
	struct netlink_ext_ack extack;
	struct vtap_txn txn;
};

static int vtap_test_ids_init(struct kunit *test)
{
	struct vtap_test_ids *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	vtap_taps_init_net(&t->vn);
	vtap_rule_init_net(&t->vn);
	test->priv = t;
	return 0;
}

static void vtap_test_ids_exit(struct kunit *test)
{
	struct vtap_test_ids *t = test->priv;

	if (t)
		vtap_rule_exit_net(&t->vn);
}

/* Begin a transaction in a namespace whose last rule had the id @last. */
static struct vtap_test_ids *vtap_test_ids_from(struct kunit *test, u64 last)
{
	struct vtap_test_ids *t = test->priv;

	t->vn.last_id = last;
	vtap_txn_begin(&t->txn, &t->vn, &t->extack);
	return t;
}

static int vtap_test_add(struct vtap_test_ids *t, u32 pref)
{
	struct vtap_rule_cfg cfg = {
		.pref = pref, .port = "none*", .action = VTAP_ACTION_SKIP, .sample = 1,
		.dir = VTAP_DIR_INGRESS,
	};

	cfg.tap = vtap_taps_make(&t->vn, VTAP_TAP_DEFAULT, NULL, &t->extack);
	return IS_ERR(cfg.tap) ? PTR_ERR(cfg.tap) : vtap_rule_add(&t->txn, &cfg);
}

/* The ids of the rules, in the order in which these are tried */
static void vtap_test_order(struct kunit *test, struct vtap_test_ids *t, const u64 *ids,
			    unsigned int n)
{
	const struct vtap_rule *rule;
	unsigned int i = 0;

	KUNIT_EXPECT_EQ(test, t->vn.n_rules, n);
	list_for_each_entry(rule, &t->vn.rules, list) {
		KUNIT_ASSERT_LT(test, i, n);
		KUNIT_EXPECT_EQ(test, rule->id, ids[i]);
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, n);
}

/* Ids go on where 32 bits end: rules are in order, and each one is found by its own id alone. */
static void vtap_test_wrap(struct kunit *test)
{
	const u64 first = U32_MAX - 1ULL, ids[] = { first + 3, first, first + 1, first + 2 };
	struct vtap_test_ids *t = vtap_test_ids_from(test, first - 1);
	unsigned int i;

	if (BITS_PER_LONG == 32) {
		kunit_skip(test, "a long has 32 bits");
		return;
	}
	rtnl_lock();
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, vtap_test_add(t, 7), 0);
	KUNIT_EXPECT_EQ(test, vtap_test_add(t, 3), 0);
	vtap_test_order(test, t, ids, ARRAY_SIZE(ids));
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		struct vtap_rule *rule = vtap_rule_find(&t->vn, ids[i]);

		KUNIT_EXPECT_NOT_NULL(test, rule);
		KUNIT_EXPECT_EQ(test, rule ? rule->id : 0, ids[i]);
	}
	KUNIT_EXPECT_NULL(test, vtap_rule_find(&t->vn, 0));
	KUNIT_EXPECT_NULL(test, vtap_rule_find(&t->vn, 1));
	vtap_txn_abort(&t->txn);
	KUNIT_EXPECT_EQ(test, t->vn.n_rules, 0);
	KUNIT_EXPECT_EQ(test, t->vn.last_id, first - 1);
	KUNIT_EXPECT_NULL(test, vtap_rule_find(&t->vn, first));
	rtnl_unlock();
}

/* An id that is free again is given to no other rule. */
static void vtap_test_fresh(struct kunit *test)
{
	struct vtap_test_ids *t = vtap_test_ids_from(test, 0);
	const u64 ids[] = { 2, 3 };

	rtnl_lock();
	KUNIT_EXPECT_EQ(test, vtap_test_add(t, 7), 0);
	KUNIT_EXPECT_EQ(test, vtap_test_add(t, 7), 0);
	KUNIT_EXPECT_EQ(test, vtap_rule_del(&t->txn, vtap_rule_find(&t->vn, 1)), 0);
	KUNIT_EXPECT_NULL(test, vtap_rule_find(&t->vn, 1));
	KUNIT_EXPECT_EQ(test, vtap_test_add(t, 7), 0);
	vtap_test_order(test, t, ids, ARRAY_SIZE(ids));
	vtap_txn_abort(&t->txn);
	KUNIT_EXPECT_EQ(test, t->vn.n_rules, 0);
	rtnl_unlock();
}

/* The last id there is; then none is left, and nothing has changed. */
static void vtap_test_last(struct kunit *test)
{
	struct vtap_test_ids *t = vtap_test_ids_from(test, ULONG_MAX - 1);
	const u64 ids[] = { ULONG_MAX };

	rtnl_lock();
	KUNIT_EXPECT_EQ(test, vtap_test_add(t, 7), 0);
	KUNIT_EXPECT_EQ(test, vtap_test_add(t, 7), -ENOSPC);
	KUNIT_ASSERT_NOT_NULL(test, t->extack._msg);
	KUNIT_EXPECT_STREQ(test, t->extack._msg, "too many rules");
	vtap_test_order(test, t, ids, ARRAY_SIZE(ids));
	vtap_txn_abort(&t->txn);
	rtnl_unlock();
}

/* A frame's note knows rules by all bits of their ids; they share its room with sessions. */
static void vtap_test_noted(struct kunit *test)
{
	const u64 id = 1ULL << 32 | 5;
	struct vtap_given given;
	unsigned int i;

	vtap_given_clear(&given);
	vtap_given_pass(&given, id);
	KUNIT_EXPECT_TRUE(test, vtap_given_passed(&given, id));
	KUNIT_EXPECT_FALSE(test, vtap_given_passed(&given, 5));
	KUNIT_EXPECT_FALSE(test, vtap_given_passed(&given, 1ULL << 33 | 5));
	KUNIT_EXPECT_FALSE(test, vtap_given_has(&given, 5));
	for (i = 0; i < VTAP_GIVEN_MAX; i++)
		vtap_given_add(&given, 1000 + i);
	vtap_given_pass(&given, 7);
	KUNIT_EXPECT_TRUE(test, vtap_given_passed(&given, id));
	KUNIT_EXPECT_FALSE(test, vtap_given_passed(&given, 7));
	KUNIT_EXPECT_TRUE(test, vtap_given_has(&given, 1000 + VTAP_GIVEN_MAX - 3));
	KUNIT_EXPECT_FALSE(test, vtap_given_has(&given, 1000 + VTAP_GIVEN_MAX - 2));
}

static struct kunit_case vtap_test_ids_cases[] = {
	KUNIT_CASE(vtap_test_wrap),
	KUNIT_CASE(vtap_test_fresh),
	KUNIT_CASE(vtap_test_last),
	KUNIT_CASE(vtap_test_noted),
	{}
};

static struct kunit_suite vtap_test_ids = {
	.name = "vtap_rules",
	.init = vtap_test_ids_init,
	.exit = vtap_test_ids_exit,
	.test_cases = vtap_test_ids_cases,
};

kunit_test_suite(vtap_test_ids);
