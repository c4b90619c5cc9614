/* SPDX-License-Identifier: GPL-2.0 */
/* Frames made of words. */
#ifndef VTAP_FRAME_H
#define VTAP_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MADE_MAX	128	/* the longest one is of TCP in an IPv6 fragment, with a VLAN tag */

int frame_parse(char **argv, uint8_t *buf, size_t *len);

#endif
