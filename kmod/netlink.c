// SPDX-License-Identifier: GPL-2.0
/* Netlink attributes to plain structures and back; events. */
#include <linux/ctype.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "kind.h"
#include "netlink_gen.h"
#include "refuse.h"
#include "vtap.h"

static const struct genl_multicast_group vtap_nl_groups[] = {
	[VTAP_NLGRP_MONITOR] = {
		.name = "monitor",
		.flags = VTAP_GENL_MCAST_ADMIN,
	},
};

static struct genl_family vtap_nl_family __ro_after_init = {
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

/* What is common to a reply, an entry of a dump and an event */
struct vtap_nl_msg {
	struct vtap_net *vn;
	u32 portid;
	u32 seq;
	int flags;
	u8 cmd;
	struct netlink_callback *cb;
};

static void *vtap_nl_put_header(struct sk_buff *skb, const struct vtap_nl_msg *m)
{
	void *hdr = genlmsg_put(skb, m->portid, m->seq, &vtap_nl_family, m->flags, m->cmd);

	if (hdr && m->cb)
		genl_dump_check_consistent(m->cb, hdr);
	return hdr;
}

static struct vtap_net *vtap_nl_net(struct genl_info *info)
{
	return vtap_pernet(genl_info_net(info));
}

/*
 * One change: the attributes of a command, or of a nest in a transaction
 * @a: by type
 * @head: all of them, @len bytes
 */
struct vtap_nl_args {
	struct nlattr **a;
	const struct nlattr *head;
	int len;
};

/* Addresses */

/* @clear: an address of no bytes is none */
static int vtap_nl_get_addr(struct vtap_addr *addr, const struct nlattr *a,
			    const struct nlattr *len, bool clear,
			    struct netlink_ext_ack *extack)
{
	unsigned int bits;

	if (!a) {
		if (!len)
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, len, "prefix length without an address");
		return -EINVAL;
	}
	switch (nla_len(a)) {
	case 0:
		if (!clear)
			goto bad;
		memset(addr, 0, sizeof(*addr));
		return 0;
	case sizeof(struct in_addr):
		addr->family = AF_INET;
		bits = 32;
		break;
	case sizeof(struct in6_addr):
		addr->family = AF_INET6;
		bits = 128;
		break;
	default:
		goto bad;
	}
	memset(&addr->ip, 0, sizeof(addr->ip));
	memcpy(&addr->ip, nla_data(a), nla_len(a));
	addr->len = len ? nla_get_u8(len) : bits;
	if (addr->len > bits) {
		NL_SET_ERR_MSG_ATTR(extack, len, "prefix is longer than the address");
		return -EINVAL;
	}
	return 0;

bad:
	NL_SET_ERR_MSG_ATTR(extack, a, "an address has 4 or 16 bytes");
	return -EINVAL;
}

static int vtap_nl_put_addr(struct sk_buff *skb, int attr, const struct vtap_addr *addr)
{
	if (!addr->family)
		return 0;
	return nla_put(skb, attr, addr->family == AF_INET ? 4 : 16, &addr->ip);
}

/* Names and patterns come back as text, so they have to be printable. "" is none. */
static bool vtap_nl_is_word(const struct nlattr *a)
{
	const char *p = nla_data(a);

	while (isascii(*p) && isgraph(*p))
		p++;
	return !*p;
}

/* Sessions */

static int vtap_nl_get_session_cfg(struct vtap_session_cfg *cfg, struct nlattr **a,
				   struct netlink_ext_ack *extack)
{
	int err;

	err = vtap_nl_get_addr(&cfg->remote, a[VTAP_A_SESSION_REMOTE], NULL, false, extack) ?:
	      vtap_nl_get_addr(&cfg->local, a[VTAP_A_SESSION_LOCAL], NULL, true, extack);
	if (err)
		return err;
	if (a[VTAP_A_SESSION_DEV]) {
		if (!vtap_nl_is_word(a[VTAP_A_SESSION_DEV])) {
			NL_SET_ERR_MSG_ATTR(extack, a[VTAP_A_SESSION_DEV],
					    "dev is no device name");
			return -EINVAL;
		}
		if (vtap_refuse_device(a[VTAP_A_SESSION_DEV], extack))
			return -EINVAL;
		nla_strscpy(cfg->dev, a[VTAP_A_SESSION_DEV], sizeof(cfg->dev));
	}
	if (a[VTAP_A_SESSION_KEY]) {
		cfg->key = nla_get_u32(a[VTAP_A_SESSION_KEY]);
		cfg->has_key = true;
	}
	if (a[VTAP_A_SESSION_ID])
		cfg->id = nla_get_u16(a[VTAP_A_SESSION_ID]);
	if (a[VTAP_A_SESSION_INDEX])
		cfg->index = nla_get_u32(a[VTAP_A_SESSION_INDEX]);
	if (a[VTAP_A_SESSION_TTL])
		cfg->ttl = nla_get_u8(a[VTAP_A_SESSION_TTL]);
	if (a[VTAP_A_SESSION_TOS])
		cfg->tos = nla_get_u8(a[VTAP_A_SESSION_TOS]);
	if (a[VTAP_A_SESSION_SNAPLEN])
		cfg->snaplen = nla_get_u32(a[VTAP_A_SESSION_SNAPLEN]);
	if (a[VTAP_A_SESSION_MTU])
		cfg->mtu = nla_get_u32(a[VTAP_A_SESSION_MTU]);
	if (a[VTAP_A_SESSION_VLAN])
		cfg->vlan = nla_get_u32(a[VTAP_A_SESSION_VLAN]);
	if (a[VTAP_A_SESSION_SEQ])
		cfg->seq = nla_get_u8(a[VTAP_A_SESSION_SEQ]);
	if (a[VTAP_A_SESSION_SUBHEADER])
		cfg->subheader = nla_get_u8(a[VTAP_A_SESSION_SUBHEADER]);
	if (a[VTAP_A_SESSION_DPORT])
		cfg->dport = nla_get_u16(a[VTAP_A_SESSION_DPORT]);
	if (a[VTAP_A_SESSION_RATE])
		cfg->rate = nla_get_u64(a[VTAP_A_SESSION_RATE]);
	if (a[VTAP_A_SESSION_BURST])
		cfg->burst = nla_get_u32(a[VTAP_A_SESSION_BURST]);
	if (a[VTAP_A_SESSION_PPS])
		cfg->pps = nla_get_u32(a[VTAP_A_SESSION_PPS]);
	if (a[VTAP_A_SESSION_DECAP])
		cfg->decap = nla_get_u8(a[VTAP_A_SESSION_DECAP]);
	if (a[VTAP_A_SESSION_OFFLOAD])
		cfg->offload = nla_get_u8(a[VTAP_A_SESSION_OFFLOAD]);
	if (a[VTAP_A_SESSION_SEED])
		cfg->seed = nla_get_u64(a[VTAP_A_SESSION_SEED]);
	if (a[VTAP_A_SESSION_CSUM])
		cfg->csum = nla_get_u8(a[VTAP_A_SESSION_CSUM]);
	return 0;
}

static struct vtap_session *vtap_nl_find_session(struct vtap_net *vn, const struct nlattr *a,
						 struct netlink_ext_ack *extack)
{
	struct vtap_session *s;

	if (!a) {
		NL_SET_ERR_MSG(extack, "name is missing");
		return ERR_PTR(-EINVAL);
	}
	s = vtap_session_find(vn, nla_data(a));
	if (s)
		return s;
	NL_SET_ERR_MSG_ATTR(extack, a, "no session of this name");
	return ERR_PTR(-ENOENT);
}

static int vtap_nl_put_u64(struct sk_buff *skb, int attr, u64 v, int pad)
{
	return nla_put_u64_64bit(skb, attr, v, pad);
}

static int vtap_nl_put_session_stats(struct sk_buff *skb, const struct vtap_session *s)
{
	static const u8 attr[__VTAP_ST_MAX] = {
		[VTAP_ST_MATCHED] = VTAP_A_SESSION_STATS_MATCHED,
		[VTAP_ST_SENT] = VTAP_A_SESSION_STATS_SENT,
		[VTAP_ST_BYTES] = VTAP_A_SESSION_STATS_BYTES,
		[VTAP_ST_DROP_INACTIVE] = VTAP_A_SESSION_STATS_DROP_INACTIVE,
		[VTAP_ST_DROP_NOMEM] = VTAP_A_SESSION_STATS_DROP_NOMEM,
		[VTAP_ST_DROP_MTU] = VTAP_A_SESSION_STATS_DROP_MTU,
		[VTAP_ST_DROP_RATE] = VTAP_A_SESSION_STATS_DROP_RATE,
		[VTAP_ST_DROP_XMIT] = VTAP_A_SESSION_STATS_DROP_XMIT,
		[VTAP_ST_DROP_LOOP] = VTAP_A_SESSION_STATS_DROP_LOOP,
		[VTAP_ST_DROP_FRAME] = VTAP_A_SESSION_STATS_DROP_FRAME,
		[VTAP_ST_TRUNCATED] = VTAP_A_SESSION_STATS_TRUNCATED,
		[VTAP_ST_FRAGMENTED] = VTAP_A_SESSION_STATS_FRAGMENTED,
		[VTAP_ST_DECAPPED] = VTAP_A_SESSION_STATS_DECAPPED,
	};
	struct nlattr *nest = nla_nest_start(skb, VTAP_A_SESSION_STATS);
	u64 v[__VTAP_ST_MAX];
	int i;

	if (!nest)
		return -EMSGSIZE;
	vtap_session_read(s, v);
	for (i = 0; i < __VTAP_ST_MAX; i++) {
		if (vtap_nl_put_u64(skb, attr[i], v[i], VTAP_A_SESSION_STATS_PAD))
			return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/* The device may be gone. */
static int vtap_nl_put_loop_port(struct sk_buff *skb, const struct vtap_session *s)
{
	const struct net_device *dev = NULL;

	if (s->state == VTAP_SESSION_STATE_LOOP)
		dev = __dev_get_by_index(s->vn->net, READ_ONCE(s->loop_port));
	return dev ? nla_put_string(skb, VTAP_A_SESSION_LOOP_PORT, dev->name) : 0;
}

static int vtap_nl_put_session(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	const struct vtap_session *s = obj;
	const struct vtap_tmpl *t = rtnl_dereference(s->tmpl);
	const struct vtap_session_cfg *cfg = &s->cfg;
	void *hdr = vtap_nl_put_header(skb, m);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_string(skb, VTAP_A_SESSION_NAME, cfg->name) ||
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
	    nla_put_u32(skb, VTAP_A_SESSION_STATE, s->state) ||
	    (t && nla_put_string(skb, VTAP_A_SESSION_EGRESS, t->dev->name)) ||
	    (t && nla_put_u32(skb, VTAP_A_SESSION_PATH_MTU, t->mtu)) ||
	    vtap_nl_put_loop_port(skb, s) ||
	    vtap_nl_put_session_stats(skb, s)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static int vtap_nl_session_new(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct vtap_session_cfg cfg = { .ttl = 64 };
	struct nlattr **a = args->a;
	int err;

	if (!a[VTAP_A_SESSION_NAME]) {
		NL_SET_ERR_MSG(txn->extack, "name is missing");
		return -EINVAL;
	}
	if (!a[VTAP_A_SESSION_TYPE]) {
		NL_SET_ERR_MSG(txn->extack, "type is missing");
		return -EINVAL;
	}
	nla_strscpy(cfg.name, a[VTAP_A_SESSION_NAME], sizeof(cfg.name));
	cfg.type = nla_get_u32(a[VTAP_A_SESSION_TYPE]);
	if (cfg.type == VTAP_SESSION_TYPE_VXLAN)
		cfg.dport = VTAP_VXLAN_PORT;
	err = vtap_nl_get_session_cfg(&cfg, a, txn->extack);
	return err ?: vtap_session_add(txn, &cfg);
}

static int vtap_nl_session_set(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct nlattr *type = args->a[VTAP_A_SESSION_TYPE];
	struct vtap_session_cfg cfg;
	struct vtap_session *s;
	int err;

	s = vtap_nl_find_session(txn->vn, args->a[VTAP_A_SESSION_NAME], txn->extack);
	if (IS_ERR(s))
		return PTR_ERR(s);
	cfg = s->cfg;
	if (type && nla_get_u32(type) != cfg.type) {
		NL_SET_ERR_MSG_ATTR(txn->extack, type, "the type of a session cannot be changed");
		return -EINVAL;
	}
	err = vtap_nl_get_session_cfg(&cfg, args->a, txn->extack);
	return err ?: vtap_session_set(txn, s, &cfg);
}

static int vtap_nl_session_del(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct vtap_session *s;

	s = vtap_nl_find_session(txn->vn, args->a[VTAP_A_SESSION_NAME], txn->extack);
	return IS_ERR(s) ? PTR_ERR(s) : vtap_session_del(txn, s);
}

static int vtap_nl_session_flush(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct nlattr *a = args->a[VTAP_A_SESSION_TYPE];
	u32 type = a ? nla_get_u32(a) : 0;

	return vtap_session_flush(txn, a ? &type : NULL);
}

/* Replies: @put writes one object. */
typedef int (*vtap_nl_put_t)(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m);

/* Rules carry a filter of up to this much, on top of what a page holds. */
#define VTAP_NL_MSG_SIZE	(NLMSG_GOODSIZE + VTAP_FILTER_MAX * sizeof(u64))

static struct sk_buff *vtap_nl_prepare(struct genl_info *info, const void *obj,
				       vtap_nl_put_t put, u8 cmd)
{
	const struct vtap_nl_msg m = {
		.vn = vtap_nl_net(info), .portid = info->snd_portid, .seq = info->snd_seq,
		.cmd = cmd,
	};
	struct sk_buff *msg;
	int err;

	msg = genlmsg_new(VTAP_NL_MSG_SIZE, GFP_KERNEL);
	if (!msg)
		return ERR_PTR(-ENOMEM);
	err = put(msg, obj, &m);
	if (err) {
		nlmsg_free(msg);
		return ERR_PTR(err);
	}
	return msg;
}

static int vtap_nl_reply(struct genl_info *info, const void *obj, vtap_nl_put_t put, u8 cmd)
{
	struct sk_buff *msg = vtap_nl_prepare(info, obj, put, cmd);

	return IS_ERR(msg) ? PTR_ERR(msg) : genlmsg_reply(msg, info);
}

static void vtap_nl_notify(struct vtap_net *vn, const void *obj, vtap_nl_put_t put, u8 cmd,
			   size_t size)
{
	const struct vtap_nl_msg m = { .vn = vn, .cmd = cmd };
	struct sk_buff *msg;
	int err = -ENOMEM;

	if (!genl_has_listeners(&vtap_nl_family, vn->net, VTAP_NLGRP_MONITOR))
		return;
	msg = genlmsg_new(size, GFP_KERNEL);
	if (msg)
		err = put(msg, obj, &m);
	if (!err) {
		genlmsg_multicast_netns(&vtap_nl_family, vn->net, msg, 0, VTAP_NLGRP_MONITOR,
					GFP_KERNEL);
		return;
	}
	nlmsg_free(msg);
	/* listeners are told that they missed something */
	genl_set_err(&vtap_nl_family, vn->net, 0, VTAP_NLGRP_MONITOR, -ENOBUFS);
}

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

/**
 * vtap_nl_session_notify - tell listeners of a session; RTNL
 * @s: the session
 * @cmd: VTAP_CMD_SESSION_*_NTF
 */
void vtap_nl_session_notify(const struct vtap_session *s, u8 cmd)
{
	vtap_nl_notify(s->vn, s, vtap_nl_put_session, cmd, NLMSG_GOODSIZE);
}

/* Matches */

/* @n: length of @a */
static int vtap_nl_get_fields(struct vtap_match *m, struct nlattr **a, unsigned int n,
			      struct netlink_ext_ack *extack)
{
	unsigned int i;
	int err;

	memset(m, 0, sizeof(*m));
	for (i = 1; i < n; i++) {
		if (a[i])
			m->present |= BIT(i);
	}
	err = vtap_nl_get_addr(&m->src_ip, a[VTAP_A_MATCH_SRC_IP], a[VTAP_A_MATCH_SRC_IP_LEN],
			       false, extack) ?:
	      vtap_nl_get_addr(&m->dst_ip, a[VTAP_A_MATCH_DST_IP], a[VTAP_A_MATCH_DST_IP_LEN],
			       false, extack);
	if (err)
		return err;
	if ((a[VTAP_A_MATCH_SRC_MAC_MASK] && !a[VTAP_A_MATCH_SRC_MAC]) ||
	    (a[VTAP_A_MATCH_DST_MAC_MASK] && !a[VTAP_A_MATCH_DST_MAC]) ||
	    (a[VTAP_A_MATCH_TCP_FLAGS_MASK] && !a[VTAP_A_MATCH_TCP_FLAGS]) ||
	    (a[VTAP_A_MATCH_IP_FLAGS_MASK] && !a[VTAP_A_MATCH_IP_FLAGS])) {
		NL_SET_ERR_MSG(extack, "mask without a value");
		return -EINVAL;
	}
	if (a[VTAP_A_MATCH_SRC_MAC]) {
		memcpy(m->src_mac, nla_data(a[VTAP_A_MATCH_SRC_MAC]), ETH_ALEN);
		eth_broadcast_addr(m->src_mac_mask);
	}
	if (a[VTAP_A_MATCH_SRC_MAC_MASK])
		memcpy(m->src_mac_mask, nla_data(a[VTAP_A_MATCH_SRC_MAC_MASK]), ETH_ALEN);
	if (a[VTAP_A_MATCH_DST_MAC]) {
		memcpy(m->dst_mac, nla_data(a[VTAP_A_MATCH_DST_MAC]), ETH_ALEN);
		eth_broadcast_addr(m->dst_mac_mask);
	}
	if (a[VTAP_A_MATCH_DST_MAC_MASK])
		memcpy(m->dst_mac_mask, nla_data(a[VTAP_A_MATCH_DST_MAC_MASK]), ETH_ALEN);
	if (a[VTAP_A_MATCH_PROTOCOL])
		m->protocol = nla_get_u16(a[VTAP_A_MATCH_PROTOCOL]);
	if (a[VTAP_A_MATCH_VLAN_ID])
		m->vlan_id = nla_get_u16(a[VTAP_A_MATCH_VLAN_ID]);
	if (a[VTAP_A_MATCH_VLAN_PRIO])
		m->vlan_prio = nla_get_u8(a[VTAP_A_MATCH_VLAN_PRIO]);
	if (a[VTAP_A_MATCH_IP_PROTO])
		m->ip_proto = nla_get_u8(a[VTAP_A_MATCH_IP_PROTO]);
	if (a[VTAP_A_MATCH_SRC_PORT])
		m->src_port = nla_get_u16(a[VTAP_A_MATCH_SRC_PORT]);
	m->src_port_max = a[VTAP_A_MATCH_SRC_PORT_MAX] ?
			  nla_get_u16(a[VTAP_A_MATCH_SRC_PORT_MAX]) : m->src_port;
	if (a[VTAP_A_MATCH_DST_PORT])
		m->dst_port = nla_get_u16(a[VTAP_A_MATCH_DST_PORT]);
	m->dst_port_max = a[VTAP_A_MATCH_DST_PORT_MAX] ?
			  nla_get_u16(a[VTAP_A_MATCH_DST_PORT_MAX]) : m->dst_port;
	if (a[VTAP_A_MATCH_TCP_FLAGS]) {
		m->tcp_flags = nla_get_u16(a[VTAP_A_MATCH_TCP_FLAGS]);
		m->tcp_flags_mask = a[VTAP_A_MATCH_TCP_FLAGS_MASK] ?
				    nla_get_u16(a[VTAP_A_MATCH_TCP_FLAGS_MASK]) : 0xfff;
	}
	if (a[VTAP_A_MATCH_ICMP_TYPE])
		m->icmp_type = nla_get_u8(a[VTAP_A_MATCH_ICMP_TYPE]);
	if (a[VTAP_A_MATCH_ICMP_CODE])
		m->icmp_code = nla_get_u8(a[VTAP_A_MATCH_ICMP_CODE]);
	if (a[VTAP_A_MATCH_IP_FLAGS]) {
		m->ip_flags = nla_get_u32(a[VTAP_A_MATCH_IP_FLAGS]);
		m->ip_flags_mask = a[VTAP_A_MATCH_IP_FLAGS_MASK] ?
				   nla_get_u32(a[VTAP_A_MATCH_IP_FLAGS_MASK]) : m->ip_flags;
	}
	return 0;
}

static int vtap_nl_get_inner(struct vtap_match *m, const struct nlattr *nest,
			     struct netlink_ext_ack *extack)
{
	struct nlattr *a[ARRAY_SIZE(vtap_match_inner_nl_policy)];
	int err;

	err = nla_parse_nested(a, ARRAY_SIZE(a) - 1, nest, vtap_match_inner_nl_policy, extack);
	return err ?: vtap_nl_get_fields(m, a, ARRAY_SIZE(a), extack);
}

static int vtap_nl_get_match(struct vtap_rule_cfg *cfg, const struct nlattr *nest,
			     struct netlink_ext_ack *extack)
{
	struct nlattr *a[ARRAY_SIZE(vtap_match_nl_policy)];
	struct vtap_match *m = &cfg->match;
	int err;

	BUILD_BUG_ON(ARRAY_SIZE(vtap_match_nl_policy) > 32);
	err = nla_parse_nested(a, ARRAY_SIZE(a) - 1, nest, vtap_match_nl_policy, extack) ?:
	      vtap_nl_get_fields(m, a, ARRAY_SIZE(a), extack);
	if (err)
		return err;
	if (a[VTAP_A_MATCH_TUNNEL])
		m->tunnel = nla_get_u32(a[VTAP_A_MATCH_TUNNEL]);
	if (a[VTAP_A_MATCH_TUNNEL_KEY])
		m->tunnel_key = nla_get_u32(a[VTAP_A_MATCH_TUNNEL_KEY]);
	memset(&cfg->inner, 0, sizeof(cfg->inner));
	return a[VTAP_A_MATCH_INNER] ?
	       vtap_nl_get_inner(&cfg->inner, a[VTAP_A_MATCH_INNER], extack) : 0;
}

static bool vtap_nl_has(const struct vtap_match *m, int attr)
{
	return m->present & BIT(attr);
}

/* @inner: what is inside the tunnel, NULL when @m itself is that */
static int vtap_nl_put_match(struct sk_buff *skb, int attr, const struct vtap_match *m,
			     const struct vtap_match *inner)
{
	struct nlattr *nest;

	if (!m->present)
		return 0;
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
	    (inner && vtap_nl_put_match(skb, VTAP_A_MATCH_INNER, inner, NULL)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* Rules */

static int vtap_nl_get_sessions(struct vtap_rule_cfg *cfg, struct vtap_txn *txn,
				const struct vtap_nl_args *args)
{
	const struct nlattr *a;
	int rem, i;

	cfg->n_sessions = 0;
	nla_for_each_attr(a, args->head, args->len, rem) {
		char name[VTAP_NAME_MAX + 1];
		struct vtap_session *s;

		if (nla_type(a) != VTAP_A_RULE_SESSION)
			continue;
		nla_strscpy(name, a, sizeof(name));
		s = vtap_session_find(txn->vn, name);
		if (!s) {
			NL_SET_ERR_MSG_ATTR(txn->extack, a, "no session of this name");
			return -ENOENT;
		}
		for (i = 0; i < cfg->n_sessions; i++) {
			if (cfg->sessions[i] == s) {
				NL_SET_ERR_MSG_ATTR(txn->extack, a, "the session is named twice");
				return -EINVAL;
			}
		}
		if (cfg->n_sessions == VTAP_RULE_SESSIONS_MAX) {
			NL_SET_ERR_MSG_ATTR(txn->extack, a, "a rule has at most 8 sessions");
			return -EINVAL;
		}
		cfg->sessions[cfg->n_sessions++] = s;
	}
	return 0;
}

/* With a filter in @cfg comes a reference. */
static int vtap_nl_get_filter(struct vtap_rule_cfg *cfg, struct nlattr **a,
			      struct netlink_ext_ack *extack)
{
	const struct nlattr *text = a[VTAP_A_RULE_FILTER_TEXT], *prog = a[VTAP_A_RULE_FILTER];
	struct vtap_filter *old = cfg->filter;
	const struct sock_filter *insns;
	unsigned int n;

	cfg->filter = NULL;
	if (prog) {
		insns = nla_data(prog);
		n = nla_len(prog) / sizeof(*insns);
		if (nla_len(prog) % sizeof(*insns)) {
			NL_SET_ERR_MSG_ATTR(extack, prog,
					    "a filter is made of 8-byte instructions");
			return -EINVAL;
		}
		if (n > VTAP_FILTER_MAX) {
			NL_SET_ERR_MSG_ATTR(extack, prog, "a filter has at most 2048 instructions");
			return -EINVAL;
		}
	} else {
		insns = old ? old->insns : NULL;
		n = old ? old->n : 0;
	}
	if (text && nla_len(text) > 1 && (!prog || !n)) {
		NL_SET_ERR_MSG_ATTR(extack, text, "filter-text without a filter");
		return -EINVAL;
	}
	if (!prog && !text) {
		cfg->filter = vtap_filter_get(old);
		return 0;
	}
	if (!n)
		return 0;
	cfg->filter = vtap_filter_new(insns, n, text ? nla_data(text) : "", extack);
	if (!IS_ERR(cfg->filter))
		return 0;
	if (extack && !extack->bad_attr)
		NL_SET_BAD_ATTR(extack, prog ?: text);
	n = PTR_ERR(cfg->filter);
	cfg->filter = NULL;
	return n;
}

/* The caller puts the reference to the filter in @cfg, after errors as well. */
static int vtap_nl_get_rule_cfg(struct vtap_rule_cfg *cfg, struct vtap_txn *txn,
				const struct vtap_nl_args *args)
{
	struct nlattr **a = args->a;
	int err;

	err = vtap_nl_get_filter(cfg, a, txn->extack);
	if (err)
		return err;

	if (a[VTAP_A_RULE_PREF])
		cfg->pref = nla_get_u32(a[VTAP_A_RULE_PREF]);
	if (a[VTAP_A_RULE_PORT]) {
		if (!vtap_nl_is_word(a[VTAP_A_RULE_PORT])) {
			NL_SET_ERR_MSG_ATTR(txn->extack, a[VTAP_A_RULE_PORT],
					    "port is no device name and no pattern");
			return -EINVAL;
		}
		if (vtap_refuse_port(a[VTAP_A_RULE_PORT], txn->extack))
			return -EINVAL;
		nla_strscpy(cfg->port, a[VTAP_A_RULE_PORT], sizeof(cfg->port));
	}
	if (a[VTAP_A_RULE_MASTER]) {
		if (!vtap_nl_is_word(a[VTAP_A_RULE_MASTER])) {
			NL_SET_ERR_MSG_ATTR(txn->extack, a[VTAP_A_RULE_MASTER],
					    "master is no device name");
			return -EINVAL;
		}
		if (vtap_refuse_device(a[VTAP_A_RULE_MASTER], txn->extack))
			return -EINVAL;
		nla_strscpy(cfg->master, a[VTAP_A_RULE_MASTER], sizeof(cfg->master));
	}
	if (a[VTAP_A_RULE_MAC])
		ether_addr_copy(cfg->mac, nla_data(a[VTAP_A_RULE_MAC]));
	if (a[VTAP_A_RULE_DUP])
		cfg->dup = nla_get_u8(a[VTAP_A_RULE_DUP]);
	if (a[VTAP_A_RULE_SAMPLE])
		cfg->sample = nla_get_u32(a[VTAP_A_RULE_SAMPLE]);
	if (a[VTAP_A_RULE_SAMPLE_FLOW])
		cfg->sample_flow = nla_get_u8(a[VTAP_A_RULE_SAMPLE_FLOW]);
	if (a[VTAP_A_RULE_DIR])
		cfg->dir = nla_get_u32(a[VTAP_A_RULE_DIR]);
	if (a[VTAP_A_RULE_ACTION]) {
		cfg->action = nla_get_u32(a[VTAP_A_RULE_ACTION]);
		if (cfg->action == VTAP_ACTION_SKIP) {
			cfg->n_sessions = 0;
			if (!a[VTAP_A_RULE_SAMPLE])
				cfg->sample = 1;
		}
	}
	if (a[VTAP_A_RULE_SESSION]) {
		err = vtap_nl_get_sessions(cfg, txn, args);
		if (err)
			return err;
	}
	if (a[VTAP_A_RULE_MATCH])
		return vtap_nl_get_match(cfg, a[VTAP_A_RULE_MATCH], txn->extack);
	return 0;
}

static int vtap_nl_put_rule(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	const struct vtap_rule *rule = obj;
	const struct vtap_filter *filter = rule->filter;
	void *hdr = vtap_nl_put_header(skb, m);
	struct vtap_match match;
	u64 packets, bytes;
	unsigned int i;

	if (!hdr)
		return -EMSGSIZE;
	vtap_rule_get_match(rule, &match);
	vtap_rule_read(rule, &packets, &bytes);
	if (nla_put_u32(skb, VTAP_A_RULE_ID, rule->id) ||
	    nla_put_u32(skb, VTAP_A_RULE_PREF, rule->pref) ||
	    (rule->port[0] && nla_put_string(skb, VTAP_A_RULE_PORT, rule->port)) ||
	    (rule->master[0] && nla_put_string(skb, VTAP_A_RULE_MASTER, rule->master)) ||
	    (!is_zero_ether_addr(rule->mac) &&
	     nla_put(skb, VTAP_A_RULE_MAC, ETH_ALEN, rule->mac)) ||
	    nla_put_u8(skb, VTAP_A_RULE_DUP, rule->dup) ||
	    nla_put_u32(skb, VTAP_A_RULE_SAMPLE, rule->sample) ||
	    nla_put_u8(skb, VTAP_A_RULE_SAMPLE_FLOW, rule->sample_flow) ||
	    nla_put_u32(skb, VTAP_A_RULE_DIR, rule->dir) ||
	    (m->cmd != VTAP_CMD_RULE_NEW &&
	     nla_put_u32(skb, VTAP_A_RULE_PORTS, vtap_table_ports(m->vn, rule))) ||
	    nla_put_u32(skb, VTAP_A_RULE_ACTION, rule->action) ||
	    vtap_nl_put_match(skb, VTAP_A_RULE_MATCH, &match,
			      rule->inner ? &rule->inner->match : NULL) ||
	    (filter && nla_put(skb, VTAP_A_RULE_FILTER, filter->n * sizeof(*filter->insns),
			       filter->insns)) ||
	    (filter && filter->text &&
	     nla_put_string(skb, VTAP_A_RULE_FILTER_TEXT, filter->text)) ||
	    vtap_nl_put_u64(skb, VTAP_A_RULE_PACKETS, packets, VTAP_A_RULE_PAD) ||
	    vtap_nl_put_u64(skb, VTAP_A_RULE_BYTES, bytes, VTAP_A_RULE_PAD))
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

static struct vtap_rule *vtap_nl_find_rule(struct vtap_net *vn, const struct nlattr *a,
					   struct netlink_ext_ack *extack)
{
	struct vtap_rule *rule;

	if (!a) {
		NL_SET_ERR_MSG(extack, "id is missing");
		return ERR_PTR(-EINVAL);
	}
	rule = vtap_rule_find(vn, nla_get_u32(a));
	if (rule)
		return rule;
	NL_SET_ERR_MSG_ATTR(extack, a, "no rule of this id");
	return ERR_PTR(-ENOENT);
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

static int vtap_nl_rule_new(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct vtap_rule_cfg cfg = { .dir = VTAP_DIR_INGRESS | VTAP_DIR_EGRESS, .sample = 1 };
	int err;

	if (!args->a[VTAP_A_RULE_PREF]) {
		NL_SET_ERR_MSG(txn->extack, "pref is missing");
		return -EINVAL;
	}
	if (!args->a[VTAP_A_RULE_ACTION]) {
		NL_SET_ERR_MSG(txn->extack, "action is missing");
		return -EINVAL;
	}
	err = vtap_nl_get_rule_cfg(&cfg, txn, args);
	if (!err)
		err = vtap_rule_add(txn, &cfg);
	vtap_filter_put(cfg.filter);
	return err;
}

static int vtap_nl_rule_set(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct vtap_rule_cfg cfg;
	struct vtap_rule *rule;
	int err;

	rule = vtap_nl_find_rule(txn->vn, args->a[VTAP_A_RULE_ID], txn->extack);
	if (IS_ERR(rule))
		return PTR_ERR(rule);
	vtap_rule_get_cfg(rule, &cfg);
	err = vtap_nl_get_rule_cfg(&cfg, txn, args);
	if (!err)
		err = vtap_rule_set(txn, rule, &cfg);
	vtap_filter_put(cfg.filter);
	return err;
}

static int vtap_nl_rule_del(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct vtap_rule *rule;

	rule = vtap_nl_find_rule(txn->vn, args->a[VTAP_A_RULE_ID], txn->extack);
	return IS_ERR(rule) ? PTR_ERR(rule) : vtap_rule_del(txn, rule);
}

static int vtap_nl_rule_flush(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct nlattr *a = args->a[VTAP_A_RULE_PREF];
	u32 pref = a ? nla_get_u32(a) : 0;

	return vtap_rule_flush(txn, a ? &pref : NULL);
}

/**
 * vtap_nl_rule_notify - tell listeners of a rule; RTNL
 * @vn: the namespace's vtap
 * @rule: the rule
 * @cmd: VTAP_CMD_RULE_*_NTF
 */
void vtap_nl_rule_notify(struct vtap_net *vn, const struct vtap_rule *rule, u8 cmd)
{
	vtap_nl_notify(vn, rule, vtap_nl_put_rule, cmd,
		       rule->filter ? VTAP_NL_MSG_SIZE : NLMSG_GOODSIZE);
}

/* Ports */

static int vtap_nl_put_port_stats(struct sk_buff *skb, int attr, const u64 v[__VTAP_PST_MAX])
{
	struct nlattr *nest = nla_nest_start(skb, attr);

	if (!nest ||
	    vtap_nl_put_u64(skb, VTAP_A_PORT_STATS_SEEN, v[VTAP_PST_SEEN],
			    VTAP_A_PORT_STATS_PAD) ||
	    vtap_nl_put_u64(skb, VTAP_A_PORT_STATS_MATCHED, v[VTAP_PST_MATCHED],
			    VTAP_A_PORT_STATS_PAD) ||
	    vtap_nl_put_u64(skb, VTAP_A_PORT_STATS_UNMATCHED, v[VTAP_PST_UNMATCHED],
			    VTAP_A_PORT_STATS_PAD) ||
	    vtap_nl_put_u64(skb, VTAP_A_PORT_STATS_OWN, v[VTAP_PST_OWN],
			    VTAP_A_PORT_STATS_PAD) ||
	    vtap_nl_put_u64(skb, VTAP_A_PORT_STATS_DUP, v[VTAP_PST_DUP],
			    VTAP_A_PORT_STATS_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int vtap_nl_put_port(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	const struct vtap_port *port = obj;
	const struct net_device *master = netdev_master_upper_dev_get(port->dev);
	u64 v[VTAP_NDIR][__VTAP_PST_MAX];
	void *hdr;

	/* watched for the sake of other ports */
	if (!rcu_access_pointer(port->table))
		return 0;
	hdr = vtap_nl_put_header(skb, m);

	if (!hdr)
		return -EMSGSIZE;
	vtap_port_read(port, v);
	if (nla_put_u32(skb, VTAP_A_PORT_IFINDEX, port->dev->ifindex) ||
	    nla_put_string(skb, VTAP_A_PORT_NAME, port->dev->name) ||
	    (master && nla_put_string(skb, VTAP_A_PORT_MASTER, master->name)) ||
	    nla_put_u32(skb, VTAP_A_PORT_INGRESS_HOOK, port->hook[VTAP_IN]) ||
	    nla_put_u32(skb, VTAP_A_PORT_EGRESS_HOOK, port->hook[VTAP_OUT]) ||
	    nla_put_u32(skb, VTAP_A_PORT_VM_SENDS, port->sends) ||
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
static int vtap_nl_put_reason(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
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

/**
 * vtap_nl_port_notify - tell listeners of a port; RTNL
 * @port: the port
 * @cmd: VTAP_CMD_PORT_*_NTF
 */
void vtap_nl_port_notify(const struct vtap_port *port, u8 cmd)
{
	vtap_nl_notify(port->vn, port, vtap_nl_put_port, cmd, NLMSG_GOODSIZE);
}

/* Changes */

#define VTAP_NL_CHANGE(attr, name, nl_policy)				\
	[VTAP_A_CHANGE_##attr] = {					\
		.make = vtap_nl_##name,					\
		.policy = vtap_##nl_policy##_nl_policy,			\
		.max = ARRAY_SIZE(vtap_##nl_policy##_nl_policy) - 1,	\
	}

static const struct {
	int (*make)(struct vtap_txn *txn, const struct vtap_nl_args *args);
	const struct nla_policy *policy;
	int max;
} vtap_nl_changes[] = {
	VTAP_NL_CHANGE(SESSION_NEW, session_new, session_words),
	VTAP_NL_CHANGE(SESSION_SET, session_set, session_words),
	VTAP_NL_CHANGE(SESSION_DEL, session_del, session_key),
	VTAP_NL_CHANGE(SESSION_FLUSH, session_flush, session_kind),
	VTAP_NL_CHANGE(RULE_NEW, rule_new, rule_words),
	VTAP_NL_CHANGE(RULE_SET, rule_set, rule_change),
	VTAP_NL_CHANGE(RULE_DEL, rule_del, rule_key),
	VTAP_NL_CHANGE(RULE_FLUSH, rule_flush, rule_pref),
};

static int vtap_nl_put_commit(struct sk_buff *skb, const void *obj, const struct vtap_nl_msg *m)
{
	const struct vtap_txn *txn = obj;
	u32 n = txn->vn->last_id - txn->last_id;
	void *hdr = vtap_nl_put_header(skb, m);

	if (!hdr || nla_put_u32(skb, VTAP_A_COMMIT_RULES, n) ||
	    (n && nla_put_u32(skb, VTAP_A_COMMIT_FIRST_ID, txn->last_id + 1)))
		return -EMSGSIZE;
	genlmsg_end(skb, hdr);
	return 0;
}

/*
 * The end of a transaction, with the reply to it if there is one. Nobody can be
 * told of an error any more when the changes are made.
 */
static int vtap_nl_finish(struct genl_info *info, struct vtap_txn *txn, int err,
			  struct sk_buff *reply)
{
	if (!err && IS_ERR(reply))
		err = PTR_ERR(reply);
	if (err)
		vtap_txn_abort(txn);
	else
		err = vtap_txn_commit(txn);
	if (IS_ERR_OR_NULL(reply))
		return err;
	if (err)
		nlmsg_free(reply);
	else
		genlmsg_reply(reply, info);
	return err;
}

/* A command is a transaction of one change. */
static int vtap_nl_single(struct genl_info *info, int change)
{
	const struct vtap_nl_args args = {
		.a = info->attrs,
		.head = genlmsg_data(info->genlhdr),
		.len = genlmsg_len(info->genlhdr),
	};
	struct sk_buff *reply = NULL;
	struct vtap_txn txn;
	int err;

	rtnl_lock();
	vtap_txn_begin(&txn, vtap_nl_net(info), info->extack);
	err = vtap_nl_changes[change].make(&txn, &args);
	if (!err && change == VTAP_A_CHANGE_RULE_NEW)
		reply = vtap_nl_prepare(info, vtap_rule_find(txn.vn, txn.vn->last_id),
					vtap_nl_put_rule, VTAP_CMD_RULE_NEW);
	err = vtap_nl_finish(info, &txn, err, reply);
	rtnl_unlock();
	return err;
}

int vtap_nl_session_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	return vtap_nl_single(info, VTAP_A_CHANGE_SESSION_NEW);
}

int vtap_nl_session_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	return vtap_nl_single(info, VTAP_A_CHANGE_SESSION_SET);
}

int vtap_nl_session_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return vtap_nl_single(info, VTAP_A_CHANGE_SESSION_DEL);
}

int vtap_nl_session_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	return vtap_nl_single(info, VTAP_A_CHANGE_SESSION_FLUSH);
}

int vtap_nl_rule_new_doit(struct sk_buff *skb, struct genl_info *info)
{
	return vtap_nl_single(info, VTAP_A_CHANGE_RULE_NEW);
}

int vtap_nl_rule_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	return vtap_nl_single(info, VTAP_A_CHANGE_RULE_SET);
}

int vtap_nl_rule_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	return vtap_nl_single(info, VTAP_A_CHANGE_RULE_DEL);
}

int vtap_nl_rule_flush_doit(struct sk_buff *skb, struct genl_info *info)
{
	return vtap_nl_single(info, VTAP_A_CHANGE_RULE_FLUSH);
}

/* enough for every policy in the table */
#define VTAP_NL_ATTRS	32
static_assert(VTAP_A_SESSION_MAX < VTAP_NL_ATTRS && VTAP_A_RULE_MAX < VTAP_NL_ATTRS);

/* @change: the nest, with one attribute that says what to do */
static int vtap_nl_change(struct vtap_txn *txn, const struct nlattr *change)
{
	struct nlattr *a[VTAP_NL_ATTRS];
	const struct nlattr *op = nla_data(change);
	struct vtap_nl_args args = { .a = a };
	int err, type;

	if (!nla_ok(op, nla_len(change)) || NLA_ALIGN(op->nla_len) < nla_len(change)) {
		NL_SET_ERR_MSG(txn->extack, "a change has one attribute");
		return -EINVAL;
	}
	type = nla_type(op);
	err = nla_parse_nested(a, vtap_nl_changes[type].max, op, vtap_nl_changes[type].policy,
			       txn->extack);
	if (err)
		return err;
	args.head = nla_data(op);
	args.len = nla_len(op);
	return vtap_nl_changes[type].make(txn, &args);
}

int vtap_nl_commit_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply = NULL;
	const struct nlattr *change;
	struct vtap_txn txn;
	int rem, err = 0;

	rtnl_lock();
	vtap_txn_begin(&txn, vtap_nl_net(info), info->extack);
	/* all of them are VTAP_A_COMMIT_CHANGE, and valid: the policy says so */
	nla_for_each_attr(change, genlmsg_data(info->genlhdr), genlmsg_len(info->genlhdr), rem) {
		err = vtap_nl_change(&txn, change);
		if (err) {
			/* tells which one */
			if (info->extack && !info->extack->bad_attr)
				NL_SET_BAD_ATTR(info->extack, change);
			break;
		}
		cond_resched();
	}
	if (!err)
		reply = vtap_nl_prepare(info, &txn, vtap_nl_put_commit, VTAP_CMD_COMMIT);
	err = vtap_nl_finish(info, &txn, err, reply);
	rtnl_unlock();
	return err;
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
