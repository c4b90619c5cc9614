// SPDX-License-Identifier: GPL-2.0
/* Kinds of devices: which of them can be ports, what rules call them, and where a VM sends. */
#include <linux/glob.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/rtnetlink.h>

#include "index.h"
#include "kind.h"
#include "port.h"
#include "rule.h"
#include "session.h"
#include "txn.h"

#define VTAP_OVS_DATAPATH	"ovs-system"	/* that of ovs-vswitchd */

/*
 * Do the device's frames begin with a network header? Return: true when they have no Ethernet
 * header, and copies get one.
 */
bool vtap_kind_bare(const struct net_device *dev)
{
	switch (dev->type) {
	case ARPHRD_NONE:	/* tun, WireGuard, xfrm, bareudp, ports of Open vSwitch */
	case ARPHRD_TUNNEL:	/* ipip, vti */
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
	case ARPHRD_PPP:
	case ARPHRD_RAWIP:	/* modems */
	case ARPHRD_INFINIBAND:	/* its own header is passed over */
		return true;
	default:
		return false;
	}
}

/*
 * Why can the device be no port? Return: enum vtap_reason; VTAP_REASON_NO_RULE when it can be
 * one.
 */
u32 vtap_kind_reason(const struct net_device *dev)
{
	/* a device that leaves for another namespace is registered, but not listed */
	if (dev->reg_state != NETREG_REGISTERED ||
	    __dev_get_by_index(dev_net(dev), dev->ifindex) != dev)
		return VTAP_REASON_UNREGISTERED;
	/* it looks like Ethernet, but packets only change their device to it and back */
	if (netif_is_l3_master(dev))
		return VTAP_REASON_VRF;
	if (dev->type == ARPHRD_ETHER || dev->type == ARPHRD_LOOPBACK || vtap_kind_bare(dev))
		return VTAP_REASON_NO_RULE;
	return VTAP_REASON_NO_FRAMES;
}

/* Can the device be a port? Return: true when it can. */
bool vtap_kind_eligible(const struct net_device *dev)
{
	return vtap_kind_reason(dev) == VTAP_REASON_NO_RULE;
}

static bool vtap_kind_is(const struct net_device *dev, const char *kind)
{
	return dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, kind);
}

static bool vtap_kind_is_ipvlan(const struct net_device *dev)
{
	return vtap_kind_is(dev, "ipvlan") || vtap_kind_is(dev, "ipvtap");
}

/* The device that macvlans or ipvlans share */
static bool vtap_kind_is_lower(const struct net_device *dev)
{
	struct net_device *upper;
	struct list_head *iter;
	bool found = netif_is_macvlan_port(dev);

	rcu_read_lock();
	netdev_for_each_upper_dev_rcu((struct net_device *)dev, upper, iter)
		found |= vtap_kind_is_ipvlan(upper);
	rcu_read_unlock();
	return found;
}

/*
 * Where are the frames seen that the VM behind a port sends? Return: BIT(VTAP_IN), BIT(VTAP_OUT),
 * or both where its neighbours' frames show at the other side.
 */
u8 vtap_kind_sends(const struct net_device *dev)
{
	if (netif_is_macvlan(dev) || vtap_kind_is_ipvlan(dev) || netif_is_ovs_master(dev))
		return BIT(VTAP_OUT);
	if (dev->flags & IFF_LOOPBACK || vtap_kind_is_lower(dev))
		return BIT(VTAP_IN) | BIT(VTAP_OUT);
	return BIT(VTAP_IN);
}

/* Is what a rule has for its port a shell pattern? Return: false for a name. */
bool vtap_kind_is_pattern(const char *name)
{
	return strpbrk(name, "*?[\\");
}

static bool vtap_kind_matches(const char *glob, const struct net_device *dev)
{
	return !(dev->flags & IFF_LOOPBACK) && glob_match(glob, dev->name);
}

/*
 * A datapath's internal ports do not say which datapath they belong to, nor is it their master.
 * The datapath's own device is one of them, and the master of all other ports.
 */
static bool vtap_kind_is_datapath(const struct net_device *dev)
{
	return netif_is_ovs_master(dev) &&
	       (!list_empty(&dev->adj_list.lower) || !strcmp(dev->name, VTAP_OVS_DATAPATH));
}

static bool vtap_kind_internal_of(const struct net_device *dev, int master)
{
	const struct net_device *datapath;

	if (!netif_is_ovs_master(dev) || vtap_kind_is_datapath(dev))
		return false;
	datapath = __dev_get_by_index(dev_net(dev), master);
	return datapath && vtap_kind_is_datapath(datapath);
}

/**
 * vtap_kind_binds - do the rules of a pattern bind to a device?
 * @p: the pattern
 * @dev: a device that can be a port
 * @master: its master, or NULL
 *
 * Return: true when they do.
 */
bool vtap_kind_binds(const struct vtap_pattern *p, const struct net_device *dev,
		     const struct net_device *master)
{
	if (p->port && p->port->index != dev->ifindex)
		return false;
	if (p->master && !(master && master->ifindex == p->master->index) &&
	    !vtap_kind_internal_of(dev, p->master->index))
		return false;
	if (p->glob[0])
		return vtap_kind_matches(p->glob, dev);
	if (p->port || p->master)
		return true;
	/* a VM's address alone: on the ports of all switches */
	if (dev->flags & IFF_LOOPBACK)
		return false;
	return master || vtap_kind_is_lower(dev) ||
	       (netif_is_ovs_master(dev) && !vtap_kind_is_datapath(dev));
}

/* What the user should know of a rule that is accepted; NULL for nothing. */
static const char *vtap_kind_warn_rule(const struct vtap_net *vn, const struct vtap_rule *rule)
{
	struct net_device *dev;
	unsigned int i;

	dev = rule->port[0] && !vtap_kind_is_pattern(rule->port) ?
	      __dev_get_by_name(vn->net, rule->port) : NULL;
	switch (dev ? vtap_kind_reason(dev) : VTAP_REASON_NO_RULE) {
	case VTAP_REASON_VRF:
		return "port is a VRF device, which has no frames of its own";
	case VTAP_REASON_NO_FRAMES:
		return "port has neither Ethernet frames nor IP packets and is not tapped";
	}
	dev = rule->master[0] ? __dev_get_by_name(vn->net, rule->master) : NULL;
	if (dev && netif_is_ovs_master(dev) && !vtap_kind_is_datapath(dev))
		return "master is an internal port of Open vSwitch, not the datapath";
	for (i = 0; i < rule->n_sessions; i++) {
		const struct vtap_session_cfg *cfg = &rule->sessions[i]->cfg;

		dev = cfg->type == VTAP_SESSION_TYPE_PORT ?
		      __dev_get_by_name(vn->net, cfg->dev) : NULL;
		if (dev && vtap_port_of(vn, dev))
			return "session sends raw copies into a device that is tapped itself";
	}
	return NULL;
}

static const char *vtap_kind_warn_session(const struct vtap_net *vn,
					  const struct vtap_session_cfg *cfg)
{
	const struct net_device *dev;

	dev = cfg->type == VTAP_SESSION_TYPE_PORT ? __dev_get_by_name(vn->net, cfg->dev) : NULL;
	if (!dev)
		return NULL;
	if (vtap_port_of(vn, dev))
		return "dev is a device that is tapped itself";
	if (netif_is_bridge_port(dev) || netif_is_ovs_port(dev))
		return "dev is a port of a switch, and what is behind it gets the copies";
	return NULL;
}

/**
 * vtap_kind_warn - tell what the user should know of changes that are made
 * @txn: the transaction, of which ports know already
 *
 * A message that comes with success is a warning. There is room for one.
 */
void vtap_kind_warn(const struct vtap_txn *txn)
{
	const struct vtap_undo *u;
	const char *text = NULL;

	if (!txn->extack || txn->extack->_msg)
		return;
	list_for_each_entry(u, &txn->log, list) {
		if (u->rule)
			text = vtap_kind_warn_rule(txn->vn, u->rule);
		else if (u->session && u->cmd != VTAP_CMD_SESSION_DEL_NTF)
			text = vtap_kind_warn_session(txn->vn, &u->session->cfg);
		if (text)
			break;
	}
	/* the macro takes literals only */
	txn->extack->_msg = text;
}
