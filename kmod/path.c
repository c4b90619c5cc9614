// SPDX-License-Identifier: GPL-2.0
/* Routes and neighbours of sessions: the templates that packets use, and when they change. */
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/neighbour.h>
#include <net/route.h>

#include "compat.h"
#include "flow.h"
#include "loop.h"
#include "look.h"
#include "nl.h"
#include "path.h"
#include "session.h"

static void vtap_session_tmpl_rcu(struct rcu_head *rcu)
{
	struct vtap_tmpl *t = container_of(rcu, struct vtap_tmpl, rcu);

	dst_release(t->dst);
	kfree(t);
}

static void vtap_session_tmpl_free(struct vtap_tmpl *t)
{
	if (t)
		call_rcu(&t->rcu, vtap_session_tmpl_rcu);
}

/* Copies are made of this template from now on, or none when it is NULL; RTNL. */
void vtap_session_publish(struct vtap_session *s, struct vtap_tmpl *t)
{
	struct vtap_tmpl *old = rtnl_dereference(s->tmpl);
	struct vtap_own *own = rtnl_dereference(s->vn->own);

	if (t)
		vtap_own_add(own, t);
	rcu_assign_pointer(s->tmpl, t);
	if (!old)
		return;
	/* copies that are held back leave before the device goes, or the session */
	vtap_loop_forget(s->vn, old);
	vtap_own_del(own, old);
	vtap_session_tmpl_free(old);
}

static bool vtap_session_dev_ok(const struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev);
}

/* On success the source address stands in @local, and the dst has a reference. */
static struct dst_entry *vtap_session_route(struct vtap_session *s, int oif,
					    struct vtap_addr *local)
{
	const struct vtap_session_cfg *cfg = &s->cfg;
	u8 proto = cfg->type == VTAP_SESSION_TYPE_VXLAN ? IPPROTO_UDP : IPPROTO_GRE;
	struct net *net = s->vn->net;

	*local = cfg->local;
	local->family = cfg->remote.family;
	if (cfg->remote.family == AF_INET) {
		struct flowi4 fl4 = {
			.flowi4_oif = oif,
			.flowi4_proto = proto,
			.daddr = cfg->remote.ip.s6_addr32[0],
			.saddr = cfg->local.ip.s6_addr32[0],
		};
		struct rtable *rt;

		vtap_flowi4_set_tos(&fl4, cfg->tos);
		rt = ip_route_output_flow(net, &fl4, NULL);
		if (IS_ERR(rt))
			return ERR_CAST(rt);
		if (rt->rt_flags & RTCF_BROADCAST) {
			ip_rt_put(rt);
			return ERR_PTR(-EACCES);
		}
		local->ip.s6_addr32[0] = fl4.saddr;
		return &rt->dst;
	} else {
		struct flowi6 fl6 = {
			.flowi6_oif = oif,
			.flowi6_proto = proto,
			.daddr = cfg->remote.ip,
			/* with a source, a lookup by device falls back to others */
			.saddr = oif ? in6addr_any : cfg->local.ip,
			.flowlabel = ip6_make_flowinfo(cfg->tos, 0),
		};
		struct dst_entry *dst;

		if (!vtap_ipv6_enabled())
			return ERR_PTR(-EAFNOSUPPORT);
		dst = vtap_ip6_dst_lookup_flow(net, &fl6);
		if (IS_ERR(dst))
			return dst;
		if (dst->error) {
			dst_release(dst);
			return ERR_PTR(-EHOSTUNREACH);
		}
		if (!cfg->local.family)
			local->ip = fl6.saddr;
		return dst;
	}
}

/* May the link-layer header be written once and for all? */
static bool vtap_session_direct(const struct dst_entry *dst, const struct net_device *dev)
{
	return dev->type == ARPHRD_ETHER && dev->header_ops && !dst->lwtstate &&
	       !dst_xfrm(dst);
}

/*
 * Copies begin with an Ethernet header of 14 bytes, and LL_RESERVED_SPACE() is a multiple of 16.
 * Where unaligned loads trap or are dear, NET_IP_ALIGN is 2, and the IP header behind the Ethernet
 * header starts on a 4-byte boundary. On x86 it is 0.
 */
static u16 vtap_session_headroom(const struct net_device *dev)
{
	return LL_RESERVED_SPACE(dev) + NET_IP_ALIGN;
}

/* Fill @t for a collector behind IP; Return: as vtap_session_resolve(). */
static int vtap_session_resolve_ip(struct vtap_session *s, struct vtap_tmpl *t, int oif)
{
	u8 ha[MAX_ADDR_LEN] __aligned(8) = {};
	struct vtap_addr local;
	struct neighbour *n;
	struct dst_entry *dst;

	dst = vtap_session_route(s, oif, &local);
	/* says nothing about the route */
	if (PTR_ERR_OR_ZERO(dst) == -ENOBUFS || PTR_ERR_OR_ZERO(dst) == -ENOMEM)
		return PTR_ERR(dst);
	WRITE_ONCE(s->hop_index, 0);
	if (IS_ERR(dst))
		return VTAP_SESSION_STATE_NO_ROUTE;

	t->family = local.family;
	t->oif = oif;
	t->dev = READ_ONCE(dst->dev);
	/* a route may claim less than fragments can be made for */
	t->mtu = max_t(u32, dst_mtu(dst),
		       t->family == AF_INET ? IPV4_MIN_MTU : IPV6_MIN_MTU);
	if (!vtap_session_dev_ok(t->dev)) {
		dst_release(dst);
		return VTAP_SESSION_STATE_NO_DEVICE;
	}
	if (!vtap_session_direct(dst, t->dev)) {
		t->dst = dst;
		/* copies begin with the IP header, and what IPsec wants may be an odd length */
		t->headroom = ALIGN(LL_RESERVED_SPACE(t->dev) + dst->header_len, 4);
		vtap_encap_build(t, &s->cfg, &local, NULL, NULL);
		return VTAP_SESSION_STATE_ACTIVE;
	}

	n = dst_neigh_lookup(dst, &s->cfg.remote.ip);
	dst_release(dst);
	if (!n)
		return VTAP_SESSION_STATE_NO_ROUTE;
	memcpy(&s->hop, n->primary_key, n->tbl->key_len);
	WRITE_ONCE(s->hop_index, n->dev->ifindex);
	/* nobody else keeps it alive: copies bypass the neighbour */
	if (!(READ_ONCE(n->nud_state) & NUD_CONNECTED))
		neigh_event_send(n, NULL);
	if (!(READ_ONCE(n->nud_state) & NUD_VALID)) {
		neigh_release(n);
		return VTAP_SESSION_STATE_RESOLVING;
	}
	neigh_ha_snapshot(ha, n, t->dev);
	neigh_release(n);
	t->headroom = vtap_session_headroom(t->dev);
	vtap_encap_build(t, &s->cfg, &local, t->dev->dev_addr, ha);
	return VTAP_SESSION_STATE_ACTIVE;
}

/* Return: the state of the session, or a negative error when memory is short. */
static int vtap_session_resolve(struct vtap_session *s, struct vtap_tmpl *t)
{
	const struct vtap_session_cfg *cfg = &s->cfg;
	struct net_device *dev = NULL;

	t->s = s;
	t->seed = vtap_flow_seed(cfg->seed) ?: vtap_flow_secret;
	t->pps = cfg->pps;
	if (cfg->rate) {
		u64 burst = cfg->burst ?: clamp_t(u64, div_u64(cfg->rate, 80), SZ_128K, U32_MAX);

		t->rate = div_u64(cfg->rate, 8);
		t->burst_ns = div64_u64(burst * NSEC_PER_SEC, t->rate);
	}
	t->limited = t->rate || t->pps;
	if (cfg->dev[0]) {
		dev = __dev_get_by_name(s->vn->net, cfg->dev);
		if (!dev || !vtap_session_dev_ok(dev))
			return VTAP_SESSION_STATE_NO_DEVICE;
	}
	if (cfg->type != VTAP_SESSION_TYPE_PORT)
		return vtap_session_resolve_ip(s, t, dev ? dev->ifindex : 0);

	if (dev->type != ARPHRD_ETHER)
		return VTAP_SESSION_STATE_NO_DEVICE;
	t->dev = dev;
	/* a tag is no part of a device's MTU */
	t->mtu = dev->mtu + ETH_HLEN + VLAN_HLEN;
	t->headroom = vtap_session_headroom(dev);
	vtap_encap_build(t, cfg, NULL, NULL, NULL);
	return VTAP_SESSION_STATE_ACTIVE;
}

/*
 * A device with one queue has no use for the hash of copies, but the devices below may have. Open
 * vSwitch does not link its internal ports to those.
 */
static bool vtap_session_spreads(const struct net_device *dev)
{
	return !list_empty(&dev->adj_list.lower) || netif_is_ovs_master(dev);
}

static bool vtap_session_tmpl_same(const struct vtap_tmpl *a, const struct vtap_tmpl *b)
{
	const size_t from = offsetof(struct vtap_tmpl, s);

	return a == b || (a && b && !memcmp((const u8 *)a + from, (const u8 *)b + from,
					    sizeof(*a) - from));
}

/*
 * The path as it is now; RTNL. Without memory the old one stays until the next tick.
 * Return: whether users see something else than before.
 */
bool vtap_session_update(struct vtap_session *s)
{
	struct vtap_tmpl *old = rtnl_dereference(s->tmpl);
	struct vtap_tmpl *t;
	bool changed;
	int state;

	WRITE_ONCE(s->seed, vtap_flow_seed(s->cfg.seed));
	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return false;
	state = vtap_session_resolve(s, t);
	if (state < 0) {
		kfree(t);
		return false;
	}
	if (state != VTAP_SESSION_STATE_ACTIVE) {
		kfree(t);
		t = NULL;
	} else {
		t->spread = vtap_session_spreads(t->dev);
	}
	if (t && READ_ONCE(s->loops))
		state = VTAP_SESSION_STATE_LOOP;
	changed = state != s->state;
	if (vtap_session_tmpl_same(t, old)) {
		vtap_session_tmpl_free(t);
	} else {
		changed |= t && old && (t->dev != old->dev || t->mtu != old->mtu);
		vtap_session_publish(s, t);
	}
	s->state = state;
	return changed;
}

void vtap_session_refresh(struct vtap_session *s)
{
	const bool changed = vtap_session_update(s);

	if (!vtap_unreach_news(s) && !changed)
		return;
	s->vn->gen++;
	vtap_nl_session_notify(s, VTAP_CMD_SESSION_CHANGE_NTF);
}

static bool vtap_session_shows_more(const struct vtap_session *s)
{
	const struct vtap_tmpl *t = rtnl_dereference(s->tmpl);
	const u8 layer = s->cfg.slice ?: s->cfg.mask;

	return t && layer && (!t->layer || t->layer > layer || t->more > s->cfg.slice_more);
}

/**
 * vtap_session_narrow - let no session show more of a frame than a transaction wants; RTNL
 * @vn: the namespace's vtap
 *
 * This comes before the rules of the transaction, which may rely on it. A session sends nothing
 * when there is no memory for its new template.
 */
void vtap_session_narrow(struct vtap_net *vn)
{
	struct vtap_session *s;

	list_for_each_entry(s, &vn->sessions, list) {
		if (!vtap_session_shows_more(s))
			continue;
		vtap_session_update(s);
		if (vtap_session_shows_more(s)) {
			vtap_session_publish(s, NULL);
			s->state = VTAP_SESSION_STATE_RESOLVING;
		}
		/* if the transaction fails, the old settings are back */
		vtap_look_session(s);
	}
}

/* A device goes down or away; RTNL. */
void vtap_session_dev_down(struct vtap_net *vn, const struct net_device *dev)
{
	struct vtap_session *s;

	list_for_each_entry(s, &vn->sessions, list) {
		struct vtap_tmpl *t = rtnl_dereference(s->tmpl);

		if (!t || t->dev != dev)
			continue;
		vtap_session_publish(s, NULL);
		vtap_look_session(s);
		s->state = VTAP_SESSION_STATE_NO_DEVICE;
		vn->gen++;
		vtap_nl_session_notify(s, VTAP_CMD_SESSION_CHANGE_NTF);
	}
}
