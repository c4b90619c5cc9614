// SPDX-License-Identifier: GPL-2.0
/* Netlink attributes to plain structures. */
#include <linux/ctype.h>
#include <net/netlink.h>

#include "compat.h"
#include "extack.h"
#include "net.h"
#include "netlink_gen.h"
#include "nl_attr.h"
#include "owner.h"
#include "refuse.h"
#include "rule.h"
#include "ruleset.h"
#include "session.h"
#include "taps.h"
#include "txn.h"

/* Names and patterns come back as text, so they have to be printable. "" is none. */
static bool vtap_nl_is_printable(const struct nlattr *a)
{
	const char *p = nla_data(a);

	while (isascii(*p) && isgraph(*p))
		p++;
	return !*p;
}

int vtap_nl_get_session_cfg(struct vtap_session_cfg *cfg, struct nlattr **a,
			    struct netlink_ext_ack *extack)
{
	int err;

	err = vtap_nl_get_addr(&cfg->remote, a[VTAP_A_SESSION_REMOTE], NULL, false, extack) ?:
	      vtap_nl_get_addr(&cfg->local, a[VTAP_A_SESSION_LOCAL], NULL, true, extack);
	if (err)
		return err;
	if (a[VTAP_A_SESSION_DEV]) {
		if (!vtap_nl_is_printable(a[VTAP_A_SESSION_DEV]))
			return vtap_refuse_attr(extack, a[VTAP_A_SESSION_DEV], -EINVAL,
						"dev is not a device name");
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
	if (a[VTAP_A_SESSION_SLICE])
		cfg->slice = nla_get_u32(a[VTAP_A_SESSION_SLICE]);
	if (a[VTAP_A_SESSION_SLICE_MORE])
		cfg->slice_more = nla_get_u16(a[VTAP_A_SESSION_SLICE_MORE]);
	if (a[VTAP_A_SESSION_MASK])
		cfg->mask = nla_get_u32(a[VTAP_A_SESSION_MASK]);
	return 0;
}

/* @a: its name, NULL for the default. Return: NULL when nothing belongs to a tap of this name. */
struct vtap_tap *vtap_nl_find_tap(struct vtap_net *vn, const struct nlattr *a)
{
	return vtap_taps_find(vn, a ? nla_data(a) : VTAP_TAP_DEFAULT);
}

/* The same for a new rule or session. */
struct vtap_tap *vtap_nl_make_tap(struct vtap_txn *txn, const struct nlattr *a)
{
	struct vtap_tap *tap;
	int err;

	tap = vtap_taps_make(txn->vn, a ? nla_data(a) : VTAP_TAP_DEFAULT, a, txn->extack);
	if (IS_ERR(tap))
		return tap;
	err = vtap_owner_check(txn->vn, tap, a, txn->extack);
	return err ? ERR_PTR(err) : tap;
}

struct vtap_session *vtap_nl_find_session(struct vtap_net *vn, struct nlattr **a,
					  struct netlink_ext_ack *extack)
{
	const struct nlattr *name = a[VTAP_A_SESSION_NAME];
	const struct vtap_tap *tap = vtap_nl_find_tap(vn, a[VTAP_A_SESSION_TAP]);
	struct vtap_session *s = NULL;

	if (!name)
		return ERR_PTR(vtap_refuse(extack, -EINVAL, "name is missing"));
	if (!tap && a[VTAP_A_SESSION_TAP]) {
		return ERR_PTR(vtap_refuse_attr(extack, a[VTAP_A_SESSION_TAP], -ENOENT,
						"no tap of this name"));
	}
	if (tap)
		s = vtap_session_find(vn, tap, nla_data(name));
	if (s)
		return s;
	return ERR_PTR(vtap_refuse_attr(extack, name, -ENOENT, "no session has this name"));
}

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
		s = vtap_session_find(txn->vn, cfg->tap, name);
		if (!s && vtap_session_find(txn->vn, NULL, name))
			return vtap_refuse_attr(txn->extack, a, -ENOENT,
						"the session is of another tap");
		if (!s)
			return vtap_refuse_attr(txn->extack, a, -ENOENT, "no session has this name");
		for (i = 0; i < cfg->n_sessions; i++) {
			if (cfg->sessions[i] == s)
				return vtap_refuse_attr(txn->extack, a, -EINVAL,
							"the session is named twice");
		}
		if (cfg->n_sessions == VTAP_RULE_SESSIONS_MAX)
			return vtap_refuse_attr(txn->extack, a, -EINVAL,
						"a rule has at most 8 sessions");
		cfg->sessions[cfg->n_sessions++] = s;
	}
	return 0;
}

/* With a filter in @cfg comes a reference. */
static int vtap_nl_get_filter(struct vtap_rule_cfg *cfg, const struct vtap_nl_args *args,
			      struct netlink_ext_ack *extack)
{
	const bool no_text = vtap_nl_is_unset(args, VTAP_A_RULE_UNSET, VTAP_A_RULE_FILTER_TEXT);
	struct nlattr **a = args->a;
	const struct nlattr *text = a[VTAP_A_RULE_FILTER_TEXT], *prog = a[VTAP_A_RULE_FILTER];
	struct vtap_filter *old = cfg->filter;
	const struct sock_filter *insns;
	unsigned int n;

	cfg->filter = NULL;
	if (prog) {
		insns = nla_data(prog);
		n = nla_len(prog) / sizeof(*insns);
		if (nla_len(prog) % sizeof(*insns))
			return vtap_refuse_attr(extack, prog, -EINVAL,
						"a filter is made of 8-byte instructions");
		if (n > VTAP_FILTER_MAX)
			return vtap_refuse_attr(extack, prog, -EINVAL,
						"a filter has at most 2048 instructions");
	} else {
		insns = old ? old->insns : NULL;
		n = old ? old->n : 0;
	}
	if (text && nla_len(text) > 1 && (!prog || !n))
		return vtap_refuse_attr(extack, text, -EINVAL, "filter-text without a filter");
	if (!prog && !text && !no_text) {
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

/* The caller puts the references to filter and list in @cfg, after errors as well. */
int vtap_nl_get_rule_cfg(struct vtap_rule_cfg *cfg, struct vtap_txn *txn,
			 const struct vtap_nl_args *args)
{
	struct vtap_list *old = cfg->wanted;
	struct nlattr **a = args->a;
	int err;

	cfg->wanted = NULL;
	err = vtap_nl_get_filter(cfg, args, txn->extack) ?:
	      vtap_nl_get_matches(cfg, old, args, txn->extack);
	if (err)
		return err;

	if (a[VTAP_A_RULE_PREF])
		cfg->pref = nla_get_u32(a[VTAP_A_RULE_PREF]);
	if (a[VTAP_A_RULE_PORT]) {
		if (!vtap_nl_is_printable(a[VTAP_A_RULE_PORT]))
			return vtap_refuse_attr(txn->extack, a[VTAP_A_RULE_PORT], -EINVAL,
						"port is neither a device name nor a pattern");
		if (vtap_refuse_port(a[VTAP_A_RULE_PORT], txn->extack))
			return -EINVAL;
		nla_strscpy(cfg->port, a[VTAP_A_RULE_PORT], sizeof(cfg->port));
	}
	if (a[VTAP_A_RULE_MASTER]) {
		if (!vtap_nl_is_printable(a[VTAP_A_RULE_MASTER]))
			return vtap_refuse_attr(txn->extack, a[VTAP_A_RULE_MASTER], -EINVAL,
						"master is not a device name");
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
	return a[VTAP_A_RULE_SESSION] ? vtap_nl_get_sessions(cfg, txn, args) : 0;
}

struct vtap_rule *vtap_nl_find_rule(struct vtap_net *vn, const struct nlattr *a,
				    struct netlink_ext_ack *extack)
{
	struct vtap_rule *rule;

	if (!a)
		return ERR_PTR(vtap_refuse(extack, -EINVAL, "id is missing"));
	rule = vtap_rule_find(vn, nla_get_u64(a));
	if (rule)
		return rule;
	return ERR_PTR(vtap_refuse_attr(extack, a, -ENOENT, "no rule has this id"));
}
