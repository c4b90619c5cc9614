/* SPDX-License-Identifier: GPL-2.0 */
/* Sessions, rules and ports as netlink messages. */
#ifndef _VTAP_NL_MSG_H
#define _VTAP_NL_MSG_H

#include <linux/skbuff.h>
#include <net/genetlink.h>
#include <uapi/linux/vtap.h>

#include "net.h"

struct vtap_addr;

/* What is common to a reply, an entry of a dump and an event */
struct vtap_nl_msg {
	struct vtap_net *vn;
	u32 portid;
	u32 seq;
	int flags;
	u8 cmd;
	struct netlink_callback *cb;
};

/* Replies: @put writes one object. */
typedef int (*vtap_nl_put_t)(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m);

void *vtap_nl_put_header(struct sk_buff *skb, const struct vtap_nl_msg *m);
int vtap_nl_put_addr(struct sk_buff *skb, int attr, const struct vtap_addr *addr);
int vtap_nl_put_u64(struct sk_buff *skb, int attr, u64 v, int pad);
int vtap_nl_put_session(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m);
struct sk_buff *vtap_nl_prepare(struct genl_info *info, const void *obj, vtap_nl_put_t put, u8 cmd,
				size_t size);
int vtap_nl_reply(struct genl_info *info, const void *obj, vtap_nl_put_t put, u8 cmd, size_t size);
void vtap_nl_notify(struct vtap_net *vn, const void *obj, vtap_nl_put_t put, u8 cmd, size_t size);
int vtap_nl_put_port(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m);
int vtap_nl_put_reason(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m);
int vtap_nl_put_commit(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m);
int vtap_nl_put_module(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m);

/* nl_rule.c */
size_t vtap_nl_rule_size(const void *obj);
int vtap_nl_put_rule(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m);

static inline struct vtap_net *vtap_nl_net(struct genl_info *info)
{
	return vtap_pernet(genl_info_net(info));
}

#endif /* _VTAP_NL_MSG_H */
