// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/vtap.yaml */
/* YNL-GEN kernel source */
/* YNL-ARG --user-header linux/vtap.h */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink_gen.h"

#include <uapi/linux/vtap.h>

/* Common nested types */
const struct nla_policy vtap_change_nl_policy[VTAP_A_CHANGE_TAP_OWN + 1] = {
	[VTAP_A_CHANGE_SESSION_NEW] = NLA_POLICY_NESTED(vtap_session_words_nl_policy),
	[VTAP_A_CHANGE_SESSION_SET] = NLA_POLICY_NESTED(vtap_session_change_nl_policy),
	[VTAP_A_CHANGE_SESSION_DEL] = NLA_POLICY_NESTED(vtap_session_key_nl_policy),
	[VTAP_A_CHANGE_SESSION_FLUSH] = NLA_POLICY_NESTED(vtap_session_kind_nl_policy),
	[VTAP_A_CHANGE_RULE_NEW] = NLA_POLICY_NESTED(vtap_rule_words_nl_policy),
	[VTAP_A_CHANGE_RULE_SET] = NLA_POLICY_NESTED(vtap_rule_change_nl_policy),
	[VTAP_A_CHANGE_RULE_DEL] = NLA_POLICY_NESTED(vtap_rule_key_nl_policy),
	[VTAP_A_CHANGE_RULE_FLUSH] = NLA_POLICY_NESTED(vtap_rule_pref_nl_policy),
	[VTAP_A_CHANGE_TAP_OWN] = NLA_POLICY_NESTED(vtap_tap_key_nl_policy),
};

const struct nla_policy vtap_match_nl_policy[VTAP_A_MATCH_INNER + 1] = {
	[VTAP_A_MATCH_SRC_MAC] = NLA_POLICY_EXACT_LEN(6),
	[VTAP_A_MATCH_SRC_MAC_MASK] = NLA_POLICY_EXACT_LEN(6),
	[VTAP_A_MATCH_DST_MAC] = NLA_POLICY_EXACT_LEN(6),
	[VTAP_A_MATCH_DST_MAC_MASK] = NLA_POLICY_EXACT_LEN(6),
	[VTAP_A_MATCH_PROTOCOL] = NLA_POLICY_MIN(NLA_U16, 1536),
	[VTAP_A_MATCH_VLAN_ID] = NLA_POLICY_MAX(NLA_U16, 4095),
	[VTAP_A_MATCH_VLAN_PRIO] = NLA_POLICY_MAX(NLA_U8, 7),
	[VTAP_A_MATCH_SRC_IP] = { .type = NLA_BINARY, },
	[VTAP_A_MATCH_SRC_IP_LEN] = NLA_POLICY_MAX(NLA_U8, 128),
	[VTAP_A_MATCH_DST_IP] = { .type = NLA_BINARY, },
	[VTAP_A_MATCH_DST_IP_LEN] = NLA_POLICY_MAX(NLA_U8, 128),
	[VTAP_A_MATCH_IP_PROTO] = { .type = NLA_U8, },
	[VTAP_A_MATCH_SRC_PORT] = { .type = NLA_U16, },
	[VTAP_A_MATCH_SRC_PORT_MAX] = { .type = NLA_U16, },
	[VTAP_A_MATCH_DST_PORT] = { .type = NLA_U16, },
	[VTAP_A_MATCH_DST_PORT_MAX] = { .type = NLA_U16, },
	[VTAP_A_MATCH_TCP_FLAGS] = NLA_POLICY_MAX(NLA_U16, 4095),
	[VTAP_A_MATCH_TCP_FLAGS_MASK] = NLA_POLICY_MAX(NLA_U16, 4095),
	[VTAP_A_MATCH_ICMP_TYPE] = { .type = NLA_U8, },
	[VTAP_A_MATCH_ICMP_CODE] = { .type = NLA_U8, },
	[VTAP_A_MATCH_IP_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[VTAP_A_MATCH_IP_FLAGS_MASK] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[VTAP_A_MATCH_TUNNEL] = NLA_POLICY_MAX(NLA_U32, 2),
	[VTAP_A_MATCH_TUNNEL_KEY] = { .type = NLA_U32, },
	[VTAP_A_MATCH_INNER] = NLA_POLICY_NESTED(vtap_match_inner_nl_policy),
};

const struct nla_policy vtap_match_inner_nl_policy[VTAP_A_MATCH_IP_FLAGS_MASK + 1] = {
	[VTAP_A_MATCH_SRC_MAC] = NLA_POLICY_EXACT_LEN(6),
	[VTAP_A_MATCH_SRC_MAC_MASK] = NLA_POLICY_EXACT_LEN(6),
	[VTAP_A_MATCH_DST_MAC] = NLA_POLICY_EXACT_LEN(6),
	[VTAP_A_MATCH_DST_MAC_MASK] = NLA_POLICY_EXACT_LEN(6),
	[VTAP_A_MATCH_PROTOCOL] = NLA_POLICY_MIN(NLA_U16, 1536),
	[VTAP_A_MATCH_VLAN_ID] = NLA_POLICY_MAX(NLA_U16, 4095),
	[VTAP_A_MATCH_VLAN_PRIO] = NLA_POLICY_MAX(NLA_U8, 7),
	[VTAP_A_MATCH_SRC_IP] = { .type = NLA_BINARY, },
	[VTAP_A_MATCH_SRC_IP_LEN] = NLA_POLICY_MAX(NLA_U8, 128),
	[VTAP_A_MATCH_DST_IP] = { .type = NLA_BINARY, },
	[VTAP_A_MATCH_DST_IP_LEN] = NLA_POLICY_MAX(NLA_U8, 128),
	[VTAP_A_MATCH_IP_PROTO] = { .type = NLA_U8, },
	[VTAP_A_MATCH_SRC_PORT] = { .type = NLA_U16, },
	[VTAP_A_MATCH_SRC_PORT_MAX] = { .type = NLA_U16, },
	[VTAP_A_MATCH_DST_PORT] = { .type = NLA_U16, },
	[VTAP_A_MATCH_DST_PORT_MAX] = { .type = NLA_U16, },
	[VTAP_A_MATCH_TCP_FLAGS] = NLA_POLICY_MAX(NLA_U16, 4095),
	[VTAP_A_MATCH_TCP_FLAGS_MASK] = NLA_POLICY_MAX(NLA_U16, 4095),
	[VTAP_A_MATCH_ICMP_TYPE] = { .type = NLA_U8, },
	[VTAP_A_MATCH_ICMP_CODE] = { .type = NLA_U8, },
	[VTAP_A_MATCH_IP_FLAGS] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[VTAP_A_MATCH_IP_FLAGS_MASK] = NLA_POLICY_MASK(NLA_U32, 0x3),
};

const struct nla_policy vtap_rule_change_nl_policy[VTAP_A_RULE_EXCEPT + 1] = {
	[VTAP_A_RULE_ID] = { .type = NLA_U64, },
	[VTAP_A_RULE_PREF] = { .type = NLA_U32, },
	[VTAP_A_RULE_PORT] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_RULE_MASTER] = { .type = NLA_NUL_STRING, .len = 15, },
	[VTAP_A_RULE_MAC] = NLA_POLICY_EXACT_LEN(6),
	[VTAP_A_RULE_DIR] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[VTAP_A_RULE_ACTION] = NLA_POLICY_MAX(NLA_U32, 1),
	[VTAP_A_RULE_SESSION] = { .type = NLA_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_RULE_MATCH] = NLA_POLICY_NESTED(vtap_match_nl_policy),
	[VTAP_A_RULE_EXCEPT] = NLA_POLICY_NESTED(vtap_match_nl_policy),
	[VTAP_A_RULE_DUP] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_RULE_SAMPLE] = NLA_POLICY_MIN(NLA_U32, 1),
	[VTAP_A_RULE_SAMPLE_FLOW] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_RULE_FILTER] = { .type = NLA_BINARY, },
	[VTAP_A_RULE_FILTER_TEXT] = { .type = NLA_NUL_STRING, .len = 1023, },
	[VTAP_A_RULE_UNSET] = { .type = NLA_U32, },
};

const struct nla_policy vtap_rule_key_nl_policy[VTAP_A_RULE_ID + 1] = {
	[VTAP_A_RULE_ID] = { .type = NLA_U64, },
};

const struct nla_policy vtap_rule_pref_nl_policy[VTAP_A_RULE_TAP + 1] = {
	[VTAP_A_RULE_PREF] = { .type = NLA_U32, },
	[VTAP_A_RULE_TAP] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
};

const struct nla_policy vtap_rule_words_nl_policy[VTAP_A_RULE_EXCEPT + 1] = {
	[VTAP_A_RULE_PREF] = { .type = NLA_U32, },
	[VTAP_A_RULE_PORT] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_RULE_MASTER] = { .type = NLA_NUL_STRING, .len = 15, },
	[VTAP_A_RULE_MAC] = NLA_POLICY_EXACT_LEN(6),
	[VTAP_A_RULE_DIR] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[VTAP_A_RULE_ACTION] = NLA_POLICY_MAX(NLA_U32, 1),
	[VTAP_A_RULE_SESSION] = { .type = NLA_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_RULE_MATCH] = NLA_POLICY_NESTED(vtap_match_nl_policy),
	[VTAP_A_RULE_EXCEPT] = NLA_POLICY_NESTED(vtap_match_nl_policy),
	[VTAP_A_RULE_DUP] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_RULE_SAMPLE] = NLA_POLICY_MIN(NLA_U32, 1),
	[VTAP_A_RULE_SAMPLE_FLOW] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_RULE_FILTER] = { .type = NLA_BINARY, },
	[VTAP_A_RULE_FILTER_TEXT] = { .type = NLA_NUL_STRING, .len = 1023, },
	[VTAP_A_RULE_TAP] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
};

const struct nla_policy vtap_session_change_nl_policy[VTAP_A_SESSION_MASK + 1] = {
	[VTAP_A_SESSION_NAME] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_SESSION_TYPE] = NLA_POLICY_MAX(NLA_U32, 5),
	[VTAP_A_SESSION_REMOTE] = { .type = NLA_BINARY, },
	[VTAP_A_SESSION_LOCAL] = { .type = NLA_BINARY, },
	[VTAP_A_SESSION_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[VTAP_A_SESSION_KEY] = { .type = NLA_U32, },
	[VTAP_A_SESSION_ID] = NLA_POLICY_MAX(NLA_U16, 1023),
	[VTAP_A_SESSION_INDEX] = { .type = NLA_U32, },
	[VTAP_A_SESSION_TTL] = NLA_POLICY_MIN(NLA_U8, 1),
	[VTAP_A_SESSION_TOS] = { .type = NLA_U8, },
	[VTAP_A_SESSION_SNAPLEN] = { .type = NLA_U32, },
	[VTAP_A_SESSION_MTU] = NLA_POLICY_MAX(NLA_U32, 2),
	[VTAP_A_SESSION_VLAN] = NLA_POLICY_MAX(NLA_U32, 1),
	[VTAP_A_SESSION_SEQ] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_SESSION_SUBHEADER] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_SESSION_DPORT] = NLA_POLICY_MIN(NLA_U16, 1),
	[VTAP_A_SESSION_RATE] = { .type = NLA_U64, },
	[VTAP_A_SESSION_BURST] = { .type = NLA_U32, },
	[VTAP_A_SESSION_PPS] = { .type = NLA_U32, },
	[VTAP_A_SESSION_DECAP] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_SESSION_OFFLOAD] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_SESSION_SEED] = { .type = NLA_U64, },
	[VTAP_A_SESSION_CSUM] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_SESSION_TAP] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_SESSION_UNSET] = { .type = NLA_U32, },
	[VTAP_A_SESSION_SLICE] = NLA_POLICY_MAX(NLA_U32, 3),
	[VTAP_A_SESSION_SLICE_MORE] = { .type = NLA_U16, },
	[VTAP_A_SESSION_MASK] = NLA_POLICY_MAX(NLA_U32, 3),
};

const struct nla_policy vtap_session_key_nl_policy[VTAP_A_SESSION_TAP + 1] = {
	[VTAP_A_SESSION_NAME] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_SESSION_TAP] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
};

const struct nla_policy vtap_session_kind_nl_policy[VTAP_A_SESSION_TAP + 1] = {
	[VTAP_A_SESSION_TYPE] = NLA_POLICY_MAX(NLA_U32, 5),
	[VTAP_A_SESSION_TAP] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
};

const struct nla_policy vtap_session_words_nl_policy[VTAP_A_SESSION_MASK + 1] = {
	[VTAP_A_SESSION_NAME] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_SESSION_TYPE] = NLA_POLICY_MAX(NLA_U32, 5),
	[VTAP_A_SESSION_REMOTE] = { .type = NLA_BINARY, },
	[VTAP_A_SESSION_LOCAL] = { .type = NLA_BINARY, },
	[VTAP_A_SESSION_DEV] = { .type = NLA_NUL_STRING, .len = 15, },
	[VTAP_A_SESSION_KEY] = { .type = NLA_U32, },
	[VTAP_A_SESSION_ID] = NLA_POLICY_MAX(NLA_U16, 1023),
	[VTAP_A_SESSION_INDEX] = { .type = NLA_U32, },
	[VTAP_A_SESSION_TTL] = NLA_POLICY_MIN(NLA_U8, 1),
	[VTAP_A_SESSION_TOS] = { .type = NLA_U8, },
	[VTAP_A_SESSION_SNAPLEN] = { .type = NLA_U32, },
	[VTAP_A_SESSION_MTU] = NLA_POLICY_MAX(NLA_U32, 2),
	[VTAP_A_SESSION_VLAN] = NLA_POLICY_MAX(NLA_U32, 1),
	[VTAP_A_SESSION_SEQ] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_SESSION_SUBHEADER] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_SESSION_DPORT] = NLA_POLICY_MIN(NLA_U16, 1),
	[VTAP_A_SESSION_RATE] = { .type = NLA_U64, },
	[VTAP_A_SESSION_BURST] = { .type = NLA_U32, },
	[VTAP_A_SESSION_PPS] = { .type = NLA_U32, },
	[VTAP_A_SESSION_DECAP] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_SESSION_OFFLOAD] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_SESSION_SEED] = { .type = NLA_U64, },
	[VTAP_A_SESSION_CSUM] = NLA_POLICY_MAX(NLA_U8, 1),
	[VTAP_A_SESSION_TAP] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_SESSION_SLICE] = NLA_POLICY_MAX(NLA_U32, 3),
	[VTAP_A_SESSION_SLICE_MORE] = { .type = NLA_U16, },
	[VTAP_A_SESSION_MASK] = NLA_POLICY_MAX(NLA_U32, 3),
};

const struct nla_policy vtap_tap_key_nl_policy[VTAP_A_TAP_NAME + 1] = {
	[VTAP_A_TAP_NAME] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
};

/* VTAP_CMD_SESSION_GET - do */
const struct nla_policy vtap_session_get_nl_policy[VTAP_A_SESSION_TAP + 1] = {
	[VTAP_A_SESSION_NAME] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_SESSION_TAP] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_SESSION_TYPE] = NLA_POLICY_MAX(NLA_U32, 5),
};

/* VTAP_CMD_RULE_GET - do */
const struct nla_policy vtap_rule_get_nl_policy[VTAP_A_RULE_TAP + 1] = {
	[VTAP_A_RULE_ID] = { .type = NLA_U64, },
	[VTAP_A_RULE_PORT] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_RULE_SESSION] = { .type = NLA_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_RULE_TAP] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
};

/* VTAP_CMD_PORT_GET - do */
const struct nla_policy vtap_port_get_nl_policy[VTAP_A_PORT_TAP + 1] = {
	[VTAP_A_PORT_IFINDEX] = { .type = NLA_U32, },
	[VTAP_A_PORT_NAME] = { .type = NLA_NUL_STRING, },
	[VTAP_A_PORT_RULE] = { .type = NLA_U64, },
	[VTAP_A_PORT_SESSION] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
	[VTAP_A_PORT_TAP] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
};

/* VTAP_CMD_COMMIT - do */
const struct nla_policy vtap_commit_nl_policy[VTAP_A_COMMIT_CHANGE + 1] = {
	[VTAP_A_COMMIT_CHANGE] = NLA_POLICY_NESTED(vtap_change_nl_policy),
};

/* VTAP_CMD_TAP_GET - do */
const struct nla_policy vtap_tap_get_nl_policy[VTAP_A_TAP_NAME + 1] = {
	[VTAP_A_TAP_NAME] = { .type = NLA_NUL_STRING, .len = VTAP_NAME_MAX, },
};

/* VTAP_CMD_MODULE_GET - do */
const struct nla_policy vtap_module_get_nl_policy[VTAP_A_MODULE_PAD + 1] = {
};

/* VTAP_CMD_TRACE_GET - do */
const struct nla_policy vtap_trace_get_nl_policy[VTAP_A_TRACE_FRAME + 1] = {
	[VTAP_A_TRACE_PORT] = { .type = NLA_NUL_STRING, },
	[VTAP_A_TRACE_DIR] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[VTAP_A_TRACE_FRAME] = { .type = NLA_BINARY, },
};

/* Ops table for vtap */
const struct genl_ops vtap_nl_ops[7] = {
	{
		.cmd		= VTAP_CMD_SESSION_GET,
		.doit		= vtap_nl_session_get_doit,
		.dumpit		= vtap_nl_session_get_dumpit,
		.policy		= vtap_session_get_nl_policy,
		.maxattr	= VTAP_A_SESSION_TAP,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= VTAP_CMD_RULE_GET,
		.doit		= vtap_nl_rule_get_doit,
		.dumpit		= vtap_nl_rule_get_dumpit,
		.policy		= vtap_rule_get_nl_policy,
		.maxattr	= VTAP_A_RULE_TAP,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= VTAP_CMD_PORT_GET,
		.doit		= vtap_nl_port_get_doit,
		.dumpit		= vtap_nl_port_get_dumpit,
		.policy		= vtap_port_get_nl_policy,
		.maxattr	= VTAP_A_PORT_TAP,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= VTAP_CMD_COMMIT,
		.doit		= vtap_nl_commit_doit,
		.policy		= vtap_commit_nl_policy,
		.maxattr	= VTAP_A_COMMIT_CHANGE,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= VTAP_CMD_TAP_GET,
		.doit		= vtap_nl_tap_get_doit,
		.dumpit		= vtap_nl_tap_get_dumpit,
		.policy		= vtap_tap_get_nl_policy,
		.maxattr	= VTAP_A_TAP_NAME,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
	{
		.cmd		= VTAP_CMD_MODULE_GET,
		.doit		= vtap_nl_module_get_doit,
		.policy		= vtap_module_get_nl_policy,
		.maxattr	= VTAP_A_MODULE_PAD,
	},
	{
		.cmd		= VTAP_CMD_TRACE_GET,
		.doit		= vtap_nl_trace_get_doit,
		.policy		= vtap_trace_get_nl_policy,
		.maxattr	= VTAP_A_TRACE_FRAME,
		.flags		= GENL_UNS_ADMIN_PERM,
	},
};
