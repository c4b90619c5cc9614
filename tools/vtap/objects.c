// SPDX-License-Identifier: GPL-2.0
/* The kinds of objects. */

#include "vtap.h"

const struct object *const objects[] = {
	&session_object, &rule_object, &port_object, &tap_object, NULL
};
