// SPDX-License-Identifier: GPL-2.0
/* Devices and routes of the namespace. */

#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>

#include "links.h"
#include "vtap.h"

/* Kinds of tunnels, with their attributes for the other end's address; 0 where none tells. */
static const struct {
	const char *kind;
	uint16_t remote, remote6;
} tunnels[] = {
	{ "vxlan", IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6 },
	{ "geneve", IFLA_GENEVE_REMOTE, IFLA_GENEVE_REMOTE6 },
	{ "gre", IFLA_GRE_REMOTE, 0 }, { "gretap", IFLA_GRE_REMOTE, 0 },
	{ "erspan", IFLA_GRE_REMOTE, 0 }, { "ip6gre", IFLA_GRE_REMOTE, 0 },
	{ "ip6gretap", IFLA_GRE_REMOTE, 0 }, { "ip6erspan", IFLA_GRE_REMOTE, 0 },
	{ "ipip", IFLA_IPTUN_REMOTE, 0 }, { "sit", IFLA_IPTUN_REMOTE, 0 },
	{ "ip6tnl", IFLA_IPTUN_REMOTE, 0 },
	{ "vti", IFLA_VTI_REMOTE, 0 }, { "vti6", IFLA_VTI_REMOTE, 0 },
	{ "wireguard", 0, 0 }, { "xfrm", 0, 0 }, { "bareudp", 0, 0 },
};

/* An exchange on a socket of its own; @flags as of the request. Return: OK or REFUSED. */
static int links_ask(struct nlmsghdr *req, uint16_t flags, mnl_cb_t cb, void *data)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	static char buf[128 * 1024];
	int n = -1;

	req->nlmsg_flags = NLM_F_REQUEST | flags;
	req->nlmsg_seq = 1;
	if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) >= 0 &&
	    mnl_socket_sendto(s, req, req->nlmsg_len) >= 0) {
		do {
			n = mnl_socket_recvfrom(s, buf, sizeof(buf));
			if (n > 0)
				n = mnl_cb_run(buf, n, 1, mnl_socket_get_portid(s), cb, data);
		} while (n > MNL_CB_STOP);
	}
	if (s)
		mnl_socket_close(s);
	return n < 0 ? REFUSED : OK;
}

static void link_remote(struct link *l, const struct nlattr *info, size_t i)
{
	const uint16_t attrs[] = { tunnels[i].remote, tunnels[i].remote6 };
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, info) {
		const uint16_t type = mnl_attr_get_type(a), len = mnl_attr_get_payload_len(a);
		static const uint8_t none[16];

		if (!type || (type != attrs[0] && type != attrs[1]) || (len != 4 && len != 16) ||
		    !memcmp(mnl_attr_get_payload(a), none, len))
			continue;
		l->remote_len = len;
		memcpy(l->remote, mnl_attr_get_payload(a), len);
	}
}

static void link_info(struct link *l, const struct nlattr *linkinfo)
{
	const struct nlattr *a, *data = NULL;

	mnl_attr_for_each_nested(a, linkinfo) {
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
			snprintf(l->kind, sizeof(l->kind), "%s", mnl_attr_get_str(a));
		else if (mnl_attr_get_type(a) == IFLA_INFO_DATA)
			data = a;
	}
	for (size_t i = 0; i < sizeof(tunnels) / sizeof(*tunnels); i++) {
		if (strcmp(tunnels[i].kind, l->kind))
			continue;
		l->tunnel = true;
		if (data)
			link_remote(l, data, i);
	}
}

static int link_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct links *all = data;
	const struct nlattr *a;
	struct link *l;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	all->v = check_mem(realloc(all->v, (all->n + 1) * sizeof(*all->v)));
	l = &all->v[all->n++];
	*l = (struct link){ .index = ifi->ifi_index, .flags = ifi->ifi_flags };
	mnl_attr_for_each(a, nlh, sizeof(*ifi)) {
		switch (mnl_attr_get_type(a)) {
		case IFLA_IFNAME:
			snprintf(l->name, sizeof(l->name), "%s", mnl_attr_get_str(a));
			break;
		case IFLA_MTU:
			l->mtu = mnl_attr_get_u32(a);
			break;
		case IFLA_MASTER:
			l->master = mnl_attr_get_u32(a);
			break;
		case IFLA_LINKINFO:
			link_info(l, a);
			break;
		}
	}
	return MNL_CB_OK;
}

/* All devices; the caller frees l->v. Return: OK or REFUSED. */
int links_get(struct links *l)
{
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;
	int rc;

	req->nlmsg_type = RTM_GETLINK;
	ifi = mnl_nlmsg_put_extra_header(req, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	rc = links_ask(req, NLM_F_DUMP, link_cb, l);
	if (rc)
		err("the devices cannot be listed");
	for (size_t i = 0; i < l->n; i++)
		for (size_t j = 0; l->v[i].master && j < l->n; j++)
			l->v[j].ports += l->v[j].index == l->v[i].master;
	return rc;
}

const struct link *link_find(const struct links *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].name, name))
			return &l->v[i];
	return NULL;
}

const struct link *link_by_index(const struct links *l, int index)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].index == index)
			return &l->v[i];
	return NULL;
}

static int route_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct route *r = data;
	const struct nlattr *a;

	r->local = rtm->rtm_type == RTN_LOCAL;
	mnl_attr_for_each(a, nlh, sizeof(*rtm)) {
		if (mnl_attr_get_type(a) == RTA_OIF) {
			r->dev = mnl_attr_get_u32(a);
		} else if (mnl_attr_get_type(a) == RTA_GATEWAY) {
			r->via_len = mnl_attr_get_payload_len(a);
			memcpy(r->via, mnl_attr_get_payload(a), r->via_len);
		}
	}
	return MNL_CB_STOP;
}

/* @len: of the address, 4 or 16; @oif: by which device, 0 for any. Return: whether there is one. */
bool route_get(struct route *r, const void *dst, size_t len, int oif)
{
	char buf[256] __attribute__((aligned(8)));
	struct nlmsghdr *req = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;

	*r = (struct route){};
	req->nlmsg_type = RTM_GETROUTE;
	rtm = mnl_nlmsg_put_extra_header(req, sizeof(*rtm));
	rtm->rtm_family = len == 16 ? AF_INET6 : AF_INET;
	rtm->rtm_dst_len = 8 * len;
	mnl_attr_put(req, RTA_DST, len, dst);
	if (oif)
		mnl_attr_put_u32(req, RTA_OIF, oif);
	return !links_ask(req, 0, route_cb, r) && r->dev;
}
