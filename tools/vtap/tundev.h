/* SPDX-License-Identifier: GPL-2.0 */
/* Devices whose frames this process reads. */
#ifndef VTAP_TOOL_TUNDEV_H
#define VTAP_TOOL_TUNDEV_H

#include <net/if.h>
#include <stdint.h>

int tundev_open(char name[IFNAMSIZ]);
uint64_t tundev_drops(const char *name);

#endif
