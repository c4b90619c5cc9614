// SPDX-License-Identifier: GPL-2.0
/* vtap check, rules: their ports, or why there are none, and what they match. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "finding.h"

#define FRAMES		1000	/* that no rule matches are worth a word */

#define problem(r, ...)	finding(c, PROBLEM, &rule_object, &(r)->v, __VA_ARGS__)
#define note(r, ...)	finding(c, NOTE, &rule_object, &(r)->v, __VA_ARGS__)

static bool is_pattern(const char *s)
{
	return strpbrk(s, "*?[\\");
}

/* The name of a device that comes nearest; of those with ports only, if @masters. */
static const char *nearest(const struct check *c, const char *name, bool masters)
{
	const char *near = NULL;

	for (size_t i = 0; i < c->links.n; i++)
		if (!masters || c->links.v[i].ports)
			hint_near(&near, name, c->links.v[i].name);
	return near ? say("the nearest name is %s", near) : "see \"ip link\"";
}

/* The kernel's word on why a device is no port of a rule. Return: NULL without such a device. */
static const char *reason_of(const char *name, bool *tappable)
{
	const char *why;
	uint32_t reason;

	if (!absent_ask(name, &why, &reason))
		return NULL;
	*tappable = !why || reason == VTAP_REASON_NO_RULE;
	return why ? why : "it is a port of other rules";
}

/* A file of the name that the rule has tells that the shell may have expanded a pattern. */
static bool was_expanded(const struct check *c, const char *port)
{
	size_t len = strcspn(port, "0123456789"), like = 0;

	if (!*port || is_pattern(port) || access(port, F_OK))
		return false;
	for (size_t i = 0; i < c->links.n; i++)
		like += strcmp(c->links.v[i].name, port) && !strncmp(c->links.v[i].name, port, len);
	return like;
}

static void check_unbound(struct check *c, const struct found_rule *r)
{
	const char *port = view_str(&r->v, VTAP_A_RULE_PORT), *why = NULL;
	const char *master = view_str(&r->v, VTAP_A_RULE_MASTER);
	const struct link *l = link_find(&c->links, master);
	bool tappable = true;

	if (*port && !is_pattern(port))
		why = reason_of(port, &tappable);
	if (!tappable)
		problem(r, "not-tappable", NULL, "%s cannot be tapped: %s", port, why);
	else if (*port && !is_pattern(port) && !why)
		problem(r, "no-port", nearest(c, port, false), "there is no device %s", port);
	else if (*master && !l)
		problem(r, "no-port", nearest(c, master, true), "there is no device %s", master);
	else if (*master && !l->ports)
		problem(r, "no-port", say("vtap rule set id %" PRIu64 " port %s no master", r->id,
					  master), "%s has no ports", master);
	else if (*port)
		problem(r, "no-port", *master ? say("see \"ip link show master %s\"", master) :
			nearest(c, port, false),
			*master ? "no port of %s matches %s" : "no device%s matches %s",
			master, port);
	else
		problem(r, "no-port", "see \"vtap port show\"", "it is bound to no device");
}

/* A bridge's own device has only what the host itself sends and receives. */
static void check_bridge(struct check *c, const struct found_rule *r)
{
	const char *port = view_str(&r->v, VTAP_A_RULE_PORT);
	const struct link *l = link_find(&c->links, port);

	if (l && l->ports && (!strcmp(l->kind, "bridge") || !strcmp(l->kind, "openvswitch")))
		problem(r, "bridge", say("for its ports, say master %s", port),
			"%s is a bridge, of which only the host's own frames are seen", port);
}

/*
 * Frames that have passed its ports in its directions, and those of them that rules matched. Few
 * frames say nothing: what the rule is for may still come.
 */
static void check_frames(struct check *c, const struct found_rule *r)
{
	const uint32_t dir = view_u64(&r->v, VTAP_A_RULE_DIR);
	uint64_t seen = 0, matched = 0;

	if (!r->bound->n || view_u64(&r->v, VTAP_A_RULE_PACKETS))
		return;
	for (size_t d = 0; d < 2; d++) {
		if (!(dir & (d ? VTAP_DIR_EGRESS : VTAP_DIR_INGRESS)))
			continue;
		seen += r->bound->seen[d];
		matched += r->bound->matched[d];
	}
	if (seen >= FRAMES && !matched)
		problem(r, "unmatched", "see dir and the match words",
			"%" PRIu64 " frames passed its ports, and no rule matched any of them",
			seen);
	else
		note(r, "no-frames", NULL, "it has matched no frame; its ports have seen %" PRIu64,
		     seen);
}

/* By bits of VTAP_A_PORT_UNSEEN: what a hook in these directions does not see. */
static const struct {
	uint32_t bit, dir;
	const char *what;
} unseen[] = {
	{ VTAP_UNSEEN_XDP, VTAP_DIR_INGRESS, "what its XDP program drops or redirects" },
	{ VTAP_UNSEEN_TC_REDIRECT, VTAP_DIR_EGRESS,
	  "what tc redirects at the ingress of a device" },
	{ VTAP_UNSEEN_XDP_SEND, VTAP_DIR_EGRESS, "what XDP programs send to it" },
};

/* Of the first port that has such frames. */
static void check_unseen(struct check *c, const struct found_rule *r)
{
	const uint32_t dir = view_u64(&r->v, VTAP_A_RULE_DIR);
	bool told = false;

	for (size_t i = 0; i < r->bound->n && !told; i++) {
		uint64_t bits;
		struct view v;

		view_init(&v, &port_object, c->ports.v[r->bound->at[i]]);
		bits = view_u64(&v, VTAP_A_PORT_UNSEEN);
		for (size_t j = 0; j < sizeof(unseen) / sizeof(*unseen); j++) {
			if (!(bits & unseen[j].bit) || !(dir & unseen[j].dir))
				continue;
			note(r, "unseen", NULL, "no hook of %s sees %s",
			     view_str(&v, VTAP_A_PORT_NAME), unseen[j].what);
			told = true;
		}
	}
}

void check_rules(struct check *c)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		const struct found_rule *r = &c->rules[i], *by = r->shadow;
		const struct bound *b = r->bound;
		const char *port = view_str(&r->v, VTAP_A_RULE_PORT);
		char names[64] = "";
		struct view v;

		if (!b->n)
			check_unbound(c, r);
		check_bridge(c, r);
		if (was_expanded(c, port))
			problem(r, "unquoted", "quote the pattern",
				"a file here is called %s: the shell may have put it there", port);
		if (by)
			problem(r, "shadowed", say("give it a lower pref than rule %" PRIu64 " has",
						   by->id),
				"rule %" PRIu64 " (pref %u, %s) takes all its frames", by->id,
				(unsigned int)view_u64(&by->v, VTAP_A_RULE_PREF),
				view_u64(&by->v, VTAP_A_RULE_ACTION) == VTAP_ACTION_SKIP ?
				"skip" : "mirror");
		else
			check_frames(c, r);
		check_unseen(c, r);
		for (size_t j = 0; j < b->n && j < 3; j++) {
			view_init(&v, &port_object, c->ports.v[b->at[j]]);
			snprintf(names + strlen(names), sizeof(names) - strlen(names), " %s",
				 view_str(&v, VTAP_A_PORT_NAME));
		}
		if (b->n)
			note(r, "ports", NULL, "bound to%s%s", names,
			     b->n > 3 ? say(" and %zu more", b->n - 3) : "");
	}
}
