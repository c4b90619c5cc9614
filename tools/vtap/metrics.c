// SPDX-License-Identifier: GPL-2.0
/* All counters in the text format of Prometheus. */

#include <stdlib.h>
#include <string.h>

#include "counter.h"

/**
 * struct metric - One counter of each object of a kind, as one metric or a part of one.
 * @help: NULL for one more part of the metric before.
 * @label: What tells this part from the others, NULL for none.
 * @nest: The attribute that the counter is nested in, 0 for none.
 */
struct metric {
	const char *name;
	const char *help;
	const char *label;
	uint16_t nest;
	uint16_t attr;
};

#define N	VTAP_A_SESSION_STATS
#define A(n)	VTAP_A_SESSION_STATS_##n

static const struct metric session_metrics[] = {
	{ "session_matched_frames_total", "Frames that rules sent to the session.", NULL, N,
	  A(MATCHED) },
	{ "session_sent_frames_total", "Copies handed to the egress device.", NULL, N, A(SENT) },
	{ "session_sent_bytes_total", "Bytes of the copies sent, without outer headers.", NULL, N,
	  A(BYTES) },
	{ "session_truncated_frames_total", "Copies sent that were cut.", NULL, N, A(TRUNCATED) },
	{ "session_fragmented_frames_total", "Copies sent as outer IP fragments.", NULL, N,
	  A(FRAGMENTED) },
	{ "session_decapped_frames_total", "Frames matched whose outer headers were removed.",
	  NULL, N, A(DECAPPED) },
	{ "session_masked_frames_total", "Frames matched in whose copies bytes were overwritten.",
	  NULL, N, A(MASKED) },
	{ "session_dropped_frames_total", "Copies dropped, by cause.", "cause=\"inactive\"", N,
	  A(DROP_INACTIVE) },
	{ "session_dropped_frames_total", NULL, "cause=\"nomem\"", N, A(DROP_NOMEM) },
	{ "session_dropped_frames_total", NULL, "cause=\"mtu\"", N, A(DROP_MTU) },
	{ "session_dropped_frames_total", NULL, "cause=\"rate\"", N, A(DROP_RATE) },
	{ "session_dropped_frames_total", NULL, "cause=\"xmit\"", N, A(DROP_XMIT) },
	{ "session_dropped_frames_total", NULL, "cause=\"loop\"", N, A(DROP_LOOP) },
	{ "session_dropped_frames_total", NULL, "cause=\"frame\"", N, A(DROP_FRAME) },
	{ "session_icmp_errors_total", "ICMP errors about copies of the session.", NULL,
	  VTAP_A_SESSION_ICMP, VTAP_A_SESSION_ICMP_ERRORS },
	{}
};

#undef N
#undef A

static const struct metric rule_metrics[] = {
	{ "rule_frames_total", "Frames that the rule decided on.", NULL, 0, VTAP_A_RULE_PACKETS },
	{ "rule_bytes_total", "Bytes of these frames.", NULL, 0, VTAP_A_RULE_BYTES },
	{ "rule_ports", "Devices that the rule is bound to.", NULL, 0, VTAP_A_RULE_PORTS },
	{}
};

#define IN	"direction=\"ingress\"", VTAP_A_PORT_INGRESS
#define OUT	"direction=\"egress\"", VTAP_A_PORT_EGRESS
#define A(n)	VTAP_A_PORT_STATS_##n

static const struct metric port_metrics[] = {
	{ "port_seen_frames_total", "Frames that passed the hook, without copies made by vtap.",
	  IN, A(SEEN) },
	{ "port_seen_frames_total", NULL, OUT, A(SEEN) },
	{ "port_matched_frames_total", "Frames that a rule decided on.", IN, A(MATCHED) },
	{ "port_matched_frames_total", NULL, OUT, A(MATCHED) },
	{ "port_unmatched_frames_total", "Frames that no rule matched.", IN, A(UNMATCHED) },
	{ "port_unmatched_frames_total", NULL, OUT, A(UNMATCHED) },
	{ "port_own_frames_total", "Copies made by vtap that passed the hook.", IN, A(OWN) },
	{ "port_own_frames_total", NULL, OUT, A(OWN) },
	{ "port_dup_copies_total", "Copies not made again at egress of frames copied at ingress.",
	  IN, A(DUP) },
	{ "port_dup_copies_total", NULL, OUT, A(DUP) },
	{}
};

#undef A

static const struct metric tap_metrics[] = {
	{ "tap_rules", "Rules of the tap.", NULL, 0, VTAP_A_TAP_RULES },
	{ "tap_sessions", "Sessions of the tap.", NULL, 0, VTAP_A_TAP_SESSIONS },
	{ "tap_ports", "Devices that a rule of the tap is bound to.", NULL, 0, VTAP_A_TAP_PORTS },
	{}
};

/* The value is quoted. Names of devices may have any bytes, but labels are UTF-8. */
static void label_write(FILE *f, const char *key, const char *val)
{
	fprintf(f, "%s=\"", key);
	for (; *val; val++) {
		unsigned char c = *val;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(f, "\\\\x%02x", c);
		else
			putc(c, f);
	}
	putc('"', f);
}

/* What names the object in each of its samples. */
static void labels_write(FILE *f, const struct object *o, const struct view *v)
{
	char *key = counter_label(o, v, o->words->name);
	char *pref;

	if (o->tap) {
		label_write(f, "tap", tap_of(o, v->nlh));
		putc(',', f);
	}
	label_write(f, o->name, key);
	free(key);
	if (o != &rule_object)
		return;
	pref = counter_label(o, v, "pref");
	putc(',', f);
	label_write(f, "pref", pref);
	free(pref);
}

static void head_write(FILE *f, const char *name, const char *help)
{
	const char *total = strstr(name, "_total");

	fprintf(f, "# HELP vtap_%s %s\n# TYPE vtap_%s %s\n", name, help, name,
		total ? "counter" : "gauge");
}

/* One sample for each state, of which one is 1. */
static void states_write(FILE *f, const struct object *o, const struct msgs *m)
{
	const struct word *w = o->words;
	const struct name *n;
	struct view v;

	while (strcmp(w->name, "state"))
		w++;
	head_write(f, "session_state", "1 for the state that the session is in, 0 for the others.");
	for (size_t i = 0; i < m->n; i++) {
		view_init(&v, o, m->v[i]);
		for (n = w->names; n->name; n++) {
			fputs("vtap_session_state{", f);
			labels_write(f, o, &v);
			fprintf(f, ",state=\"%s\"} %d\n", n->name,
				view_num(&v, w, w->attr, 0) == n->value);
		}
	}
}

static void metric_write(FILE *f, const struct object *o, const struct metric *metric,
			 const struct msgs *m)
{
	struct view v;

	if (metric->help)
		head_write(f, metric->name, metric->help);
	for (size_t i = 0; i < m->n; i++) {
		view_init(&v, o, m->v[i]);
		fprintf(f, "vtap_%s{", metric->name);
		labels_write(f, o, &v);
		fprintf(f, "%s%s} %" PRIu64 "\n", metric->label ? "," : "",
			metric->label ? metric->label : "",
			counter_read(&v, metric->nest, metric->attr));
	}
}

/* The last line is what OpenMetrics ends with, and a comment in the format of Prometheus. */
static int metrics_write(FILE *f)
{
	static const struct {
		const struct object *o;
		const struct metric *metrics;
	} kinds[] = {
		{ &tap_object, tap_metrics },
		{ &session_object, session_metrics },
		{ &rule_object, rule_metrics },
		{ &port_object, port_metrics },
	};
	int rc = OK;

	for (size_t i = 0; !rc && i < sizeof(kinds) / sizeof(*kinds); i++) {
		const struct metric *metric = kinds[i].metrics;
		struct msgs m = {};

		rc = nl_dump(kinds[i].o->get, &m);
		for (; !rc && metric->name; metric++)
			metric_write(f, kinds[i].o, metric, &m);
		if (!rc && kinds[i].o == &session_object)
			states_write(f, kinds[i].o, &m);
		msgs_free(&m);
	}
	if (rc)
		return rc;
	head_write(f, "module_info", "1, with the versions of the module and of the tool.");
	fputs("vtap_module_info{", f);
	label_write(f, "version", nl_module_version() ? nl_module_version() : "");
	putc(',', f);
	label_write(f, "tool", VTAP_VERSION);
	fputs("} 1\n# EOF\n", f);
	return OK;
}

int metrics_run(char **argv)
{
	const char *name = *argv;
	char *text = NULL;
	size_t len;
	FILE *f;
	int rc;

	if (name && argv[1])
		return usage("unexpected \"%s\" after \"metrics %s\"", argv[1], name);
	if (opt.json)
		return usage("metrics has a format of its own, not JSON: see -s show");
	f = check_mem(open_memstream(&text, &len));
	rc = metrics_write(f);
	fclose(f);
	check_mem(text);
	if (!rc && (!name || !strcmp(name, "-")))
		fwrite(text, 1, len, stdout);
	else if (!rc)
		rc = file_save(name, text, len, !len);
	free(text);
	return rc;
}
