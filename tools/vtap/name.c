// SPDX-License-Identifier: GPL-2.0
/* Names of objects and commands: aliases and unambiguous prefixes. */

#include <stdlib.h>
#include <string.h>

#include "vtap.h"

static const struct {
	const char *alias, *name;
} aliases[] = {
	{ "list", "show" }, { "ls", "show" }, { "delete", "del" }, { "rm", "del" },
	{}
};

/* A slip of the finger must not delete everything. */
static bool in_full(const char *name)
{
	return !strcmp(name, "flush");
}

static int ambiguous(const char *const *names, const char *arg)
{
	static struct text text;
	const char *sep = "";
	FILE *f = text_begin(&text);
	char *list;
	int rc;

	for (; *names; names++) {
		if (in_full(*names) || strncmp(*names, arg, strlen(arg)))
			continue;
		fprintf(f, "%s%s", sep, *names);
		sep = ", ";
	}
	list = text_end(&text);
	rc = usage("\"%s\" is ambiguous: %s", arg, list);
	free(list);
	return rc;
}

/**
 * name_pick - Find the name that is meant by an argument.
 * @names: The names, ends with NULL.
 * @name: Set to the one that is equal to @arg, has it as an alias or alone begins with it;
 *	  to NULL when there is none.
 *
 * Return: OK, or USAGE after printing the candidates when there are several.
 */
int name_pick(const char *const *names, const char *arg, const char **name)
{
	unsigned int found = 0;

	*name = NULL;
	for (int i = 0; aliases[i].alias; i++)
		if (!strcmp(aliases[i].alias, arg))
			arg = aliases[i].name;
	for (const char *const *n = names; *n; n++) {
		if (!strcmp(*n, arg)) {
			*name = *n;
			return OK;
		}
		if (*arg && !in_full(*n) && !strncmp(*n, arg, strlen(arg))) {
			found++;
			*name = *n;
		}
	}
	return found > 1 ? ambiguous(names, arg) : OK;
}
