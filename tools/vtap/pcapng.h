/* SPDX-License-Identifier: GPL-2.0 */
/* Writes captures as pcapng, draft-ietf-opsawg-pcapng. */
#ifndef VTAP_TOOL_PCAPNG_H
#define VTAP_TOOL_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

void pcapng_begin(FILE *f);
void pcapng_interface(FILE *f, const char *name);
void pcapng_frame(FILE *f, uint32_t interface, bool egress, const struct timespec *at,
		  const void *frame, uint32_t len);

#endif
