/* SPDX-License-Identifier: GPL-2.0 */
/* One rule: its match, its conditions, its counters. */
#ifndef _VTAP_RULE_H
#define _VTAP_RULE_H

#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/netdevice.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/u64_stats_sync.h>

#include "match.h"
#include "stats.h"

struct netlink_ext_ack;
struct vtap_frame;
struct vtap_list;
struct vtap_pattern;
struct vtap_session;
struct vtap_tap;

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

/**
 * struct vtap_filter - a program as a condition of rules
 * @ref: rules that have it
 * @prog: what packets run
 * @text: what it was compiled from, or NULL
 * @n: number of instructions
 * @insns: the instructions as the user gave them
 */
struct vtap_filter {
	refcount_t ref;
	struct bpf_prog *prog;
	char *text;
	unsigned int n;
	struct sock_filter insns[];
};

/*
 * struct vtap_rule_cfg - what a user says of a rule
 * @tap: the tap that it belongs to, as do its sessions
 * @sessions: the sessions that get copies, @n_sessions of them
 * @filter: a further condition, or NULL; a rule has a reference
 * @match: what frames have to look like when there is no @wanted
 * @wanted: several of these, and what they must not look like, or NULL; a rule has a reference
 *
 * The other members are named and bounded as the attributes in vtap.yaml.
 */
struct vtap_rule_cfg {
	struct vtap_tap *tap;
	u32 pref;
	u32 dir;
	u32 action;
	unsigned int n_sessions;
	u32 sample;
	bool sample_flow;
	struct vtap_session *sessions[VTAP_RULE_SESSIONS_MAX];
	char port[VTAP_NAME_MAX + 1];
	char master[IFNAMSIZ];
	u8 mac[ETH_ALEN];
	bool dup;
	struct vtap_filter *filter;
	struct vtap_match match;
	struct vtap_list *wanted;
};

/* Counters of a rule: frames that it decided on, and their bytes. */
enum vtap_rule_stat {
	VTAP_RULE_STAT_PACKETS,
	VTAP_RULE_STAT_BYTES,
	__VTAP_RULE_STAT_MAX,
};

/* begins as struct vtap_stats */
struct vtap_rule_stats {
	struct u64_stats_sync syncp;
	u64_stats_t v[__VTAP_RULE_STAT_MAX];
};

/**
 * struct vtap_rule - one rule; does not change once a table holds it
 * @list: in vtap_net.rules; RTNL
 * @order: in vtap_net.rule_order; RTNL
 * @pattern: what it says of its ports; RTNL
 * @same: in vtap_pattern.rules; RTNL
 * @tap: the tap that it belongs to; RTNL
 * @id: given by the kernel, greater than that of any rule before
 * @pref: what the user said, as are the members to @mac, and @filter
 * @sample: one in so many frames
 * @n_sessions: length of @sessions
 * @dir: BIT(VTAP_IN), BIT(VTAP_OUT) or both
 * @action: enum vtap_action
 * @sample_flow: flows, not frames
 * @dup: copies what was copied at ingress again
 * @has_extra: asks for more than a table compares, see vtap_rule_match_extra()
 * @tunnel: bits in vtap_key.tunnel of the tunnels that its matches name
 * @gone: a transaction has deleted it and is not committed yet; RTNL
 * @mac: a VM's address, or zero
 * @port: devices' names
 * @master: their master's name
 * @wanted: matches when there is not one alone, or NULL
 * @filter: a further condition, or NULL
 * @stats: counters, handed on to the rule that takes this one's place
 * @block: where these are from
 * @rcu: frees it when no packet can see it any more
 * @match: without @wanted, words of 4 bytes of its struct vtap_match that are not 0
 * @sessions: the sessions that get copies; behind them, the words that @match tells of
 *
 * There are many of them: read the rest with vtap_rule_get_cfg(), and the matches
 * with vtap_rule_get_match().
 */
struct vtap_rule {
	struct list_head list;
	struct rb_node order;
	struct vtap_pattern *pattern;
	struct list_head same;
	struct vtap_tap *tap;
	u64 id;
	u32 pref;
	u32 sample;
	u8 n_sessions;
	u8 dir;
	u8 action;
	bool sample_flow;
	bool dup;
	bool has_extra;
	u8 tunnel;
	bool gone;
	u8 mac[ETH_ALEN];
	char port[VTAP_NAME_MAX + 1];
	char master[IFNAMSIZ];
	struct vtap_list *wanted;
	struct vtap_filter *filter;
	struct vtap_rule_stats __percpu *stats;
	struct vtap_rule_block *block;
	struct rcu_head rcu;
	u64 match;
	struct vtap_session *sessions[];
};

/* filter.c */
struct vtap_filter *vtap_filter_new(const struct sock_filter *insns, unsigned int n,
				    const char *text, struct netlink_ext_ack *extack);
struct vtap_filter *vtap_filter_get(struct vtap_filter *filter);
void vtap_filter_put(struct vtap_filter *filter);
bool vtap_filter_bare(const struct vtap_filter *filter, const struct vtap_frame *f);

/* rule.c */
struct vtap_rule *vtap_rule_alloc(const struct vtap_rule_cfg *cfg);
unsigned int vtap_rule_matches(const struct vtap_rule *rule);
void vtap_rule_get_match(const struct vtap_rule *rule, unsigned int i, struct vtap_match *m);
void vtap_rule_get_cfg(const struct vtap_rule *rule, struct vtap_rule_cfg *cfg);
void vtap_rule_free(struct vtap_rule *rule);
bool vtap_rule_before(const struct vtap_rule *a, const struct vtap_rule *b);
bool vtap_rule_match_extra(const struct vtap_rule *rule, unsigned int match,
			   const struct vtap_frame *f);
bool vtap_rule_sample(const struct vtap_rule *rule, const struct vtap_frame *f);

/* A rule decided on a frame; softirq, RCU read side. */
static __always_inline void vtap_rule_count(const struct vtap_rule *rule, unsigned int bytes)
{
	vtap_stats_add2(rule->stats, VTAP_RULE_STAT_PACKETS, 1, VTAP_RULE_STAT_BYTES, bytes);
}

#endif /* _VTAP_RULE_H */
