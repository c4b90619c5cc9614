// SPDX-License-Identifier: GPL-2.0
/* Which sessions have to be resolved anew: what events concern them. */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/fib_notifier.h>
#include <net/ip6_fib.h>
#include <net/ip_fib.h>
#include <net/ipv6.h>
#include <net/neighbour.h>
#include <net/netevent.h>
#include <net/nexthop.h>

#include "encap.h"
#include "look.h"
#include "net.h"
#include "session.h"

#define VTAP_KICK		msecs_to_jiffies(10)

/*
 * The path of a session may be another one: resolve it, in a moment in which further events may
 * come. May be called in softirq.
 */
void vtap_look_session(struct vtap_session *s)
{
	WRITE_ONCE(s->due, true);
	if (READ_ONCE(s->vn->n_sessions))
		schedule_delayed_work(&s->vn->kick, VTAP_KICK);
}

static void vtap_look_all(struct vtap_net *vn)
{
	struct vtap_session *s;

	rcu_read_lock();
	list_for_each_entry_rcu(s, &vn->sessions, list)
		vtap_look_session(s);
	rcu_read_unlock();
}

/**
 * vtap_look_dev - a device is new or up, or its name, addresses or MTU are others; RTNL
 * @vn: the namespace's vtap
 * @dev: the device
 * @works: it is more than a name, and sessions that have no path may get one
 */
void vtap_look_dev(struct vtap_net *vn, const struct net_device *dev, bool works)
{
	const struct vtap_tmpl *t;
	struct vtap_session *s;

	list_for_each_entry(s, &vn->sessions, list) {
		t = rtnl_dereference(s->tmpl);
		if (t ? t->dev == dev : works || !strcmp(s->cfg.dev, dev->name))
			vtap_look_session(s);
	}
}

static bool vtap_look_in_prefix(const struct vtap_addr *a, u8 family, const void *prefix, int len)
{
	return a->family == family && ipv6_prefix_equal(&a->ip, prefix, len);
}

/*
 * A route to @prefix is another one. With @dev it leads to an address that the host has there:
 * copies by the device may have another source, and others may have one at last. Where a session
 * is being changed, what is read of it may be anything: it is resolved afterwards.
 */
static void vtap_look_route(struct vtap_net *vn, u8 family, const struct in6_addr *prefix, int len,
			    const struct net_device *dev)
{
	const struct vtap_tmpl *t;
	struct vtap_session *s;

	rcu_read_lock();
	list_for_each_entry_rcu(s, &vn->sessions, list) {
		t = rcu_dereference(s->tmpl);
		if ((dev && (!t || t->dev == dev)) ||
		    vtap_look_in_prefix(&s->cfg.remote, family, prefix, len))
			vtap_look_session(s);
	}
	rcu_read_unlock();
}

/* Return: false when the event may concern any session. */
static bool vtap_look_v4(struct vtap_net *vn, const struct fib_notifier_info *info)
{
	const struct fib_entry_notifier_info *e = container_of(info, typeof(*e), info);
	const struct in6_addr prefix = { .s6_addr32[0] = htonl(e->dst) };
	const struct net_device *dev = NULL;

	if (e->fi->nh)
		return false;
	if (e->type == RTN_LOCAL)
		dev = fib_info_nhc(e->fi, 0)->nhc_dev;
	vtap_look_route(vn, AF_INET, &prefix, e->dst_len, dev);
	return true;
}

#if IS_ENABLED(CONFIG_IPV6)
static bool vtap_look_v6(struct vtap_net *vn, const struct fib_notifier_info *info)
{
	const struct fib6_entry_notifier_info *e = container_of(info, typeof(*e), info);
	const struct net_device *dev = NULL;

	if (e->rt->nh)
		return false;
	if (e->rt->fib6_type == RTN_LOCAL)
		dev = e->rt->fib6_nh->fib_nh_dev;
	vtap_look_route(vn, AF_INET6, &e->rt->fib6_dst.addr, e->rt->fib6_dst.plen, dev);
	return true;
}
#else
static bool vtap_look_v6(struct vtap_net *vn, const struct fib_notifier_info *info)
{
	return false;
}
#endif

static bool vtap_look_is_entry(unsigned long event)
{
	return event == FIB_EVENT_ENTRY_REPLACE || event == FIB_EVENT_ENTRY_APPEND ||
	       event == FIB_EVENT_ENTRY_ADD || event == FIB_EVENT_ENTRY_DEL;
}

/* May be called in softirq, and before the change can be seen. */
static int vtap_look_fib(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct vtap_net *vn = container_of(nb, struct vtap_net, fib_nb);
	const struct fib_notifier_info *info = ptr;
	bool known = false;

	if (!READ_ONCE(vn->n_sessions))
		return NOTIFY_DONE;
	if (vtap_look_is_entry(event) && info->family == AF_INET)
		known = vtap_look_v4(vn, info);
	else if (vtap_look_is_entry(event) && info->family == AF_INET6)
		known = vtap_look_v6(vn, info);
	if (!known)
		vtap_look_all(vn);
	return NOTIFY_DONE;
}

/* May be called in softirq. */
static int vtap_look_netevent(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct neighbour *n = ptr;
	struct vtap_session *s;
	struct vtap_net *vn;

	if (event != NETEVENT_NEIGH_UPDATE)
		return NOTIFY_DONE;
	vn = vtap_pernet(dev_net(n->dev));
	if (!READ_ONCE(vn->n_sessions))
		return NOTIFY_DONE;
	rcu_read_lock();
	list_for_each_entry_rcu(s, &vn->sessions, list) {
		if (READ_ONCE(s->hop_index) == n->dev->ifindex &&
		    !memcmp(&s->hop, n->primary_key, n->tbl->key_len))
			vtap_look_session(s);
	}
	rcu_read_unlock();
	return NOTIFY_DONE;
}

static struct notifier_block vtap_look_netevent_nb = {
	.notifier_call = vtap_look_netevent,
};

/* Start listening to a namespace's routes. Return: 0 or a negative error. */
int vtap_look_init_net(struct vtap_net *vn)
{
	vn->fib_nb.notifier_call = vtap_look_fib;
	return register_fib_notifier(vn->net, &vn->fib_nb, NULL, NULL);
}

/* Start listening to neighbour changes. Return: 0 or a negative error. */
int vtap_look_init(void)
{
	return register_netevent_notifier(&vtap_look_netevent_nb);
}

/* Stop listening to neighbour changes. */
void vtap_look_exit(void)
{
	unregister_netevent_notifier(&vtap_look_netevent_nb);
}
