// SPDX-License-Identifier: GPL-2.0
/* Rules to entries: which tuple each of their matches belongs to. */
#include <linux/slab.h>

#include "build.h"
#include "list.h"
#include "rule.h"

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

static int vtap_draft_grow(struct vtap_build *b)
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
static int vtap_draft_tuple(struct vtap_build *b, const u64 *mask, bool ranges, u32 rule)
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
	if (t->n_tuples == b->max_tuples && vtap_draft_grow(b))
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
static bool vtap_draft_mac(const u8 *mac, u8 *addr, u8 *mask)
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

/*
 * An entry for alternative @match of rule number @i in @dirs; with a VM's address, for what it
 * sends or what it gets.
 */
static int vtap_draft_append(struct vtap_build *b, u32 i, u32 match, u8 dirs, bool sent)
{
	const u8 both = BIT(VTAP_IN) | BIT(VTAP_OUT);
	const struct vtap_rule *rule = b->t->rules[i];
	struct vtap_build_entry *d = &b->drafts[b->n];
	struct vtap_match m;
	struct vtap_key mask;
	bool ranges;
	int tuple;

	vtap_rule_get_match(rule, match, &m);
	/* no frame has no direction */
	if (!is_zero_ether_addr(rule->mac) &&
	    !vtap_draft_mac(rule->mac, sent ? m.src_mac : m.dst_mac,
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
	tuple = vtap_draft_tuple(b, (u64 *)&mask, ranges, i);
	if (tuple < 0)
		return tuple;
	d->tuple = tuple;
	d->rule = i;
	d->match = match;
	b->t->tuples[tuple].n++;
	b->t->dirs |= dirs;
	b->n++;
	return 0;
}

/* Return: does a rule, or an exception of it, look at tunnels? */
static bool vtap_draft_tunnels(const struct vtap_rule *rule)
{
	return rule->tunnel || (rule->wanted && rule->wanted->tunnels);
}

/* An entry for each match of rule number @i; two for a VM's address: what it sends and gets. */
static int vtap_draft_rule(struct vtap_build *b, u32 i)
{
	const u8 both = BIT(VTAP_IN) | BIT(VTAP_OUT);
	struct vtap_table *t = b->t;
	const struct vtap_rule *rule = t->rules[i];
	const unsigned int n = vtap_rule_matches(rule);
	const u8 sent = rule->dir & t->sends;
	const u8 got = rule->dir & (t->sends == both ? both : ~t->sends);
	unsigned int match;
	int err = 0;

	t->tunnels |= vtap_draft_tunnels(rule);
	for (match = 0; match < n && !err; match++) {
		if (is_zero_ether_addr(rule->mac)) {
			err = vtap_draft_append(b, i, match, rule->dir, true);
			continue;
		}
		if (sent)
			err = vtap_draft_append(b, i, match, sent, true);
		if (!err && got)
			err = vtap_draft_append(b, i, match, got, false);
	}
	return err;
}

/* The entries of a table's rules, and its tuples. Return: 0 or -ENOMEM. */
int vtap_draft(struct vtap_build *b)
{
	struct vtap_table *t = b->t;
	unsigned int n = 0, i;
	int err;

	for (i = 0; i < t->n; i++)
		n += vtap_rule_matches(t->rules[i]) << !is_zero_ether_addr(t->rules[i]->mac);
	b->drafts = kvmalloc_array(n, sizeof(*b->drafts), GFP_KERNEL_ACCOUNT);
	if (!b->drafts)
		return -ENOMEM;
	for (i = 0; i < t->n; i++) {
		err = vtap_draft_rule(b, i);
		if (err)
			return err;
	}
	vtap_mask_pack(&t->mask, b->mask);
	return 0;
}
