/* SPDX-License-Identifier: GPL-2.0 */
/* The changes between two configurations. */
#ifndef VTAP_TOOL_DIFF_H
#define VTAP_TOOL_DIFF_H

#include "config.h"

struct change {
	const struct object *o;
	enum command cmd;
	struct nlmsghdr *nlh;
	char *text;
	const char *file;
	int line;		/* of the file, 0 for a deletion */
};

struct changes {
	struct change *v;
	size_t n;
};

/* diff.c */
void sessions_diff(struct items *have, struct items *want);
void rules_diff(struct items *have, struct items *want, const struct items *sessions);
int changes_make(struct changes *c, const struct config *have, const struct config *want);

#endif
