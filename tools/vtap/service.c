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
 * service_find - Get the port of a service that was given for @w.
 * @val: The name, which may have a hyphen, as a range does.
 *
 * Return: The port, or -1 when @val is no service.
 */
int service_find(struct parse *p, const struct word *w, const char *val)
{
	const bool match = w->flags & W_MATCH;
	struct service *s = p->services;
	int port;

	/* most values are numbers, for which no file is read */
	if (!isalpha((unsigned char)*val))
		return -1;
	port = service_port(val, match ? 0 : IPPROTO_UDP);
	while (s->name)
		s++;
	if (match && port >= 0)
		*s = (struct service){ .name = val, .word = w, .port = port };
	return port;
}

/**
 * services_check - Once all words are read: services must be ones of the protocol that is given.
 *
 * Return: OK; USAGE after telling of one that is not.
 */
int services_check(const struct parse *p)
{
	const struct nlattr *a;
	uint8_t proto = 0;
	int i;

	if (!p->services[0].name)
		return OK;
	mnl_attr_for_each(a, p->match, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == VTAP_A_MATCH_IP_PROTO)
			proto = mnl_attr_get_u8(a);
	for (i = 0; protocols[i].name && protocols[i].proto != proto; i++)
		;
	for (const struct service *s = p->services; protocols[i].name && s->name; s++)
		if (service_port(s->name, proto) != s->port)
			return usage("\"%s\" of \"%s\" is no service of %s: give its number, %d",
				     s->name, s->word->name, protocols[i].name, s->port);
	return OK;
}
