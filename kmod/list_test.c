// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of rules with several matches and exceptions: no device, no traffic. */
#include <kunit/test.h>
#include <linux/prandom.h>

#include "list.h"
#include "parse.h"
#include "table.h"
#include "test.h"

#define VTAP_TEST_LIST_FRAMES	150

/* The first of @n rules that decides, as the manual says it */
static const struct vtap_rule *vtap_test_list_reference(const struct vtap_test_table *tt,
							unsigned int n,
							const struct vtap_test_facts *x)
{
	unsigned int i, j;

	for (i = 0; i < n; i++) {
		const struct vtap_rule_cfg *cfg = &tt->cfg[0][i];
		const struct vtap_list *l = cfg->wanted;
		bool any = false, none = true;

		if (!(cfg->dir & BIT(x->dir)) ||
		    (cfg->mac[0] && !vtap_test_is_vms(tt->sends, x, cfg->mac[5])) ||
		    (cfg->filter && !(x->mac[1] & 1)))
			continue;
		for (j = 0; j < l->n_matches; j++)
			any |= vtap_test_matches(x, &l->wants[j].form.match);
		for (; j < l->n_matches + l->n_excepts; j++)
			none &= !vtap_test_matches(x, &l->wants[j].form.match);
		if (any && none)
			return tt->rules[0][i];
	}
	return NULL;
}

/* A random rule with a list, which is made anew when something is there twice. */
static void vtap_test_list_rule(struct kunit *test, struct vtap_test_table *tt, unsigned int i)
{
	struct vtap_rule_cfg *cfg = &tt->cfg[0][i], *other = &tt->cfg[1][i];
	unsigned int n_matches, n_excepts, j, twice;
	struct vtap_list *l;
	int err;

	vtap_test_random_rule(tt, cfg);
	do {
		n_matches = 1 + prandom_u32_state(&tt->rnd) % 5;
		n_excepts = prandom_u32_state(&tt->rnd) % 3;
		l = vtap_list_new(n_matches, n_excepts);
		KUNIT_ASSERT_NOT_NULL(test, l);
		for (j = 0; j < n_matches + n_excepts; j++) {
			do {
				vtap_test_random_rule(tt, other);
			} while (!other->match.present);
			l->wants[j].form.match = other->match;
		}
		err = vtap_list_finish(l, &twice);
		if (err)
			vtap_list_put(l);
	} while (err == -EEXIST);
	KUNIT_ASSERT_EQ(test, err, 0);
	cfg->wanted = l;
	tt->rules[0][i] = vtap_rule_alloc(cfg);
	KUNIT_ASSERT_NOT_NULL(test, tt->rules[0][i]);
	tt->rules[0][i]->id = i + 1;
	tt->list[0][i] = tt->rules[0][i];
}

/* Return: does a rule decide on the frame? */
static bool vtap_test_list_lookup(struct kunit *test, struct vtap_test_table *tt, unsigned int n,
				  const struct vtap_test_facts *x)
{
	u8 bytes[VTAP_TEST_MAX];
	struct sk_buff *skb = vtap_test_skb(test, bytes, vtap_test_put_frame(x, bytes));
	struct vtap_frame f = { .skb = skb, .dir = x->dir };
	const struct vtap_rule *got, *want = vtap_test_list_reference(tt, n, x);
	int round;

	KUNIT_EXPECT_TRUE(test, vtap_parse(&f));
	/* the second time the caches know */
	for (round = 0; round < 2; round++) {
		local_bh_disable();
		rcu_read_lock();
		got = vtap_table_lookup(tt->t[0], &f);
		rcu_read_unlock();
		local_bh_enable();
		KUNIT_EXPECT_PTR_EQ_MSG(test, got, want, "round %d of %u rules: %llu, not %llu",
					round, n, got ? got->id : 0, want ? want->id : 0);
	}
	kfree_skb(skb);
	return want;
}

static const unsigned int vtap_test_list_sizes[] = { 1, 2, 9, 60 };

static void vtap_test_list_size_name(const unsigned int *n, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%u rules", *n);
}

KUNIT_ARRAY_PARAM(vtap_test_list_sizes, vtap_test_list_sizes, vtap_test_list_size_name);

/* Random rules, random frames: what the table says is what trying all matches says. */
static void vtap_test_list_classify(struct kunit *test)
{
	/* the last byte of the destination address is odd */
	static const struct sock_filter odd[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 5),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const unsigned int n = *(const unsigned int *)test->param_value;
	struct vtap_test_table *tt = kunit_kzalloc(test, sizeof(*tt), GFP_KERNEL);
	unsigned int i, rounds, found = 0;

	KUNIT_ASSERT_NOT_NULL(test, tt);
	prandom_seed_state(&tt->rnd, 20261128);
	tt->odd = vtap_filter_new(odd, ARRAY_SIZE(odd), "", NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tt->odd);
	for (rounds = n < 10 ? 12 : 3; rounds; rounds--) {
		tt->sends = 1 + rounds % 3;
		for (i = 0; i < n; i++)
			vtap_test_list_rule(test, tt, i);
		tt->t[0] = vtap_table_build(tt->sends, tt->list[0], n);
		KUNIT_ASSERT_NOT_NULL(test, tt->t[0]);
		for (i = 0; i < VTAP_TEST_LIST_FRAMES; i++) {
			struct vtap_test_facts x;

			vtap_test_random_facts(tt, &x);
			found += vtap_test_list_lookup(test, tt, n, &x);
		}
		vtap_table_free(tt->t[0]);
		for (i = 0; i < n; i++) {
			vtap_rule_free(tt->rules[0][i]);
			vtap_list_put(tt->cfg[0][i].wanted);
		}
	}
	KUNIT_EXPECT_GT_MSG(test, found, 20, "too few frames met a rule");
	vtap_filter_put(tt->odd);
}

/* Ports as alternatives: @n of them, one range, and one with another mask. */
static void vtap_test_list_depth(struct kunit *test)
{
	struct vtap_list *l = vtap_list_new(12, 1);
	unsigned int i, twice = 99;

	KUNIT_ASSERT_NOT_NULL(test, l);
	for (i = 0; i < 12; i++) {
		struct vtap_match *m = &l->wants[i].form.match;

		m->present = BIT(VTAP_A_MATCH_DST_PORT);
		m->dst_port = 80 + i;
		m->dst_port_max = i == 10 ? 99 : 80 + i;
	}
	l->wants[11].form.match.present |= BIT(VTAP_A_MATCH_IP_PROTO);
	l->wants[12].form.match = l->wants[3].form.match;
	KUNIT_EXPECT_EQ(test, vtap_list_finish(l, &twice), 0);
	KUNIT_EXPECT_EQ(test, l->depth, 3);
	KUNIT_EXPECT_EQ(test, twice, 99);
	l->wants[7].form.match = l->wants[2].form.match;
	KUNIT_EXPECT_EQ(test, vtap_list_finish(l, &twice), -EEXIST);
	KUNIT_EXPECT_EQ(test, twice, 7);
	vtap_list_put(l);
}

static struct kunit_case vtap_test_list_cases[] = {
	KUNIT_CASE_PARAM(vtap_test_list_classify, vtap_test_list_sizes_gen_params),
	KUNIT_CASE(vtap_test_list_depth),
	{}
};

static struct kunit_suite vtap_test_lists = {
	.name = "vtap_lists",
	.init = vtap_test_init,
	.exit = vtap_test_exit,
	.test_cases = vtap_test_list_cases,
};

kunit_test_suite(vtap_test_lists);
