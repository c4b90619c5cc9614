// SPDX-License-Identifier: GPL-2.0
/* Rules by what they say of their ports, and which of them a device gets. */
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "due.h"
#include "index.h"
#include "kind.h"
#include "port.h"
#include "rule.h"
#include "table.h"

/* When more patterns than these change at once, all devices are marked without a look at them */
#define VTAP_CHANGED_MAX	64

static struct vtap_index *vtap_index_make(struct vtap_net *vn)
{
	if (vn->index)
		return vn->index;
	vn->index = kvzalloc(sizeof(*vn->index), GFP_KERNEL_ACCOUNT);
	if (!vn->index)
		return NULL;
	vtap_names_init(&vn->index->names);
	hash_init(vn->index->by_text);
	INIT_LIST_HEAD(&vn->index->wide);
	INIT_LIST_HEAD(&vn->index->changed);
	return vn->index;
}

static bool vtap_index_is(const struct vtap_pattern *p, const struct vtap_rule_cfg *cfg)
{
	return !strcmp(p->port ? p->port->text : p->glob, cfg->port) &&
	       !strcmp(p->master ? p->master->text : "", cfg->master);
}

static struct vtap_pattern *vtap_index_alloc(struct vtap_net *vn, const struct vtap_rule_cfg *cfg)
{
	const bool named = cfg->port[0] && !vtap_kind_is_pattern(cfg->port);
	struct vtap_pattern *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);

	if (!p)
		return NULL;
	if (named)
		p->port = vtap_names_get(vn, cfg->port, false);
	else
		strscpy(p->glob, cfg->port, sizeof(p->glob));
	if (cfg->master[0])
		p->master = vtap_names_get(vn, cfg->master, true);
	if ((named && !p->port) || (cfg->master[0] && !p->master)) {
		vtap_names_put(p->port, false);
		vtap_names_put(p->master, true);
		kfree(p);
		return NULL;
	}
	INIT_LIST_HEAD(&p->rules);
	INIT_LIST_HEAD(&p->changed);
	p->id = ++vn->index->last_id;
	return p;
}

/* The pattern of a rule that comes. Return: it with one more user, NULL when memory is short. */
struct vtap_pattern *vtap_index_get(struct vtap_net *vn, const struct vtap_rule_cfg *cfg)
{
	const u32 hash = vtap_names_hash(cfg->port) + vtap_names_hash(cfg->master);
	struct vtap_index *index = vtap_index_make(vn);
	struct vtap_pattern *p;

	if (!index)
		return NULL;
	hash_for_each_possible(index->by_text, p, node, hash) {
		if (vtap_index_is(p, cfg)) {
			p->users++;
			return p;
		}
	}
	p = vtap_index_alloc(vn, cfg);
	if (!p)
		return NULL;
	p->users = 1;
	hash_add(index->by_text, &p->node, hash);
	list_add(&p->list, p->port ? &p->port->patterns : &index->wide);
	return p;
}

/* One user less; NULL for none. */
void vtap_index_put(struct vtap_pattern *p)
{
	if (!p || --p->users)
		return;
	hash_del(&p->node);
	list_del(&p->list);
	list_del(&p->changed);
	vtap_names_put(p->port, false);
	vtap_names_put(p->master, true);
	kfree(p);
}

/*
 * The rules of a pattern are others: mark the devices that match it, and the ports that have its
 * rules, whether they match or not.
 */
static void vtap_index_touch(struct vtap_net *vn, struct vtap_pattern *p)
{
	const struct vtap_table *t;
	struct vtap_port *port;
	struct net_device *dev;

	p->stamp = ++vn->index->last_stamp;
	if (!list_empty(&p->changed))
		return;
	list_add(&p->changed, &vn->index->changed);
	if (++vn->index->n_changed > VTAP_CHANGED_MAX)
		vtap_due_all(vn);
	if (vn->due_all)
		return;
	for_each_netdev(vn->net, dev) {
		if (vtap_kind_binds(p, dev, netdev_master_upper_dev_get(dev)))
			vtap_due_dev(vn, dev->ifindex);
	}
	list_for_each_entry(port, &vn->ports, list) {
		t = rtnl_dereference(port->table);
		if (t && vtap_table_has_pattern(t, p->id))
			vtap_due_dev(vn, port->id.ifindex);
	}
}

/* A rule is in the list of rules: put it among those of its pattern, often as the last or first. */
void vtap_index_link(struct vtap_net *vn, struct vtap_rule *rule)
{
	struct vtap_pattern *p = rule->pattern;
	struct list_head *pos = p->rules.prev;

	if (p->n && vtap_rule_before(rule, list_first_entry(&p->rules, struct vtap_rule, same)))
		pos = &p->rules;
	while (pos != &p->rules &&
	       vtap_rule_before(rule, list_entry(pos, struct vtap_rule, same)))
		pos = pos->prev;
	list_add(&rule->same, pos);
	p->n++;
	p->n_mac += !is_zero_ether_addr(rule->mac);
	vtap_index_touch(vn, p);
}

/* A rule is not in the list any more. Its pattern stays, since the rule may come back. */
void vtap_index_unlink(struct vtap_net *vn, struct vtap_rule *rule)
{
	struct vtap_pattern *p = rule->pattern;

	list_del(&rule->same);
	p->n--;
	p->n_mac -= !is_zero_ether_addr(rule->mac);
	vtap_index_touch(vn, p);
}

/* All devices that were marked have their rules. */
void vtap_index_bound(struct vtap_net *vn)
{
	struct vtap_pattern *p, *next;

	if (!vn->index)
		return;
	list_for_each_entry_safe(p, next, &vn->index->changed, changed)
		list_del_init(&p->changed);
	vn->index->n_changed = 0;
}

static int vtap_index_compare_stamps(const void *a, const void *b)
{
	const struct vtap_stamp *x = a, *y = b;

	return x->id < y->id ? -1 : 1;
}

static int vtap_index_compare_rules(const void *a, const void *b)
{
	const struct vtap_rule *const *x = a, *const *y = b;

	return vtap_rule_before(*x, *y) ? -1 : 1;
}

/**
 * struct vtap_pick - the patterns that a device matches, which have rules
 * @list: them
 * @n: length of @list
 * @rules: the number of their rules
 * @mac: some have a VM's address
 * @stamps: of the patterns, in the order of their ids
 */
struct vtap_pick {
	struct list_head list;
	unsigned int n;
	unsigned int rules;
	bool mac;
	struct vtap_stamp *stamps;
};

static void vtap_pick_from(struct vtap_pick *pick, const struct list_head *patterns,
			   const struct net_device *dev, const struct net_device *master)
{
	struct vtap_pattern *p;

	list_for_each_entry(p, patterns, list) {
		if (!p->n || !vtap_kind_binds(p, dev, master))
			continue;
		list_add_tail(&p->picked, &pick->list);
		pick->n++;
		pick->rules += p->n;
		pick->mac |= p->n_mac;
	}
}

/* Return: 0 or -ENOMEM. */
static int vtap_pick_stamps(struct vtap_pick *pick)
{
	const struct vtap_pattern *p;
	unsigned int i = 0;

	pick->stamps = kvmalloc_array(pick->n, sizeof(*pick->stamps), GFP_KERNEL_ACCOUNT);
	if (!pick->stamps)
		return -ENOMEM;
	list_for_each_entry(p, &pick->list, picked)
		pick->stamps[i++] = (struct vtap_stamp){ .id = p->id, .stamp = p->stamp };
	sort(pick->stamps, pick->n, sizeof(*pick->stamps), vtap_index_compare_stamps, NULL);
	return 0;
}

static bool vtap_pick_has(const struct vtap_pick *pick, u64 id)
{
	unsigned int lo = 0, hi = pick->n;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (pick->stamps[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < pick->n && pick->stamps[lo].id == id;
}

/* The rules of all patterns in their order. Return: them, or NULL when memory is short. */
static const struct vtap_rule **vtap_pick_rules(const struct vtap_net *vn,
						const struct vtap_pick *pick)
{
	const struct vtap_rule *rule, **rules;
	const struct vtap_pattern *p;
	unsigned int n = 0;

	rules = kvmalloc_array(pick->rules, sizeof(*rules), GFP_KERNEL_ACCOUNT);
	if (!rules)
		return NULL;
	/* a rule is sorted in the time in which some of the list are passed over */
	if (pick->n > 1 && pick->rules > vn->n_rules / 16) {
		list_for_each_entry(rule, &vn->rules, list) {
			if (vtap_pick_has(pick, rule->pattern->id))
				rules[n++] = rule;
		}
		return rules;
	}
	list_for_each_entry(p, &pick->list, picked) {
		list_for_each_entry(rule, &p->rules, same)
			rules[n++] = rule;
	}
	if (pick->n > 1)
		sort(rules, n, sizeof(*rules), vtap_index_compare_rules, NULL);
	return rules;
}

/* Return: as vtap_index_table(); takes @pick->stamps when a table needs them. */
static struct vtap_table *vtap_pick_table(struct vtap_net *vn, struct vtap_pick *pick, u8 sends)
{
	const struct vtap_rule **rules;
	struct vtap_table *t;

	t = vtap_table_find(vn, sends, pick->stamps, pick->n);
	if (t)
		return t;
	rules = vtap_pick_rules(vn, pick);
	t = rules ? vtap_table_get_taps(vn, sends, rules, pick->rules) : NULL;
	kvfree(rules);
	if (!t)
		return ERR_PTR(-ENOMEM);
	vtap_table_stamp(t, sends, pick->stamps, pick->n);
	pick->stamps = NULL;
	return t;
}

/**
 * vtap_index_table - the rules that bind to a device; RTNL
 * @vn: the namespace's vtap
 * @dev: a device that can be a port
 *
 * The rules of each tap are tried on their own. Where another device matches the same patterns,
 * its table is found by these, and no rule is looked at.
 *
 * Return: a table with a reference, NULL when no rule binds to the device, or -ENOMEM as an
 * ERR_PTR().
 */
struct vtap_table *vtap_index_table(struct vtap_net *vn, struct net_device *dev)
{
	const struct net_device *master = netdev_master_upper_dev_get(dev);
	struct vtap_pick pick = { .list = LIST_HEAD_INIT(pick.list) };
	struct vtap_table *t;
	struct vtap_name *name;

	if (!vn->n_rules)
		return NULL;
	hash_for_each_possible(vn->index->names.by_index, name, index_node, dev->ifindex) {
		if (name->index == dev->ifindex)
			vtap_pick_from(&pick, &name->patterns, dev, master);
	}
	vtap_pick_from(&pick, &vn->index->wide, dev, master);
	if (!pick.n)
		return NULL;
	if (vtap_pick_stamps(&pick))
		return ERR_PTR(-ENOMEM);
	/* where VMs send makes no difference to rules without their addresses: ports share more */
	t = vtap_pick_table(vn, &pick, pick.mac ? vtap_kind_sends(dev) : BIT(VTAP_IN));
	kvfree(pick.stamps);
	return t;
}

/* End of a namespace's index; no rule is left. */
void vtap_index_exit_net(struct vtap_net *vn)
{
	kvfree(vn->index);
	vn->index = NULL;
}
