// SPDX-License-Identifier: GPL-2.0
/* Taps as netlink messages. */
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "compat.h"
#include "extack.h"
#include "netlink_gen.h"
#include "nl_attr.h"
#include "nl_msg.h"
#include "rule.h"
#include "stats.h"
#include "table.h"
#include "taps.h"

/* What its rules decided on, summed up. */
static void vtap_nl_read_tap(const struct vtap_net *vn, const struct vtap_tap *tap, u64 *packets,
			     u64 *bytes)
{
	const struct vtap_rule *rule;
	u64 v[__VTAP_RULE_STAT_MAX];

	*packets = 0;
	*bytes = 0;
	list_for_each_entry(rule, &vn->rules, list) {
		if (rule->tap != tap)
			continue;
		vtap_stats_read(rule->stats, v, __VTAP_RULE_STAT_MAX);
		*packets += v[VTAP_RULE_STAT_PACKETS];
		*bytes += v[VTAP_RULE_STAT_BYTES];
	}
}

static int vtap_nl_put_tap(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	void *hdr = vtap_nl_put_header(skb, m);
	const struct vtap_tap *tap = obj;
	u64 packets, bytes;

	if (!hdr)
		return -EMSGSIZE;
	vtap_nl_read_tap(m->vn, tap, &packets, &bytes);
	if (nla_put_string(skb, VTAP_A_TAP_NAME, tap->name) ||
	    nla_put_u32(skb, VTAP_A_TAP_RULES, tap->n_rules) ||
	    nla_put_u32(skb, VTAP_A_TAP_SESSIONS, tap->n_sessions) ||
	    (READ_ONCE(tap->owner) && nla_put_u32(skb, VTAP_A_TAP_OWNER, READ_ONCE(tap->owner))) ||
	    nla_put_u32(skb, VTAP_A_TAP_PORTS, vtap_table_tap_ports(m->vn, tap)) ||
	    vtap_nl_put_u64(skb, VTAP_A_TAP_PACKETS, packets, VTAP_A_TAP_PAD) ||
	    vtap_nl_put_u64(skb, VTAP_A_TAP_BYTES, bytes, VTAP_A_TAP_PAD)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

int vtap_nl_tap_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *name = info->attrs[VTAP_A_TAP_NAME];
	const struct vtap_tap *tap;
	int err = -ENOENT;

	if (!name)
		return vtap_refuse(info->extack, -EINVAL, "name is missing");
	rtnl_lock();
	tap = vtap_nl_find_tap(vtap_nl_net(info), name);
	if (tap)
		err = vtap_nl_reply(info, tap, vtap_nl_put_tap, VTAP_CMD_TAP_GET, NLMSG_GOODSIZE);
	else
		NL_SET_ERR_MSG_ATTR(info->extack, name, "no tap of this name");
	rtnl_unlock();
	return err;
}

/* They are few, and go on behind the id of the last one. */
int vtap_nl_tap_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vtap_net *vn = vtap_pernet(sock_net(skb->sk));
	const struct vtap_nl_msg m = {
		.vn = vn, .portid = NETLINK_CB(cb->skb).portid, .seq = cb->nlh->nlmsg_seq,
		.flags = NLM_F_MULTI, .cmd = VTAP_CMD_TAP_GET, .cb = cb,
	};
	const struct vtap_tap *tap;

	rtnl_lock();
	cb->seq = vn->gen;
	list_for_each_entry(tap, &vn->taps, list) {
		if (tap->id <= (unsigned long)cb->args[0])
			continue;
		if (vtap_nl_put_tap(skb, tap, &m))
			break;
		cb->args[0] = tap->id;
	}
	rtnl_unlock();
	return skb->len;
}
