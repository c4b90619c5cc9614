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

static const struct name dir_names[] = {
	{ "ingress", VTAP_DIR_INGRESS },
	{ "egress", VTAP_DIR_EGRESS },
	{ "both", VTAP_DIR_INGRESS | VTAP_DIR_EGRESS },
	{}
};

static const struct name unseen_names[] = {
	{ "xdp", VTAP_UNSEEN_XDP },
	{ "tc_redirect", VTAP_UNSEEN_TC_REDIRECT },
	{ "xdp_send", VTAP_UNSEEN_XDP_SEND },
	{}
};

/* by enum vtap_reason */
static const char *const reasons[] = {
	[VTAP_REASON_NO_RULE] = "no rule binds to this device",
	[VTAP_REASON_NO_FRAMES] =
		"a device of this kind has neither Ethernet frames nor IP packets",
	[VTAP_REASON_VRF] = "a VRF device has no frames of its own; tap the devices in it",
	[VTAP_REASON_LOOPBACK] =
		"no rule binds to the loopback device by its name; patterns, master and mac do not",
	[VTAP_REASON_UNREGISTERED] = "the device is being removed or moved to another namespace",
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
	{ "rule", &type_u64, A(RULE), .flags = W_PICK },
	{ "session", &type_str, A(SESSION), .flags = W_PICK, .max = VTAP_NAME_MAX },
	{ "tap", &type_str, A(TAP), .flags = W_PICK, .max = VTAP_NAME_MAX },
	{ "ifindex", &type_u32, A(IFINDEX) },
	{ "master", &type_str, A(MASTER) },
	{ "ingress_hook", &type_enum, A(INGRESS_HOOK), .names = hook_names },
	{ "egress_hook", &type_enum, A(EGRESS_HOOK), .names = hook_names },
	{ "vm_sends", &type_enum, A(VM_SENDS), .names = dir_names },
	{ "unseen", &type_flags, A(UNSEEN), .names = unseen_names },
	{ "since", &type_since, A(SINCE), .flags = W_STATS },
	{ "ingress", &type_nest, A(INGRESS), .nest = stats_words, .flags = W_STATS | W_VERBATIM },
	{ "egress", &type_nest, A(EGRESS), .nest = stats_words, .flags = W_STATS | W_VERBATIM },
	{}
};

/* Why a device is not a port, NULL if it is one. */
static const char *port_absent(const struct view *v)
{
	const struct nlattr *a = v->tb[VTAP_A_PORT_REASON];
	uint32_t reason = a ? attr_num(a) : 0;

	if (!a)
		return NULL;
	if (reason < sizeof(reasons) / sizeof(*reasons) && reasons[reason])
		return reasons[reason];
	return "this device cannot be tapped";
}

static const char *const port_brief[] = { "name", "ingress_hook", "egress_hook", "master", NULL };

const struct object port_object = {
	.name = "port",
	.words = port_words,
	.absent = port_absent,
	.get = VTAP_CMD_PORT_GET,
	.ntf = VTAP_CMD_PORT_ADD_NTF,
	.brief = port_brief,
};
