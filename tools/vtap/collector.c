// SPDX-License-Identifier: GPL-2.0
/* What a session's copies look like to a collector, and what to run there. */

#include "finding.h"

static bool is_ipv6(const struct view *s)
{
	const struct nlattr *remote = s->tb[VTAP_A_SESSION_REMOTE];

	return remote && mnl_attr_get_payload_len(remote) == 16;
}

/* Bytes of a copy's outer headers, from the IP header on. */
unsigned int collector_overhead(const struct view *s)
{
	const unsigned int ip = is_ipv6(s) ? 40 : 20;

	switch (view_u64(s, VTAP_A_SESSION_TYPE)) {
	case VTAP_SESSION_TYPE_GRE:
		return ip + 4 + (s->tb[VTAP_A_SESSION_KEY] ? 4 : 0) +
		       (view_u64(s, VTAP_A_SESSION_SEQ) ? 4 : 0) +
		       (view_u64(s, VTAP_A_SESSION_CSUM) ? 4 : 0);
	case VTAP_SESSION_TYPE_ERSPAN1:
		return ip + 4;
	case VTAP_SESSION_TYPE_ERSPAN2:
	case VTAP_SESSION_TYPE_VXLAN:
		return ip + 16;
	case VTAP_SESSION_TYPE_ERSPAN3:
		return ip + 20 + (view_u64(s, VTAP_A_SESSION_SUBHEADER) ? 8 : 0);
	default:
		return 0;
	}
}

/* A command line that makes a device for the copies, or one that shows them. */
const char *collector_receive(const struct view *s)
{
	const char *six = is_ipv6(s) ? "ip6" : "";
	const unsigned int key = view_u64(s, VTAP_A_SESSION_KEY);
	const unsigned int type = view_u64(s, VTAP_A_SESSION_TYPE);
	const char *local = attr_addr(s->tb[VTAP_A_SESSION_REMOTE]);

	switch (type) {
	case VTAP_SESSION_TYPE_GRE:
		return say("ip link add vtap0 type %sgretap local %s%s%s%s && ip link set vtap0 up",
			   six, local, s->tb[VTAP_A_SESSION_KEY] ? say(" ikey %u", key) : "",
			   view_u64(s, VTAP_A_SESSION_SEQ) ? " iseq" : "",
			   view_u64(s, VTAP_A_SESSION_CSUM) ? " icsum" : "");
	case VTAP_SESSION_TYPE_ERSPAN1:
	case VTAP_SESSION_TYPE_ERSPAN2:
	case VTAP_SESSION_TYPE_ERSPAN3:
		return say("ip link add vtap0 type %serspan local %s%s erspan_ver %u && ip link set vtap0 up",
			   six, local, type == VTAP_SESSION_TYPE_ERSPAN1 ? "" :
			   say(" seq key %u", (unsigned int)view_u64(s, VTAP_A_SESSION_ID)),
			   type - VTAP_SESSION_TYPE_ERSPAN1);
	case VTAP_SESSION_TYPE_VXLAN:
		return say("ip link add vtap0 type vxlan id %u local %s dstport %u && ip link set vtap0 up",
			   key, local, (unsigned int)view_u64(s, VTAP_A_SESSION_DPORT));
	default:
		return say("tcpdump -ni %s", view_str(s, VTAP_A_SESSION_DEV));
	}
}

/* A filter of tcpdump for the copies. */
const char *collector_filter(const struct view *s)
{
	const char *ip = is_ipv6(s) ? "ip6" : "ip";

	if (view_u64(s, VTAP_A_SESSION_TYPE) == VTAP_SESSION_TYPE_VXLAN)
		return say("udp port %u", (unsigned int)view_u64(s, VTAP_A_SESSION_DPORT));
	return say("%s proto 47", ip);
}
