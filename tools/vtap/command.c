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

static int object_show(const struct object *o, const struct nlmsghdr *nlh)
{
	struct msgs m = {};
	int rc = pick_get(o, nlh, &m);

	if (!rc && m.n == 1)
		rc = object_check(o, m.v[0]);
	if (!rc && opt.json)
		out_open(NULL, '[');
	if (!rc && opt.brief && !opt.json)
		brief_print(o, &m);
	else
		for (size_t i = 0; !rc && i < m.n; i++)
			object_print(o, m.v[i], NULL);
	if (!rc && opt.json)
		out_close(']');
	msgs_free(&m);
	return rc;
}

/* Find the command that an argument names. Return: OK, or USAGE after printing what is wrong. */
static int command_find(const struct object *o, const char *arg, enum command *cmd)
{
	const char *names[CMDS + 1], *name, *hint;
	size_t n = 0;
	int rc;

	for (*cmd = CMD_SHOW; *cmd < CMDS; (*cmd)++)
		if (*cmd == CMD_SHOW || o->change[*cmd])
			names[n++] = commands[*cmd].name;
	names[n] = NULL;
	rc = hint_option(arg);
	if (!rc)
		rc = name_pick(names, arg, &name);
	if (rc)
		return rc;
	if (!name) {
		hint = hint_name(names, arg);
		return hint ? usage("\"%s\" is not a command of \"%s\": did you mean \"%s\"?",
				    arg, o->name, hint) :
			      usage("\"%s\" is not a command of \"%s\", see \"vtap %s help\"",
				    arg, o->name, o->name);
	}
	for (*cmd = CMD_SHOW; strcmp(commands[*cmd].name, name); (*cmd)++)
		;
	return OK;
}

static int command_run(const struct object *o, enum command cmd, const struct nlmsghdr *nlh,
		       struct txn *txn)
{
	struct txn single = {};
	int rc;

	if (cmd == CMD_SHOW) {
		rc = txn ? txn_send(txn, err_file, true) : OK;
		return rc ? rc : object_show(o, nlh);
	}
	if (cmd == CMD_DEL && !(o->words->flags & W_POS) && pick_many(o, nlh))
		return txn ? usage("%s del in a file takes an id alone: see \"%s flush\"", o->name,
				   o->name) : pick_del(o, nlh);
	txn_add(txn ? txn : &single, o, cmd, nlh, err_line, NULL);
	return txn ? OK : txn_send(&single, err_file, true);
}

/**
 * object_run - Carry out a command.
 * @argv: The words behind the object.
 * @txn: If not NULL, changes are added to it, and other commands send it first.
 */
int object_run(const struct object *o, char **argv, struct txn *txn)
{
	enum command cmd = CMD_SHOW;
	struct nlmsghdr *nlh;
	int rc;

	if (*argv) {
		if (!strcmp(*argv, "help") || !strcmp(*argv, "-h")) {
			object_help(o);
			return OK;
		}
		rc = command_find(o, *argv++, &cmd);
		if (rc)
			return rc;
	}
	rc = object_parse(o, cmd, argv, &nlh);
	if (rc)
		return rc;
	if (cmd == CMD_ADD)
		rc = need_check(o, nlh);
	if (!rc)
		rc = command_run(o, cmd, nlh, txn);
	free(nlh);
	return rc;
}
