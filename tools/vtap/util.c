// SPDX-License-Identifier: GPL-2.0
/* What all files use: options, messages and memory. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "util.h"

struct options opt;
const char *err_file;
int err_line;

/* A string of JSON, with its quotes. */
void json_string(FILE *f, const char *s)
{
	putc('"', f);
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(f, "\\u%04x", c);
		else
			putc(c, f);
	}
	putc('"', f);
}

/* An object per line, as of monitor. */
static void err_json(const char *fmt, va_list ap)
{
	static const char warning[] = "warning: ";
	const char *text;
	char *buf;

	if (vasprintf(&buf, fmt, ap) < 0)
		exit(REFUSED);
	text = strncmp(buf, warning, strlen(warning)) ? buf : buf + strlen(warning);
	fputs(text == buf ? "{\"error\":" : "{\"warning\":", stderr);
	json_string(stderr, text);
	if (err_file) {
		fputs(",\"where\":", stderr);
		json_string(stderr, err_file);
	}
	if (err_file && err_line)
		fprintf(stderr, ",\"line\":%d", err_line);
	fputs("}\n", stderr);
	free(buf);
}

static void err_print(const char *fmt, va_list ap)
{
	fflush(stdout);
	if (opt.json) {
		err_json(fmt, ap);
		return;
	}
	fputs("vtap: ", stderr);
	if (err_file)
		fprintf(stderr, "%s:", err_file);
	if (err_file && err_line)
		fprintf(stderr, "%d:", err_line);
	if (err_file)
		putc(' ', stderr);
	vfprintf(stderr, fmt, ap);
	putc('\n', stderr);
}

void err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_print(fmt, ap);
	va_end(ap);
}

int usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_print(fmt, ap);
	va_end(ap);
	return USAGE;
}

void *check_mem(void *p)
{
	if (!p) {
		err("out of memory");
		exit(REFUSED);
	}
	return p;
}

/* Now, as in RFC 3339 with microseconds; the next call uses the same place. */
const char *time_text(void)
{
	static char text[48];
	char second[32], zone[8];
	struct timeval tv;

	gettimeofday(&tv, NULL);
	strftime(second, sizeof(second), "%FT%T", localtime(&tv.tv_sec));
	strftime(zone, sizeof(zone), "%z", localtime(&tv.tv_sec));
	snprintf(text, sizeof(text), "%s.%06u%.3s:%s", second, (unsigned int)tv.tv_usec, zone,
		 zone + 3);
	return text;
}
