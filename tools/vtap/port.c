// SPDX-License-Identifier: GPL-2.0
/* Ports: the devices that rules bind to now. */

#include "vtap.h"

static const struct name hook_names[] = {
	{ "none", VTAP_HOOK_NONE },
	{ "netfilter", VTAP_HOOK_NETFILTER },
	{ "chain", VTAP_HOOK_CHAIN },
	{ "packet", VTAP_HOOK_PACKET },
	{}
};

#define A(n)	.attr = VTAP_A_PORT_STATS_##n, .type = &type_u64

static const struct word stats_words[] = {
	{ "seen", A(SEEN) },
	{ "matched", A(MATCHED) },
	{ "unmatched", A(UNMATCHED) },
	{ "own", A(OWN) },
	{ "dup", A(DUP) },
	{}
};

#undef A
#define A(n)	.attr = VTAP_A_PORT_##n

static const struct word port_words[] = {
	{ "name", &type_str, A(NAME), .flags = W_KEY | W_POS, .max = 15 },
	{ "ifindex", &type_u32, A(IFINDEX) },
	{ "master", &type_str, A(MASTER) },
	{ "ingress_hook", &type_enum, A(INGRESS_HOOK), .names = hook_names },
	{ "egress_hook", &type_enum, A(EGRESS_HOOK), .names = hook_names },
	{ "since", &type_since, A(SINCE), .flags = W_STATS },
	{ "ingress", &type_nest, A(INGRESS), .nest = stats_words, .flags = W_STATS | W_VERBATIM },
	{ "egress", &type_nest, A(EGRESS), .nest = stats_words, .flags = W_STATS | W_VERBATIM },
	{}
};

const struct object port_object = {
	.name = "port",
	.words = port_words,
	.cmd = { [CMD_SHOW] = VTAP_CMD_PORT_GET },
	.ntf = VTAP_CMD_PORT_ADD_NTF,
};
