// SPDX-License-Identifier: GPL-2.0
/* Rules as netlink messages. */
#include <net/genetlink.h>
#include <net/netlink.h>

#include "list.h"
#include "nl.h"
#include "nl_msg.h"
#include "rule.h"
#include "session.h"
#include "stats.h"
#include "table.h"
#include "taps.h"

static bool vtap_nl_has(const struct vtap_match *m, int attr)
{
	return m->present & BIT(attr);
}

/* Return: room for a match, which has at most one more attribute for each: mask, length or end. */
static size_t vtap_nl_match_size(const struct vtap_match *m)
{
	const unsigned int macs = BIT(VTAP_A_MATCH_SRC_MAC) | BIT(VTAP_A_MATCH_DST_MAC);
	const unsigned int addrs = BIT(VTAP_A_MATCH_SRC_IP) | BIT(VTAP_A_MATCH_DST_IP);

	return nla_total_size(0) +
	       hweight32(m->present) * 2 * nla_total_size(sizeof(u32)) +
	       hweight32(m->present & macs) * 2 * (nla_total_size(ETH_ALEN) - nla_total_size(4)) +
	       hweight32(m->present & addrs) * (nla_total_size(16) - nla_total_size(4));
}

/* @inner: what is inside the tunnel, NULL when @m itself is that */
static int vtap_nl_put_match(struct sk_buff *skb, int attr, const struct vtap_match *m,
			     const struct vtap_form *inner)
{
	struct nlattr *nest;

	nest = nla_nest_start(skb, attr);
	if (!nest)
		return -EMSGSIZE;
	if ((vtap_nl_has(m, VTAP_A_MATCH_SRC_MAC) &&
	     (nla_put(skb, VTAP_A_MATCH_SRC_MAC, ETH_ALEN, m->src_mac) ||
	      nla_put(skb, VTAP_A_MATCH_SRC_MAC_MASK, ETH_ALEN, m->src_mac_mask))) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_DST_MAC) &&
	     (nla_put(skb, VTAP_A_MATCH_DST_MAC, ETH_ALEN, m->dst_mac) ||
	      nla_put(skb, VTAP_A_MATCH_DST_MAC_MASK, ETH_ALEN, m->dst_mac_mask))) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_PROTOCOL) &&
	     nla_put_u16(skb, VTAP_A_MATCH_PROTOCOL, m->protocol)) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_VLAN_ID) &&
	     nla_put_u16(skb, VTAP_A_MATCH_VLAN_ID, m->vlan_id)) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_VLAN_PRIO) &&
	     nla_put_u8(skb, VTAP_A_MATCH_VLAN_PRIO, m->vlan_prio)) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_SRC_IP) &&
	     (vtap_nl_put_addr(skb, VTAP_A_MATCH_SRC_IP, &m->src_ip) ||
	      nla_put_u8(skb, VTAP_A_MATCH_SRC_IP_LEN, m->src_ip.len))) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_DST_IP) &&
	     (vtap_nl_put_addr(skb, VTAP_A_MATCH_DST_IP, &m->dst_ip) ||
	      nla_put_u8(skb, VTAP_A_MATCH_DST_IP_LEN, m->dst_ip.len))) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_IP_PROTO) &&
	     nla_put_u8(skb, VTAP_A_MATCH_IP_PROTO, m->ip_proto)) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_SRC_PORT) &&
	     (nla_put_u16(skb, VTAP_A_MATCH_SRC_PORT, m->src_port) ||
	      nla_put_u16(skb, VTAP_A_MATCH_SRC_PORT_MAX, m->src_port_max))) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_DST_PORT) &&
	     (nla_put_u16(skb, VTAP_A_MATCH_DST_PORT, m->dst_port) ||
	      nla_put_u16(skb, VTAP_A_MATCH_DST_PORT_MAX, m->dst_port_max))) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_TCP_FLAGS) &&
	     (nla_put_u16(skb, VTAP_A_MATCH_TCP_FLAGS, m->tcp_flags) ||
	      nla_put_u16(skb, VTAP_A_MATCH_TCP_FLAGS_MASK, m->tcp_flags_mask))) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_ICMP_TYPE) &&
	     nla_put_u8(skb, VTAP_A_MATCH_ICMP_TYPE, m->icmp_type)) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_ICMP_CODE) &&
	     nla_put_u8(skb, VTAP_A_MATCH_ICMP_CODE, m->icmp_code)) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_IP_FLAGS) &&
	     (nla_put_u32(skb, VTAP_A_MATCH_IP_FLAGS, m->ip_flags) ||
	      nla_put_u32(skb, VTAP_A_MATCH_IP_FLAGS_MASK, m->ip_flags_mask))) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_TUNNEL) &&
	     nla_put_u32(skb, VTAP_A_MATCH_TUNNEL, m->tunnel)) ||
	    (vtap_nl_has(m, VTAP_A_MATCH_TUNNEL_KEY) &&
	     nla_put_u32(skb, VTAP_A_MATCH_TUNNEL_KEY, m->tunnel_key)) ||
	    (inner && vtap_nl_put_match(skb, VTAP_A_MATCH_INNER, &inner->match, NULL)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* Every frame: no match at all. */
static int vtap_nl_put_matches(struct sk_buff *skb, const struct vtap_rule *rule)
{
	const struct vtap_list *l = rule->wanted;
	struct vtap_match m;
	unsigned int i;

	if (!l) {
		vtap_rule_get_match(rule, 0, &m);
		return m.present ? vtap_nl_put_match(skb, VTAP_A_RULE_MATCH, &m, NULL) : 0;
	}
	for (i = 0; i < l->n_matches + l->n_excepts; i++) {
		const struct vtap_want *w = l->wants + i;

		if (w->form.match.present &&
		    vtap_nl_put_match(skb, i < l->n_matches ? VTAP_A_RULE_MATCH : VTAP_A_RULE_EXCEPT,
				      &w->form.match, w->inner))
			return -EMSGSIZE;
	}
	return 0;
}

/**
 * vtap_nl_rule_size - room for a rule
 * @obj: the rule
 *
 * Return: at least the length of its message.
 */
size_t vtap_nl_rule_size(const void *obj)
{
	const struct vtap_rule *rule = obj;
	const struct vtap_list *l = rule->wanted;
	size_t size = NLMSG_GOODSIZE;
	unsigned int i;

	if (rule->filter)
		size += rule->filter->n * sizeof(*rule->filter->insns);
	for (i = 0; l && i < l->n_matches + l->n_excepts; i++) {
		const struct vtap_want *w = l->wants + i;

		size += vtap_nl_match_size(&w->form.match);
		if (w->inner)
			size += vtap_nl_match_size(&w->inner->match);
	}
	return size;
}

int vtap_nl_put_rule(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	const struct vtap_rule *rule = obj;
	const struct vtap_filter *filter = rule->filter;
	void *hdr = vtap_nl_put_header(skb, m);
	u64 v[__VTAP_RULE_STAT_MAX];
	unsigned int i;

	if (!hdr)
		return -EMSGSIZE;
	vtap_stats_read(rule->stats, v, __VTAP_RULE_STAT_MAX);
	if (vtap_nl_put_u64(skb, VTAP_A_RULE_ID, rule->id, VTAP_A_RULE_PAD) ||
	    nla_put_string(skb, VTAP_A_RULE_TAP, rule->tap->name) ||
	    nla_put_u32(skb, VTAP_A_RULE_PREF, rule->pref) ||
	    (rule->port[0] && nla_put_string(skb, VTAP_A_RULE_PORT, rule->port)) ||
	    (rule->master[0] && nla_put_string(skb, VTAP_A_RULE_MASTER, rule->master)) ||
	    (!is_zero_ether_addr(rule->mac) &&
	     nla_put(skb, VTAP_A_RULE_MAC, ETH_ALEN, rule->mac)) ||
	    nla_put_u8(skb, VTAP_A_RULE_DUP, rule->dup) ||
	    nla_put_u32(skb, VTAP_A_RULE_SAMPLE, rule->sample) ||
	    nla_put_u8(skb, VTAP_A_RULE_SAMPLE_FLOW, rule->sample_flow) ||
	    nla_put_u32(skb, VTAP_A_RULE_DIR, rule->dir) ||
	    nla_put_u32(skb, VTAP_A_RULE_PORTS, vtap_table_ports(m->vn, rule)) ||
	    nla_put_u32(skb, VTAP_A_RULE_ACTION, rule->action) ||
	    vtap_nl_put_matches(skb, rule) ||
	    (filter && nla_put(skb, VTAP_A_RULE_FILTER, filter->n * sizeof(*filter->insns),
			       filter->insns)) ||
	    (filter && filter->text &&
	     nla_put_string(skb, VTAP_A_RULE_FILTER_TEXT, filter->text)) ||
	    vtap_nl_put_u64(skb, VTAP_A_RULE_PACKETS, v[VTAP_RULE_STAT_PACKETS], VTAP_A_RULE_PAD) ||
	    vtap_nl_put_u64(skb, VTAP_A_RULE_BYTES, v[VTAP_RULE_STAT_BYTES], VTAP_A_RULE_PAD))
		goto cancel;
	for (i = 0; i < rule->n_sessions; i++) {
		if (nla_put_string(skb, VTAP_A_RULE_SESSION, rule->sessions[i]->cfg.name))
			goto cancel;
	}
	genlmsg_end(skb, hdr);
	return 0;

cancel:
	genlmsg_cancel(skb, hdr);
	return -EMSGSIZE;
}

/**
 * vtap_nl_rule_notify - tell listeners of a rule; RTNL
 * @vn: the namespace's vtap
 * @rule: the rule
 * @cmd: VTAP_CMD_RULE_*_NTF
 */
void vtap_nl_rule_notify(struct vtap_net *vn, const struct vtap_rule *rule, u8 cmd)
{
	vtap_nl_notify(vn, rule, vtap_nl_put_rule, cmd, vtap_nl_rule_size(rule));
}

