// SPDX-License-Identifier: GPL-2.0
/* The options in front of the object. */

#include <string.h>

#include "cmdline.h"

const struct option_info option_table[] = {
	{ "json", { "j" }, .flag = &opt.json },
	{ "pretty", { "p" }, .flag = &opt.pretty },
	{ "statistics", { "s", "stats" }, .flag = &opt.stats },
	{ "details", { "d" }, .flag = &opt.details },
	{ "oneline", { "o" }, .flag = &opt.oneline },
	{ "brief", { "br" }, .flag = &opt.brief },
	{ "timestamp", { "t", "ts", "tshort" }, .flag = &opt.timestamp },
	{ "color", { "co", "col", "colo" }, .choices = color_names },
	{ "netns", { "n" }, .value = &opt.netns },
	{ "batch", { "b" }, .value = &opt.batch },
	{ "force", .flag = &opt.force },
	{ "check", { "c" }, .flag = &opt.check },
	{ "Version", { "V", "version" }, .flag = NULL },
	{ "help", { "h" }, .flag = NULL },
	{}
};

/**
 * option_find - Find an option by an argument, which may have one dash or two.
 * @value: Set to what stands behind "=", NULL for nothing.
 *
 * Return: The option, or NULL for none.
 */
const struct option_info *option_find(const char *arg, const char **value)
{
	const char *name = arg + 1 + (*arg && arg[1] == '-');
	const size_t len = *arg == '-' ? strcspn(name, "=") : 0;

	*value = len && name[len] ? name + len + 1 : NULL;
	for (const struct option_info *o = option_table; len && o->name; o++) {
		if (*value && !o->choices)
			continue;
		if (strlen(o->name) == len && !strncmp(o->name, name, len))
			return o;
		for (int i = 0; i < OPTION_NAMES && o->others[i]; i++)
			if (strlen(o->others[i]) == len && !strncmp(o->others[i], name, len))
				return o;
	}
	return NULL;
}
