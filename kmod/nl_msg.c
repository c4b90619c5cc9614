// SPDX-License-Identifier: GPL-2.0
/* Sessions and ports as netlink messages; events. */
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "encap.h"
#include "hook.h"
#include "kind.h"
#include "netlink_gen.h"
#include "nl.h"
#include "nl_msg.h"
#include "port.h"
#include "rule.h"
#include "session.h"
#include "stats.h"
#include "table.h"
#include "taps.h"
#include "txn.h"
#include "version.h"

void *vtap_nl_put_header(struct sk_buff *skb, const struct vtap_nl_msg *m)
{
	void *hdr = genlmsg_put(skb, m->portid, m->seq, &vtap_nl_family, m->flags, m->cmd);

	if (hdr && m->cb)
		genl_dump_check_consistent(m->cb, hdr);
	return hdr;
}

int vtap_nl_put_addr(struct sk_buff *skb, int attr, const struct vtap_addr *addr)
{
	if (!addr->family)
		return 0;
	return nla_put(skb, attr, addr->family == AF_INET ? 4 : 16, &addr->ip);
}

int vtap_nl_put_u64(struct sk_buff *skb, int attr, u64 v, int pad)
{
	return nla_put_u64_64bit(skb, attr, v, pad);
}

/* Counters whose order is that of their attributes, the first of which is number 1. */
static int vtap_nl_put_stats(struct sk_buff *skb, int attr, const u64 *v, unsigned int n, int pad)
{
	struct nlattr *nest = nla_nest_start(skb, attr);
	unsigned int i;

	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < n; i++) {
		if (vtap_nl_put_u64(skb, i + 1, v[i], pad))
			return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

static_assert(VTAP_A_SESSION_STATS_MATCHED - 1 == VTAP_SESSION_STAT_MATCHED &&
	      VTAP_A_SESSION_STATS_DROP_XMIT - 1 == VTAP_SESSION_STAT_DROP_XMIT &&
	      VTAP_A_SESSION_STATS_MASKED - 1 == VTAP_SESSION_STAT_MASKED &&
	      VTAP_A_SESSION_STATS_PAD - 1 == __VTAP_SESSION_STAT_MAX &&
	      __VTAP_SESSION_STAT_MAX - 1 < VTAP_STATS_MAX &&
	      offsetof(struct vtap_session_stats, v) == offsetof(struct vtap_stats, v));

static int vtap_nl_put_session_stats(struct sk_buff *skb, const struct vtap_session *s)
{
	u64 v[__VTAP_SESSION_STAT_MAX];

	vtap_stats_read(s->stats, v, __VTAP_SESSION_STAT_MAX);
	return vtap_nl_put_stats(skb, VTAP_A_SESSION_STATS, v, __VTAP_SESSION_STAT_MAX,
				 VTAP_A_SESSION_STATS_PAD);
}

/* The device may be gone. */
static int vtap_nl_put_loop_port(struct sk_buff *skb, const struct vtap_session *s)
{
	const struct net_device *dev = NULL;

	if (s->state == VTAP_SESSION_STATE_LOOP)
		dev = __dev_get_by_index(s->vn->net, READ_ONCE(s->loop_port));
	return dev ? nla_put_string(skb, VTAP_A_SESSION_LOOP_PORT, dev->name) : 0;
}

static int vtap_nl_put_icmp(struct sk_buff *skb, struct vtap_session *s)
{
	const int len = s->cfg.remote.family == AF_INET ? 4 : 16;
	struct vtap_unreach u;
	struct nlattr *nest;

	vtap_unreach_read(s, &u);
	if (!u.errors)
		return 0;
	nest = nla_nest_start(skb, VTAP_A_SESSION_ICMP);
	if (!nest ||
	    vtap_nl_put_u64(skb, VTAP_A_SESSION_ICMP_ERRORS, u.errors, VTAP_A_SESSION_ICMP_PAD) ||
	    nla_put_u8(skb, VTAP_A_SESSION_ICMP_TYPE, u.last.type) ||
	    nla_put_u8(skb, VTAP_A_SESSION_ICMP_CODE, u.last.code) ||
	    nla_put(skb, VTAP_A_SESSION_ICMP_FROM, len, &u.last.from) ||
	    vtap_nl_put_u64(skb, VTAP_A_SESSION_ICMP_AGO,
			    ktime_to_ms(ktime_sub(ktime_get_boottime(), u.when)),
			    VTAP_A_SESSION_ICMP_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int vtap_nl_put_session(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	const struct vtap_session *s = obj;
	const struct vtap_tmpl *t = rtnl_dereference(s->tmpl);
	const struct vtap_session_cfg *cfg = &s->cfg;
	void *hdr = vtap_nl_put_header(skb, m);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_string(skb, VTAP_A_SESSION_NAME, cfg->name) ||
	    nla_put_string(skb, VTAP_A_SESSION_TAP, cfg->tap->name) ||
	    nla_put_u32(skb, VTAP_A_SESSION_TYPE, cfg->type) ||
	    vtap_nl_put_addr(skb, VTAP_A_SESSION_REMOTE, &cfg->remote) ||
	    vtap_nl_put_addr(skb, VTAP_A_SESSION_LOCAL, &cfg->local) ||
	    (cfg->dev[0] && nla_put_string(skb, VTAP_A_SESSION_DEV, cfg->dev)) ||
	    (cfg->has_key && nla_put_u32(skb, VTAP_A_SESSION_KEY, cfg->key)) ||
	    nla_put_u16(skb, VTAP_A_SESSION_ID, cfg->id) ||
	    nla_put_u32(skb, VTAP_A_SESSION_INDEX, cfg->index) ||
	    nla_put_u8(skb, VTAP_A_SESSION_TTL, cfg->ttl) ||
	    nla_put_u8(skb, VTAP_A_SESSION_TOS, cfg->tos) ||
	    nla_put_u32(skb, VTAP_A_SESSION_SNAPLEN, cfg->snaplen) ||
	    nla_put_u32(skb, VTAP_A_SESSION_MTU, cfg->mtu) ||
	    nla_put_u32(skb, VTAP_A_SESSION_VLAN, cfg->vlan) ||
	    nla_put_u8(skb, VTAP_A_SESSION_SEQ, cfg->seq) ||
	    nla_put_u8(skb, VTAP_A_SESSION_SUBHEADER, cfg->subheader) ||
	    (cfg->dport && nla_put_u16(skb, VTAP_A_SESSION_DPORT, cfg->dport)) ||
	    vtap_nl_put_u64(skb, VTAP_A_SESSION_RATE, cfg->rate, VTAP_A_SESSION_PAD) ||
	    nla_put_u32(skb, VTAP_A_SESSION_BURST, cfg->burst) ||
	    nla_put_u32(skb, VTAP_A_SESSION_PPS, cfg->pps) ||
	    nla_put_u8(skb, VTAP_A_SESSION_DECAP, cfg->decap) ||
	    nla_put_u8(skb, VTAP_A_SESSION_OFFLOAD, cfg->offload) ||
	    vtap_nl_put_u64(skb, VTAP_A_SESSION_SEED, cfg->seed, VTAP_A_SESSION_PAD) ||
	    nla_put_u8(skb, VTAP_A_SESSION_CSUM, cfg->csum) ||
	    nla_put_u32(skb, VTAP_A_SESSION_SLICE, cfg->slice) ||
	    nla_put_u16(skb, VTAP_A_SESSION_SLICE_MORE, cfg->slice_more) ||
	    nla_put_u32(skb, VTAP_A_SESSION_MASK, cfg->mask) ||
	    nla_put_u32(skb, VTAP_A_SESSION_STATE, s->state) ||
	    (t && nla_put_string(skb, VTAP_A_SESSION_EGRESS, t->dev->name)) ||
	    (t && nla_put_u32(skb, VTAP_A_SESSION_PATH_MTU, t->mtu)) ||
	    vtap_nl_put_loop_port(skb, s) ||
	    vtap_nl_put_icmp(skb, (struct vtap_session *)s) ||
	    vtap_nl_put_session_stats(skb, s)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

struct sk_buff *vtap_nl_prepare(struct genl_info *info, const void *obj, vtap_nl_put_t put, u8 cmd,
				size_t size)
{
	const struct vtap_nl_msg m = {
		.vn = vtap_nl_net(info), .portid = info->snd_portid, .seq = info->snd_seq,
		.cmd = cmd,
	};
	struct sk_buff *msg;
	int err;

	msg = genlmsg_new(size, GFP_KERNEL);
	if (!msg)
		return ERR_PTR(-ENOMEM);
	err = put(msg, obj, &m);
	if (err) {
		nlmsg_free(msg);
		return ERR_PTR(err);
	}
	return msg;
}

int vtap_nl_reply(struct genl_info *info, const void *obj, vtap_nl_put_t put, u8 cmd, size_t size)
{
	struct sk_buff *msg = vtap_nl_prepare(info, obj, put, cmd, size);

	return IS_ERR(msg) ? PTR_ERR(msg) : genlmsg_reply(msg, info);
}

/* An event names the request that caused it; with NLM_F_ECHO its sender gets it as a reply. */
void vtap_nl_notify(struct vtap_net *vn, const void *obj, vtap_nl_put_t put, u8 cmd, size_t size)
{
	struct genl_info *cause = vn->cause;
	const struct vtap_nl_msg m = {
		.vn = vn, .cmd = cmd,
		.portid = cause ? cause->snd_portid : 0, .seq = cause ? cause->snd_seq : 0,
	};
	struct sk_buff *msg;
	int err = -ENOMEM;

	if (!(cause && nlmsg_report(cause->nlhdr)) &&
	    !genl_has_listeners(&vtap_nl_family, vn->net, VTAP_NLGRP_MONITOR))
		return;
	msg = genlmsg_new(size, GFP_KERNEL);
	if (msg)
		err = put(msg, obj, &m);
	if (!err && cause) {
		genl_notify(&vtap_nl_family, msg, cause, VTAP_NLGRP_MONITOR, GFP_KERNEL);
		return;
	}
	if (!err) {
		genlmsg_multicast_netns(&vtap_nl_family, vn->net, msg, 0, VTAP_NLGRP_MONITOR,
					GFP_KERNEL);
		return;
	}
	nlmsg_free(msg);
	/* listeners are told that they missed something */
	genl_set_err(&vtap_nl_family, vn->net, 0, VTAP_NLGRP_MONITOR, -ENOBUFS);
}

/**
 * vtap_nl_session_notify - tell listeners of a session; RTNL
 * @s: the session
 * @cmd: VTAP_CMD_SESSION_*_NTF
 */
void vtap_nl_session_notify(const struct vtap_session *s, u8 cmd)
{
	vtap_nl_notify(s->vn, s, vtap_nl_put_session, cmd, NLMSG_GOODSIZE);
}

static_assert(VTAP_A_PORT_STATS_SEEN - 1 == VTAP_PORT_STAT_SEEN &&
	      VTAP_A_PORT_STATS_DUP - 1 == VTAP_PORT_STAT_DUP &&
	      VTAP_A_PORT_STATS_PAD - 1 == __VTAP_PORT_STAT_MAX &&
	      VTAP_NDIR * __VTAP_PORT_STAT_MAX - 1 < VTAP_STATS_MAX &&
	      offsetof(struct vtap_port_stats, v) == offsetof(struct vtap_stats, v) &&
	      offsetof(struct vtap_rule_stats, v) == offsetof(struct vtap_stats, v));

static int vtap_nl_put_port_stats(struct sk_buff *skb, int attr, u64 v[__VTAP_PORT_STAT_MAX])
{
	v[VTAP_PORT_STAT_SEEN] = v[VTAP_PORT_STAT_MATCHED] + v[VTAP_PORT_STAT_UNMATCHED];
	return vtap_nl_put_stats(skb, attr, v, __VTAP_PORT_STAT_MAX, VTAP_A_PORT_STATS_PAD);
}

int vtap_nl_put_port(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	const struct vtap_port *port = obj;
	const struct net_device *master = netdev_master_upper_dev_get(port->dev);
	u64 v[VTAP_NDIR][__VTAP_PORT_STAT_MAX];
	u32 unseen;
	void *hdr;

	/* watched for the sake of other ports */
	if (!rcu_access_pointer(port->table))
		return 0;
	hdr = vtap_nl_put_header(skb, m);
	if (!hdr)
		return -EMSGSIZE;
	unseen = vtap_hook_unseen(port);
	vtap_stats_read(port->stats, v[0], VTAP_NDIR * __VTAP_PORT_STAT_MAX);
	if (nla_put_u32(skb, VTAP_A_PORT_IFINDEX, port->dev->ifindex) ||
	    nla_put_string(skb, VTAP_A_PORT_NAME, port->dev->name) ||
	    (master && nla_put_string(skb, VTAP_A_PORT_MASTER, master->name)) ||
	    nla_put_u32(skb, VTAP_A_PORT_INGRESS_HOOK, port->hook[VTAP_IN]) ||
	    nla_put_u32(skb, VTAP_A_PORT_EGRESS_HOOK, port->hook[VTAP_OUT]) ||
	    nla_put_u32(skb, VTAP_A_PORT_VM_SENDS, port->sends) ||
	    (unseen && nla_put_u32(skb, VTAP_A_PORT_UNSEEN, unseen)) ||
	    vtap_nl_put_u64(skb, VTAP_A_PORT_SINCE,
			    ktime_to_ms(ktime_sub(ktime_get(), port->since)), VTAP_A_PORT_PAD) ||
	    vtap_nl_put_port_stats(skb, VTAP_A_PORT_INGRESS, v[VTAP_IN]) ||
	    vtap_nl_put_port_stats(skb, VTAP_A_PORT_EGRESS, v[VTAP_OUT])) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* A device that is no port */
int vtap_nl_put_reason(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	struct net_device *dev = (struct net_device *)obj;
	const struct net_device *master = netdev_master_upper_dev_get(dev);
	void *hdr = vtap_nl_put_header(skb, m);
	u32 reason = vtap_kind_reason(dev);

	if (reason == VTAP_REASON_NO_RULE && dev->flags & IFF_LOOPBACK)
		reason = VTAP_REASON_LOOPBACK;
	if (!hdr || nla_put_u32(skb, VTAP_A_PORT_IFINDEX, dev->ifindex) ||
	    nla_put_string(skb, VTAP_A_PORT_NAME, dev->name) ||
	    (master && nla_put_string(skb, VTAP_A_PORT_MASTER, master->name)) ||
	    nla_put_u32(skb, VTAP_A_PORT_REASON, reason))
		return -EMSGSIZE;
	genlmsg_end(skb, hdr);
	return 0;
}

/**
 * vtap_nl_port_notify - tell listeners of a port; RTNL
 * @port: the port
 * @cmd: VTAP_CMD_PORT_*_NTF
 */
void vtap_nl_port_notify(const struct vtap_port *port, u8 cmd)
{
	vtap_nl_notify(port->vn, port, vtap_nl_put_port, cmd, NLMSG_GOODSIZE);
}

int vtap_nl_put_commit(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	const struct vtap_txn *txn = obj;
	u32 n = txn->vn->last_id - txn->last_id;
	void *hdr = vtap_nl_put_header(skb, m);

	if (!hdr || nla_put_u32(skb, VTAP_A_COMMIT_RULES, n) ||
	    (n && vtap_nl_put_u64(skb, VTAP_A_COMMIT_FIRST_ID, txn->last_id + 1,
				  VTAP_A_COMMIT_PAD)))
		return -EMSGSIZE;
	genlmsg_end(skb, hdr);
	return 0;
}

int vtap_nl_put_module(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	void *hdr = vtap_nl_put_header(skb, m);

	if (!hdr || nla_put_string(skb, VTAP_A_MODULE_VERSION, VTAP_VERSION))
		return -EMSGSIZE;
	genlmsg_end(skb, hdr);
	return 0;
}
