// SPDX-License-Identifier: GPL-2.0
/* Ports: which devices rules bind to, and the hooks on them. */
#include <linux/if_arp.h>
#include <linux/moduleparam.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/static_call.h>

#include "vtap.h"

#define VTAP_BIND_RETRY		HZ
#define VTAP_PORT_HASH_BITS	10
#define VTAP_PORT_PROBES	4
#define VTAP_CHAINS		4

static bool rx_chain = true;
module_param(rx_chain, bool, 0644);
MODULE_PARM_DESC(rx_chain, "hook in front of the rx_handler of Open vSwitch, bond, team and macvlan ports (default on)");

/*
 * Ports whose rx_handler is ours, by their device, of all namespaces. Written
 * under RTNL, read under RCU.
 */
static struct vtap_port __rcu *vtap_port_hash[1 << VTAP_PORT_HASH_BITS];

/*
 * struct vtap_taken - a frame that the netfilter hook took while its port changes hooks
 * @skb: the frame; only compared
 * @handover: which change, so that a mark left over means nothing to the next one
 */
struct vtap_taken {
	const struct sk_buff *skb;
	u32 handover;
};

/*
 * By frame: on PREEMPT_RT another one may come in between the two hooks. All
 * that a collision costs is one copy too many.
 */
#define VTAP_TAKEN_BITS		3
static DEFINE_PER_CPU(struct vtap_taken, vtap_port_taken[1 << VTAP_TAKEN_BITS]);

/* Changes of hooks so far; RTNL */
static u32 vtap_port_handovers;

/* Device events are listened to, so ports may be; RTNL */
static bool vtap_port_on;

/**
 * struct vtap_bind - what a device's port shall become
 * @dev: the device
 * @port: its port now, a new one, or NULL when it needs none
 * @table: its rules, or NULL for none
 */
struct vtap_bind {
	struct net_device *dev;
	struct vtap_port *port;
	struct vtap_table *table;
};

static void vtap_port_count(const struct vtap_port *port, unsigned int dir,
			    enum vtap_port_stat stat)
{
	struct vtap_port_stats *st = this_cpu_ptr(port->stats);

	u64_stats_update_begin(&st->syncp);
	u64_stats_inc(&st->v[dir][stat]);
	u64_stats_update_end(&st->syncp);
}

static const struct vtap_port *vtap_port_by_index(const struct vtap_net *vn, int ifindex)
{
	const struct vtap_port *port;

	hash_for_each_possible_rcu(vn->port_index, port, node, ifindex) {
		if (port->dev->ifindex == ifindex)
			return port;
	}
	return NULL;
}

/* The rule that decided on this outgoing frame when it came into the host, or NULL. */
static const struct vtap_rule *vtap_port_rule_in(const struct vtap_net *vn, struct vtap_frame *f)
{
	const struct vtap_table *table = NULL;
	const struct vtap_rule *rule = NULL;
	const struct vtap_port *in;

	if (!f->skb->skb_iif)
		return NULL;
	in = vtap_port_by_index(vn, f->skb->skb_iif);
	if (in && READ_ONCE(in->hook[VTAP_IN]) != VTAP_HOOK_NONE)
		table = rcu_dereference(in->table);
	if (table) {
		f->key.dir = BIT(VTAP_IN);
		rule = vtap_table_lookup(table, f);
		f->key.dir = BIT(VTAP_OUT);
	}
	return rule;
}

static bool vtap_port_has_session(const struct vtap_rule *rule, const struct vtap_session *s)
{
	unsigned int i;

	for (i = 0; i < rule->n_sessions; i++) {
		if (rule->sessions[i] == s)
			return true;
	}
	return false;
}

/* A rule decided on the frame. Apart, so that other frames do not pay for what it needs. */
static noinline void vtap_port_matched(const struct vtap_port *port, const struct vtap_rule *rule,
				       struct vtap_frame *f)
{
	const struct vtap_rule *before = NULL;
	const unsigned int dir = f->dir;
	unsigned int i;

	f->ifindex = port->dev->ifindex;
	vtap_port_count(port, dir, VTAP_PST_MATCHED);
	vtap_rule_count(rule, f->len);
	if (unlikely(rule->sample > 1) && !vtap_rule_sample(rule, f))
		return;
	if (dir == VTAP_OUT && rule->n_sessions && !rule->dup)
		before = vtap_port_rule_in(port->vn, f);
	/* who samples may have let it pass; the same rule has its share there */
	if (before && before != rule && before->sample > 1)
		before = NULL;
	for (i = 0; i < rule->n_sessions; i++) {
		struct vtap_session *s = rule->sessions[i];

		if (before && vtap_port_has_session(before, s))
			vtap_port_count(port, dir, VTAP_PST_DUP);
		else
			vtap_copy(s, f);
	}
}

/* All of a hook's work. Softirq, RCU read side; the frame is only read. */
static __always_inline void vtap_port_frame(const struct vtap_port *port, struct sk_buff *skb,
					    unsigned int dir)
{
	const struct vtap_table *table = rcu_dereference(port->table);
	const struct vtap_rule *rule;
	struct vtap_frame f __uninitialized;

	if (unlikely(!table))
		return;
	f.skb = skb;
	f.dir = dir;
	if (unlikely(!vtap_match_parse(&f))) {
		vtap_port_count(port, dir, VTAP_PST_UNMATCHED);
		return;
	}
	if (unlikely(vtap_session_is_own(port->vn, &f))) {
		vtap_port_count(port, dir, VTAP_PST_OWN);
		return;
	}
	rule = vtap_table_lookup(table, &f);
	if (rule)
		vtap_port_matched(port, rule, &f);
	else
		vtap_port_count(port, dir, VTAP_PST_UNMATCHED);
}

static struct vtap_taken *vtap_port_taken_slot(const struct sk_buff *skb)
{
	return this_cpu_ptr(&vtap_port_taken[hash_ptr(skb, VTAP_TAKEN_BITS)]);
}

static void vtap_port_taken_set(const struct sk_buff *skb, u32 handover)
{
	*vtap_port_taken_slot(skb) = (struct vtap_taken){ .skb = skb, .handover = handover };
}

static bool vtap_port_taken_test(const struct sk_buff *skb, u32 handover)
{
	const struct vtap_taken *taken = vtap_port_taken_slot(skb);

	return taken->skb == skb && taken->handover == handover;
}

/*
 * Ingress on a bridge port, or one that nobody owns. No canary, here and in the
 * chain: what lies on the stack is written at fixed offsets only, and every
 * frame would pay for it.
 */
static __no_stack_protector unsigned int vtap_port_nf_in(void *priv, struct sk_buff *skb,
							 const struct nf_hook_state *state)
{
	const struct vtap_port *port = priv;
	u32 handover;

	/* pairs with the release in vtap_port_set_in(): who sees it finds the chain in place */
	if (unlikely(smp_load_acquire(&port->hook[VTAP_IN]) != VTAP_HOOK_NETFILTER)) {
		vtap_port_taken_set(skb, 0);
		return NF_ACCEPT;
	}
	handover = READ_ONCE(port->handover);
	if (unlikely(handover))
		vtap_port_taken_set(skb, handover);
	vtap_port_frame(port, skb, VTAP_IN);
	return NF_ACCEPT;
}

#if IS_ENABLED(CONFIG_NETFILTER_EGRESS)
static unsigned int vtap_port_nf_out(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	vtap_port_frame(priv, skb, VTAP_OUT);
	return NF_ACCEPT;
}

static int vtap_port_hook_out(struct vtap_port *port)
{
	port->ops[VTAP_OUT] = (struct nf_hook_ops){
		.pf = NFPROTO_NETDEV,
		.hooknum = NF_NETDEV_EGRESS,
		.hook = vtap_port_nf_out,
		.dev = port->dev,
		.priv = port,
		.priority = INT_MIN,
	};
	return nf_register_net_hook(port->vn->net, &port->ops[VTAP_OUT]);
}

static void vtap_port_unhook_out(struct vtap_port *port)
{
	nf_unregister_net_hook(port->vn->net, &port->ops[VTAP_OUT]);
}

#define VTAP_HOOK_OUT	VTAP_HOOK_NETFILTER
#else
/* The kernel made a clone for us, which we own. */
static int vtap_port_packet_out(struct sk_buff *skb, struct net_device *dev,
				struct packet_type *pt, struct net_device *orig_dev)
{
	if (skb->pkt_type == PACKET_OUTGOING)
		vtap_port_frame(pt->af_packet_priv, skb, VTAP_OUT);
	consume_skb(skb);
	return 0;
}

static int vtap_port_hook_out(struct vtap_port *port)
{
	port->packet = (struct packet_type){
		.type = htons(ETH_P_ALL),
		.dev = port->dev,
		.func = vtap_port_packet_out,
		.af_packet_priv = port,
	};
	dev_add_pack(&port->packet);
	return 0;
}

static void vtap_port_unhook_out(struct vtap_port *port)
{
	__dev_remove_pack(&port->packet);
}

#define VTAP_HOOK_OUT	VTAP_HOOK_PACKET
#endif

static int vtap_port_hook_nf_in(struct vtap_port *port)
{
	port->ops[VTAP_IN] = (struct nf_hook_ops){
		.pf = NFPROTO_NETDEV,
		.hooknum = NF_NETDEV_INGRESS,
		.hook = vtap_port_nf_in,
		.dev = port->dev,
		.priv = port,
		.priority = INT_MIN,
	};
	return nf_register_net_hook(port->vn->net, &port->ops[VTAP_IN]);
}

static unsigned int vtap_port_bucket(const struct net_device *dev, unsigned int probe)
{
	/* devices are larger than half a page, so hardly any two share one */
	return ((unsigned long)dev / PAGE_SIZE + probe) % ARRAY_SIZE(vtap_port_hash);
}

/* Softirq, RCU read side. A port that is being attached or detached may not be found. */
static __always_inline void vtap_port_chained(struct sk_buff *skb)
{
	const struct vtap_port *port;
	unsigned int i;
	u32 handover;

	for (i = 0; i < VTAP_PORT_PROBES; i++) {
		port = rcu_dereference(vtap_port_hash[vtap_port_bucket(skb->dev, i)]);
		if (port && port->dev == skb->dev)
			break;
	}
	if (unlikely(i == VTAP_PORT_PROBES))
		return;
	handover = READ_ONCE(port->handover);
	if (unlikely(handover) && vtap_port_taken_test(skb, handover))
		return;
	vtap_port_frame(port, skb, VTAP_IN);
}

/*
 * One handler for each distinct rx_handler that we stand in front of: which
 * one to go on with is in the code, so that a frame that comes while its port
 * is being detached still goes where it belongs.
 */
static rx_handler_result_t vtap_port_pass(struct sk_buff **pskb)
{
	return RX_HANDLER_PASS;
}

#define VTAP_CHAIN(n)								\
DEFINE_STATIC_CALL(vtap_port_orig_##n, vtap_port_pass);				\
static __no_stack_protector							\
rx_handler_result_t vtap_port_chain_##n(struct sk_buff **pskb)			\
{										\
	vtap_port_chained(*pskb);						\
	return static_call(vtap_port_orig_##n)(pskb);				\
}										\
static void vtap_port_chain_set_##n(rx_handler_func_t *orig)			\
{										\
	static_call_update(vtap_port_orig_##n, orig);				\
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

static struct vtap_chain vtap_port_chains[VTAP_CHAINS] = {
	{ .handler = vtap_port_chain_0, .set = vtap_port_chain_set_0, },
	{ .handler = vtap_port_chain_1, .set = vtap_port_chain_set_1, },
	{ .handler = vtap_port_chain_2, .set = vtap_port_chain_set_2, },
	{ .handler = vtap_port_chain_3, .set = vtap_port_chain_set_3, },
};

/* The chain for an rx_handler, with one more user; NULL when all are taken. */
static struct vtap_chain *vtap_port_chain_get(rx_handler_func_t *orig)
{
	struct vtap_chain *c, *free = NULL;

	for (c = vtap_port_chains; c < vtap_port_chains + VTAP_CHAINS; c++) {
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

/*
 * Owners that never look at dev->rx_handler themselves, and whose ports have
 * no VLAN devices: those take their frames before any rx_handler.
 */
static bool vtap_port_chainable(const struct net_device *dev)
{
	if (vlan_uses_dev(dev))
		return false;
	return netif_is_ovs_port(dev) || netif_is_bond_slave(dev) || netif_is_team_port(dev) ||
	       netif_is_macvlan_port(dev);
}

/* Is the handler on the device still the one we put there? */
static bool vtap_port_chain_intact(const struct vtap_port *port)
{
	return port->chain && rtnl_dereference(port->dev->rx_handler) == port->chain->handler;
}

/* Stand in front of the rx_handler that the device has; Return: did it work? */
static bool vtap_port_chain(struct vtap_port *port)
{
	rx_handler_func_t *orig = rtnl_dereference(port->dev->rx_handler);
	unsigned int i, bucket;

	for (i = 0; i < VTAP_PORT_PROBES; i++) {
		bucket = vtap_port_bucket(port->dev, i);
		if (!rcu_access_pointer(vtap_port_hash[bucket]))
			break;
	}
	if (i == VTAP_PORT_PROBES || !orig)
		return false;
	port->chain = vtap_port_chain_get(orig);
	if (!port->chain)
		return false;

	rcu_assign_pointer(vtap_port_hash[bucket], port);
	port->bucket = bucket;
	rcu_assign_pointer(port->dev->rx_handler, port->chain->handler);
	return true;
}

static void vtap_port_unchain(struct vtap_port *port)
{
	if (vtap_port_chain_intact(port))
		rcu_assign_pointer(port->dev->rx_handler, port->chain->orig);
	port->chain->users--;
	port->chain = NULL;
	RCU_INIT_POINTER(vtap_port_hash[port->bucket], NULL);
}

static void vtap_port_unhook_nf_in(struct vtap_port *port)
{
	nf_unregister_net_hook(port->vn->net, &port->ops[VTAP_IN]);
	port->nf_in = false;
}

/*
 * From one ingress hook to another. While both are there the netfilter hook,
 * which comes first, takes frames as long as it is the one in use, and marks
 * them for the chain, which takes all others: none is lost, none is taken twice.
 */
static void vtap_port_set_in(struct vtap_port *port, u32 want)
{
	const bool handover = want != VTAP_HOOK_NONE && port->hook[VTAP_IN] != VTAP_HOOK_NONE;

	if (handover) {
		WRITE_ONCE(port->handover, ++vtap_port_handovers ?: ++vtap_port_handovers);
		/* frames taken without a mark do not come to the chain */
		synchronize_net();
	}
	if (want == VTAP_HOOK_CHAIN && !vtap_port_chain(port))
		want = VTAP_HOOK_NETFILTER;
	if (want == VTAP_HOOK_NETFILTER && !port->nf_in) {
		if (vtap_port_hook_nf_in(port)) {
			schedule_delayed_work(&port->vn->bind, VTAP_BIND_RETRY);
			want = VTAP_HOOK_NONE;
		} else {
			port->nf_in = true;
		}
	}
	/* pairs with the acquire in vtap_port_nf_in() */
	smp_store_release(&port->hook[VTAP_IN], want);
	/* frames on their way saw both hooks, or the former one only */
	if (handover)
		synchronize_net();

	if (port->nf_in && want != VTAP_HOOK_NETFILTER) {
		/* marks that are left over count no more when nobody wipes them */
		WRITE_ONCE(port->handover, 0);
		if (handover)
			synchronize_net();
		vtap_port_unhook_nf_in(port);
	}
	if (port->chain && want != VTAP_HOOK_CHAIN) {
		vtap_port_unchain(port);
		/* marks count until nobody is in the chain */
		if (handover)
			synchronize_net();
	}
	WRITE_ONCE(port->handover, 0);
}

static void vtap_port_set_out(struct vtap_port *port, u32 want)
{
	if (port->hook[VTAP_OUT] != VTAP_HOOK_NONE)
		vtap_port_unhook_out(port);
	if (want != VTAP_HOOK_NONE && vtap_port_hook_out(port)) {
		schedule_delayed_work(&port->vn->bind, VTAP_BIND_RETRY);
		want = VTAP_HOOK_NONE;
	}
	port->hook[VTAP_OUT] = want;
}

/*
 * Put the right hooks on the device as it is now; RTNL. While the master of a
 * device changes it may be about to take its rx_handler away, so @may_chain says
 * whether a chain may begin, and @leaving whether one has to end.
 *
 * Return: did any hook change?
 */
static bool vtap_port_reconcile(struct vtap_port *port, u32 dirs, bool may_chain, bool leaving)
{
	const u32 old_in = port->hook[VTAP_IN], old_out = port->hook[VTAP_OUT];
	u32 in = VTAP_HOOK_NONE, out = VTAP_HOOK_NONE;

	if (dirs & BIT(VTAP_IN)) {
		in = VTAP_HOOK_NETFILTER;
		/* where the owner took its handler away, ours went with it */
		if (port->chain && !vtap_port_chain_intact(port))
			vtap_port_set_in(port, in);
		if (!leaving && (port->chain || (may_chain && READ_ONCE(rx_chain))) &&
		    rtnl_dereference(port->dev->rx_handler) && vtap_port_chainable(port->dev))
			in = VTAP_HOOK_CHAIN;
	}
	if (dirs & BIT(VTAP_OUT))
		out = VTAP_HOOK_OUT;
	if (in != port->hook[VTAP_IN])
		vtap_port_set_in(port, in);
	if (out != port->hook[VTAP_OUT])
		vtap_port_set_out(port, out);

	if (old_in == port->hook[VTAP_IN] && old_out == port->hook[VTAP_OUT])
		return false;
	port->since = ktime_get();
	return true;
}

static struct vtap_port *vtap_port_find(const struct vtap_net *vn, const struct net_device *dev)
{
	struct vtap_port *port;

	list_for_each_entry(port, &vn->ports, list) {
		if (port->dev == dev)
			return port;
	}
	return NULL;
}

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
	port->vn = vn;
	port->dev = dev;
	return port;
}

/* The device is no port any more, or goes away; RTNL. */
static void vtap_port_detach(struct vtap_port *port)
{
	vtap_nl_port_notify(port, VTAP_CMD_PORT_DEL_NTF);
	vtap_port_reconcile(port, 0, false, true);
	list_del(&port->list);
	hash_del_rcu(&port->node);
	port->vn->gen++;
	vtap_table_put(rcu_replace_pointer(port->table, NULL, lockdep_rtnl_is_held()));
	call_rcu(&port->rcu, vtap_port_rcu);
}

/* A device that leaves for another namespace is registered all the time, but not listed. */
static bool vtap_port_eligible(const struct net_device *dev)
{
	return vtap_port_on && dev->type == ARPHRD_ETHER && dev->reg_state == NETREG_REGISTERED &&
	       __dev_get_by_index(dev_net(dev), dev->ifindex) == dev;
}

/* All that can fail; nothing is visible yet. */
static int vtap_port_prepare(struct vtap_net *vn, struct net_device *dev, struct vtap_bind *b)
{
	b->dev = dev;
	b->port = vtap_port_find(vn, dev);
	b->table = vtap_port_eligible(dev) ? vtap_rule_table(vn, dev) : NULL;
	if (IS_ERR(b->table))
		return PTR_ERR(b->table);
	if (!b->table || b->port)
		return 0;
	b->port = vtap_port_alloc(vn, dev);
	if (b->port)
		return 0;
	vtap_table_put(b->table);
	return -ENOMEM;
}

static void vtap_port_abandon(struct vtap_bind *b)
{
	if (b->port && !rcu_access_pointer(b->port->table))
		vtap_port_free(b->port);
	vtap_table_put(b->table);
}

static void vtap_port_changed(struct vtap_port *port, u8 cmd)
{
	port->vn->gen++;
	vtap_nl_port_notify(port, cmd);
}

static void vtap_port_commit(struct vtap_net *vn, struct vtap_bind *b, bool may_chain)
{
	const struct net_device *master = netdev_master_upper_dev_get(b->dev);
	int master_index = master ? master->ifindex : 0;
	struct vtap_port *port = b->port;
	struct vtap_table *old;
	bool changed, new;

	if (!b->table) {
		if (port)
			vtap_port_detach(port);
		return;
	}
	old = rtnl_dereference(port->table);
	new = !old;
	rcu_assign_pointer(port->table, b->table);
	vtap_table_put(old);
	if (new) {
		list_add_tail(&port->list, &vn->ports);
		hash_add_rcu(vn->port_index, &port->node, b->dev->ifindex);
	}
	changed = vtap_port_reconcile(port, vtap_table_dirs(rtnl_dereference(port->table)),
				      may_chain, false);
	changed |= port->master != master_index || strcmp(port->name, b->dev->name);
	port->master = master_index;
	strscpy(port->name, b->dev->name, sizeof(port->name));
	if (new || changed)
		vtap_port_changed(port, new ? VTAP_CMD_PORT_ADD_NTF : VTAP_CMD_PORT_CHANGE_NTF);
}

/**
 * vtap_port_bind_all - give every device of the namespace the rules that bind to it; RTNL
 * @vn: the namespace's vtap
 *
 * Return: 0, or -ENOMEM and nothing has changed.
 */
int vtap_port_bind_all(struct vtap_net *vn)
{
	struct net_device *dev;
	unsigned int n = 0, i;
	struct vtap_bind *b;
	int err = 0;

	for_each_netdev(vn->net, dev)
		n++;
	b = kvcalloc(n, sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	n = 0;
	for_each_netdev(vn->net, dev) {
		err = vtap_port_prepare(vn, dev, &b[n]);
		if (err)
			break;
		n++;
	}
	for (i = 0; i < n; i++) {
		if (err)
			vtap_port_abandon(&b[i]);
		else
			vtap_port_commit(vn, &b[i], true);
	}
	kvfree(b);
	return err;
}

static void vtap_port_bind_work(struct work_struct *work)
{
	struct vtap_net *vn = container_of(work, struct vtap_net, bind.work);

	rtnl_lock();
	if (vtap_port_bind_all(vn))
		schedule_delayed_work(&vn->bind, VTAP_BIND_RETRY);
	rtnl_unlock();
}

/* An event: bind now, and look again when it is over, since some masters act after it. */
static void vtap_port_bind(struct vtap_net *vn, struct net_device *dev)
{
	struct vtap_bind b;

	if (!vn->n_rules)
		return;
	if (!vtap_port_prepare(vn, dev, &b))
		vtap_port_commit(vn, &b, false);
	schedule_delayed_work(&vn->bind, 0);
}

/* A chained port's rx_handler is about to go, or to be passed by: netfilter, until all is over. */
static void vtap_port_leave(struct vtap_port *port)
{
	u32 dirs = vtap_table_dirs(rtnl_dereference(port->table));

	if (vtap_port_reconcile(port, dirs, false, true))
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
	struct vtap_port *port = vtap_port_find(vn, dev);

	if (port && port->chain && (!upper->linking || is_vlan_dev(upper->upper_dev)))
		vtap_port_leave(port);
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
	struct vtap_port *port = vtap_port_find(vn, dev);

	if (port && port->chain && netif_is_bond_slave(dev) && state->link_up && !state->tx_enabled)
		vtap_port_leave(port);
}

/* RTNL. Never refuses: a tap keeps nobody from doing anything. */
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
		port = vtap_port_find(vn, dev);
		if (port)
			vtap_port_detach(port);
		fallthrough;
	case NETDEV_DOWN:
		vtap_session_dev_down(vn, dev);
		break;
	case NETDEV_UP:
	case NETDEV_CHANGE:
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

/**
 * vtap_port_read - sum up a port's counters
 * @port: the port
 * @v: gets them
 */
void vtap_port_read(const struct vtap_port *port, u64 v[VTAP_NDIR][__VTAP_PST_MAX])
{
	int cpu, dir, i;

	memset(v, 0, sizeof(*v) * VTAP_NDIR);
	for_each_possible_cpu(cpu) {
		const struct vtap_port_stats *st = per_cpu_ptr(port->stats, cpu);
		u64 now[VTAP_NDIR][__VTAP_PST_MAX];
		unsigned int start;

		do {
			start = u64_stats_fetch_begin(&st->syncp);
			for (dir = 0; dir < VTAP_NDIR; dir++) {
				for (i = 0; i < __VTAP_PST_MAX; i++)
					now[dir][i] = u64_stats_read(&st->v[dir][i]);
			}
		} while (u64_stats_fetch_retry(&st->syncp, start));
		for (dir = 0; dir < VTAP_NDIR; dir++) {
			for (i = 0; i < __VTAP_PST_MAX; i++)
				v[dir][i] += now[dir][i];
		}
	}
	/* not counted frame by frame */
	for (dir = 0; dir < VTAP_NDIR; dir++)
		v[dir][VTAP_PST_SEEN] = v[dir][VTAP_PST_MATCHED] + v[dir][VTAP_PST_UNMATCHED];
}

/**
 * vtap_port_init_net - a namespace's ports
 * @vn: its vtap
 */
void vtap_port_init_net(struct vtap_net *vn)
{
	INIT_LIST_HEAD(&vn->ports);
	hash_init(vn->port_index);
	INIT_DELAYED_WORK(&vn->bind, vtap_port_bind_work);
}

/**
 * vtap_port_exit_net - take the hooks off a namespace's ports
 * @vn: its vtap
 */
void vtap_port_exit_net(struct vtap_net *vn)
{
	struct vtap_port *port, *next;

	rtnl_lock();
	list_for_each_entry_safe(port, next, &vn->ports, list)
		vtap_port_detach(port);
	rtnl_unlock();
	cancel_delayed_work_sync(&vn->bind);
}

/**
 * vtap_port_init - start listening to device events
 *
 * Return: 0 or a negative error.
 */
int vtap_port_init(void)
{
	vtap_port_on = true;
	return register_netdevice_notifier(&vtap_port_netdev_nb);
}

/** vtap_port_exit - stop listening to device events; takes all ports away */
void vtap_port_exit(void)
{
	/* a device could go without our knowing: no work may bind to it any more */
	rtnl_lock();
	vtap_port_on = false;
	rtnl_unlock();
	unregister_netdevice_notifier(&vtap_port_netdev_nb);
}
