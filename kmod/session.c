// SPDX-License-Identifier: GPL-2.0
/* Sessions: their list, routes and neighbours, rate limits and counters. */
#include <linux/ctype.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/fib_notifier.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/neighbour.h>
#include <net/netevent.h>
#include <net/route.h>

#include "loop.h"
#include "own.h"

#define VTAP_SESSIONS_MAX	1024
#define VTAP_TICK		HZ
#define VTAP_KICK		msecs_to_jiffies(10)

static void vtap_session_kick(struct vtap_net *vn)
{
	if (READ_ONCE(vn->n_sessions))
		schedule_delayed_work(&vn->kick, VTAP_KICK);
}

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
static void vtap_session_publish(struct vtap_session *s, struct vtap_tmpl *t)
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
	if (IS_ERR(dst)) {
		/* says nothing about the route */
		if (PTR_ERR(dst) == -ENOBUFS || PTR_ERR(dst) == -ENOMEM)
			return PTR_ERR(dst);
		return VTAP_SESSION_STATE_NO_ROUTE;
	}

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
static bool vtap_session_update(struct vtap_session *s)
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

static void vtap_session_refresh(struct vtap_session *s)
{
	if (!vtap_session_update(s))
		return;
	s->vn->gen++;
	vtap_nl_session_notify(s, VTAP_CMD_SESSION_CHANGE_NTF);
}

static void vtap_session_refresh_all(struct vtap_net *vn)
{
	struct vtap_session *s;

	rtnl_lock();
	vtap_loop_tick(vn);
	list_for_each_entry(s, &vn->sessions, list) {
		const struct vtap_tmpl *t;

		vtap_session_refresh(s);
		t = rtnl_dereference(s->tmpl);
		if (t)
			vtap_port_left(vn, t->dev->ifindex);
	}
	rtnl_unlock();
}

static void vtap_session_kick_work(struct work_struct *work)
{
	vtap_session_refresh_all(container_of(work, struct vtap_net, kick.work));
}

static void vtap_session_tick_work(struct work_struct *work)
{
	struct vtap_net *vn = container_of(work, struct vtap_net, tick.work);

	vtap_session_refresh_all(vn);
	vtap_port_recheck(vn);
	rtnl_lock();
	vtap_pmtu_follow(vn, vn->n_sessions);
	rtnl_unlock();
	if (READ_ONCE(vn->n_sessions))
		schedule_delayed_work(&vn->tick, VTAP_TICK);
}

static int vtap_session_check(const struct vtap_session_cfg *cfg, struct netlink_ext_ack *extack)
{
	const struct in6_addr *r = &cfg->remote.ip, *l = &cfg->local.ip;
	const char *p;

	for (p = cfg->name; *p; p++) {
		if (!isascii(*p) || (!isalnum(*p) && !strchr("_.:@-", *p))) {
			NL_SET_ERR_MSG(extack, "a session's name has letters, digits and _.:@- only");
			return -EINVAL;
		}
	}
	if (!cfg->name[0]) {
		NL_SET_ERR_MSG(extack, "name is missing");
		return -EINVAL;
	}
	if ((cfg->remote.family == AF_INET && (ipv4_is_zeronet(r->s6_addr32[0]) ||
					       ipv4_is_lbcast(r->s6_addr32[0]))) ||
	    (cfg->remote.family == AF_INET6 && ipv6_addr_any(r))) {
		NL_SET_ERR_MSG(extack, "remote is no address of a collector");
		return -EINVAL;
	}
	if ((cfg->local.family == AF_INET && (ipv4_is_zeronet(l->s6_addr32[0]) ||
					      ipv4_is_multicast(l->s6_addr32[0]) ||
					      ipv4_is_lbcast(l->s6_addr32[0]))) ||
	    (cfg->local.family == AF_INET6 && (ipv6_addr_any(l) || ipv6_addr_is_multicast(l)))) {
		NL_SET_ERR_MSG(extack, "local is no source address");
		return -EINVAL;
	}
	if (cfg->remote.family == AF_INET6 && __ipv6_addr_needs_scope_id(ipv6_addr_type(r)) &&
	    !cfg->dev[0]) {
		NL_SET_ERR_MSG(extack, "remote is a link-local address, which needs dev");
		return -EINVAL;
	}
	return vtap_encap_check(cfg, extack);
}

static void vtap_session_rcu(struct rcu_head *rcu)
{
	struct vtap_session *s = container_of(rcu, struct vtap_session, rcu);

	free_percpu(s->stats);
	kfree(s);
}

/* Those that a transaction has deleted do not count, but are there until it is committed. */
static void vtap_session_hide(struct vtap_session *s, bool gone)
{
	struct vtap_net *vn = s->vn;

	s->gone = gone;
	WRITE_ONCE(vn->n_sessions, vn->n_sessions + (gone ? -1 : 1));
}

/* Outer packet ids begin at random, on a boundary of blocks; no CPU has a block yet. */
static void vtap_session_ids(struct vtap_session *s)
{
	int cpu;

	atomic_set(&s->ipid, get_random_u32() & ~0xffu);
	for_each_possible_cpu(cpu)
		per_cpu_ptr(s->stats, cpu)->ipid = U32_MAX;
}

/**
 * vtap_session_add - create a session
 * @txn: the transaction
 * @cfg: what the user said, with defaults filled in
 *
 * Return: 0, -EINVAL, -EEXIST, -ENOSPC or -ENOMEM; nothing has changed unless 0.
 */
int vtap_session_add(struct vtap_txn *txn, const struct vtap_session_cfg *cfg)
{
	static u32 last_serial;	/* RTNL */
	struct vtap_net *vn = txn->vn;
	struct vtap_session *s;
	struct vtap_undo *u;
	int err;

	err = vtap_session_check(cfg, txn->extack);
	if (err)
		return err;
	if (vtap_session_find(vn, cfg->name)) {
		NL_SET_ERR_MSG(txn->extack, "a session of this name exists");
		return -EEXIST;
	}
	if (vn->n_sessions >= VTAP_SESSIONS_MAX) {
		NL_SET_ERR_MSG(txn->extack, "too many sessions");
		return -ENOSPC;
	}
	err = vtap_own_init_net(vn) ?: vtap_loop_init_net(vn);
	if (err)
		return err;
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	u = vtap_txn_alloc(VTAP_CMD_SESSION_ADD_NTF);
	s->stats = alloc_percpu_gfp(struct vtap_session_stats, GFP_KERNEL_ACCOUNT);
	if (!u || !s->stats) {
		free_percpu(s->stats);
		kfree(s);
		kfree(u);
		return -ENOMEM;
	}
	s->vn = vn;
	s->serial = ++last_serial;
	s->cfg = *cfg;
	s->state = VTAP_SESSION_STATE_NO_ROUTE;
	spin_lock_init(&s->bucket_lock);
	vtap_session_ids(s);
	/* before any rule sends to it */
	vtap_session_update(s);
	list_add_tail_rcu(&s->list, &vn->sessions);
	vtap_session_hide(s, false);
	u->session = s;
	vtap_txn_log(txn, u);
	return 0;
}

/**
 * vtap_session_set - change a session
 * @txn: the transaction
 * @s: the session
 * @cfg: all that it shall be; name and type are as they were
 *
 * Return: 0, -EINVAL or -ENOMEM; nothing has changed unless 0.
 */
int vtap_session_set(struct vtap_txn *txn, struct vtap_session *s,
		     const struct vtap_session_cfg *cfg)
{
	struct vtap_undo *u;
	int err;

	err = vtap_session_check(cfg, txn->extack);
	if (err)
		return err;
	u = vtap_txn_alloc(VTAP_CMD_SESSION_CHANGE_NTF);
	if (!u)
		return -ENOMEM;
	u->session = s;
	u->cfg = kmemdup(&s->cfg, sizeof(s->cfg), GFP_KERNEL_ACCOUNT);
	if (!u->cfg) {
		kfree(u);
		return -ENOMEM;
	}
	/* packets go by the template, which follows when all is committed */
	s->cfg = *cfg;
	vtap_txn_log(txn, u);
	return 0;
}

/**
 * vtap_session_del - delete a session
 * @txn: the transaction
 * @s: the session
 *
 * Return: 0, -EBUSY while a rule names it, or -ENOMEM; nothing has changed unless 0.
 */
int vtap_session_del(struct vtap_txn *txn, struct vtap_session *s)
{
	struct vtap_undo *u;

	if (s->users) {
		NL_SET_ERR_MSG(txn->extack, "the session is used by a rule");
		return -EBUSY;
	}
	u = vtap_txn_alloc(VTAP_CMD_SESSION_DEL_NTF);
	if (!u)
		return -ENOMEM;
	u->session = s;
	vtap_session_hide(s, true);
	vtap_txn_log(txn, u);
	return 0;
}

/**
 * vtap_session_flush - delete all sessions, or those of one type
 * @txn: the transaction
 * @type: which, or NULL for all
 *
 * Return: 0, or -EBUSY while a rule names one of them, or -ENOMEM; unless 0 the transaction is
 * to be aborted.
 */
int vtap_session_flush(struct vtap_txn *txn, const u32 *type)
{
	struct vtap_session *s;
	int err;

	list_for_each_entry(s, &txn->vn->sessions, list) {
		if (s->gone || (type && s->cfg.type != *type))
			continue;
		err = vtap_session_del(txn, s);
		if (err)
			return err;
	}
	return 0;
}

/* Off the list; no packet gets to see it any more. */
static void vtap_session_free(struct vtap_session *s)
{
	list_del_rcu(&s->list);
	vtap_session_publish(s, NULL);
	call_rcu(&s->rcu, vtap_session_rcu);
}

/**
 * vtap_session_undo - undo the last change of a transaction
 * @u: the change, one of a session
 */
void vtap_session_undo(const struct vtap_undo *u)
{
	struct vtap_session *s = u->session;

	switch (u->cmd) {
	case VTAP_CMD_SESSION_ADD_NTF:
		vtap_session_hide(s, true);
		vtap_session_free(s);
		break;
	case VTAP_CMD_SESSION_CHANGE_NTF:
		s->cfg = *u->cfg;
		break;
	case VTAP_CMD_SESSION_DEL_NTF:
		vtap_session_hide(s, false);
		break;
	}
}

/**
 * vtap_session_tell - a change is committed: send the event, and let packets see it
 * @u: the change, one of a session
 */
void vtap_session_tell(const struct vtap_undo *u)
{
	struct vtap_session *s = u->session;

	vtap_nl_session_notify(s, u->cmd);
	if (s->gone)
		return;
	if (u->cmd == VTAP_CMD_SESSION_CHANGE_NTF)
		vtap_session_refresh(s);
	/* routers may answer the first copy; without memory the tick tries again */
	vtap_pmtu_follow(s->vn, true);
	schedule_delayed_work(&s->vn->tick, VTAP_TICK);
}

/**
 * vtap_session_done - free what a change took away
 * @u: the change, one of a session
 */
void vtap_session_done(const struct vtap_undo *u)
{
	if (u->cmd == VTAP_CMD_SESSION_DEL_NTF)
		vtap_session_free(u->session);
}

/**
 * vtap_session_find - a session by its name; RTNL
 * @vn: the namespace's vtap
 * @name: the name
 *
 * Return: the session, or NULL.
 */
struct vtap_session *vtap_session_find(const struct vtap_net *vn, const char *name)
{
	struct vtap_session *s;

	list_for_each_entry(s, &vn->sessions, list) {
		if (!s->gone && !strcmp(s->cfg.name, name))
			return s;
	}
	return NULL;
}

/**
 * vtap_session_read - sum up a session's counters
 * @s: the session
 * @v: gets them
 */
void vtap_session_read(const struct vtap_session *s, u64 v[__VTAP_ST_MAX])
{
	int cpu, i;

	memset(v, 0, sizeof(*v) * __VTAP_ST_MAX);
	for_each_possible_cpu(cpu) {
		const struct vtap_session_stats *st = per_cpu_ptr(s->stats, cpu);
		u64 now[__VTAP_ST_MAX];
		unsigned int start;

		do {
			start = u64_stats_fetch_begin(&st->syncp);
			for (i = 0; i < __VTAP_ST_MAX; i++)
				now[i] = u64_stats_read(&st->v[i]);
		} while (u64_stats_fetch_retry(&st->syncp, start));
		for (i = 0; i < __VTAP_ST_MAX; i++)
			v[i] += now[i];
	}
}

/* Is there still room in a bucket that is empty at @due? */
static bool vtap_session_bucket(u64 *due, u64 now, u64 cost, u64 burst)
{
	u64 from = max(*due, now);

	if (from - now > burst)
		return false;
	*due = from + cost;
	return true;
}

/**
 * vtap_session_admit - may one more outer packet leave?
 * @t: the session's template
 * @bytes: its length
 *
 * Return: false when a rate limit is reached.
 */
bool vtap_session_admit(const struct vtap_tmpl *t, unsigned int bytes)
{
	struct vtap_session *s = t->s;
	u64 now, paid, cost;
	bool ok;

	if (likely(!t->rate && !t->pps))
		return true;

	/* rounded up, so that no limit is exceeded */
	cost = t->rate ? div64_u64(bytes * (u64)NSEC_PER_SEC + t->rate - 1, t->rate) : 0;
	now = ktime_get_ns();
	spin_lock(&s->bucket_lock);
	paid = s->packets_due;
	ok = !t->pps || vtap_session_bucket(&s->packets_due, now,
					    DIV_ROUND_UP(NSEC_PER_SEC, t->pps),
					    NSEC_PER_SEC / 10);
	if (ok && t->rate) {
		ok = vtap_session_bucket(&s->bytes_due, now, cost, t->burst_ns);
		if (!ok)
			s->packets_due = paid;
	}
	spin_unlock(&s->bucket_lock);
	return ok;
}

/**
 * vtap_session_dev_down - a device goes down or away; RTNL
 * @vn: the namespace's vtap
 * @dev: the device; no template names it afterwards
 */
void vtap_session_dev_down(struct vtap_net *vn, const struct net_device *dev)
{
	struct vtap_session *s;

	list_for_each_entry(s, &vn->sessions, list) {
		struct vtap_tmpl *t = rtnl_dereference(s->tmpl);

		if (!t || t->dev != dev)
			continue;
		vtap_session_publish(s, NULL);
		s->state = VTAP_SESSION_STATE_NO_DEVICE;
		vn->gen++;
		vtap_nl_session_notify(s, VTAP_CMD_SESSION_CHANGE_NTF);
	}
	vtap_session_kick(vn);
}

/**
 * vtap_session_dev_changed - a device is new or up, or its name, addresses or MTU are others
 * @vn: the namespace's vtap
 */
void vtap_session_dev_changed(struct vtap_net *vn)
{
	vtap_session_kick(vn);
}

/* May be called in softirq. */
static int vtap_session_netevent(struct notifier_block *nb, unsigned long event, void *ptr)
{
	if (event == NETEVENT_NEIGH_UPDATE) {
		const struct neighbour *n = ptr;

		vtap_session_kick(vtap_pernet(dev_net(n->dev)));
	}
	return NOTIFY_DONE;
}

static struct notifier_block vtap_session_netevent_nb = {
	.notifier_call = vtap_session_netevent,
};

/* May be called in softirq. */
static int vtap_session_fib(struct notifier_block *nb, unsigned long event, void *ptr)
{
	vtap_session_kick(container_of(nb, struct vtap_net, fib_nb));
	return NOTIFY_DONE;
}

/**
 * vtap_session_init_net - a namespace's sessions
 * @vn: its vtap
 *
 * Return: 0 or a negative error.
 */
int vtap_session_init_net(struct vtap_net *vn)
{
	INIT_LIST_HEAD(&vn->sessions);
	INIT_DELAYED_WORK(&vn->tick, vtap_session_tick_work);
	INIT_DELAYED_WORK(&vn->kick, vtap_session_kick_work);
	vn->fib_nb.notifier_call = vtap_session_fib;
	return register_fib_notifier(vn->net, &vn->fib_nb, NULL, NULL);
}

/**
 * vtap_session_exit_net - end of a namespace's sessions; no rule and no port is left
 * @vn: its vtap
 */
void vtap_session_exit_net(struct vtap_net *vn)
{
	struct vtap_session *s, *next;

	unregister_fib_notifier(vn->net, &vn->fib_nb);
	rtnl_lock();
	list_for_each_entry_safe(s, next, &vn->sessions, list) {
		vtap_session_hide(s, true);
		vtap_session_free(s);
	}
	rtnl_unlock();
	cancel_delayed_work_sync(&vn->kick);
	cancel_delayed_work_sync(&vn->tick);
	rtnl_lock();
	vtap_pmtu_follow(vn, false);
	rtnl_unlock();
	vtap_loop_exit_net(vn);
	vtap_own_exit_net(vn);
}

/**
 * vtap_session_init - start listening to neighbour changes
 *
 * Return: 0 or a negative error.
 */
int vtap_session_init(void)
{
	return register_netevent_notifier(&vtap_session_netevent_nb);
}

/** vtap_session_exit - stop listening to neighbour changes */
void vtap_session_exit(void)
{
	unregister_netevent_notifier(&vtap_session_netevent_nb);
}
