// SPDX-License-Identifier: GPL-2.0
/* What add must be given. */

#include "vtap.h"

static const char *need_session(const struct view *v)
{
	const struct nlattr *type = v->tb[VTAP_A_SESSION_TYPE];

	if (!type)
		return "\"type\"";
	if (!v->tb[VTAP_A_SESSION_REMOTE] && attr_num(type) != VTAP_SESSION_TYPE_PORT)
		return "\"remote\"";
	return NULL;
}

static const char *need_rule(const struct view *v)
{
	if (!v->tb[VTAP_A_RULE_PREF])
		return "\"pref\"";
	if (!v->tb[VTAP_A_RULE_PORT] && !v->tb[VTAP_A_RULE_MASTER] && !v->tb[VTAP_A_RULE_MAC])
		return "one of \"port\", \"master\" and \"mac\"";
	if (!v->tb[VTAP_A_RULE_ACTION])
		return "\"action\"";
	return NULL;
}

/**
 * need_check - Look for the words without which there is no session or rule.
 * @nlh: The message of object_parse() for add.
 *
 * Return: OK; USAGE after telling which one is not given.
 */
int need_check(const struct object *o, const struct nlmsghdr *nlh)
{
	const char *word;
	struct view v;

	view_init(&v, o, nlh);
	word = o == &session_object ? need_session(&v) : need_rule(&v);
	return word ? usage("%s add: %s is required", o->name, word) : OK;
}
