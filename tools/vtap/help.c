// SPDX-License-Identifier: GPL-2.0
/* What "vtap OBJECT help" prints. */

#include <stdio.h>

#include "vtap.h"

void object_help(const struct object *o)
{
	const struct word *key = o->words, *w;
	const char *name = o->tap ? "NAME [ tap TAP ]" : "NAME";
	const char *arg = key->flags & W_POS ? name : "id ID";
	const char *words = key->flags & W_POS ? "NAME WORDS" : "WORDS";

	if (opt.json) {
		schema_print(o);
		return;
	}
	printf("Usage: vtap %s [ show [ %s ] ]\n", o->name, arg);
	if (o->change[CMD_ADD]) {
		printf("       vtap %s add %s\n", o->name, words);
		printf("       vtap %s set %s { WORDS | no WORD } ...\n", o->name, arg);
		printf("       vtap %s del %s\n", o->name, arg);
		if (!(key->flags & W_POS))
			printf("       vtap %s del WORDS\n", o->name);
		printf("       vtap %s show WORDS\n", o->name);
	}
	for (w = o->words; w->name; w++)
		if (w->flags & W_PICK)
			printf("       vtap %s show [ %s VALUE ]\n", o->name, w->name);
	for (w = o->words; w->name; w++)
		if (w->flags & W_FLUSH)
			printf("       vtap %s flush [ %s VALUE ]\n", o->name, w->name);
	if (o->change[CMD_ADD])
		puts("WORDS :=");
	for (w = o->words; w->name; w++) {
		const struct name *n = w->names;

		if (!(w->flags & (W_ADD | W_SET)) || w == key)
			continue;
		printf("       [ %s ", w->name);
		if (w->type->help) {
			printf("%s%s", w->type->help, w->flags & W_LIST ? "[,...]" : "");
		} else {
			for (; n->name; n++)
				printf("%s %s", n == w->names ? "{" : " |", n->name);
			fputs(w->flags & W_LIST ? " }[,...]" : " }", stdout);
		}
		puts(" ]");
	}
}
