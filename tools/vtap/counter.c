// SPDX-License-Identifier: GPL-2.0
/* Counters of objects, read out of dumps. */

#include <stdlib.h>
#include <string.h>

#include "counter.h"

/**
 * counter_read - Read a counter of an object.
 * @nest: The attribute that the counter is nested in, 0 for none.
 *
 * Return: Its value, 0 if the object does not have it.
 */
uint64_t counter_read(const struct view *v, uint16_t nest, uint16_t attr)
{
	return nest ? nest_u64(v->tb[nest], attr) : view_u64(v, attr);
}

/* A word of an object as text, to be freed; of no characters if the object does not have it. */
char *counter_label(const struct object *o, const struct view *v, const char *word)
{
	const struct word *w = o->words;
	char *text;

	while (w->name && strcmp(w->name, word))
		w++;
	text = w->name ? word_text(o, w, v, true) : NULL;
	return text ? text : check_mem(strdup(""));
}
