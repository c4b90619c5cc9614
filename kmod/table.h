/* SPDX-License-Identifier: GPL-2.0 */
/* What table.c and sieve.c share: tuples of rules, and which of them a frame may concern. */
#ifndef _VTAP_TABLE_H
#define _VTAP_TABLE_H

#include "vtap.h"

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
 * struct vtap_draft - an entry while the table is built
 * @key: its key, zero where the mask is
 * @ports: lowest and highest source port, lowest and highest destination port
 * @rule: number of its rule
 * @tuple: number of its tuple
 */
struct vtap_draft {
	u64 key[VTAP_KEY_WORDS];
	u16 ports[4];
	u32 rule;
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
 * struct vtap_sift - the entries of a group, for who makes its sieves
 * @drafts: all entries of the table
 * @entries: numbers of those of this group
 * @n: how many
 * @tuples: the group's tuples
 * @first: number of the first of these
 * @n_tuples: how many
 */
struct vtap_sift {
	const struct vtap_draft *drafts;
	const u32 *entries;
	unsigned int n;
	const struct vtap_tuple *tuples;
	unsigned int first;
	unsigned int n_tuples;
};

#define VTAP_SIEVE_BITS_MAX	15
#define VTAP_SIEVE_SLOTS_MAX	BIT(VTAP_SIEVE_BITS_MAX)

/* Reads up to 7 bytes behind the key, and leaves them out. */
static inline size_t vtap_sieve_slot(const struct vtap_sieve *s, const void *key)
{
	u64 bits = get_unaligned((const u64 *)(key + s->off)) & s->low;

	return (bits * GOLDEN_RATIO_64) >> s->shift;
}

/* sieve.c */
unsigned int vtap_sieve_choose(struct vtap_sieve s[VTAP_SIEVES_MAX], const struct vtap_sift *in,
			       u64 *scratch);
void vtap_sieve_fill(const struct vtap_sieve *s, const struct vtap_sift *in);

/**
 * vtap_mask_word - a word of a mask
 * @m: the mask
 * @word: which
 *
 * Return: its bits.
 */
static inline u64 vtap_mask_word(const struct vtap_mask *m, unsigned int word)
{
	unsigned int i;

	for (i = 0; i < m->n; i++) {
		if (m->word[i] == word)
			return m->bits[i];
	}
	return 0;
}

#endif /* _VTAP_TABLE_H */
