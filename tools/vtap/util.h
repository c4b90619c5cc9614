/* SPDX-License-Identifier: GPL-2.0 */
/* What all files of the tool use. */
#ifndef VTAP_TOOL_UTIL_H
#define VTAP_TOOL_UTIL_H

#include <stdbool.h>
#include <stdio.h>

/* What functions that can fail return, and the exit codes. */
enum {
	OK,
	REFUSED,	/* the kernel refused, or a system call failed */
	USAGE,		/* the words are wrong; nothing was changed */
};

struct options {
	bool json, pretty, stats, details;
	bool force;	/* go on after errors; lose what was saved, delete what is there */
	bool check;	/* apply changes nothing */
	bool oneline;	/* counters are printed in the line of their object */
	bool brief;	/* show prints a table */
	bool timestamp;	/* monitor prints when */
	enum { COLOR_UNSET, COLOR_ALWAYS, COLOR_AUTO, COLOR_NEVER } color;
	const char *netns, *batch;
};

extern struct options opt;
extern const char *err_file;	/* printed before messages, with err_line if not 0 */
extern int err_line;
void err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *check_mem(void *p);
void json_string(FILE *f, const char *s);
const char *time_text(void);

#endif
