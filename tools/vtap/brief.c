// SPDX-License-Identifier: GPL-2.0
/* Objects as a table: a line and the most needed words of each. */

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmdline.h"

#define CELLS	8

/* Columns of a terminal, 0 where there is none: nothing is cut off. */
static size_t terminal_width(void)
{
	struct winsize size;

	return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

/* Whether @name is one of the words of a cell, which are joined with "+". */
static bool cell_has(const char *cell, const char *name)
{
	const size_t len = strlen(name);

	for (; cell; cell = strchr(cell, '+')) {
		cell += *cell == '+';
		if (!strncmp(cell, name, len) && (!cell[len] || cell[len] == '+'))
			return true;
	}
	return false;
}

/* Whether a cell of the object shows the word; the words of the last one are left over. */
static bool cell_shows(const struct object *o, const char *cell, const struct word *w)
{
	if (strcmp(cell, BRIEF_REST))
		return cell_has(cell, w->name);
	for (const char *const *c = o->brief; *c; c++)
		if (cell_has(*c, w->name))
			return false;
	return w->flags & W_ADD;
}

/* The words of a cell, the first one without its keyword; to be freed. */
static char *cell_text(const struct object *o, const char *cell, const struct view *v)
{
	const bool one = strcmp(cell, BRIEF_REST) && !strchr(cell, '+');
	static struct text buf;
	FILE *f = text_begin(&buf);
	const char *sep = "";

	for (const struct word *w = o->words; w->name; w++) {
		char *text = cell_shows(o, cell, w) ? word_text(o, w, v, one) : NULL;

		if (!text)
			continue;
		fputs(sep, f);
		if (!strncmp(cell, w->name, strlen(w->name)))
			fputs(text, f);
		else
			word_write(f, w, text);
		sep = " ";
		free(text);
	}
	return text_end(&buf);
}

/* The word of a cell that has only one, NULL for others. */
static const struct word *cell_word(const struct object *o, const char *cell)
{
	const struct word *w = o->words;

	while (w->name && strcmp(w->name, cell))
		w++;
	return w->name ? w : NULL;
}

/* A line of which @len bytes are to be printed, with its cells in color. */
static void line_color(const struct object *o, const char *line, size_t len, char *const *cells,
		       const size_t *widths)
{
	size_t at = 0;

	for (size_t i = 0, end; o->brief[i] && at < len; i++) {
		const struct word *w = cell_word(o, o->brief[i]);
		const char *color = w && *cells[i] ? color_begin(w, cells[i]) : NULL;

		end = at + widths[i] + 2 < len ? at + widths[i] + 2 : len;
		if (color)
			printf("%s%.*s" COLOR_END, color, (int)strnlen(cells[i], end - at),
			       line + at);
		else
			printf("%.*s", (int)(end - at), line + at);
		if (color && end - at > strlen(cells[i]))
			printf("%.*s", (int)(end - at - strlen(cells[i])),
			       line + at + strlen(cells[i]));
		at = end;
	}
}

static void line_print(const struct object *o, char *const *cells, const size_t *widths, size_t n,
		       size_t width)
{
	static struct text buf;
	FILE *f = text_begin(&buf);
	size_t len;
	char *line;

	for (size_t i = 0; i < n; i++)
		fprintf(f, "%-*s  ", (int)widths[i], *cells[i] ? cells[i] : i + 1 < n ? "-" : "");
	line = text_end(&buf);
	len = strlen(line);
	while (len && line[len - 1] == ' ')
		line[--len] = '\0';
	line_color(o, line, width && len > width ? width - 1 : len, cells, widths);
	puts(width && len > width ? "+" : "");
	free(line);
}

/* A line for each object, in columns as wide as they need be. */
void brief_print(const struct object *o, const struct msgs *m)
{
	const size_t width = terminal_width();
	size_t widths[CELLS] = {}, n = 0;
	char **cells;

	while (o->brief[n])
		n++;
	cells = check_mem(calloc(m->n * n + 1, sizeof(*cells)));
	for (size_t i = 0; i < m->n; i++) {
		struct view v;

		view_init(&v, o, m->v[i]);
		for (size_t j = 0; j < n; j++) {
			char *text = cell_text(o, o->brief[j], &v);

			cells[i * n + j] = text;
			if (strlen(text) > widths[j])
				widths[j] = strlen(text);
		}
	}
	for (size_t i = 0; i < m->n; i++)
		line_print(o, cells + i * n, widths, n, width);
	for (size_t i = 0; i < m->n * n; i++)
		free(cells[i]);
	free(cells);
}
