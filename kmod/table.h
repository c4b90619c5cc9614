/* SPDX-License-Identifier: GPL-2.0 */
/* What table.c and sieve.c share: tuples of rules, and which of them a frame may concern. */
#ifndef _VTAP_TABLE_H
#define _VTAP_TABLE_H

#include <linux/hash.h>
#include <linux/rcupdate.h>

#include "frame.h"

struct vtap_net;
struct vtap_rule;
struct vtap_tap;

#define VTAP_GROUP_MAX		64	/* tuples: bits of a slot */
#define VTAP_SIEVES_MAX		3

/**
 * struct vtap_mask - bits of a key, without the words that have none
 * @bits: of the words that have some
 * @word: which words these are
 * @n: how many; not 0, if need be one without bits
 */
struct vtap_mask {
	u64 bits[VTAP_KEY_WORDS];
	u8 word[VTAP_KEY_WORDS];
	u8 n;
};

/**
 * struct vtap_tuple - rules that look at the same bits
 * @mask: these bits
 * @shift: 64 - log2 of its number of buckets
 * @ranges: its entries have port ranges as well
 * @best: number of its first rule
 * @heads: its first bucket in vtap_table.heads
 * @n: its number of entries
 * @chain: while the table is built, number + 1 of the next tuple whose mask has the same hash
 */
struct vtap_tuple {
	struct vtap_mask mask;
	u8 shift;
	bool ranges;
	u32 best;
	u32 heads;
	u32 n;
	u32 chain;
};

/**
 * struct vtap_build_entry - an entry while the table is built
 * @key: its key, zero where the mask is
 * @ports: lowest and highest source port, lowest and highest destination port
 * @rule: number of its rule
 * @match: number of the rule's alternative
 * @tuple: number of its tuple
 */
struct vtap_build_entry {
	u64 key[VTAP_KEY_WORDS];
	u16 ports[4];
	u32 rule;
	u32 match;
	u32 tuple;
};

/**
 * struct vtap_sieve - which tuples of a group have an entry with such a word
 * @low: @mask, its first byte moved to the beginning: short numbers make for an even hash
 * @slots: a bit for each tuple, by the hash of these bits; ones for tuples that do not look at them
 * @off: where these bits begin in the key, in bytes
 * @shift: 64 - log2 of the length of @slots
 * @word: the word of the key that is looked at
 * @mask: its bits that are looked at
 */
struct vtap_sieve {
	u64 low;
	u64 *slots;
	u16 off;
	u8 shift;
	u8 word;
	u64 mask;
};

/**
 * struct vtap_group - up to 64 tuples with the sieves that tell which ones a frame may concern
 * @sieves: the most telling first; at least one
 * @end: behind the last of them
 * @tuples: the tuples
 * @ranges: a bit for each of them that has port ranges
 */
struct vtap_group {
	struct vtap_sieve sieves[VTAP_SIEVES_MAX];
	const struct vtap_sieve *end;
	const struct vtap_tuple *tuples;
	u64 ranges;
};

/**
 * struct vtap_sieve_input - the entries of a group, for who makes its sieves
 * @drafts: all entries of the table
 * @entries: numbers of those of this group
 * @n: how many
 * @tuples: the group's tuples
 * @first: number of the first of these
 * @n_tuples: how many
 */
struct vtap_sieve_input {
	const struct vtap_build_entry *drafts;
	const u32 *entries;
	unsigned int n;
	const struct vtap_tuple *tuples;
	unsigned int first;
	unsigned int n_tuples;
};

#define VTAP_SIEVE_BITS_MAX	15
#define VTAP_SIEVE_SLOTS_MAX	BIT(VTAP_SIEVE_BITS_MAX)

#define VTAP_LINEAR_MAX		8
#define VTAP_RULES_MAX		65536	/* of a namespace: numbers of 16 bits */

/**
 * struct vtap_entry - a rule's match as frames are compared with it
 * @rule: the rule's number, below VTAP_RULES_MAX
 * @match: the alternative's number
 * @next: the next entry in the same bucket as an index to vtap_table.pool, 0 at its end
 * @key: the words that the tuple's mask has, then with port ranges a word of these
 */
struct vtap_entry {
	u16 rule;
	u16 match;
	u32 next;
	u64 key[];
};

/**
 * struct vtap_linear_entry - the word that tells the most of a rule that is tried alone
 * @mask: its bits that the rule looks at
 * @value: what they must be
 * @word: which word of the key
 * @tuple: the rule's tuple
 * @key: its entry's key
 * @rule: the rule
 * @match: the number of the alternative
 * @has_extra: the mask is not all that it asks for: port ranges, a filter, or what is in a tunnel
 */
struct vtap_linear_entry {
	u64 mask;
	u64 value;
	u64 word;
	const struct vtap_tuple *tuple;
	const u64 *key;
	const struct vtap_rule *rule;
	u16 match;
	bool has_extra;
};

/**
 * struct vtap_table - the rules that bind to a port: those of a tap, or of several
 * @last: the last of @linear, NULL when there are more rules than fit; with @tunnels the one that
 *	all frames match
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
 * @dirs: directions that any rule is for, of @parts as well
 * @tunnels: rules look at tunnels
 * @parts: of rules of several taps: a table for each, in their order; then there are neither
 *	rules nor anything to look them up in besides
 * @n_parts: length of @parts, else 0
 * @list: in vtap_net.tables; RTNL
 * @refs: ports that use it, and tables that it is a part of; RTNL
 * @joins: of these, tables; RTNL
 * @stamps: of the patterns that its ports match, as they were when it was last made of their
 *	rules, in the order of their ids; RTNL
 * @n_stamps: length of @stamps; RTNL
 * @stamp_sends: @sends, of @parts as well; RTNL
 * @rcu: frees it when no packet can see it any more
 */
struct vtap_table {
	const struct vtap_linear_entry *last;
	struct vtap_linear_entry linear[VTAP_LINEAR_MAX];
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
	bool tunnels;
	u8 n_parts;
	struct vtap_table **parts;
	struct list_head list;
	unsigned int refs;
	unsigned int joins;
	struct vtap_stamp *stamps;
	unsigned int n_stamps;
	u8 stamp_sends;
	struct rcu_head rcu;
};

/* sieve.c */
#if IS_ENABLED(CONFIG_VTAP_SIEVE)
unsigned int vtap_sieve_choose(struct vtap_sieve s[VTAP_SIEVES_MAX],
			       const struct vtap_sieve_input *in,
			       u64 *scratch);
void vtap_sieve_fill(const struct vtap_sieve *s, const struct vtap_sieve_input *in);
#else
/* one that looks at no bits, and lets all frames pass to all tuples */
static inline unsigned int vtap_sieve_choose(struct vtap_sieve s[VTAP_SIEVES_MAX],
					     const struct vtap_sieve_input *in, u64 *scratch)
{
	s[0] = (struct vtap_sieve){ .shift = 63 };
	return 1;
}

static inline void vtap_sieve_fill(const struct vtap_sieve *s, const struct vtap_sieve_input *in)
{
	s->slots[0] = GENMASK_ULL(in->n_tuples - 1, 0);
	s->slots[1] = s->slots[0];
}
#endif

/* table.c */
const struct vtap_rule *vtap_table_lookup(const struct vtap_table *t, struct vtap_frame *f);
int vtap_table_init(void);
void vtap_table_exit(void);

/* build.c */
void vtap_table_free(struct vtap_table *t);
struct vtap_table *vtap_table_build(u8 sends, const struct vtap_rule *const *rules, unsigned int n);

/* tables.c */
struct vtap_table *vtap_table_get(struct vtap_net *vn, u8 sends,
				  const struct vtap_rule *const *rules, unsigned int n);
struct vtap_table *vtap_table_get_taps(struct vtap_net *vn, u8 sends,
				       const struct vtap_rule *const *rules, unsigned int n);
struct vtap_table *vtap_table_find(const struct vtap_net *vn, u8 sends,
				   const struct vtap_stamp *stamps, unsigned int n);
void vtap_table_stamp(struct vtap_table *t, u8 sends, struct vtap_stamp *stamps, unsigned int n);
bool vtap_table_has_pattern(const struct vtap_table *t, u64 id);
void vtap_table_put(struct vtap_table *t);
bool vtap_table_has(const struct vtap_table *t, const struct vtap_rule *rule);
unsigned int vtap_table_ports(const struct vtap_net *vn, const struct vtap_rule *rule);
unsigned int vtap_table_tap_ports(const struct vtap_net *vn, const struct vtap_tap *tap);
u32 vtap_table_dirs(const struct vtap_table *t);

/* Reads up to 7 bytes behind the key, and leaves them out. */
static inline size_t vtap_sieve_slot(const struct vtap_sieve *s, const void *key)
{
	u64 bits = get_unaligned((const u64 *)(key + s->off)) & s->low;

	return (bits * GOLDEN_RATIO_64) >> s->shift;
}

/* A word of a mask. Return: its bits. */
static inline u64 vtap_mask_word(const struct vtap_mask *m, unsigned int word)
{
	unsigned int i;

	for (i = 0; i < m->n; i++) {
		if (m->word[i] == word)
			return m->bits[i];
	}
	return 0;
}

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

#endif /* _VTAP_TABLE_H */
