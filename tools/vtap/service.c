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
	int port;

	/* most values are numbers, for which no file is read */
	if (!isalpha((unsigned char)*val) || strlen(val) >= sizeof(p->services->name))
		return -1;
	port = service_port(val, match ? 0 : IPPROTO_UDP);
	if (match && port >= 0 && p->n_services < SERVICES_MAX) {
		struct service *s = &p->services[p->n_services++];

		snprintf(s->name, sizeof(s->name), "%s", val);
		s->word = w;
		s->port = port;
	}
	return port;
}

static int services_of(const struct parse *p, uint8_t proto)
{
	int i = 0;

	while (protocols[i].name && protocols[i].proto != proto)
		i++;
	for (size_t n = 0; protocols[i].name && n < p->n_services; n++) {
		const struct service *s = &p->services[n];

		if (service_port(s->name, proto) != s->port)
			return usage("\"%s\" of \"%s\" is no service of %s: give its number, %d",
				     s->name, s->word->name, protocols[i].name, s->port);
	}
	return OK;
}

/**
 * services_check - Once all words are read: services must be ones of the protocols that are given.
 *
 * Return: OK; USAGE after telling of one that is not.
 */
int services_check(const struct parse *p)
{
	const struct nlattr *a;
	int rc = OK;

	mnl_attr_for_each(a, p->match, sizeof(struct genlmsghdr))
		if (!rc && p->n_services && mnl_attr_get_type(a) == VTAP_A_MATCH_IP_PROTO)
			rc = services_of(p, mnl_attr_get_u8(a));
	return rc;
}
