/* SPDX-License-Identifier: GPL-2.0 */
/* Copies without payload: where a frame's headers end, and what becomes of the rest. */
#ifndef _VTAP_SLICE_H
#define _VTAP_SLICE_H

#include <linux/types.h>

struct sk_buff;
struct vtap_tmpl;

/* All headers of a frame are among its first bytes; what is behind them is payload */
#define VTAP_SLICE_HEADERS	512

unsigned int vtap_slice_end(const u8 *p, unsigned int avail, unsigned int whole, u8 layer,
			    u16 more);
unsigned int vtap_slice_room(const struct vtap_tmpl *t, unsigned int whole);
unsigned int vtap_slice_copy(const struct vtap_tmpl *t, struct sk_buff *copy, unsigned int whole);
void vtap_slice_mask(const struct vtap_tmpl *t, u8 *from, unsigned int n);

#endif /* _VTAP_SLICE_H */
