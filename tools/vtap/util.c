// SPDX-License-Identifier: GPL-2.0
/* What all files use: options, messages and memory. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "util.h"

struct options opt;
const char *err_file;
int err_line;

static void err_print(const char *fmt, va_list ap)
{
	fflush(stdout);
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
