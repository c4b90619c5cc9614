// SPDX-License-Identifier: GPL-2.0
/* What may have been meant by a word or a value that is refused. */

#include <ctype.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "cmdline.h"

#define NAME_MAX	24

/* Words of tc, nft and iproute2, and what they are called here. */
static const struct {
	const char *object, *word, *ours;
} others[] = {
	{ "rule", "dport", "dst_port" }, { "rule", "sport", "src_port" },
	{ "rule", "src", "src_ip" }, { "rule", "dst", "dst_ip" },
	{ "rule", "saddr", "src_ip" }, { "rule", "daddr", "dst_ip" },
	{ "rule", "vlan", "vlan_id" }, { "rule", "proto", "ip_proto" },
	{ "rule", "dev", "port" }, { "rule", "bridge", "master" },
	{ "rule", "prio", "pref" }, { "rule", "priority", "pref" },
	{ "session", "vni", "key" }, { "session", "dst", "remote" },
	{ "session", "src", "local" },
	{}
};

/* The edits that turn one word into the other: letters put in, left out, replaced or swapped. */
static unsigned int distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned int d[NAME_MAX + 1][NAME_MAX + 1];

	if (n > NAME_MAX || m > NAME_MAX)
		return NAME_MAX;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			unsigned int min = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < min)
				min = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < min)
				min = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < min)
				min = d[i - 2][j - 2] + 1;
			d[i][j] = min;
		}
	}
	return d[n][m];
}

/* Edits with which a name still is near. */
static unsigned int near_enough(const char *name)
{
	return strlen(name) < 4 ? 1 : 2;
}

/* Keep @other if it is near @name, and nearer than @near, which is NULL for none. */
static void hint_nearer(const char **near, const char *name, const char *other)
{
	const unsigned int n = distance(name, other);

	if (n <= near_enough(name) && (!*near || n < distance(name, *near)))
		*near = other;
}

/**
 * hint_near - Keep the name that comes nearest to one that there is not.
 * @near: The nearest one so far, NULL for none.
 * @name: What was given; for a shell pattern, its letters are compared.
 * @other: A name that there is.
 */
void hint_near(const char **near, const char *name, const char *other)
{
	char letters[NAME_MAX + 1], start[NAME_MAX + 1], best[NAME_MAX + 1];
	unsigned int n = 0;

	if (!strpbrk(name, "*?[")) {
		hint_nearer(near, name, other);
		return;
	}
	for (const char *p = name; *p && n < NAME_MAX; p++) {
		if (*p == '[')
			p += strcspn(p, "]");
		else if (*p != '*' && *p != '?')
			letters[n++] = *p;
		if (!*p)
			break;
	}
	letters[n] = '\0';
	snprintf(start, n + 1, "%s", other);
	if (!n || distance(letters, start) > near_enough(name))
		return;
	if (*near) {
		snprintf(best, n + 1, "%s", *near);
		if (distance(letters, best) <= distance(letters, start))
			return;
	}
	*near = other;
}

/**
 * hint_word - The keyword that comes nearest to one that there is not.
 * @flags: What the keyword may have.
 *
 * Return: The keyword, or NULL when none is near.
 */
const char *hint_word(const struct object *o, const char *name, uint16_t flags)
{
	const char *found = NULL;

	for (int i = 0; others[i].word; i++)
		if (!strcmp(others[i].object, o->name) && !strcmp(others[i].word, name))
			return others[i].ours;
	for (const struct word *w = o->words; w->name; w++)
		if (w->flags & flags && !(w->flags & W_POS))
			hint_nearer(&found, name, w->name);
	return found;
}

/* The name that comes nearest to one that there is not, NULL when none is near. */
const char *hint_name(const char *const *names, const char *arg)
{
	const char *found = NULL;

	for (; *names; names++)
		hint_nearer(&found, arg, *names);
	return found;
}

/* Return: OK, or USAGE after telling that a word is an option that is given too late. */
int hint_option(const char *word)
{
	const char *value;

	return option_find(word, &value) ?
		usage("\"%s\": options stand before the object", word) : OK;
}

static void hint_names(FILE *f, const struct name *n)
{
	for (const struct name *first = n; n->name; n++)
		fprintf(f, "%s%s", n == first ? "" : n[1].name ? ", " : " or ", n->name);
}

static bool is_name(const struct name *n, const char *val)
{
	while (n->name && strcmp(n->name, val))
		n++;
	return n->name;
}

/* The other word of @w's object that has a value of this name. */
static const char *hint_place(const struct word *w, const char *val)
{
	for (const struct object *const *o = objects; *o; o++) {
		const struct word *first = (*o)->words, *x;

		for (x = first; x->name && x != w; x++)
			;
		if (!x->name)
			continue;
		for (x = first; x->name; x++)
			if (x != w && x->flags & W_MATCH && x->names && is_name(x->names, val))
				return x->name;
	}
	return NULL;
}

/* The service whose name comes nearest to one that there is not, NULL when none is near. */
static const char *hint_service(const char *name)
{
	static char found[64];
	const struct servent *s;

	*found = '\0';
	setservent(1);
	while ((s = getservent())) {
		const char *near = *found ? found : NULL;

		hint_nearer(&near, name, s->s_name);
		if (near && near != found)
			snprintf(found, sizeof(found), "%s", near);
	}
	endservent();
	return *found ? found : NULL;
}

static void hint_port(FILE *f, const char *val)
{
	const char *near = isalpha((unsigned char)*val) ? hint_service(val) : NULL;

	if (near && !strcmp(near, val))
		fputs(": it is no service of udp", f);
	else if (near)
		fprintf(f, ": did you mean \"%s\"?", near);
	else
		fputs(": a port is a number from 0 to 65535, a range like 1024-2047 or a service",
		      f);
}

/* Print what a value may be. */
void hint_value(FILE *f, const struct word *w, const char *val)
{
	const char *place;

	if ((*val == '!' || !strcmp(val, "not")) && w->flags & W_MATCH) {
		fprintf(f, ": to negate it, say \"not %s VALUE\"", w->name);
	} else if (*val == '{' && w->flags & W_MATCH) {
		fputs(": it takes no list, as its commas join flags: say \"or\"", f);
	} else if (strchr(val, ',') && w->type != &type_tcp_flags && w->type != &type_ip_flags &&
		   w->type != &type_bytecode) {
		fputs(": it takes one value, not a list", f);
	} else if (w->names) {
		place = hint_place(w, val);
		if (place)
			fprintf(f, ": did you mean \"%s %s\"?", place, val);
		else if (w->type->help && w->type != &type_slice)
			fputs(": a number, ", f);
		else
			fputs(": ", f);
		if (!place)
			hint_names(f, w->names);
	} else if (w->type == &type_action) {
		fputs(": mirror SESSION[,...] or skip", f);
	} else if (w->type == &type_rate) {
		fputs(": a rate is a number with a unit, such as 1gbit", f);
	} else if (w->type == &type_size) {
		fputs(": a size is a number with or without a unit, such as 64kib", f);
	} else if (w->type->service) {
		hint_port(f, val);
	} else if (w->type == &type_remote) {
		fputs(": an IPv4 or IPv6 address, or the name of a host", f);
	} else if (w->type == &type_addr) {
		fputs(w->attr2 ? ": an IPv4 or IPv6 address, with or without /PREFIX" :
		      ": an IPv4 or IPv6 address, not a name", f);
	}
}
