// SPDX-License-Identifier: GPL-2.0
/* Which rules keep a session from being deleted. */

#include <stdlib.h>

#include "vtap.h"

/* The first session that a rule names, NULL for none. */
static const char *rule_session(const struct nlmsghdr *nlh)
{
	struct view v;

	view_init(&v, &rule_object, nlh);
	return v.tb[VTAP_A_RULE_SESSION] ? mnl_attr_get_str(v.tb[VTAP_A_RULE_SESSION]) : NULL;
}

/**
 * busy_report - Name the rules that use what the kernel did not delete.
 * @name: The session, NULL for any of the tap.
 *
 * Return: Whether there still are some, and have been named.
 */
bool busy_report(const char *name, const char *tap)
{
	struct nlmsghdr *req = msg_new(VTAP_CMD_RULE_GET);
	size_t users = 0, first = 0;
	struct msgs m = {};
	struct nl_error e;
	struct view v;

	mnl_attr_put_strz(req, VTAP_A_RULE_TAP, tap);
	if (name)
		mnl_attr_put_strz(req, VTAP_A_RULE_SESSION, name);
	if (!nl_dump_some(req, &m, &e)) {
		for (size_t i = m.n; i--;) {
			if (!rule_session(m.v[i]))
				continue;
			first = i;
			users++;
		}
	}
	free(req);
	if (users) {
		char more[40] = "";

		view_init(&v, &rule_object, m.v[first]);
		if (users > 1)
			snprintf(more, sizeof(more), " and %zu more", users - 1);
		err("session \"%s\" is used by rule %" PRIu64 " (pref %" PRIu64 ")%s",
		    name ? name : rule_session(m.v[first]), view_u64(&v, VTAP_A_RULE_ID),
		    view_u64(&v, VTAP_A_RULE_PREF), name ? more : "");
	}
	msgs_free(&m);
	return users;
}
