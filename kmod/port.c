// SPDX-License-Identifier: GPL-2.0
/* Ports: which devices rules bind to, and the hooks on them. */
#include <linux/if_arp.h>
#include <linux/netfilter_netdev.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "vtap.h"

#define VTAP_BIND_RETRY	HZ

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

static void vtap_port_count(const struct vtap_port *port, unsigned int dir, enum vtap_port_stat stat)
{
	struct vtap_port_stats *st = this_cpu_ptr(port->stats);

	u64_stats_update_begin(&st->syncp);
	if (stat != VTAP_PST_OWN)
		u64_stats_inc(&st->v[dir][VTAP_PST_SEEN]);
	u64_stats_inc(&st->v[dir][stat]);
	u64_stats_update_end(&st->syncp);
}

/* All of a hook's work. Softirq, RCU read side; the frame is only read. */
static void vtap_port_frame(const struct vtap_port *port, struct sk_buff *skb, unsigned int dir)
{
	const struct vtap_table *table = rcu_dereference(port->table);
	const struct vtap_rule *rule;
	struct vtap_frame f;
	unsigned int i;

	if (unlikely(!table))
		return;
	f.skb = skb;
	f.dir = dir;
	f.ifindex = port->dev->ifindex;
	if (unlikely(!vtap_match_parse(&f))) {
		vtap_port_count(port, dir, VTAP_PST_UNMATCHED);
		return;
	}
	if (unlikely(vtap_session_is_own(port->vn, &f))) {
		vtap_port_count(port, dir, VTAP_PST_OWN);
		return;
	}
	rule = vtap_table_lookup(table, &f);
	if (!rule) {
		vtap_port_count(port, dir, VTAP_PST_UNMATCHED);
		return;
	}
	vtap_port_count(port, dir, VTAP_PST_MATCHED);
	vtap_rule_count(rule, f.len);
	for (i = 0; i < rule->cfg.n_sessions; i++)
		vtap_copy(rule->cfg.sessions[i], &f);
}

static unsigned int vtap_port_nf_in(void *priv, struct sk_buff *skb,
				    const struct nf_hook_state *state)
{
	vtap_port_frame(priv, skb, VTAP_IN);
	return NF_ACCEPT;
}

static unsigned int vtap_port_nf_out(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	vtap_port_frame(priv, skb, VTAP_OUT);
	return NF_ACCEPT;
}

static int vtap_port_hook(struct vtap_port *port, unsigned int dir)
{
	struct nf_hook_ops *ops = &port->ops[dir];

	ops->pf = NFPROTO_NETDEV;
	ops->dev = port->dev;
	ops->priv = port;
	ops->priority = INT_MIN;
	if (dir == VTAP_IN) {
		ops->hook = vtap_port_nf_in;
		ops->hooknum = NF_NETDEV_INGRESS;
	} else {
		ops->hook = vtap_port_nf_out;
		ops->hooknum = NF_NETDEV_EGRESS;
	}
	return nf_register_net_hook(port->vn->net, ops);
}

static void vtap_port_unhook(struct vtap_port *port, unsigned int dir)
{
	if (port->hook[dir] == VTAP_HOOK_NETFILTER)
		nf_unregister_net_hook(port->vn->net, &port->ops[dir]);
	port->hook[dir] = VTAP_HOOK_NONE;
}

/* Put the right hooks on the device as it is now; RTNL. Return: did any change? */
static bool vtap_port_reconcile(struct vtap_port *port, u32 dirs)
{
	bool changed = false;
	unsigned int dir;

	for (dir = 0; dir < VTAP_NDIR; dir++) {
		u32 want = dirs & BIT(dir) ? VTAP_HOOK_NETFILTER : VTAP_HOOK_NONE;

		if (port->hook[dir] == want)
			continue;
		vtap_port_unhook(port, dir);
		if (want == VTAP_HOOK_NETFILTER) {
			if (vtap_port_hook(port, dir)) {
				schedule_delayed_work(&port->vn->bind, VTAP_BIND_RETRY);
				continue;
			}
			port->hook[dir] = VTAP_HOOK_NETFILTER;
		}
		changed = true;
	}
	if (changed)
		port->since = ktime_get();
	return changed;
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

	port = kzalloc(sizeof(*port), GFP_KERNEL);
	if (!port)
		return NULL;
	port->stats = alloc_percpu(struct vtap_port_stats);
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
	unsigned int dir;

	vtap_nl_port_notify(port, VTAP_CMD_PORT_DEL_NTF);
	for (dir = 0; dir < VTAP_NDIR; dir++)
		vtap_port_unhook(port, dir);
	list_del(&port->list);
	port->vn->gen++;
	vtap_table_free_rcu(rtnl_dereference(port->table));
	RCU_INIT_POINTER(port->table, NULL);
	call_rcu(&port->rcu, vtap_port_rcu);
}

static bool vtap_port_eligible(const struct net_device *dev)
{
	return dev->type == ARPHRD_ETHER && dev->reg_state == NETREG_REGISTERED;
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
	vtap_table_free_rcu(b->table);
	return -ENOMEM;
}

static void vtap_port_abandon(struct vtap_bind *b)
{
	if (b->port && !rcu_access_pointer(b->port->table))
		vtap_port_free(b->port);
	vtap_table_free_rcu(b->table);
}

static void vtap_port_commit(struct vtap_net *vn, struct vtap_bind *b)
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
	if (old && vtap_table_same(old, b->table)) {
		vtap_table_free_rcu(b->table);
	} else {
		rcu_assign_pointer(port->table, b->table);
		vtap_table_free_rcu(old);
	}
	if (new)
		list_add_tail(&port->list, &vn->ports);
	changed = vtap_port_reconcile(port, vtap_table_dirs(rtnl_dereference(port->table)));
	changed |= port->master != master_index || strcmp(port->name, b->dev->name);
	port->master = master_index;
	strscpy(port->name, b->dev->name, sizeof(port->name));
	if (!new && !changed)
		return;
	vn->gen++;
	vtap_nl_port_notify(port, new ? VTAP_CMD_PORT_ADD_NTF : VTAP_CMD_PORT_CHANGE_NTF);
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
	b = kvcalloc(n, sizeof(*b), GFP_KERNEL);
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
			vtap_port_commit(vn, &b[i]);
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

static void vtap_port_bind(struct vtap_net *vn, struct net_device *dev)
{
	struct vtap_bind b;

	if (vtap_port_prepare(vn, dev, &b))
		schedule_delayed_work(&vn->bind, VTAP_BIND_RETRY);
	else
		vtap_port_commit(vn, &b);
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
	case NETDEV_CHANGEUPPER:
	case NETDEV_POST_TYPE_CHANGE:
		vtap_port_bind(vn, dev);
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

static struct notifier_block vtap_port_netdev_nb = {
	.notifier_call = vtap_port_netdev,
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
}

/**
 * vtap_port_init_net - a namespace's ports
 * @vn: its vtap
 */
void vtap_port_init_net(struct vtap_net *vn)
{
	INIT_LIST_HEAD(&vn->ports);
	INIT_DELAYED_WORK(&vn->bind, vtap_port_bind_work);
}

/**
 * vtap_port_exit_net - take the hooks off a namespace's ports
 * @vn: its vtap
 */
void vtap_port_exit_net(struct vtap_net *vn)
{
	struct vtap_port *port, *next;

	cancel_delayed_work_sync(&vn->bind);
	rtnl_lock();
	list_for_each_entry_safe(port, next, &vn->ports, list)
		vtap_port_detach(port);
	rtnl_unlock();
}

/**
 * vtap_port_init - start listening to device events
 *
 * Return: 0 or a negative error.
 */
int vtap_port_init(void)
{
	return register_netdevice_notifier(&vtap_port_netdev_nb);
}

/** vtap_port_exit - stop listening to device events */
void vtap_port_exit(void)
{
	unregister_netdevice_notifier(&vtap_port_netdev_nb);
}
