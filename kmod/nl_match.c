// SPDX-License-Identifier: GPL-2.0
/* Netlink attributes to matches: alternatives and exceptions of a rule. */
#include <net/netlink.h>

#include "extack.h"
#include "list.h"
#include "netlink_gen.h"
#include "nl_attr.h"
#include "rule.h"

/* @len: its prefix length, or NULL; @clear: an address of no bytes is none. Return: 0 or -EINVAL. */
int vtap_nl_get_addr(struct vtap_addr *addr, const struct nlattr *a,
		     const struct nlattr *len, bool clear,
		     struct netlink_ext_ack *extack)
{
	unsigned int bits;

	if (!a) {
		if (!len)
			return 0;
		return vtap_refuse_attr(extack, len, -EINVAL, "prefix length without an address");
	}
	switch (nla_len(a)) {
	case 0:
		if (!clear)
			goto bad;
		memset(addr, 0, sizeof(*addr));
		return 0;
	case sizeof(struct in_addr):
		addr->family = AF_INET;
		bits = 32;
		break;
	case sizeof(struct in6_addr):
		addr->family = AF_INET6;
		bits = 128;
		break;
	default:
		goto bad;
	}
	memset(&addr->ip, 0, sizeof(addr->ip));
	memcpy(&addr->ip, nla_data(a), nla_len(a));
	addr->len = len ? nla_get_u8(len) : bits;
	if (addr->len > bits)
		return vtap_refuse_attr(extack, len, -EINVAL, "prefix is longer than the address");
	return 0;

bad:
	return vtap_refuse_attr(extack, a, -EINVAL, "an address has 4 or 16 bytes");
}

/* @n: length of @a */
static int vtap_nl_get_fields(struct vtap_match *m, struct nlattr **a, unsigned int n,
			      struct netlink_ext_ack *extack)
{
	unsigned int i;
	int err;

	memset(m, 0, sizeof(*m));
	for (i = 1; i < n; i++) {
		if (a[i])
			m->present |= BIT(i);
	}
	err = vtap_nl_get_addr(&m->src_ip, a[VTAP_A_MATCH_SRC_IP], a[VTAP_A_MATCH_SRC_IP_LEN],
			       false, extack) ?:
	      vtap_nl_get_addr(&m->dst_ip, a[VTAP_A_MATCH_DST_IP], a[VTAP_A_MATCH_DST_IP_LEN],
			       false, extack);
	if (err)
		return err;
	if ((a[VTAP_A_MATCH_SRC_MAC_MASK] && !a[VTAP_A_MATCH_SRC_MAC]) ||
	    (a[VTAP_A_MATCH_DST_MAC_MASK] && !a[VTAP_A_MATCH_DST_MAC]) ||
	    (a[VTAP_A_MATCH_TCP_FLAGS_MASK] && !a[VTAP_A_MATCH_TCP_FLAGS]) ||
	    (a[VTAP_A_MATCH_IP_FLAGS_MASK] && !a[VTAP_A_MATCH_IP_FLAGS]))
		return vtap_refuse(extack, -EINVAL, "mask without a value");
	if (a[VTAP_A_MATCH_SRC_MAC]) {
		memcpy(m->src_mac, nla_data(a[VTAP_A_MATCH_SRC_MAC]), ETH_ALEN);
		eth_broadcast_addr(m->src_mac_mask);
	}
	if (a[VTAP_A_MATCH_SRC_MAC_MASK])
		memcpy(m->src_mac_mask, nla_data(a[VTAP_A_MATCH_SRC_MAC_MASK]), ETH_ALEN);
	if (a[VTAP_A_MATCH_DST_MAC]) {
		memcpy(m->dst_mac, nla_data(a[VTAP_A_MATCH_DST_MAC]), ETH_ALEN);
		eth_broadcast_addr(m->dst_mac_mask);
	}
	if (a[VTAP_A_MATCH_DST_MAC_MASK])
		memcpy(m->dst_mac_mask, nla_data(a[VTAP_A_MATCH_DST_MAC_MASK]), ETH_ALEN);
	if (a[VTAP_A_MATCH_PROTOCOL])
		m->protocol = nla_get_u16(a[VTAP_A_MATCH_PROTOCOL]);
	if (a[VTAP_A_MATCH_VLAN_ID])
		m->vlan_id = nla_get_u16(a[VTAP_A_MATCH_VLAN_ID]);
	if (a[VTAP_A_MATCH_VLAN_PRIO])
		m->vlan_prio = nla_get_u8(a[VTAP_A_MATCH_VLAN_PRIO]);
	if (a[VTAP_A_MATCH_IP_PROTO])
		m->ip_proto = nla_get_u8(a[VTAP_A_MATCH_IP_PROTO]);
	if (a[VTAP_A_MATCH_SRC_PORT])
		m->src_port = nla_get_u16(a[VTAP_A_MATCH_SRC_PORT]);
	m->src_port_max = a[VTAP_A_MATCH_SRC_PORT_MAX] ?
			  nla_get_u16(a[VTAP_A_MATCH_SRC_PORT_MAX]) : m->src_port;
	if (a[VTAP_A_MATCH_DST_PORT])
		m->dst_port = nla_get_u16(a[VTAP_A_MATCH_DST_PORT]);
	m->dst_port_max = a[VTAP_A_MATCH_DST_PORT_MAX] ?
			  nla_get_u16(a[VTAP_A_MATCH_DST_PORT_MAX]) : m->dst_port;
	if (a[VTAP_A_MATCH_TCP_FLAGS]) {
		m->tcp_flags = nla_get_u16(a[VTAP_A_MATCH_TCP_FLAGS]);
		m->tcp_flags_mask = a[VTAP_A_MATCH_TCP_FLAGS_MASK] ?
				    nla_get_u16(a[VTAP_A_MATCH_TCP_FLAGS_MASK]) : 0xfff;
	}
	if (a[VTAP_A_MATCH_ICMP_TYPE])
		m->icmp_type = nla_get_u8(a[VTAP_A_MATCH_ICMP_TYPE]);
	if (a[VTAP_A_MATCH_ICMP_CODE])
		m->icmp_code = nla_get_u8(a[VTAP_A_MATCH_ICMP_CODE]);
	if (a[VTAP_A_MATCH_IP_FLAGS]) {
		m->ip_flags = nla_get_u32(a[VTAP_A_MATCH_IP_FLAGS]);
		m->ip_flags_mask = a[VTAP_A_MATCH_IP_FLAGS_MASK] ?
				   nla_get_u32(a[VTAP_A_MATCH_IP_FLAGS_MASK]) : m->ip_flags;
	}
	return 0;
}

static int vtap_nl_get_inner(struct vtap_match *m, const struct nlattr *nest,
			     struct netlink_ext_ack *extack)
{
	struct nlattr *a[ARRAY_SIZE(vtap_match_inner_nl_policy)];
	int err;

	err = nla_parse_nested(a, ARRAY_SIZE(a) - 1, nest, vtap_match_inner_nl_policy, extack);
	return err ?: vtap_nl_get_fields(m, a, ARRAY_SIZE(a), extack);
}

/* One match, which is checked. */
static int vtap_nl_get_want(struct vtap_want *w, const struct nlattr *nest,
			    struct netlink_ext_ack *extack)
{
	struct nlattr *a[ARRAY_SIZE(vtap_match_nl_policy)];
	struct vtap_match *m = &w->form.match, inner = {};
	int err;

	BUILD_BUG_ON(ARRAY_SIZE(vtap_match_nl_policy) > 32);
	err = nla_parse_nested(a, ARRAY_SIZE(a) - 1, nest, vtap_match_nl_policy, extack) ?:
	      vtap_nl_get_fields(m, a, ARRAY_SIZE(a), extack);
	if (err)
		return err;
	if (a[VTAP_A_MATCH_TUNNEL])
		m->tunnel = nla_get_u32(a[VTAP_A_MATCH_TUNNEL]);
	if (a[VTAP_A_MATCH_TUNNEL_KEY])
		m->tunnel_key = nla_get_u32(a[VTAP_A_MATCH_TUNNEL_KEY]);
	if (a[VTAP_A_MATCH_INNER]) {
		err = vtap_nl_get_inner(&inner, a[VTAP_A_MATCH_INNER], extack);
		if (err)
			return err;
	}
	err = vtap_match_check(m, extack) ?: vtap_match_check(&inner, extack);
	if (err)
		return err;
	return vtap_list_set_inner(w, &inner);
}

/* As vtap_nl_get_want(); an error tells which of several it was. */
static int vtap_nl_get_one(struct vtap_want *w, const struct nlattr *nest, bool needed,
			   struct netlink_ext_ack *extack)
{
	int err = vtap_nl_get_want(w, nest, extack);

	if (!err && needed && !w->form.match.present)
		err = nla_type(nest) == VTAP_A_RULE_MATCH ?
		      vtap_refuse(extack, -EINVAL, "an empty match needs no others") :
		      vtap_refuse(extack, -EINVAL, "an empty except leaves no frame");
	if (err && extack && !extack->bad_attr)
		NL_SET_BAD_ATTR(extack, nest);
	return err;
}

static unsigned int vtap_nl_count(const struct vtap_nl_args *args, int type)
{
	const struct nlattr *a;
	unsigned int n = 0;
	int rem;

	nla_for_each_attr(a, args->head, args->len, rem)
		n += nla_type(a) == type;
	return n;
}

/* Attribute number @i of a type. */
static const struct nlattr *vtap_nl_nth(const struct vtap_nl_args *args, int type, unsigned int i)
{
	const struct nlattr *a;
	int rem;

	nla_for_each_attr(a, args->head, args->len, rem) {
		if (nla_type(a) == type && !i--)
			return a;
	}
	return NULL;
}

/* @n attributes of a type into @w, or the same number of old ones, if there are any. */
static int vtap_nl_get_wants(struct vtap_want *w, unsigned int n, const struct vtap_nl_args *args,
			     int type, const struct vtap_want *old, struct netlink_ext_ack *extack)
{
	const bool needed = type == VTAP_A_RULE_EXCEPT || n > 1;
	const struct nlattr *a;
	struct vtap_want *end = w + n;
	int rem, err;

	for (; !args->a[type] && old && w < end; w++, old++) {
		w->form.match = old->form.match;
		err = old->inner ? vtap_list_set_inner(w, &old->inner->match) : 0;
		if (err)
			return err;
	}
	nla_for_each_attr(a, args->head, args->len, rem) {
		if (nla_type(a) != type)
			continue;
		err = vtap_nl_get_one(w++, a, needed, extack);
		if (err)
			return err;
	}
	return 0;
}

static int vtap_nl_refuse_twice(const struct vtap_list *l, unsigned int twice,
				const struct vtap_nl_args *args, struct netlink_ext_ack *extack)
{
	if (twice < l->n_matches)
		return vtap_refuse_attr(extack, vtap_nl_nth(args, VTAP_A_RULE_MATCH, twice),
					-EINVAL, "the same match is given twice");
	return vtap_refuse_attr(extack, vtap_nl_nth(args, VTAP_A_RULE_EXCEPT, twice - l->n_matches),
				-EINVAL, "the same except is given twice");
}

/* Return: 0 with the matches in @cfg as they are wanted there, and with a reference to a list. */
static int vtap_nl_take_list(struct vtap_rule_cfg *cfg, struct vtap_list *l,
			     const struct vtap_nl_args *args, struct netlink_ext_ack *extack)
{
	unsigned int twice;
	int err;

	if (l->n_matches == 1 && !l->n_excepts && !l->wants[0].inner) {
		cfg->match = l->wants[0].form.match;
		return 0;
	}
	err = vtap_list_finish(l, &twice);
	if (err == -EEXIST)
		return vtap_nl_refuse_twice(l, twice, args, extack);
	if (!err)
		cfg->wanted = vtap_list_get(l);
	return err;
}

/**
 * vtap_nl_get_matches - all matches and exceptions of a rule
 * @cfg: the rule so far, without a list
 * @old: the list that it had, or NULL: matches go on when none are given, as do exceptions
 * @args: attributes
 * @extack: gets the reason
 *
 * With a list in @cfg comes a reference.
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int vtap_nl_get_matches(struct vtap_rule_cfg *cfg, struct vtap_list *old,
			const struct vtap_nl_args *args, struct netlink_ext_ack *extack)
{
	const bool no_match = vtap_nl_is_unset(args, VTAP_A_RULE_UNSET, VTAP_A_RULE_MATCH);
	const bool no_except = vtap_nl_is_unset(args, VTAP_A_RULE_UNSET, VTAP_A_RULE_EXCEPT);
	unsigned int n_matches = vtap_nl_count(args, VTAP_A_RULE_MATCH);
	unsigned int n_excepts = vtap_nl_count(args, VTAP_A_RULE_EXCEPT);
	const struct vtap_want one = { .form.match = cfg->match }, *matches = &one, *excepts = NULL;
	struct vtap_list *l;
	int err;

	if (!n_matches && !n_excepts && !no_match && !no_except) {
		cfg->wanted = vtap_list_get(old);
		return 0;
	}
	if (n_matches > VTAP_RULE_MATCHES_MAX)
		return vtap_refuse_attr(extack, vtap_nl_nth(args, VTAP_A_RULE_MATCH,
							    VTAP_RULE_MATCHES_MAX),
					-EINVAL, "a rule has at most 256 matches");
	if (n_excepts > VTAP_RULE_EXCEPTS_MAX)
		return vtap_refuse_attr(extack, vtap_nl_nth(args, VTAP_A_RULE_EXCEPT,
							    VTAP_RULE_EXCEPTS_MAX),
					-EINVAL, "a rule has at most 64 excepts");
	if (old) {
		matches = old->wants;
		excepts = old->wants + old->n_matches;
	}
	if (!n_matches)
		n_matches = old && !no_match ? old->n_matches : 1;
	if (!n_excepts && old && !no_except)
		n_excepts = old->n_excepts;
	l = vtap_list_new(n_matches, n_excepts);
	if (!l)
		return -ENOMEM;
	err = vtap_nl_get_wants(l->wants, n_matches, args, VTAP_A_RULE_MATCH,
				no_match ? NULL : matches, extack) ?:
	      vtap_nl_get_wants(l->wants + n_matches, n_excepts, args, VTAP_A_RULE_EXCEPT,
				excepts, extack) ?:
	      vtap_nl_take_list(cfg, l, args, extack);
	vtap_list_put(l);
	return err;
}
