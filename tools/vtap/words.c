// SPDX-License-Identifier: GPL-2.0
/* The types of values: how each is read from a word, and written as text and JSON. */

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vtap.h"

#define MAC_LEN		6

const struct name onoff_names[] = { { "off", 0 }, { "on", 1 }, {} };

static const struct name tcp_flag_names[] = {
	{ "fin", 0x01 }, { "syn", 0x02 }, { "rst", 0x04 }, { "psh", 0x08 },
	{ "ack", 0x10 }, { "urg", 0x20 }, { "ece", 0x40 }, { "cwr", 0x80 },
	{}
};

static const struct name ip_flag_names[] = {
	{ "frag", VTAP_IP_FLAG_FRAG },
	{ "firstfrag", VTAP_IP_FLAG_FIRSTFRAG },
	{}
};

/* the units of tc */
static const struct unit rate_units[] = {
	{ "tbit", 1000000000000 }, { "gbit", 1000000000 }, { "mbit", 1000000 },
	{ "kbit", 1000 }, { "bit", 1 }, { "", 1 },
	{ "kibit", 1ULL << 10 }, { "mibit", 1ULL << 20 },
	{ "gibit", 1ULL << 30 }, { "tibit", 1ULL << 40 },
	{ "bps", 8 }, { "kbps", 8000 }, { "mbps", 8000000 }, { "gbps", 8000000000 },
	{ "tbps", 8000000000000 }, { "kibps", 8ULL << 10 }, { "mibps", 8ULL << 20 },
	{ "gibps", 8ULL << 30 }, { "tibps", 8ULL << 40 },
	{}
};

static const struct unit size_units[] = {
	{ "gib", 1 << 30 }, { "mib", 1 << 20 }, { "kib", 1 << 10 }, { "b", 1 }, { "", 1 },
	{ "g", 1 << 30 }, { "gb", 1 << 30 }, { "m", 1 << 20 }, { "mb", 1 << 20 },
	{ "k", 1 << 10 }, { "kb", 1 << 10 },
	{}
};

/* attributes */

uint64_t attr_num(const struct nlattr *a)
{
	const uint8_t *mac = mnl_attr_get_payload(a);
	uint64_t val = 0;

	switch (mnl_attr_get_payload_len(a)) {
	case sizeof(uint8_t):
		return mnl_attr_get_u8(a);
	case sizeof(uint16_t):
		return mnl_attr_get_u16(a);
	case sizeof(uint32_t):
		return mnl_attr_get_u32(a);
	case sizeof(uint64_t):
		return mnl_attr_get_u64(a);
	case MAC_LEN:
		for (int i = 0; i < MAC_LEN; i++)
			val = val << 8 | mac[i];
	}
	return val;
}

const struct nlattr *view_attr(const struct view *v, const struct word *w, uint16_t attr)
{
	return w->flags & W_MATCH ? v->match[attr] : v->tb[attr];
}

static uint64_t view_num(const struct view *v, const struct word *w, uint16_t attr, uint64_t none)
{
	const struct nlattr *a = attr ? view_attr(v, w, attr) : NULL;

	return a ? attr_num(a) : none;
}

int word_put(struct parse *p, const struct word *w, uint16_t attr, const void *data, size_t len)
{
	struct nlmsghdr *nlh = w->flags & W_MATCH ? p->match : p->nlh;

	if (!mnl_attr_put_check(nlh, MSG_MAX, attr, len, data))
		return usage("\"%s\" does not fit in the message", w->name);
	return OK;
}

static int word_put_num(struct parse *p, const struct word *w, uint16_t attr, size_t size,
			uint64_t val)
{
	uint8_t mac[MAC_LEN], u8 = val;
	uint16_t u16 = val;
	uint32_t u32 = val;

	for (int i = 0; i < MAC_LEN; i++)
		mac[i] = val >> 8 * (MAC_LEN - 1 - i);
	switch (size) {
	case sizeof(u8):
		return word_put(p, w, attr, &u8, size);
	case sizeof(u16):
		return word_put(p, w, attr, &u16, size);
	case sizeof(u32):
		return word_put(p, w, attr, &u32, size);
	case sizeof(mac):
		return word_put(p, w, attr, mac, size);
	default:
		return word_put(p, w, attr, &val, size);
	}
}

/* reading and writing numbers */

/* Decimal, or hexadecimal after 0x; no sign, no blanks, nothing behind. */
int num_parse(const char *s, uint64_t max, uint64_t *val)
{
	unsigned int base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
	const char *digits = "0123456789abcdef", *digit;
	uint64_t num = 0;

	if (base == 16)
		s += 2;
	if (!*s)
		return -1;
	for (; *s; s++) {
		digit = memchr(digits, tolower((unsigned char)*s), base);
		if (!digit || __builtin_mul_overflow(num, base, &num) ||
		    __builtin_add_overflow(num, digit - digits, &num) || num > max)
			return -1;
	}
	*val = num;
	return 0;
}

static const struct name *name_find(const struct name *names, const char *s)
{
	for (; names && names->name; names++)
		if (!strcmp(names->name, s))
			return names;
	return NULL;
}

static int read_name(const struct word *w, const char *s, uint64_t *val)
{
	const struct name *n = name_find(w->names, s);

	if (n)
		*val = n->value;
	return n ? 0 : -1;
}

static int read_num(const struct word *w, const char *s, uint64_t *val)
{
	if (!read_name(w, s, val))
		return 0;
	return num_parse(s, UINT64_MAX >> (64 - 8 * w->type->size), val);
}

static void write_num(FILE *f, const struct word *w, uint64_t val)
{
	const struct name *n = w->names;

	while (n && n->name && n->value != val)
		n++;
	if (n && n->name)
		fputs(n->name, f);
	else
		fprintf(f, w->flags & W_HEX ? "0x%04" PRIx64 : "%" PRIu64, val);
}

/* 1gbit or 2.5gbit, with at most 6 digits behind the point */
static int read_unit(const struct word *w, const char *s, uint64_t *val)
{
	const struct unit *u = w->type->units;
	size_t len = strspn(s, "0123456789");
	uint64_t num, frac = 0, div = 1;
	char *digits = check_mem(strndup(s, len));
	int rc = num_parse(digits, UINT64_MAX, &num);

	free(digits);
	if (rc)
		return rc;
	s += len;
	if (*s == '.') {
		for (s++; isdigit((unsigned char)*s) && div <= 1000000; s++) {
			frac = frac * 10 + *s - '0';
			div *= 10;
		}
		if (div == 1 || div > 1000000)
			return -1;
	}
	while (u->name && strcasecmp(u->name, s))
		u++;
	if (!u->name || __builtin_mul_overflow(num, u->value, &num) ||
	    __builtin_add_overflow(num, frac * u->value / div, &num) ||
	    num > UINT64_MAX >> (64 - 8 * w->type->size))
		return -1;
	*val = num;
	return 0;
}

static void write_unit(FILE *f, const struct word *w, uint64_t val)
{
	const struct unit *u = w->type->units;

	while (val % u->value)
		u++;
	fprintf(f, "%" PRIu64 "%s", val / u->value, val ? u->name : "");
}

static void write_ms(FILE *f, const struct word *w, uint64_t val)
{
	(void)w;
	fprintf(f, "%" PRIu64 ".%03us", val / 1000, (unsigned int)(val % 1000));
}

static int read_mac(const struct word *w, const char *s, uint64_t *val)
{
	uint64_t byte;

	(void)w;
	*val = 0;
	for (int i = 0; i < MAC_LEN; i++, s += 3) {
		char hex[5] = "0x";

		memcpy(hex + 2, s, strnlen(s, 2));
		if (strlen(hex) != 4 || num_parse(hex, UINT8_MAX, &byte) ||
		    s[2] != (i < MAC_LEN - 1 ? ':' : '\0'))
			return -1;
		*val = *val << 8 | byte;
	}
	return 0;
}

static void write_mac(FILE *f, const struct word *w, uint64_t val)
{
	(void)w;
	for (int i = MAC_LEN - 1; i >= 0; i--)
		fprintf(f, "%02x%s", (unsigned int)(val >> 8 * i & 0xff), i ? ":" : "");
}

/* Hexadecimal as in tc-flower, or names joined with commas. */
static int read_tcp_flags(const struct word *w, const char *s, uint64_t *val)
{
	char *list = check_mem(strdup(s)), *item, *next;
	int rc = 0;

	(void)w;
	*val = 0;
	for (item = list; item && !rc; item = next) {
		const struct name *n;
		char hex[8] = "0x";
		uint64_t num = 0;

		next = strchr(item, ',');
		if (next)
			*next++ = '\0';
		n = name_find(tcp_flag_names, item);
		if (n) {
			num = n->value;
		} else {
			if (!strncmp(item, "0x", 2))
				item += 2;
			strncat(hex, item, sizeof(hex) - 3);
			rc = strlen(item) > 4 ? -1 : num_parse(hex, UINT16_MAX, &num);
		}
		*val |= num;
	}
	free(list);
	return rc;
}

static void write_hex(FILE *f, const struct word *w, uint64_t val)
{
	(void)w;
	fprintf(f, "0x%" PRIx64, val);
}

#define NUM	.help = "N", .json = 'n', .read = read_num, .write = write_num

const struct type type_u8 = { NUM, .size = 1 };
const struct type type_u16 = { NUM, .size = 2 };
const struct type type_u32 = { NUM, .size = 4 };
const struct type type_u64 = { NUM, .size = 8 };
const struct type type_enum = { NULL, 4, .json = 's', .read = read_name, .write = write_num };
const struct type type_onoff = { NULL, 1, .json = 'b', .read = read_name, .write = write_num };

const struct type type_rate = {
	"RATE", 8, .json = 'n', .read = read_unit, .write = write_unit, .units = rate_units
};

const struct type type_size = {
	"SIZE", 4, .json = 'n', .read = read_unit, .write = write_unit, .units = size_units
};

const struct type type_since = { NULL, 8, .json = 'n', .write = write_ms };
const struct type type_mac = { "MAC", 6, .json = 's', .read = read_mac, .write = write_mac };

const struct type type_mac_mask = {
	"MAC[/MASK]", 6, '/', 's', .mask = 0xffffffffffff, .read = read_mac, .write = write_mac
};

const struct type type_ports = {
	"{ N | LO-HI }", 2, '-', 'n', .read = read_num, .write = write_num
};

const struct type type_tcp_flags = {
	"FLAGS[/MASK]", 2, '/', 'n', .mask = 0xfff, .read = read_tcp_flags, .write = write_hex
};

/* words of all types */

int word_parse(struct parse *p, const struct word *w, const char *val)
{
	const struct type *t = w->type;
	uint64_t num, num2 = 0;
	char *s, *second;
	int rc;

	if (t->parse)
		return t->parse(p, w, val);

	if (!t->sep || !strchr(val, t->sep)) {
		if (t->read(w, val, &num))
			return word_bad(w, val);
		return word_put_num(p, w, w->attr, t->size, num);
	}
	s = check_mem(strdup(val));
	second = strchr(s, t->sep);
	*second++ = '\0';
	if (t->read(w, s, &num) || t->read(w, second, &num2))
		rc = word_bad(w, val);
	else
		rc = word_put_num(p, w, w->attr, t->size, num);
	if (!rc)
		rc = word_put_num(p, w, w->attr2, t->size, num2);
	free(s);
	return rc;
}

/* The number or numbers of a word; whether the second one is worth writing. */
static bool word_nums(const struct word *w, const struct view *v, uint64_t *num, uint64_t *num2)
{
	bool mask = w->type->sep == '/';
	uint64_t none;

	*num = view_num(v, w, w->attr, 0);
	none = mask ? w->type->mask : *num;
	*num2 = view_num(v, w, w->attr2, none);
	if (mask)
		*num &= *num2;
	return *num2 != none;
}

static bool attr_same(const struct nlattr *a, const struct nlattr *b)
{
	if (!a || !b)
		return a == b;
	return a->nla_len == b->nla_len && !memcmp(a, b, a->nla_len);
}

/* Whether two objects have the same value of a word; if not, their texts may still be the same. */
bool word_same(const struct word *w, const struct view *a, const struct view *b)
{
	const struct nlattr *va = view_attr(a, w, w->attr), *vb = view_attr(b, w, w->attr);
	uint64_t num[2], num2[2];

	if (!va || !vb)
		return va == vb;
	/* there may be several of the second */
	if (w->type == &type_action)
		return false;
	if (attr_same(va, vb) &&
	    (!w->attr2 || attr_same(view_attr(a, w, w->attr2), view_attr(b, w, w->attr2))))
		return true;
	if (!w->type->write)
		return false;
	return word_nums(w, a, &num[0], &num2[0]) == word_nums(w, b, &num[1], &num2[1]) &&
	       num[0] == num[1] && num2[0] == num2[1];
}

void word_format(FILE *f, const struct word *w, const struct view *v)
{
	uint64_t num, num2;

	if (w->type->format) {
		w->type->format(f, w, v);
	} else if (!word_nums(w, v, &num, &num2)) {
		w->type->write(f, w, num);
	} else {
		w->type->write(f, w, num);
		putc(w->type->sep, f);
		w->type->write(f, w, num2);
	}
}

static void json_num(const struct word *w, const char *key, uint64_t num)
{
	char text[64];
	FILE *f;

	if (w->type->json == 'n') {
		out_num(key, num);
	} else if (w->type->json == 'b') {
		out_bool(key, num);
	} else {
		f = check_mem(fmemopen(text, sizeof(text), "w"));
		w->type->write(f, w, num);
		fclose(f);
		out_str(key, text);
	}
}

void word_json(const struct word *w, const struct view *v)
{
	uint64_t num, num2;
	char *text;
	size_t len;
	FILE *f;

	if (w->type->to_json) {
		w->type->to_json(w, v);
	} else if (w->type->format) {
		f = check_mem(open_memstream(&text, &len));
		w->type->format(f, w, v);
		fclose(f);
		out_str(w->name, check_mem(text));
		free(text);
	} else {
		bool both = word_nums(w, v, &num, &num2);

		json_num(w, w->name, num);
		if (both)
			json_num(w, w->name2, num2);
	}
}

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

/* addresses, with a prefix length where the word has an attribute for it */

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
	if (p->addr && p->addr_len != len)
		return usage("\"%s\" is of another address family than \"%s\"",
			     w->name, p->addr->name);
	p->addr = w;
	p->addr_len = len;
	rc = word_put(p, w, w->attr, addr, len);
	if (!rc && slash)
		rc = word_put_num(p, w, w->attr2, sizeof(uint8_t), plen);
	return rc;
}

/* The address as text, without the bits that the prefix leaves out. */
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

const struct type type_addr = {
	"ADDR", .parse = addr_parse, .format = addr_format, .to_json = addr_json
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

const struct type type_action = {
	"{ mirror SESSION[,SESSION...] | skip }",
	.parse = action_parse, .format = action_format, .to_json = action_json
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

const struct type type_sample = {
	"[ flow ] N", .parse = sample_parse, .format = sample_format, .to_json = sample_json
};

/* match any: no match words at all, which is how set takes them away */

static int any_parse(struct parse *p, const struct word *w, const char *val)
{
	if (strcmp(val, "any"))
		return word_bad(w, val);
	p->has_match = true;
	return OK;
}

const struct type type_any = { "any", .parse = any_parse };

int word_take(struct parse *p, const struct word *w)
{
	int rc = word_see(p, w);

	if (rc)
		return rc;
	if (!*p->argv)
		return usage("\"%s\" requires a value", w->name);
	if (w->flags & W_MATCH)
		p->has_match = true;
	return word_parse(p, w, *p->argv++);
}

/* inner: the match words that follow are of what is inside the tunnel */

static const struct word *inner_find(const struct word *w, const char *name)
{
	const struct word *n;

	for (n = w->nest; n->name; n++)
		if (n->flags & W_INNER && !strcmp(n->name, name))
			return n;
	return NULL;
}

static int inner_parse(struct parse *p, const struct word *w, const char *val)
{
	static char buf[MSG_MAX] __attribute__((aligned(8)));
	struct parse in = { .argv = p->argv, .match = msg_put(buf, 0) };
	const struct word *n = inner_find(w, val);
	int rc;

	if (!n)
		return word_bad(w, val);
	do {
		rc = word_take(&in, n);
	} while (!rc && *in.argv && (n = inner_find(w, *in.argv)) && in.argv++);
	p->argv = in.argv;
	if (rc)
		return rc;
	return word_put(p, w, w->attr | NLA_F_NESTED,
			mnl_nlmsg_get_payload_offset(in.match, sizeof(struct genlmsghdr)),
			mnl_nlmsg_get_payload_len(in.match) - sizeof(struct genlmsghdr));
}

static void inner_view(struct view *v, const struct word *w, const struct view *outer)
{
	const struct nlattr *a;

	*v = (struct view){ .nlh = outer->nlh };
	mnl_attr_for_each_nested(a, view_attr(outer, w, w->attr))
		if (mnl_attr_get_type(a) <= ATTR_MAX)
			v->match[mnl_attr_get_type(a)] = a;
}

static void inner_format(FILE *f, const struct word *w, const struct view *outer)
{
	const struct word *n;
	const char *sep = "";
	struct view v;

	inner_view(&v, w, outer);
	for (n = w->nest; n->name; n++) {
		if (!(n->flags & W_INNER) || !view_attr(&v, n, n->attr))
			continue;
		fprintf(f, "%s%s ", sep, n->name);
		word_format(f, n, &v);
		sep = " ";
	}
}

static void inner_json(const struct word *w, const struct view *outer)
{
	const struct word *n;
	struct view v;

	inner_view(&v, w, outer);
	out_open(w->name, '{');
	for (n = w->nest; n->name; n++)
		if (n->flags & W_INNER && view_attr(&v, n, n->attr))
			word_json(n, &v);
	out_close('}');
}

const struct type type_inner = {
	"WORDS", .parse = inner_parse, .format = inner_format, .to_json = inner_json
};

/* nested counters */

static void nest_view(struct view *v, const struct word *w, const struct view *outer)
{
	const struct nlattr *a;

	*v = (struct view){ .nlh = outer->nlh };
	mnl_attr_for_each_nested(a, outer->tb[w->attr])
		if (mnl_attr_get_type(a) <= ATTR_MAX)
			v->tb[mnl_attr_get_type(a)] = a;
}

static void nest_format(FILE *f, const struct word *w, const struct view *outer)
{
	const struct word *n;
	const char *sep = "";
	struct view v;

	nest_view(&v, w, outer);
	for (n = w->nest; n->name; n++) {
		if (!v.tb[n->attr])
			continue;
		if (n->flags & W_BREAK && !opt.oneline)
			sep = "\n    ";
		fprintf(f, "%s%s ", sep, n->name);
		word_format(f, n, &v);
		sep = " ";
	}
}

static void nest_json(const struct word *w, const struct view *outer)
{
	const struct word *n;
	struct view v;

	nest_view(&v, w, outer);
	out_open(w->name, '{');
	for (n = w->nest; n->name; n++)
		if (v.tb[n->attr])
			word_json(n, &v);
	out_close('}');
}

const struct type type_nest = { .format = nest_format, .to_json = nest_json };
