// SPDX-License-Identifier: GPL-2.0
/*
 * Which rule decides on a frame: an immutable image of the rules that bind to
 * a port. Few rules are tried one by one. Many are sorted into tuples (rules
 * that look at the same bits), each with a hash table; sieves tell which tuples
 * may have a rule for a frame, and where these are several, a cache of verdicts
 * on each CPU comes before them. Of the rules that match, the first decides.
 */
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "table.h"

#define VTAP_LINEAR_MAX		8
#define VTAP_CACHE_BITS		9
#define VTAP_MASK_HASH_BITS	8
#define VTAP_EARLY_MAX		4	/* groups that are looked at before the cache */

/**
 * struct vtap_entry - a rule as frames are compared with it
 * @rule: the rule's number
 * @next: the next entry in the same bucket as an index to vtap_table.pool, 0 at its end
 * @key: the words that the tuple's mask has, then with port ranges a word of these
 */
struct vtap_entry {
	u32 rule;
	u32 next;
	u64 key[];
};

#define VTAP_ENTRY_WORDS	(sizeof(struct vtap_entry) / sizeof(u64))

/**
 * struct vtap_glance - the word that tells the most of a rule that is tried alone
 * @mask: its bits that the rule looks at
 * @value: what they must be
 * @word: which word of the key
 * @tuple: the rule's tuple
 * @key: its entry's key
 * @rule: the rule
 * @more: the mask is not all that it asks for: port ranges, a filter, or what is in a tunnel
 */
struct vtap_glance {
	u64 mask;
	u64 value;
	u64 word;
	const struct vtap_tuple *tuple;
	const u64 *key;
	const struct vtap_rule *rule;
	bool more;
};

/**
 * struct vtap_table - the rules that bind to a port
 * @last: the last of @linear, NULL when there are more rules than fit; with @deep the one that all
 *	frames match
 * @linear: few rules, in their order
 * @groups: the tuples by 64
 * @early: the last of @groups that is looked at before the cache
 * @end: behind the last of @groups
 * @tuples: by their best rule; as many as @groups have, or as needed by @linear
 * @heads: buckets of all tuples: an index to @pool, or 0
 * @pool: entries, in the order of the rules; nothing at index 0
 * @slots: of all sieves
 * @rules: all of them in their order
 * @n: length of @rules
 * @n_tuples: length of @tuples
 * @id: no other table has had it
 * @sends: where VMs' frames are seen that they send, as vtap_kind_sends() has it
 * @mask: all bits that any rule looks at
 * @dirs: directions that any rule is for
 * @deep: rules look at tunnels
 * @list: in vtap_net.tables; RTNL
 * @refs: ports that use it; RTNL
 * @rcu: frees it when no packet can see it any more
 */
struct vtap_table {
	const struct vtap_glance *last;
	struct vtap_glance linear[VTAP_LINEAR_MAX];
	struct vtap_group *groups;
	const struct vtap_group *early;
	const struct vtap_group *end;
	struct vtap_tuple *tuples;
	u32 *heads;
	u64 *pool;
	u64 *slots;
	const struct vtap_rule **rules;
	unsigned int n;
	unsigned int n_tuples;
	u64 id;
	struct vtap_mask mask;
	u8 sends;
	u8 dirs;
	bool deep;
	struct list_head list;
	unsigned int refs;
	struct rcu_head rcu;
};

/**
 * struct vtap_verdict - what a table said of a frame
 * @id: the table's
 * @rule: the answer
 * @key: the words of the frame's key that the table's mask has, under it
 */
struct vtap_verdict {
	u64 id;
	const struct vtap_rule *rule;
	u64 key[VTAP_KEY_WORDS];
};

struct vtap_cache {
	struct vtap_verdict *v;
	local_lock_t lock;	/* of @v, against other softirqs on PREEMPT_RT */
};

static DEFINE_PER_CPU(struct vtap_cache, vtap_cache) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

/* The words of @key under a mask, and a hash of them, of which the highest bits are good. */
static __always_inline u64 vtap_mask_apply(const struct vtap_mask *m, const u64 *key, u64 *masked)
{
	size_t i = m->n;
	u64 h = 0;

	while (i--) {
		masked[i] = key[m->word[i]] & m->bits[i];
		h = (h ^ masked[i]) * GOLDEN_RATIO_64;
	}
	return (h ^ h >> 32) * GOLDEN_RATIO_64;
}

/* What is the most likely to differ comes last in the key. */
static __always_inline bool vtap_words_same(const u64 *a, const u64 *b, size_t n)
{
	while (n--) {
		if (a[n] != b[n])
			return false;
	}
	return true;
}

static bool vtap_table_in_range(const u16 *ports, const struct vtap_frame *f)
{
	u16 s = ntohs(f->key.sport), d = ntohs(f->key.dport);

	return s >= ports[0] && s <= ports[1] && d >= ports[2] && d <= ports[3];
}

static noinline bool vtap_table_more(const struct vtap_glance *g, const struct vtap_frame *f)
{
	if (g->tuple->ranges &&
	    !vtap_table_in_range((const u16 *)(g->key + g->tuple->mask.n), f))
		return false;
	return !g->rule->more || vtap_rule_more(g->rule, f);
}

/* One by one from @g on, as far as the masks tell. */
static __always_inline const struct vtap_glance *vtap_table_linear(const struct vtap_glance *g,
								   const struct vtap_glance *last,
								   const u64 *key)
{
	/* most rules are done with after a look at one word, and most frames after all rules */
	do {
		const struct vtap_mask *m;
		size_t i;

		if (likely((key[g->word] & g->mask) != g->value))
			continue;
		m = &g->tuple->mask;
		i = m->n - 1;
		do {
			if ((key[m->word[i]] & m->bits[i]) != g->key[i])
				break;
		} while (i--);
		if (i == SIZE_MAX)
			return g;
	} while (g++ != last);
	return NULL;
}

/* Tuples of a group that may have a rule for the frame. */
static __always_inline u64 vtap_table_sift(const struct vtap_group *g, const u64 *key)
{
	const struct vtap_sieve *s = g->sieves;
	u64 tuples = s->slots[vtap_sieve_slot(s, key)];

	while (tuples && ++s < g->end)
		tuples &= s->slots[vtap_sieve_slot(s, key)];
	return tuples;
}

/*
 * In @tuples of the group @g, then in the groups behind it. @pure becomes false
 * when the answer depends on more than the key.
 */
static const struct vtap_rule *vtap_table_search(const struct vtap_table *t,
						 const struct vtap_frame *f,
						 const struct vtap_group *g, u64 tuples, bool *pure)
{
	const u64 *key = (const u64 *)&f->key;
	u64 masked[VTAP_KEY_WORDS];
	u32 best = t->n;

	for (;;) {
		for (; tuples; tuples &= tuples - 1) {
			const struct vtap_tuple *tuple = g->tuples + __ffs64(tuples);
			const struct vtap_entry *e;
			u32 i;
			u64 h;

			if (tuple->best >= best)
				goto out;
			h = vtap_mask_apply(&tuple->mask, key, masked);
			for (i = t->heads[tuple->heads + (h >> tuple->shift)]; i; i = e->next) {
				e = (void *)(t->pool + i);
				if (e->rule >= best)
					break;
				if (!vtap_words_same(masked, e->key, tuple->mask.n))
					continue;
				if (unlikely(tuple->ranges) &&
				    !vtap_table_in_range((const u16 *)(e->key + tuple->mask.n), f))
					continue;
				if (unlikely(t->rules[e->rule]->more)) {
					*pure = false;
					if (!vtap_rule_more(t->rules[e->rule], f))
						continue;
				}
				best = e->rule;
				break;
			}
		}
		if (++g == t->end || g->tuples->best >= best)
			break;
		tuples = vtap_table_sift(g, key);
	}
out:
	return best < t->n ? t->rules[best] : NULL;
}

static noinline const struct vtap_rule *vtap_table_recall(const struct vtap_table *t,
							  const struct vtap_frame *f,
							  const struct vtap_group *g, u64 tuples)
{
	const u64 *key = (const u64 *)&f->key;
	u64 masked[VTAP_KEY_WORDS];
	const struct vtap_rule *rule;
	struct vtap_verdict *v;
	bool pure = true;
	u64 h;

	/* a look at one tuple is no dearer than one at the cache, but with ranges to try */
	if (likely(!(tuples & ((tuples - 1) | g->ranges)) && g + 1 == t->end))
		return vtap_table_search(t, f, g, tuples, &pure);

	h = vtap_mask_apply(&t->mask, key, masked) >> (64 - VTAP_CACHE_BITS);
	local_lock_nested_bh(&vtap_cache.lock);
	v = this_cpu_read(vtap_cache.v) + h;
	if (likely(v->id == t->id && vtap_words_same(masked, v->key, t->mask.n))) {
		rule = v->rule;
	} else {
		rule = vtap_table_search(t, f, g, tuples, &pure);
		if (pure) {
			v->id = t->id;
			memcpy(v->key, masked, t->mask.n * sizeof(*masked));
			v->rule = rule;
		}
	}
	local_unlock_nested_bh(&vtap_cache.lock);
	return rule;
}

static __always_inline const struct vtap_rule *vtap_table_many(const struct vtap_table *t,
							       const struct vtap_frame *f)
{
	const u64 *key = (const u64 *)&f->key;
	const struct vtap_group *g = t->groups;

	for (;;) {
		u64 tuples = vtap_table_sift(g, key);

		if (tuples)
			return vtap_table_recall(t, f, g, tuples);
		if (g == t->early)
			break;
		g++;
	}
	return g + 1 == t->end ? NULL : vtap_table_recall(t, f, g, 0);
}

/*
 * Rules look at tunnels. Every frame comes here, by a glance that matches all of them, so that
 * tables without such rules do not pay.
 */
static const struct vtap_rule *vtap_table_deep(const struct vtap_table *t, struct vtap_frame *f)
{
	const u8 tunnel = f->key.tunnel;
	const struct vtap_rule *rule;

	vtap_match_tunnel(f);
	rule = vtap_table_many(t, f);
	/* another port's table may be asked as well, after the one that decides */
	f->key.tunnel = tunnel ?: rule ? rule->tunnel : 0;
	return rule;
}

/* The mask of @g matches, which is not all that it asks for: the same, and those behind it. */
static noinline const struct vtap_rule *vtap_table_rest(const struct vtap_table *t,
							struct vtap_frame *f,
							const struct vtap_glance *g)
{
	const struct vtap_glance *last = t->last;

	if (unlikely(t->deep))
		return vtap_table_deep(t, f);

	while (g && g->more && !vtap_table_more(g, f))
		g = g == last ? NULL : vtap_table_linear(g + 1, last, (const u64 *)&f->key);
	return g ? g->rule : NULL;
}

/**
 * vtap_table_lookup - the first rule that matches
 * @t: published table
 * @f: parsed frame; its key learns which tunnel the rule says it is in
 *
 * Softirq context, RCU read side.
 *
 * Return: the rule, NULL for none.
 */
const struct vtap_rule *vtap_table_lookup(const struct vtap_table *t, struct vtap_frame *f)
{
	const struct vtap_glance *g = t->linear, *last = t->last;

	if (!last)
		return vtap_table_many(t, f);
	g = vtap_table_linear(g, last, (const u64 *)&f->key);
	if (!g)
		return NULL;
	if (unlikely(g->more))
		return vtap_table_rest(t, f, g);
	return g->rule;
}

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
	struct vtap_draft *drafts;
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
	/* never without a word, to have less to ask */
	m->n += !m->n;
}

/* The words beyond the last one are not compared, and neither is what pads the structure. */
static bool vtap_mask_same(const struct vtap_mask *a, const struct vtap_mask *b)
{
	return a->n == b->n && !memcmp(a->bits, b->bits, a->n * sizeof(*a->bits)) &&
	       !memcmp(a->word, b->word, a->n * sizeof(*a->word));
}

static int vtap_build_more_tuples(struct vtap_build *b)
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
	if (t->n_tuples == b->max_tuples && vtap_build_more_tuples(b))
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
	struct vtap_draft *d = &b->drafts[b->n];
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
	b->t->deep |= rule->tunnel;
	b->n++;
	return 0;
}

static int vtap_build_drafts(struct vtap_build *b)
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
		const struct vtap_draft *d = &b->drafts[i];
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
		const struct vtap_draft *d = &b->drafts[i];
		const struct vtap_tuple *tuple = &t->tuples[d->tuple];
		struct vtap_glance *g = &t->linear[i];

		*g = (struct vtap_glance){
			.tuple = tuple,
			.key = ((const struct vtap_entry *)(t->pool + at))->key,
			.rule = t->rules[d->rule],
			.more = tuple->ranges || t->rules[d->rule]->more,
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

/* What vtap_table_linear() finds in any case; see vtap_table_deep() */
static void vtap_build_deep(struct vtap_table *t)
{
	static const struct vtap_tuple any = { .mask = { .n = 1 } };
	static const u64 key;

	t->linear[0] = (struct vtap_glance){ .tuple = &any, .key = &key, .more = true };
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
static void vtap_build_sift(const struct vtap_build *b, const struct vtap_group *g,
			    const u32 *sorted, struct vtap_sift *in)
{
	const struct vtap_table *t = b->t;
	unsigned int i;

	*in = (struct vtap_sift){
		.drafts = b->drafts,
		.entries = sorted,
		.tuples = g->tuples,
		.first = g->tuples - t->tuples,
	};
	in->n_tuples = min_t(unsigned int, t->n_tuples - in->first, VTAP_GROUP_MAX);
	for (i = 0; i < in->n_tuples; i++)
		in->n += g->tuples[i].n;
}

static u64 vtap_build_ranges(const struct vtap_sift *in)
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
	struct vtap_sift in;

	b->scratch = kvcalloc(VTAP_SIEVE_SLOTS_MAX, sizeof(*b->scratch), GFP_KERNEL_ACCOUNT);
	t->groups = kvcalloc(n, sizeof(*t->groups), GFP_KERNEL_ACCOUNT);
	if (!b->scratch || !t->groups || vtap_build_sort(b))
		return -ENOMEM;
	t->end = t->groups + n;
	t->early = t->groups + min_t(unsigned int, n, VTAP_EARLY_MAX) - 1;
	sorted = b->sorted;
	for (g = t->groups; g < t->end; g++) {
		g->tuples = t->tuples + (g - t->groups) * VTAP_GROUP_MAX;
		vtap_build_sift(b, g, sorted, &in);
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
		vtap_build_sift(b, g, sorted, &in);
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
	err = vtap_build_drafts(b);
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
	if (!t->deep && b->n <= VTAP_LINEAR_MAX) {
		vtap_build_linear(b);
		return 0;
	}
	if (t->deep)
		vtap_build_deep(t);
	return vtap_build_groups(b);
}

static void vtap_table_free(struct vtap_table *t)
{
	kvfree(t->rules);
	kvfree(t->tuples);
	kvfree(t->pool);
	kvfree(t->heads);
	kvfree(t->groups);
	kvfree(t->slots);
	kfree(t);
}

static void vtap_table_rcu(struct rcu_head *rcu)
{
	vtap_table_free(container_of(rcu, struct vtap_table, rcu));
}

static struct vtap_table *vtap_table_build(u8 sends, const struct vtap_rule *const *rules,
					   unsigned int n)
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

/**
 * vtap_table_get - a table of these rules, the one that another port uses if there is one; RTNL
 * @vn: the namespace's vtap
 * @sends: where the port's VM sends, from vtap_kind_sends()
 * @rules: the rules in their order; each stays valid for a grace period after its last table
 * @n: how many, not 0
 *
 * Return: the table with a reference, NULL when memory is short.
 */
struct vtap_table *vtap_table_get(struct vtap_net *vn, u8 sends,
				  const struct vtap_rule *const *rules, unsigned int n)
{
	struct vtap_table *t;

	list_for_each_entry(t, &vn->tables, list) {
		if (t->n == n && t->sends == sends &&
		    !memcmp(t->rules, rules, n * sizeof(*rules))) {
			t->refs++;
			return t;
		}
	}
	t = vtap_table_build(sends, rules, n);
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

static bool vtap_table_has(const struct vtap_table *t, const struct vtap_rule *rule)
{
	unsigned int lo = 0, hi = t->n;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (vtap_rule_before(t->rules[mid], rule))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->n && t->rules[lo] == rule;
}

/**
 * vtap_table_ports - to how many ports is a rule bound? RTNL
 * @vn: the namespace's vtap
 * @rule: the rule
 *
 * Return: their number.
 */
unsigned int vtap_table_ports(const struct vtap_net *vn, const struct vtap_rule *rule)
{
	const struct vtap_table *t;
	unsigned int n = 0;

	list_for_each_entry(t, &vn->tables, list) {
		if (vtap_table_has(t, rule))
			n += t->refs;
	}
	return n;
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
