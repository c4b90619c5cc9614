// SPDX-License-Identifier: GPL-2.0
/* The hooks on a port's device, and the change from one to another. */
#include <linux/rtnetlink.h>

#include "compat.h"
#include "due.h"
#include "hook.h"
#include "tap.h"

#define VTAP_HOOK_RETRY		HZ

/* vtap_port_id.serial of the last port that was hooked; RTNL */
static u32 vtap_hook_serials;

/* Ahead of tc, which may take the frame away. The caller has a reference for us. */
static int vtap_hook_packet_in(struct sk_buff *skb, struct net_device *dev,
			       struct packet_type *pt, struct net_device *orig_dev)
{
	/* what the host sends to itself was seen going out */
	if (likely(skb->pkt_type != PACKET_LOOPBACK))
		vtap_tap_in(pt->af_packet_priv, skb);
	consume_skb(skb);
	return 0;
}

static void vtap_hook_add_packet_in(struct vtap_port *port)
{
	port->packet[VTAP_IN] = (struct packet_type){
		.type = htons(ETH_P_ALL),
		.dev = port->dev,
		.func = vtap_hook_packet_in,
		.af_packet_priv = port,
		.ignore_outgoing = true,
	};
	dev_add_pack(&port->packet[VTAP_IN]);
}

#if IS_ENABLED(CONFIG_NETFILTER_EGRESS)
static unsigned int vtap_hook_nf_out(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	vtap_tap_out(priv, skb);
	return NF_ACCEPT;
}

static int vtap_hook_add_out(struct vtap_port *port)
{
	port->nf_out = (struct nf_hook_ops){
		.pf = NFPROTO_NETDEV,
		.hooknum = NF_NETDEV_EGRESS,
		.hook = vtap_hook_nf_out,
		.dev = port->dev,
		.priv = port,
		.priority = INT_MIN,
	};
	return nf_register_net_hook(port->vn->net, &port->nf_out);
}

static void vtap_hook_remove_out(struct vtap_port *port)
{
	nf_unregister_net_hook(port->vn->net, &port->nf_out);
}

#define VTAP_HOOK_OUT	VTAP_HOOK_NETFILTER
#else
/* The kernel made a clone for us, which we own. */
static int vtap_hook_packet_out(struct sk_buff *skb, struct net_device *dev,
				struct packet_type *pt, struct net_device *orig_dev)
{
	if (skb->pkt_type == PACKET_OUTGOING)
		vtap_tap_out(pt->af_packet_priv, skb);
	consume_skb(skb);
	return 0;
}

static int vtap_hook_add_out(struct vtap_port *port)
{
	port->packet[VTAP_OUT] = (struct packet_type){
		.type = htons(ETH_P_ALL),
		.dev = port->dev,
		.func = vtap_hook_packet_out,
		.af_packet_priv = port,
	};
	dev_add_pack(&port->packet[VTAP_OUT]);
	return 0;
}

static void vtap_hook_remove_out(struct vtap_port *port)
{
	__dev_remove_pack(&port->packet[VTAP_OUT]);
}

#define VTAP_HOOK_OUT	VTAP_HOOK_PACKET
#endif

/* Every frame that comes in by any port leaves a note, until somebody asks whether they must. */
static void vtap_hook_note_all(struct vtap_net *vn)
{
	struct vtap_port *port;
	bool any = false;

	list_for_each_entry(port, &vn->ports, list) {
		if (port->noting || port->hook[VTAP_IN] == VTAP_HOOK_NONE)
			continue;
		WRITE_ONCE(port->noting, true);
		any = true;
	}
	if (any)
		synchronize_net();
}

static void vtap_hook_remove_in(struct vtap_port *port, u32 hook)
{
	if (hook == VTAP_HOOK_PACKET)
		__dev_remove_pack(&port->packet[VTAP_IN]);
	else if (hook == VTAP_HOOK_CHAIN)
		vtap_chain_remove(port);
}

/**
 * vtap_hook_finish - remove the ingress hooks that others have replaced; RTNL
 * @vn: the namespace's vtap
 *
 * One grace period serves all ports that vtap_hook_reconcile() was called for.
 */
void vtap_hook_finish(struct vtap_net *vn)
{
	struct vtap_port *port, *next;

	if (list_empty(&vn->handovers))
		return;
	/* frames on their way may not have seen the new ones */
	synchronize_net();
	list_for_each_entry_safe(port, next, &vn->handovers, handover) {
		list_del_init(&port->handover);
		vtap_hook_remove_in(port, port->old_in);
	}
}

/*
 * From one ingress hook to another. The new one is in place before vtap_hook_finish() removes the
 * old one, and a frame that passes both is known by its note: none is lost, none is taken twice.
 */
static void vtap_hook_set_in(struct vtap_port *port, u32 want)
{
	const u32 old = port->hook[VTAP_IN];

	if (!list_empty(&port->handover))
		vtap_hook_finish(port->vn);
	if (old != VTAP_HOOK_NONE && want != VTAP_HOOK_NONE)
		vtap_hook_note_all(port->vn);
	if (old == VTAP_HOOK_NONE)
		port->id.serial = ++vtap_hook_serials ?: ++vtap_hook_serials;
	if (want == VTAP_HOOK_CHAIN && !vtap_chain_add(port))
		want = VTAP_HOOK_PACKET;
	if (want == old)
		return;
	if (want == VTAP_HOOK_PACKET)
		vtap_hook_add_packet_in(port);
	WRITE_ONCE(port->hook[VTAP_IN], want);
	if (old == VTAP_HOOK_NONE || want == VTAP_HOOK_NONE) {
		vtap_hook_remove_in(port, old);
	} else {
		port->old_in = old;
		list_add(&port->handover, &port->vn->handovers);
	}
}

static void vtap_hook_set_out(struct vtap_port *port, u32 want)
{
	if (port->hook[VTAP_OUT] != VTAP_HOOK_NONE)
		vtap_hook_remove_out(port);
	if (want != VTAP_HOOK_NONE && vtap_hook_add_out(port)) {
		vtap_due_dev(port->vn, port->id.ifindex);
		vtap_due_soon(port->vn, VTAP_HOOK_RETRY);
		want = VTAP_HOOK_NONE;
	}
	port->hook[VTAP_OUT] = want;
}

/**
 * vtap_hook_reconcile - put the right hooks on a device as it is now; RTNL
 * @port: the port
 * @dirs: directions that are looked at
 * @may_chain: a chain may begin
 * @leaving: a chain has to end
 *
 * While the master of a device changes it may be about to take its rx_handler away. What is
 * replaced at ingress goes with vtap_hook_finish(), which must follow before RTNL is released.
 *
 * Return: true if a hook changed.
 */
bool vtap_hook_reconcile(struct vtap_port *port, u32 dirs, bool may_chain, bool leaving)
{
	const u32 old_in = port->hook[VTAP_IN], old_out = port->hook[VTAP_OUT];
	u32 in = VTAP_HOOK_NONE, out = VTAP_HOOK_NONE;

	if (dirs & BIT(VTAP_IN)) {
		in = VTAP_HOOK_PACKET;
		/* where the owner took its handler away, ours went with it */
		if (port->chain && !vtap_chain_intact(port))
			vtap_hook_set_in(port, in);
		if (!leaving && (port->chain || may_chain) && vtap_chain_wanted(port))
			in = VTAP_HOOK_CHAIN;
	}
	if (dirs & BIT(VTAP_OUT))
		out = VTAP_HOOK_OUT;
	if (in != port->hook[VTAP_IN])
		vtap_hook_set_in(port, in);
	if (out != port->hook[VTAP_OUT])
		vtap_hook_set_out(port, out);

	if (old_in == port->hook[VTAP_IN] && old_out == port->hook[VTAP_OUT])
		return false;
	port->since = ktime_get();
	return true;
}

static bool vtap_hook_has_xdp(const struct net_device *dev)
{
	int i;

	for (i = 0; i < __MAX_XDP_MODE; i++) {
		if (dev->xdp_state[i].prog || dev->xdp_state[i].link)
			return true;
	}
	return false;
}

/* Return: VTAP_UNSEEN_*, frames that no hook of a port sees; RTNL. */
u32 vtap_hook_unseen(const struct vtap_port *port)
{
	u32 unseen = 0;
	const struct net_device *dev;

	if (port->hook[VTAP_IN] != VTAP_HOOK_NONE && vtap_hook_has_xdp(port->dev))
		unseen |= VTAP_UNSEEN_XDP;
	if (port->hook[VTAP_OUT] == VTAP_HOOK_NONE)
		return unseen;
	for_each_netdev(dev_net(port->dev), dev) {
		const void __rcu *const *tc = vtap_dev_tc_ingress(dev);

		/* the packet handler sees what tc redirects */
		if (tc && rcu_access_pointer(*tc) && port->hook[VTAP_OUT] == VTAP_HOOK_NETFILTER)
			unseen |= VTAP_UNSEEN_TC_REDIRECT;
		if (vtap_hook_has_xdp(dev))
			unseen |= VTAP_UNSEEN_XDP_SEND;
	}
	return unseen;
}
