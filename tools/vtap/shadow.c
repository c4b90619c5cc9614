// SPDX-License-Identifier: GPL-2.0
/*
 * Rules that can match nothing, since an earlier rule of their tap takes all their frames. Only
 * what is certain counts: several rules that do so together are not found, nor are several
 * alternatives of a rule that take an alternative of another one together.
 *
 * Alternatives that say something of the same bits are of one shape. One that takes all frames of
 * another has the same values as this one in the bits of its own shape: it is looked up by them. It
 * is enough to look for those that take the first alternative of a rule.
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
	/* a tunnel has its own port unless another one is given */
	if (attr(outer, VTAP_A_MATCH_TUNNEL) && !attr(outer, VTAP_A_MATCH_DST_PORT) &&
	    attr(inner, VTAP_A_MATCH_DST_PORT))
		return false;
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

/* The alternatives or exceptions of a rule, @n of them: views of which only the match is set. */
static struct view *matches_get(const struct found_rule *r, uint16_t attr, size_t n)
{
	struct view *v = check_mem(calloc(n + 1, sizeof(*v)));
	const struct nlattr *a;
	size_t i = 0;

	mnl_attr_for_each(a, r->v.nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == attr && i < n)
			match_view(&v[i++], a);
	return v;
}

/*
 * Does each of the @n_in matches lie in one of the @n_out ones? No match at all is one that all
 * frames have, as are the words of such a rule.
 */
static bool each_within(const struct view *in, size_t n_in, const struct view *out, size_t n_out)
{
	for (size_t i = 0, j; i < n_in; i++) {
		for (j = 0; j < n_out && !match_within(&in[i], &out[j]); j++)
			;
		if (j == n_out)
			return false;
	}
	return true;
}

static size_t at_least_one(size_t n)
{
	return n ? n : 1;
}

/*
 * Does a frame that @inner decides on match @outer in any case? What @outer leaves out, @inner has
 * to leave out as well.
 */
static bool matches_within(const struct found_rule *inner, const struct found_rule *outer)
{
	const size_t n_in[] = { at_least_one(inner->v.matches), inner->v.excepts };
	const size_t n_out[] = { at_least_one(outer->v.matches), outer->v.excepts };
	struct view *in, *out;
	bool within;

	if (n_in[0] == 1 && n_out[0] == 1 && !n_out[1])
		return match_within(&inner->v, &outer->v);
	in = matches_get(inner, VTAP_A_RULE_MATCH, n_in[0]);
	out = matches_get(outer, VTAP_A_RULE_MATCH, n_out[0]);
	within = each_within(in, n_in[0], out, n_out[0]);
	free(in);
	free(out);
	if (!within || !n_out[1])
		return within;
	in = matches_get(inner, VTAP_A_RULE_EXCEPT, n_in[1]);
	out = matches_get(outer, VTAP_A_RULE_EXCEPT, n_out[1]);
	within = each_within(out, n_out[1], in, n_in[1]);
	free(in);
	free(out);
	return within;
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
	       ports_within(inner->bound, outer->bound) && matches_within(inner, outer);
}

/* A rule with one of its alternatives. @attrs: those of the match, one bit each. */
struct part {
	const struct found_rule *rule;
	const struct view *v;
	uint64_t attrs;
};

/* An alternative of a rule, in a table by what it says in the bits of its shape. */
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
static bool shape_hash(const struct part *shape, const struct part *r, uint64_t *hash)
{
	const uint16_t words[] = { VTAP_A_RULE_MAC, VTAP_A_RULE_FILTER };

	*hash = FNV_BASE;
	for (size_t i = 0; i < 2; i++) {
		const struct nlattr *a = r->rule->v.tb[words[i]];

		if (!shape->rule->v.tb[words[i]])
			continue;
		if (!a)
			return false;
		hash_attr(hash, a, NULL, UINT32_MAX);
	}
	for (uint16_t i = 1; i <= ATTR_MAX; i++) {
		const struct nlattr *a = attr(r->v, i), *mine = attr(shape->v, i), *second;
		const struct pair *p;

		if (!mine)
			continue;
		if (!a || mnl_attr_get_payload_len(a) != mnl_attr_get_payload_len(mine))
			return false;
		p = pair_of(i);
		second = p ? attr(shape->v, p->second) : NULL;
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
static bool same_shape(const struct part *a, const struct part *b)
{
	const struct view *va = &a->rule->v, *vb = &b->rule->v;
	const uint16_t words[] = { VTAP_A_RULE_MAC, VTAP_A_RULE_FILTER };

	if (a->attrs != b->attrs || strcmp(a->rule->tap, b->rule->tap) ||
	    !same(va->tb[VTAP_A_RULE_DIR], vb->tb[VTAP_A_RULE_DIR]))
		return false;
	for (size_t i = 0; i < 2; i++)
		if (!va->tb[words[i]] != !vb->tb[words[i]])
			return false;
	for (uint16_t i = 1; i <= ATTR_MAX; i++) {
		const struct nlattr *x = attr(a->v, i), *y = attr(b->v, i);
		const struct pair *p;

		if (!x)
			continue;
		if (mnl_attr_get_payload_len(x) != mnl_attr_get_payload_len(y))
			return false;
		p = pair_of(i);
		if (!p || p->second != i)
			continue;
		if (p->within == range_within ?
		    same(x, attr(a->v, p->attr)) != same(y, attr(b->v, p->attr)) : !same(x, y))
			return false;
	}
	return true;
}

static struct part part_of(const struct found_rule *r, const struct view *v)
{
	struct part part = { .rule = r, .v = v };

	for (uint16_t i = 1; i <= ATTR_MAX; i++)
		if (attr(v, i))
			part.attrs |= 1ULL << i;
	return part;
}

/* Parts of rules that are looked up by what they say. */
struct lookup {
	struct part *parts;
	struct entry *entries, **table;
	size_t n, size;
	const struct part **shapes;	/* the first part of each */
	size_t n_shapes;
};

static struct entry **lookup_slot(const struct lookup *l, uint64_t *hash, size_t shape)
{
	*hash ^= shape * FNV_PRIME;
	return &l->table[*hash % l->size];
}

static void lookup_add(struct lookup *l, const struct found_rule *r, const struct view *v)
{
	struct part *part = &l->parts[l->n];
	struct entry *e = &l->entries[l->n++], **slot;
	size_t s = 0;

	*part = part_of(r, v);
	while (s < l->n_shapes && !same_shape(l->shapes[s], part))
		s++;
	if (s == l->n_shapes)
		l->shapes[l->n_shapes++] = part;
	*e = (struct entry){ .shape = s, .rule = r };
	shape_hash(part, part, &e->hash);
	slot = lookup_slot(l, &e->hash, s);
	e->next = *slot;
	*slot = e;
}

/* The first rule that takes all frames of @r, NULL for none. */
static const struct found_rule *lookup_find(const struct lookup *l, const struct found_rule *r)
{
	const struct part part = part_of(r, &r->v);
	const struct found_rule *found = NULL;
	uint64_t hash;

	for (size_t s = 0; s < l->n_shapes && !(found && found < l->shapes[s]->rule); s++) {
		if (l->shapes[s]->attrs & ~part.attrs || !shape_hash(l->shapes[s], &part, &hash))
			continue;
		for (const struct entry *e = *lookup_slot(l, &hash, s); e; e = e->next)
			if (e->hash == hash && e->shape == s && (!found || e->rule < found) &&
			    rule_within(r, e->rule))
				found = e->rule;
	}
	return found;
}

/* Set the rule that takes all frames of each, the first one if there are several. */
void shadows_get(struct check *c)
{
	struct view **views = check_mem(calloc(c->n_rules + 1, sizeof(*views)));
	struct lookup l = { .size = 1 };
	size_t total = 1;

	for (size_t i = 0; i < c->n_rules; i++)
		total += at_least_one(c->rules[i].v.matches);
	while (l.size < 2 * total)
		l.size *= 2;
	l.parts = check_mem(calloc(total, sizeof(*l.parts)));
	l.entries = check_mem(calloc(total, sizeof(*l.entries)));
	l.shapes = check_mem(calloc(total, sizeof(*l.shapes)));
	l.table = check_mem(calloc(l.size, sizeof(*l.table)));
	for (size_t i = 0; i < c->n_rules; i++) {
		struct found_rule *r = &c->rules[i];

		r->shadow = lookup_find(&l, r);
		if (r->v.matches < 2) {
			lookup_add(&l, r, &r->v);
			continue;
		}
		views[i] = matches_get(r, VTAP_A_RULE_MATCH, r->v.matches);
		for (size_t j = 0; j < r->v.matches; j++)
			lookup_add(&l, r, &views[i][j]);
	}
	for (size_t i = 0; i < c->n_rules; i++)
		free(views[i]);
	free(views);
	free(l.parts);
	free(l.entries);
	free(l.shapes);
	free(l.table);
}
