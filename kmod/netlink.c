// SPDX-License-Identifier: GPL-2.0
/* The netlink family: requests and dumps. */
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "compat.h"
#include "netlink_gen.h"
#include "nl.h"
#include "nl_attr.h"
#include "nl_msg.h"
#include "port.h"
#include "rule.h"
#include "session.h"

static const struct genl_multicast_group vtap_nl_groups[] = {
	[VTAP_NLGRP_MONITOR] = {
		.name = "monitor",
		.flags = VTAP_GENL_MCAST_ADMIN,
	},
};

struct genl_family vtap_nl_family __ro_after_init = {
	.name = VTAP_GENL_NAME,
	.version = VTAP_GENL_VERSION,
	.module = THIS_MODULE,
	.netnsok = true,
	.parallel_ops = true,
	.ops = vtap_nl_ops,
	.n_ops = ARRAY_SIZE(vtap_nl_ops),
	.mcgrps = vtap_nl_groups,
	.n_mcgrps = ARRAY_SIZE(vtap_nl_groups),
};

/* Dump a list from its cb->args[0]-th element on; RTNL is taken here. */
static int vtap_nl_dump(struct sk_buff *skb, struct netlink_callback *cb, vtap_nl_put_t put, u8 cmd,
			size_t list_offset, size_t member_offset)
{
	struct vtap_net *vn = vtap_pernet(sock_net(skb->sk));
	const struct vtap_nl_msg m = {
		.vn = vn, .portid = NETLINK_CB(cb->skb).portid, .seq = cb->nlh->nlmsg_seq,
		.flags = NLM_F_MULTI, .cmd = cmd, .cb = cb,
	};
	struct list_head *list = (void *)vn + list_offset, *pos;
	long i = 0;
	int err = 0;

	rtnl_lock();
	cb->seq = vn->gen;
	list_for_each(pos, list) {
		if (i >= cb->args[0]) {
			err = put(skb, (void *)pos - member_offset, &m);
			/* the kernel goes by the reads there were: one object fits in any case */
			if (err && !skb->len &&
			    !pskb_expand_head(skb, 0, VTAP_NL_MSG_SIZE, GFP_KERNEL))
				err = put(skb, (void *)pos - member_offset, &m);
			if (err)
				break;
		}
		i++;
	}
	cb->args[0] = i;
	rtnl_unlock();
	return err && !skb->len ? err : skb->len;
}

int vtap_nl_session_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct vtap_session *s;
	int err;

	rtnl_lock();
	s = vtap_nl_find_session(vtap_nl_net(info), info->attrs[VTAP_A_SESSION_NAME],
				 info->extack);
	err = IS_ERR(s) ? PTR_ERR(s) :
	      vtap_nl_reply(info, s, vtap_nl_put_session, VTAP_CMD_SESSION_GET);
	rtnl_unlock();
	return err;
}

int vtap_nl_session_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vtap_nl_dump(skb, cb, vtap_nl_put_session, VTAP_CMD_SESSION_GET,
			    offsetof(struct vtap_net, sessions),
			    offsetof(struct vtap_session, list));
}

int vtap_nl_rule_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct vtap_rule *rule;
	int err;

	rtnl_lock();
	rule = vtap_nl_find_rule(vtap_nl_net(info), info->attrs[VTAP_A_RULE_ID], info->extack);
	err = IS_ERR(rule) ? PTR_ERR(rule) :
	      vtap_nl_reply(info, rule, vtap_nl_put_rule, VTAP_CMD_RULE_GET);
	rtnl_unlock();
	return err;
}

int vtap_nl_rule_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vtap_nl_dump(skb, cb, vtap_nl_put_rule, VTAP_CMD_RULE_GET,
			    offsetof(struct vtap_net, rules), offsetof(struct vtap_rule, list));
}

int vtap_nl_port_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *name = info->attrs[VTAP_A_PORT_NAME];
	struct nlattr *index = info->attrs[VTAP_A_PORT_IFINDEX];
	struct vtap_net *vn = vtap_nl_net(info);
	const struct vtap_port *port;
	struct net_device *dev;
	int err = -ENOENT;

	if (!name == !index) {
		NL_SET_ERR_MSG(info->extack, "name or ifindex, one of them, is needed");
		return -EINVAL;
	}
	rtnl_lock();
	dev = name ? __dev_get_by_name(vn->net, nla_data(name)) :
		     __dev_get_by_index(vn->net, nla_get_u32(index));
	port = dev ? vtap_port_of(vn, dev) : NULL;
	if (port && rcu_access_pointer(port->table))
		err = vtap_nl_reply(info, port, vtap_nl_put_port, VTAP_CMD_PORT_GET);
	else if (dev)
		err = vtap_nl_reply(info, dev, vtap_nl_put_reason, VTAP_CMD_PORT_GET);
	else
		NL_SET_ERR_MSG_ATTR(info->extack, name ?: index, "there is no such device");
	rtnl_unlock();
	return err;
}

int vtap_nl_port_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vtap_nl_dump(skb, cb, vtap_nl_put_port, VTAP_CMD_PORT_GET,
			    offsetof(struct vtap_net, ports), offsetof(struct vtap_port, list));
}

int vtap_nl_module_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	return vtap_nl_reply(info, NULL, vtap_nl_put_module, VTAP_CMD_MODULE_GET);
}

/**
 * vtap_nl_init - register the family
 *
 * Return: 0 or a negative error.
 */
int vtap_nl_init(void)
{
	return genl_register_family(&vtap_nl_family);
}

/** vtap_nl_exit - unregister the family; no command is running afterwards */
void vtap_nl_exit(void)
{
	genl_unregister_family(&vtap_nl_family);
}
