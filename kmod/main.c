// SPDX-License-Identifier: GPL-2.0
/* vtap: a virtual network TAP. Loading, unloading, namespaces, and device events. */
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>

#include "flow.h"
#include "hook.h"
#include "kind.h"
#include "nl.h"
#include "note.h"
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
	vtap_kind_resolve(vn);
	if (!vtap_port_prepare(vn, dev, &b))
		vtap_port_commit(vn, &b, false);
	schedule_delayed_work(&vn->bind, 0);
}

/* A chained port's rx_handler is about to go, or to be passed by: netfilter, until all is over. */
static void vtap_port_fall_back(struct vtap_port *port)
{
	if (vtap_hook_reconcile(port, vtap_port_dirs(port), false, true) &&
	    rcu_access_pointer(port->table))
		vtap_port_changed(port, VTAP_CMD_PORT_CHANGE_NTF);
	schedule_delayed_work(&port->vn->bind, 0);
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
	case NETDEV_REGISTER:
	case NETDEV_CHANGENAME:
		vtap_session_dev_changed(vn);
		fallthrough;
	case NETDEV_CHANGEUPPER:
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
		fallthrough;
	case NETDEV_DOWN:
		vtap_session_dev_down(vn, dev);
		break;
	case NETDEV_UP:
	case NETDEV_CHANGE:
		/* alternative names have no other event, and none while the device is down */
		if (vtap_kind_resolve(vn))
			schedule_delayed_work(&vn->bind, 0);
		fallthrough;
	case NETDEV_CHANGEMTU:
	case NETDEV_CHANGEADDR:
		vtap_session_dev_changed(vn);
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
	return vtap_session_init_net(vn);
}

static void __net_exit vtap_net_exit(struct net *net)
{
	struct vtap_net *vn = vtap_pernet(net);

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
	err = vtap_session_init();
	if (err)
		goto err_net;
	err = vtap_port_init();
	if (err)
		goto err_session;
	err = vtap_nl_init();
	if (err)
		goto err_port;
	return 0;

err_port:
	vtap_port_exit();
err_session:
	vtap_session_exit();
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
	vtap_port_exit();
	vtap_session_exit();
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
