// SPDX-License-Identifier: GPL-2.0
/* Files of commands, and the files that they include. */

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "vtap.h"

#define DEPTH_MAX	16

/* The files of one include command, or the outermost file. */
struct source {
	glob_t files;
	size_t next;		/* of the files, the one to open next */
	FILE *f;
	struct line line;
	const char *name;
	struct source *outer;
	int depth;
};

/* Messages and changes refer to names for as long as the process runs. */
static const char *name_keep(const char *name)
{
	static char **names;
	static size_t n;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return names[i];
	names = check_mem(realloc(names, (n + 1) * sizeof(*names)));
	return names[n++] = check_mem(strdup(name));
}

static struct source *source_push(struct source *outer)
{
	struct source *s = check_mem(calloc(1, sizeof(*s)));

	s->outer = outer;
	s->depth = outer ? outer->depth + 1 : 0;
	return s;
}

static void source_pop(struct source **top)
{
	struct source *s = *top;

	*top = s->outer;
	if (s->f && s->f != stdin)
		fclose(s->f);
	line_free(&s->line);
	if (s->outer)
		globfree(&s->files);
	free(s);
}

/* Return: OK, or REFUSED after telling why. */
static int source_file(struct source *s, const char *name)
{
	FILE *f = fopen(name, "r");

	if (!f) {
		err("%s: %m", name);
		return REFUSED;
	}
	if (s->f)
		fclose(s->f);
	line_free(&s->line);
	s->f = f;
	s->name = name_keep(name);
	return OK;
}

/**
 * source_open - Open a file of commands.
 * @name: "-" for standard input.
 *
 * Return: OK; REFUSED after telling why, then there is nothing to close.
 */
int source_open(struct source **top, const char *name)
{
	struct source *s = source_push(NULL);

	*top = s;
	if (!strcmp(name, "-")) {
		s->f = stdin;
		s->name = "stdin";
	} else if (source_file(s, name)) {
		source_pop(top);
		return REFUSED;
	}
	err_file = s->name;
	err_line = 0;
	return OK;
}

/* The outermost file if it is JSON, which no command begins like; NULL if it is not. */
FILE *source_json(const struct source *s)
{
	int c = getc(s->f);

	ungetc(c, s->f);
	return c == '{' ? s->f : NULL;
}

/* A pattern without a leading slash is relative to the directory of the file that has it. */
static int source_include(struct source **top, char **argv)
{
	const char *dir = strrchr((*top)->name, '/');
	struct source *s;
	char *pattern;
	int rc;

	if (!argv[0] || argv[1])
		return usage("\"include\" takes one file or pattern");
	if ((*top)->depth == DEPTH_MAX)
		return usage("include: more than %d files deep", DEPTH_MAX);
	if (*argv[0] == '/' || !dir)
		pattern = check_mem(strdup(argv[0]));
	else if (asprintf(&pattern, "%.*s/%s", (int)(dir - (*top)->name), (*top)->name,
			  argv[0]) < 0)
		pattern = check_mem(NULL);

	s = source_push(*top);
	*top = s;
	rc = glob(pattern, strpbrk(pattern, "*?[") ? 0 : GLOB_NOCHECK, NULL, &s->files);
	free(pattern);
	if (rc == GLOB_NOMATCH || !rc)
		return OK;
	err("include %s: %s", argv[0], rc == GLOB_NOSPACE ? "out of memory" : "cannot be read");
	return REFUSED;
}

/**
 * source_read - Read the next command, from included files as well.
 * @line: Set to the command, without words at the end of the outermost file; valid until
 *	the next call.
 *
 * Sets err_file and err_line to where the command is.
 *
 * Return: OK, REFUSED or USAGE.
 */
int source_read(struct source **top, struct line **line)
{
	for (;;) {
		struct source *s = *top;
		int rc;

		if (!s->f) {
			/* the place of the include command is what errors name */
			if (s->next == s->files.gl_pathc) {
				source_pop(top);
				continue;
			}
			rc = source_file(s, s->files.gl_pathv[s->next++]);
			if (rc)
				return rc;
		}
		err_file = s->name;
		rc = line_read(s->f, &s->line);
		if (rc)
			return rc;
		err_line = s->line.first;
		*line = &s->line;
		if (!s->line.argc) {
			if (!s->outer)
				return OK;
			fclose(s->f);
			s->f = NULL;
			err_file = s->outer->name;
			err_line = s->outer->line.first;
			continue;
		}
		if (strcmp(s->line.argv[0], "include"))
			return OK;
		rc = source_include(top, s->line.argv + 1);
		if (rc)
			return rc;
	}
}

void source_close(struct source **top)
{
	while (*top)
		source_pop(top);
}
