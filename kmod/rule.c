// SPDX-License-Identifier: GPL-2.0
/* One rule: its match, its conditions, its counters. */
#include <linux/random.h>
#include <linux/slab.h>

#include "flow.h"
#include "list.h"
#include "rule.h"
#include "session.h"
#include "stats.h"
#include "taps.h"

/* 4 bytes of a match each; most are 0 */
#define VTAP_MATCH_WORDS	(sizeof(struct vtap_match) / sizeof(u32))

static u32 *vtap_rule_match_words(const struct vtap_rule *rule)
{
	return (u32 *)(rule->sessions + rule->n_sessions);
}

/* Return: bits of the tunnels that the matches name. */
static u8 vtap_rule_tunnels(const struct vtap_rule *rule)
{
	struct vtap_match m;
	unsigned int i;
	u8 tunnels = 0;

	for (i = 0; i < vtap_rule_matches(rule); i++) {
		vtap_rule_get_match(rule, i, &m);
		if (m.present & BIT(VTAP_A_MATCH_TUNNEL))
			tunnels |= BIT(m.tunnel);
	}
	return tunnels;
}

/* A rule that is in no list, without counters. Return: the rule, or NULL. */
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
		if (m[i] && !cfg->wanted)
			match |= BIT_ULL(i);
	}
	rule = kzalloc(struct_size(rule, sessions, cfg->n_sessions) +
		       hweight64(match) * sizeof(*words), GFP_KERNEL_ACCOUNT);
	if (!rule)
		return NULL;
	rule->tap = cfg->tap;
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
	rule->wanted = vtap_list_get(cfg->wanted);
	rule->has_extra = rule->filter || vtap_list_has_extra(rule->wanted);
	memcpy(rule->sessions, cfg->sessions, cfg->n_sessions * sizeof(*cfg->sessions));
	rule->match = match;
	for (words = vtap_rule_match_words(rule); match; match &= match - 1)
		*words++ = m[__ffs64(match)];
	rule->tunnel = vtap_rule_tunnels(rule);
	return rule;
}

/* Return: how many alternatives a rule has, at least one. */
unsigned int vtap_rule_matches(const struct vtap_rule *rule)
{
	return rule->wanted ? rule->wanted->n_matches : 1;
}

/* What a rule wants frames to look like: alternative @i. */
void vtap_rule_get_match(const struct vtap_rule *rule, unsigned int i, struct vtap_match *m)
{
	const u32 *words = vtap_rule_match_words(rule);
	u64 match;

	if (rule->wanted) {
		*m = rule->wanted->wants[i].form.match;
		return;
	}
	memset(m, 0, sizeof(*m));
	for (match = rule->match; match; match &= match - 1)
		((u32 *)m)[__ffs64(match)] = *words++;
}

/* All that the user said of a rule. */
void vtap_rule_get_cfg(const struct vtap_rule *rule, struct vtap_rule_cfg *cfg)
{
	*cfg = (struct vtap_rule_cfg){
		.tap = rule->tap,
		.pref = rule->pref,
		.dir = rule->dir,
		.action = rule->action,
		.n_sessions = rule->n_sessions,
		.sample = rule->sample,
		.sample_flow = rule->sample_flow,
		.dup = rule->dup,
		.filter = rule->filter,
		.wanted = rule->wanted,
	};
	memcpy(cfg->sessions, rule->sessions, rule->n_sessions * sizeof(*cfg->sessions));
	memcpy(cfg->port, rule->port, sizeof(cfg->port));
	memcpy(cfg->master, rule->master, sizeof(cfg->master));
	ether_addr_copy(cfg->mac, rule->mac);
	if (!rule->wanted)
		vtap_rule_get_match(rule, 0, &cfg->match);
}

/* Free a rule, its counters not. */
void vtap_rule_free(struct vtap_rule *rule)
{
	vtap_filter_put(rule->filter);
	vtap_list_put(rule->wanted);
	kfree(rule);
}

/*
 * The order of rules: by tap, and of a tap as they are tried; RTNL. Return: does @a come before
 * @b?
 */
bool vtap_rule_before(const struct vtap_rule *a, const struct vtap_rule *b)
{
	if (a->tap != b->tap)
		return a->tap->id < b->tap->id;
	return a->pref < b->pref || (a->pref == b->pref && a->id < b->id);
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

/*
 * Do a rule's conditions hold that are none of the key of alternative @match? softirq, RCU read
 * side. Return: true when they do.
 */
bool vtap_rule_match_extra(const struct vtap_rule *rule, unsigned int match,
			   const struct vtap_frame *f)
{
	if (rule->wanted && !vtap_list_holds(rule->wanted, match, f))
		return false;
	return !rule->filter || vtap_rule_filter(rule, f);
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
