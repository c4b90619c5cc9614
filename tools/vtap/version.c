// SPDX-License-Identifier: GPL-2.0
/* The versions of the tool and of the kernel module. */

#include <stdio.h>

#include "vtap.h"

void version_print(void)
{
	const char *module = nl_module_version();

	printf("vtap %s, module %s\n", VTAP_VERSION, module ? module : "not loaded");
}
