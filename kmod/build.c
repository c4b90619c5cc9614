// SPDX-License-Identifier: GPL-2.0
/* Tables made of rules: tuples, their hash tables, their groups and sieves. */
#include <linux/log2.h>
#include <linux/slab.h>

#include "rule.h"
#include "table.h"

#define VTAP_MASK_HASH_BITS	8
#define VTAP_EARLY_MAX		4	/* groups that are looked at before the cache */

#define VTAP_ENTRY_WORDS	(sizeof(struct vtap_entry) / sizeof(u64))

/**
 * struct vtap_build - what is needed while a table is built
 * @t: the table
 * @drafts: entries in the order of the rules
 * @n: length of @drafts
 * @max_tuples: of which there is room for in vtap_table.tuples
 * @sorted: numbers of entries by tuple
 * @scratch: slots for vtap_sieve_choose()
 * @mask: all bits that any rule looks at
 * @first: number + 1 of a tuple by the hash of its mask
 */
struct vtap_build {
	struct vtap_table *t;
	struct vtap_build_entry *drafts;
	unsigned int n;
	unsigned int max_tuples;
	u32 *sorted;
	u64 *scratch;
	u64 mask[VTAP_KEY_WORDS];
	u32 first[1 << VTAP_MASK_HASH_BITS];
};

static void vtap_mask_pack(struct vtap_mask *m, const u64 *bits)
{
	unsigned int i;

	*m = (struct vtap_mask){};
	for (i = 0; i < VTAP_KEY_WORDS; i++) {
		if (!bits[i])
			continue;
		m->bits[m->n] = bits[i];
		m->word[m->n++] = i;
	}
	/* keep at least one word, so that the lookup loops need no test for an empty mask */
	m->n += !m->n;
}

/* The words beyond the last one are not compared, and neither is what pads the structure. */
static bool vtap_mask_same(const struct vtap_mask *a, const struct vtap_mask *b)
{
	return a->n == b->n && !memcmp(a->bits, b->bits, a->n * sizeof(*a->bits)) &&
	       !memcmp(a->word, b->word, a->n * sizeof(*a->word));
}

static int vtap_build_grow_tuples(struct vtap_build *b)
{
	unsigned int max = b->max_tuples ? 2 * b->max_tuples : VTAP_GROUP_MAX;
	struct vtap_tuple *tuples;

	tuples = kvcalloc(max, sizeof(*tuples), GFP_KERNEL_ACCOUNT);
	if (!tuples)
		return -ENOMEM;
	if (b->t->n_tuples)
		memcpy(tuples, b->t->tuples, b->t->n_tuples * sizeof(*tuples));
	kvfree(b->t->tuples);
	b->t->tuples = tuples;
	b->max_tuples = max;
	return 0;
}

/* The tuple of a mask, a new one if need be, for an entry of rule number @rule. */
static int vtap_build_tuple(struct vtap_build *b, const u64 *mask, bool ranges, u32 rule)
{
	struct vtap_table *t = b->t;
	struct vtap_tuple *tuple;
	u64 h = ranges;
	unsigned int i;
	u32 *first;

	for (i = 0; i < VTAP_KEY_WORDS; i++)
		h = (h ^ mask[i]) * GOLDEN_RATIO_64;
	first = &b->first[h >> (64 - VTAP_MASK_HASH_BITS)];
	for (i = *first; i; i = tuple->chain) {
		struct vtap_mask m;

		tuple = &t->tuples[i - 1];
		vtap_mask_pack(&m, mask);
		if (tuple->ranges == ranges && vtap_mask_same(&tuple->mask, &m))
			return i - 1;
	}
	if (t->n_tuples == b->max_tuples && vtap_build_grow_tuples(b))
		return -ENOMEM;
	tuple = &t->tuples[t->n_tuples++];
	vtap_mask_pack(&tuple->mask, mask);
	tuple->ranges = ranges;
	tuple->best = rule;
	tuple->chain = *first;
	*first = t->n_tuples;
	for (i = 0; i < VTAP_KEY_WORDS; i++)
		b->mask[i] |= mask[i];
	return t->n_tuples - 1;
}

/*
 * A rule's condition on one address, and that this is @mac; a user who asks for another one gets
 * no frames. Return: can both hold?
 */
static bool vtap_build_mac(const u8 *mac, u8 *addr, u8 *mask)
{
	int i;

	for (i = 0; i < ETH_ALEN; i++) {
		if ((mac[i] ^ addr[i]) & mask[i])
			return false;
	}
	ether_addr_copy(addr, mac);
	eth_broadcast_addr(mask);
	return true;
}

/* An entry for rule number @i in @dirs; with a VM's address, for what it sends or what it gets. */
static int vtap_build_append(struct vtap_build *b, u32 i, u8 dirs, bool sent)
{
	const u8 both = BIT(VTAP_IN) | BIT(VTAP_OUT);
	const struct vtap_rule *rule = b->t->rules[i];
	struct vtap_build_entry *d = &b->drafts[b->n];
	struct vtap_match m;
	struct vtap_key mask;
	bool ranges;
	int tuple;

	vtap_rule_get_match(rule, &m);
	/* no frame has no direction */
	if (!is_zero_ether_addr(rule->mac) &&
	    !vtap_build_mac(rule->mac, sent ? m.src_mac : m.dst_mac,
			    sent ? m.src_mac_mask : m.dst_mac_mask))
		dirs = 0;
	ranges = vtap_match_compile(&m, (struct vtap_key *)d->key, &mask, d->ports, d->ports + 2);
	if (ranges) {
		/* no bits of the rule's mask, but the verdict depends on them */
		((struct vtap_key *)b->mask)->sport = htons(0xffff);
		((struct vtap_key *)b->mask)->dport = htons(0xffff);
	}
	if (dirs != both) {
		((struct vtap_key *)d->key)->dir = dirs;
		mask.dir = both;
	}
	tuple = vtap_build_tuple(b, (u64 *)&mask, ranges, i);
	if (tuple < 0)
		return tuple;
	d->tuple = tuple;
	d->rule = i;
	b->t->tuples[tuple].n++;
	b->t->dirs |= dirs;
	b->t->tunnels |= rule->tunnel;
	b->n++;
	return 0;
}

static int vtap_build_entries(struct vtap_build *b)
{
	const u8 both = BIT(VTAP_IN) | BIT(VTAP_OUT);
	struct vtap_table *t = b->t;
	unsigned int n = t->n, i;

	/* a rule with a VM's address takes an entry for what it sends, and one for what it gets */
	for (i = 0; i < t->n; i++)
		n += !is_zero_ether_addr(t->rules[i]->mac);
	b->drafts = kvmalloc_array(n, sizeof(*b->drafts), GFP_KERNEL_ACCOUNT);
	if (!b->drafts)
		return -ENOMEM;
	for (i = 0; i < t->n; i++) {
		const struct vtap_rule *rule = t->rules[i];
		const u8 sent = rule->dir & t->sends;
		const u8 got = rule->dir & (t->sends == both ? both : ~t->sends);
		int err = 0;

		if (is_zero_ether_addr(rule->mac)) {
			err = vtap_build_append(b, i, rule->dir, true);
		} else {
			if (sent)
				err = vtap_build_append(b, i, sent, true);
			if (!err && got)
				err = vtap_build_append(b, i, got, false);
		}
		if (err)
			return err;
	}
	vtap_mask_pack(&t->mask, b->mask);
	return 0;
}

static unsigned int vtap_tuple_words(const struct vtap_tuple *tuple)
{
	return VTAP_ENTRY_WORDS + tuple->mask.n + tuple->ranges;
}

/* The entries, and the hash tables of the tuples; entries of a bucket in their order. */
static int vtap_build_pool(struct vtap_build *b)
{
	struct vtap_table *t = b->t;
	unsigned int words = 1, heads = 0, i;
	struct vtap_tuple *tuple;

	for (tuple = t->tuples; tuple < t->tuples + t->n_tuples; tuple++) {
		unsigned int bits = order_base_2(2 * tuple->n);

		words += tuple->n * vtap_tuple_words(tuple);
		tuple->heads = heads;
		tuple->shift = 64 - bits;
		heads += 1U << bits;
	}
	t->pool = kvcalloc(words, sizeof(*t->pool), GFP_KERNEL_ACCOUNT);
	t->heads = kvcalloc(heads, sizeof(*t->heads), GFP_KERNEL_ACCOUNT);
	if (!t->pool || !t->heads)
		return -ENOMEM;
	for (i = b->n; i--;) {
		const struct vtap_build_entry *d = &b->drafts[i];
		struct vtap_entry *e;
		u32 *head;
		u64 h;

		tuple = &t->tuples[d->tuple];
		words -= vtap_tuple_words(tuple);
		e = (void *)(t->pool + words);
		h = vtap_mask_apply(&tuple->mask, d->key, e->key);
		if (tuple->ranges)
			memcpy(e->key + tuple->mask.n, d->ports, sizeof(d->ports));
		e->rule = d->rule;
		head = t->heads + tuple->heads + (h >> tuple->shift);
		e->next = *head;
		*head = words;
	}
	return 0;
}

/* Few rules: of each the word with the most bits, the last of these. */
static void vtap_build_linear(struct vtap_build *b)
{
	struct vtap_table *t = b->t;
	unsigned int at = 1, i, j;

	for (i = 0; i < b->n; i++) {
		const struct vtap_build_entry *d = &b->drafts[i];
		const struct vtap_tuple *tuple = &t->tuples[d->tuple];
		struct vtap_linear_entry *g = &t->linear[i];

		*g = (struct vtap_linear_entry){
			.tuple = tuple,
			.key = ((const struct vtap_entry *)(t->pool + at))->key,
			.rule = t->rules[d->rule],
			.has_extra = tuple->ranges || t->rules[d->rule]->has_extra,
		};
		for (j = 0; j < tuple->mask.n; j++) {
			if (hweight64(tuple->mask.bits[j]) < hweight64(g->mask))
				continue;
			g->mask = tuple->mask.bits[j];
			g->word = tuple->mask.word[j];
			g->value = d->key[g->word];
		}
		at += vtap_tuple_words(tuple);
	}
	t->last = &t->linear[b->n - 1];
}

/* What vtap_table_scan() finds in any case; see vtap_table_lookup_tunnel() */
static void vtap_build_deep(struct vtap_table *t)
{
	static const struct vtap_tuple any = { .mask = { .n = 1 } };
	static const u64 key;

	t->linear[0] = (struct vtap_linear_entry){ .tuple = &any, .key = &key, .has_extra = true };
	t->last = t->linear;
}

static int vtap_build_sort(struct vtap_build *b)
{
	struct vtap_table *t = b->t;
	unsigned int i, n = 0;
	u32 *at;

	at = kvmalloc_array(t->n_tuples, sizeof(*at), GFP_KERNEL_ACCOUNT);
	b->sorted = kvmalloc_array(b->n, sizeof(*b->sorted), GFP_KERNEL_ACCOUNT);
	if (!at || !b->sorted) {
		kvfree(at);
		return -ENOMEM;
	}
	for (i = 0; i < t->n_tuples; i++) {
		at[i] = n;
		n += t->tuples[i].n;
	}
	for (i = 0; i < b->n; i++)
		b->sorted[at[b->drafts[i].tuple]++] = i;
	kvfree(at);
	return 0;
}

/* The entries of group @g, which begin at @sorted. */
static void vtap_build_sieve_input(const struct vtap_build *b, const struct vtap_group *g,
				   const u32 *sorted, struct vtap_sieve_input *in)
{
	const struct vtap_table *t = b->t;
	unsigned int i;

	*in = (struct vtap_sieve_input){
		.drafts = b->drafts,
		.entries = sorted,
		.tuples = g->tuples,
		.first = g->tuples - t->tuples,
	};
	in->n_tuples = min_t(unsigned int, t->n_tuples - in->first, VTAP_GROUP_MAX);
	for (i = 0; i < in->n_tuples; i++)
		in->n += g->tuples[i].n;
}

static u64 vtap_build_ranges(const struct vtap_sieve_input *in)
{
	u64 ranges = 0;
	unsigned int i;

	for (i = 0; i < in->n_tuples; i++)
		ranges |= (u64)in->tuples[i].ranges << i;
	return ranges;
}

static int vtap_build_groups(struct vtap_build *b)
{
	struct vtap_table *t = b->t;
	unsigned int n = DIV_ROUND_UP(t->n_tuples, VTAP_GROUP_MAX), slots = 0;
	const u32 *sorted;
	struct vtap_group *g;
	struct vtap_sieve *s;
	struct vtap_sieve_input in;

	b->scratch = kvcalloc(VTAP_SIEVE_SLOTS_MAX, sizeof(*b->scratch), GFP_KERNEL_ACCOUNT);
	t->groups = kvcalloc(n, sizeof(*t->groups), GFP_KERNEL_ACCOUNT);
	if (!b->scratch || !t->groups || vtap_build_sort(b))
		return -ENOMEM;
	t->end = t->groups + n;
	t->early = t->groups + min_t(unsigned int, n, VTAP_EARLY_MAX) - 1;
	sorted = b->sorted;
	for (g = t->groups; g < t->end; g++) {
		g->tuples = t->tuples + (g - t->groups) * VTAP_GROUP_MAX;
		vtap_build_sieve_input(b, g, sorted, &in);
		g->ranges = vtap_build_ranges(&in);
		g->end = g->sieves + vtap_sieve_choose(g->sieves, &in, b->scratch);
		for (s = g->sieves; s < g->end; s++)
			slots += 1U << (64 - s->shift);
		sorted += in.n;
		cond_resched();
	}
	t->slots = kvmalloc_array(slots, sizeof(*t->slots), GFP_KERNEL_ACCOUNT);
	if (!t->slots)
		return -ENOMEM;
	sorted = b->sorted;
	slots = 0;
	for (g = t->groups; g < t->end; g++) {
		vtap_build_sieve_input(b, g, sorted, &in);
		for (s = g->sieves; s < g->end; s++) {
			s->slots = t->slots + slots;
			vtap_sieve_fill(s, &in);
			slots += 1U << (64 - s->shift);
		}
		sorted += in.n;
		cond_resched();
	}
	return 0;
}

static int vtap_build(struct vtap_build *b, const struct vtap_rule *const *rules, unsigned int n)
{
	struct vtap_table *t = b->t;
	struct vtap_tuple *tuples;
	int err;

	t->rules = kvmalloc_array(n, sizeof(*t->rules), GFP_KERNEL_ACCOUNT);
	if (!t->rules)
		return -ENOMEM;
	memcpy(t->rules, rules, n * sizeof(*t->rules));
	t->n = n;
	err = vtap_build_entries(b);
	if (err)
		return err;
	/* usually far fewer than there is room for */
	tuples = kvmalloc_array(t->n_tuples, sizeof(*tuples), GFP_KERNEL_ACCOUNT);
	if (!tuples)
		return -ENOMEM;
	memcpy(tuples, t->tuples, t->n_tuples * sizeof(*tuples));
	kvfree(t->tuples);
	t->tuples = tuples;
	err = vtap_build_pool(b);
	if (err)
		return err;
	if (!t->tunnels && b->n <= VTAP_LINEAR_MAX) {
		vtap_build_linear(b);
		return 0;
	}
	if (t->tunnels)
		vtap_build_deep(t);
	return vtap_build_groups(b);
}

void vtap_table_free(struct vtap_table *t)
{
	kvfree(t->rules);
	kvfree(t->tuples);
	kvfree(t->pool);
	kvfree(t->heads);
	kvfree(t->groups);
	kvfree(t->slots);
	kfree(t->parts);
	kvfree(t->stamps);
	kfree(t);
}

struct vtap_table *vtap_table_build(u8 sends, const struct vtap_rule *const *rules, unsigned int n)
{
	static atomic64_t last_id = ATOMIC64_INIT(0);
	struct vtap_build *b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	struct vtap_table *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (b && t) {
		b->t = t;
		t->sends = sends;
		if (vtap_build(b, rules, n)) {
			vtap_table_free(t);
			t = NULL;
		} else {
			t->id = atomic64_inc_return(&last_id);
		}
		kvfree(b->drafts);
		kvfree(b->sorted);
		kvfree(b->scratch);
	} else {
		kfree(t);
		t = NULL;
	}
	kfree(b);
	return t;
}
