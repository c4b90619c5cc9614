// SPDX-License-Identifier: GPL-2.0
/* An object as text, as JSON and as a message, driven by its table of words. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cmdline.h"
#include "group.h"

const struct command_info commands[CMDS] = {
	[CMD_SHOW] = { "show", W_KEY | W_PICK | W_ADD, false },
	[CMD_ADD] = { "add", W_ADD, false },
	[CMD_SET] = { "set", W_SET | W_KEY, true },
	[CMD_DEL] = { "del", W_KEY, true },
	[CMD_FLUSH] = { "flush", W_FLUSH, false },
};

/* reading messages */

void view_init(struct view *v, const struct object *o, const struct nlmsghdr *nlh)
{
	const struct nlattr *a;

	*v = (struct view){ .nlh = nlh, .words = o->words };
	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr)) {
		const uint16_t type = mnl_attr_get_type(a);

		if (type <= ATTR_MAX && !v->tb[type])
			v->tb[type] = a;
		v->matches += o->match && type == o->match;
		v->excepts += o->except && type == o->except;
	}
	if (v->matches)
		match_view(v, v->tb[o->match]);
}

/**
 * word_text - Value of a word as it would be given, without quotes.
 * @all: Also when it is the default or follows from others.
 *
 * Return: The text, to be freed, or NULL when there is nothing to show.
 */
char *word_text(const struct object *o, const struct word *w, const struct view *v, bool all)
{
	static struct text buf;
	char *text;

	if (w->flags == W_PICK || (!w->type->format && !w->type->write) ||
	    !view_attr(v, w, w->attr) ||
	    (o->implied && o->implied(w, v, all)))
		return NULL;
	if (v->matches > 1 && w->flags & W_MATCH)
		alts_format(text_begin(&buf), w, v);
	else
		word_format(text_begin(&buf), w, v);
	text = text_end(&buf);
	if (!all && w->def && !strcmp(text, w->def)) {
		free(text);
		return NULL;
	}
	return text;
}

/* With its value, or "no" in front where @text is NULL, as set takes it. */
void word_write(FILE *f, const struct word *w, const char *text)
{
	if (!(w->flags & W_POS))
		fprintf(f, text ? "%s " : "no %s", w->name);
	if (!text)
		return;
	if (w->flags & W_VERBATIM)
		fputs(text, f);
	else
		out_quoted(f, text);
}

/* The words with which add would create the object; to be freed. */
char *object_text(const struct object *o, const struct nlmsghdr *nlh)
{
	static struct text text;
	FILE *f = text_begin(&text);
	const char *sep = "";
	const struct word *w;
	struct view v;

	view_init(&v, o, nlh);
	for (w = o->words; w->name; w++) {
		char *val = w->flags & W_ADD ? word_text(o, w, &v, false) : NULL;

		if (!val)
			continue;
		fputs(sep, f);
		word_write(f, w, val);
		sep = " ";
		free(val);
	}
	return text_end(&text);
}

/* Whether object_text() of two objects is the same. */
bool object_same(const struct object *o, const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct word *w;
	struct view va, vb;
	bool same = true;

	view_init(&va, o, a);
	view_init(&vb, o, b);
	for (w = o->words; same && w->name; w++) {
		char *ta, *tb;

		if (!(w->flags & W_ADD) || word_same(w, &va, &vb))
			continue;
		ta = word_text(o, w, &va, false);
		tb = word_text(o, w, &vb, false);
		same = ta && tb ? !strcmp(ta, tb) : ta == tb;
		free(ta);
		free(tb);
	}
	return same;
}

/* @saved: What add takes, without defaults. */
static void words_json(const struct object *o, const struct view *v, bool saved)
{
	for (const struct word *w = o->words; w->name; w++) {
		char *text = NULL;

		if (w->type == &type_any)
			alts_json(v);
		if (w->flags & (W_MATCH | W_GROUP))
			continue;
		if (saved ? w->flags & W_ADD : !(w->flags & W_STATS) || opt.stats)
			text = word_text(o, w, v, !saved);
		if (!text)
			continue;
		word_json(w, v);
		free(text);
	}
}

static void object_print_json(const struct object *o, const struct view *v, const char *event)
{
	out_open(NULL, '{');
	if (event) {
		out_str("object", o->name);
		out_str("event", event);
		if (opt.timestamp)
			out_str("timestamp", time_text());
	}
	words_json(o, v, false);
	out_close('}');
}

/* The same as object_text(). */
void object_save_json(const struct object *o, const struct nlmsghdr *nlh)
{
	struct view v;

	view_init(&v, o, nlh);
	out_open(NULL, '{');
	words_json(o, &v, true);
	out_close('}');
}

static void object_print_text(const struct object *o, const struct view *v, const char *event)
{
	const struct word *w;
	const char *sep = "";
	bool stats = false;

	if (event)
		printf("%s %s ", o->name, event);
	for (w = o->words; w->name; w++) {
		char *text = NULL;

		if (!(w->flags & W_STATS) || opt.stats)
			text = word_text(o, w, v, opt.details);
		if (!text)
			continue;
		if (w->flags & W_STATS && (!stats || w->nest) && !opt.oneline)
			sep = "\n    ";
		stats = w->flags & W_STATS;
		fputs(sep, stdout);
		color_print(w, text);
		sep = " ";
		free(text);
	}
	putchar('\n');
}

/* Show an object, or with @event what happened to it. */
void object_print(const struct object *o, const struct nlmsghdr *nlh, const char *event)
{
	struct view v;

	view_init(&v, o, nlh);
	if (opt.json)
		object_print_json(o, &v, event);
	else
		object_print_text(o, &v, event);
}

/* building messages */

/* Take the word behind "no". Match words replace each other: one alone has no default. */
static int words_unset(struct parse *p, const struct object *o)
{
	const struct word *w = *p->argv ? word_find(o, *p->argv, W_SET) : NULL;
	uint32_t attr, attr2;
	int rc;

	if (!*p->argv)
		return usage("\"no\" requires a word");
	if (!w)
		return usage("\"%s\" is unknown to \"%s set ... no\", see \"vtap %s help\"",
			     *p->argv, o->name, o->name);
	if (w->flags & W_GROUP && w->attr == o->except && strcmp(w->name, "except"))
		return usage("\"no %s\": \"no except\" takes all exceptions away", w->name);
	if (w->flags & W_MATCH || (w->flags & W_GROUP && w->attr == o->match))
		return usage("\"no %s\": give the match words that are to stay, or \"no match\"",
			     w->name);
	p->argv++;
	attr = w->attr;
	attr2 = w->attr2;
	rc = word_see(p, w);
	if (!rc)
		rc = word_put(p, w, o->unset, &attr, sizeof(attr));
	if (!rc && attr2)
		rc = word_put(p, w, o->unset, &attr2, sizeof(attr2));
	return rc;
}

/* What may be given: where numbers are the keys, del takes what show takes. */
uint16_t command_flags(const struct object *o, enum command cmd)
{
	return commands[cmd == CMD_DEL && !(o->words->flags & W_POS) ? CMD_SHOW : cmd].flags;
}

#define QUOTE_FILTER	"the expression of \"filter\" must be quoted"

/* Say why a word is refused that the command does not take; @last is the keyword before it. */
static int unknown_word(const struct parse *p, const struct object *o, enum command cmd,
			const struct word *last)
{
	const char *arg = *p->argv, *name = commands[cmd].name;
	const char *hint = hint_word(o, arg, command_flags(o, cmd));

	if (hint_option(arg))
		return USAGE;
	if (last && last->type == &type_filter)
		return usage("\"%s\" is unknown to \"%s %s\": " QUOTE_FILTER, arg, o->name, name);
	if (hint)
		return usage("\"%s\" is unknown to \"%s %s\": did you mean \"%s\"?", arg, o->name,
			     name, hint);
	if (last && !strcmp(last->name, "port"))
		return usage("\"%s\" is unknown to \"%s %s\": a pattern must be quoted", arg,
			     o->name, name);
	if (last && last->flags & W_LIST)
		return usage("\"%s\" is unknown to \"%s %s\": a list has commas and no blanks", arg,
			     o->name, name);
	return usage("\"%s\" is unknown to \"%s %s\", see \"vtap %s help\"", arg, o->name, name,
		     o->name);
}

static int words_parse(struct parse *p, const struct object *o, enum command cmd)
{
	const struct word *key = o->words, *w;
	uint16_t flags = command_flags(o, cmd);
	const struct word *last = NULL;
	int rc = OK;

	if (cmd == CMD_SHOW && *p->argv && hint_option(*p->argv))
		return USAGE;
	if (key->flags & W_POS && key->flags & flags) {
		if (*p->argv && !(cmd == CMD_SHOW && p->argv[1] && word_find(o, *p->argv, flags)))
			rc = word_take(p, key);
		else if (cmd != CMD_SHOW)
			rc = usage("%s %s: a name is required", o->name, commands[cmd].name);
	} else if (key->flags & flags && *p->argv && isdigit((unsigned char)**p->argv)) {
		rc = word_take(p, key);
	}
	while (!rc && *p->argv) {
		if (cmd == CMD_SET && !strcmp(*p->argv, "no")) {
			p->argv++;
			rc = words_unset(p, o);
			continue;
		}
		w = word_find(o, *p->argv, flags);
		if (!w)
			return unknown_word(p, o, cmd, last);
		if (last && last->type == &type_filter && w->flags & W_GROUP &&
		    !(p->argv[1] && word_find(o, p->argv[1], W_MATCH)))
			return usage("\"%s\" without a match word: " QUOTE_FILTER, w->name);
		if (last && last->type == &type_filter && !(w->flags & W_GROUP) && word_seen(p, w))
			return usage("duplicate \"%s\": " QUOTE_FILTER, w->name);
		last = w;
		p->argv++;
		if (w->flags & W_GROUP)
			rc = group_take(p, o, w, cmd == CMD_SHOW || cmd == CMD_DEL);
		else
			rc = word_take(p, w);
	}
	if (!rc && cmd == CMD_DEL && flags & W_PICK && !p->seen[0] && !p->seen[1])
		rc = usage("%s del: \"%s\" or other words are required", o->name, key->name);
	if (!rc && commands[cmd].key && !(flags & W_PICK) && !(p->seen[0] & 1ULL << key->attr))
		rc = usage("%s %s: \"%s\" is required", o->name, commands[cmd].name, key->name);
	return rc;
}

/**
 * object_parse - Make the message of a command.
 * @argv: The words after the command, ends with NULL.
 * @nlh: Set to the message, to be freed, when OK is returned.
 *
 * Return: OK, or USAGE after printing what is wrong.
 */
int object_parse(const struct object *o, enum command cmd, char **argv, struct nlmsghdr **nlh)
{
	static char buf[3][MSG_MAX] __attribute__((aligned(8)));
	static struct service services[SERVICES_MAX];
	struct parse p = {
		.argv = argv,
		.nlh = msg_put(buf[0], cmd == CMD_SHOW ? o->get : VTAP_CMD_COMMIT),
		.match = msg_put(buf[1], 0),
		.nots = msg_put(buf[2], 0),
		.services = services,
	};
	int rc = words_parse(&p, o, cmd);

	if (!rc && o->match)
		rc = group_end(&p, o);
	/* as an attribute, it has 16 bits for its length */
	if (!rc && p.nlh->nlmsg_len > UINT16_MAX)
		rc = usage("the %s does not fit in the message", o->name);
	if (!rc)
		*nlh = msg_dup(p.nlh);
	return rc;
}

/* Find the attribute at an offset in a message inside @nest, at any depth. */
static bool attr_at(const struct nlattr *nest, const struct nlmsghdr *nlh, uint32_t offset,
		    uint16_t *type)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest) {
		if ((char *)a - (char *)nlh == offset) {
			*type = mnl_attr_get_type(a);
			return true;
		}
		if (a->nla_type & NLA_F_NESTED && attr_at(a, nlh, offset, type))
			return true;
	}
	return false;
}

/* An attribute's keyword, with the value of a string; the next call uses the same place. */
static const char *attr_name(const struct object *o, const struct word *w, bool second,
			     const struct nlattr *a)
{
	static char text[VTAP_NAME_MAX + 32];
	const char *name = second ? w->name2 : w == o->words ? o->name : w->name;

	if (w->type != &type_str && w->type != &type_dev)
		return second ? w->name2 : w->name;
	snprintf(text, sizeof(text), "%s \"%s\"", name, mnl_attr_get_str(a));
	return text;
}

/* The name of the attribute at an offset in a message, as attr_name(); NULL for none. */
const char *object_attr_name(const struct object *o, const struct nlmsghdr *nlh,
			     const struct nlattr *first, size_t len, uint32_t offset)
{
	const struct nlattr *at = (void *)((char *)nlh + offset), *a;
	const struct word *w;
	uint16_t attr = 0;
	bool match = false;
	size_t n = 0;

	for (a = first; mnl_attr_ok(a, (char *)first + len - (char *)a); a = mnl_attr_next(a)) {
		if (a == at)
			attr = mnl_attr_get_type(a);
		if (attr && attr == o->unset) {
			at = NULL;
			attr = mnl_attr_get_u32(a);
		}
		if (!o->match ||
		    (mnl_attr_get_type(a) != o->match && mnl_attr_get_type(a) != o->except))
			continue;
		n += mnl_attr_get_type(a) == o->match;
		match |= attr_at(a, nlh, offset, &attr);
	}
	/* one of several matches, or an exception; the only match needs no name */
	if (at && o->match && (attr == o->match || attr == o->except) && !match)
		return n == 1 && attr == o->match ? NULL : alts_name(o, at);
	for (w = o->words; attr && w->name; w++) {
		if (!!(w->flags & W_MATCH) != match)
			continue;
		if (w->attr == attr || w->attr2 == attr)
			return at ? attr_name(o, w, w->attr != attr, at) : w->name;
	}
	return NULL;
}

/* Print the key that the kernel assigned. */
void object_print_key(const struct object *o, uint64_t key)
{
	if (opt.json) {
		out_open(NULL, '[');
		out_open(NULL, '{');
		out_num(o->words->name, key);
		out_close('}');
		out_close(']');
	} else if (opt.details) {
		printf("%s %" PRIu64 "\n", o->words->name, key);
	}
}
