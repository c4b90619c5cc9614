// SPDX-License-Identifier: GPL-2.0
/* The tap of vtap capture, which the kernel deletes when this process ends, however it ends. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "tundev.h"

#define PREF	1

/* What the tap decides, and the user cannot. */
static int words_check(const struct capture_tap *t)
{
	static const uint16_t ours[] = { VTAP_A_RULE_TAP, VTAP_A_RULE_PREF, VTAP_A_RULE_ACTION,
					 VTAP_A_RULE_DUP };
	struct view v;

	view_init(&v, &rule_object, t->words);
	for (const struct word *w = rule_object.words; w->name; w++)
		for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
			if (w->attr == ours[i] && !(w->flags & W_MATCH) && v.tb[ours[i]])
				return usage("\"%s\" is unknown to \"capture\", which has a tap and rules of its own",
					     w->name);
	return OK;
}

/**
 * capture_tap_words - Read what is to be captured.
 * @words: Words of a rule, with "port" in front of the first or not; none for all ports.
 *
 * Return: OK, or USAGE after telling what is wrong.
 */
int capture_tap_words(struct capture_tap *t, char **words)
{
	char port[] = "port", all[] = "*";
	bool ports = false;
	char **argv;
	size_t n = 0;
	struct view v;
	int rc;

	while (words[n])
		n++;
	/* three more at the most */
	argv = check_mem(calloc(n + 4, sizeof(*argv)));
	n = 0;
	if (*words && !word_find(&rule_object, *words, W_ADD))
		argv[n++] = port;
	while (*words)
		argv[n++] = *words++;
	rc = object_parse(&rule_object, CMD_ADD, argv, &t->words);
	if (!rc) {
		view_init(&v, &rule_object, t->words);
		ports = v.tb[VTAP_A_RULE_PORT] || v.tb[VTAP_A_RULE_MASTER] ||
			v.tb[VTAP_A_RULE_MAC];
	}
	if (!rc && !ports) {
		argv[n++] = port;
		argv[n] = all;
		free(t->words);
		rc = object_parse(&rule_object, CMD_ADD, argv, &t->words);
	}
	free(argv);
	return rc ? rc : words_check(t);
}

/* A rule of the user's words. @port: in place of the words' port and direction, or NULL. */
static void rule_add(const struct capture_tap *t, struct txn *txn, const char *port, uint32_t dir,
		     const char *session)
{
	struct nlmsghdr *nlh = msg_new(VTAP_CMD_COMMIT);
	const struct nlattr *a;

	mnl_attr_put_strz(nlh, VTAP_A_RULE_TAP, t->name);
	mnl_attr_put_u32(nlh, VTAP_A_RULE_PREF, PREF);
	mnl_attr_for_each(a, t->words, sizeof(struct genlmsghdr)) {
		const uint16_t type = mnl_attr_get_type(a);

		if (!port || (type != VTAP_A_RULE_PORT && type != VTAP_A_RULE_DIR))
			mnl_attr_put(nlh, a->nla_type, mnl_attr_get_payload_len(a),
				     mnl_attr_get_payload(a));
	}
	if (port) {
		mnl_attr_put_strz(nlh, VTAP_A_RULE_PORT, port);
		mnl_attr_put_u32(nlh, VTAP_A_RULE_DIR, dir);
		/* a frame that passes several ports is captured at each */
		mnl_attr_put_u8(nlh, VTAP_A_RULE_DUP, 1);
		mnl_attr_put_strz(nlh, VTAP_A_RULE_SESSION, session);
	}
	mnl_attr_put_u32(nlh, VTAP_A_RULE_ACTION, port ? VTAP_ACTION_MIRROR : VTAP_ACTION_SKIP);
	txn_add(txn, &rule_object, CMD_ADD, nlh, 0, NULL);
	free(nlh);
}

static void session_add(const struct capture_tap *t, struct txn *txn, const struct feed *feed)
{
	struct nlmsghdr *nlh = msg_new(VTAP_CMD_COMMIT);

	mnl_attr_put_strz(nlh, VTAP_A_SESSION_NAME, feed->dev);
	mnl_attr_put_strz(nlh, VTAP_A_SESSION_TAP, t->name);
	mnl_attr_put_u32(nlh, VTAP_A_SESSION_TYPE, VTAP_SESSION_TYPE_PORT);
	mnl_attr_put_strz(nlh, VTAP_A_SESSION_DEV, feed->dev);
	txn_add(txn, &session_object, CMD_ADD, nlh, 0, NULL);
	free(nlh);
}

static void flush(const struct capture_tap *t, struct txn *txn, const struct object *o)
{
	struct nlmsghdr *nlh = msg_new(VTAP_CMD_COMMIT);

	mnl_attr_put_strz(nlh, o->tap, t->name);
	txn_add(txn, o, CMD_FLUSH, nlh, 0, NULL);
	free(nlh);
}

/* Make the tap, with a rule that shows which ports are meant and copies nothing. */
static int tap_make(struct capture_tap *t)
{
	struct nlmsghdr *nlh = msg_new(VTAP_CMD_COMMIT);
	struct object own = tap_object;
	struct txn txn = {};

	own.change[CMD_ADD] = VTAP_A_CHANGE_TAP_OWN;
	mnl_attr_put_strz(nlh, VTAP_A_TAP_NAME, t->name);
	txn_add(&txn, &own, CMD_ADD, nlh, 0, NULL);
	free(nlh);
	rule_add(t, &txn, NULL, 0, NULL);
	return txn_send(&txn, NULL, false);
}

static int tap_ports(struct capture_tap *t)
{
	struct nlmsghdr *req = msg_new(VTAP_CMD_PORT_GET);
	const char *port, *why;
	struct msgs m = {};
	struct nl_error e;
	uint32_t reason;
	struct view v;
	int rc;

	mnl_attr_put_strz(req, VTAP_A_PORT_TAP, t->name);
	rc = nl_dump_some(req, &m, &e);
	nl_report(&e, NULL);
	t->ports = check_mem(calloc(m.n + 1, sizeof(*t->ports)));
	for (; !rc && t->n_ports < m.n; t->n_ports++) {
		view_init(&v, &port_object, m.v[t->n_ports]);
		snprintf(t->ports[t->n_ports], IFNAMSIZ, "%s", view_str(&v, VTAP_A_PORT_NAME));
	}
	if (!rc && !m.n) {
		view_init(&v, &rule_object, t->words);
		port = view_str(&v, VTAP_A_RULE_PORT);
		absent_ask(port, &why, &reason);
		err("no device can be captured%s%s: %s", *port ? " as " : "", port,
		    why ? why : "there is none that the words choose");
		rc = REFUSED;
	}
	msgs_free(&m);
	free(req);
	return rc;
}

/* A port's name, in a rule where *, ?, [ and \ have a meaning. */
static const char *literal(const char *name)
{
	static char text[2 * IFNAMSIZ];
	char *p = text;

	for (; *name; name++) {
		if (strchr("*?[\\", *name))
			*p++ = '\\';
		*p++ = *name;
	}
	*p = '\0';
	return text;
}

static int tap_feeds(struct capture_tap *t)
{
	static const uint32_t dirs[] = { VTAP_DIR_INGRESS, VTAP_DIR_EGRESS };
	struct txn txn = {};
	uint32_t dir;
	struct view v;

	view_init(&v, &rule_object, t->words);
	dir = v.tb[VTAP_A_RULE_DIR] ? view_u64(&v, VTAP_A_RULE_DIR) : dirs[0] | dirs[1];
	t->feeds = check_mem(calloc(2 * t->n_ports, sizeof(*t->feeds)));
	flush(t, &txn, &rule_object);
	for (size_t i = 0; i < 2 * t->n_ports; i++) {
		struct feed *feed = &t->feeds[t->n_feeds];

		if (!(dir & dirs[i % 2]))
			continue;
		*feed = (struct feed){ .dev = "capture%d", .port = i / 2, .dir = dirs[i % 2] };
		feed->fd = tundev_open(feed->dev);
		if (feed->fd < 0) {
			txn_free(&txn);
			return REFUSED;
		}
		t->n_feeds++;
		session_add(t, &txn, feed);
		rule_add(t, &txn, literal(t->ports[feed->port]), feed->dir, feed->dev);
	}
	return txn_send(&txn, NULL, false);
}

/* Begin to capture. Return: OK or REFUSED; capture_tap_close() has to follow. */
int capture_tap_open(struct capture_tap *t)
{
	const uint32_t portid = nl_portid();
	int rc;

	if (!portid)
		return REFUSED;
	snprintf(t->name, sizeof(t->name), "capture-%u", portid);
	rc = tap_make(t);
	if (rc)
		*t->name = '\0';
	if (!rc)
		rc = tap_ports(t);
	return rc ? rc : tap_feeds(t);
}

/* Copies that could not be read, or not be made. */
static uint64_t tap_lost(const struct capture_tap *t)
{
	struct nlmsghdr *req = msg_new(VTAP_CMD_SESSION_GET);
	struct msgs m = {};
	struct nl_error e;
	uint64_t lost = 0;
	struct view v;

	mnl_attr_put_strz(req, VTAP_A_SESSION_TAP, t->name);
	/* somebody may have deleted the tap, which is no matter any more */
	nl_dump_some(req, &m, &e);
	for (size_t i = 0; i < m.n; i++) {
		const struct nlattr *stats;

		view_init(&v, &session_object, m.v[i]);
		stats = v.tb[VTAP_A_SESSION_STATS];
		lost += nest_u64(stats, VTAP_A_SESSION_STATS_MATCHED) -
			nest_u64(stats, VTAP_A_SESSION_STATS_SENT);
	}
	for (size_t i = 0; i < t->n_feeds; i++)
		lost += tundev_drops(t->feeds[i].dev);
	msgs_free(&m);
	free(req);
	return lost;
}

/* The end of a capture. Return: the number of copies that were lost. */
uint64_t capture_tap_close(struct capture_tap *t)
{
	struct txn txn = {};
	uint64_t lost = 0;

	if (*t->name) {
		lost = tap_lost(t);
		flush(t, &txn, &rule_object);
		flush(t, &txn, &session_object);
		txn_send(&txn, NULL, false);
	}
	for (size_t i = 0; i < t->n_feeds; i++)
		close(t->feeds[i].fd);
	free(t->ports);
	free(t->feeds);
	free(t->words);
	return lost;
}
