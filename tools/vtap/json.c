// SPDX-License-Identifier: GPL-2.0
/* A configuration in JSON, as "vtap -j save" writes it, turned into the words that add takes. */

#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

const struct json_list json_lists[] = {
	{ "sessions", &session_object }, { "rules", &rule_object }, {}
};

/* The words of an object, each of its own memory; @v ends with NULL. */
struct args {
	char **v;
	size_t n;
};

static void args_put(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void args_put(struct args *a, const char *fmt, ...)
{
	va_list ap;

	a->v = check_mem(realloc(a->v, (a->n + 2) * sizeof(*a->v)));
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->n++], fmt, ap) < 0)
		check_mem(NULL);
	va_end(ap);
	a->v[a->n] = NULL;
}

static void args_free(struct args *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
}

/* The keys of a word, as word_json() writes them; the second is NULL if there is none. */
static void word_keys(const struct word *w, const char **key, const char **second)
{
	const struct key *k = w->type->keys;

	*key = k && k->name ? k->name : w->name;
	*second = !k ? w->name2 : !k[1].kind ? NULL : k[1].name ? k[1].name : w->name2;
}

/* Of the words that have all of the flags @all and none of @none, the one with a key. */
static const struct word *key_find(const struct word *words, const char *key, uint16_t all,
				   uint16_t none)
{
	for (const struct word *w = words; w->name; w++) {
		const char *first, *second;

		if ((w->flags & all) != all || w->flags & (none | W_GROUP))
			continue;
		word_keys(w, &first, &second);
		if (!strcmp(first, key) || (second && !strcmp(second, key)))
			return w;
	}
	return NULL;
}

/* All keys must be known ones. */
static int keys_check(const struct object *o, json_object *from, uint16_t all, uint16_t none)
{
	const char *hint;

	json_object_object_foreach(from, key, val) {
		(void)val;
		if (none & W_MATCH && o->match && (!strcmp(key, "match") || !strcmp(key, "except")))
			continue;
		if (key_find(o->words, key, all, none))
			continue;
		hint = hint_word(o, key, W_ADD);
		return hint && strcmp(hint, key) ?
			usage("key \"%s\" cannot be applied: did you mean \"%s\"?", key, hint) :
			usage("key \"%s\" cannot be applied, see \"vtap %s help\"", key, o->name);
	}
	return OK;
}

/* A value that is one word. */
static const char *value_text(const struct word *w, json_object *val)
{
	static char hex[24];

	if (json_object_is_type(val, json_type_boolean) && w->type == &type_onoff)
		return json_object_get_boolean(val) ? "on" : "off";
	if (json_object_is_type(val, json_type_int) && w->type == &type_tcp_flags) {
		snprintf(hex, sizeof(hex), "0x%" PRIx64, json_object_get_int64(val));
		return hex;
	}
	return json_object_get_string(val);
}

/* Texts that are one word with commas. */
static int list_put(struct args *a, const char *key, json_object *list)
{
	size_t len;
	char *text;
	FILE *f;

	if (!json_object_is_type(list, json_type_array))
		return usage("\"%s\" is not an array", key);
	f = check_mem(open_memstream(&text, &len));
	for (size_t i = 0; i < json_object_array_length(list); i++)
		fprintf(f, "%s%s", i ? "," : "",
			json_object_get_string(json_object_array_get_idx(list, i)));
	fclose(f);
	check_mem(text);
	args_put(a, "%s", text);
	free(text);
	return OK;
}

static int words_put(struct args *a, const struct object *o, json_object *from, uint16_t all,
		     uint16_t none);

/* A word and what follows it; @second is the value of its second key or NULL. */
static int word_put_json(struct args *a, const struct object *o, const struct word *w,
			 json_object *val, json_object *second)
{
	const struct key *k = w->type->keys;
	const char *key, *key2;
	char *first;

	word_keys(w, &key, &key2);
	if (!(w->flags & W_POS))
		args_put(a, "%s", w->name);
	if (k && k->kind == 'a')
		return list_put(a, key, val);
	if (w->type == &type_inner && json_object_is_type(val, json_type_object))
		return words_put(a, o, val, W_INNER, 0);
	if (!val || json_object_is_type(val, json_type_object) ||
	    json_object_is_type(val, json_type_array))
		return usage("\"%s\" is not a text or a number", key);
	if (w->type == &type_sample && second && json_object_get_boolean(second))
		args_put(a, "flow");
	args_put(a, "%s", value_text(w, val));
	if (!second || w->type == &type_sample)
		return OK;
	if (w->type == &type_slice) {
		args_put(a, "+%s", value_text(w, second));
		return OK;
	}
	if (k && k[1].kind == 'a')
		return list_put(a, key2, second);
	first = a->v[--a->n];
	args_put(a, "%s%c%s", first, w->type->sep ? w->type->sep : '/', value_text(w, second));
	free(first);
	return OK;
}

/* An array of matches, or of exceptions with @word in front of each; @between: "or" or NULL. */
static int array_put(struct args *a, const struct object *o, const char *key, json_object *list,
		     const char *word, const char *between)
{
	int rc = OK;

	if (!json_object_is_type(list, json_type_array))
		return usage(between ? "\"%s\" is neither an object nor an array" :
			     "\"%s\" is not an array", key);
	for (size_t i = 0; !rc && i < json_object_array_length(list); i++) {
		json_object *match = json_object_array_get_idx(list, i);

		if (!json_object_is_type(match, json_type_object) ||
		    !json_object_object_length(match))
			return usage("%s[%zu] is not an object with match words", key, i);
		if (word)
			args_put(a, "%s", word);
		else if (i)
			args_put(a, "%s", between);
		rc = words_put(a, o, match, W_MATCH, 0);
	}
	return rc;
}

/* The match or matches of an object, and its exceptions. */
static int matches_put(struct args *a, const struct object *o, json_object *from)
{
	json_object *val;
	int rc = OK;

	if (json_object_object_get_ex(from, "match", &val))
		rc = json_object_is_type(val, json_type_object) ?
		     words_put(a, o, val, W_MATCH, 0) :
		     array_put(a, o, "match", val, NULL, "or");
	if (!rc && json_object_object_get_ex(from, "except", &val))
		rc = array_put(a, o, "except", val, "except", NULL);
	return rc;
}

static int words_put(struct args *a, const struct object *o, json_object *from, uint16_t all,
		     uint16_t none)
{
	int rc = keys_check(o, from, all, none);

	for (const struct word *w = o->words; !rc && w->name; w++) {
		json_object *val, *second = NULL;
		const char *key, *key2;

		if (w->type == &type_any && none & W_MATCH)
			rc = matches_put(a, o, from);
		if (rc || (w->flags & all) != all || w->flags & (none | W_GROUP))
			continue;
		word_keys(w, &key, &key2);
		if (key2)
			json_object_object_get_ex(from, key2, &second);
		if (json_object_object_get_ex(from, key, &val))
			rc = word_put_json(a, o, w, val, second);
		else if (second)
			rc = usage("\"%s\" without \"%s\"", key2, key);
	}
	return rc;
}

/* One session or rule. */
static int object_read(const struct object *o, json_object *from, json_cb add, void *data)
{
	const struct word *key = o->words;
	struct args a = {};
	int rc;

	if (!json_object_is_type(from, json_type_object))
		return usage("a %s is an object", o->name);
	if (key->flags & W_POS && !json_object_object_get_ex(from, key->name, NULL))
		return usage("a %s needs a \"%s\"", o->name, key->name);
	args_put(&a, "add");	/* there may be no words */
	rc = words_put(&a, o, from, W_ADD, W_MATCH);
	if (!rc)
		rc = add(o, a.v + 1, data);
	args_free(&a);
	return rc;
}

static int list_read(const struct json_list *l, json_object *list, json_cb add, void *data)
{
	const char *file = err_file;
	int rc = OK;

	if (!json_object_is_type(list, json_type_array))
		return usage("\"%s\" is not an array", l->key);
	for (size_t i = 0; !rc && i < json_object_array_length(list); i++) {
		char *place;

		/* messages name it for as long as the process runs */
		if (asprintf(&place, "%s: %s[%zu]", file, l->key, i) < 0)
			check_mem(NULL);
		err_file = place;
		rc = object_read(l->o, json_object_array_get_idx(list, i), add, data);
	}
	if (!rc)
		err_file = file;
	return rc;
}

static int lists_read(json_object *from, json_cb add, void *data)
{
	json_object *list;
	int rc = OK;

	json_object_object_foreach(from, key, val) {
		const struct json_list *l = json_lists;

		(void)val;
		while (l->key && strcmp(l->key, key))
			l++;
		if (!l->key)
			return usage("key \"%s\" is neither \"sessions\" nor \"rules\"", key);
	}
	for (const struct json_list *l = json_lists; !rc && l->key; l++)
		if (json_object_object_get_ex(from, l->key, &list))
			rc = list_read(l, list, add, data);
	return rc;
}

/* Where the text stops to be JSON. */
static int syntax_error(const char *text, size_t at, const char *what)
{
	err_line = 1;
	for (size_t i = 0; i < at && text[i]; i++)
		err_line += text[i] == '\n';
	return usage("no JSON: %s", what);
}

/**
 * json_read - Read a configuration in JSON.
 * @add: Is given each of its objects; the first error it returns is the end.
 *
 * Sets err_file to the place of the object.
 *
 * Return: OK, REFUSED or USAGE.
 */
int json_read(FILE *f, json_cb add, void *data)
{
	struct json_tokener *tok;
	json_object *all = NULL;
	char *text = NULL;
	size_t size = 0;
	ssize_t len = getdelim(&text, &size, '\0', f);
	int rc;

	if (len < 0 || ferror(f)) {
		err("read: %m");
		free(text);
		return REFUSED;
	}
	tok = check_mem(json_tokener_new());
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	all = json_tokener_parse_ex(tok, text, len + 1);
	if (!all)
		rc = syntax_error(text, json_tokener_get_parse_end(tok),
				  json_tokener_error_desc(json_tokener_get_error(tok)));
	else
		rc = lists_read(all, add, data);
	json_object_put(all);
	json_tokener_free(tok);
	free(text);
	return rc;
}
