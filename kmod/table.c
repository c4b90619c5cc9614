// SPDX-License-Identifier: GPL-2.0
/*
 * Which rule decides on a frame: an immutable image of the rules that bind to
 * a port. Few rules are tried one by one. Many are sorted into tuples (rules
 * that look at the same bits), each with a hash table; sieves tell which tuples
 * may have a rule for a frame, and where these are several, a cache of verdicts
 * on each CPU comes before them. Of the rules that match, the first decides.
 */
#include <linux/percpu.h>
#include <linux/slab.h>

#include "compat.h"
#include "list.h"
#include "rule.h"
#include "table.h"
#include "tunnel.h"

#define VTAP_CACHE_BITS		9

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

/* What is the most likely to differ comes last in the key. */
static __always_inline bool vtap_words_same(const u64 *a, const u64 *b, size_t n)
{
	while (n--) {
		if (a[n] != b[n])
			return false;
	}
	return true;
}

static noinline bool vtap_table_match_extra(const struct vtap_linear_entry *g,
					    const struct vtap_frame *f)
{
	if (g->tuple->ranges &&
	    !vtap_ports_match((const u16 *)(g->key + g->tuple->mask.n), f))
		return false;
	return !g->rule->has_extra || vtap_rule_match_extra(g->rule, g->match, f);
}

/* One by one from @g on, as far as the masks tell. */
static __always_inline const struct vtap_linear_entry *
vtap_table_scan(const struct vtap_linear_entry *g, const struct vtap_linear_entry *last,
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
static __always_inline u64 vtap_table_candidates(const struct vtap_group *g, const u64 *key)
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
				    !vtap_ports_match((const u16 *)(e->key + tuple->mask.n), f))
					continue;
				if (unlikely(t->rules[e->rule]->has_extra)) {
					*pure = false;
					if (!vtap_rule_match_extra(t->rules[e->rule], e->match, f))
						continue;
				}
				best = e->rule;
				break;
			}
		}
		if (++g == t->end || g->tuples->best >= best)
			break;
		tuples = vtap_table_candidates(g, key);
	}
out:
	return best < t->n ? t->rules[best] : NULL;
}

static noinline const struct vtap_rule *
vtap_table_lookup_cached(const struct vtap_table *t, const struct vtap_frame *f,
			 const struct vtap_group *g, u64 tuples)
{
	const u64 *key = (const u64 *)&f->key;
	u64 masked[VTAP_KEY_WORDS];
	const struct vtap_rule *rule;
	struct vtap_verdict *v;
	bool pure = true;
	u64 h;

	/* searching one tuple costs no more than the cache, unless it has port ranges */
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

static __always_inline const struct vtap_rule *vtap_table_lookup_tuples(const struct vtap_table *t,
									const struct vtap_frame *f)
{
	const u64 *key = (const u64 *)&f->key;
	const struct vtap_group *g = t->groups;

	for (;;) {
		u64 tuples = vtap_table_candidates(g, key);

		if (tuples)
			return vtap_table_lookup_cached(t, f, g, tuples);
		if (g == t->early)
			break;
		g++;
	}
	return g + 1 == t->end ? NULL : vtap_table_lookup_cached(t, f, g, 0);
}

/*
 * Rules look at tunnels. Every frame comes here, by a glance that matches all of them, so that
 * tables without such rules do not pay.
 */
static const struct vtap_rule *vtap_table_lookup_tunnel(const struct vtap_table *t,
							struct vtap_frame *f)
{
	const u8 tunnel = f->key.tunnel;
	const struct vtap_rule *rule;

	vtap_tunnel_note(f);
	rule = vtap_table_lookup_tuples(t, f);
	/* another port's table may be asked as well, after the one that decides */
	if (!tunnel && rule && rule->tunnel && rule->wanted)
		f->key.tunnel = vtap_list_tunnel(rule->wanted, f);
	else
		f->key.tunnel = tunnel ?: rule ? rule->tunnel : 0;
	return rule;
}

/* The mask of @g matches, which is not all that it asks for: the same, and those behind it. */
static noinline const struct vtap_rule *
vtap_table_scan_next(const struct vtap_table *t, struct vtap_frame *f,
		     const struct vtap_linear_entry *g)
{
	const struct vtap_linear_entry *last = t->last;

	if (unlikely(t->tunnels))
		return vtap_table_lookup_tunnel(t, f);

	while (g && g->has_extra && !vtap_table_match_extra(g, f))
		g = g == last ? NULL : vtap_table_scan(g + 1, last, (const u64 *)&f->key);
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
	const struct vtap_linear_entry *g = t->linear, *last = t->last;

	if (!last)
		return vtap_table_lookup_tuples(t, f);
	g = vtap_table_scan(g, last, (const u64 *)&f->key);
	if (!g)
		return NULL;
	if (unlikely(g->has_extra))
		return vtap_table_scan_next(t, f, g);
	return g->rule;
}

/* Caches of all CPUs. Return: 0 or -ENOMEM. */
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
