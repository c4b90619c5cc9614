// SPDX-License-Identifier: GPL-2.0
/* Commands in files: split into words, with quotes, comments and continuation. */

#include <ctype.h>
#include <stdlib.h>

#include "vtap.h"

struct line_word {
	char *buf;
	size_t len;
	bool open;	/* a word has begun, be it an empty one */
};

static void line_putc(struct line_word *w, int c)
{
	/* grows at powers of two */
	if (!(w->len & (w->len + 1)))
		w->buf = check_mem(realloc(w->buf, 2 * (w->len + 1)));
	w->buf[w->len++] = c;
	w->buf[w->len] = '\0';
	w->open = true;
}

static void line_end_word(struct line *l, struct line_word *w)
{
	if (!w->open)
		return;
	if (!w->buf)
		w->buf = check_mem(calloc(1, 1));
	l->argv = check_mem(realloc(l->argv, (l->argc + 2) * sizeof(*l->argv)));
	l->argv[l->argc++] = w->buf;
	l->argv[l->argc] = NULL;
	*w = (struct line_word){};
}

/* The next character, without the newlines that a backslash takes away. */
static int line_getc(FILE *f, struct line *l, int quote)
{
	int c = getc(f);

	while (c == '\\' && quote != '\'' && quote != '#') {
		c = getc(f);
		if (c != '\n') {
			ungetc(c, f);
			return '\\';
		}
		l->next++;
		c = getc(f);
	}
	return c;
}

/**
 * line_read - Read a command, passing over lines without one.
 * @l: Starts as all zero; the numbers of the lines are counted on.
 *
 * Return: OK, with no words at the end of the file; USAGE.
 */
int line_read(FILE *f, struct line *l)
{
	struct line_word w = {};
	int quote = 0;
	int c;

	line_free(l);
	if (!l->next)
		l->next = 1;
	l->first = l->next;

	while ((c = line_getc(f, l, quote)) != EOF) {
		if (c == '\n')
			l->next++;
		if (!l->argc && !w.open && !quote)
			l->first = l->next;

		if (quote == '#') {
			if (c != '\n')
				continue;
			quote = 0;
		}
		if (!c) {
			err_line = l->next;
			free(w.buf);
			return usage("NUL byte");
		} else if (quote && c == quote) {
			quote = 0;
		} else if (quote == '\'') {
			line_putc(&w, c);
		} else if (c == '\\') {
			/* between double quotes it takes the meaning of these two only */
			c = getc(f);
			if (c == EOF || (quote && c != '"' && c != '\\')) {
				ungetc(c, f);
				c = '\\';
			}
			line_putc(&w, c);
		} else if (quote) {
			line_putc(&w, c);
		} else if (c == '\'' || c == '"') {
			quote = c;
			w.open = true;
		} else if (c == '#' && !w.open) {
			quote = c;
		} else if (isspace(c)) {
			line_end_word(l, &w);
			if (c == '\n' && l->argc)
				return OK;
		} else {
			line_putc(&w, c);
		}
	}

	line_end_word(l, &w);
	if (quote && quote != '#') {
		err_line = l->first;
		return usage("no closing %c", quote);
	}
	if (ferror(f)) {
		err("read: %m");
		return REFUSED;
	}
	return OK;
}

void line_free(struct line *l)
{
	for (int i = 0; i < l->argc; i++)
		free(l->argv[i]);
	free(l->argv);
	l->argv = NULL;
	l->argc = 0;
}
