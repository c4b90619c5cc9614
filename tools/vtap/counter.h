/* SPDX-License-Identifier: GPL-2.0 */
/* Counters of objects, for top and metrics. */
#ifndef VTAP_TOOL_COUNTER_H
#define VTAP_TOOL_COUNTER_H

#include "vtap.h"

uint64_t counter_read(const struct view *v, uint16_t nest, uint16_t attr);
char *counter_label(const struct object *o, const struct view *v, const char *word);

#endif
