// SPDX-License-Identifier: GPL-2.0
/* vtap check, sessions: their state and path, and what came back from the collector. */

#include <arpa/inet.h>
#include <string.h>
#include <net/if.h>

#include "finding.h"

#define FRESH_MS	60000	/* an older error may be past */
#define SLICE_HEADERS	512	/* bytes that slice leaves at most, as the module has it */
#define SHARE		1000	/* one copy in so many is worth a word */

struct path {
	struct check *c;
	const struct view *s;
	const char *name, *egress;
	char remote[INET6_ADDRSTRLEN];	/* "" for type port */
	struct route route;
	bool routed;
	const struct use *uses;		/* @n_uses rules that copy to it */
	size_t n_uses;
};

#define problem(p, ...)	finding((p)->c, PROBLEM, &session_object, (p)->s, __VA_ARGS__)
#define note(p, ...)	finding((p)->c, NOTE, &session_object, (p)->s, __VA_ARGS__)

/* The neighbour that copies go to. */
static const char *path_hop(const struct path *p)
{
	return p->route.via_len ? addr_text(p->route.via, p->route.via_len) : p->remote;
}

static void check_dev(struct path *p)
{
	const char *dev = view_str(p->s, VTAP_A_SESSION_DEV);
	const struct link *l = link_find(&p->c->links, *dev ? dev : p->egress);
	const char *near = NULL;

	if (l || !*dev) {
		const char *name = l ? l->name : "the egress device";

		problem(p, "no-device", say("ip link set %s up", l ? l->name : "DEV"),
			"%s %s", name, l && !(l->flags & IFF_UP) ? "is down" : "has no carrier");
		return;
	}
	for (size_t i = 0; i < p->c->links.n; i++)
		hint_near(&near, dev, p->c->links.v[i].name);
	problem(p, "no-device", near ? say("the nearest name is %s", near) : NULL,
		"there is no device %s", dev);
}

static void check_state(struct path *p)
{
	switch (view_u64(p->s, VTAP_A_SESSION_STATE)) {
	case VTAP_SESSION_STATE_RESOLVING:
		problem(p, "resolving", say("see \"ip neigh show %s\"", path_hop(p)),
			"the next hop %s does not answer", path_hop(p));
		break;
	case VTAP_SESSION_STATE_NO_ROUTE:
		problem(p, "no-route", say("see \"ip route get %s\"", p->remote),
			"there is no route to %s", p->remote);
		break;
	case VTAP_SESSION_STATE_NO_DEVICE:
		check_dev(p);
		break;
	case VTAP_SESSION_STATE_LOOP:
		problem(p, "loop", "exclude what carries the copies by a skip rule",
			"copies came back by port %s", view_str(p->s, VTAP_A_SESSION_LOOP_PORT));
		break;
	default:
		note(p, "path", NULL, p->route.via_len ? "active, by %s via %s, path MTU %u" :
		     *p->remote ? "active, by %s to %s, path MTU %u" :
		     "active, by %s%s, path MTU %u", p->egress,
		     *p->remote ? path_hop(p) : "",
		     (unsigned int)view_u64(p->s, VTAP_A_SESSION_PATH_MTU));
	}
}

/* What collectors and routers answered. */
static void check_icmp(struct path *p)
{
	const struct nlattr *icmp = p->s->tb[VTAP_A_SESSION_ICMP];
	const struct nlattr *from = nest_attr(icmp, VTAP_A_SESSION_ICMP_FROM);
	const uint64_t ago = nest_u64(icmp, VTAP_A_SESSION_ICMP_AGO);
	const char *kind, *who, *advice;

	if (!icmp)
		return;
	who = attr_addr(from);
	kind = icmp_name(from && mnl_attr_get_payload_len(from) == 16,
			 nest_u64(icmp, VTAP_A_SESSION_ICMP_TYPE),
			 nest_u64(icmp, VTAP_A_SESSION_ICMP_CODE));
	if (p->routed && p->route.local)
		advice = "remote is this host itself: set the collector's address";
	else if (!strcmp(kind, "protocol-unreachable") || !strcmp(kind, "port-unreachable"))
		advice = say("nothing receives there, run: %s", collector_receive(p->s));
	else if (!strcmp(kind, "time-exceeded"))
		advice = "raise ttl, or look for a routing loop";
	else if (!strcmp(kind, "prohibited"))
		advice = "a firewall there refuses the copies";
	else
		advice = say("see \"ip route get %s\" there", p->remote);
	finding(p->c, ago < FRESH_MS ? PROBLEM : NOTE, &session_object, p->s, "unreachable", advice,
		"%s says %s (%" PRIu64 " times, %" PRIu64 " s ago)", who, kind,
		nest_u64(icmp, VTAP_A_SESSION_ICMP_ERRORS), ago / 1000);
}

static void check_drops(struct path *p)
{
	static const struct {
		uint16_t attr;
		const char *cause, *text, *advice;
	} drops[] = {
		{ VTAP_A_SESSION_STATS_DROP_MTU, "drop_mtu", "were longer than the path MTU",
		  "set mtu fragment, or raise the MTU" },
		{ VTAP_A_SESSION_STATS_DROP_RATE, "drop_rate", "were above rate or pps",
		  "raise the limit" },
		{ VTAP_A_SESSION_STATS_DROP_XMIT, "drop_xmit", "were refused by the device's queue",
		  "see \"tc -s qdisc show\"" },
		{ VTAP_A_SESSION_STATS_DROP_NOMEM, "drop_nomem", "found no memory", NULL },
		{ VTAP_A_SESSION_STATS_DROP_FRAME, "drop_frame", "are of a form that cannot be copied",
		  NULL },
	};
	const struct nlattr *stats = p->s->tb[VTAP_A_SESSION_STATS];
	const uint64_t matched = nest_u64(stats, VTAP_A_SESSION_STATS_MATCHED);

	for (size_t i = 0; i < sizeof(drops) / sizeof(*drops); i++) {
		const uint64_t n = nest_u64(stats, drops[i].attr);

		if (n && n * SHARE >= matched)
			problem(p, drops[i].cause, drops[i].advice,
				"%" PRIu64 " of %" PRIu64 " copies %s", n, matched, drops[i].text);
	}
}

/* The largest frame of the ports that are copied to it, against the path MTU. */
static void check_mtu(struct path *p)
{
	const unsigned int overhead = collector_overhead(p->s);
	const unsigned int mtu = view_u64(p->s, VTAP_A_SESSION_PATH_MTU);
	const unsigned int snaplen = view_u64(p->s, VTAP_A_SESSION_SNAPLEN);
	const unsigned int policy = view_u64(p->s, VTAP_A_SESSION_MTU);
	const unsigned int sliced = SLICE_HEADERS + view_u64(p->s, VTAP_A_SESSION_SLICE_MORE);
	const char *port = NULL;
	unsigned int frame = 0;

	for (size_t i = 0; i < p->n_uses; i++) {
		const struct link *l = p->uses[i].rule->bound->longest;

		if (!l || l->mtu + 14 <= frame)
			continue;
		frame = l->mtu + 14;
		port = l->name;
	}
	if (snaplen && snaplen < frame)
		frame = snaplen;
	if (view_u64(p->s, VTAP_A_SESSION_SLICE) && sliced < frame)
		frame = sliced;
	if (!mtu || !frame || frame + overhead <= mtu)
		return;
	finding(p->c, policy == VTAP_MTU_POLICY_DROP ? PROBLEM : NOTE, &session_object, p->s, "mtu",
		say("raise the MTU of %s to %u", p->egress, frame + overhead),
		"copies of %s take up to %u bytes, path MTU %u: long ones are %s", port,
		frame + overhead, mtu, policy == VTAP_MTU_POLICY_DROP ? "dropped" :
		policy == VTAP_MTU_POLICY_TRUNCATE ? "cut" : "fragmented");
}

/* The number of a port in check.ports; their number if there is none of this name. */
static size_t port_number(const struct check *c, const char *port)
{
	struct view v;
	size_t i;

	for (i = 0; i < c->ports.n; i++) {
		view_init(&v, &port_object, c->ports.v[i]);
		if (!strcmp(view_str(&v, VTAP_A_PORT_NAME), port))
			break;
	}
	return i;
}

static bool is_on_port(const struct bound *b, size_t port)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->at[i] == port)
			return true;
	return false;
}

/*
 * Is all of a port's traffic in a direction copied? A skip rule in front may be there to exclude
 * our copies. Return: the rule, or NULL.
 */
static const struct found_rule *copies_all(const struct check *c, const char *port, uint32_t dir)
{
	const size_t number = port_number(c, port);
	const char *skipped = "";

	for (size_t i = 0; i < c->n_rules; i++) {
		const struct found_rule *r = &c->rules[i];

		if (!(view_u64(&r->v, VTAP_A_RULE_DIR) & dir) || !is_on_port(r->bound, number))
			continue;
		if (view_u64(&r->v, VTAP_A_RULE_ACTION) == VTAP_ACTION_SKIP)
			skipped = r->tap;
		else if (!r->v.tb[VTAP_A_RULE_MATCH] && !r->v.tb[VTAP_A_RULE_FILTER] &&
			 !r->v.tb[VTAP_A_RULE_MAC] && strcmp(skipped, r->tap))
			return r;
	}
	return NULL;
}

/*
 * Copies that leave by the underlay are known by their headers, and are not copied again. Those
 * in a tunnel are not, nor are raw ones that come back.
 */
static void check_loop(struct path *p)
{
	const struct link *l = link_find(&p->c->links, p->egress);
	const bool raw = view_u64(p->s, VTAP_A_SESSION_TYPE) == VTAP_SESSION_TYPE_PORT;
	const struct found_rule *r;
	struct route route;

	r = raw && l ? copies_all(p->c, l->name, VTAP_DIR_INGRESS) : NULL;
	if (r)
		problem(p, "loop-ahead", say("exclude %s from rule %" PRIu64, l->name, r->id),
			"raw copies go to %s, which rule %" PRIu64 " taps", l->name, r->id);
	if (!l || !l->tunnel)
		return;
	if (!l->remote_len) {
		note(p, "tunnel", "do not tap the device that carries it",
		     "copies leave by the tunnel %s", l->name);
		return;
	}
	if (!route_get(&route, l->remote, l->remote_len, 0))
		return;
	l = link_by_index(&p->c->links, route.dev);
	r = l ? copies_all(p->c, l->name, VTAP_DIR_EGRESS) : NULL;
	if (r)
		problem(p, "loop-ahead", say("put a skip rule for the tunnel before rule %" PRIu64,
					     r->id),
			"its tunnel %s leaves by %s, which rule %" PRIu64 " taps", p->egress,
			l->name, r->id);
}

static void check_used(struct path *p)
{
	if (!p->n_uses)
		problem(p, "unused", say("vtap rule add ... action mirror %s", p->name),
			"no rule copies to it");
}

void check_sessions(struct check *c)
{
	for (size_t i = 0; i < c->sessions.n; i++) {
		const struct nlattr *remote;
		const struct link *l;
		struct view s;
		struct path p = { .c = c, .s = &s };

		view_init(&s, &session_object, c->sessions.v[i]);
		remote = s.tb[VTAP_A_SESSION_REMOTE];
		p.name = view_str(&s, VTAP_A_SESSION_NAME);
		p.egress = view_str(&s, VTAP_A_SESSION_EGRESS);
		p.uses = uses_of(c, p.name, tap_of(&session_object, s.nlh), &p.n_uses);
		snprintf(p.remote, sizeof(p.remote), "%s", attr_addr(remote));
		l = link_find(&c->links, view_str(&s, VTAP_A_SESSION_DEV));
		p.routed = remote && route_get(&p.route, mnl_attr_get_payload(remote),
					       mnl_attr_get_payload_len(remote), l ? l->index : 0);
		check_state(&p);
		check_used(&p);
		check_icmp(&p);
		check_mtu(&p);
		check_drops(&p);
		check_loop(&p);
		note(&p, "receive", NULL, "at the collector: %s", collector_receive(&s));
		if (remote)
			note(&p, "receive", NULL, "at the collector: tcpdump -ni any %s",
			     collector_filter(&s));
	}
}
