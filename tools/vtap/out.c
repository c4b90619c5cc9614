// SPDX-License-Identifier: GPL-2.0
/* JSON, on standard output unless it is directed elsewhere, and quoting of values in text. */

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "vtap.h"

static FILE *out;	/* NULL for standard output */
static int out_depth;
static bool out_more;	/* a value precedes at this depth */

void out_to(FILE *f)
{
	out = f;
}

static FILE *out_file(void)
{
	return out ? out : stdout;
}

static void out_newline(void)
{
	if (opt.pretty)
		fprintf(out_file(), "\n%*s", out_depth * 4, "");
}

static void out_key(const char *key)
{
	if (out_more)
		putc(',', out_file());
	if (out_depth)
		out_newline();
	out_more = true;
	if (key) {
		json_string(out_file(), key);
		fputs(opt.pretty ? ": " : ":", out_file());
	}
}

void out_open(const char *key, char bracket)
{
	out_key(key);
	putc(bracket, out_file());
	out_depth++;
	out_more = false;
}

/* Ends the line when nothing is open any more. */
void out_close(char bracket)
{
	out_depth--;
	if (out_more)
		out_newline();
	putc(bracket, out_file());
	out_more = out_depth;
	if (!out_depth)
		putc('\n', out_file());
}

void out_num(const char *key, uint64_t val)
{
	out_key(key);
	fprintf(out_file(), "%" PRIu64, val);
}

void out_real(const char *key, double val)
{
	out_key(key);
	fprintf(out_file(), "%.6f", val);
}

void out_bool(const char *key, bool val)
{
	out_key(key);
	fputs(val ? "true" : "false", out_file());
}

void out_str(const char *key, const char *val)
{
	out_key(key);
	json_string(out_file(), val);
}

/* Quoted as the shell and line.c read it. */
void out_quoted(FILE *f, const char *s)
{
	const char *c = s;

	while (isalnum((unsigned char)*c) || (*c && strchr("_.:@-/,+=%", *c)))
		c++;
	if (*s && !*c) {
		fputs(s, f);
		return;
	}
	putc('\'', f);
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", f);
		else
			putc(*s, f);
	}
	putc('\'', f);
}

FILE *text_begin(struct text *t)
{
	if (t->f)
		rewind(t->f);
	else
		t->f = check_mem(open_memstream(&t->buf, &t->len));
	return t->f;
}

/* A copy, to be freed. */
char *text_end(struct text *t)
{
	if (fflush(t->f))
		check_mem(NULL);
	return check_mem(strndup(t->buf, t->len));
}
