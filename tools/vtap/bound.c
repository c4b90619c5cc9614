// SPDX-License-Identifier: GPL-2.0
/*
 * The ports of each rule, and the rules of each session, for vtap check. Rules that name their
 * ports alike are bound alike, so the kernel is asked once for all of them.
 */

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "finding.h"

static int bound_cmp(const void *a, const void *b)
{
	const struct bound *x = a, *y = b;
	int rc = strcmp(x->port, y->port);

	return rc ? rc : strcmp(x->master, y->master);
}

/* Add up what passed a port, and keep the longest frame that does. */
static void bound_add(struct check *c, struct bound *b, const struct view *port, size_t i)
{
	static const uint16_t attrs[] = { VTAP_A_PORT_INGRESS, VTAP_A_PORT_EGRESS };
	const struct link *l = link_by_index(&c->links, view_u64(port, VTAP_A_PORT_IFINDEX));

	b->at[b->n++] = i;
	for (size_t d = 0; d < 2; d++) {
		b->seen[d] += nest_u64(port->tb[attrs[d]], VTAP_A_PORT_STATS_SEEN);
		b->matched[d] += nest_u64(port->tb[attrs[d]], VTAP_A_PORT_STATS_MATCHED);
	}
	if (l && (!b->longest || l->mtu > b->longest->mtu))
		b->longest = l;
}

/*
 * The ports of a rule, as numbers of those in @c->ports, which are in the order of their index.
 * A rule that has just been deleted has none.
 */
static int bound_read(struct check *c, struct bound *b, uint64_t rule)
{
	struct nlmsghdr *req = msg_new(VTAP_CMD_PORT_GET);
	struct view port, mine;
	struct msgs m = {};
	struct nl_error e;
	int rc;

	mnl_attr_put_u64(req, VTAP_A_PORT_RULE, rule);
	rc = nl_dump_some(req, &m, &e);
	if (rc && e.code == ENOENT)
		rc = OK;
	else
		nl_report(&e, NULL);
	b->at = check_mem(calloc(m.n + 1, sizeof(*b->at)));
	for (size_t i = 0, j = 0; !rc && i < m.n && j < c->ports.n; j++) {
		view_init(&mine, &port_object, m.v[i]);
		view_init(&port, &port_object, c->ports.v[j]);
		if (view_u64(&mine, VTAP_A_PORT_IFINDEX) != view_u64(&port, VTAP_A_PORT_IFINDEX))
			continue;
		bound_add(c, b, &port, j);
		i++;
	}
	msgs_free(&m);
	free(req);
	return rc;
}

/* Set what a rule is bound to. Return: OK or REFUSED. */
int bound_get(struct check *c, struct found_rule *r)
{
	const struct bound key = {
		.port = view_str(&r->v, VTAP_A_RULE_PORT),
		.master = view_str(&r->v, VTAP_A_RULE_MASTER),
	};
	static const struct bound none;
	struct bound *b, **node;

	r->bound = &none;
	if (!view_u64(&r->v, VTAP_A_RULE_PORTS))
		return OK;
	node = tfind(&key, &c->bounds, bound_cmp);
	if (node) {
		r->bound = *node;
		return OK;
	}
	b = check_mem(calloc(1, sizeof(*b)));
	*b = key;
	check_mem(tsearch(b, &c->bounds, bound_cmp));
	r->bound = b;
	return bound_read(c, b, r->id);
}

static void bound_free(void *p)
{
	struct bound *b = p;

	free(b->at);
	free(b);
}

void bounds_free(struct check *c)
{
	tdestroy(c->bounds, bound_free);
}

static int use_cmp(const void *a, const void *b)
{
	const struct use *x = a, *y = b;
	int rc = strcmp(x->session, y->session);

	return rc ? rc : strcmp(x->rule->tap, y->rule->tap);
}

/* Sort what rules copy to by session. */
void uses_get(struct check *c)
{
	const struct nlattr *a;

	for (size_t i = 0; i < c->n_rules; i++) {
		mnl_attr_for_each(a, c->rules[i].v.nlh, sizeof(struct genlmsghdr)) {
			if (mnl_attr_get_type(a) != VTAP_A_RULE_SESSION)
				continue;
			if (!(c->n_uses & (c->n_uses + 1)))
				c->uses = check_mem(realloc(c->uses, 2 * (c->n_uses + 1) *
							    sizeof(*c->uses)));
			c->uses[c->n_uses++] = (struct use){ mnl_attr_get_str(a), &c->rules[i] };
		}
	}
	if (c->n_uses)
		qsort(c->uses, c->n_uses, sizeof(*c->uses), use_cmp);
}

/* The uses of a session. Return: the first one, and their number in @n; NULL for none. */
const struct use *uses_of(const struct check *c, const char *session, const char *tap, size_t *n)
{
	const struct found_rule rule = { .tap = tap };
	const struct use key = { session, &rule }, *end = c->uses + c->n_uses, *u;

	*n = 0;
	u = c->n_uses ? bsearch(&key, c->uses, c->n_uses, sizeof(*c->uses), use_cmp) : NULL;
	if (!u)
		return NULL;
	while (u > c->uses && !use_cmp(u - 1, &key))
		u--;
	while (u + *n < end && !use_cmp(u + *n, &key))
		++*n;
	return u;
}
