/* SPDX-License-Identifier: GPL-2.0 */
/* Counters of all objects of a kind at two moments, and the rates between them. */
#ifndef VTAP_TOOL_RATES_H
#define VTAP_TOOL_RATES_H

#include <time.h>

#include "vtap.h"

#define RATES_MAX	10	/* counters of an object; columns of a table of 80 characters */

/**
 * struct rates_kind - What is counted of a kind of object.
 * @parts: A row for each of these attributes, in which the counters are nested, with its name.
 * @columns: The counters in these, with a heading of at most 5 characters and a key of JSON.
 */
struct rates_kind {
	const struct object *o;
	struct {
		uint16_t nest;
		const char *name;	/* NULL when there is one row for an object */
	} parts[2];
	struct rates_column {
		const char *head;
		const char *key;
		uint16_t attr;
	} columns[RATES_MAX + 1];
};

struct rates_row {
	char *name;		/* of the object and the part, unique */
	char *key, *tap;	/* the key of the object; its tap or NULL */
	const char *part;
	char *text;		/* the words of a rule, else NULL */
	uint64_t count[RATES_MAX];
	double rate[RATES_MAX];	/* per second */
};

/* All zero at the beginning. */
struct rates {
	const struct rates_kind *kind;
	struct rates_row *v;
	size_t n;
	double seconds;		/* between the two moments, 0 when there was only one */
	struct timespec at;	/* the second moment */
};

extern const struct rates_kind rates_kinds[];

const struct rates_kind *rates_kind_find(const char *name);
int rates_read(struct rates *r, const struct rates_kind *kind, struct nl_error *e);
double rates_seconds(const struct timespec *from, const struct timespec *to);
void rates_sort(struct rates *r, unsigned int column);
void rates_free(struct rates *r);

#endif
