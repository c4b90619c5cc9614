// SPDX-License-Identifier: GPL-2.0
/*
 * Sieves: one word of a frame's key tells which tuples of a table may have a rule for the frame. A
 * few words, chosen to separate this table's rules best, leave few tuples to search, and none for
 * most frames that no rule matches.
 */
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/string.h>

#include "table.h"

#define VTAP_SIEVE_SAMPLE	(VTAP_SIEVE_SLOTS_MAX / 4)	/* entries to choose by */
#define VTAP_SIEVE_MASKS_MAX	12	/* masks that are tried for a word */
#define VTAP_SIEVE_ONE		BIT(16)	/* a probability of 1 */
#define VTAP_SIEVE_GAIN		(VTAP_SIEVE_ONE / 8)	/* tuples that a further sieve must save */

static u64 vtap_sieve_bit(const struct vtap_sieve_input *in, unsigned int i)
{
	return BIT_ULL(in->drafts[in->entries[i]].tuple - in->first);
}

/* The tuples whose mask includes all bits of a sieve. */
static u64 vtap_sieve_takes(const struct vtap_sieve *s, const struct vtap_sieve_input *in)
{
	u64 takes = 0;
	unsigned int i;

	for (i = 0; i < in->n_tuples; i++) {
		if (!(s->mask & ~vtap_mask_word(&in->tuples[i].mask, s->word)))
			takes |= BIT_ULL(i);
	}
	return takes;
}

static void vtap_sieve_mask(u64 *masks, unsigned int *n, u64 mask)
{
	unsigned int i;

	if (!mask || *n == VTAP_SIEVE_MASKS_MAX)
		return;
	for (i = 0; i < *n; i++) {
		if (masks[i] == mask)
			return;
	}
	masks[(*n)++] = mask;
}

/* Masks to try for a word: those of tuples, and the bits two of them share. Return: how many. */
static unsigned int vtap_sieve_masks(u64 *masks, const struct vtap_sieve_input *in,
				     unsigned int word)
{
	unsigned int n = 0, i, j;

	for (i = 0; i < in->n_tuples; i++)
		vtap_sieve_mask(masks, &n, vtap_mask_word(&in->tuples[i].mask, word));
	for (i = 0; i < n; i++) {
		for (j = 0; j < i; j++)
			vtap_sieve_mask(masks, &n, masks[i] & masks[j]);
	}
	return n;
}

/* In a large table, a sample of the entries has to do. */
static unsigned int vtap_sieve_step(const struct vtap_sieve_input *in)
{
	return DIV_ROUND_UP(in->n, VTAP_SIEVE_SAMPLE);
}

/*
 * Estimates for each tuple how likely a sieve passes a frame on to it. @scratch is clear, and is
 * cleared again.
 *
 * If rules differ in a word, half of all frames are assumed to have the value of one of them; if
 * all rules have the same value, all frames are.
 *
 * Return: the least number of values among the entries; 0 if the sieve is useless.
 */
static unsigned int vtap_sieve_try(const struct vtap_sieve *s, const struct vtap_sieve_input *in,
				   u32 *likely, u64 *scratch)
{
	unsigned int step = vtap_sieve_step(in), used = 0, i;
	u64 takes = vtap_sieve_takes(s, in), each;

	memset(likely, 0, in->n_tuples * sizeof(*likely));
	for (i = 0; i < in->n; i += step) {
		u64 bit = vtap_sieve_bit(in, i), *slot;

		if (!(takes & bit))
			continue;
		slot = scratch + vtap_sieve_slot(s, in->drafts[in->entries[i]].key);
		if (*slot & bit)
			continue;
		if (!*slot)
			used++;
		*slot |= bit;
		likely[__ffs64(bit)]++;
	}
	memset(scratch, 0, sizeof(*scratch) << (64 - s->shift));
	if (used < 2)
		return 0;
	each = div_u64((u64)(used + 2) << 31, used * used);
	for (i = 0; i < in->n_tuples; i++) {
		if (takes & BIT_ULL(i))
			likely[i] = min_t(u64, likely[i] * each >> 16, VTAP_SIEVE_ONE);
		else
			likely[i] = VTAP_SIEVE_ONE;
	}
	return used;
}

static unsigned int vtap_sieve_shift(unsigned int slots)
{
	return 64 - clamp_t(unsigned int, order_base_2(slots), 1, VTAP_SIEVE_BITS_MAX);
}

static void vtap_sieve_init(struct vtap_sieve *s, unsigned int word, u64 mask, unsigned int slots)
{
	const u64 bytes[2] = { mask };
	unsigned int zero = 0;

	while (mask && !((const u8 *)bytes)[zero])
		zero++;
	*s = (struct vtap_sieve){
		.off = word * sizeof(u64) + zero,
		.shift = vtap_sieve_shift(slots),
		.word = word,
		.mask = mask,
	};
	memcpy(&s->low, (const u8 *)bytes + zero, sizeof(s->low));
}

/*
 * The same behind a further sieve. A sieve that looks at bits of an earlier one again is not
 * independent of it, so only the better of the two counts.
 *
 * Return: the sum.
 */
static u32 vtap_sieve_join(const struct vtap_sieve *s, unsigned int n, const struct vtap_sieve *try,
			   const struct vtap_sieve_input *in, const u32 *pass, u32 *likely)
{
	unsigned int i;
	u64 again = 0;
	u32 sum = 0;

	for (i = 0; i < n; i++) {
		if (s[i].word == try->word && s[i].mask & try->mask)
			again |= vtap_sieve_takes(&s[i], in);
	}
	for (i = 0; i < in->n_tuples; i++) {
		if (again & BIT_ULL(i))
			likely[i] = min(likely[i], pass[i]);
		else
			likely[i] = (u64)pass[i] * likely[i] >> 16;
		sum += likely[i];
	}
	return sum;
}

/**
 * vtap_sieve_choose - choose the sieves of a group
 * @s: gets them, without their slots
 * @in: the group
 * @scratch: VTAP_SIEVE_SLOTS_MAX slots, clear
 *
 * Return: how many, at least 1.
 */
unsigned int vtap_sieve_choose(struct vtap_sieve s[VTAP_SIEVES_MAX],
			       const struct vtap_sieve_input *in,
			       u64 *scratch)
{
	u32 pass[VTAP_GROUP_MAX], likely[VTAP_GROUP_MAX], best_pass[VTAP_GROUP_MAX];
	const unsigned int sample = DIV_ROUND_UP(in->n, vtap_sieve_step(in));
	u64 masks[VTAP_SIEVE_MASKS_MAX];
	u32 now = in->n_tuples * VTAP_SIEVE_ONE;
	unsigned int n, i, m;

	for (i = 0; i < in->n_tuples; i++)
		pass[i] = VTAP_SIEVE_ONE;
	for (n = 0; n < VTAP_SIEVES_MAX && now > VTAP_SIEVE_GAIN; n++) {
		u32 best = now - VTAP_SIEVE_GAIN;
		bool found = false;

		for (i = 0; i < VTAP_KEY_WORDS; i++) {
			for (m = vtap_sieve_masks(masks, in, i); m--;) {
				struct vtap_sieve try;
				unsigned int used;
				u32 sum;

				vtap_sieve_init(&try, i, masks[m], 4 * sample);
				used = vtap_sieve_try(&try, in, likely, scratch);
				if (!used)
					continue;
				sum = vtap_sieve_join(s, n, &try, in, pass, likely);
				if (sum >= best)
					continue;
				best = sum;
				found = true;
				memcpy(best_pass, likely, sizeof(best_pass));
				/* scale from the sample to all entries */
				try.shift = vtap_sieve_shift(3 * (used * in->n / sample));
				s[n] = try;
			}
		}
		if (!found)
			break;
		now = best;
		memcpy(pass, best_pass, sizeof(pass));
	}
	if (n)
		return n;
	/* no word separates them: every frame passes to all tuples */
	vtap_sieve_init(&s[0], 0, 0, 0);
	return 1;
}

/* Fill a sieve's slots. */
void vtap_sieve_fill(const struct vtap_sieve *s, const struct vtap_sieve_input *in)
{
	u64 takes = s->mask ? vtap_sieve_takes(s, in) : 0;
	u64 others = GENMASK_ULL(in->n_tuples - 1, 0) & ~takes;
	unsigned int i;

	for (i = 0; i < 1U << (64 - s->shift); i++)
		s->slots[i] = others;
	for (i = 0; i < in->n; i++) {
		const u64 *key = in->drafts[in->entries[i]].key;

		s->slots[vtap_sieve_slot(s, key)] |= vtap_sieve_bit(in, i);
	}
}
