// SPDX-License-Identifier: GPL-2.0
/* Why a device is no port: the kernel's word, for those who did not ask for the port itself. */

#include <stdlib.h>

#include "vtap.h"

/**
 * absent_ask - Ask the kernel whether a device is a port.
 * @why: Set to the reason when it is none, else to NULL.
 * @reason: Set to its VTAP_REASON_*, else to 0.
 *
 * Return: false when there is no such device.
 */
bool absent_ask(const char *name, const char **why, uint32_t *reason)
{
	struct nlmsghdr *req = msg_new(VTAP_CMD_PORT_GET);
	struct msgs m = {};
	struct nl_error e;
	struct view v;
	bool found;

	*why = NULL;
	*reason = 0;
	mnl_attr_put_strz(req, VTAP_A_PORT_NAME, name);
	found = !nl_talk(req, msgs_keep, &m, &e) && m.n;
	if (found) {
		view_init(&v, &port_object, m.v[0]);
		*why = port_object.absent(&v);
		*reason = *why ? view_u64(&v, VTAP_A_PORT_REASON) : 0;
	}
	msgs_free(&m);
	free(req);
	return found;
}
