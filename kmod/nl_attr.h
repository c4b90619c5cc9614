/* SPDX-License-Identifier: GPL-2.0 */
/* Netlink attributes to plain structures. */
#ifndef _VTAP_NL_ATTR_H
#define _VTAP_NL_ATTR_H

#include <net/netlink.h>

struct netlink_ext_ack;
struct vtap_addr;
struct vtap_list;
struct vtap_net;
struct vtap_rule;
struct vtap_rule_cfg;
struct vtap_session;
struct vtap_session_cfg;
struct vtap_tap;
struct vtap_txn;

/*
 * The attributes of one change
 * @a: by type
 * @head: all of them, @len bytes
 */
struct vtap_nl_args {
	struct nlattr **a;
	const struct nlattr *head;
	int len;
};

/* nl_attr.c */
int vtap_nl_get_session_cfg(struct vtap_session_cfg *cfg, struct nlattr **a,
			    struct netlink_ext_ack *extack);
struct vtap_session *vtap_nl_find_session(struct vtap_net *vn, struct nlattr **a,
					  struct netlink_ext_ack *extack);
struct vtap_tap *vtap_nl_find_tap(struct vtap_net *vn, const struct nlattr *a);
struct vtap_tap *vtap_nl_make_tap(struct vtap_txn *txn, const struct nlattr *a);
int vtap_nl_get_rule_cfg(struct vtap_rule_cfg *cfg, struct vtap_txn *txn,
			 const struct vtap_nl_args *args);
struct vtap_rule *vtap_nl_find_rule(struct vtap_net *vn, const struct nlattr *a,
				    struct netlink_ext_ack *extack);

/* nl_match.c */
int vtap_nl_get_addr(struct vtap_addr *addr, const struct nlattr *a,
		     const struct nlattr *len, bool clear, struct netlink_ext_ack *extack);
int vtap_nl_get_matches(struct vtap_rule_cfg *cfg, struct vtap_list *old,
			const struct vtap_nl_args *args, struct netlink_ext_ack *extack);

/* nl_default.c */
void vtap_nl_session_default(struct vtap_session_cfg *cfg, u32 type);
void vtap_nl_rule_default(struct vtap_rule_cfg *cfg);
bool vtap_nl_is_unset(const struct vtap_nl_args *args, int unset, u32 attr);
int vtap_nl_session_unset(struct vtap_session_cfg *cfg, const struct vtap_nl_args *args,
			  struct netlink_ext_ack *extack);
int vtap_nl_rule_unset(struct vtap_rule_cfg *cfg, const struct vtap_nl_args *args,
		       struct netlink_ext_ack *extack);

#endif /* _VTAP_NL_ATTR_H */
