// SPDX-License-Identifier: GPL-2.0
/* Findings are printed, one on each line, and counted. */

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "finding.h"

/* Text in one of a few buffers, which is overwritten by and by. */
const char *say(const char *fmt, ...)
{
	static char buf[8][512];
	static unsigned int turn;
	char *text = buf[turn++ % 8];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(*buf), fmt, ap);
	va_end(ap);
	return text;
}

const char *addr_text(const void *addr, size_t len)
{
	char buf[INET6_ADDRSTRLEN];

	return say("%s", inet_ntop(len == 16 ? AF_INET6 : AF_INET, addr, buf, sizeof(buf)));
}

/* An address as text; "" when it is not there. */
const char *attr_addr(const struct nlattr *a)
{
	return a ? addr_text(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a)) : "";
}

/**
 * finding - Print what is wrong with an object, or how it is.
 * @v: The object; NULL for the tap as a whole.
 * @cause: One word for programs.
 * @advice: What to do, or NULL.
 */
void finding(struct check *c, enum severity level, const struct object *o, const struct view *v,
	     const char *cause, const char *advice, const char *fmt, ...)
{
	const char *tap = v ? tap_of(o, v->nlh) : c->tap ? c->tap : TAP_DEFAULT;
	const bool named = v && o == &session_object;
	char text[512];
	va_list ap;

	if (c->tap && strcmp(c->tap, tap))
		return;
	c->problems += level == PROBLEM;
	if (level == NOTE && !opt.json && !opt.details)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (opt.json) {
		out_open(NULL, '{');
		out_str("object", o->name);
		out_str("tap", tap);
		if (named)
			out_str("name", view_str(v, VTAP_A_SESSION_NAME));
		else if (v)
			out_num("id", view_u64(v, VTAP_A_RULE_ID));
		out_str("level", level == PROBLEM ? "problem" : "note");
		out_str("cause", cause);
		out_str("text", text);
		if (advice)
			out_str("advice", advice);
		out_close('}');
		return;
	}
	printf("%s ", o->name);
	if (named)
		printf("%s", view_str(v, VTAP_A_SESSION_NAME));
	else if (v)
		printf("%" PRIu64, view_u64(v, VTAP_A_RULE_ID));
	else
		printf("%s", tap);
	if (v && strcmp(tap, TAP_DEFAULT))
		printf(" (tap %s)", tap);
	printf(": %s%s%s\n", text, advice ? "; " : "", advice ? advice : "");
}
