// SPDX-License-Identifier: GPL-2.0
/* vtap check: why do no copies arrive? */

#include <stdlib.h>
#include <string.h>

#include "finding.h"

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
		rc = bound_get(c, r);
	}
	uses_get(c);
	shadows_get(c);
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
	bounds_free(&c);
	free(c.uses);
	free(c.rules);
	free(c.links.v);
	msgs_free(&c.sessions);
	msgs_free(&c.rule_msgs);
	msgs_free(&c.ports);
	return rc;
}
