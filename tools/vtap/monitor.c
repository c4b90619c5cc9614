// SPDX-License-Identifier: GPL-2.0
/* Print changes as they happen. */

#include "vtap.h"

static const char *const events[] = { "add", "del", "change" };

static void monitor_cb(const struct nlmsghdr *nlh, void *data)
{
	unsigned int cmd = msg_cmd(nlh);

	(void)data;
	for (int i = 0; objects[i]; i++)
		if (cmd >= objects[i]->ntf && cmd < objects[i]->ntf + 3u)
			object_print(objects[i], nlh, events[cmd - objects[i]->ntf]);
	fflush(stdout);
}

int monitor_run(char **argv)
{
	if (*argv)
		return usage("unexpected \"%s\" after \"monitor\"", *argv);
	opt.oneline = true;
	return nl_monitor(monitor_cb);
}
