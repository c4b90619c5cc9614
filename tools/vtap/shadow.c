// SPDX-License-Identifier: GPL-2.0
/*
 * Rules that can match nothing, since an earlier rule of their tap takes all their frames. Only
 * what is certain counts: several rules that do so together are not found.
 *
 * Rules that say something of the same bits are of one shape. One that takes all frames of another
 * has the same values as this one in the bits of its own shape: it is looked up by them.
 */

#include <stdlib.h>
#include <string.h>

#include "finding.h"

static const struct nlattr *attr(const struct view *v, uint16_t type)
{
	return v->match[type];
}

static bool same(const struct nlattr *a, const struct nlattr *b)
{
	return a && b && mnl_attr_get_payload_len(a) == mnl_attr_get_payload_len(b) &&
	       !memcmp(mnl_attr_get_payload(a), mnl_attr_get_payload(b),
		       mnl_attr_get_payload_len(a));
}

/* Does all that @inner says of the bits hold for @outer, which says no more? */
static bool bits_within(const struct nlattr *inner, const struct nlattr *inner_mask,
			const struct nlattr *outer, const struct nlattr *outer_mask)
{
	const size_t len = mnl_attr_get_payload_len(outer);
	const uint8_t *i, *im, *o, *om;

	if (!inner || !inner_mask || !outer_mask || mnl_attr_get_payload_len(inner) != len)
		return false;
	i = mnl_attr_get_payload(inner);
	im = mnl_attr_get_payload(inner_mask);
	o = mnl_attr_get_payload(outer);
	om = mnl_attr_get_payload(outer_mask);
	for (size_t n = 0; n < len; n++)
		if (om[n] & ~im[n] || (i[n] ^ o[n]) & om[n])
			return false;
	return true;
}

static bool prefix_within(const struct nlattr *inner, const struct nlattr *inner_len,
			  const struct nlattr *outer, const struct nlattr *outer_len)
{
	const uint8_t *i, *o;
	unsigned int len;

	if (!inner || !inner_len || !outer_len || attr_num(inner_len) < attr_num(outer_len) ||
	    mnl_attr_get_payload_len(inner) != mnl_attr_get_payload_len(outer))
		return false;
	i = mnl_attr_get_payload(inner);
	o = mnl_attr_get_payload(outer);
	len = attr_num(outer_len);
	return !memcmp(i, o, len / 8) &&
	       !(len % 8 && (i[len / 8] ^ o[len / 8]) >> (8 - len % 8));
}

static bool range_within(const struct nlattr *inner, const struct nlattr *inner_max,
			 const struct nlattr *outer, const struct nlattr *outer_max)
{
	return inner && inner_max && outer_max && attr_num(inner) >= attr_num(outer) &&
	       attr_num(inner_max) <= attr_num(outer_max);
}

/* Attributes of two parts, and how they are compared; all others are equal or not. */
static const struct pair {
	bool (*within)(const struct nlattr *inner, const struct nlattr *inner2,
		       const struct nlattr *outer, const struct nlattr *outer2);
	uint16_t attr, second;
} pairs[] = {
	{ bits_within, VTAP_A_MATCH_SRC_MAC, VTAP_A_MATCH_SRC_MAC_MASK },
	{ bits_within, VTAP_A_MATCH_DST_MAC, VTAP_A_MATCH_DST_MAC_MASK },
	{ bits_within, VTAP_A_MATCH_TCP_FLAGS, VTAP_A_MATCH_TCP_FLAGS_MASK },
	{ bits_within, VTAP_A_MATCH_IP_FLAGS, VTAP_A_MATCH_IP_FLAGS_MASK },
	{ prefix_within, VTAP_A_MATCH_SRC_IP, VTAP_A_MATCH_SRC_IP_LEN },
	{ prefix_within, VTAP_A_MATCH_DST_IP, VTAP_A_MATCH_DST_IP_LEN },
	{ range_within, VTAP_A_MATCH_SRC_PORT, VTAP_A_MATCH_SRC_PORT_MAX },
	{ range_within, VTAP_A_MATCH_DST_PORT, VTAP_A_MATCH_DST_PORT_MAX },
};

/* The pair that an attribute is a part of, NULL for none. */
static const struct pair *pair_of(uint16_t type)
{
	for (const struct pair *p = pairs; p < pairs + sizeof(pairs) / sizeof(*pairs); p++)
		if (p->attr == type || p->second == type)
			return p;
	return NULL;
}

/* Does a frame that matches @inner match @outer in any case? */
static bool match_within(const struct view *inner, const struct view *outer)
{
	for (uint16_t i = 1; i <= ATTR_MAX; i++) {
		const struct pair *p;

		if (!attr(outer, i))
			continue;
		p = pair_of(i);
		if (!p && !same(attr(inner, i), attr(outer, i)))
			return false;
		if (p && p->attr == i &&
		    !p->within(attr(inner, i), attr(inner, p->second), attr(outer, i),
			       attr(outer, p->second)))
			return false;
	}
	return true;
}

static bool ports_within(const struct bound *inner, const struct bound *outer)
{
	const size_t *in = inner->at, *out = outer->at;

	if (inner == outer || !inner->n)
		return inner->n;
	if (inner->n > outer->n || *in < *out || in[inner->n - 1] > out[outer->n - 1])
		return false;
	for (size_t i = 0, j = 0; i < inner->n; i++) {
		while (j < outer->n && out[j] < in[i])
			j++;
		if (j == outer->n || out[j] != in[i])
			return false;
	}
	return true;
}

/* Does @outer take all frames of @inner, on the ports that this one is bound to now? */
static bool rule_within(const struct found_rule *inner, const struct found_rule *outer)
{
	const uint32_t dir = view_u64(&inner->v, VTAP_A_RULE_DIR);
	const struct nlattr *mac = outer->v.tb[VTAP_A_RULE_MAC];
	const struct nlattr *filter = outer->v.tb[VTAP_A_RULE_FILTER];

	return !strcmp(outer->tap, inner->tap) && !(dir & ~view_u64(&outer->v, VTAP_A_RULE_DIR)) &&
	       (!mac || same(mac, inner->v.tb[VTAP_A_RULE_MAC])) &&
	       (!filter || same(filter, inner->v.tb[VTAP_A_RULE_FILTER])) &&
	       ports_within(inner->bound, outer->bound) && match_within(&inner->v, &outer->v);
}

/* Rules of one shape, of which @first is the first; @attrs: its match attributes, one bit each. */
struct shape {
	const struct found_rule *first;
	uint64_t attrs;
};

/* A rule, in a table by what it says in the bits of its shape. */
struct entry {
	uint64_t hash;
	size_t shape;
	const struct found_rule *rule;
	struct entry *next;
};

#define FNV_BASE	0xcbf29ce484222325ULL
#define FNV_PRIME	0x100000001b3ULL

static void hash_byte(uint64_t *hash, uint8_t byte)
{
	*hash = (*hash ^ byte) * FNV_PRIME;
}

/* The bytes of an attribute; of a mask @mask, or of a prefix of @bits bits. */
static void hash_attr(uint64_t *hash, const struct nlattr *a, const struct nlattr *mask,
		      unsigned int bits)
{
	const uint8_t *val = mnl_attr_get_payload(a);
	const uint8_t *m = mask ? mnl_attr_get_payload(mask) : NULL;

	for (size_t i = 0; i < mnl_attr_get_payload_len(a) && 8 * i < bits; i++) {
		uint8_t byte = m ? val[i] & m[i] : val[i];

		if (bits - 8 * i < 8)
			byte &= 0xff << (8 - (bits - 8 * i));
		hash_byte(hash, byte);
	}
}

/*
 * Hash what @r says in the bits that @shape says something of. Return: false when @r says nothing
 * of some of them, so that no rule of this shape takes all its frames. A range that is more than
 * one number is left out.
 */
static bool shape_hash(const struct found_rule *shape, const struct found_rule *r, uint64_t *hash)
{
	const uint16_t words[] = { VTAP_A_RULE_MAC, VTAP_A_RULE_FILTER };

	*hash = FNV_BASE;
	for (size_t i = 0; i < 2; i++) {
		if (shape->v.tb[words[i]] && !r->v.tb[words[i]])
			return false;
		if (shape->v.tb[words[i]])
			hash_attr(hash, r->v.tb[words[i]], NULL, UINT32_MAX);
	}
	for (uint16_t i = 1; i <= ATTR_MAX; i++) {
		const struct nlattr *a = attr(&r->v, i), *mine = attr(&shape->v, i), *second;
		const struct pair *p;

		if (!mine)
			continue;
		if (!a || mnl_attr_get_payload_len(a) != mnl_attr_get_payload_len(mine))
			return false;
		p = pair_of(i);
		second = p ? attr(&shape->v, p->second) : NULL;
		if (!p)
			hash_attr(hash, a, NULL, UINT32_MAX);
		else if (p->attr == i && second && p->within == bits_within)
			hash_attr(hash, a, second, UINT32_MAX);
		else if (p->attr == i && second && p->within == prefix_within)
			hash_attr(hash, a, NULL, attr_num(second));
		else if (p->attr == i && second && same(mine, second))
			hash_attr(hash, a, NULL, UINT32_MAX);
	}
	return true;
}

/* Do both say something of the same bits, at the same direction? */
static bool same_shape(const struct found_rule *a, const struct found_rule *b)
{
	const uint16_t words[] = { VTAP_A_RULE_MAC, VTAP_A_RULE_FILTER };

	if (strcmp(a->tap, b->tap) || !same(a->v.tb[VTAP_A_RULE_DIR], b->v.tb[VTAP_A_RULE_DIR]))
		return false;
	for (size_t i = 0; i < 2; i++)
		if (!a->v.tb[words[i]] != !b->v.tb[words[i]])
			return false;
	for (uint16_t i = 1; i <= ATTR_MAX; i++) {
		const struct nlattr *x = attr(&a->v, i), *y = attr(&b->v, i);
		const struct pair *p;

		if (!x != !y || (x && mnl_attr_get_payload_len(x) != mnl_attr_get_payload_len(y)))
			return false;
		p = x ? pair_of(i) : NULL;
		if (!p || p->second != i)
			continue;
		if (p->within == range_within ?
		    same(x, attr(&a->v, p->attr)) != same(y, attr(&b->v, p->attr)) : !same(x, y))
			return false;
	}
	return true;
}

static uint64_t attrs_of(const struct found_rule *r)
{
	uint64_t attrs = 0;

	for (uint16_t i = 1; i <= ATTR_MAX; i++)
		if (attr(&r->v, i))
			attrs |= 1ULL << i;
	return attrs;
}

/* Set the rule that takes all frames of each, the first one if there are several. */
void shadows_get(struct check *c)
{
	struct shape *shapes = check_mem(calloc(c->n_rules + 1, sizeof(*shapes)));
	struct entry *entries = check_mem(calloc(c->n_rules + 1, sizeof(*entries))), **table;
	size_t size = 1, n = 0, s;

	while (size < 2 * c->n_rules)
		size *= 2;
	table = check_mem(calloc(size, sizeof(*table)));
	for (size_t i = 0; i < c->n_rules; i++) {
		struct found_rule *r = &c->rules[i];
		const uint64_t attrs = attrs_of(r);
		const struct entry *e;
		uint64_t hash;

		for (s = 0; s < n && !(r->shadow && r->shadow < shapes[s].first); s++) {
			if (shapes[s].attrs & ~attrs || !shape_hash(shapes[s].first, r, &hash))
				continue;
			hash ^= s * FNV_PRIME;
			for (e = table[hash % size]; e; e = e->next)
				if (e->hash == hash && e->shape == s &&
				    (!r->shadow || e->rule < r->shadow) && rule_within(r, e->rule))
					r->shadow = e->rule;
		}
		for (s = 0; s < n; s++)
			if (shapes[s].attrs == attrs && same_shape(shapes[s].first, r))
				break;
		if (s == n)
			shapes[n++] = (struct shape){ r, attrs };
		shape_hash(r, r, &hash);
		hash ^= s * FNV_PRIME;
		entries[i] = (struct entry){ hash, s, r, table[hash % size] };
		table[hash % size] = &entries[i];
	}
	free(table);
	free(entries);
	free(shapes);
}
