// SPDX-License-Identifier: GPL-2.0
/* Names of ICMP errors about copies. */

#include <stdlib.h>

#include "vtap.h"

#define ANY	0x100

static const struct {
	bool ipv6;
	uint16_t type, code;
	const char *name;
} kinds[] = {
	{ false, 3, 0, "net-unreachable" },
	{ false, 3, 1, "host-unreachable" },
	{ false, 3, 2, "protocol-unreachable" },
	{ false, 3, 3, "port-unreachable" },
	{ false, 3, 9, "prohibited" },
	{ false, 3, 10, "prohibited" },
	{ false, 3, 13, "prohibited" },
	{ false, 3, ANY, "unreachable" },
	{ false, 11, ANY, "time-exceeded" },
	{ false, 12, ANY, "parameter-problem" },
	{ true, 1, 0, "net-unreachable" },
	{ true, 1, 1, "prohibited" },
	{ true, 1, 3, "host-unreachable" },
	{ true, 1, 4, "port-unreachable" },
	{ true, 1, ANY, "unreachable" },
	{ true, 3, ANY, "time-exceeded" },
	{ true, 4, 1, "protocol-unreachable" },
	{ true, 4, ANY, "parameter-problem" },
};

const char *icmp_name(bool ipv6, uint8_t type, uint8_t code)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].ipv6 == ipv6 && kinds[i].type == type &&
		    (kinds[i].code == code || kinds[i].code == ANY))
			return kinds[i].name;
	return "unknown";
}

/* The sender's address tells ICMP and ICMPv6 apart. */
static const char *icmp_kind(const struct word *w, const struct view *v)
{
	const struct nlattr *from = v->tb[VTAP_A_SESSION_ICMP_FROM];

	return icmp_name(from && mnl_attr_get_payload_len(from) == 16,
			 view_num(v, w, w->attr, 0), view_num(v, w, w->attr2, 0));
}

static void icmp_format(FILE *f, const struct word *w, const struct view *v)
{
	fputs(icmp_kind(w, v), f);
}

static void icmp_json(const struct word *w, const struct view *v)
{
	out_str(w->name, icmp_kind(w, v));
	out_num("type", view_num(v, w, w->attr, 0));
	out_num("code", view_num(v, w, w->attr2, 0));
}

static const struct key icmp_keys[] = { { NULL, 's' }, { "type", 'n' }, { "code", 'n' }, {} };

const struct type type_icmp = {
	.format = icmp_format, .to_json = icmp_json, .keys = icmp_keys
};
