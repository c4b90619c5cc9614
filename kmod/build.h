/* SPDX-License-Identifier: GPL-2.0 */
/* What build.c and draft.c share: a table that is being made. */
#ifndef _VTAP_BUILD_H
#define _VTAP_BUILD_H

#include <linux/types.h>

#include "table.h"

#define VTAP_MASK_HASH_BITS	8

/**
 * struct vtap_build - what is needed while a table is built
 * @t: the table
 * @drafts: entries in the order of the rules
 * @n: length of @drafts
 * @max_tuples: of which there is room for in vtap_table.tuples
 * @sorted: numbers of entries by tuple
 * @scratch: slots for vtap_sieve_choose()
 * @mask: all bits that any rule looks at
 * @first: number + 1 of a tuple by the hash of its mask
 */
struct vtap_build {
	struct vtap_table *t;
	struct vtap_build_entry *drafts;
	unsigned int n;
	unsigned int max_tuples;
	u32 *sorted;
	u64 *scratch;
	u64 mask[VTAP_KEY_WORDS];
	u32 first[1 << VTAP_MASK_HASH_BITS];
};

/* draft.c */
int vtap_draft(struct vtap_build *b);

#endif /* _VTAP_BUILD_H */
