// SPDX-License-Identifier: GPL-2.0
/* The rates of all objects of a kind. */

#include <stdlib.h>
#include <string.h>

#include "counter.h"
#include "rates.h"

#define S(n)	VTAP_A_SESSION_STATS_##n
#define P(n)	VTAP_A_PORT_STATS_##n

const struct rates_kind rates_kinds[] = {
	{ &session_object, {{ VTAP_A_SESSION_STATS, NULL }}, {
		{ "MATCH", "matched", S(MATCHED) }, { "SENT", "sent", S(SENT) },
		{ "BYTES", "bytes", S(BYTES) }, { "INACT", "drop_inactive", S(DROP_INACTIVE) },
		{ "NOMEM", "drop_nomem", S(DROP_NOMEM) }, { "MTU", "drop_mtu", S(DROP_MTU) },
		{ "RATE", "drop_rate", S(DROP_RATE) }, { "XMIT", "drop_xmit", S(DROP_XMIT) },
		{ "LOOP", "drop_loop", S(DROP_LOOP) }, { "FRAME", "drop_frame", S(DROP_FRAME) },
	} },
	{ &port_object, {{ VTAP_A_PORT_INGRESS, "ingress" }, { VTAP_A_PORT_EGRESS, "egress" }}, {
		{ "SEEN", "seen", P(SEEN) }, { "MATCH", "matched", P(MATCHED) },
		{ "UNMAT", "unmatched", P(UNMATCHED) }, { "OWN", "own", P(OWN) },
		{ "DUP", "dup", P(DUP) },
	} },
	{ &rule_object, {}, {
		{ "MATCH", "packets", VTAP_A_RULE_PACKETS },
		{ "BYTES", "bytes", VTAP_A_RULE_BYTES },
	} },
	{ &tap_object, {}, {
		{ "MATCH", "packets", VTAP_A_TAP_PACKETS }, { "BYTES", "bytes", VTAP_A_TAP_BYTES },
	} },
	{}
};

const struct rates_kind *rates_kind_find(const char *name)
{
	const struct rates_kind *kind = rates_kinds;

	while (kind->o && strcmp(kind->o->name, name))
		kind++;
	return kind->o ? kind : NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct rates_row *ra = a, *rb = b;

	return strcmp(ra->name, rb->name);
}

static int by_rate(const void *a, const void *b, void *data)
{
	unsigned int column = *(unsigned int *)data;
	const struct rates_row *ra = a, *rb = b;

	if (ra->rate[column] != rb->rate[column])
		return ra->rate[column] < rb->rate[column] ? 1 : -1;
	return by_name(a, b);
}

void rates_sort(struct rates *r, unsigned int column)
{
	if (r->n)
		qsort_r(r->v, r->n, sizeof(*r->v), by_rate, &column);
}

void rates_free(struct rates *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].name);
		free(r->v[i].key);
		free(r->v[i].tap);
		free(r->v[i].text);
	}
	free(r->v);
	*r = (struct rates){};
}

static void row_fill(struct rates_row *row, const struct rates_kind *kind, const struct view *v,
		     int part)
{
	const struct object *o = kind->o;
	bool other_tap = o->tap && strcmp(tap_of(o, v->nlh), TAP_DEFAULT);

	*row = (struct rates_row){ .key = counter_label(o, v, o->words->name) };
	row->tap = o->tap ? check_mem(strdup(tap_of(o, v->nlh))) : NULL;
	row->part = kind->parts[part].name;
	if (asprintf(&row->name, "%s%s%s%s%.3s", other_tap ? row->tap : "", other_tap ? "/" : "",
		     row->key, row->part ? " " : "", row->part ? row->part : "") < 0)
		check_mem(NULL);
	if (o == &rule_object)
		row->text = object_text(o, v->nlh);
	for (int i = 0; kind->columns[i].head; i++)
		row->count[i] = counter_read(v, kind->parts[part].nest, kind->columns[i].attr);
}

/* An object that is new, or whose counters began anew, has counted from 0. */
static void row_rate(struct rates_row *row, const struct rates_row *old, double seconds)
{
	for (int i = 0; i < RATES_MAX; i++) {
		uint64_t from = old && old->count[i] <= row->count[i] ? old->count[i] : 0;

		row->rate[i] = seconds > 0 ? (row->count[i] - from) / seconds : 0;
	}
}

double rates_seconds(const struct timespec *from, const struct timespec *to)
{
	return to->tv_sec - from->tv_sec + (to->tv_nsec - from->tv_nsec) / 1e9;
}

/**
 * rates_read - Read the counters of all objects of a kind.
 * @r: Has the counters read before, from which the rates follow if they are of the same kind.
 * @e: As in nl_talk().
 *
 * Return: OK or REFUSED.
 */
int rates_read(struct rates *r, const struct rates_kind *kind, struct nl_error *e)
{
	struct nlmsghdr *req = msg_new(kind->o->get);
	int parts = kind->parts[1].nest ? 2 : 1;
	struct rates new = { .kind = kind };
	struct rates_row *row, *old;
	struct msgs m = {};
	struct view v;
	int rc;

	rc = nl_dump_some(req, &m, e);
	free(req);
	if (rc) {
		msgs_free(&m);
		return rc;
	}
	clock_gettime(CLOCK_MONOTONIC, &new.at);
	if (r->kind == kind) {
		new.seconds = rates_seconds(&r->at, &new.at);
		if (r->n)
			qsort(r->v, r->n, sizeof(*r->v), by_name);
	}
	new.v = check_mem(calloc(m.n * parts + 1, sizeof(*new.v)));
	for (size_t i = 0; i < m.n; i++) {
		view_init(&v, kind->o, m.v[i]);
		for (int part = 0; part < parts; part++) {
			row = &new.v[new.n++];
			row_fill(row, kind, &v, part);
			old = r->kind == kind && r->n ?
			      bsearch(row, r->v, r->n, sizeof(*row), by_name) : NULL;
			row_rate(row, old, new.seconds);
		}
	}
	msgs_free(&m);
	rates_free(r);
	*r = new;
	return OK;
}
