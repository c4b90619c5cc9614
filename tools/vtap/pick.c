// SPDX-License-Identifier: GPL-2.0
/* The objects that words pick: some words the kernel compares, all others the tool. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "group.h"

/* Whether the kernel picks objects by this word. */
static bool by_kernel(const struct word *w)
{
	return w->flags & (W_KEY | W_PICK);
}

/* The request for what the kernel picks, of the message of all words; to be freed. */
static struct nlmsghdr *pick_request(const struct object *o, const struct nlmsghdr *nlh)
{
	struct nlmsghdr *req = msg_new(o->get);
	const struct word *w;
	struct view v;

	view_init(&v, o, nlh);
	for (w = o->words; w->name; w++)
		if (by_kernel(w) && v.tb[w->attr])
			mnl_attr_put(req, w->attr, mnl_attr_get_payload_len(v.tb[w->attr]),
				     mnl_attr_get_payload(v.tb[w->attr]));
	return req;
}

/* Whether an object has the words of @want that the kernel does not compare. */
static bool pick_same(const struct object *o, const struct view *want, const struct nlmsghdr *nlh)
{
	const struct word *w;
	bool same = true;
	struct view v;

	view_init(&v, o, nlh);
	for (w = o->words; same && w->name; w++) {
		char *a, *b;

		if (by_kernel(w) || !(w->flags & W_ADD) || !view_attr(want, w, w->attr))
			continue;
		if (w->flags & (W_MATCH | W_GROUP)) {
			same = w->type == &type_or || alts_picked(w, want, &v);
			continue;
		}
		a = word_text(o, w, want, false);
		b = word_text(o, w, &v, false);
		same = a && b ? !strcmp(a, b) : a == b;
		free(a);
		free(b);
	}
	return same;
}

/* What the kernel's answer is about; of dumps, older kernels do not tell. NULL for unknown. */
static const char *pick_blame(const struct object *o, const struct nlmsghdr *req,
			      const struct nl_error *e)
{
	const void *first = mnl_nlmsg_get_payload_offset(req, sizeof(struct genlmsghdr));
	const size_t len = mnl_nlmsg_get_payload_len(req) - sizeof(struct genlmsghdr);
	const char *kind = strstr(e->text ? e->text : "", "device") ? "port" : "session";
	uint32_t offset = e->offset;
	const struct nlattr *a;

	for (const struct word *w = o->words; !offset && e->code == ENOENT && w->name; w++)
		mnl_attr_for_each(a, req, sizeof(struct genlmsghdr))
			if (mnl_attr_get_type(a) == w->attr && !strcmp(w->name, kind))
				offset = (char *)a - (char *)req;
	return offset ? object_attr_name(o, req, first, len, offset) : NULL;
}

/**
 * pick_get - Get the object that is named, or all those that have the given words.
 * @nlh: The message of object_parse().
 * @m: Starts empty; the caller frees it, after an error as well.
 *
 * Return: OK, or REFUSED after printing why.
 */
int pick_get(const struct object *o, const struct nlmsghdr *nlh, struct msgs *m)
{
	struct nlmsghdr *req = pick_request(o, nlh);
	struct nl_error e;
	struct view want;
	size_t n = 0;
	int rc;

	view_init(&want, o, nlh);
	rc = want.tb[o->words->attr] ? nl_talk(req, msgs_keep, m, &e) : nl_dump_some(req, m, &e);
	nl_report(&e, pick_blame(o, req, &e));
	free(req);
	for (size_t i = 0; i < m->n; i++) {
		if (pick_same(o, &want, m->v[i]))
			m->v[n++] = m->v[i];
		else
			free(m->v[i]);
	}
	m->n = n;
	return rc;
}

/* Whether more than the key picks the objects. */
bool pick_many(const struct object *o, const struct nlmsghdr *nlh)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) != o->words->attr)
			return true;
	return false;
}

/**
 * pick_del - Delete the objects that have the given words in one transaction, and tell which.
 * @nlh: The message of object_parse(). Without the key or a tap, it is about the default tap.
 *
 * Return: OK, or REFUSED after printing why; then nothing has changed.
 */
int pick_del(const struct object *o, const struct nlmsghdr *nlh)
{
	struct nlmsghdr *picks = msg_dup(nlh);
	const uint16_t key = o->words->attr;
	struct txn txn = {};
	struct msgs m = {};
	struct view all;
	int rc = OK;

	view_init(&all, o, nlh);
	if (!all.tb[key] && !all.tb[o->tap])
		rc = tap_set(o, &picks, TAP_DEFAULT);
	if (!rc)
		rc = pick_get(o, picks, &m);
	free(picks);
	if (!rc && !m.n) {
		if (all.tb[key])
			err("the %s does not have these words", o->name);
		else
			err("no %s of tap \"%s\" has these words", o->name, tap_of(o, nlh));
		rc = REFUSED;
	}
	for (size_t i = 0; !rc && i < m.n; i++) {
		struct nlmsghdr *del = msg_new(VTAP_CMD_COMMIT);
		struct view v;

		view_init(&v, o, m.v[i]);
		mnl_attr_put(del, key, mnl_attr_get_payload_len(v.tb[key]),
			     mnl_attr_get_payload(v.tb[key]));
		txn_add(&txn, o, CMD_DEL, del, err_line, NULL);
		free(del);
	}
	if (!rc)
		rc = txn_send(&txn, err_file, false);
	if (!rc && opt.json)
		out_open(NULL, '[');
	for (size_t i = 0; !rc && opt.json && i < m.n; i++) {
		struct view v;

		view_init(&v, o, m.v[i]);
		out_open(NULL, '{');
		word_json(o->words, &v);
		out_close('}');
	}
	if (!rc && opt.json)
		out_close(']');
	else if (!rc)
		printf("%zu %s%s deleted\n", m.n, o->name, m.n == 1 ? "" : "s");
	msgs_free(&m);
	return rc;
}
