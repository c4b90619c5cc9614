// SPDX-License-Identifier: GPL-2.0
/* Changes: every one is part of a commit. */
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/netlink.h>

#include "compat.h"
#include "cost.h"
#include "extack.h"
#include "kind.h"
#include "list.h"
#include "loop.h"
#include "netlink_gen.h"
#include "nl_attr.h"
#include "nl_msg.h"
#include "owner.h"
#include "path.h"
#include "port.h"
#include "rule.h"
#include "ruleset.h"
#include "session.h"
#include "taps.h"
#include "txn.h"

static int vtap_nl_session_new(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct vtap_session_cfg cfg;
	struct nlattr **a = args->a;
	int err;

	if (!a[VTAP_A_SESSION_NAME])
		return vtap_refuse(txn->extack, -EINVAL, "name is missing");
	if (!a[VTAP_A_SESSION_TYPE])
		return vtap_refuse(txn->extack, -EINVAL, "type is missing");
	vtap_nl_session_default(&cfg, nla_get_u32(a[VTAP_A_SESSION_TYPE]));
	cfg.tap = vtap_nl_make_tap(txn, a[VTAP_A_SESSION_TAP]);
	if (IS_ERR(cfg.tap))
		return PTR_ERR(cfg.tap);
	nla_strscpy(cfg.name, a[VTAP_A_SESSION_NAME], sizeof(cfg.name));
	err = vtap_nl_get_session_cfg(&cfg, a, txn->extack);
	return err ?: vtap_session_add(txn, &cfg);
}

static int vtap_nl_session_set(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct nlattr *type = args->a[VTAP_A_SESSION_TYPE];
	struct vtap_session_cfg cfg;
	struct vtap_session *s;
	int err;

	s = vtap_nl_find_session(txn->vn, args->a, txn->extack);
	if (IS_ERR(s))
		return PTR_ERR(s);
	err = vtap_owner_check(txn->vn, s->cfg.tap, args->a[VTAP_A_SESSION_TAP], txn->extack);
	if (err)
		return err;
	cfg = s->cfg;
	if (type && nla_get_u32(type) != cfg.type)
		return vtap_refuse_attr(txn->extack, type, -EINVAL,
					"the type of a session cannot be changed");
	err = vtap_nl_session_unset(&cfg, args, txn->extack) ?:
	      vtap_nl_get_session_cfg(&cfg, args->a, txn->extack);
	return err ?: vtap_session_set(txn, s, &cfg);
}

static int vtap_nl_session_del(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct vtap_session *s;

	s = vtap_nl_find_session(txn->vn, args->a, txn->extack);
	return IS_ERR(s) ? PTR_ERR(s) : vtap_session_del(txn, s);
}

static int vtap_nl_session_flush(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	const struct vtap_tap *tap = vtap_nl_find_tap(txn->vn, args->a[VTAP_A_SESSION_TAP]);
	struct nlattr *a = args->a[VTAP_A_SESSION_TYPE];
	u32 type = a ? nla_get_u32(a) : 0;

	return vtap_session_flush(txn, tap, a ? &type : NULL);
}

static int vtap_nl_rule_new(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	struct vtap_rule_cfg cfg;
	int err;

	if (!args->a[VTAP_A_RULE_PREF])
		return vtap_refuse(txn->extack, -EINVAL, "pref is missing");
	if (!args->a[VTAP_A_RULE_ACTION])
		return vtap_refuse(txn->extack, -EINVAL, "action is missing");
	vtap_nl_rule_default(&cfg);
	cfg.tap = vtap_nl_make_tap(txn, args->a[VTAP_A_RULE_TAP]);
	if (IS_ERR(cfg.tap))
		return PTR_ERR(cfg.tap);
	err = vtap_nl_get_rule_cfg(&cfg, txn, args);
	if (!err)
		err = vtap_rule_add(txn, &cfg);
	vtap_filter_put(cfg.filter);
	vtap_list_put(cfg.wanted);
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
	err = vtap_owner_check(txn->vn, rule->tap, args->a[VTAP_A_RULE_ID], txn->extack);
	if (err)
		return err;
	vtap_rule_get_cfg(rule, &cfg);
	err = vtap_nl_rule_unset(&cfg, args, txn->extack);
	if (err)
		return err;
	err = vtap_nl_get_rule_cfg(&cfg, txn, args);
	if (!err)
		err = vtap_rule_set(txn, rule, &cfg);
	vtap_filter_put(cfg.filter);
	vtap_list_put(cfg.wanted);
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
	const struct vtap_tap *tap = vtap_nl_find_tap(txn->vn, args->a[VTAP_A_RULE_TAP]);
	struct nlattr *a = args->a[VTAP_A_RULE_PREF];
	u32 pref = a ? nla_get_u32(a) : 0;

	return vtap_rule_flush(txn, tap, a ? &pref : NULL);
}

static int vtap_nl_tap_own(struct vtap_txn *txn, const struct vtap_nl_args *args)
{
	const struct nlattr *name = args->a[VTAP_A_TAP_NAME];

	if (!name)
		return vtap_refuse(txn->extack, -EINVAL, "name is missing");
	return vtap_owner_take(txn->vn, nla_data(name), name, txn->vn->cause->snd_portid,
			       txn->extack);
}

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
	VTAP_NL_CHANGE(SESSION_SET, session_set, session_change),
	VTAP_NL_CHANGE(SESSION_DEL, session_del, session_key),
	VTAP_NL_CHANGE(SESSION_FLUSH, session_flush, session_kind),
	VTAP_NL_CHANGE(RULE_NEW, rule_new, rule_words),
	VTAP_NL_CHANGE(RULE_SET, rule_set, rule_change),
	VTAP_NL_CHANGE(RULE_DEL, rule_del, rule_key),
	VTAP_NL_CHANGE(RULE_FLUSH, rule_flush, rule_pref),
	VTAP_NL_CHANGE(TAP_OWN, tap_own, tap_key),
};

/*
 * The end of a transaction, with the reply to it if there is one. Nobody can be
 * told of an error any more when the changes are made.
 */
static int vtap_nl_finish(struct genl_info *info, struct vtap_txn *txn, int err,
			  struct sk_buff *reply)
{
	if (!err && IS_ERR(reply))
		err = PTR_ERR(reply);
	if (!err && txn->rebind)
		err = vtap_cost_check(txn->vn, txn->extack);
	if (!err) {
		vtap_session_narrow(txn->vn);
		if (txn->rebind)
			err = vtap_port_bind_due(txn->vn);
	}
	if (err) {
		vtap_txn_abort(txn);
	} else if (!list_empty(&txn->log)) {
		vtap_loop_reset(txn->vn);
		vtap_kind_warn(txn);
		vtap_txn_commit(txn);
	} else {
		/* a tap got an owner, and nothing else */
		vtap_taps_sweep(txn->vn);
	}
	if (IS_ERR_OR_NULL(reply))
		return err;
	if (err)
		nlmsg_free(reply);
	else
		genlmsg_reply(reply, info);
	return err;
}

/* enough for every policy in the table */
#define VTAP_NL_ATTRS	40
static_assert(VTAP_A_SESSION_MAX < VTAP_NL_ATTRS && VTAP_A_RULE_MAX < VTAP_NL_ATTRS);

/* @change: the nest, with one attribute that says what to do */
static int vtap_nl_change(struct vtap_txn *txn, const struct nlattr *change)
{
	struct nlattr *a[VTAP_NL_ATTRS];
	const struct nlattr *op = nla_data(change);
	struct vtap_nl_args args = { .a = a };
	int err, type;

	if (!nla_ok(op, nla_len(change)) || NLA_ALIGN(op->nla_len) < nla_len(change))
		return vtap_refuse(txn->extack, -EINVAL, "a change has one attribute");
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
	struct vtap_net *vn = vtap_nl_net(info);
	struct sk_buff *reply = NULL;
	const struct nlattr *change;
	struct vtap_txn txn;
	int rem, err = 0;

	rtnl_lock();
	vn->cause = info;
	vtap_txn_begin(&txn, vn, info->extack);
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
		reply = vtap_nl_prepare(info, &txn, vtap_nl_put_commit, VTAP_CMD_COMMIT,
					NLMSG_GOODSIZE);
	err = vtap_nl_finish(info, &txn, err, reply);
	vn->cause = NULL;
	rtnl_unlock();
	return err;
}
