/* SPDX-License-Identifier: GPL-2.0 */
/* Configurations in JSON. */
#ifndef VTAP_TOOL_JSON_H
#define VTAP_TOOL_JSON_H

#include "vtap.h"

/* The lists of a configuration; ends with a NULL. */
struct json_list {
	const char *key;
	const struct object *o;
};

extern const struct json_list json_lists[];

/* Adds an object that has the words @argv behind "add". Return: OK, REFUSED or USAGE. */
typedef int (*json_cb)(const struct object *o, char **argv, void *data);

int json_read(FILE *f, json_cb add, void *data);

#endif
