// SPDX-License-Identifier: GPL-2.0
/* The rules of a namespace in their order. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "cost.h"
#include "due.h"
#include "extack.h"
#include "index.h"
#include "list.h"
#include "net.h"
#include "nl.h"
#include "rule.h"
#include "ruleset.h"
#include "session.h"
#include "table.h"
#include "taps.h"
#include "txn.h"

#define VTAP_BLOCK_MAX	16

static struct vtap_rule_block *vtap_rule_block_new(void)
{
	struct vtap_rule_block *b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);

	if (!b)
		return NULL;
	b->stats = __alloc_percpu_gfp(VTAP_BLOCK_MAX * sizeof(*b->stats),
				      __alignof__(*b->stats), GFP_KERNEL_ACCOUNT);
	if (!b->stats) {
		kfree(b);
		return NULL;
	}
	refcount_set(&b->ref, 1);
	return b;
}

void vtap_rule_block_put(struct vtap_rule_block *b)
{
	if (!b || !refcount_dec_and_test(&b->ref))
		return;
	free_percpu(b->stats);
	kfree(b);
}

/* Return: false when memory is short. */
static bool vtap_rule_give_stats(struct vtap_net *vn, struct vtap_rule *rule)
{
	struct vtap_rule_block *b = vn->block ?: vtap_rule_block_new();

	vn->block = b;
	if (!b)
		return false;
	rule->block = b;
	rule->stats = b->stats + b->used++;
	if (b->used < VTAP_BLOCK_MAX)
		refcount_inc(&b->ref);
	else
		vn->block = NULL;
	return true;
}

static void vtap_rule_rcu(struct rcu_head *rcu)
{
	struct vtap_rule *rule = container_of(rcu, struct vtap_rule, rcu);

	vtap_rule_block_put(rule->block);
	vtap_rule_free(rule);
}

/* The counters are those of the rule that took its place. */
static void vtap_rule_replaced_rcu(struct rcu_head *rcu)
{
	vtap_rule_free(container_of(rcu, struct vtap_rule, rcu));
}

/* Put a rule in its place. The sessions that it names cannot be deleted. */
static void vtap_rule_link(struct vtap_net *vn, struct vtap_rule *rule)
{
	struct rb_node **at = &vn->rule_order.rb_node, *parent = NULL;
	struct list_head *prev = &vn->rules;
	struct vtap_rule *r;
	unsigned int i;

	while (*at) {
		parent = *at;
		r = rb_entry(parent, struct vtap_rule, order);
		if (vtap_rule_before(rule, r)) {
			at = &parent->rb_left;
		} else {
			at = &parent->rb_right;
			prev = &r->list;
		}
	}
	rb_link_node(&rule->order, parent, at);
	rb_insert_color(&rule->order, &vn->rule_order);
	list_add(&rule->list, prev);
	for (i = 0; i < rule->n_sessions; i++)
		rule->sessions[i]->users++;
	vn->n_rules++;
	vtap_taps_count(vn, rule->tap, 1, 0);
	vn->n_matches += vtap_rule_matches(rule);
	vn->cost += vtap_cost_of(rule);
	/* with the first rule, devices come to be watched that no rule binds to */
	if (vn->n_rules == 1)
		vtap_due_all(vn);
	vtap_index_link(vn, rule);
}

static void vtap_rule_unlink(struct vtap_net *vn, struct vtap_rule *rule)
{
	unsigned int i;

	for (i = 0; i < rule->n_sessions; i++)
		rule->sessions[i]->users--;
	list_del(&rule->list);
	rb_erase(&rule->order, &vn->rule_order);
	vn->n_rules--;
	vtap_taps_count(vn, rule->tap, -1, 0);
	vn->n_matches -= vtap_rule_matches(rule);
	vn->cost -= vtap_cost_of(rule);
	if (!vn->n_rules)
		vtap_due_all(vn);
	vtap_index_unlink(vn, rule);
}

/* Free a rule that no packet has seen, its counters not; RTNL. */
static void vtap_rule_forget(struct vtap_rule *rule)
{
	vtap_index_put(rule->pattern);
	vtap_rule_free(rule);
}

/* Return: a rule that is in no list, or NULL when memory is short. */
static struct vtap_rule *vtap_rule_make(struct vtap_net *vn, const struct vtap_rule_cfg *cfg)
{
	struct vtap_rule *rule = vtap_rule_alloc(cfg);

	if (!rule)
		return NULL;
	rule->pattern = vtap_index_get(vn, cfg);
	if (rule->pattern)
		return rule;
	vtap_rule_free(rule);
	return NULL;
}

static void vtap_rule_undo(struct vtap_txn *txn, const struct vtap_undo *u)
{
	struct vtap_net *vn = txn->vn;

	if (u->rule)
		vtap_rule_unlink(vn, u->rule);
	if (u->old) {
		vtap_rule_link(vn, u->old);
		u->old->gone = false;
		xa_store(&vn->rule_ids, u->old->id, u->old, GFP_KERNEL_ACCOUNT);
		if (u->rule)
			vtap_rule_forget(u->rule);
	} else {
		xa_erase(&vn->rule_ids, u->rule->id);
		vtap_rule_block_put(u->rule->block);
		vtap_rule_forget(u->rule);
	}
}

static void vtap_rule_notify(struct vtap_txn *txn, const struct vtap_undo *u)
{
	vtap_nl_rule_notify(txn->vn, u->rule ?: u->old, u->cmd);
}

/* No packet gets to see it any more. */
static void vtap_rule_release(struct vtap_txn *txn, const struct vtap_undo *u)
{
	if (!u->old)
		return;
	vtap_index_put(u->old->pattern);
	if (u->rule) {
		/* packets that still see the old rule count in what is the new one's */
		call_rcu(&u->old->rcu, vtap_rule_replaced_rcu);
	} else {
		xa_erase(&txn->vn->rule_ids, u->old->id);
		call_rcu(&u->old->rcu, vtap_rule_rcu);
	}
}

static const struct vtap_undo_ops vtap_rule_undo_ops = {
	.undo = vtap_rule_undo,
	.notify = vtap_rule_notify,
	.release = vtap_rule_release,
};

/* Return: does a match ask for the address that a VM's takes the place of? */
static bool vtap_rule_has_mac(const struct vtap_rule_cfg *cfg, const struct vtap_match *m)
{
	return (cfg->dir & VTAP_DIR_INGRESS && !is_zero_ether_addr(m->src_mac_mask)) ||
	       (cfg->dir & VTAP_DIR_EGRESS && !is_zero_ether_addr(m->dst_mac_mask));
}

/* The matches themselves are known to be good. */
static int vtap_rule_check(const struct vtap_rule_cfg *cfg, struct netlink_ext_ack *extack)
{
	const unsigned int n = cfg->wanted ? cfg->wanted->n_matches : 1;
	unsigned int i;
	bool mac = !is_zero_ether_addr(cfg->mac);

	if (!cfg->port[0] && !cfg->master[0] && !mac)
		return vtap_refuse(extack, -EINVAL, "a rule needs port, master or mac");
	if (is_multicast_ether_addr(cfg->mac))
		return vtap_refuse(extack, -EINVAL, "mac is not a unicast address");
	for (i = 0; mac && i < n; i++) {
		if (vtap_rule_has_mac(cfg, cfg->wanted ? &cfg->wanted->wants[i].form.match :
						       &cfg->match))
			return vtap_refuse(extack, -EINVAL,
					   "mac takes the place of src_mac at ingress, of dst_mac at egress");
	}
	if (!cfg->dir)
		return vtap_refuse(extack, -EINVAL, "dir is neither ingress nor egress");
	if (cfg->action == VTAP_ACTION_MIRROR && !cfg->n_sessions)
		return vtap_refuse(extack, -EINVAL, "action mirror needs a session");
	if (cfg->action == VTAP_ACTION_SKIP && cfg->n_sessions)
		return vtap_refuse(extack, -EINVAL, "action skip takes no session");
	if (cfg->action == VTAP_ACTION_SKIP && cfg->sample > 1)
		return vtap_refuse(extack, -EINVAL, "sample is for action mirror");
	return 0;
}

/**
 * vtap_rule_add - create a rule
 * @txn: the transaction
 * @cfg: what the user said
 *
 * Its id is vtap_net.last_id.
 *
 * Return: 0, -EINVAL, -ENOSPC or -ENOMEM; nothing has changed unless 0.
 */
int vtap_rule_add(struct vtap_txn *txn, const struct vtap_rule_cfg *cfg)
{
	struct vtap_net *vn = txn->vn;
	struct vtap_rule *rule;
	struct vtap_undo *u;
	int err;

	err = vtap_rule_check(cfg, txn->extack);
	if (err)
		return err;
	/* where a long has 32 bits, the array of ids ends there */
	if (vn->n_rules >= VTAP_RULES_MAX || vn->last_id == ULONG_MAX)
		return vtap_refuse(txn->extack, -ENOSPC, "too many rules");
	rule = vtap_rule_make(vn, cfg);
	if (!rule)
		return -ENOMEM;
	u = vtap_txn_alloc(&vtap_rule_undo_ops, VTAP_CMD_RULE_ADD_NTF);
	rule->id = vn->last_id + 1;
	if (!u || !vtap_rule_give_stats(vn, rule) ||
	    xa_err(xa_store(&vn->rule_ids, rule->id, rule, GFP_KERNEL_ACCOUNT))) {
		vtap_rule_block_put(rule->block);
		vtap_rule_forget(rule);
		kfree(u);
		return -ENOMEM;
	}
	vn->last_id++;
	u->rule = rule;
	vtap_rule_link(vn, rule);
	txn->rebind = true;
	vtap_txn_log(txn, u);
	return 0;
}

/**
 * vtap_rule_set - put another rule in the place of one
 * @txn: the transaction
 * @old: the rule
 * @cfg: all that the new one shall be
 *
 * Id and counters go on.
 *
 * Return: 0, -EINVAL or -ENOMEM; nothing has changed unless 0.
 */
int vtap_rule_set(struct vtap_txn *txn, struct vtap_rule *old, const struct vtap_rule_cfg *cfg)
{
	struct vtap_rule *rule;
	struct vtap_undo *u;
	int err;

	err = vtap_rule_check(cfg, txn->extack);
	if (err)
		return err;
	rule = vtap_rule_make(txn->vn, cfg);
	if (!rule)
		return -ENOMEM;
	u = vtap_txn_alloc(&vtap_rule_undo_ops, VTAP_CMD_RULE_CHANGE_NTF);
	if (!u) {
		vtap_rule_forget(rule);
		return -ENOMEM;
	}
	rule->id = old->id;
	rule->stats = old->stats;
	rule->block = old->block;
	u->rule = rule;
	u->old = old;
	vtap_rule_unlink(txn->vn, old);
	vtap_rule_link(txn->vn, rule);
	txn->rebind = true;
	/* needs no memory: the id has a place */
	xa_store(&txn->vn->rule_ids, rule->id, rule, GFP_KERNEL_ACCOUNT);
	vtap_txn_log(txn, u);
	return 0;
}

/* Delete a rule. Return: 0, or -ENOMEM and nothing has changed. */
int vtap_rule_del(struct vtap_txn *txn, struct vtap_rule *rule)
{
	struct vtap_undo *u = vtap_txn_alloc(&vtap_rule_undo_ops, VTAP_CMD_RULE_DEL_NTF);

	if (!u)
		return -ENOMEM;
	u->old = rule;
	vtap_rule_unlink(txn->vn, rule);
	txn->rebind = true;
	/* its id keeps its place, so that nothing can fail when this is undone */
	rule->gone = true;
	vtap_txn_log(txn, u);
	return 0;
}

/**
 * vtap_rule_flush - delete all rules of a tap, or those of one pref
 * @txn: the transaction
 * @tap: the tap, or NULL when it has neither rules nor sessions
 * @pref: which, or NULL for all
 *
 * Return: 0, or -ENOMEM and the transaction is to be aborted.
 */
int vtap_rule_flush(struct vtap_txn *txn, const struct vtap_tap *tap, const u32 *pref)
{
	struct vtap_rule *rule, *next;
	int err;

	list_for_each_entry_safe(rule, next, &txn->vn->rules, list) {
		if (rule->tap != tap || (pref && rule->pref != *pref))
			continue;
		err = vtap_rule_del(txn, rule);
		if (err)
			return err;
	}
	return 0;
}

/* A rule by its id; RTNL. Return: the rule, or NULL. */
struct vtap_rule *vtap_rule_find(struct vtap_net *vn, u64 id)
{
	struct vtap_rule *rule = id <= ULONG_MAX ? xa_load(&vn->rule_ids, id) : NULL;

	return rule && !rule->gone ? rule : NULL;
}

/* A namespace's rules. */
void vtap_rule_init_net(struct vtap_net *vn)
{
	INIT_LIST_HEAD(&vn->rules);
	vn->rule_order = RB_ROOT;
	xa_init_flags(&vn->rule_ids, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&vn->tables);
}

/* End of a namespace's rules; no port is left. */
void vtap_rule_exit_net(struct vtap_net *vn)
{
	struct vtap_rule *rule, *next;

	rtnl_lock();
	vtap_due_all(vn);
	list_for_each_entry_safe(rule, next, &vn->rules, list) {
		vtap_rule_unlink(vn, rule);
		vtap_index_put(rule->pattern);
		call_rcu(&rule->rcu, vtap_rule_rcu);
	}
	vtap_rule_block_put(vn->block);
	vn->block = NULL;
	vtap_index_exit_net(vn);
	xa_destroy(&vn->rule_ids);
	rtnl_unlock();
}
