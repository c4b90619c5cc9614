// SPDX-License-Identifier: GPL-2.0
/* Names of hosts, which may be given in place of a collector's address. */

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "vtap.h"

/* Letters, digits, dots and hyphens, with a letter after the last dot: 192.0.2 is no name. */
bool host_is_name(const char *val)
{
	const char *last = strrchr(val, '.');

	for (const char *c = val; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(".-_", *c))
			return false;
	return isalpha((unsigned char)(last ? last[1] : *val));
}

static void host_address(const struct addrinfo *a, char *buf)
{
	if (getnameinfo(a->ai_addr, a->ai_addrlen, buf, INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST))
		*buf = '\0';
}

/*
 * The kernel gets an address, and keeps it. One of several would be another one next time. An
 * address that was given before says of which family it is.
 */
int host_parse(struct parse *p, const struct word *w, const char *val)
{
	const struct addrinfo hints = {
		.ai_family = !p->addr ? AF_UNSPEC : p->addr_len == 16 ? AF_INET6 : AF_INET,
		.ai_socktype = SOCK_DGRAM,
	};
	char first[INET6_ADDRSTRLEN], other[INET6_ADDRSTRLEN];
	struct addrinfo *list;
	int rc;

	rc = getaddrinfo(val, NULL, &hints, &list);
	if (rc)
		return usage("\"%s\" is not a valid value for \"%s\": the name cannot be resolved: %s",
			     val, w->name, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	host_address(list, first);
	for (const struct addrinfo *a = list->ai_next; a; a = a->ai_next) {
		host_address(a, other);
		if (!strcmp(other, first))
			continue;
		rc = usage("\"%s\" is not a valid value for \"%s\": the name has several addresses: give one of them, %s or %s",
			   val, w->name, first, other);
		break;
	}
	freeaddrinfo(list);
	return rc ? rc : type_addr.parse(p, w, first);
}
