// SPDX-License-Identifier: GPL-2.0
/* Which rules would decide on a frame: asked of the tables that frames are looked up in. */
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "extack.h"
#include "netlink_gen.h"
#include "nl_msg.h"
#include "own.h"
#include "parse.h"
#include "port.h"
#include "rule.h"
#include "session.h"
#include "table.h"
#include "taps.h"

/* A frame that passes a port, for the sake of the question. */
struct vtap_nl_trace {
	const struct vtap_port *port;
	struct vtap_frame f;
};

static int vtap_nl_put_sessions(struct sk_buff *msg, const struct vtap_rule *rule,
				const struct vtap_frame *f)
{
	unsigned int i;

	if (rule->sample > 1 && rule->sample_flow && !vtap_rule_sample(rule, f))
		return nla_put_flag(msg, VTAP_A_VERDICT_FLOW_LEFT_OUT);
	if (rule->sample > 1 && !rule->sample_flow &&
	    nla_put_u32(msg, VTAP_A_VERDICT_SAMPLE, rule->sample))
		return -EMSGSIZE;
	for (i = 0; i < rule->n_sessions; i++) {
		if (nla_put_string(msg, VTAP_A_VERDICT_SESSION, rule->sessions[i]->cfg.name))
			return -EMSGSIZE;
	}
	return 0;
}

/* What a table of one tap's rules says of the frame. */
static int vtap_nl_put_verdict(struct sk_buff *msg, const struct vtap_table *t,
			       struct vtap_frame *f)
{
	struct nlattr *nest = nla_nest_start(msg, VTAP_A_TRACE_VERDICT);
	const u8 tunnel = f->key.tunnel;
	const struct vtap_rule *rule;

	if (!nest || nla_put_string(msg, VTAP_A_VERDICT_TAP, t->rules[0]->tap->name))
		return -EMSGSIZE;
	rule = vtap_table_lookup(t, f);
	if (rule && (vtap_nl_put_u64(msg, VTAP_A_VERDICT_RULE, rule->id, VTAP_A_VERDICT_PAD) ||
		     nla_put_u32(msg, VTAP_A_VERDICT_ACTION, rule->action) ||
		     vtap_nl_put_sessions(msg, rule, f)))
		return -EMSGSIZE;
	f->key.tunnel = tunnel;
	nla_nest_end(msg, nest);
	return 0;
}

/* As vtap_tap_frame() goes, without the copies; RTNL, RCU read side, BH disabled. */
static int vtap_nl_put_verdicts(struct sk_buff *msg, const struct vtap_port *port,
				struct vtap_frame *f)
{
	const struct vtap_table *t = rtnl_dereference(port->table);
	unsigned int i;
	int err = 0;

	if (!vtap_parse(f))
		return 0;
	if (vtap_own(port->vn, f))
		return nla_put_flag(msg, VTAP_A_TRACE_OWN);
	if (!t->n_parts)
		return vtap_nl_put_verdict(msg, t, f);
	for (i = 0; !err && i < t->n_parts; i++)
		err = vtap_nl_put_verdict(msg, t->parts[i], f);
	return err;
}

static int vtap_nl_put_trace(struct sk_buff *msg, const void *obj, const struct vtap_nl_msg *m)
{
	const struct vtap_nl_trace *trace = obj;
	void *hdr = vtap_nl_put_header(msg, m);
	struct vtap_frame f = trace->f;
	int err;

	if (!hdr)
		return -EMSGSIZE;
	local_bh_disable();
	rcu_read_lock();
	err = vtap_nl_put_verdicts(msg, trace->port, &f);
	rcu_read_unlock();
	local_bh_enable();
	if (!err)
		genlmsg_end(msg, hdr);
	return err;
}

/* a rule with its sessions for each tap */
#define VTAP_NL_TRACE_SIZE	(NLMSG_GOODSIZE + VTAP_TAPS_MAX * 512)

/*
 * The frame as a hook would have it: a VLAN tag is in the metadata, as far as there is all of it,
 * and there is no Ethernet header at devices that have none.
 */
static struct sk_buff *vtap_nl_frame(const struct nlattr *a, const struct vtap_port *port)
{
	struct sk_buff *skb = alloc_skb(NET_IP_ALIGN + nla_len(a), GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, NET_IP_ALIGN);
	skb_put_data(skb, nla_data(a), nla_len(a));
	skb->protocol = eth_type_trans(skb, port->dev);
	skb_reset_network_header(skb);
	if (!port->bare && eth_type_vlan(skb->protocol) &&
	    skb->len >= VLAN_HLEN + sizeof(__be16))
		return skb_vlan_untag(skb);
	return skb;
}

static int vtap_nl_trace(struct genl_info *info, const struct vtap_port *port)
{
	const struct nlattr *frame = info->attrs[VTAP_A_TRACE_FRAME];
	const struct nlattr *dir = info->attrs[VTAP_A_TRACE_DIR];
	const u32 dirs = dir ? nla_get_u32(dir) : VTAP_DIR_INGRESS;
	struct vtap_nl_trace trace = {
		.port = port,
		.f = { .dir = dirs == VTAP_DIR_EGRESS ? VTAP_OUT : VTAP_IN, .bare = port->bare },
	};
	int err;

	if (dirs != VTAP_DIR_INGRESS && dirs != VTAP_DIR_EGRESS)
		return vtap_refuse_attr(info->extack, dir, -EINVAL,
					"a frame passes in one direction: ingress or egress");
	if (nla_len(frame) > VTAP_TRACE_MAX)
		return vtap_refuse_attr(info->extack, frame, -EINVAL,
					"the frame is longer than 16384 bytes");
	if (nla_len(frame) <= ETH_HLEN)
		return vtap_refuse_attr(info->extack, frame, -EINVAL,
					"the frame is no longer than an Ethernet header, 14 bytes");
	if (port->hook[trace.f.dir] == VTAP_HOOK_NONE)
		return vtap_refuse_attr(info->extack, dir, -ENOENT,
					"no rule for this direction binds to this device");
	trace.f.skb = vtap_nl_frame(frame, port);
	if (!trace.f.skb)
		return -ENOMEM;
	err = vtap_nl_reply(info, &trace, vtap_nl_put_trace, VTAP_CMD_TRACE_GET,
			    VTAP_NL_TRACE_SIZE);
	kfree_skb(trace.f.skb);
	return err;
}

int vtap_nl_trace_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *name = info->attrs[VTAP_A_TRACE_PORT];
	struct vtap_net *vn = vtap_nl_net(info);
	const struct vtap_port *port;
	struct net_device *dev;
	int err;

	if (!name || !info->attrs[VTAP_A_TRACE_FRAME])
		return vtap_refuse(info->extack, -EINVAL, "port and frame are needed");
	rtnl_lock();
	dev = __dev_get_by_name(vn->net, nla_data(name));
	port = dev ? vtap_port_of(vn, dev) : NULL;
	if (!dev)
		err = vtap_refuse_attr(info->extack, name, -ENODEV, "there is no such device");
	else if (!port || !rcu_access_pointer(port->table))
		err = vtap_refuse_attr(info->extack, name, -ENOENT,
				       "no rule binds to this device; port show says why");
	else
		err = vtap_nl_trace(info, port);
	rtnl_unlock();
	return err;
}
