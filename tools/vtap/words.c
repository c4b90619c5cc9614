// SPDX-License-Identifier: GPL-2.0
/* Keywords: their values are parsed, compared and printed. */

#include <stdlib.h>
#include <string.h>

#include "vtap.h"

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

uint64_t view_num(const struct view *v, const struct word *w, uint16_t attr, uint64_t none)
{
	const struct nlattr *a = attr ? view_attr(v, w, attr) : NULL;

	return a ? attr_num(a) : none;
}

/* An attribute outside of nests; "" or 0 when it is not there. */
const char *view_str(const struct view *v, uint16_t attr)
{
	return v->tb[attr] ? mnl_attr_get_str(v->tb[attr]) : "";
}

uint64_t view_u64(const struct view *v, uint16_t attr)
{
	return v->tb[attr] ? attr_num(v->tb[attr]) : 0;
}

/* An attribute in a nest, which may be NULL; NULL or 0 when it is not there. */
const struct nlattr *nest_attr(const struct nlattr *nest, uint16_t attr)
{
	const struct nlattr *a;

	if (nest)
		mnl_attr_for_each_nested(a, nest)
			if (mnl_attr_get_type(a) == attr)
				return a;
	return NULL;
}

uint64_t nest_u64(const struct nlattr *nest, uint16_t attr)
{
	const struct nlattr *a = nest_attr(nest, attr);

	return a ? attr_num(a) : 0;
}

/* Prints what a value may be; set by main(), since it looks at all objects. */
void (*word_hint)(FILE *f, const struct word *w, const char *val);

/* Return: USAGE, after telling that a value is wrong and what it may be. */
int word_bad(const struct word *w, const char *val)
{
	static struct text text;
	FILE *f = text_begin(&text);
	char *hint;

	if (word_hint)
		word_hint(f, w, val);
	hint = text_end(&text);
	usage("\"%s\" is not a valid value for \"%s\"%s", val, w->name, hint);
	free(hint);
	return USAGE;
}

int word_put(struct parse *p, const struct word *w, uint16_t attr, const void *data, size_t len)
{
	struct nlmsghdr *nlh = w->flags & W_MATCH ? p->match : p->nlh;

	if (!mnl_attr_put_check(nlh, MSG_MAX, attr, len, data))
		return usage("\"%s\" does not fit in the message", w->name);
	return OK;
}

int word_put_num(struct parse *p, const struct word *w, uint16_t attr, size_t size,
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

/* words of all types */

int word_parse(struct parse *p, const struct word *w, const char *val)
{
	const struct type *t = w->type;
	uint64_t num, num2 = 0;
	char *s, *second;
	int port, rc;

	if (t->parse)
		return t->parse(p, w, val);
	port = t->service ? service_find(p, w, val) : -1;
	if (port >= 0)
		return word_put_num(p, w, w->attr, t->size, port);

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

/* Get the numbers of a word. Return: true if the second one must be written. */
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

/* Whether a word has the same value in two objects; if false, the texts may still be equal. */
bool word_same(const struct word *w, const struct view *a, const struct view *b)
{
	const struct nlattr *va = view_attr(a, w, w->attr), *vb = view_attr(b, w, w->attr);
	uint64_t num[2], num2[2];

	if (!va || !vb)
		return va == vb;
	if (w->type->many || (w->flags & W_MATCH && (a->matches > 1 || b->matches > 1)))
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

static uint64_t word_bits(const struct word *w)
{
	return 1ULL << w->attr | (w->attr2 ? 1ULL << w->attr2 : 0);
}

bool word_seen(const struct parse *p, const struct word *w)
{
	return p->seen[!!(w->flags & W_MATCH)] & word_bits(w);
}

/* A word is given once, be it with a value or with "no". */
int word_see(struct parse *p, const struct word *w)
{
	if (word_seen(p, w))
		return usage("duplicate \"%s\"", w->name);
	p->seen[!!(w->flags & W_MATCH)] |= word_bits(w);
	return OK;
}

/* A keyword that a command takes, NULL for none. */
const struct word *word_find(const struct object *o, const char *name, uint16_t flags)
{
	const struct word *w;

	for (w = o->words; w->name; w++)
		if (w->flags & flags && !(w->flags & W_POS) && *w->name == *name &&
		    !strcmp(w->name, name))
			return w;
	return NULL;
}
