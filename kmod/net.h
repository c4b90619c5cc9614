/* SPDX-License-Identifier: GPL-2.0 */
/* All of vtap in one network namespace. */
#ifndef _VTAP_NET_H
#define _VTAP_NET_H

#include <linux/hashtable.h>
#include <linux/netfilter.h>
#include <linux/rbtree.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

struct genl_info;
struct vtap_index;
struct vtap_loop;
struct vtap_own;
struct vtap_rule_block;

/**
 * struct vtap_net - all of vtap in one network namespace
 * @net: the namespace; it outlives this
 * @sessions: struct vtap_session in order of creation; written under RTNL, read under RCU
 * @rules: struct vtap_rule by tap, and of each tap in the order in which they are tried; RTNL
 * @rule_order: the same, to find the place of a rule that comes; RTNL
 * @rule_ids: the same by id, besides those that a transaction has deleted; RTNL
 * @index: the same by what they say of their ports, NULL before the first rule; RTNL
 * @tables: struct vtap_table, what ports look rules up in; RTNL
 * @block: counters that the next rules get, or NULL; RTNL
 * @taps: struct vtap_tap in order of creation; written under RTNL and @taps_lock, read under either
 * @taps_lock: for sockets that close, which do not take RTNL
 * @orphans: deletes the taps whose sockets are closed
 * @n_taps: those of @taps that have rules or sessions; RTNL
 * @last_tap: last vtap_tap.id given; RTNL
 * @ports: struct vtap_port in the order of their index; RTNL
 * @handovers: ports that have two hooks at ingress for a moment; RTNL
 * @port_index: the same by ifindex; written under RTNL, read under RCU
 * @ovs_internal: not NULL while an internal port of Open vSwitch is a port; written under RTNL,
 *	read under RCU
 * @n_ovs_internal: how many there are; RTNL
 * @noting: vtap_port.noting of all ports; RTNL
 * @sets_aside: tc has taken a frame that a port had noted; written and read anywhere
 * @n_sessions: length of @sessions; written under RTNL, read anywhere
 * @n_rules: length of @rules; RTNL
 * @n_matches: alternatives of all @rules together; RTNL
 * @cost: vtap_cost_of() of all @rules together; RTNL
 * @last_id: last rule id given; RTNL
 * @gen: changes with every change that a dump could see; RTNL
 * @cause: the request that is being carried out, which events name, or NULL; RTNL
 * @turn: serial of the last session that @tick has looked at; RTNL
 * @tick: looks every second whether the routes and neighbours of some sessions still hold
 * @kick: the same for the sessions that an event concerns, soon after it
 * @due: ifindexes of devices whose rules have to be looked up again; RTNL
 * @due_all: those of all devices have to; RTNL
 * @closed: the namespace goes, and @bind is not wanted any more; RTNL
 * @bind: binds rules to the devices that are due
 * @fib_nb: asks for @kick when routes change
 * @pmtu_ops: hooks for what routers say of copies that are too long
 * @pmtu_on: @pmtu_ops are registered; RTNL
 * @own: what copies look like, NULL before the first session; set under RTNL, read under RCU
 * @loop: what finds loops, NULL before the first session; set under RTNL, read under RCU
 * @holding: copies are held back; written under the lock of @loop, read anywhere
 */
struct vtap_net {
	struct net *net;
	struct list_head sessions;
	struct list_head rules;
	struct rb_root rule_order;
	struct xarray rule_ids;
	struct vtap_index *index;
	struct list_head tables;
	struct vtap_rule_block *block;
	struct list_head taps;
	spinlock_t taps_lock;
	struct delayed_work orphans;
	unsigned int n_taps;
	u64 last_tap;
	struct list_head ports;
	struct list_head handovers;
	DECLARE_HASHTABLE(port_index, 6);
	const void *ovs_internal;
	unsigned int n_ovs_internal;
	bool noting;
	bool sets_aside;
	unsigned int n_sessions;
	unsigned int n_rules;
	u64 n_matches;
	u64 cost;
	u64 last_id;
	u32 gen;
	struct genl_info *cause;
	u32 turn;
	struct delayed_work tick;
	struct delayed_work kick;
	struct xarray due;
	bool due_all;
	bool closed;
	struct delayed_work bind;
	struct notifier_block fib_nb;
	struct nf_hook_ops pmtu_ops[2];
	bool pmtu_on;
	struct vtap_own __rcu *own;
	struct vtap_loop __rcu *loop;
	bool holding;
};

extern unsigned int vtap_net_id;

static inline struct vtap_net *vtap_pernet(const struct net *net)
{
	return net_generic(net, vtap_net_id);
}

#endif /* _VTAP_NET_H */
