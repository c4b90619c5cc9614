// SPDX-License-Identifier: GPL-2.0
/* Colors of values, those that ip(8) gives to the same things. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmdline.h"

#define GREEN	"\033[32m"
#define RED	"\033[31m"
#define CYAN	"\033[36m"
#define YELLOW	"\033[33m"
#define MAGENTA	"\033[35m"
#define BLUE	"\033[34m"

const struct name color_names[] = {
	{ "always", COLOR_ALWAYS }, { "auto", COLOR_AUTO }, { "never", COLOR_NEVER }, {}
};

/* Without the option, a terminal gets colors unless NO_COLOR is set, see no-color.org. */
static bool color_on(void)
{
	const char *no = getenv("NO_COLOR");

	if (opt.json || opt.color == COLOR_NEVER || (opt.color == COLOR_UNSET && no && *no))
		return false;
	return opt.color == COLOR_ALWAYS || isatty(STDOUT_FILENO);
}

static const char *color_of(const struct word *w, const char *text)
{
	static const char *const devices[] = {
		"port", "master", "dev", "egress", "loop_port", NULL
	};

	if (!strcmp(w->name, "state"))
		return strcmp(text, "active") ? RED : GREEN;
	if (w->type == &type_mac || w->type == &type_mac_mask)
		return YELLOW;
	if (w->type == &type_addr || w->type == &type_remote)
		return strchr(text, ':') ? BLUE : MAGENTA;
	if (w->flags & W_POS)
		return CYAN;
	for (const char *const *d = devices; *d; d++)
		if (!strcmp(*d, w->name))
			return CYAN;
	return NULL;
}

/* What is written before a value to color it; NULL for nothing. COLOR_END ends it. */
const char *color_begin(const struct word *w, const char *text)
{
	static int on = -1;

	if (on < 0)
		on = color_on();
	return on ? color_of(w, text) : NULL;
}

/* Print a word with its value on standard output. */
void color_print(const struct word *w, const char *text)
{
	const char *color = color_begin(w, text);

	if (!(w->flags & W_POS))
		printf("%s ", w->name);
	if (color)
		fputs(color, stdout);
	if (w->flags & W_VERBATIM)
		fputs(text, stdout);
	else
		out_quoted(stdout, text);
	if (color)
		fputs(COLOR_END, stdout);
}
