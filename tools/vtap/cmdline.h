/* SPDX-License-Identifier: GPL-2.0 */
/* The command line: its options, its completion, and the colors of what it prints. */
#ifndef VTAP_TOOL_CMDLINE_H
#define VTAP_TOOL_CMDLINE_H

#include "vtap.h"

/* complete.c */
int complete_run(char **argv, const char *const *verbs);

/* option.c */
#define OPTION_NAMES	3

/**
 * struct option_info - An option in front of the object.
 * @others: Its short names.
 * @flag: What it sets.
 * @value: Where the argument behind it goes, NULL if it takes none.
 * @choices: What may stand behind "=".
 */
struct option_info {
	const char *name;
	const char *others[OPTION_NAMES];
	bool *flag;
	const char **value;
	const struct name *choices;
};

extern const struct option_info option_table[];
const struct option_info *option_find(const char *arg, const char **value);

/* color.c */
#define COLOR_END	"\033[0m"
extern const struct name color_names[];
const char *color_begin(const struct word *w, const char *text);
void color_print(const struct word *w, const char *text);

#endif
