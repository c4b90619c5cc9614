/* SPDX-License-Identifier: GPL-2.0 */
/* Reading the fields of a frame. */
#ifndef _VTAP_PARSE_H
#define _VTAP_PARSE_H

#include <linux/types.h>

struct ethhdr;
struct vtap_frame;

bool vtap_parse_frame(struct vtap_frame *f, const u8 *p, unsigned int len, __be16 tci);
bool vtap_parse_bare(struct vtap_frame *f, const u8 *p, unsigned int len, const struct ethhdr *eth,
		     __be16 tci);
void vtap_parse_paged(struct vtap_frame *f, __be16 tci, const struct ethhdr *bare);
bool vtap_parse(struct vtap_frame *f);

#endif /* _VTAP_PARSE_H */
