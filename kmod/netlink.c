// SPDX-License-Identifier: GPL-2.0
/* The netlink family, and requests for one object. */
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "compat.h"
#include "extack.h"
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

static int vtap_nl_refuse_filter(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	if (!a)
		return 0;
	return vtap_refuse_attr(extack, a, -EINVAL, "this attribute picks objects of a dump");
}

int vtap_nl_session_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct vtap_session *s;
	int err;

	err = vtap_nl_refuse_filter(info->attrs[VTAP_A_SESSION_TYPE], info->extack);
	if (err)
		return err;
	rtnl_lock();
	s = vtap_nl_find_session(vtap_nl_net(info), info->attrs, info->extack);
	err = IS_ERR(s) ? PTR_ERR(s) :
	      vtap_nl_reply(info, s, vtap_nl_put_session, VTAP_CMD_SESSION_GET,
			    NLMSG_GOODSIZE);
	rtnl_unlock();
	return err;
}

int vtap_nl_rule_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct vtap_rule *rule;
	int err;

	err = vtap_nl_refuse_filter(info->attrs[VTAP_A_RULE_PORT] ?:
				    info->attrs[VTAP_A_RULE_SESSION] ?:
				    info->attrs[VTAP_A_RULE_TAP], info->extack);
	if (err)
		return err;
	rtnl_lock();
	rule = vtap_nl_find_rule(vtap_nl_net(info), info->attrs[VTAP_A_RULE_ID], info->extack);
	err = IS_ERR(rule) ? PTR_ERR(rule) :
	      vtap_nl_reply(info, rule, vtap_nl_put_rule, VTAP_CMD_RULE_GET,
			    vtap_nl_rule_size(rule));
	rtnl_unlock();
	return err;
}

int vtap_nl_port_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *name = info->attrs[VTAP_A_PORT_NAME];
	struct nlattr *index = info->attrs[VTAP_A_PORT_IFINDEX];
	struct vtap_net *vn = vtap_nl_net(info);
	const struct vtap_port *port;
	struct net_device *dev;
	int err;

	err = vtap_nl_refuse_filter(info->attrs[VTAP_A_PORT_RULE] ?:
				    info->attrs[VTAP_A_PORT_SESSION] ?:
				    info->attrs[VTAP_A_PORT_TAP], info->extack);
	if (err)
		return err;
	if (!name == !index)
		return vtap_refuse(info->extack, -EINVAL,
				   "either name or ifindex is needed");
	err = -ENOENT;
	rtnl_lock();
	dev = name ? __dev_get_by_name(vn->net, nla_data(name)) :
		     __dev_get_by_index(vn->net, nla_get_u32(index));
	port = dev ? vtap_port_of(vn, dev) : NULL;
	if (port && rcu_access_pointer(port->table))
		err = vtap_nl_reply(info, port, vtap_nl_put_port, VTAP_CMD_PORT_GET,
				    NLMSG_GOODSIZE);
	else if (dev)
		err = vtap_nl_reply(info, dev, vtap_nl_put_reason, VTAP_CMD_PORT_GET,
				    NLMSG_GOODSIZE);
	else
		NL_SET_ERR_MSG_ATTR(info->extack, name ?: index, "there is no such device");
	rtnl_unlock();
	return err;
}

int vtap_nl_module_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	return vtap_nl_reply(info, NULL, vtap_nl_put_module, VTAP_CMD_MODULE_GET, NLMSG_GOODSIZE);
}

/* Register the family. Return: 0 or a negative error. */
int vtap_nl_init(void)
{
	return genl_register_family(&vtap_nl_family);
}

/** vtap_nl_exit - unregister the family; no command is running afterwards */
void vtap_nl_exit(void)
{
	genl_unregister_family(&vtap_nl_family);
}
