/* SPDX-License-Identifier: GPL-2.0 */
/* What vtap check works on, and what it finds. */
#ifndef VTAP_FINDING_H
#define VTAP_FINDING_H

#include "links.h"
#include "vtap.h"

/**
 * struct found_rule - A rule and the ports that it is bound to.
 * @at: Numbers of the ports in check.ports.
 */
struct found_rule {
	struct view v;
	const char *tap;
	uint64_t id;
	size_t *at, n;
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
bool found_rule_names(const struct found_rule *r, const char *session);

/* collector.c */
const char *collector_receive(const struct view *s);
const char *collector_filter(const struct view *s);
unsigned int collector_overhead(const struct view *s);

/* check_session.c */
void check_sessions(struct check *c);

/* check_rule.c */
void check_rules(struct check *c);

/* shadow.c */
const struct found_rule *shadow_of(const struct check *c, const struct found_rule *r);

#endif
