// SPDX-License-Identifier: GPL-2.0
/*
 * Rules that can match nothing, since an earlier rule of their tap takes all their frames. Only
 * what is certain counts: several rules that do so together are not found.
 */

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

/* Does a frame that matches @inner match @outer in any case? */
static bool match_within(const struct view *inner, const struct view *outer)
{
	static const struct {
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
	bool seconds[ATTR_MAX + 1] = {};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		const uint16_t a = pairs[i].attr, b = pairs[i].second;

		seconds[a] = true;
		seconds[b] = true;
		if (attr(outer, a) && !pairs[i].within(attr(inner, a), attr(inner, b),
						       attr(outer, a), attr(outer, b)))
			return false;
	}
	for (uint16_t i = 1; i <= ATTR_MAX; i++)
		if (attr(outer, i) && !seconds[i] && !same(attr(inner, i), attr(outer, i)))
			return false;
	return true;
}

static bool ports_within(const struct found_rule *inner, const struct found_rule *outer)
{
	for (size_t i = 0, j = 0; i < inner->n; i++) {
		while (j < outer->n && outer->at[j] < inner->at[i])
			j++;
		if (j == outer->n || outer->at[j] != inner->at[i])
			return false;
	}
	return inner->n;
}

/* The rule that takes all frames of @r, on the ports that it is bound to now; NULL for none. */
const struct found_rule *shadow_of(const struct check *c, const struct found_rule *r)
{
	for (const struct found_rule *e = c->rules; e < r; e++) {
		const uint32_t dir = view_u64(&r->v, VTAP_A_RULE_DIR);
		const struct nlattr *mac = e->v.tb[VTAP_A_RULE_MAC];
		const struct nlattr *filter = e->v.tb[VTAP_A_RULE_FILTER];

		if (strcmp(e->tap, r->tap) || dir & ~view_u64(&e->v, VTAP_A_RULE_DIR) ||
		    (mac && !same(mac, r->v.tb[VTAP_A_RULE_MAC])) ||
		    (filter && !same(filter, r->v.tb[VTAP_A_RULE_FILTER])))
			continue;
		if (ports_within(r, e) && match_within(&r->v, &e->v))
			return e;
	}
	return NULL;
}
