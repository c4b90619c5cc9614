// SPDX-License-Identifier: GPL-2.0
/* Print changes as they happen. */

#include <string.h>

#include "vtap.h"

static const char *const events[] = { "add", "del", "change" };

static void monitor_cb(const struct nlmsghdr *nlh, void *data)
{
	const unsigned int *wanted = data;
	unsigned int cmd = msg_cmd(nlh);

	for (int i = 0; objects[i]; i++) {
		if (!(*wanted & 1U << i) || cmd < objects[i]->ntf || cmd >= objects[i]->ntf + 3u)
			continue;
		if (opt.timestamp && !opt.json)
			printf("[%s] ", time_text());
		object_print(objects[i], nlh, events[cmd - objects[i]->ntf]);
	}
	fflush(stdout);
}

/* Set in @wanted the bit of the object that is named. */
static int monitor_add(const char *arg, unsigned int *wanted)
{
	const char *names[8 * sizeof(*wanted) + 1] = {}, *name;
	size_t n = 0;
	int rc;

	for (int i = 0; objects[i]; i++)
		if (objects[i]->ntf != NTF_NONE)
			names[n++] = objects[i]->name;
	rc = name_pick(names, arg, &name);
	if (rc)
		return rc;
	if (!name)
		return usage("monitor: \"%s\" has no events: session, rule or port", arg);
	for (int i = 0; objects[i]; i++)
		if (name == objects[i]->name)
			*wanted |= 1U << i;
	return OK;
}

int monitor_run(char **argv)
{
	unsigned int wanted = *argv ? 0 : ~0U;

	for (; *argv; argv++) {
		int rc = monitor_add(*argv, &wanted);

		if (rc)
			return rc;
	}
	opt.oneline = true;
	return nl_monitor(monitor_cb, &wanted);
}
