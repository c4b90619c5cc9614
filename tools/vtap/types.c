// SPDX-License-Identifier: GPL-2.0
/* Types that are more than a number: strings, addresses, flags, actions and layers. */

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vtap.h"

#define ADDR_LEN_BOTH	1

static const struct name ip_flag_names[] = {
	{ "frag", VTAP_IP_FLAG_FRAG },
	{ "firstfrag", VTAP_IP_FLAG_FIRSTFRAG },
	{}
};

/* strings */

static int str_parse(struct parse *p, const struct word *w, const char *val)
{
	if (strlen(val) > w->max)
		return usage("\"%s\" is too long for \"%s\", at most %u characters",
			     val, w->name, w->max);
	return word_put(p, w, w->attr, val, strlen(val) + 1);
}

static void str_format(FILE *f, const struct word *w, const struct view *v)
{
	fputs(mnl_attr_get_str(view_attr(v, w, w->attr)), f);
}

const struct type type_str = { "NAME", .parse = str_parse, .format = str_format };

/* addresses, with a prefix length if the word has an attribute for it */

static int addr_parse(struct parse *p, const struct word *w, const char *val)
{
	char *s, *slash;
	uint8_t addr[16];
	uint16_t len = strchr(val, ':') ? 16 : 4;
	uint64_t plen = 0;
	bool bad;
	int rc;

	if (w->def && !strcmp(val, w->def))
		return word_put(p, w, w->attr, NULL, 0);
	s = check_mem(strdup(val));
	slash = strchr(s, '/');
	if (slash)
		*slash++ = '\0';
	bad = inet_pton(len == 16 ? AF_INET6 : AF_INET, s, addr) != 1 ||
	      (slash && (!w->attr2 || num_parse(slash, 8 * len, &plen)));
	free(s);
	if (bad)
		return word_bad(w, val);
	if (p->addr && p->addr != w && p->addr_len != len)
		return usage("\"%s\" is of another address family than \"%s\"",
			     w->name, p->addr->name);
	/* the list of a word may have both, of which no other word can be */
	if (!p->addr)
		p->addr_len = len;
	else if (p->addr == w && p->addr_len != len)
		p->addr_len = ADDR_LEN_BOTH;
	if (!p->addr)
		p->addr = w;
	rc = word_put(p, w, w->attr, addr, len);
	if (!rc && slash)
		rc = word_put_num(p, w, w->attr2, sizeof(uint8_t), plen);
	return rc;
}

/* The address as text, bits outside the prefix cleared. Return: its length, or UINT32_MAX. */
static unsigned int addr_get(const struct word *w, const struct view *v, char *buf)
{
	const struct nlattr *a = view_attr(v, w, w->attr);
	unsigned int len = mnl_attr_get_payload_len(a);
	unsigned int plen = 8 * len;
	uint8_t addr[16] = {};

	if (len > sizeof(addr))
		len = sizeof(addr);
	if (w->attr2)
		plen = view_num(v, w, w->attr2, 8 * len);
	memcpy(addr, mnl_attr_get_payload(a), len);
	for (unsigned int i = 0; i < 8 * len; i++)
		if (i >= plen)
			addr[i / 8] &= ~(0x80 >> i % 8);
	inet_ntop(len == 16 ? AF_INET6 : AF_INET, addr, buf, INET6_ADDRSTRLEN);
	return plen < 8 * len ? plen : UINT32_MAX;
}

static void addr_format(FILE *f, const struct word *w, const struct view *v)
{
	char buf[INET6_ADDRSTRLEN];
	unsigned int plen = addr_get(w, v, buf);

	fputs(buf, f);
	if (plen != UINT32_MAX)
		fprintf(f, "/%u", plen);
}

static void addr_json(const struct word *w, const struct view *v)
{
	char buf[INET6_ADDRSTRLEN];
	unsigned int plen = addr_get(w, v, buf);

	out_str(w->name, buf);
	if (plen != UINT32_MAX)
		out_num(w->name2, plen);
}

static const struct key addr_keys[] = { { NULL, 's' }, { NULL, 'n' }, {} };

const struct type type_addr = {
	"ADDR", .parse = addr_parse, .format = addr_format, .to_json = addr_json, .keys = addr_keys
};

/* IP flags: names joined with commas, with "no" in front of those that must be clear */

static int ip_flags_parse(struct parse *p, const struct word *w, const char *val)
{
	char *list = check_mem(strdup(val));
	uint32_t value = 0, mask = 0;
	char *s, *next;
	int rc = OK;

	for (s = list; s && !rc; s = next) {
		const struct name *n;
		bool no = !strncmp(s, "no", 2);

		next = strchr(s, ',');
		if (next)
			*next++ = '\0';
		n = name_find(ip_flag_names, s + (no ? 2 : 0));
		if (!n || mask & n->value) {
			rc = word_bad(w, val);
			break;
		}
		mask |= n->value;
		value |= no ? 0 : n->value;
	}
	free(list);
	if (!rc)
		rc = word_put_num(p, w, w->attr, sizeof(value), value);
	if (!rc)
		rc = word_put_num(p, w, w->attr2, sizeof(mask), mask);
	return rc;
}

static void ip_flags_format(FILE *f, const struct word *w, const struct view *v)
{
	uint32_t value = view_num(v, w, w->attr, 0);
	uint32_t mask = view_num(v, w, w->attr2, value);
	const char *sep = "";

	for (const struct name *n = ip_flag_names; n->name; n++) {
		if (!(mask & n->value))
			continue;
		fprintf(f, "%s%s%s", sep, value & n->value ? "" : "no", n->name);
		sep = ",";
	}
}

const struct type type_ip_flags = {
	"[no]frag,[no]firstfrag", .parse = ip_flags_parse, .format = ip_flags_format
};

/* Names of bits, joined with commas; none is no word. */

static void flags_format(FILE *f, const struct word *w, const struct view *v)
{
	uint64_t value = view_num(v, w, w->attr, 0);
	const char *sep = "";

	for (const struct name *n = w->names; n->name; n++) {
		if (!(value & n->value))
			continue;
		fprintf(f, "%s%s", sep, n->name);
		sep = ",";
	}
}

static void flags_json(const struct word *w, const struct view *v)
{
	uint64_t value = view_num(v, w, w->attr, 0);

	out_open(w->name, '[');
	for (const struct name *n = w->names; n->name; n++)
		if (value & n->value)
			out_str(NULL, n->name);
	out_close(']');
}

static const struct key flags_keys[] = { { NULL, 'a' }, {} };

const struct type type_flags = {
	.format = flags_format, .to_json = flags_json, .keys = flags_keys
};

/* action mirror SESSION,... or action skip */

static int action_parse(struct parse *p, const struct word *w, const char *val)
{
	char *list, *s, *next;
	int rc;

	if (!strcmp(val, "skip"))
		return word_put_num(p, w, w->attr, sizeof(uint32_t), VTAP_ACTION_SKIP);
	if (strcmp(val, "mirror"))
		return word_bad(w, val);
	if (!*p->argv)
		return usage("\"mirror\" requires a value");

	list = check_mem(strdup(*p->argv++));
	rc = word_put_num(p, w, w->attr, sizeof(uint32_t), VTAP_ACTION_MIRROR);
	for (s = list; s && !rc; s = next) {
		next = strchr(s, ',');
		if (next)
			*next++ = '\0';
		if (!*s)
			rc = usage("empty session name after \"mirror\"");
		else if (strlen(s) > w->max)
			rc = usage("\"%s\" is too long for a session, at most %u characters",
				   s, w->max);
		else
			rc = word_put(p, w, w->attr2, s, strlen(s) + 1);
	}
	free(list);
	return rc;
}

static void action_format(FILE *f, const struct word *w, const struct view *v)
{
	const struct nlattr *a;
	char sep = ' ';

	if (view_num(v, w, w->attr, 0) == VTAP_ACTION_SKIP) {
		fputs("skip", f);
		return;
	}
	fputs("mirror", f);
	mnl_attr_for_each(a, v->nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(a) != w->attr2)
			continue;
		putc(sep, f);
		fputs(mnl_attr_get_str(a), f);
		sep = ',';
	}
}

static void action_json(const struct word *w, const struct view *v)
{
	bool skip = view_num(v, w, w->attr, 0) == VTAP_ACTION_SKIP;
	const struct nlattr *a;

	out_str(w->name, skip ? "skip" : "mirror");
	if (skip)
		return;
	out_open(w->name2, '[');
	mnl_attr_for_each(a, v->nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == w->attr2)
			out_str(NULL, mnl_attr_get_str(a));
	out_close(']');
}

static const struct key action_keys[] = { { NULL, 's' }, { NULL, 'a' }, {} };

const struct type type_action = {
	"{ mirror SESSION[,SESSION...] | skip }",
	.parse = action_parse, .format = action_format, .to_json = action_json, .many = true,
	.keys = action_keys
};

/* sample [flow] N */

static int sample_parse(struct parse *p, const struct word *w, const char *val)
{
	bool flow = !strcmp(val, "flow");
	uint64_t num;
	int rc;

	if (flow && !*p->argv)
		return usage("\"flow\" requires a value");
	if (flow)
		val = *p->argv++;
	if (num_parse(val, UINT32_MAX, &num))
		return word_bad(w, val);
	rc = word_put_num(p, w, w->attr, sizeof(uint32_t), num);
	if (!rc)
		rc = word_put_num(p, w, w->attr2, sizeof(uint8_t), flow);
	return rc;
}

static void sample_format(FILE *f, const struct word *w, const struct view *v)
{
	fprintf(f, "%s%" PRIu64, view_num(v, w, w->attr2, 0) ? "flow " : "",
		view_num(v, w, w->attr, 1));
}

static void sample_json(const struct word *w, const struct view *v)
{
	out_num(w->name, view_num(v, w, w->attr, 1));
	out_bool(w->name2, view_num(v, w, w->attr2, 0));
}

static const struct key sample_keys[] = { { NULL, 'n' }, { NULL, 'b' }, {} };

const struct type type_sample = {
	"[ flow ] N", .parse = sample_parse, .format = sample_format, .to_json = sample_json,
	.keys = sample_keys
};

/* slice LAYER [+N] */

static int slice_parse(struct parse *p, const struct word *w, const char *val)
{
	const struct name *layer = name_find(w->names, val);
	uint64_t more = 0;
	int rc;

	if (!layer)
		return word_bad(w, val);
	if (*p->argv && **p->argv == '+') {
		val = *p->argv++;
		if (num_parse(val + 1, UINT16_MAX, &more))
			return usage("\"%s\" is not + and a number from 0 to 65535", val);
	}
	rc = word_put_num(p, w, w->attr, sizeof(uint32_t), layer->value);
	if (!rc)
		rc = word_put_num(p, w, w->attr2, sizeof(uint16_t), more);
	return rc;
}

static uint64_t slice_more(const struct word *w, const struct view *v)
{
	return view_num(v, w, w->attr2, 0);
}

static const char *slice_layer(const struct word *w, const struct view *v)
{
	const struct name *n = w->names;

	while (n->name && n->value != view_num(v, w, w->attr, 0))
		n++;
	return n->name ? n->name : "?";
}

static void slice_format(FILE *f, const struct word *w, const struct view *v)
{
	fputs(slice_layer(w, v), f);
	if (slice_more(w, v))
		fprintf(f, " +%" PRIu64, slice_more(w, v));
}

static void slice_json(const struct word *w, const struct view *v)
{
	out_str(w->name, slice_layer(w, v));
	out_num(w->name2, slice_more(w, v));
}

static const struct key slice_keys[] = { { NULL, 's' }, { NULL, 'n' }, {} };

const struct type type_slice = {
	"{ off | l2 | l3 | l4 } [ +N ]", .parse = slice_parse, .format = slice_format,
	.to_json = slice_json, .keys = slice_keys
};

/* match any: no match words; set removes them with it */

static int any_parse(struct parse *p, const struct word *w, const char *val)
{
	if (strcmp(val, "any"))
		return word_bad(w, val);
	p->has_match = true;
	return OK;
}

const struct type type_any = { "any", .parse = any_parse };
