// SPDX-License-Identifier: GPL-2.0
/* Tables made of rules: hash tables of their tuples, groups and sieves. */
#include <linux/log2.h>
#include <linux/slab.h>

#include "build.h"
#include "rule.h"
#include "table.h"

#define VTAP_EARLY_MAX		4	/* groups that are looked at before the cache */

#define VTAP_ENTRY_WORDS	(sizeof(struct vtap_entry) / sizeof(u64))

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
		e->match = d->match;
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
			.match = d->match,
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
	err = vtap_draft(b);
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
