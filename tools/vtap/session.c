// SPDX-License-Identifier: GPL-2.0
/* Sessions: where copies go and how they are wrapped. */

#include "vtap.h"

static const struct name type_names[] = {
	{ "gre", VTAP_SESSION_TYPE_GRE },
	{ "erspan1", VTAP_SESSION_TYPE_ERSPAN1 },
	{ "erspan2", VTAP_SESSION_TYPE_ERSPAN2 },
	{ "erspan3", VTAP_SESSION_TYPE_ERSPAN3 },
	{ "vxlan", VTAP_SESSION_TYPE_VXLAN },
	{ "port", VTAP_SESSION_TYPE_PORT },
	{}
};

static const struct name mtu_names[] = {
	{ "fragment", VTAP_MTU_POLICY_FRAGMENT },
	{ "truncate", VTAP_MTU_POLICY_TRUNCATE },
	{ "drop", VTAP_MTU_POLICY_DROP },
	{}
};

static const struct name vlan_names[] = {
	{ "keep", VTAP_VLAN_MODE_KEEP },
	{ "strip", VTAP_VLAN_MODE_STRIP },
	{}
};

static const struct name layer_names[] = {
	{ "off", VTAP_LAYER_NONE },
	{ "l2", VTAP_LAYER_L2 },
	{ "l3", VTAP_LAYER_L3 },
	{ "l4", VTAP_LAYER_L4 },
	{}
};

static const struct name state_names[] = {
	{ "active", VTAP_SESSION_STATE_ACTIVE },
	{ "resolving", VTAP_SESSION_STATE_RESOLVING },
	{ "no-route", VTAP_SESSION_STATE_NO_ROUTE },
	{ "no-device", VTAP_SESSION_STATE_NO_DEVICE },
	{ "loop", VTAP_SESSION_STATE_LOOP },
	{}
};

#define A(n)	.attr = VTAP_A_SESSION_STATS_##n, .type = &type_u64

static const struct word stats_words[] = {
	{ "matched", A(MATCHED) },
	{ "sent", A(SENT) },
	{ "bytes", A(BYTES) },
	{ "truncated", A(TRUNCATED) },
	{ "fragmented", A(FRAGMENTED) },
	{ "decapped", A(DECAPPED) },
	{ "masked", A(MASKED) },
	{ "drop_inactive", A(DROP_INACTIVE), .flags = W_BREAK },
	{ "drop_nomem", A(DROP_NOMEM) },
	{ "drop_mtu", A(DROP_MTU) },
	{ "drop_rate", A(DROP_RATE) },
	{ "drop_xmit", A(DROP_XMIT) },
	{ "drop_loop", A(DROP_LOOP) },
	{ "drop_frame", A(DROP_FRAME) },
	{}
};

#undef A
#define A(n)	.attr = VTAP_A_SESSION_ICMP_##n

static const struct word icmp_words[] = {
	{ "errors", A(ERRORS), .type = &type_u64 },
	{ "kind", A(TYPE), .attr2 = VTAP_A_SESSION_ICMP_CODE, .type = &type_icmp },
	{ "from", A(FROM), .type = &type_addr },
	{ "ago", A(AGO), .type = &type_since },
	{}
};

#undef A
#define A(n)	.attr = VTAP_A_SESSION_##n
#define RW	.flags = W_ADD | W_SET

static const struct word session_words[] = {
	{ "name", &type_str, A(NAME), .flags = W_ADD | W_KEY | W_POS, .max = VTAP_NAME_MAX },
	{ "tap", &type_str, TAP_DEFAULT, A(TAP), .flags = W_ADD | W_KEY | W_FLUSH | W_PICK,
	  .max = VTAP_NAME_MAX },
	{ "type", &type_enum, A(TYPE), .flags = W_ADD | W_SET | W_FLUSH | W_FIXED | W_PICK,
	  .names = type_names },
	{ "remote", &type_remote, A(REMOTE), RW },
	{ "local", &type_addr, "any", A(LOCAL), RW },
	{ "dev", &type_dev, "", A(DEV), RW, .max = 15 },
	{ "key", &type_u32, A(KEY), RW },
	{ "id", &type_u16, "0", A(ID), RW },
	{ "index", &type_u32, "0", A(INDEX), RW },
	{ "ttl", &type_u8, "64", A(TTL), RW },
	{ "tos", &type_u8, "0", A(TOS), RW },
	{ "snaplen", &type_u32, "0", A(SNAPLEN), RW },
	{ "slice", &type_slice, "off", A(SLICE), .attr2 = VTAP_A_SESSION_SLICE_MORE,
	  .flags = W_ADD | W_SET | W_VERBATIM, .names = layer_names, .name2 = "slice_more" },
	{ "mask", &type_enum, "off", A(MASK), RW, .names = layer_names },
	{ "mtu", &type_enum, "fragment", A(MTU), RW, .names = mtu_names },
	{ "vlan", &type_enum, "keep", A(VLAN), RW, .names = vlan_names },
	{ "seq", &type_onoff, "off", A(SEQ), RW, .names = onoff_names },
	{ "subheader", &type_onoff, "off", A(SUBHEADER), RW, .names = onoff_names },
	{ "dport", &type_port, "4789", A(DPORT), RW },
	{ "rate", &type_rate, "0", A(RATE), RW },
	{ "pps", &type_u32, "0", A(PPS), RW },
	{ "burst", &type_size, "0", A(BURST), RW },
	{ "decap", &type_onoff, "off", A(DECAP), RW, .names = onoff_names },
	{ "offload", &type_onoff, "off", A(OFFLOAD), RW, .names = onoff_names },
	{ "seed", &type_u64, "0", A(SEED), RW },
	{ "csum", &type_onoff, "off", A(CSUM), RW, .names = onoff_names },
	{ "state", &type_enum, A(STATE), .names = state_names },
	{ "egress", &type_str, A(EGRESS) },
	{ "path_mtu", &type_u32, A(PATH_MTU) },
	{ "loop_port", &type_str, A(LOOP_PORT) },
	{ "icmp", &type_nest, A(ICMP), .nest = icmp_words, .flags = W_VERBATIM },
	{ "stats", &type_nest, A(STATS), .nest = stats_words, .flags = W_STATS | W_VERBATIM },
	{}
};

#define T(n)	(1u << VTAP_SESSION_TYPE_##n)

/* Words that only some types take, with those that take them. */
static const struct {
	uint16_t attr;
	uint32_t types;
} only[] = {
	{ VTAP_A_SESSION_KEY, T(GRE) | T(VXLAN) },
	{ VTAP_A_SESSION_ID, T(ERSPAN2) | T(ERSPAN3) },
	{ VTAP_A_SESSION_INDEX, T(ERSPAN2) },
	{ VTAP_A_SESSION_VLAN, T(ERSPAN2) | T(ERSPAN3) },
	{ VTAP_A_SESSION_SEQ, T(GRE) },
	{ VTAP_A_SESSION_SUBHEADER, T(ERSPAN3) },
	{ VTAP_A_SESSION_DPORT, T(VXLAN) },
	{ VTAP_A_SESSION_OFFLOAD, T(GRE) },
	{ VTAP_A_SESSION_CSUM, T(GRE) },
};

/* Defaults are shown of what the type takes. */
static bool session_implied(const struct word *w, const struct view *v, bool all)
{
	const struct nlattr *type = v->tb[VTAP_A_SESSION_TYPE];

	for (size_t i = 0; all && type && i < sizeof(only) / sizeof(*only); i++)
		if (only[i].attr == w->attr)
			return !(only[i].types & 1u << attr_num(type));
	return false;
}

static const char *const session_brief[] = {
	"name", "type", "remote+dev", "state", "egress+tap", NULL
};

const struct object session_object = {
	.name = "session",
	.words = session_words,
	.implied = session_implied,
	.get = VTAP_CMD_SESSION_GET,
	.change = {
		[CMD_ADD] = VTAP_A_CHANGE_SESSION_NEW,
		[CMD_SET] = VTAP_A_CHANGE_SESSION_SET,
		[CMD_DEL] = VTAP_A_CHANGE_SESSION_DEL,
		[CMD_FLUSH] = VTAP_A_CHANGE_SESSION_FLUSH,
	},
	.ntf = VTAP_CMD_SESSION_ADD_NTF,
	.tap = VTAP_A_SESSION_TAP,
	.unset = VTAP_A_SESSION_UNSET,
	.brief = session_brief,
};
