// SPDX-License-Identifier: GPL-2.0
/* What attributes are when nobody gives them, and how they become that again. */
#include <net/netlink.h>

#include "extack.h"
#include "match.h"
#include "nl_attr.h"
#include "rule.h"
#include "session.h"

/* An attribute that has a default, and a member of the structure that it is read into */
struct vtap_nl_member {
	u16 attr;
	u16 offset;
	u16 size;
};

#define VTAP_NL_MEMBER(kind, name, member)					\
	{ VTAP_A_##name, offsetof(struct vtap_##kind##_cfg, member),		\
	  sizeof_field(struct vtap_##kind##_cfg, member) }

static const struct vtap_nl_member vtap_nl_session_members[] = {
	VTAP_NL_MEMBER(session, SESSION_LOCAL, local),
	VTAP_NL_MEMBER(session, SESSION_DEV, dev),
	VTAP_NL_MEMBER(session, SESSION_KEY, key),
	VTAP_NL_MEMBER(session, SESSION_KEY, has_key),
	VTAP_NL_MEMBER(session, SESSION_ID, id),
	VTAP_NL_MEMBER(session, SESSION_INDEX, index),
	VTAP_NL_MEMBER(session, SESSION_TTL, ttl),
	VTAP_NL_MEMBER(session, SESSION_TOS, tos),
	VTAP_NL_MEMBER(session, SESSION_SNAPLEN, snaplen),
	VTAP_NL_MEMBER(session, SESSION_MTU, mtu),
	VTAP_NL_MEMBER(session, SESSION_VLAN, vlan),
	VTAP_NL_MEMBER(session, SESSION_SEQ, seq),
	VTAP_NL_MEMBER(session, SESSION_SUBHEADER, subheader),
	VTAP_NL_MEMBER(session, SESSION_DPORT, dport),
	VTAP_NL_MEMBER(session, SESSION_RATE, rate),
	VTAP_NL_MEMBER(session, SESSION_BURST, burst),
	VTAP_NL_MEMBER(session, SESSION_PPS, pps),
	VTAP_NL_MEMBER(session, SESSION_DECAP, decap),
	VTAP_NL_MEMBER(session, SESSION_OFFLOAD, offload),
	VTAP_NL_MEMBER(session, SESSION_SEED, seed),
	VTAP_NL_MEMBER(session, SESSION_CSUM, csum),
	VTAP_NL_MEMBER(session, SESSION_SLICE, slice),
	VTAP_NL_MEMBER(session, SESSION_SLICE_MORE, slice_more),
	VTAP_NL_MEMBER(session, SESSION_MASK, mask),
};

static const struct vtap_nl_member vtap_nl_rule_members[] = {
	VTAP_NL_MEMBER(rule, RULE_PORT, port),
	VTAP_NL_MEMBER(rule, RULE_MASTER, master),
	VTAP_NL_MEMBER(rule, RULE_MAC, mac),
	VTAP_NL_MEMBER(rule, RULE_DIR, dir),
	VTAP_NL_MEMBER(rule, RULE_SESSION, n_sessions),
	VTAP_NL_MEMBER(rule, RULE_DUP, dup),
	VTAP_NL_MEMBER(rule, RULE_SAMPLE, sample),
	VTAP_NL_MEMBER(rule, RULE_SAMPLE_FLOW, sample_flow),
	VTAP_NL_MEMBER(rule, RULE_FILTER, filter),
	/* see vtap_nl_get_matches(), and vtap_nl_get_filter() */
	{ VTAP_A_RULE_MATCH },
	{ VTAP_A_RULE_EXCEPT },
	{ VTAP_A_RULE_FILTER_TEXT },
};

/* A session of which nobody has said more than its type. */
void vtap_nl_session_default(struct vtap_session_cfg *cfg, u32 type)
{
	*cfg = (struct vtap_session_cfg){ .type = type, .ttl = 64 };
	if (type == VTAP_SESSION_TYPE_VXLAN)
		cfg->dport = VTAP_VXLAN_PORT;
}

/* A rule of which nobody has said anything. */
void vtap_nl_rule_default(struct vtap_rule_cfg *cfg)
{
	*cfg = (struct vtap_rule_cfg){ .dir = VTAP_DIR_INGRESS | VTAP_DIR_EGRESS, .sample = 1 };
}

/* Return: does the attribute @attr have a default? Then @cfg has it. */
static bool vtap_nl_unset(void *cfg, const void *from, const struct vtap_nl_member *m,
			  unsigned int n, u32 attr)
{
	const struct vtap_nl_member *end = m + n;
	bool found = false;

	for (; m < end; m++) {
		if (m->attr != attr)
			continue;
		memcpy(cfg + m->offset, from + m->offset, m->size);
		found = true;
	}
	return found;
}

static bool vtap_nl_is_given(const struct vtap_nl_args *args, u32 attr,
			     const struct nlattr *unset, struct netlink_ext_ack *extack)
{
	if (!args->a[attr])
		return false;
	NL_SET_ERR_MSG_ATTR(extack, unset, "an attribute is both given and unset");
	return true;
}

/* Is an attribute to go back to its default? Return: true when it is. */
bool vtap_nl_is_unset(const struct vtap_nl_args *args, int unset, u32 attr)
{
	const struct nlattr *a;
	int rem;

	nla_for_each_attr(a, args->head, args->len, rem) {
		if (nla_type(a) == unset && nla_get_u32(a) == attr)
			return true;
	}
	return false;
}

/* Give attributes of a session their defaults. Return: 0 or -EINVAL. */
int vtap_nl_session_unset(struct vtap_session_cfg *cfg, const struct vtap_nl_args *args,
			  struct netlink_ext_ack *extack)
{
	struct vtap_session_cfg from;
	const struct nlattr *a;
	int rem;

	vtap_nl_session_default(&from, cfg->type);
	nla_for_each_attr(a, args->head, args->len, rem) {
		u32 attr;

		if (nla_type(a) != VTAP_A_SESSION_UNSET)
			continue;
		attr = nla_get_u32(a);
		if (attr == VTAP_A_SESSION_NAME || attr == VTAP_A_SESSION_TAP ||
		    attr == VTAP_A_SESSION_TYPE || attr == VTAP_A_SESSION_REMOTE)
			return vtap_refuse_attr(extack, a, -EINVAL,
						"name, tap, type and remote cannot be unset");
		if (!vtap_nl_unset(cfg, &from, vtap_nl_session_members,
				   ARRAY_SIZE(vtap_nl_session_members), attr))
			return vtap_refuse_attr(extack, a, -EINVAL,
						"unset is of no attribute of a session");
		if (vtap_nl_is_given(args, attr, a, extack))
			return -EINVAL;
	}
	return 0;
}

/* Give attributes of a rule their defaults. Return: 0 or -EINVAL. */
int vtap_nl_rule_unset(struct vtap_rule_cfg *cfg, const struct vtap_nl_args *args,
		       struct netlink_ext_ack *extack)
{
	struct vtap_rule_cfg from;
	const struct nlattr *a;
	int rem;

	vtap_nl_rule_default(&from);
	nla_for_each_attr(a, args->head, args->len, rem) {
		u32 attr;

		if (nla_type(a) != VTAP_A_RULE_UNSET)
			continue;
		attr = nla_get_u32(a);
		if (attr == VTAP_A_RULE_ID || attr == VTAP_A_RULE_TAP ||
		    attr == VTAP_A_RULE_PREF || attr == VTAP_A_RULE_ACTION)
			return vtap_refuse_attr(extack, a, -EINVAL,
						"id, tap, pref and action cannot be unset");
		if (!vtap_nl_unset(cfg, &from, vtap_nl_rule_members,
				   ARRAY_SIZE(vtap_nl_rule_members), attr))
			return vtap_refuse_attr(extack, a, -EINVAL,
						"unset is of no attribute of a rule");
		if (vtap_nl_is_given(args, attr, a, extack))
			return -EINVAL;
	}
	return 0;
}
