/* SPDX-License-Identifier: GPL-2.0 */
/* The trace point vtap:decide. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vtap

#if !defined(_VTAP_DECIDE_EVENT_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VTAP_DECIDE_EVENT_H

#include <linux/tracepoint.h>

#include "decide.h"
#include "port.h"
#include "rule.h"

TRACE_DEFINE_ENUM(VTAP_DECIDED_UNMATCHED);
TRACE_DEFINE_ENUM(VTAP_DECIDED_SKIP);
TRACE_DEFINE_ENUM(VTAP_DECIDED_MIRROR);
TRACE_DEFINE_ENUM(VTAP_DECIDED_OWN);

/*
 * Addresses of IPv4 are mapped to IPv6, as other trace points have them. Of a frame without an IP
 * header they are zero.
 */
TRACE_EVENT(decide,
	TP_PROTO(const struct vtap_port *port, const struct vtap_tap *tap,
		 const struct vtap_rule *rule, const struct vtap_frame *f, u8 decision),

	TP_ARGS(port, tap, rule, f, decision),

	TP_STRUCT__entry(
		__field(const void *, skbaddr)
		__field(u64, rule)
		__field(u32, netns)
		__field(int, ifindex)
		__field(u32, len)
		__field(u16, protocol)
		__field(u16, sport)
		__field(u16, dport)
		__field(u8, ip_proto)
		__field(u8, dir)
		__field(u8, decision)
		__array(u8, saddr, sizeof(struct in6_addr))
		__array(u8, daddr, sizeof(struct in6_addr))
		__array(char, port, IFNAMSIZ)
		__array(char, tap, VTAP_NAME_MAX + 1)
	),

	TP_fast_assign(
		__entry->skbaddr = f->skb;
		__entry->rule = rule ? rule->id : 0;
		__entry->netns = port->vn->net->ns.inum;
		__entry->ifindex = port->id.ifindex;
		__entry->len = f->len;
		__entry->protocol = ntohs(f->key.proto);
		__entry->sport = ntohs(f->key.sport);
		__entry->dport = ntohs(f->key.dport);
		__entry->ip_proto = f->key.ip_proto;
		__entry->dir = f->dir;
		__entry->decision = decision;
		vtap_decide_addr(__entry->saddr, &f->key, &f->key.src);
		vtap_decide_addr(__entry->daddr, &f->key, &f->key.dst);
		strscpy(__entry->port, port->dev->name, IFNAMSIZ);
		strscpy(__entry->tap, tap ? tap->name : "", VTAP_NAME_MAX + 1);
	),

	TP_printk("%s %s tap=%s rule=%llu %s len=%u protocol=0x%04x ip_proto=%u [%pI6c]:%u > [%pI6c]:%u netns=%u",
		  __entry->port, __entry->dir ? "egress" : "ingress", __entry->tap, __entry->rule,
		  __print_symbolic(__entry->decision,
				   { VTAP_DECIDED_UNMATCHED, "unmatched" },
				   { VTAP_DECIDED_SKIP, "skip" },
				   { VTAP_DECIDED_MIRROR, "mirror" },
				   { VTAP_DECIDED_OWN, "own" }),
		  __entry->len, __entry->protocol, __entry->ip_proto, __entry->saddr,
		  __entry->sport, __entry->daddr, __entry->dport, __entry->netns)
);

#endif /* _VTAP_DECIDE_EVENT_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE decide_event
#include <trace/define_trace.h>
