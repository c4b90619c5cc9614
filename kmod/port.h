/* SPDX-License-Identifier: GPL-2.0 */
/* Devices that rules bind to. */
#ifndef _VTAP_PORT_H
#define _VTAP_PORT_H

#include <linux/hashtable.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <linux/u64_stats_sync.h>

#include "frame.h"
#include "net.h"

struct vtap_chain;
struct vtap_table;

/**
 * struct vtap_bind - what a device's port shall become
 * @dev: the device
 * @port: its port now, a new one, or NULL when it needs none
 * @table: its rules, or NULL for none
 * @watch: frames have to be known again behind it, whether rules bind to it or not
 */
struct vtap_bind {
	struct net_device *dev;
	struct vtap_port *port;
	struct vtap_table *table;
	bool watch;
};

/*
 * Counters of a port in one direction, in the order of VTAP_A_PORT_STATS_*; seen = matched +
 * unmatched, and is not counted frame by frame.
 */
enum vtap_port_stat {
	VTAP_PORT_STAT_SEEN,
	VTAP_PORT_STAT_MATCHED,
	VTAP_PORT_STAT_UNMATCHED,
	VTAP_PORT_STAT_OWN,
	VTAP_PORT_STAT_DUP,
	__VTAP_PORT_STAT_MAX,
};

/* begins as struct vtap_stats */
struct vtap_port_stats {
	struct u64_stats_sync syncp;
	u64_stats_t v[VTAP_NDIR][__VTAP_PORT_STAT_MAX];
};

/**
 * struct vtap_port_id - a port for as long as it has a hook at ingress
 * @serial: no other port, and no other time that this one was hooked, has had it
 * @ifindex: of the device
 */
struct vtap_port_id {
	u32 serial;
	int ifindex;
} __aligned(8);

/**
 * struct vtap_port - a device that rules bind to, or one that is watched for the sake of others
 * @list: in vtap_net.ports; RTNL
 * @node: in vtap_net.port_index; written under RTNL, read under RCU
 * @vn: the namespace's vtap
 * @dev: the device; no reference, the port goes before the device does
 * @table: rules for this port, NULL for one that is only watched; written under RTNL, read under
 *	RCU
 * @left: jiffies when a copy was last seen to leave by it, or 0; written and read anywhere
 * @stats: counters
 * @noting: frames that come in leave a note, since another port may see them again; written under
 *	RTNL, read anywhere
 * @waits_up: point to what is not NULL while frames may wait in @queue_up; read under RCU
 * @queue_up: that of frames on their way up from here; this and those below it are VTAP_QUEUE_*
 *	or an ifindex, written under RTNL and read under RCU
 * @queue_in: that of frames that come in here
 * @queue_out: that of frames that go out here
 * @stacked: frames that go out here may go out by another port at once; as @noting
 * @id: what notes know the port by
 * @hook: enum vtap_hook in use for each direction; written under RTNL
 * @handover: in vtap_net.handovers while it has two hooks at ingress; RTNL
 * @old_in: the one that is replaced; RTNL
 * @bare: frames begin with a network header; written under RTNL, read under RCU
 * @sends: where its VM's frames are seen, as vtap_kind_sends() has it; with VTAP_OUT alone,
 *	frames enter the switch at egress and leave it at ingress; written under RTNL, read under
 *	RCU
 * @chain: the handler in front of the master's, or NULL; RTNL
 * @bucket: where the port is found by device, with @chain; RTNL
 * @nf_out: netfilter hook
 * @packet: packet handlers
 * @since: when @hook last changed; RTNL
 * @name: name that rules were last bound by; RTNL
 * @master: ifindex of the master that rules were last bound by, or 0; RTNL
 * @rcu: frees it when no packet can see it any more
 */
struct vtap_port {
	struct list_head list;
	struct hlist_node node;
	struct vtap_net *vn;
	struct net_device *dev;
	struct vtap_table __rcu *table;
	unsigned long left;
	struct vtap_port_stats __percpu *stats;
	const void __rcu *const *waits_up[2];
	int queue_up;
	int queue_in;
	int queue_out;
	bool noting;
	bool stacked;
	struct vtap_port_id id;
	u32 hook[VTAP_NDIR];
	struct list_head handover;
	u32 old_in;
	bool bare;
	u8 sends;
	struct vtap_chain *chain;
	unsigned int bucket;
	struct nf_hook_ops nf_out;
	struct packet_type packet[VTAP_NDIR];
	ktime_t since;
	char name[IFNAMSIZ];
	int master;
	struct rcu_head rcu;
};

extern bool vtap_port_on;

bool vtap_port_is_local_pair(const struct net_device *dev);
u32 vtap_port_dirs(const struct vtap_port *port);
void vtap_port_detach(struct vtap_port *port);
int vtap_port_prepare(struct vtap_net *vn, struct net_device *dev, struct vtap_bind *b);
void vtap_port_changed(struct vtap_port *port, u8 cmd);
void vtap_port_commit(struct vtap_net *vn, struct vtap_bind *b, bool may_chain);
int vtap_port_bind_due(struct vtap_net *vn);
void vtap_port_recheck(struct vtap_net *vn);
void vtap_port_init_net(struct vtap_net *vn);
void vtap_port_exit_net(struct vtap_net *vn);

/* The port of a device. Return: the port, or NULL; under RCU, or RTNL. */
static inline struct vtap_port *vtap_port_by_index(const struct vtap_net *vn, int ifindex)
{
	struct vtap_port *port;

	hash_for_each_possible_rcu(vn->port_index, port, node, ifindex, lockdep_rtnl_is_held()) {
		if (port->id.ifindex == ifindex)
			return port;
	}
	return NULL;
}

/* A device's port; RTNL. Return: the port, which may be one that is only watched, or NULL. */
static inline struct vtap_port *vtap_port_of(const struct vtap_net *vn,
					     const struct net_device *dev)
{
	struct vtap_port *port = vtap_port_by_index(vn, dev->ifindex);

	return port && port->dev == dev ? port : NULL;
}

/**
 * vtap_port_left - copies leave by this device, whether its egress is tapped or not
 * @vn: the namespace's vtap
 * @ifindex: of the device
 *
 * RTNL, or RCU read side.
 */
static inline void vtap_port_left(struct vtap_net *vn, int ifindex)
{
	struct vtap_port *port = vtap_port_by_index(vn, ifindex);

	if (port)
		WRITE_ONCE(port->left, jiffies ?: 1);
}

#endif /* _VTAP_PORT_H */
