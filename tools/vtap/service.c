// SPDX-License-Identifier: GPL-2.0
/* Names of services, which may be given in place of port numbers. */

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "vtap.h"

/* Protocols with ports, as services(5) and ip_proto have them. */
static const struct {
	uint8_t proto;
	const char *name;
} protocols[] = {
	{ IPPROTO_TCP, "tcp" }, { IPPROTO_UDP, "udp" }, { IPPROTO_SCTP, "sctp" },
	{ IPPROTO_DCCP, "dccp" }, { IPPROTO_UDPLITE, "udp" },
	{}
};

/* Return: the port of a service of protocol @proto, 0 for any that has it; or -1. */
static int service_port(const char *name, uint8_t proto)
{
	for (int i = 0; protocols[i].name; i++) {
		const struct servent *s;

		if (proto && protocols[i].proto != proto)
			continue;
		s = getservbyname(name, protocols[i].name);
		if (s)
			return ntohs(s->s_port);
	}
	return -1;
}

/**
 * service_take - Put the port of a service into the message.
 * @val: What was given for @w; a name may have a hyphen, as a range does.
 * @rc: Set to OK or USAGE when it is a service.
 *
 * Return: Whether it is one.
 */
bool service_take(struct parse *p, const struct word *w, const char *val, int *rc)
{
	const bool match = w->flags & W_MATCH;
	struct service *s = p->services;
	int port = -1;

	/* most values are numbers, for which no file is read */
	if (isalpha((unsigned char)*val))
		port = service_port(val, match ? 0 : IPPROTO_UDP);
	if (port < 0)
		return false;
	while (s->name)
		s++;
	if (match)
		*s = (struct service){ .name = val, .word = w, .port = port };
	*rc = word_put_num(p, w, w->attr, w->type->size, port);
	return true;
}

/**
 * services_check - Once all words are read: services must be ones of the protocol that is given.
 *
 * Return: OK; USAGE after telling of one that is not.
 */
int services_check(const struct parse *p)
{
	const struct nlattr *a;
	uint64_t proto = 0;

	if (!p->services[0].name)
		return OK;
	mnl_attr_for_each(a, p->match, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == VTAP_A_MATCH_IP_PROTO)
			proto = attr_num(a);
	for (int i = 0; protocols[i].name; i++)
		for (const struct service *s = p->services; s->name; s++)
			if (protocols[i].proto == proto &&
			    service_port(s->name, proto) != s->port)
				return usage("\"%s\" of \"%s\" is no service of %s: give its number, %d",
					     s->name, s->word->name, protocols[i].name, s->port);
	return OK;
}

/* The service whose name comes nearest to one that there is not, NULL when none is near. */
const char *service_hint(const char *name)
{
	static char found[64];
	const struct servent *s;

	*found = '\0';
	setservent(1);
	while ((s = getservent())) {
		const char *near = *found ? found : NULL;

		hint_near(&near, name, s->s_name);
		if (near && near != found)
			snprintf(found, sizeof(found), "%s", near);
	}
	endservent();
	return *found ? found : NULL;
}
