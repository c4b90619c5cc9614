// SPDX-License-Identifier: GPL-2.0
/* The JSON Schema of what show prints; "vtap -j OBJECT help" prints it. */

#include "vtap.h"

#define DIALECT	"https://json-schema.org/draft/2020-12/schema"

static void schema_value(const char *key, char kind, const struct name *names)
{
	out_open(key, '{');
	switch (kind) {
	case 'n':
		out_str("type", "integer");
		out_num("minimum", 0);
		break;
	case 'b':
		out_str("type", "boolean");
		break;
	case 'a':
		out_str("type", "array");
		schema_value("items", 's', NULL);
		break;
	default:
		out_str("type", "string");
		if (!names)
			break;
		out_open("enum", '[');
		for (; names->name; names++)
			out_str(NULL, names->name);
		out_close(']');
	}
	out_close('}');
}

static void schema_object(const char *key, const struct word *words, uint16_t all, uint16_t none);

/* The keys that word_json() writes. */
static void schema_word(const struct word *w)
{
	const struct type *t = w->type;
	const char kind = t->json ? t->json : 's';
	const struct key plain[] = { { NULL, kind }, { NULL, kind }, {} };
	const struct key *keys = t->keys ? t->keys : plain;

	if (w->nest) {
		schema_object(w->name, w->nest, t == &type_inner ? W_INNER : 0, 0);
		return;
	}
	for (const struct key *k = keys; k == keys || k->kind; k++) {
		const char *name = k->name ? k->name : k == keys ? w->name : w->name2;

		if (name)
			schema_value(name, k->kind, w->names);
	}
}

/* An array of at least @min objects of match words. */
static void schema_array(const char *key, const struct word *words, unsigned int min)
{
	out_open(key, '{');
	out_str("type", "array");
	out_num("minItems", min);
	schema_object("items", words, W_MATCH, 0);
	out_close('}');
}

/* One match or several, and exceptions. */
static void schema_matches(const struct word *words)
{
	out_open("match", '{');
	out_open("anyOf", '[');
	schema_object(NULL, words, W_MATCH, 0);
	schema_array(NULL, words, 2);
	out_close(']');
	out_close('}');
	schema_array("except", words, 1);
}

/* An object of the words that have all of the flags @all and none of @none. */
static void schema_object(const char *key, const struct word *words, uint16_t all, uint16_t none)
{
	bool match = false;

	out_open(key, '{');
	out_str("type", "object");
	out_bool("additionalProperties", false);
	out_open("properties", '{');
	for (const struct word *w = words; w->name; w++) {
		match |= w->flags & W_MATCH;
		if ((w->flags & all) == all && !(w->flags & (none | W_GROUP)) &&
		    w->flags != W_PICK && (w->type->format || w->type->write))
			schema_word(w);
	}
	if (match && none)
		schema_matches(words);
	out_close('}');
	out_close('}');
}

void schema_print(const struct object *o)
{
	out_open(NULL, '{');
	out_str("$schema", DIALECT);
	out_str("title", o->name);
	out_str("type", "array");
	schema_object("items", o->words, 0, W_MATCH);
	out_close('}');
}
