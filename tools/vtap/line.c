// SPDX-License-Identifier: GPL-2.0
/* Commands in files: split into words, with quotes, comments and continuation. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "vtap.h"

static inline void line_putc(struct line *l, int c)
{
	if (l->len == l->size) {
		l->size = l->size ? 2 * l->size : 256;
		l->text = check_mem(realloc(l->text, l->size));
	}
	l->text[l->len++] = c;
}

static void line_end_word(struct line *l, bool *open)
{
	if (*open) {
		line_putc(l, '\0');
		l->argc++;
	}
	*open = false;
}

/* Set argv to the words, which follow each other in text. */
static void line_end(struct line *l)
{
	char *word = l->text;

	if (l->argc >= l->argv_size) {
		l->argv_size = l->argc + 32;
		l->argv = check_mem(realloc(l->argv, l->argv_size * sizeof(*l->argv)));
	}
	for (int i = 0; i < l->argc; i++) {
		l->argv[i] = word;
		word += strlen(word) + 1;
	}
	l->argv[l->argc] = NULL;
}

/* The next character; newlines after a backslash are skipped. */
static inline int line_getc(FILE *f, struct line *l, int quote)
{
	int c = getc_unlocked(f);

	while (c == '\\' && quote != '\'' && quote != '#') {
		c = getc_unlocked(f);
		if (c != '\n') {
			ungetc(c, f);
			return '\\';
		}
		l->next++;
		c = getc_unlocked(f);
	}
	return c;
}

/**
 * line_read - Read a command; lines without one are skipped.
 * @l: All zero before the first line.
 *
 * Return: OK, with no words at the end of the file; USAGE.
 */
int line_read(FILE *f, struct line *l)
{
	bool open = false;	/* a word has begun, which may be empty */
	int quote = 0;
	int c;

	l->argc = 0;
	l->len = 0;
	if (!l->next)
		l->next = 1;
	l->first = l->next;

	while ((c = line_getc(f, l, quote)) != EOF) {
		if (c == '\n')
			l->next++;
		if (!l->argc && !open && !quote)
			l->first = l->next;

		if (quote == '#') {
			if (c != '\n')
				continue;
			quote = 0;
		}
		if (!c) {
			err_line = l->next;
			return usage("NUL byte");
		} else if (quote && c == quote) {
			quote = 0;
		} else if (quote == '\'') {
			line_putc(l, c);
		} else if (c == '\\') {
			/* between double quotes, a backslash escapes only these two */
			c = getc(f);
			if (c == EOF || (quote && c != '"' && c != '\\')) {
				ungetc(c, f);
				c = '\\';
			}
			line_putc(l, c);
			open = true;
		} else if (quote) {
			line_putc(l, c);
		} else if (c == '\'' || c == '"') {
			quote = c;
			open = true;
		} else if (c == '#' && !open) {
			quote = c;
		} else if (isspace(c)) {
			line_end_word(l, &open);
			if (c == '\n' && l->argc) {
				line_end(l);
				return OK;
			}
		} else {
			/* up to the next character that may be special */
			do {
				line_putc(l, c);
				c = getc_unlocked(f);
			} while (c > ' ' && c != '\\' && c != '\'' && c != '"');
			ungetc(c, f);
			open = true;
		}
	}

	line_end_word(l, &open);
	if (quote && quote != '#') {
		err_line = l->first;
		return usage("no closing %c", quote);
	}
	if (ferror(f)) {
		err("read: %m");
		return REFUSED;
	}
	line_end(l);
	return OK;
}

void line_free(struct line *l)
{
	free(l->argv);
	free(l->text);
	*l = (struct line){};
}
