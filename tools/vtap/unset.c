// SPDX-License-Identifier: GPL-2.0
/* no WORD: what set gives its default back. */

#include "vtap.h"

/* A word is given once, be it with a value or with "no". */
int word_see(struct parse *p, const struct word *w)
{
	uint64_t bits = 1ULL << w->attr | (w->attr2 ? 1ULL << w->attr2 : 0);
	uint64_t *seen = &p->seen[!!(w->flags & W_MATCH)];

	if (*seen & bits)
		return usage("duplicate \"%s\"", w->name);
	*seen |= bits;
	return OK;
}

/* Take the word behind "no". Match words replace each other: one alone has no default. */
int words_unset(struct parse *p, const struct object *o)
{
	const struct word *w = *p->argv ? word_find(o, *p->argv, W_SET) : NULL;
	uint32_t attr, attr2;
	int rc;

	if (!*p->argv)
		return usage("\"no\" requires a word");
	if (!w)
		return usage("\"%s\" is unknown to \"%s set ... no\", see \"vtap %s help\"",
			     *p->argv, o->name, o->name);
	if (w->flags & W_MATCH)
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
