/* SPDX-License-Identifier: GPL-2.0 */
/* Whole configurations, of a file or of the kernel. */
#ifndef VTAP_CONFIG_H
#define VTAP_CONFIG_H

#include "vtap.h"

/* An object that is wanted or present. */
struct item {
	struct nlmsghdr *nlh;
	char *text;		/* see item_text() */
	char *set;		/* the words that set takes to make it */
	const char *file;
	int line;
	size_t order;
	const char *tap;
	uint32_t pref;
	bool add, del;
	bool early;		/* deleted before the sessions are changed */
};

struct items {
	struct item *v;
	size_t n;
};

/*
 * A configuration, of the file or of the kernel.
 * @tap: The file is for this tap alone and need not name it; NULL for the taps that it names.
 * @taps: The taps that it names, @n_taps of them.
 */
struct config {
	struct items sessions, rules;
	const char *tap;
	const char **taps;
	size_t n_taps;
};

const struct nlattr *item_attr(const struct item *i, uint16_t attr);
const char *item_name(const struct item *i);
void items_free(struct items *l);
struct item *session_find(const struct items *l, const char *tap, const char *name);
int config_read(struct config *c, const char *name);
int config_get(struct config *c, const struct config *want);

#endif
