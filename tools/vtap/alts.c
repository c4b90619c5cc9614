// SPDX-License-Identifier: GPL-2.0
/*
 * The alternatives and exceptions of a rule as words, of which the same ones are made again: those
 * that follow each other and are all combinations of some values are written as lists.
 */

#include <stdlib.h>
#include <string.h>

#include "group.h"

#define DIMS	48	/* match words and inner ones together are fewer */

/* One alternative or exception, and what is inside its tunnel. */
struct alt {
	struct view outer, inner;
};

/* Those of a message, with the words of its object. */
static struct alts {
	struct alt *v;
	size_t n, size;
	const struct word *words;
} alts;

/* A word of all alternatives of a run: @n values, that many alternatives apart. */
struct dim {
	const struct word *w;
	bool inner;
	size_t n, apart;
};

/* Alternatives that are all combinations of the values of their words. */
struct run {
	size_t first, n, dims;
	struct dim d[DIMS];
};

static void alt_view(struct alt *alt, const struct view *v, const struct nlattr *nest)
{
	alt->outer = (struct view){ .nlh = v->nlh, .words = v->words };
	alt->inner = alt->outer;
	match_view(&alt->outer, nest);
	if (alt->outer.match[VTAP_A_MATCH_INNER])
		match_view(&alt->inner, alt->outer.match[VTAP_A_MATCH_INNER]);
}

static void alts_begin(const struct view *v)
{
	alts.n = 0;
	alts.words = v->words;
}

static void alts_add(const struct view *v, const struct nlattr *nest)
{
	if (alts.n == alts.size) {
		alts.size = alts.size ? 2 * alts.size : 16;
		alts.v = check_mem(realloc(alts.v, alts.size * sizeof(*alts.v)));
	}
	alt_view(&alts.v[alts.n++], v, nest);
}

static void alts_load(const struct view *v, uint16_t attr)
{
	const struct nlattr *a;

	alts_begin(v);
	mnl_attr_for_each(a, v->nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == attr)
			alts_add(v, a);
}

static const struct view *side(size_t alt, bool inner)
{
	return inner ? &alts.v[alt].inner : &alts.v[alt].outer;
}

/* Does an alternative have this word, in its tunnel or not? */
static bool has(size_t alt, const struct word *w, bool inner)
{
	return w->flags & (inner ? W_INNER : W_MATCH) && side(alt, inner)->match[w->attr];
}

/* A value as text, to be freed. */
static char *value_text(size_t alt, const struct word *w, bool inner)
{
	static struct text text;

	word_format(text_begin(&text), w, side(alt, inner));
	return text_end(&text);
}

static bool same_value(size_t a, size_t b, const struct dim *d)
{
	char *ta, *tb;
	bool same;

	if (word_same(d->w, side(a, d->inner), side(b, d->inner)))
		return true;
	ta = value_text(a, d->w, d->inner);
	tb = value_text(b, d->w, d->inner);
	same = !strcmp(ta, tb);
	free(ta);
	free(tb);
	return same;
}

static bool same_words(size_t a, size_t b)
{
	for (const struct word *w = alts.words; w->name; w++)
		if (has(a, w, false) != has(b, w, false) || has(a, w, true) != has(b, w, true))
			return false;
	return true;
}

static void run_dims(struct run *r, bool inner)
{
	for (const struct word *w = alts.words; w->name && r->dims < DIMS; w++) {
		if (!has(r->first, w, inner))
			continue;
		if (w->nest)
			run_dims(r, true);
		else
			r->d[r->dims++] = (struct dim){ w, inner, 1, 1 };
	}
}

/*
 * Are the alternatives from @at on, as many as the run has so far, those of the run but for one
 * other value of @d?
 */
static bool is_next_value(const struct run *r, const struct dim *d, size_t at)
{
	if (at + r->n > alts.n)
		return false;
	for (size_t i = 0; i < r->n; i++) {
		if (!same_words(r->first, at + i))
			return false;
		for (const struct dim *e = r->d; e < r->d + r->dims; e++)
			if (!same_value(at + i, e == d ? at : r->first + i, e))
				return false;
	}
	return true;
}

/* The longest run of alternatives that begins with @first. */
static void run_get(struct run *r, size_t first)
{
	r->first = first;
	r->n = 1;
	r->dims = 0;
	run_dims(r, false);
	for (size_t i = r->dims; i--; ) {
		struct dim *d = &r->d[i];

		d->apart = r->n;
		if (!(d->w->flags & W_LIST))
			continue;
		while (is_next_value(r, d, first + d->n * r->n))
			d->n++;
		r->n *= d->n;
	}
}

static void dim_write(FILE *f, const struct run *r, const struct dim *d)
{
	for (size_t i = 0; i < d->n; i++) {
		if (i)
			putc(',', f);
		word_format(f, d->w, side(r->first + i * d->apart, d->inner));
	}
}

/* The words of a run, those inside the tunnel or all. */
static void run_write(FILE *f, const struct run *r, bool inner_only)
{
	const char *sep = "";
	bool inner = inner_only;

	for (const struct dim *d = r->d; d < r->d + r->dims; d++) {
		if (inner_only && !d->inner)
			continue;
		fprintf(f, "%s%s%s ", sep, d->inner && !inner ? "inner " : "", d->w->name);
		inner |= d->inner;
		dim_write(f, r, d);
		sep = " ";
	}
}

/* The values of a match word of a rule with several alternatives, those of the first run. */
void alts_format(FILE *f, const struct word *w, const struct view *v)
{
	struct run r;

	alts_load(v, VTAP_A_RULE_MATCH);
	run_get(&r, 0);
	if (w->nest)
		run_write(f, &r, true);
	for (const struct dim *d = r.d; d < r.d + r.dims; d++)
		if (d->w == w && !d->inner)
			dim_write(f, &r, d);
}

static void or_format(FILE *f, const struct word *w, const struct view *v)
{
	const char *sep = "";
	struct run r;

	alts_load(v, w->attr);
	run_get(&r, 0);
	for (size_t next = r.n; next < alts.n; next += r.n) {
		run_get(&r, next);
		fprintf(f, "%s", sep);
		run_write(f, &r, false);
		sep = " or ";
	}
}

/* Behind inner, "not" would belong to the inner words. */
static bool ends_inside(const struct view *v)
{
	const struct nlattr *a, *last = NULL;

	mnl_attr_for_each(a, v->nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == VTAP_A_RULE_MATCH)
			last = a;
	return nest_attr(last, VTAP_A_MATCH_INNER);
}

/*
 * Write the exceptions that are written with @w, or if @f is NULL, find out if there are any. Their
 * order is kept: "not" has those in front of the first one that takes "except".
 */
static bool excepts_write(FILE *f, const struct word *w, const struct view *v)
{
	const bool excepts = w->type == &type_except;
	bool not = !ends_inside(v), any = false;
	struct run r;

	alts_load(v, w->attr);
	for (size_t next = 0; next < alts.n; next += r.n) {
		run_get(&r, next);
		not = not && r.dims == 1 && !r.d[0].inner;
		if (not == excepts)
			continue;
		if (f && any)
			fprintf(f, " %s ", w->name);
		if (f)
			run_write(f, &r, false);
		any = true;
	}
	return any;
}

static void except_format(FILE *f, const struct word *w, const struct view *v)
{
	excepts_write(f, w, v);
}

const struct type type_or = { "WORDS", .format = or_format, .many = true };
const struct type type_not = {
	"WORD VALUE[,VALUE...]", .format = except_format, .many = true
};

const struct type type_except = { "WORDS", .format = except_format, .many = true };

/* Is there nothing that this word would have to be written for? */
bool alts_implied(const struct word *w, const struct view *v)
{
	struct run r;

	if (w->type != &type_or)
		return !excepts_write(NULL, w, v);
	if (v->matches < 2)
		return true;
	alts_load(v, w->attr);
	run_get(&r, 0);
	return r.n == alts.n;
}

static void alt_json(const struct alt *a)
{
	for (const struct word *w = alts.words; w->name; w++)
		if (w->flags & W_MATCH && a->outer.match[w->attr])
			word_json(w, &a->outer);
}

/* An object for the only match, an array for several and for exceptions. */
void alts_json(const struct view *v)
{
	const uint16_t attrs[] = { VTAP_A_RULE_MATCH, VTAP_A_RULE_EXCEPT };
	const char *const keys[] = { "match", "except" };

	for (size_t i = 0; i < 2; i++) {
		const bool array = i || v->matches > 1;

		alts_load(v, attrs[i]);
		if (!alts.n || (!array && !mnl_attr_get_payload_len(v->tb[attrs[i]])))
			continue;
		out_open(keys[i], array ? '[' : '{');
		for (size_t j = 0; j < alts.n; j++) {
			if (array)
				out_open(NULL, '{');
			alt_json(&alts.v[j]);
			if (array)
				out_close('}');
		}
		out_close(array ? ']' : '}');
	}
}

/* The words of an alternative or exception, for a message; the next call frees them. */
const char *alts_name(const struct object *o, const struct nlattr *nest)
{
	const struct view v = { .words = o->words };
	static struct text text;
	static char *name;
	struct run r = {};
	FILE *f = text_begin(&text);

	alts_begin(&v);
	alts_add(&v, nest);
	run_dims(&r, false);
	fputs(mnl_attr_get_type(nest) == o->match ? "match " : "except ", f);
	run_write(f, &r, false);
	free(name);
	name = text_end(&text);
	return name;
}

/* The values of a match word, "" where there is none, or whole exceptions; to be freed. */
static size_t texts_get(char ***texts, const struct word *w, const struct view *v)
{
	const bool except = w->flags & W_GROUP;

	alts_load(v, except ? VTAP_A_RULE_EXCEPT : VTAP_A_RULE_MATCH);
	*texts = check_mem(calloc(alts.n + 1, sizeof(**texts)));
	for (size_t i = 0; i < alts.n; i++) {
		static struct text text;
		struct run r = { .first = i };
		FILE *f = text_begin(&text);

		if (except) {
			run_dims(&r, false);
			run_write(f, &r, false);
		} else if (has(i, w, false)) {
			word_format(f, w, side(i, false));
		}
		(*texts)[i] = text_end(&text);
	}
	return alts.n;
}

/* Are all of the texts @a among @b? */
static bool texts_within(char **a, size_t n_a, char **b, size_t n_b)
{
	for (size_t i = 0, j; i < n_a; i++) {
		for (j = 0; j < n_b && strcmp(a[i], b[j]); j++)
			;
		if (j == n_b)
			return false;
	}
	return true;
}

/**
 * alts_picked - Tell whether words pick a rule.
 * @w: A match word, "not" or "except".
 * @want: The words: @w has the same values in any order, or is among the exceptions.
 * @v: The rule.
 */
bool alts_picked(const struct word *w, const struct view *want, const struct view *v)
{
	char **a, **b;
	const size_t n_a = texts_get(&a, w, want), n_b = texts_get(&b, w, v);
	const bool picked = texts_within(a, n_a, b, n_b) &&
			    (w->flags & W_GROUP || texts_within(b, n_b, a, n_a));

	for (size_t i = 0; i < n_a; i++)
		free(a[i]);
	for (size_t i = 0; i < n_b; i++)
		free(b[i]);
	free(a);
	free(b);
	return picked;
}
