// SPDX-License-Identifier: GPL-2.0
/* Types of numbers: how each is read, and written as text. */

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vtap.h"

const struct name onoff_names[] = { { "off", 0 }, { "on", 1 }, {} };

static const struct name tcp_flag_names[] = {
	{ "fin", 0x01 }, { "syn", 0x02 }, { "rst", 0x04 }, { "psh", 0x08 },
	{ "ack", 0x10 }, { "urg", 0x20 }, { "ece", 0x40 }, { "cwr", 0x80 },
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

/* reading and writing numbers */

/* Decimal, or hexadecimal after 0x; no sign, no blanks, nothing after it. */
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

const struct name *name_find(const struct name *names, const char *s)
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

/* 1gbit or 2.5gbit, with at most 6 digits after the point */
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

const struct type type_port = {
	"PORT", 2, .json = 'n', .read = read_num, .write = write_num, .service = true
};

const struct type type_ports = {
	"{ PORT | LO-HI }", 2, '-', 'n', .read = read_num, .write = write_num, .service = true
};

const struct type type_tcp_flags = {
	"FLAGS[/MASK]", 2, '/', 'n', .mask = 0xfff, .read = read_tcp_flags, .write = write_hex
};
