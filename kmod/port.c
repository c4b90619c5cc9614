// SPDX-License-Identifier: GPL-2.0
/* Ports: which devices rules bind to, and the hooks on them. */
#include <linux/if_macvlan.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/rtnetlink.h>

#include "compat.h"
#include "due.h"
#include "hook.h"
#include "index.h"
#include "kind.h"
#include "nl.h"
#include "note.h"
#include "table.h"

#define VTAP_BIND_RETRY		HZ

/* The netdevice notifier is registered, so ports may be attached; RTNL */
bool vtap_port_on;

/* For ports above which no queue is. */
static const void __rcu *vtap_port_no_queue;

static void vtap_port_free(struct vtap_port *port)
{
	free_percpu(port->stats);
	kfree(port);
}

static void vtap_port_rcu(struct rcu_head *rcu)
{
	vtap_port_free(container_of(rcu, struct vtap_port, rcu));
}

static struct vtap_port *vtap_port_alloc(struct vtap_net *vn, struct net_device *dev)
{
	struct vtap_port *port;

	port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
	if (!port)
		return NULL;
	port->stats = alloc_percpu_gfp(struct vtap_port_stats, GFP_KERNEL_ACCOUNT);
	if (!port->stats) {
		kfree(port);
		return NULL;
	}
	INIT_LIST_HEAD(&port->list);
	INIT_LIST_HEAD(&port->handover);
	port->vn = vn;
	port->dev = dev;
	port->id.ifindex = dev->ifindex;
	port->waits_up[0] = &vtap_port_no_queue;
	port->waits_up[1] = &vtap_port_no_queue;
	return port;
}

/* Both ends are in this namespace: what goes out by one comes in by the other. */
bool vtap_port_is_local_pair(const struct net_device *dev)
{
	const struct rtnl_link_ops *ops = dev->rtnl_link_ops;

	return ops && ops->get_link_net && !strcmp(ops->kind, "veth") &&
	       net_eq(ops->get_link_net(dev), dev_net(dev));
}

/* The switch's device, by which the host itself uses the switch. */
static bool vtap_port_is_switch(const struct net_device *dev)
{
	return netif_is_bridge_master(dev) || netif_is_ovs_master(dev) ||
	       netif_is_lag_master(dev);
}

/* Frames that go out by it may go out by another port at once. */
static bool vtap_port_is_stacked(const struct net_device *dev)
{
	return vtap_port_is_switch(dev) || netif_is_macvlan(dev) || is_vlan_dev(dev);
}

/*
 * Where frames wait, or are stacked, on their way to and from the device; RTNL. What
 * waits above a port is found again by the port's master, or by the macvlans on it.
 */
static void vtap_port_set_queues(struct vtap_port *port, const struct net_device *master)
{
	const void __rcu *const *rps = NULL, *const *tc = vtap_dev_tc_ingress(port->dev);
	struct net_device *dev = port->dev;
	int in = VTAP_QUEUE_NONE, out = VTAP_QUEUE_NONE;
	int up = master ? master->ifindex : dev->ifindex;

	if (vtap_port_is_local_pair(dev)) {
		in = dev_get_iflink(dev);
		out = dev->ifindex;
	} else if (dev->flags & IFF_LOOPBACK) {
		in = dev->ifindex;
		out = in;
	} else if (netif_is_macvlan(dev)) {
		in = macvlan_dev_real_dev(dev)->ifindex;
		out = in;
	} else if (netif_is_ovs_master(dev)) {
		in = VTAP_QUEUE_OVS;
	} else if (vtap_port_is_switch(dev) || netif_is_macvlan_port(dev)) {
		in = dev->ifindex;
	}
	if (netif_is_ovs_port(dev)) {
		up = VTAP_QUEUE_OVS;
		rps = (const void __rcu *const *)&port->vn->ovs_internal;
	} else if (master) {
		rps = vtap_dev_rps_map(master);
	}
	WRITE_ONCE(port->queue_in, in);
	WRITE_ONCE(port->queue_out, out);
	WRITE_ONCE(port->queue_up, up);
	WRITE_ONCE(port->stacked, vtap_port_is_stacked(dev));
	WRITE_ONCE(port->waits_up[0], rps ?: &vtap_port_no_queue);
	/* what tc redirects to an ifb device comes back later */
	WRITE_ONCE(port->waits_up[1], tc ?: &vtap_port_no_queue);
}

/* Open vSwitch hands frames to the host by a queue. */
static void vtap_port_count_internal(struct vtap_port *port, int n)
{
	struct vtap_net *vn = port->vn;

	if (!netif_is_ovs_master(port->dev))
		return;
	vn->n_ovs_internal += n;
	WRITE_ONCE(vn->ovs_internal, vn->n_ovs_internal ? vn : NULL);
}

/* Frames must be known again behind the device, whether rules bind to it or not. */
static bool vtap_port_is_watched(const struct net_device *dev)
{
	return vtap_port_is_local_pair(dev) || netif_is_bridge_master(dev) ||
	       netif_is_ovs_master(dev);
}

u32 vtap_port_dirs(const struct vtap_port *port)
{
	const struct vtap_table *table = rtnl_dereference(port->table);
	u32 dirs = table ? vtap_table_dirs(table) : 0;

	if (!port->noting)
		return dirs;
	if (vtap_port_is_local_pair(port->dev) || port->dev->flags & IFF_LOOPBACK)
		return BIT(VTAP_IN) | BIT(VTAP_OUT);
	return vtap_port_is_watched(port->dev) ? dirs | BIT(VTAP_IN) : dirs;
}

/*
 * Notes are for frames that a port sees going out, or that pass several devices. Where
 * rules look at frames that come in alone, nobody asks for them.
 */
static bool vtap_port_needs_notes(const struct net_device *dev, const struct vtap_table *table)
{
	return table && (vtap_table_dirs(table) & BIT(VTAP_OUT) || vtap_port_is_stacked(dev) ||
			 vtap_port_is_local_pair(dev) || dev->flags & IFF_LOOPBACK);
}

static void vtap_port_set_noting(struct vtap_net *vn, bool noting)
{
	struct vtap_port *port;

	vn->noting = noting;
	list_for_each_entry(port, &vn->ports, list) {
		if (port->noting == noting)
			continue;
		WRITE_ONCE(port->noting, noting);
		vtap_hook_reconcile(port, vtap_port_dirs(port), false, false);
	}
	/* frames on their way have left no notes, or rules that are gone have copied them */
	if (noting)
		synchronize_net();
}

/* Some table has gone; RTNL. */
static void vtap_port_review_noting(struct vtap_net *vn)
{
	struct vtap_port *port;
	bool noting = false;

	list_for_each_entry(port, &vn->ports, list)
		noting |= vtap_port_needs_notes(port->dev, rtnl_dereference(port->table));
	vtap_port_set_noting(vn, noting);
	vtap_hook_finish(vn);
}

/* The device is no port any more, or goes away; RTNL. */
void vtap_port_detach(struct vtap_port *port)
{
	if (rcu_access_pointer(port->table))
		vtap_nl_port_notify(port, VTAP_CMD_PORT_DEL_NTF);
	vtap_hook_reconcile(port, 0, false, true);
	vtap_port_count_internal(port, -1);
	list_del(&port->list);
	hash_del_rcu(&port->node);
	port->vn->gen++;
	vtap_table_put(rcu_replace_pointer(port->table, NULL, lockdep_rtnl_is_held()));
	call_rcu(&port->rcu, vtap_port_rcu);
}

/* In the order of their index, by which dumps go on; that of a new device is often the highest. */
static void vtap_port_list(struct vtap_net *vn, struct vtap_port *port)
{
	struct list_head *pos = vn->ports.prev;

	while (pos != &vn->ports &&
	       list_entry(pos, struct vtap_port, list)->id.ifindex > port->id.ifindex)
		pos = pos->prev;
	list_add(&port->list, pos);
}

/* All that can fail; nothing is visible yet. */
int vtap_port_prepare(struct vtap_net *vn, struct net_device *dev, struct vtap_bind *b)
{
	const bool eligible = vtap_port_on && vtap_kind_eligible(dev);

	b->dev = dev;
	b->port = vtap_port_of(vn, dev);
	b->table = eligible ? vtap_index_table(vn, dev) : NULL;
	if (IS_ERR(b->table))
		return PTR_ERR(b->table);
	b->watch = eligible && vn->n_rules && vtap_port_is_watched(dev);
	if (b->port || !(b->table || b->watch))
		return 0;
	b->port = vtap_port_alloc(vn, dev);
	if (b->port)
		return 0;
	vtap_table_put(b->table);
	return -ENOMEM;
}

static void vtap_port_bind_abort(struct vtap_bind *b)
{
	if (b->port && list_empty(&b->port->list))
		vtap_port_free(b->port);
	vtap_table_put(b->table);
}

void vtap_port_changed(struct vtap_port *port, u8 cmd)
{
	port->vn->gen++;
	vtap_nl_port_notify(port, cmd);
}

/* Give a device's port what was prepared for it. Nothing can fail. */
void vtap_port_commit(struct vtap_net *vn, struct vtap_bind *b, bool may_chain)
{
	const struct net_device *master = netdev_master_upper_dev_get(b->dev);
	int master_index = master ? master->ifindex : 0;
	struct vtap_port *port = b->port;
	struct vtap_table *old;
	u8 sends = vtap_kind_sends(b->dev);
	bool changed;

	if (!b->table && !b->watch) {
		if (port)
			vtap_port_detach(port);
		return;
	}
	/* the first frame that the table sees must find the notes of others */
	if (!vn->noting && vtap_port_needs_notes(b->dev, b->table))
		vtap_port_set_noting(vn, true);
	old = rtnl_dereference(port->table);
	if (old && !b->table)
		vtap_port_changed(port, VTAP_CMD_PORT_DEL_NTF);
	changed = port->sends != sends;
	WRITE_ONCE(port->sends, sends);
	WRITE_ONCE(port->bare, vtap_kind_bare(b->dev));
	rcu_assign_pointer(port->table, b->table);
	vtap_table_put(old);
	vtap_port_set_queues(port, master);
	if (list_empty(&port->list)) {
		vtap_port_list(vn, port);
		hash_add_rcu(vn->port_index, &port->node, b->dev->ifindex);
		vtap_port_count_internal(port, 1);
		WRITE_ONCE(port->noting, vn->noting);
	}
	changed |= vtap_hook_reconcile(port, vtap_port_dirs(port), may_chain, false);
	changed |= port->master != master_index || strcmp(port->name, b->dev->name);
	port->master = master_index;
	strscpy(port->name, b->dev->name, sizeof(port->name));
	if (b->table && (!old || changed))
		vtap_port_changed(port, old ? VTAP_CMD_PORT_CHANGE_NTF : VTAP_CMD_PORT_ADD_NTF);
}

/* The devices that are due, into @b unless it is NULL. Return: how many there are. */
static unsigned int vtap_port_collect(struct vtap_net *vn, struct vtap_bind *b)
{
	struct net_device *dev;
	unsigned long index;
	unsigned int n = 0;
	void *entry;

	if (vn->due_all) {
		for_each_netdev(vn->net, dev) {
			if (b)
				b[n].dev = dev;
			n++;
		}
		return n;
	}
	xa_for_each(&vn->due, index, entry) {
		dev = __dev_get_by_index(vn->net, index);
		if (!dev)
			continue;
		if (b)
			b[n].dev = dev;
		n++;
	}
	return n;
}

/*
 * Give the devices that are due the rules that bind to them; RTNL. Return: 0, or -ENOMEM and
 * nothing has changed.
 */
int vtap_port_bind_due(struct vtap_net *vn)
{
	unsigned int n, done, i;
	struct vtap_bind *b;
	int err = 0;

	vtap_names_resolve(vn, NULL);
	n = vtap_port_collect(vn, NULL);
	b = kvcalloc(max(n, 1U), sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	vtap_port_collect(vn, b);
	for (done = 0; done < n && !err; done += !err)
		err = vtap_port_prepare(vn, b[done].dev, &b[done]);
	if (!err) {
		/* the hook of a port may fail, and be due again */
		vtap_due_none(vn);
		vtap_index_bound(vn);
	}
	for (i = 0; i < done; i++) {
		if (err)
			vtap_port_bind_abort(&b[i]);
		else
			vtap_port_commit(vn, &b[i], true);
	}
	vtap_hook_finish(vn);
	if (!err)
		vtap_port_review_noting(vn);
	kvfree(b);
	return err;
}

static void vtap_port_bind_work(struct work_struct *work)
{
	struct vtap_net *vn = container_of(work, struct vtap_net, bind.work);

	rtnl_lock();
	if (vtap_port_bind_due(vn))
		vtap_due_soon(vn, VTAP_BIND_RETRY);
	rtnl_unlock();
}

/* Follow what no event tells: whether tc takes frames ahead of a chain. */
void vtap_port_recheck(struct vtap_net *vn)
{
	struct vtap_port *port;
	bool any = false;

	rtnl_lock();
	list_for_each_entry(port, &vn->ports, list) {
		if (port->hook[VTAP_IN] == VTAP_HOOK_NONE ||
		    !!port->chain == vtap_chain_allowed(port->dev) ||
		    !vtap_hook_reconcile(port, vtap_port_dirs(port), true, false))
			continue;
		any = true;
		if (rcu_access_pointer(port->table))
			vtap_port_changed(port, VTAP_CMD_PORT_CHANGE_NTF);
	}
	if (any) {
		vtap_hook_finish(vn);
		vtap_port_review_noting(vn);
	}
	rtnl_unlock();
}

/* A namespace's ports. */
void vtap_port_init_net(struct vtap_net *vn)
{
	INIT_LIST_HEAD(&vn->ports);
	INIT_LIST_HEAD(&vn->handovers);
	hash_init(vn->port_index);
	vtap_due_init_net(vn);
	INIT_DELAYED_WORK(&vn->bind, vtap_port_bind_work);
}

/* Take the hooks off a namespace's ports. */
void vtap_port_exit_net(struct vtap_net *vn)
{
	struct vtap_port *port, *next;

	rtnl_lock();
	vn->closed = true;
	list_for_each_entry_safe(port, next, &vn->ports, list)
		vtap_port_detach(port);
	rtnl_unlock();
	cancel_delayed_work_sync(&vn->bind);
	rtnl_lock();
	vtap_due_none(vn);
	rtnl_unlock();
}
