/* SPDX-License-Identifier: GPL-2.0 */
/* Events, and the netlink family. */
#ifndef _VTAP_NL_H
#define _VTAP_NL_H

#include <linux/types.h>

struct genl_family;
struct vtap_net;
struct vtap_port;
struct vtap_rule;
struct vtap_session;

extern struct genl_family vtap_nl_family;

/* nl_msg.c */
void vtap_nl_session_notify(const struct vtap_session *s, u8 cmd);
void vtap_nl_rule_notify(struct vtap_net *vn, const struct vtap_rule *rule, u8 cmd);
void vtap_nl_port_notify(const struct vtap_port *port, u8 cmd);

/* netlink.c */
int vtap_nl_init(void);
void vtap_nl_exit(void);

#endif /* _VTAP_NL_H */
