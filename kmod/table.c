// SPDX-License-Identifier: GPL-2.0
/*
 * Which rule decides on a frame: an immutable image of the rules that bind to
 * a port. Few rules are tried one by one. Many are sorted into tuples (rules
 * that look at the same bits), each with a hash table; behind a cache of
 * verdicts on each CPU. Entries are numbered in the order of the rules, so the
 * lowest number decides.
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "vtap.h"

#define VTAP_LINEAR_MAX		8
#define VTAP_CACHE_BITS		9
#define VTAP_MASK_HASH_BITS	8

/**
 * struct vtap_entry - a rule as frames are compared with it
 * @key: a struct vtap_key, zero where the tuple's mask is
 * @rule: the rule
 * @sport: lowest and highest source port
 * @dport: lowest and highest destination port
 * @last: last word of the tuple's mask
 * @next: number + 1 of the next entry in the same bucket, 0 at its end
 * @tuple: number of its tuple
 * @ranges: @sport and @dport have to be looked at
 */
struct vtap_entry {
	u64 key[VTAP_KEY_WORDS];
	const struct vtap_rule *rule;
	u16 sport[2];
	u16 dport[2];
	u64 last;
	u32 next;
	u32 tuple : 31;
	u32 ranges : 1;
};

/**
 * struct vtap_tuple - rules that look at the same bits
 * @mask: these bits, a struct vtap_key
 * @words: bit i is set when @mask[i] is not 0
 * @shift: 64 - log2 of its number of buckets
 * @best: lowest number of its entries
 * @heads: its first bucket in vtap_table.heads
 * @n: its number of entries
 */
struct vtap_tuple {
	u64 mask[VTAP_KEY_WORDS];
	u8 words;
	u8 shift;
	u32 best;
	u32 heads;
	u32 n;
};

/**
 * struct vtap_table - the rules that bind to a port
 * @entries: in the order of the rules
 * @tuples: by their best entry
 * @heads: buckets of all tuples: number + 1 of an entry, or 0; NULL when tried one by one
 * @n: length of @entries
 * @n_tuples: length of @tuples
 * @id: no other table has had it
 * @mask: all bits that any rule looks at
 * @words: bit i is set when @mask[i] is not 0
 * @dirs: directions that any rule is for
 * @list: in vtap_net.tables; RTNL
 * @refs: ports that use it; RTNL
 * @rcu: frees it when no packet can see it any more
 */
struct vtap_table {
	struct vtap_entry *entries;
	struct vtap_tuple *tuples;
	u32 *heads;
	unsigned int n;
	unsigned int n_tuples;
	u64 id;
	u64 mask[VTAP_KEY_WORDS];
	u8 words;
	u8 dirs;
	struct list_head list;
	unsigned int refs;
	struct rcu_head rcu;
};

/**
 * struct vtap_verdict - what a table said of a frame
 * @id: the table's
 * @key: the frame's key under the table's mask; words that it has no bits in are not written
 * @rule: the answer
 */
struct vtap_verdict {
	u64 id;
	u64 key[VTAP_KEY_WORDS];
	const struct vtap_rule *rule;
};

struct vtap_cache {
	struct vtap_verdict *v;
	local_lock_t lock;	/* of @v, against other softirqs on PREEMPT_RT */
};

static DEFINE_PER_CPU(struct vtap_cache, vtap_cache) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

/* What is the most likely to differ comes last in the key. */
#define vtap_for_each_word(i, left, words) \
	for (left = (words); left && (i = __fls(left), true); left &= ~BIT(i))

static u64 vtap_table_hash(const u64 *key, const u64 *mask, unsigned long words)
{
	unsigned long left;
	unsigned int i;
	u64 h = 0;

	vtap_for_each_word(i, left, words)
		h = (h ^ (key[i] & mask[i])) * GOLDEN_RATIO_64;
	/* every bit of the key has reached the highest ones */
	return h;
}

static __always_inline bool vtap_table_match(const struct vtap_table *t,
					     const struct vtap_entry *e,
					     const struct vtap_frame *f)
{
	const struct vtap_tuple *tuple = &t->tuples[e->tuple];
	const u64 *key = (const u64 *)&f->key;
	unsigned int i;

	/* all words: cheaper than to find those that count */
#pragma GCC unroll 8
	for (i = VTAP_KEY_WORDS; i--;) {
		if ((key[i] & tuple->mask[i]) != e->key[i])
			return false;
	}
	if (unlikely(e->ranges)) {
		u16 s = ntohs(f->key.sport), d = ntohs(f->key.dport);

		if (s < e->sport[0] || s > e->sport[1] || d < e->dport[0] || d > e->dport[1])
			return false;
	}
	return true;
}

/* One by one from @e on. */
static noinline const struct vtap_rule *vtap_table_linear(const struct vtap_table *t,
							  const struct vtap_frame *f,
							  const struct vtap_entry *e)
{
	for (; e < t->entries + t->n; e++) {
		if (vtap_table_match(t, e, f) &&
		    (likely(!e->rule->filter) || vtap_rule_filter(e->rule, f)))
			return e->rule;
	}
	return NULL;
}

/* @pure becomes false when the answer depends on more than the key. */
static const struct vtap_rule *vtap_table_search(const struct vtap_table *t,
						 const struct vtap_frame *f, bool *pure)
{
	const u64 *key = (const u64 *)&f->key;
	const struct vtap_tuple *tuple;
	u32 best = t->n, i;

	for (tuple = t->tuples; tuple < t->tuples + t->n_tuples && tuple->best < best; tuple++) {
		u64 h = vtap_table_hash(key, tuple->mask, tuple->words);

		for (i = t->heads[tuple->heads + (h >> tuple->shift)]; i && i - 1 < best;
		     i = t->entries[i - 1].next) {
			const struct vtap_entry *e = &t->entries[i - 1];

			if (!vtap_table_match(t, e, f))
				continue;
			if (unlikely(e->rule->filter)) {
				*pure = false;
				if (!vtap_rule_filter(e->rule, f))
					continue;
			}
			best = i - 1;
			break;
		}
	}
	return best < t->n ? t->entries[best].rule : NULL;
}

static bool vtap_table_cached(const struct vtap_table *t, const u64 *key,
			      const struct vtap_verdict *v)
{
	unsigned long left;
	unsigned int i;

	if (v->id != t->id)
		return false;
	vtap_for_each_word(i, left, t->words) {
		if ((key[i] & t->mask[i]) != v->key[i])
			return false;
	}
	return true;
}

static noinline const struct vtap_rule *vtap_table_recall(const struct vtap_table *t,
							  const struct vtap_frame *f)
{
	const u64 *key = (const u64 *)&f->key;
	const struct vtap_rule *rule;
	struct vtap_verdict *v;
	unsigned long left;
	bool pure = true;
	unsigned int i;
	u64 h;

	h = vtap_table_hash(key, t->mask, t->words) >> (64 - VTAP_CACHE_BITS);
	local_lock_nested_bh(&vtap_cache.lock);
	v = this_cpu_read(vtap_cache.v) + h;
	if (likely(vtap_table_cached(t, key, v))) {
		rule = v->rule;
	} else {
		rule = vtap_table_search(t, f, &pure);
		if (pure) {
			v->id = t->id;
			vtap_for_each_word(i, left, t->words)
				v->key[i] = key[i] & t->mask[i];
			v->rule = rule;
		}
	}
	local_unlock_nested_bh(&vtap_cache.lock);
	return rule;
}

/**
 * vtap_table_lookup - the first rule that matches
 * @t: published table
 * @f: parsed frame
 *
 * Softirq context, RCU read side.
 *
 * Return: the rule, NULL for none.
 */
const struct vtap_rule *vtap_table_lookup(const struct vtap_table *t, const struct vtap_frame *f)
{
	const u64 last = ((const u64 *)&f->key)[VTAP_KEY_WORDS - 1];
	const struct vtap_entry *e = t->entries;
	unsigned int left = t->n;

	if (t->heads)
		return vtap_table_recall(t, f);
	/* most rules are done with after a look at the ports, and most frames after all rules */
	do {
		if (unlikely((last & e->last) == e->key[VTAP_KEY_WORDS - 1]))
			return vtap_table_linear(t, f, e);
		e++;
	} while (--left);
	return NULL;
}

/* The tuple of a mask, a new one if need be. @chain links tuples by the hash of their masks. */
static unsigned int vtap_table_tuple(struct vtap_table *t, const struct vtap_key *mask,
				     u32 *first, u32 *chain)
{
	u32 h = jhash(mask, sizeof(*mask), 0) >> (32 - VTAP_MASK_HASH_BITS);
	struct vtap_tuple *tuple;
	unsigned int i;

	for (i = first[h]; i; i = chain[i - 1]) {
		if (!memcmp(t->tuples[i - 1].mask, mask, sizeof(*mask)))
			return i - 1;
	}
	tuple = &t->tuples[t->n_tuples++];
	memcpy(tuple->mask, mask, sizeof(*mask));
	for (i = 0; i < VTAP_KEY_WORDS; i++) {
		if (tuple->mask[i])
			tuple->words |= BIT(i);
		t->mask[i] |= tuple->mask[i];
	}
	tuple->best = t->n;
	chain[t->n_tuples - 1] = first[h];
	first[h] = t->n_tuples;
	return t->n_tuples - 1;
}

static void vtap_table_append(struct vtap_table *t, const struct vtap_rule *rule, u8 dirs,
			      u32 *first, u32 *chain)
{
	const u8 both = BIT(VTAP_IN) | BIT(VTAP_OUT);
	struct vtap_match m = rule->cfg.match;
	struct vtap_entry *e = &t->entries[t->n];
	struct vtap_key mask;

	/* a VM's address is the source of what it sends, the destination of what it gets */
	if (!is_zero_ether_addr(rule->cfg.mac)) {
		ether_addr_copy(dirs & BIT(VTAP_IN) ? m.src_mac : m.dst_mac, rule->cfg.mac);
		eth_broadcast_addr(dirs & BIT(VTAP_IN) ? m.src_mac_mask : m.dst_mac_mask);
	}
	e->rule = rule;
	e->ranges = vtap_match_compile(&m, (struct vtap_key *)e->key, &mask, e->sport, e->dport);
	if (e->ranges) {
		/* no bits of the rule's mask, but the verdict depends on them */
		((struct vtap_key *)t->mask)->sport = htons(0xffff);
		((struct vtap_key *)t->mask)->dport = htons(0xffff);
	}
	if (dirs != both) {
		((struct vtap_key *)e->key)->dir = dirs;
		mask.dir = both;
	}
	e->tuple = vtap_table_tuple(t, &mask, first, chain);
	e->last = t->tuples[e->tuple].mask[VTAP_KEY_WORDS - 1];
	t->tuples[e->tuple].n++;
	t->dirs |= dirs;
	t->n++;
}

static void vtap_table_free(struct vtap_table *t)
{
	kvfree(t->entries);
	kvfree(t->tuples);
	kvfree(t->heads);
	kfree(t);
}

static void vtap_table_rcu(struct rcu_head *rcu)
{
	vtap_table_free(container_of(rcu, struct vtap_table, rcu));
}

/* Hash tables of the tuples; entries of a bucket in their order. */
static int vtap_table_index(struct vtap_table *t)
{
	struct vtap_tuple *tuple;
	u32 n = 0, i;

	for (tuple = t->tuples; tuple < t->tuples + t->n_tuples; tuple++) {
		unsigned int bits = order_base_2(2 * tuple->n);

		tuple->heads = n;
		tuple->shift = 64 - bits;
		n += 1U << bits;
	}
	t->heads = kvcalloc(n, sizeof(*t->heads), GFP_KERNEL_ACCOUNT);
	if (!t->heads)
		return -ENOMEM;
	for (i = t->n; i; i--) {
		struct vtap_entry *e = &t->entries[i - 1];
		u32 *head;

		tuple = &t->tuples[e->tuple];
		head = t->heads + tuple->heads;
		head += vtap_table_hash(e->key, tuple->mask, tuple->words) >> tuple->shift;
		e->next = *head;
		*head = i;
	}
	return 0;
}

static struct vtap_table *vtap_table_build(const struct vtap_rule *const *rules, unsigned int n)
{
	static atomic64_t last_id = ATOMIC64_INIT(0);
	/* a rule with a VM's address takes an entry for each direction */
	unsigned int max = 2 * n, i;
	u32 first[1 << VTAP_MASK_HASH_BITS] = {};
	struct vtap_tuple *tuples;
	struct vtap_table *t;
	u32 *chain;

	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return NULL;
	t->entries = kvcalloc(max, sizeof(*t->entries), GFP_KERNEL_ACCOUNT);
	t->tuples = kvcalloc(max, sizeof(*t->tuples), GFP_KERNEL_ACCOUNT);
	chain = kvcalloc(max, sizeof(*chain), GFP_KERNEL_ACCOUNT);
	if (!t->entries || !t->tuples || !chain)
		goto err;
	for (i = 0; i < n; i++) {
		const struct vtap_rule_cfg *cfg = &rules[i]->cfg;

		if (is_zero_ether_addr(cfg->mac)) {
			vtap_table_append(t, rules[i], cfg->dir, first, chain);
			continue;
		}
		if (cfg->dir & BIT(VTAP_IN))
			vtap_table_append(t, rules[i], BIT(VTAP_IN), first, chain);
		if (cfg->dir & BIT(VTAP_OUT))
			vtap_table_append(t, rules[i], BIT(VTAP_OUT), first, chain);
	}
	for (i = 0; i < VTAP_KEY_WORDS; i++) {
		if (t->mask[i])
			t->words |= BIT(i);
	}
	/* usually far fewer than there was room for */
	tuples = kvcalloc(t->n_tuples, sizeof(*tuples), GFP_KERNEL_ACCOUNT);
	if (!tuples)
		goto err;
	memcpy(tuples, t->tuples, t->n_tuples * sizeof(*tuples));
	kvfree(t->tuples);
	t->tuples = tuples;
	if (t->n > VTAP_LINEAR_MAX && vtap_table_index(t))
		goto err;
	kvfree(chain);
	t->id = atomic64_inc_return(&last_id);
	return t;

err:
	kvfree(chain);
	vtap_table_free(t);
	return NULL;
}

static bool vtap_table_same(const struct vtap_table *t, const struct vtap_rule *const *rules,
			    unsigned int n)
{
	unsigned int i, j = 0;

	for (i = 0; i < t->n; i++) {
		if (i && t->entries[i].rule == t->entries[i - 1].rule)
			continue;
		if (j == n || t->entries[i].rule != rules[j++])
			return false;
	}
	return j == n;
}

/**
 * vtap_table_get - a table of these rules, the one that another port uses if there is one; RTNL
 * @vn: the namespace's vtap
 * @rules: the rules in their order; each stays valid for a grace period after its last table
 * @n: how many, not 0
 *
 * Return: the table with a reference, NULL when memory is short.
 */
struct vtap_table *vtap_table_get(struct vtap_net *vn, const struct vtap_rule *const *rules,
				  unsigned int n)
{
	struct vtap_table *t;

	list_for_each_entry(t, &vn->tables, list) {
		if (vtap_table_same(t, rules, n)) {
			t->refs++;
			return t;
		}
	}
	t = vtap_table_build(rules, n);
	if (!t)
		return NULL;
	t->refs = 1;
	list_add(&t->list, &vn->tables);
	return t;
}

/**
 * vtap_table_put - give back a reference; RTNL
 * @t: a table that packets do not find through this reference any more, or NULL
 */
void vtap_table_put(struct vtap_table *t)
{
	if (!t || --t->refs)
		return;
	list_del(&t->list);
	call_rcu(&t->rcu, vtap_table_rcu);
}

/**
 * vtap_table_dirs - directions that any of the rules is for
 * @t: a table
 *
 * Return: BIT(VTAP_IN) | BIT(VTAP_OUT), or one of them.
 */
u32 vtap_table_dirs(const struct vtap_table *t)
{
	return t->dirs;
}

/**
 * vtap_table_init - caches of all CPUs
 *
 * Return: 0 or -ENOMEM.
 */
int vtap_table_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct vtap_verdict *v;

		v = kvzalloc_node(sizeof(*v) << VTAP_CACHE_BITS, GFP_KERNEL, cpu_to_node(cpu));
		if (!v) {
			vtap_table_exit();
			return -ENOMEM;
		}
		per_cpu(vtap_cache, cpu).v = v;
	}
	return 0;
}

/** vtap_table_exit - free the caches; no port is left */
void vtap_table_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		kvfree(per_cpu(vtap_cache, cpu).v);
}
