// SPDX-License-Identifier: GPL-2.0
/* Transactions: changes in one message, which the kernel makes together or not at all. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vtap.h"

/* Append to the message, which grows at powers of two. */
static void *txn_room(struct txn *t, size_t len)
{
	void *room;

	if (!t->nlh) {
		t->size = MSG_MAX;
		t->nlh = msg_new(VTAP_CMD_COMMIT);
	}
	while (t->nlh->nlmsg_len + len > t->size) {
		t->size *= 2;
		t->nlh = check_mem(realloc(t->nlh, t->size));
	}
	room = mnl_nlmsg_get_payload_tail(t->nlh);
	memset(room, 0, len);
	t->nlh->nlmsg_len += len;
	return room;
}

/**
 * txn_add - Put a command at the end of a transaction.
 * @nlh: The command's message; still the caller's.
 * @text: For messages if @line is 0; must live as long as @t.
 */
void txn_add(struct txn *t, const struct object *o, enum command cmd,
	     const struct nlmsghdr *nlh, int line, const char *text)
{
	size_t len = mnl_nlmsg_get_payload_len(nlh) - sizeof(struct genlmsghdr);
	struct nlattr *a = txn_room(t, 2 * sizeof(*a) + len);

	a[0].nla_len = 2 * sizeof(*a) + len;
	a[0].nla_type = VTAP_A_COMMIT_CHANGE | NLA_F_NESTED;
	a[1].nla_len = sizeof(*a) + len;
	a[1].nla_type = o->change[cmd] | NLA_F_NESTED;
	memcpy(a + 2, mnl_nlmsg_get_payload_offset(nlh, sizeof(struct genlmsghdr)), len);

	if (!(t->n & (t->n + 1)))
		t->v = check_mem(realloc(t->v, 2 * (t->n + 1) * sizeof(*t->v)));
	t->v[t->n++] = (struct txn_change){
		.o = o, .cmd = cmd, .line = line, .text = text, .file = err_file,
		.end = t->nlh->nlmsg_len,
	};
}

/* The change that an offset in the message belongs to. */
static const struct txn_change *txn_find(const struct txn *t, uint32_t offset)
{
	for (size_t i = 0; i < t->n; i++)
		if (offset < t->v[i].end)
			return &t->v[i];
	return NULL;
}

/* Makes messages name the place that was refused. Return: the keyword, NULL for none. */
static const char *txn_blame(const struct txn *t, uint32_t offset)
{
	const struct txn_change *c = txn_find(t, offset);
	const struct nlattr *nest;

	if (!c)
		return NULL;
	if (c->file) {
		err_file = c->file;
		err_line = c->line;
	} else {
		err_file = c->text;
	}
	nest = (void *)((char *)t->nlh + (c > t->v ? c[-1].end : MNL_NLMSG_HDRLEN +
							MNL_ALIGN(sizeof(struct genlmsghdr))));
	return object_attr_name(c->o, t->nlh, nest + 2,
				(char *)t->nlh + c->end - (char *)(nest + 2), offset);
}

/*
 * Have the kernel refuse the transaction once it has taken all its changes: the
 * last one then is about a session that cannot exist.
 */
void txn_only_check(struct txn *t)
{
	struct nlmsghdr *nlh = msg_new(VTAP_CMD_COMMIT);

	mnl_attr_put_strz(nlh, VTAP_A_SESSION_NAME, "!");
	txn_add(t, &session_object, CMD_DEL, nlh, 0, NULL);
	free(nlh);
	t->check = true;
}

/* Whether an error is about that last change. */
static bool txn_passed(const struct txn *t, const struct nl_error *e)
{
	return t->check && e->code && e->offset && txn_find(t, e->offset) == &t->v[t->n - 1];
}

/*
 * Of a deletion of sessions alone, name the rules that stand in its way: behind
 * other changes, they may not be those that there are now.
 */
static bool txn_busy(const struct txn *t, const struct nl_error *e)
{
	const char *name = NULL, *tap = TAP_DEFAULT;
	const struct nlattr *change, *a;

	if (t->n != 1 || e->code != EBUSY || t->v[0].o != &session_object)
		return false;
	change = (void *)((char *)mnl_nlmsg_get_payload_offset(t->nlh, sizeof(struct genlmsghdr)) +
			  MNL_ATTR_HDRLEN);
	mnl_attr_for_each_nested(a, change) {
		if (mnl_attr_get_type(a) == VTAP_A_SESSION_NAME)
			name = mnl_attr_get_str(a);
		else if (mnl_attr_get_type(a) == VTAP_A_SESSION_TAP)
			tap = mnl_attr_get_str(a);
		else
			return false;
	}
	return busy_report(name, tap);
}

static void txn_reply(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *a;
	uint64_t *id = data;

	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == VTAP_A_COMMIT_FIRST_ID)
			*id = attr_num(a);
}

/**
 * txn_send - Send the changes collected so far, and empty the transaction.
 * @file: The file they come from, for messages.
 * @keys: Print the keys that the kernel assigned.
 *
 * Return: OK, or REFUSED after printing why; then nothing has changed.
 */
int txn_send(struct txn *t, const char *file, bool keys)
{
	const char *outer_file = err_file;
	int outer_line = err_line;
	uint64_t id = 0;
	struct nl_error e;
	int rc = OK;

	if (t->n) {
		err_file = file;
		err_line = t->n == 1 ? t->v[0].line : 0;
		rc = nl_talk(t->nlh, txn_reply, &id, &e);
		if (txn_passed(t, &e))
			rc = OK;
		else if (!txn_busy(t, &e))
			nl_report(&e, e.offset ? txn_blame(t, e.offset) : NULL);
		err_file = outer_file;
		err_line = outer_line;
	}
	for (size_t i = 0; !rc && keys && i < t->n; i++)
		if (t->v[i].o == &rule_object && t->v[i].cmd == CMD_ADD)
			object_print_key(t->v[i].o, id++);
	txn_free(t);
	return rc;
}

void txn_free(struct txn *t)
{
	free(t->nlh);
	free(t->v);
	*t = (struct txn){};
}
