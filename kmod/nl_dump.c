// SPDX-License-Identifier: GPL-2.0
/* Dumps: which objects of a kind, and where the next message goes on. */
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "compat.h"
#include "extack.h"
#include "netlink_gen.h"
#include "nl_attr.h"
#include "nl_msg.h"
#include "port.h"
#include "rule.h"
#include "ruleset.h"
#include "session.h"
#include "table.h"
#include "taps.h"

/*
 * What a request limits a dump to
 * @tap: what belongs to it, or ports with such a rule
 * @nothing: there is no such tap
 * @type: sessions of this type
 * @session: rules that name a session of this name, or ports with such a rule; "" for any
 * @rule: ports that it is bound to
 * @by_port: rules that are bound to a port, those of @table
 * @table: may be NULL, then there are none
 *
 * Members that are not given are NULL.
 */
struct vtap_nl_pick {
	const struct vtap_tap *tap;
	bool nothing;
	const struct nlattr *type;
	char session[VTAP_NAME_MAX + 1];
	const struct vtap_rule *rule;
	bool by_port;
	const struct vtap_table *table;
};

/*
 * One kind of objects
 * @list: its list in struct vtap_net, which is in the order of a key
 * @member: the list's member in an object
 * @behind: the object that the last message ended with, or where it was, by its key
 * @mark: note an object's key
 * @size: room for one that a page may not hold, or NULL
 */
struct vtap_nl_kind {
	u8 cmd;
	size_t list;
	size_t member;
	vtap_nl_put_t put;
	int (*pick)(struct vtap_net *vn, struct nlattr **a, struct vtap_nl_pick *pick,
		    struct netlink_ext_ack *extack);
	bool (*wanted)(const void *obj, const struct vtap_nl_pick *pick);
	struct list_head *(*behind)(struct vtap_net *vn, const long *key);
	void (*mark)(const void *obj, long *key);
	size_t (*size)(const void *obj);
};

/* Is the rule of the tap, and does it name the session, that are picked? */
static bool vtap_nl_rule_picked(const struct vtap_rule *rule, const struct vtap_nl_pick *pick)
{
	unsigned int i;

	if (pick->tap && rule->tap != pick->tap)
		return false;
	for (i = 0; pick->session[0] && i < rule->n_sessions; i++) {
		if (!strcmp(rule->sessions[i]->cfg.name, pick->session))
			return true;
	}
	return !pick->session[0];
}

static bool vtap_nl_table_picked(const struct vtap_table *t, const struct vtap_nl_pick *pick)
{
	unsigned int i;

	for (i = 0; i < t->n_parts; i++) {
		if (vtap_nl_table_picked(t->parts[i], pick))
			return true;
	}
	for (i = 0; i < t->n; i++) {
		if (vtap_nl_rule_picked(t->rules[i], pick))
			return true;
	}
	return false;
}

static int vtap_nl_refuse_key(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	if (!a)
		return 0;
	return vtap_refuse_attr(extack, a, -EINVAL, "a dump takes no key, which is for one object");
}

/* A tap is there with what belongs to it, so one that is not there has nothing to tell. */
static void vtap_nl_pick_tap(struct vtap_net *vn, const struct nlattr *a,
			     struct vtap_nl_pick *pick)
{
	if (!a)
		return;
	pick->tap = vtap_nl_find_tap(vn, a);
	pick->nothing = !pick->tap;
}

/* Without a tap, a name may be that of a session of each tap. It needs no NUL at its end. */
static int vtap_nl_pick_session(struct vtap_net *vn, const struct nlattr *a,
				struct vtap_nl_pick *pick, struct netlink_ext_ack *extack)
{
	if (!a)
		return 0;
	nla_strscpy(pick->session, a, sizeof(pick->session));
	if (pick->session[0] && !pick->nothing && vtap_session_find(vn, pick->tap, pick->session))
		return 0;
	return vtap_refuse_attr(extack, a, -ENOENT, "no session has this name");
}

/* sessions, in the order of their serial number */

static int vtap_nl_pick_sessions(struct vtap_net *vn, struct nlattr **a, struct vtap_nl_pick *pick,
				 struct netlink_ext_ack *extack)
{
	pick->type = a[VTAP_A_SESSION_TYPE];
	vtap_nl_pick_tap(vn, a[VTAP_A_SESSION_TAP], pick);
	return vtap_nl_refuse_key(a[VTAP_A_SESSION_NAME], extack);
}

static bool vtap_nl_session_wanted(const void *obj, const struct vtap_nl_pick *pick)
{
	const struct vtap_session *s = obj;

	if (pick->tap && s->cfg.tap != pick->tap)
		return false;
	return !pick->type || s->cfg.type == nla_get_u32(pick->type);
}

static struct list_head *vtap_nl_session_behind(struct vtap_net *vn, const long *key)
{
	struct list_head *pos = &vn->sessions;
	struct vtap_session *s;

	list_for_each_entry(s, &vn->sessions, list) {
		/* they go round */
		if ((s32)(s->serial - (u32)key[0]) > 0)
			break;
		pos = &s->list;
	}
	return pos;
}

static void vtap_nl_session_mark(const void *obj, long *key)
{
	const struct vtap_session *s = obj;

	key[0] = s->serial;
}

static const struct vtap_nl_kind vtap_nl_sessions = {
	.cmd = VTAP_CMD_SESSION_GET,
	.list = offsetof(struct vtap_net, sessions),
	.member = offsetof(struct vtap_session, list),
	.put = vtap_nl_put_session,
	.pick = vtap_nl_pick_sessions,
	.wanted = vtap_nl_session_wanted,
	.behind = vtap_nl_session_behind,
	.mark = vtap_nl_session_mark,
};

/* rules, in the order of tap, pref and id */

static int vtap_nl_pick_rules(struct vtap_net *vn, struct nlattr **a, struct vtap_nl_pick *pick,
			      struct netlink_ext_ack *extack)
{
	const struct nlattr *name = a[VTAP_A_RULE_PORT];
	const struct vtap_port *port;
	struct net_device *dev;
	int err;

	vtap_nl_pick_tap(vn, a[VTAP_A_RULE_TAP], pick);
	err = vtap_nl_refuse_key(a[VTAP_A_RULE_ID], extack) ?:
	      vtap_nl_pick_session(vn, a[VTAP_A_RULE_SESSION], pick, extack);
	if (err || !name)
		return err;
	dev = __dev_get_by_name(vn->net, nla_data(name));
	if (!dev)
		return vtap_refuse_attr(extack, name, -ENOENT, "there is no such device");
	port = vtap_port_of(vn, dev);
	pick->table = port ? rtnl_dereference(port->table) : NULL;
	pick->by_port = true;
	return 0;
}

static bool vtap_nl_rule_wanted(const void *obj, const struct vtap_nl_pick *pick)
{
	const struct vtap_rule *rule = obj;

	if (!vtap_nl_rule_picked(rule, pick))
		return false;
	return !pick->by_port || (pick->table && vtap_table_has(pick->table, rule));
}

static struct list_head *vtap_nl_rule_behind(struct vtap_net *vn, const long *key)
{
	const unsigned long tap = key[0], id = key[2];
	const u32 pref = key[1];
	struct list_head *pos = &vn->rules;
	struct vtap_rule *rule;

	rule = vtap_rule_find(vn, id);
	if (rule && rule->tap->id == tap && rule->pref == pref)
		return &rule->list;
	/* it is gone, or elsewhere */
	list_for_each_entry(rule, &vn->rules, list) {
		if (rule->tap->id != tap ? rule->tap->id > tap :
		    rule->pref > pref || (rule->pref == pref && rule->id > id))
			break;
		pos = &rule->list;
	}
	return pos;
}

static void vtap_nl_rule_mark(const void *obj, long *key)
{
	const struct vtap_rule *rule = obj;

	key[0] = rule->tap->id;
	key[1] = rule->pref;
	key[2] = rule->id;
}

static const struct vtap_nl_kind vtap_nl_rules = {
	.cmd = VTAP_CMD_RULE_GET,
	.list = offsetof(struct vtap_net, rules),
	.member = offsetof(struct vtap_rule, list),
	.put = vtap_nl_put_rule,
	.pick = vtap_nl_pick_rules,
	.wanted = vtap_nl_rule_wanted,
	.behind = vtap_nl_rule_behind,
	.mark = vtap_nl_rule_mark,
	.size = vtap_nl_rule_size,
};

/* ports, in the order of their index */

static int vtap_nl_pick_ports(struct vtap_net *vn, struct nlattr **a, struct vtap_nl_pick *pick,
			      struct netlink_ext_ack *extack)
{
	int err;

	vtap_nl_pick_tap(vn, a[VTAP_A_PORT_TAP], pick);
	err = vtap_nl_refuse_key(a[VTAP_A_PORT_NAME] ?: a[VTAP_A_PORT_IFINDEX], extack) ?:
	      vtap_nl_pick_session(vn, a[VTAP_A_PORT_SESSION], pick, extack);
	if (err || !a[VTAP_A_PORT_RULE])
		return err;
	pick->rule = vtap_nl_find_rule(vn, a[VTAP_A_PORT_RULE], extack);
	return PTR_ERR_OR_ZERO(pick->rule);
}

static bool vtap_nl_port_wanted(const void *obj, const struct vtap_nl_pick *pick)
{
	const struct vtap_port *port = obj;
	const struct vtap_table *t = rtnl_dereference(port->table);

	if (pick->rule && !(t && vtap_table_has(t, pick->rule)))
		return false;
	return (!pick->tap && !pick->session[0]) || (t && vtap_nl_table_picked(t, pick));
}

static struct list_head *vtap_nl_port_behind(struct vtap_net *vn, const long *key)
{
	struct vtap_port *port = vtap_port_by_index(vn, key[0]);
	struct list_head *pos = &vn->ports;

	if (port)
		return &port->list;
	list_for_each_entry(port, &vn->ports, list) {
		if (port->id.ifindex > key[0])
			break;
		pos = &port->list;
	}
	return pos;
}

static void vtap_nl_port_mark(const void *obj, long *key)
{
	const struct vtap_port *port = obj;

	key[0] = port->id.ifindex;
}

static const struct vtap_nl_kind vtap_nl_ports = {
	.cmd = VTAP_CMD_PORT_GET,
	.list = offsetof(struct vtap_net, ports),
	.member = offsetof(struct vtap_port, list),
	.put = vtap_nl_put_port,
	.pick = vtap_nl_pick_ports,
	.wanted = vtap_nl_port_wanted,
	.behind = vtap_nl_port_behind,
	.mark = vtap_nl_port_mark,
};

/*
 * What changes between two messages is marked by the kernel; what stays is told once in any
 * case, since the next message goes on behind a key, not at a position. cb->args[0] says that
 * there is a key in those behind it. RTNL is taken here.
 */
static int vtap_nl_dump(struct sk_buff *skb, struct netlink_callback *cb,
			const struct vtap_nl_kind *kind)
{
	struct vtap_net *vn = vtap_pernet(sock_net(skb->sk));
	const struct vtap_nl_msg m = {
		.vn = vn, .portid = NETLINK_CB(cb->skb).portid, .seq = cb->nlh->nlmsg_seq,
		.flags = NLM_F_MULTI, .cmd = kind->cmd, .cb = cb,
	};
	struct list_head *head = (void *)vn + kind->list, *pos;
	struct vtap_nl_pick pick = {};
	bool gone = false;
	int err;

	rtnl_lock();
	cb->seq = vn->gen;
	err = kind->pick(vn, vtap_genl_dump_attrs(cb), &pick, cb->extack);
	/* what picks may go between two messages: the end, which is marked as well */
	if (err == -ENOENT && cb->args[0])
		gone = true;
	if (err || pick.nothing)
		goto unlock;
	pos = cb->args[0] ? kind->behind(vn, cb->args + 1) : head;
	while (!err && (pos = pos->next) != head) {
		const void *obj = (void *)pos - kind->member;

		if (!kind->wanted(obj, &pick))
			continue;
		err = kind->put(skb, obj, &m);
		/* the kernel goes by the reads there were: one object fits in any case */
		if (err && !skb->len && !pskb_expand_head(skb, 0, kind->size ? kind->size(obj) :
							  NLMSG_GOODSIZE, GFP_KERNEL))
			err = kind->put(skb, obj, &m);
		if (err)
			break;
		kind->mark(obj, cb->args + 1);
		cb->args[0] = 1;
	}
unlock:
	rtnl_unlock();
	return err && !gone && !skb->len ? err : skb->len;
}

int vtap_nl_session_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vtap_nl_dump(skb, cb, &vtap_nl_sessions);
}

int vtap_nl_rule_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vtap_nl_dump(skb, cb, &vtap_nl_rules);
}

int vtap_nl_port_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vtap_nl_dump(skb, cb, &vtap_nl_ports);
}
