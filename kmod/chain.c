// SPDX-License-Identifier: GPL-2.0
/* The chain: a hook in front of the rx_handler of a port's master, the cheapest one there is. */
#include <linux/moduleparam.h>
#include <linux/rtnetlink.h>
#include <linux/static_call.h>

#include "compat.h"
#include "hook.h"
#include "tap.h"

#define VTAP_CHAIN_PORT_BITS	10
#define VTAP_CHAIN_PROBES	4
#define VTAP_CHAINS		4

static bool rx_chain = true;
module_param(rx_chain, bool, 0644);
MODULE_PARM_DESC(rx_chain, "hook in front of the rx_handler of Open vSwitch, bond, team and macvlan ports (default on)");

/*
 * Ports whose rx_handler is ours, by their device, of all namespaces. Written
 * under RTNL, read under RCU.
 */
static struct vtap_port __rcu *vtap_chain_ports[1 << VTAP_CHAIN_PORT_BITS];

static unsigned int vtap_chain_bucket(const struct net_device *dev, unsigned int probe)
{
	/*
	 * Devices are larger than half a page, so hardly any two share one. Many are neighbours:
	 * the next probe is away from these.
	 */
	return ((unsigned long)dev / PAGE_SIZE + probe * 67) % ARRAY_SIZE(vtap_chain_ports);
}

/* Softirq, RCU read side. A port that is being attached or detached may not be found. */
static __always_inline void vtap_chain_frame(struct sk_buff *skb)
{
	struct vtap_port *port;
	unsigned int i;

	for (i = 0; i < VTAP_CHAIN_PROBES; i++) {
		port = rcu_dereference(vtap_chain_ports[vtap_chain_bucket(skb->dev, i)]);
		if (port && port->dev == skb->dev)
			break;
	}
	if (unlikely(i == VTAP_CHAIN_PROBES))
		return;
	vtap_tap_in(port, skb);
}

/*
 * One handler for each distinct rx_handler that we stand in front of: which
 * one to go on with is in the code, so that a frame that comes while its port
 * is being detached still goes where it belongs.
 */
static rx_handler_result_t vtap_chain_pass(struct sk_buff **pskb)
{
	return RX_HANDLER_PASS;
}

#define VTAP_CHAIN(n)								\
DEFINE_STATIC_CALL(vtap_chain_orig_##n, vtap_chain_pass);			\
static __no_stack_protector							\
rx_handler_result_t vtap_chain_##n(struct sk_buff **pskb)			\
{										\
	vtap_chain_frame(*pskb);						\
	return static_call(vtap_chain_orig_##n)(pskb);				\
}										\
static void vtap_chain_set_##n(rx_handler_func_t *orig)				\
{										\
	static_call_update(vtap_chain_orig_##n, orig);				\
}

VTAP_CHAIN(0)
VTAP_CHAIN(1)
VTAP_CHAIN(2)
VTAP_CHAIN(3)

/**
 * struct vtap_chain - a handler of ours and what it stands in front of; RTNL
 * @handler: ours
 * @set: says what @handler goes on with
 * @orig: what it goes on with
 * @users: ports it is on; @orig may change when there are none and a grace period is over
 */
struct vtap_chain {
	rx_handler_func_t *handler;
	void (*set)(rx_handler_func_t *orig);
	rx_handler_func_t *orig;
	unsigned int users;
};

static struct vtap_chain vtap_chains[VTAP_CHAINS] = {
	{ .handler = vtap_chain_0, .set = vtap_chain_set_0, },
	{ .handler = vtap_chain_1, .set = vtap_chain_set_1, },
	{ .handler = vtap_chain_2, .set = vtap_chain_set_2, },
	{ .handler = vtap_chain_3, .set = vtap_chain_set_3, },
};

/* The chain for an rx_handler, with one more user; NULL when all are taken. */
static struct vtap_chain *vtap_chain_get(rx_handler_func_t *orig)
{
	struct vtap_chain *c, *free = NULL;

	for (c = vtap_chains; c < vtap_chains + VTAP_CHAINS; c++) {
		if (c->orig == orig) {
			c->users++;
			return c;
		}
		if (!c->users)
			free = c;
	}
	if (!free)
		return NULL;
	/* frames of former users may still be on their way through it */
	synchronize_net();
	free->set(orig);
	free->orig = orig;
	free->users = 1;
	return free;
}

/**
 * vtap_chain_allowed - may a chain begin on this device?
 * @dev: the device; RTNL
 *
 * Its owner must never look at dev->rx_handler itself, and neither VLAN devices nor
 * tc may take frames ahead of any rx_handler.
 *
 * Return: true if so.
 */
bool vtap_chain_allowed(const struct net_device *dev)
{
	const void __rcu *const *tc = vtap_dev_tc_ingress(dev);

	if (vlan_uses_dev(dev) || (tc && rcu_access_pointer(*tc)))
		return false;
	return netif_is_ovs_port(dev) || netif_is_bond_slave(dev) || netif_is_team_port(dev) ||
	       netif_is_macvlan_port(dev);
}

/* A free place for a port in vtap_chain_ports, or -1. */
static int vtap_chain_room(const struct net_device *dev)
{
	unsigned int i, bucket;

	for (i = 0; i < VTAP_CHAIN_PROBES; i++) {
		bucket = vtap_chain_bucket(dev, i);
		if (!rcu_access_pointer(vtap_chain_ports[bucket]))
			return bucket;
	}
	return -1;
}

/**
 * vtap_chain_wanted - should the device have a chain?
 * @port: the port; one that has a chain keeps it when rx_chain is cleared; RTNL
 *
 * Return: true if so.
 */
bool vtap_chain_wanted(const struct vtap_port *port)
{
	return (port->chain || (READ_ONCE(rx_chain) && vtap_chain_room(port->dev) >= 0)) &&
	       rtnl_dereference(port->dev->rx_handler) && vtap_chain_allowed(port->dev);
}

/*
 * Is the handler on a port's device still the one that was put there? RTNL. Return: false if it
 * is not, or if there is none.
 */
bool vtap_chain_intact(const struct vtap_port *port)
{
	return port->chain && rtnl_dereference(port->dev->rx_handler) == port->chain->handler;
}

/*
 * Stand in front of the rx_handler that a port's device has; RTNL. Return: false if the device
 * has none, or there is no room.
 */
bool vtap_chain_add(struct vtap_port *port)
{
	rx_handler_func_t *orig = rtnl_dereference(port->dev->rx_handler);
	int bucket = vtap_chain_room(port->dev);

	if (bucket < 0 || !orig)
		return false;
	port->chain = vtap_chain_get(orig);
	if (!port->chain)
		return false;

	rcu_assign_pointer(vtap_chain_ports[bucket], port);
	port->bucket = bucket;
	rcu_assign_pointer(port->dev->rx_handler, port->chain->handler);
	return true;
}

/* Give the device its own rx_handler again, if the owner has not taken it away; RTNL. */
void vtap_chain_remove(struct vtap_port *port)
{
	if (vtap_chain_intact(port))
		rcu_assign_pointer(port->dev->rx_handler, port->chain->orig);
	port->chain->users--;
	port->chain = NULL;
	RCU_INIT_POINTER(vtap_chain_ports[port->bucket], NULL);
}
