// SPDX-License-Identifier: GPL-2.0
/* Taps: rules that are judged on their own, with the sessions that they name. */

#include <stdlib.h>
#include <string.h>

#include "vtap.h"

#define A(n)	.attr = VTAP_A_TAP_##n

static const struct word tap_words[] = {
	{ "name", &type_str, A(NAME), .flags = W_KEY | W_POS, .max = VTAP_NAME_MAX },
	{ "rules", &type_u32, A(RULES) },
	{ "sessions", &type_u32, A(SESSIONS) },
	{ "ports", &type_u32, A(PORTS) },
	{ "packets", &type_u64, A(PACKETS) },
	{ "bytes", &type_u64, A(BYTES) },
	{ "owner", &type_u32, A(OWNER) },
	{}
};

/* Made and deleted with what belongs to it, so it has no command but show, and no events. */
static const char *const tap_brief[] = { "name", "+rules", "+sessions", "+ports", NULL };

const struct object tap_object = {
	.name = "tap",
	.words = tap_words,
	.get = VTAP_CMD_TAP_GET,
	.ntf = NTF_NONE,
	.brief = tap_brief,
};

static struct nlattr *tap_attr(const struct object *o, const struct nlmsghdr *nlh)
{
	struct nlattr *a;

	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		if (o->tap && mnl_attr_get_type(a) == o->tap)
			return a;
	return NULL;
}

/* The tap that a rule or session belongs to. */
const char *tap_of(const struct object *o, const struct nlmsghdr *nlh)
{
	const struct nlattr *a = tap_attr(o, nlh);

	return a ? mnl_attr_get_str(a) : TAP_DEFAULT;
}

/**
 * tap_set - Put a rule or session of a file that is for one tap into this tap.
 * @nlh: Its message, which may be moved.
 *
 * Return: OK; USAGE after telling that it names another tap.
 */
int tap_set(const struct object *o, struct nlmsghdr **nlh, const char *tap)
{
	const struct nlattr *a = tap_attr(o, *nlh);

	if (a && strcmp(mnl_attr_get_str(a), tap))
		return usage("tap \"%s\" in a file that is applied to tap \"%s\"",
			     mnl_attr_get_str(a), tap);
	if (a)
		return OK;
	*nlh = check_mem(realloc(*nlh, (*nlh)->nlmsg_len + MNL_ATTR_HDRLEN +
				 MNL_ALIGN(strlen(tap) + 1)));
	mnl_attr_put_strz(*nlh, o->tap, tap);
	return OK;
}

/* Make the tap of a rule or session one of those attributes that nobody reads. */
void tap_hide(const struct object *o, struct nlmsghdr *nlh)
{
	struct nlattr *a = tap_attr(o, nlh);

	if (a)
		a->nla_type = 0;
}

/**
 * tap_arg - Read "tap NAME" in front of other arguments, if it is there.
 * @argv: Moved behind it.
 * @tap: Set to the name, or NULL.
 *
 * Return: OK; USAGE after telling what is wrong.
 */
int tap_arg(char ***argv, const char **tap)
{
	*tap = NULL;
	if (!**argv || strcmp(**argv, "tap"))
		return OK;
	if (!(*argv)[1])
		return usage("\"tap\" requires a value");
	*tap = (*argv)[1];
	*argv += 2;
	if (!**tap || strlen(*tap) > VTAP_NAME_MAX)
		return usage("\"%s\" is not the name of a tap, which has 1 to %u characters", *tap,
			     VTAP_NAME_MAX);
	return OK;
}
