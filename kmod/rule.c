// SPDX-License-Identifier: GPL-2.0
/* The rules of a namespace in their order, and which of them a device gets. */
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "kind.h"
#include "vtap.h"

#define VTAP_RULES_MAX	65536
#define VTAP_BLOCK_MAX	16

/**
 * struct vtap_rule_block - counters of some rules, since per-CPU memory is dear to get
 * @ref: rules that have counters of it, and the namespace whose next rules get some
 * @used: how many are given; they are given once; RTNL
 * @stats: VTAP_BLOCK_MAX of them
 */
struct vtap_rule_block {
	refcount_t ref;
	unsigned int used;
	struct vtap_rule_stats __percpu *stats;
};

/* 4 bytes of a match each; most are 0 */
#define VTAP_MATCH_WORDS	(sizeof(struct vtap_match) / sizeof(u32))

static u32 *vtap_rule_match_words(const struct vtap_rule *rule)
{
	return (u32 *)(rule->sessions + rule->n_sessions);
}

static bool vtap_rule_alloc_inner(struct vtap_rule *rule, const struct vtap_rule_cfg *cfg)
{
	struct vtap_inner *inner = kzalloc(sizeof(*inner), GFP_KERNEL_ACCOUNT);

	if (!inner)
		return false;
	inner->match = cfg->inner;
	inner->tunnel = cfg->match.tunnel;
	vtap_match_compile(&cfg->inner, (struct vtap_key *)inner->key,
			   (struct vtap_key *)inner->mask, inner->sport, inner->dport);
	rule->inner = inner;
	return true;
}

/**
 * vtap_rule_alloc - a rule that is in no list, without counters
 * @cfg: what the user said
 *
 * Return: the rule, or NULL.
 */
struct vtap_rule *vtap_rule_alloc(const struct vtap_rule_cfg *cfg)
{
	const u32 *m = (const u32 *)&cfg->match;
	struct vtap_rule *rule;
	u64 match = 0;
	u32 *words;
	int i;

	BUILD_BUG_ON(VTAP_MATCH_WORDS > 64 || sizeof(struct vtap_match) % sizeof(u32));
	BUILD_BUG_ON(VTAP_RULE_SESSIONS_MAX > U8_MAX);
	for (i = 0; i < VTAP_MATCH_WORDS; i++) {
		if (m[i])
			match |= BIT_ULL(i);
	}
	rule = kzalloc(struct_size(rule, sessions, cfg->n_sessions) +
		       hweight64(match) * sizeof(*words), GFP_KERNEL_ACCOUNT);
	if (!rule)
		return NULL;
	if (cfg->inner.present && !vtap_rule_alloc_inner(rule, cfg)) {
		kfree(rule);
		return NULL;
	}
	rule->pref = cfg->pref;
	rule->sample = cfg->sample;
	rule->n_sessions = cfg->n_sessions;
	rule->dir = cfg->dir;
	rule->action = cfg->action;
	rule->sample_flow = cfg->sample_flow;
	rule->dup = cfg->dup;
	ether_addr_copy(rule->mac, cfg->mac);
	memcpy(rule->port, cfg->port, sizeof(rule->port));
	memcpy(rule->master, cfg->master, sizeof(rule->master));
	rule->filter = vtap_filter_get(cfg->filter);
	rule->more = rule->inner || rule->filter;
	if (cfg->match.present & BIT(VTAP_A_MATCH_TUNNEL))
		rule->tunnel = BIT(cfg->match.tunnel);
	memcpy(rule->sessions, cfg->sessions, cfg->n_sessions * sizeof(*cfg->sessions));
	rule->match = match;
	for (words = vtap_rule_match_words(rule); match; match &= match - 1)
		*words++ = m[__ffs64(match)];
	return rule;
}

/**
 * vtap_rule_get_match - what a rule wants frames to look like
 * @rule: the rule
 * @m: gets it
 */
void vtap_rule_get_match(const struct vtap_rule *rule, struct vtap_match *m)
{
	const u32 *words = vtap_rule_match_words(rule);
	u64 match;

	memset(m, 0, sizeof(*m));
	for (match = rule->match; match; match &= match - 1)
		((u32 *)m)[__ffs64(match)] = *words++;
}

/**
 * vtap_rule_get_cfg - all that the user said of a rule
 * @rule: the rule
 * @cfg: gets it; no reference to the filter
 */
void vtap_rule_get_cfg(const struct vtap_rule *rule, struct vtap_rule_cfg *cfg)
{
	*cfg = (struct vtap_rule_cfg){
		.pref = rule->pref,
		.dir = rule->dir,
		.action = rule->action,
		.n_sessions = rule->n_sessions,
		.sample = rule->sample,
		.sample_flow = rule->sample_flow,
		.dup = rule->dup,
		.filter = rule->filter,
	};
	memcpy(cfg->sessions, rule->sessions, rule->n_sessions * sizeof(*cfg->sessions));
	memcpy(cfg->port, rule->port, sizeof(cfg->port));
	memcpy(cfg->master, rule->master, sizeof(cfg->master));
	ether_addr_copy(cfg->mac, rule->mac);
	vtap_rule_get_match(rule, &cfg->match);
	if (rule->inner)
		cfg->inner = rule->inner->match;
}

/**
 * vtap_rule_free - free a rule, its counters not
 * @rule: a rule that no packet can see
 */
void vtap_rule_free(struct vtap_rule *rule)
{
	vtap_filter_put(rule->filter);
	kfree(rule->inner);
	kfree(rule);
}

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

static void vtap_rule_block_put(struct vtap_rule_block *b)
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

/* The sessions that a rule in the list names cannot be deleted. */
static void vtap_rule_link(struct vtap_net *vn, struct vtap_rule *rule, struct list_head *prev)
{
	unsigned int i;

	for (i = 0; i < rule->n_sessions; i++)
		rule->sessions[i]->users++;
	list_add(&rule->list, prev);
	vn->n_rules++;
}

static void vtap_rule_unlink(struct vtap_net *vn, struct vtap_rule *rule)
{
	unsigned int i;

	for (i = 0; i < rule->n_sessions; i++)
		rule->sessions[i]->users--;
	list_del(&rule->list);
	vn->n_rules--;
}

/**
 * vtap_rule_before - the order in which rules are tried
 * @a: a rule
 * @b: another one
 *
 * Return: does @a come before @b?
 */
bool vtap_rule_before(const struct vtap_rule *a, const struct vtap_rule *b)
{
	return a->pref < b->pref || (a->pref == b->pref && a->id < b->id);
}

/* Put a rule in its place, which is often next to that of the one before. */
static void vtap_rule_insert(struct vtap_txn *txn, struct vtap_rule *rule)
{
	struct list_head *head = &txn->vn->rules, *pos = txn->hint ?: head->prev;

	while (pos != head && vtap_rule_before(rule, list_entry(pos, struct vtap_rule, list)))
		pos = pos->prev;
	while (pos->next != head &&
	       vtap_rule_before(list_entry(pos->next, struct vtap_rule, list), rule))
		pos = pos->next;
	vtap_rule_link(txn->vn, rule, pos);
	txn->hint = &rule->list;
}

/* Return: where the rule was. */
static struct list_head *vtap_rule_remove(struct vtap_txn *txn, struct vtap_rule *rule)
{
	struct list_head *prev = rule->list.prev;

	if (txn->hint == &rule->list)
		txn->hint = prev;
	vtap_rule_unlink(txn->vn, rule);
	txn->rebind = true;
	return prev;
}

static int vtap_rule_check(const struct vtap_rule_cfg *cfg, struct netlink_ext_ack *extack)
{
	bool mac = !is_zero_ether_addr(cfg->mac);

	if (!cfg->port[0] && !cfg->master[0] && !mac) {
		NL_SET_ERR_MSG(extack, "a rule needs port, master or mac");
		return -EINVAL;
	}
	if (is_multicast_ether_addr(cfg->mac)) {
		NL_SET_ERR_MSG(extack, "mac is no address of a VM");
		return -EINVAL;
	}
	if ((mac && cfg->dir & VTAP_DIR_INGRESS && !is_zero_ether_addr(cfg->match.src_mac_mask)) ||
	    (mac && cfg->dir & VTAP_DIR_EGRESS && !is_zero_ether_addr(cfg->match.dst_mac_mask))) {
		NL_SET_ERR_MSG(extack, "mac takes the place of src_mac at ingress, of dst_mac at egress");
		return -EINVAL;
	}
	if (!cfg->dir) {
		NL_SET_ERR_MSG(extack, "dir is neither ingress nor egress");
		return -EINVAL;
	}
	if (cfg->action == VTAP_ACTION_MIRROR && !cfg->n_sessions) {
		NL_SET_ERR_MSG(extack, "action mirror needs a session");
		return -EINVAL;
	}
	if (cfg->action == VTAP_ACTION_SKIP && cfg->n_sessions) {
		NL_SET_ERR_MSG(extack, "action skip takes no session");
		return -EINVAL;
	}
	if (cfg->action == VTAP_ACTION_SKIP && cfg->sample > 1) {
		NL_SET_ERR_MSG(extack, "sample is for action mirror");
		return -EINVAL;
	}
	return vtap_match_check(&cfg->match, extack) ?: vtap_match_check(&cfg->inner, extack);
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
	if (vn->n_rules >= VTAP_RULES_MAX || vn->last_id == U32_MAX) {
		NL_SET_ERR_MSG(txn->extack, "too many rules");
		return -ENOSPC;
	}
	rule = vtap_rule_alloc(cfg);
	if (!rule)
		return -ENOMEM;
	u = vtap_txn_alloc(VTAP_CMD_RULE_ADD_NTF);
	rule->id = vn->last_id + 1;
	if (!u || !vtap_rule_give_stats(vn, rule) ||
	    xa_err(xa_store(&vn->rule_ids, rule->id, rule, GFP_KERNEL_ACCOUNT))) {
		vtap_rule_block_put(rule->block);
		vtap_rule_free(rule);
		kfree(u);
		return -ENOMEM;
	}
	vn->last_id++;
	u->rule = rule;
	vtap_rule_insert(txn, rule);
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
	rule = vtap_rule_alloc(cfg);
	if (!rule)
		return -ENOMEM;
	u = vtap_txn_alloc(VTAP_CMD_RULE_CHANGE_NTF);
	if (!u) {
		vtap_rule_free(rule);
		return -ENOMEM;
	}
	rule->id = old->id;
	rule->stats = old->stats;
	rule->block = old->block;
	u->rule = rule;
	u->old = old;
	u->prev = vtap_rule_remove(txn, old);
	txn->hint = u->prev;
	vtap_rule_insert(txn, rule);
	/* needs no memory: the id has a place */
	xa_store(&txn->vn->rule_ids, rule->id, rule, GFP_KERNEL_ACCOUNT);
	vtap_txn_log(txn, u);
	return 0;
}

/**
 * vtap_rule_del - delete a rule
 * @txn: the transaction
 * @rule: the rule
 *
 * Return: 0, or -ENOMEM and nothing has changed.
 */
int vtap_rule_del(struct vtap_txn *txn, struct vtap_rule *rule)
{
	struct vtap_undo *u = vtap_txn_alloc(VTAP_CMD_RULE_DEL_NTF);

	if (!u)
		return -ENOMEM;
	u->old = rule;
	u->prev = vtap_rule_remove(txn, rule);
	/* its id keeps its place, so that nothing can fail when this is undone */
	rule->gone = true;
	vtap_txn_log(txn, u);
	return 0;
}

/**
 * vtap_rule_flush - delete all rules, or those of one pref
 * @txn: the transaction
 * @pref: which, or NULL for all
 *
 * Return: 0, or -ENOMEM and the transaction is to be aborted.
 */
int vtap_rule_flush(struct vtap_txn *txn, const u32 *pref)
{
	struct vtap_rule *rule, *next;
	int err;

	list_for_each_entry_safe(rule, next, &txn->vn->rules, list) {
		if (pref && rule->pref != *pref)
			continue;
		err = vtap_rule_del(txn, rule);
		if (err)
			return err;
	}
	return 0;
}

/**
 * vtap_rule_undo - undo the last change of a transaction
 * @txn: the transaction
 * @u: the change, one of a rule
 */
void vtap_rule_undo(struct vtap_txn *txn, const struct vtap_undo *u)
{
	struct vtap_net *vn = txn->vn;

	if (u->rule)
		vtap_rule_unlink(vn, u->rule);
	if (u->old) {
		vtap_rule_link(vn, u->old, u->prev);
		u->old->gone = false;
		xa_store(&vn->rule_ids, u->old->id, u->old, GFP_KERNEL_ACCOUNT);
		if (u->rule)
			vtap_rule_free(u->rule);
	} else {
		xa_erase(&vn->rule_ids, u->rule->id);
		vtap_rule_block_put(u->rule->block);
		vtap_rule_free(u->rule);
	}
}

/**
 * vtap_rule_done - free what a change took away; no packet gets to see it any more
 * @txn: the transaction
 * @u: the change, one of a rule
 */
void vtap_rule_done(struct vtap_txn *txn, const struct vtap_undo *u)
{
	if (!u->old)
		return;
	if (u->rule) {
		/* packets that still see the old rule count in what is the new one's */
		call_rcu(&u->old->rcu, vtap_rule_replaced_rcu);
	} else {
		xa_erase(&txn->vn->rule_ids, u->old->id);
		call_rcu(&u->old->rcu, vtap_rule_rcu);
	}
}

/**
 * vtap_rule_find - a rule by its id; RTNL
 * @vn: the namespace's vtap
 * @id: the id
 *
 * Return: the rule, or NULL.
 */
struct vtap_rule *vtap_rule_find(struct vtap_net *vn, u32 id)
{
	struct vtap_rule *rule = xa_load(&vn->rule_ids, id);

	return rule && !rule->gone ? rule : NULL;
}

/*
 * The program sees the frame from its Ethernet header on, as a packet socket
 * does: a VLAN tag in the metadata is not in the data.
 */
static bool vtap_rule_filter(const struct vtap_rule *rule, const struct vtap_frame *f)
{
	struct sk_buff *skb = f->skb;
	bool ok;

	if (unlikely(f->bare))
		return vtap_filter_bare(rule->filter, f);
	/* the skb may be shared: nobody else sees the push */
	__skb_push(skb, -f->mac);
	ok = bpf_prog_run_clear_cb(rule->filter->prog, skb);
	__skb_pull(skb, -f->mac);
	return ok;
}

/**
 * vtap_rule_more - do a rule's conditions hold that are none of the key?
 * @rule: the rule
 * @f: parsed frame, whose key matches; softirq, RCU read side
 *
 * Return: true when they do.
 */
bool vtap_rule_more(const struct vtap_rule *rule, const struct vtap_frame *f)
{
	if (rule->inner && !vtap_match_inside(rule->inner, f))
		return false;
	return !rule->filter || vtap_rule_filter(rule, f);
}

/**
 * vtap_rule_count - a rule decided on a frame; softirq, RCU read side
 * @rule: the rule
 * @bytes: length of the frame
 */
void vtap_rule_count(const struct vtap_rule *rule, unsigned int bytes)
{
	struct vtap_rule_stats *st = this_cpu_ptr(rule->stats);

	u64_stats_update_begin(&st->syncp);
	u64_stats_inc(&st->packets);
	u64_stats_add(&st->bytes, bytes);
	u64_stats_update_end(&st->syncp);
}

/**
 * vtap_rule_sample - is this frame one of those that a sampling rule copies?
 * @rule: rule that decided on it
 * @f: parsed frame
 *
 * The first session with a seed decides for all of the rule: they get the same flows.
 *
 * Return: true for one in rule->sample frames, or flows.
 */
bool vtap_rule_sample(const struct vtap_rule *rule, const struct vtap_frame *f)
{
	unsigned int i;
	u64 seed = 0;
	u32 n;

	for (i = 0; i < rule->n_sessions && !seed; i++)
		seed = READ_ONCE(rule->sessions[i]->seed);
	n = rule->sample_flow ? vtap_flow_hash(seed ?: vtap_flow_secret, &f->key) :
				get_random_u32();
	return !reciprocal_scale(n, rule->sample);
}

/**
 * vtap_rule_read - sum up a rule's counters
 * @rule: the rule
 * @packets: gets the frames
 * @bytes: gets their bytes
 */
void vtap_rule_read(const struct vtap_rule *rule, u64 *packets, u64 *bytes)
{
	int cpu;

	*packets = 0;
	*bytes = 0;
	for_each_possible_cpu(cpu) {
		const struct vtap_rule_stats *st = per_cpu_ptr(rule->stats, cpu);
		unsigned int start;
		u64 p, b;

		do {
			start = u64_stats_fetch_begin(&st->syncp);
			p = u64_stats_read(&st->packets);
			b = u64_stats_read(&st->bytes);
		} while (u64_stats_fetch_retry(&st->syncp, start));
		*packets += p;
		*bytes += b;
	}
}

/**
 * vtap_rule_table - the rules that bind to a device; RTNL
 * @vn: the namespace's vtap
 * @dev: a device that can be a port
 *
 * Return: a table with a reference, NULL when no rule binds to the device, or -ENOMEM as an
 * ERR_PTR().
 */
struct vtap_table *vtap_rule_table(struct vtap_net *vn, struct net_device *dev)
{
	const struct net_device *master = netdev_master_upper_dev_get(dev);
	const struct vtap_rule *rule, *last = NULL, **rules;
	struct vtap_table *t = NULL;
	bool binds = false, mac = false;
	unsigned int n = 0;

	if (!vn->n_rules)
		return NULL;
	rules = kvmalloc_array(vn->n_rules, sizeof(*rules), GFP_KERNEL_ACCOUNT);
	if (!rules)
		return ERR_PTR(-ENOMEM);
	list_for_each_entry(rule, &vn->rules, list) {
		/* neighbours in the list often name the same ports */
		if (!last || strcmp(last->port, rule->port) ||
		    strcmp(last->master, rule->master))
			binds = vtap_kind_binds(rule, dev, master);
		last = rule;
		if (!binds)
			continue;
		rules[n++] = rule;
		mac |= !is_zero_ether_addr(rule->mac);
	}
	/* where VMs send makes no difference to rules without their addresses: ports share more */
	if (n)
		t = vtap_table_get(vn, mac ? vtap_kind_sends(dev) : BIT(VTAP_IN), rules, n) ?:
		    ERR_PTR(-ENOMEM);
	kvfree(rules);
	return t;
}

/**
 * vtap_rule_init_net - a namespace's rules
 * @vn: its vtap
 */
void vtap_rule_init_net(struct vtap_net *vn)
{
	INIT_LIST_HEAD(&vn->rules);
	xa_init_flags(&vn->rule_ids, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&vn->tables);
}

/**
 * vtap_rule_exit_net - end of a namespace's rules; no port is left
 * @vn: its vtap
 */
void vtap_rule_exit_net(struct vtap_net *vn)
{
	struct vtap_rule *rule, *next;

	rtnl_lock();
	list_for_each_entry_safe(rule, next, &vn->rules, list) {
		vtap_rule_unlink(vn, rule);
		call_rcu(&rule->rcu, vtap_rule_rcu);
	}
	vtap_rule_block_put(vn->block);
	vn->block = NULL;
	xa_destroy(&vn->rule_ids);
	rtnl_unlock();
}
