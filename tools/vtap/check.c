// SPDX-License-Identifier: GPL-2.0
/* vtap check: why do no copies arrive? */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "finding.h"

/*
 * The ports of a rule, as numbers of those in @c->ports, which are in the order of their index.
 * A rule that has just been deleted has none.
 */
static int rule_ports(struct check *c, struct found_rule *r)
{
	struct nlmsghdr *req = msg_new(VTAP_CMD_PORT_GET);
	struct view port, mine;
	struct msgs m = {};
	struct nl_error e;
	int rc;

	mnl_attr_put_u64(req, VTAP_A_PORT_RULE, r->id);
	rc = nl_dump_some(req, &m, &e);
	if (rc && e.code == ENOENT)
		rc = OK;
	else
		nl_report(&e, NULL);
	r->at = check_mem(calloc(m.n + 1, sizeof(*r->at)));
	for (size_t i = 0, j = 0; !rc && i < m.n && j < c->ports.n; j++) {
		view_init(&mine, &port_object, m.v[i]);
		view_init(&port, &port_object, c->ports.v[j]);
		if (view_u64(&mine, VTAP_A_PORT_IFINDEX) != view_u64(&port, VTAP_A_PORT_IFINDEX))
			continue;
		r->at[r->n++] = j;
		i++;
	}
	msgs_free(&m);
	free(req);
	return rc;
}

/* Get all that there is, also of other taps. */
static int check_get(struct check *c)
{
	int rc = nl_dump(VTAP_CMD_SESSION_GET, &c->sessions);

	if (!rc)
		rc = nl_dump(VTAP_CMD_RULE_GET, &c->rule_msgs);
	if (!rc)
		rc = nl_dump(VTAP_CMD_PORT_GET, &c->ports);
	if (!rc)
		rc = links_get(&c->links);
	c->rules = check_mem(calloc(c->rule_msgs.n + 1, sizeof(*c->rules)));
	for (size_t i = 0; !rc && i < c->rule_msgs.n; i++) {
		struct found_rule *r = &c->rules[c->n_rules++];

		view_init(&r->v, &rule_object, c->rule_msgs.v[i]);
		r->tap = tap_of(&rule_object, r->v.nlh);
		r->id = view_u64(&r->v, VTAP_A_RULE_ID);
		if (view_u64(&r->v, VTAP_A_RULE_PORTS))
			rc = rule_ports(c, r);
	}
	return rc;
}

static bool is_empty(const struct check *c)
{
	for (size_t i = 0; i < c->sessions.n; i++)
		if (!c->tap || !strcmp(c->tap, tap_of(&session_object, c->sessions.v[i])))
			return false;
	for (size_t i = 0; i < c->n_rules; i++)
		if (!c->tap || !strcmp(c->tap, c->rules[i].tap))
			return false;
	return true;
}

/* Return: OK when all is well, REFUSED when something is wrong, USAGE. */
int check_run(char **argv)
{
	struct check c = {};
	int rc = tap_arg(&argv, &c.tap);

	if (rc)
		return rc;
	if (*argv)
		return usage("unexpected \"%s\" after \"check\"", *argv);
	rc = check_get(&c);
	if (!rc && opt.json)
		out_open(NULL, '[');
	if (!rc && is_empty(&c))
		finding(&c, PROBLEM, &tap_object, NULL, "empty",
			"vtap apply /etc/vtap/vtap.conf", "there are no sessions and no rules");
	if (!rc) {
		check_sessions(&c);
		check_rules(&c);
	}
	if (!rc && opt.json)
		out_close(']');
	if (!rc && c.problems)
		rc = REFUSED;
	for (size_t i = 0; i < c.n_rules; i++)
		free(c.rules[i].at);
	free(c.rules);
	free(c.links.v);
	msgs_free(&c.sessions);
	msgs_free(&c.rule_msgs);
	msgs_free(&c.ports);
	return rc;
}
