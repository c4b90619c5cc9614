// SPDX-License-Identifier: GPL-2.0
/* The commands on objects. */

#include <stdlib.h>
#include <string.h>

#include "vtap.h"

/* Return: OK, or REFUSED after telling why there is no such object. */
static int object_check(const struct object *o, const struct nlmsghdr *nlh)
{
	const char *why;
	struct view v;

	if (!o->absent)
		return OK;
	view_init(&v, o, nlh);
	why = o->absent(&v);
	if (!why)
		return OK;
	err("%s: %s", mnl_attr_get_str(v.tb[o->words->attr]), why);
	return REFUSED;
}

/* Print the kernel's answer to a request; an error names the keyword that was refused. */
static void object_report(const struct object *o, const struct nlmsghdr *req,
			  const struct nl_error *e)
{
	const void *first = mnl_nlmsg_get_payload_offset(req, sizeof(struct genlmsghdr));
	size_t len = mnl_nlmsg_get_payload_len(req) - sizeof(struct genlmsghdr);

	nl_report(e, e->offset ? object_attr_name(o, req, first, len, e->offset) : NULL);
}

static int object_show(const struct object *o, struct nlmsghdr *nlh)
{
	const struct nlattr *a;
	struct msgs m = {};
	struct nl_error e;
	bool one = false;
	int rc;

	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		one |= mnl_attr_get_type(a) == o->words->attr;
	rc = one ? nl_talk(nlh, msgs_keep, &m, &e) : nl_dump_some(nlh, &m, &e);
	object_report(o, nlh, &e);
	if (!rc && one && m.n)
		rc = object_check(o, m.v[0]);
	if (!rc && opt.json)
		out_open(NULL, '[');
	for (size_t i = 0; !rc && i < m.n; i++)
		object_print(o, m.v[i], NULL);
	if (!rc && opt.json)
		out_close(']');
	msgs_free(&m);
	return rc;
}

/**
 * object_run - Carry out a command.
 * @argv: The words behind the object.
 * @txn: If not NULL, changes are added to it, and other commands send it first.
 */
int object_run(const struct object *o, char **argv, struct txn *txn)
{
	enum command cmd = CMD_SHOW;
	struct txn single = {};
	struct nlmsghdr *nlh;
	int rc;

	if (*argv) {
		if (!strcmp(*argv, "help")) {
			object_help(o);
			return OK;
		}
		while (cmd < CMDS && ((cmd != CMD_SHOW && !o->change[cmd]) ||
				      strcmp(*argv, commands[cmd].name)))
			cmd++;
		if (cmd == CMDS)
			return usage("\"%s\" is not a command of \"%s\", see \"vtap %s help\"",
				     *argv, o->name, o->name);
		argv++;
	}
	rc = object_parse(o, cmd, argv, &nlh);
	if (rc)
		return rc;
	if (cmd == CMD_SHOW) {
		if (txn)
			rc = txn_send(txn, err_file, true);
		if (!rc)
			rc = object_show(o, nlh);
	} else {
		txn_add(txn ? txn : &single, o, cmd, nlh, err_line, NULL);
		if (!txn)
			rc = txn_send(&single, err_file, true);
	}
	free(nlh);
	return rc;
}
