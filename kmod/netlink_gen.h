/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/vtap.yaml */
/* YNL-GEN kernel header */

#ifndef _LINUX_VTAP_GEN_H
#define _LINUX_VTAP_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/vtap.h>

/* Common nested types */
extern const struct nla_policy vtap_change_nl_policy[VTAP_A_CHANGE_TAP_OWN + 1];
extern const struct nla_policy vtap_match_nl_policy[VTAP_A_MATCH_INNER + 1];
extern const struct nla_policy vtap_match_inner_nl_policy[VTAP_A_MATCH_IP_FLAGS_MASK + 1];
extern const struct nla_policy vtap_rule_change_nl_policy[VTAP_A_RULE_EXCEPT + 1];
extern const struct nla_policy vtap_rule_key_nl_policy[VTAP_A_RULE_ID + 1];
extern const struct nla_policy vtap_rule_pref_nl_policy[VTAP_A_RULE_TAP + 1];
extern const struct nla_policy vtap_rule_words_nl_policy[VTAP_A_RULE_EXCEPT + 1];
extern const struct nla_policy vtap_session_change_nl_policy[VTAP_A_SESSION_MASK + 1];
extern const struct nla_policy vtap_session_key_nl_policy[VTAP_A_SESSION_TAP + 1];
extern const struct nla_policy vtap_session_kind_nl_policy[VTAP_A_SESSION_TAP + 1];
extern const struct nla_policy vtap_session_words_nl_policy[VTAP_A_SESSION_MASK + 1];
extern const struct nla_policy vtap_tap_key_nl_policy[VTAP_A_TAP_NAME + 1];

extern const struct nla_policy vtap_session_get_nl_policy[VTAP_A_SESSION_TAP + 1];

extern const struct nla_policy vtap_rule_get_nl_policy[VTAP_A_RULE_TAP + 1];

extern const struct nla_policy vtap_port_get_nl_policy[VTAP_A_PORT_TAP + 1];

extern const struct nla_policy vtap_commit_nl_policy[VTAP_A_COMMIT_CHANGE + 1];

extern const struct nla_policy vtap_tap_get_nl_policy[VTAP_A_TAP_NAME + 1];

extern const struct nla_policy vtap_module_get_nl_policy[VTAP_A_MODULE_PAD + 1];

extern const struct nla_policy vtap_trace_get_nl_policy[VTAP_A_TRACE_FRAME + 1];

/* Ops table for vtap */
extern const struct genl_ops vtap_nl_ops[7];

int vtap_nl_session_get_doit(struct sk_buff *skb, struct genl_info *info);
int vtap_nl_session_get_dumpit(struct sk_buff *skb,
			       struct netlink_callback *cb);
int vtap_nl_rule_get_doit(struct sk_buff *skb, struct genl_info *info);
int vtap_nl_rule_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int vtap_nl_port_get_doit(struct sk_buff *skb, struct genl_info *info);
int vtap_nl_port_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int vtap_nl_commit_doit(struct sk_buff *skb, struct genl_info *info);
int vtap_nl_tap_get_doit(struct sk_buff *skb, struct genl_info *info);
int vtap_nl_tap_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int vtap_nl_module_get_doit(struct sk_buff *skb, struct genl_info *info);
int vtap_nl_trace_get_doit(struct sk_buff *skb, struct genl_info *info);

enum {
	VTAP_NLGRP_MONITOR,
};

#endif /* _LINUX_VTAP_GEN_H */
