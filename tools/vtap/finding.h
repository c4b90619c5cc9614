/* SPDX-License-Identifier: GPL-2.0 */
/* What vtap check works on, and what it finds. */
#ifndef VTAP_FINDING_H
#define VTAP_FINDING_H

#include "links.h"
#include "vtap.h"

/**
 * struct bound - What rules with these words are bound to.
 * @at: Numbers of the ports in check.ports.
 * @seen: Frames that passed these ports, at ingress and at egress.
 * @matched: Those of them that any rule matched.
 * @longest: The device of these ports with the highest MTU, NULL for none.
 */
struct bound {
	const char *port, *master;
	size_t *at, n;
	uint64_t seen[2], matched[2];
	const struct link *longest;
};

/* @shadow: The rule that takes all its frames, NULL for none. */
struct found_rule {
	struct view v;
	const char *tap;
	uint64_t id;
	const struct bound *bound;
	const struct found_rule *shadow;
};

/* A rule copies to a session of its tap. */
struct use {
	const char *session;
	const struct found_rule *rule;
};

/**
 * struct check - All that is looked at; what belongs to other taps is there as well.
 * @tap: The only tap that findings are about, NULL for all.
 * @problems: How many were found.
 */
struct check {
	const char *tap;
	struct msgs sessions, rule_msgs, ports;
	struct found_rule *rules;
	size_t n_rules;
	void *bounds;		/* of tsearch() */
	struct use *uses;
	size_t n_uses;
	struct links links;
	unsigned int problems;
};

enum severity {
	NOTE,		/* printed with -d only */
	PROBLEM,	/* makes the exit status 1 */
};

/* finding.c */
void finding(struct check *c, enum severity level, const struct object *o, const struct view *v,
	     const char *cause, const char *advice, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));
const char *say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *addr_text(const void *addr, size_t len);
const char *attr_addr(const struct nlattr *a);

/* bound.c */
int bound_get(struct check *c, struct found_rule *r);
void bounds_free(struct check *c);
void uses_get(struct check *c);
const struct use *uses_of(const struct check *c, const char *session, const char *tap, size_t *n);

/* collector.c */
const char *collector_receive(const struct view *s);
const char *collector_filter(const struct view *s);
unsigned int collector_overhead(const struct view *s);

/* check_session.c */
void check_sessions(struct check *c);

/* check_rule.c */
void check_rules(struct check *c);

/* shadow.c */
void shadows_get(struct check *c);

#endif
