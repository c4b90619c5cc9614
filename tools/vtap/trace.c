// SPDX-License-Identifier: GPL-2.0
/* Which rules would decide on a frame, and where its copies would go: the kernel is asked. */

#include <ctype.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "vtap.h"

/* What is asked, and of which frame. */
struct trace {
	const char *port;
	uint32_t dir;
	const uint8_t *frame;
	size_t len;
	unsigned int number;	/* of the frame in its file, from 1 on; 0 for the only one */
	unsigned int answers;
};

static void verdict_text(const struct nlattr *nest)
{
	const uint64_t rule = nest_u64(nest, VTAP_A_VERDICT_RULE);
	const uint64_t sample = nest_u64(nest, VTAP_A_VERDICT_SAMPLE);
	const char *sep = " to ";
	const struct nlattr *a;

	printf("    tap %s: ", mnl_attr_get_str(nest_attr(nest, VTAP_A_VERDICT_TAP)));
	if (!rule) {
		puts("no rule matches");
		return;
	}
	printf("rule %" PRIu64, rule);
	if (nest_u64(nest, VTAP_A_VERDICT_ACTION) == VTAP_ACTION_SKIP)
		fputs(" skips it", stdout);
	else if (nest_attr(nest, VTAP_A_VERDICT_FLOW_LEFT_OUT))
		fputs(" does not copy this flow: it samples flows", stdout);
	else if (sample)
		printf(" copies one in %" PRIu64 " such frames", sample);
	else
		fputs(" copies it", stdout);
	mnl_attr_for_each_nested(a, nest) {
		if (mnl_attr_get_type(a) != VTAP_A_VERDICT_SESSION)
			continue;
		printf("%s%s", sep, mnl_attr_get_str(a));
		sep = ", ";
	}
	putchar('\n');
}

static void verdict_json(const struct nlattr *nest)
{
	const uint64_t rule = nest_u64(nest, VTAP_A_VERDICT_RULE);
	const uint64_t sample = nest_u64(nest, VTAP_A_VERDICT_SAMPLE);
	const struct nlattr *a;

	out_open(NULL, '{');
	out_str("tap", mnl_attr_get_str(nest_attr(nest, VTAP_A_VERDICT_TAP)));
	if (rule) {
		out_num("rule", rule);
		out_str("action", nest_u64(nest, VTAP_A_VERDICT_ACTION) == VTAP_ACTION_SKIP ?
			"skip" : "mirror");
		out_open("session", '[');
		mnl_attr_for_each_nested(a, nest)
			if (mnl_attr_get_type(a) == VTAP_A_VERDICT_SESSION)
				out_str(NULL, mnl_attr_get_str(a));
		out_close(']');
	}
	if (sample)
		out_num("sample", sample);
	if (nest_attr(nest, VTAP_A_VERDICT_FLOW_LEFT_OUT))
		out_bool("flow_left_out", true);
	out_close('}');
}

static void answer_json(const struct trace *t, const struct nlmsghdr *nlh, bool own)
{
	const struct nlattr *a;

	out_open(NULL, '{');
	if (t->number)
		out_num("frame", t->number);
	out_num("length", t->len);
	out_bool("own", own);
	out_open("verdicts", '[');
	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == VTAP_A_TRACE_VERDICT)
			verdict_json(a);
	out_close(']');
	out_close('}');
}

static void answer(const struct nlmsghdr *nlh, void *data)
{
	struct trace *t = data;
	const struct nlattr *a;
	bool own = false;

	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		own |= mnl_attr_get_type(a) == VTAP_A_TRACE_OWN;
	if (opt.json && !t->answers++)
		out_open(NULL, '[');
	if (opt.json) {
		answer_json(t, nlh, own);
		return;
	}
	if (t->number)
		printf("frame %u, ", t->number);
	printf("%zu bytes%s\n", t->len,
	       own ? ": a copy that vtap made, or an error about one, which is not copied" : "");
	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == VTAP_A_TRACE_VERDICT)
			verdict_text(a);
}

static int ask(struct trace *t)
{
	static char buf[MSG_MAX] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = msg_put(buf, VTAP_CMD_TRACE_GET);
	struct nl_error e;
	int rc;

	mnl_attr_put_strz(nlh, VTAP_A_TRACE_PORT, t->port);
	mnl_attr_put_u32(nlh, VTAP_A_TRACE_DIR, t->dir);
	if (t->len > VTAP_TRACE_MAX)
		return usage("trace: a frame of %zu bytes, at most %u are possible", t->len,
			     VTAP_TRACE_MAX);
	mnl_attr_put(nlh, VTAP_A_TRACE_FRAME, t->len, t->frame);
	rc = nl_talk(nlh, answer, t, &e);
	nl_report(&e, e.offset ? t->port : NULL);
	return rc;
}

static int from_words(struct trace *t, char **argv)
{
	uint8_t buf[FRAME_MADE_MAX];
	int rc = frame_parse(argv, buf, &t->len);

	t->frame = buf;
	return rc ? rc : ask(t);
}

/* Digits of a hex dump as that of xxd -p: two a byte, with white space anywhere between bytes. */
static int read_hex(FILE *f, const char *name, uint8_t *buf, size_t *len)
{
	char digits[3] = "";
	int c, n = 0;

	*len = 0;
	while ((c = getc(f)) != EOF) {
		if (isspace(c) && !n)
			continue;
		if (!isxdigit(c))
			return usage("%s: \"%c\" is not a hexadecimal digit", name, c);
		digits[n++] = c;
		if (n < 2)
			continue;
		if (*len == VTAP_TRACE_MAX)
			return usage("%s: more than %u bytes", name, VTAP_TRACE_MAX);
		buf[(*len)++] = strtoul(digits, NULL, 16);
		n = 0;
	}
	return n ? usage("%s: half a byte at the end", name) : OK;
}

static int from_hex(struct trace *t, const char *name)
{
	static uint8_t buf[VTAP_TRACE_MAX];
	FILE *f = strcmp(name, "-") ? fopen(name, "re") : stdin;
	int rc;

	if (!f) {
		err("%s: %m", name);
		return REFUSED;
	}
	rc = read_hex(f, name, buf, &t->len);
	if (f != stdin)
		fclose(f);
	t->frame = buf;
	return rc ? rc : ask(t);
}

static int from_pcap(struct trace *t, const char *name)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(name, why);
	struct pcap_pkthdr *h;
	int rc = OK, got = 0;

	if (!pcap) {
		err("%s", why);
		return REFUSED;
	}
	if (pcap_datalink(pcap) != DLT_EN10MB)
		rc = usage("%s: not frames with an Ethernet header", name);
	while (!rc && (got = pcap_next_ex(pcap, &h, &t->frame)) == 1) {
		t->len = h->caplen;
		t->number++;
		rc = ask(t);
	}
	if (!rc && got == PCAP_ERROR) {
		err("%s: %s", name, pcap_geterr(pcap));
		rc = REFUSED;
	}
	pcap_close(pcap);
	return rc;
}

static int trace_dir(uint32_t *dirs, const char *dir)
{
	if (dir && !strcmp(dir, "ingress"))
		*dirs = VTAP_DIR_INGRESS;
	else if (dir && !strcmp(dir, "egress"))
		*dirs = VTAP_DIR_EGRESS;
	else
		return usage("trace: \"dir\" is ingress or egress");
	return OK;
}

static int trace_frames(const char *port, uint32_t dirs, char **argv)
{
	struct trace t = { .port = port, .dir = dirs ? dirs : VTAP_DIR_INGRESS };
	int (*from_file)(struct trace *t, const char *name) = NULL;
	int rc;

	if (*argv && !strcmp(*argv, "hex"))
		from_file = from_hex;
	else if (*argv && !strcmp(*argv, "pcap"))
		from_file = from_pcap;
	if (from_file && (!argv[1] || argv[2]))
		return usage("trace: \"%s\" takes the name of one file", *argv);
	rc = from_file ? from_file(&t, argv[1]) : from_words(&t, argv);
	if (t.answers)
		out_close(']');
	return rc;
}

/* Return: OK when the kernel answered, REFUSED or USAGE. */
int trace_run(char **argv)
{
	const bool live = *argv && !strcmp(*argv, "-live");
	uint32_t dirs = 0;
	const char *port;
	int rc = OK;

	argv += live;
	if (!*argv)
		return usage("trace: a port is required");
	port = *argv++;
	if (*argv && !strcmp(*argv, "dir")) {
		rc = trace_dir(&dirs, argv[1]);
		argv += 2;
	}
	if (rc)
		return rc;
	if (!live)
		return trace_frames(port, dirs, argv);
	if (*argv)
		return usage("unexpected \"%s\" after \"trace -live\"", *argv);
	if (opt.json)
		return usage("trace -live prints lines, not JSON");
	return live_run(port, dirs);
}
