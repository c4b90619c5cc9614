// SPDX-License-Identifier: GPL-2.0
/* The versions of the tool and of the kernel module. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vtap.h"

static void version_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *a;
	char **version = data;

	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == VTAP_A_MODULE_VERSION && !*version)
			*version = check_mem(strdup(mnl_attr_get_str(a)));
}

/* The module's version; NULL when it is not loaded, which asking its family would change. */
const char *version_module(void)
{
	static char *version;
	struct nlmsghdr *req;

	if (version || access("/sys/module/vtap", F_OK))
		return version;
	req = msg_new(VTAP_CMD_MODULE_GET);
	nl_talk(req, version_cb, &version);
	free(req);
	return version;
}

void version_print(void)
{
	const char *module = version_module();

	printf("vtap %s, module %s\n", VTAP_VERSION, module ? module : "not loaded");
}
