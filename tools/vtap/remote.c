// SPDX-License-Identifier: GPL-2.0
/* A collector's address, which can name its device (fe80::9%eth0) or be a host, and the device. */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "vtap.h"

/* The device that the message names so far, NULL for none. */
static const char *dev_given(const struct parse *p)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, p->nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == VTAP_A_SESSION_DEV)
			return mnl_attr_get_str(a);
	return NULL;
}

/* dev and the part after % may both name the device, but it must be the same. */
static int dev_put(struct parse *p, const struct word *w, const char *dev)
{
	const char *given = dev_given(p);

	if (!given)
		return word_put(p, w, VTAP_A_SESSION_DEV, dev, strlen(dev) + 1);
	if (strcmp(given, dev))
		return usage("\"remote\" and \"dev\" name different devices: \"%s\" and \"%s\"",
			     w->attr == VTAP_A_SESSION_REMOTE ? dev : given,
			     w->attr == VTAP_A_SESSION_REMOTE ? given : dev);
	return OK;
}

static int dev_parse(struct parse *p, const struct word *w, const char *val)
{
	if (strlen(val) > w->max)
		return type_str.parse(p, w, val);
	return dev_put(p, w, val);
}

static void dev_format(FILE *f, const struct word *w, const struct view *v)
{
	type_str.format(f, w, v);
}

const struct type type_dev = { "DEV", .parse = dev_parse, .format = dev_format };

static int remote_parse(struct parse *p, const struct word *w, const char *val)
{
	const char *dev = strchr(val, '%');
	struct in6_addr ip;
	char *addr;
	int rc;

	if (!dev)
		return host_is_name(val) ? host_parse(p, w, val) : type_addr.parse(p, w, val);
	addr = check_mem(strndup(val, dev++ - val));
	if (inet_pton(AF_INET6, addr, &ip) != 1) {
		/* IPv4 addresses have no scope in Linux */
		rc = inet_pton(AF_INET, addr, &ip) == 1 ?
			usage("\"%s\": only a link-local IPv6 address takes %%DEV", val) :
			word_bad(w, val);
	} else if (!IN6_IS_ADDR_LINKLOCAL(&ip) && !IN6_IS_ADDR_MC_LINKLOCAL(&ip)) {
		rc = usage("\"%s\": only a link-local IPv6 address takes %%DEV", val);
	} else if (!*dev) {
		rc = usage("\"%s\": a device name must follow the %%", val);
	} else if (strlen(dev) > 15) {
		rc = usage("\"%s\" is too long for a device, at most 15 characters", dev);
	} else {
		rc = type_addr.parse(p, w, addr);
		if (!rc)
			rc = dev_put(p, w, dev);
	}
	free(addr);
	return rc;
}

static void remote_format(FILE *f, const struct word *w, const struct view *v)
{
	type_addr.format(f, w, v);
}

static void remote_json(const struct word *w, const struct view *v)
{
	type_addr.to_json(w, v);
}

static const struct key remote_keys[] = { { NULL, 's' }, {} };

const struct type type_remote = {
	"{ ADDR[%DEV] | HOST }", .parse = remote_parse, .format = remote_format,
	.to_json = remote_json, .keys = remote_keys
};
