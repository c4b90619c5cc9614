// SPDX-License-Identifier: GPL-2.0
/* vtap: a virtual network TAP. Loading, unloading, namespaces, and device events. */
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>

#include "due.h"
#include "flow.h"
#include "hook.h"
#include "look.h"
#include "names.h"
#include "nl.h"
#include "note.h"
#include "owner.h"
#include "path.h"
#include "ring.h"
#include "ruleset.h"
#include "session.h"
#include "table.h"
#include "taps.h"
#include "version.h"

/* An event: bind now, and look again when it is over, since some masters act after it. */
static void vtap_port_bind(struct vtap_net *vn, struct net_device *dev)
{
	struct vtap_bind b;

	if (!vn->n_rules)
		return;
	if (!vtap_port_prepare(vn, dev, &b))
		vtap_port_commit(vn, &b, false);
	vtap_hook_finish(vn);
	vtap_due_dev(vn, dev->ifindex);
	vtap_due_soon(vn, 0);
}

/* The device comes to the namespace, or leaves it: the other end of a pair is watched, or not. */
static void vtap_port_peer(struct vtap_net *vn, struct net_device *dev)
{
	if (!vn->n_rules || !vtap_port_is_local_pair(dev))
		return;
	vtap_due_dev(vn, dev_get_iflink(dev));
	vtap_due_soon(vn, 0);
}

/* Names may be another device's now. */
static void vtap_port_named(struct vtap_net *vn, struct net_device *dev)
{
	if (vtap_names_resolve(vn, dev))
		vtap_due_soon(vn, 0);
}

/* With its first port, and without its last one, a device is another thing to its siblings. */
static void vtap_port_datapath(struct vtap_net *vn,
			       const struct netdev_notifier_changeupper_info *upper)
{
	const struct list_head *lower = &upper->upper_dev->adj_list.lower;

	if (netif_is_ovs_master(upper->upper_dev) &&
	    (list_empty(lower) || list_is_singular(lower)))
		vtap_due_all(vn);
}

/* A chained port's rx_handler is about to go, or to be passed by: netfilter, until all is over. */
static void vtap_port_fall_back(struct vtap_port *port)
{
	if (vtap_hook_reconcile(port, vtap_port_dirs(port), false, true) &&
	    rcu_access_pointer(port->table))
		vtap_port_changed(port, VTAP_CMD_PORT_CHANGE_NTF);
	vtap_hook_finish(port->vn);
	vtap_due_dev(port->vn, port->id.ifindex);
	vtap_due_soon(port->vn, 0);
}

/*
 * Ahead of an upper device that comes or goes: a master takes its handler away
 * next, and it must be its own again; a VLAN device takes its frames before any.
 */
static void vtap_port_upper(struct vtap_net *vn, struct net_device *dev,
			    const struct netdev_notifier_changeupper_info *upper)
{
	struct vtap_port *port = vtap_port_of(vn, dev);

	if (port && port->chain && (!upper->linking || is_vlan_dev(upper->upper_dev)))
		vtap_port_fall_back(port);
}

/*
 * A bond takes its handler away before it unlinks; what it says before that is
 * that the slave sends no more, though its link is up. When nothing follows, the
 * chain comes back. A slave whose link fails is left alone: failover must not wait.
 */
static void vtap_port_lower(struct vtap_net *vn, struct net_device *dev,
			    const struct netdev_notifier_changelowerstate_info *lower)
{
	const struct netdev_lag_lower_state_info *state = lower->lower_state_info;
	struct vtap_port *port = vtap_port_of(vn, dev);

	if (port && port->chain && netif_is_bond_slave(dev) && state->link_up && !state->tx_enabled)
		vtap_port_fall_back(port);
}

/* RTNL. Never vetoes: a tap must not keep anyone from reconfiguring a device. */
static int vtap_port_netdev(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct vtap_net *vn = vtap_pernet(dev_net(dev));
	struct vtap_port *port;

	switch (event) {
	case NETDEV_CHANGENAME:
		/* by its name, a device of Open vSwitch may be a datapath */
		if (netif_is_ovs_master(dev))
			vtap_due_all(vn);
		fallthrough;
	case NETDEV_REGISTER:
		vtap_look_dev(vn, dev, false);
		vtap_port_named(vn, dev);
		vtap_port_peer(vn, dev);
		vtap_port_bind(vn, dev);
		break;
	case NETDEV_CHANGEUPPER:
		vtap_port_datapath(vn, ptr);
		fallthrough;
	case NETDEV_POST_TYPE_CHANGE:
		vtap_port_bind(vn, dev);
		break;
	case NETDEV_PRECHANGEUPPER:
		vtap_port_upper(vn, dev, ptr);
		break;
	case NETDEV_CHANGELOWERSTATE:
		vtap_port_lower(vn, dev, ptr);
		break;
	case NETDEV_UNREGISTER:
		port = vtap_port_of(vn, dev);
		if (port)
			vtap_port_detach(port);
		vtap_port_named(vn, dev);
		vtap_port_peer(vn, dev);
		fallthrough;
	case NETDEV_DOWN:
		vtap_session_dev_down(vn, dev);
		break;
	case NETDEV_UP:
	case NETDEV_CHANGE:
		/* alternative names have no other event, and none while the device is down */
		vtap_port_named(vn, dev);
		fallthrough;
	case NETDEV_CHANGEMTU:
	case NETDEV_CHANGEADDR:
		vtap_look_dev(vn, dev, true);
		break;
	}
	return NOTIFY_DONE;
}

/* Before the masters' own: what is ours is off the device when they look at it. */
static struct notifier_block vtap_port_netdev_nb = {
	.notifier_call = vtap_port_netdev,
	.priority = INT_MAX,
};

/* Start listening to device events. Return: 0 or a negative error. */
static int vtap_port_init(void)
{
	vtap_port_on = true;
	return register_netdevice_notifier(&vtap_port_netdev_nb);
}

/** vtap_port_exit - stop listening to device events; takes all ports away */
static void vtap_port_exit(void)
{
	/* a device could go without our knowing: no work may bind to it any more */
	rtnl_lock();
	vtap_port_on = false;
	rtnl_unlock();
	unregister_netdevice_notifier(&vtap_port_netdev_nb);
}

unsigned int vtap_net_id __read_mostly;

static int __net_init vtap_net_init(struct net *net)
{
	struct vtap_net *vn = vtap_pernet(net);

	vn->net = net;
	vn->gen = 1;
	vtap_port_init_net(vn);
	vtap_rule_init_net(vn);
	vtap_taps_init_net(vn);
	vtap_owner_init_net(vn);
	return vtap_session_init_net(vn);
}

static void __net_exit vtap_net_exit(struct net *net)
{
	struct vtap_net *vn = vtap_pernet(net);

	vtap_owner_exit_net(vn);
	vtap_port_exit_net(vn);
	vtap_rule_exit_net(vn);
	vtap_session_exit_net(vn);
	rtnl_lock();
	vtap_taps_sweep(vn);
	rtnl_unlock();
}

static struct pernet_operations vtap_net_ops = {
	.init = vtap_net_init,
	.exit = vtap_net_exit,
	.id = &vtap_net_id,
	.size = sizeof(struct vtap_net),
};

static int __init vtap_init(void)
{
	int err;

	vtap_flow_init();
	err = vtap_table_init();
	if (err)
		return err;
	err = vtap_note_init();
	if (err)
		goto err_table;
	err = vtap_ring_init(NULL);
	if (err)
		goto err_note;
	err = register_pernet_subsys(&vtap_net_ops);
	if (err)
		goto err_note;
	err = vtap_look_init();
	if (err)
		goto err_net;
	err = vtap_port_init();
	if (err)
		goto err_session;
	err = vtap_owner_init();
	if (err)
		goto err_port;
	err = vtap_nl_init();
	if (err)
		goto err_owner;
	return 0;

err_owner:
	vtap_owner_exit();
err_port:
	vtap_port_exit();
err_session:
	vtap_look_exit();
err_net:
	unregister_pernet_subsys(&vtap_net_ops);
	rcu_barrier();
	vtap_ring_exit();
err_note:
	vtap_note_exit();
err_table:
	vtap_table_exit();
	return err;
}

static void __exit vtap_exit(void)
{
	vtap_nl_exit();
	vtap_owner_exit();
	vtap_port_exit();
	vtap_look_exit();
	unregister_pernet_subsys(&vtap_net_ops);
	/* callbacks of ours may still be queued */
	rcu_barrier();
	vtap_ring_exit();
	vtap_note_exit();
	vtap_table_exit();
}

module_init(vtap_init);
module_exit(vtap_exit);

MODULE_DESCRIPTION("Virtual network TAP");
MODULE_LICENSE("GPL");
MODULE_VERSION(VTAP_VERSION);
MODULE_ALIAS_GENL_FAMILY(VTAP_GENL_NAME);
