// SPDX-License-Identifier: GPL-2.0
/* Sessions: their list and its changes. */
#include <linux/ctype.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/fib_notifier.h>
#include <net/ipv6.h>

#include "extack.h"
#include "look.h"
#include "loop.h"
#include "nl.h"
#include "path.h"
#include "session.h"
#include "taps.h"
#include "txn.h"

#define VTAP_SESSIONS_MAX	1024

static int vtap_session_check(const struct vtap_session_cfg *cfg, struct netlink_ext_ack *extack)
{
	const struct in6_addr *r = &cfg->remote.ip, *l = &cfg->local.ip;
	const char *p;

	for (p = cfg->name; *p; p++) {
		if (!isascii(*p) || (!isalnum(*p) && !strchr("_.:@-", *p)))
			return vtap_refuse(extack, -EINVAL,
					   "a session's name consists of letters, digits and _.:@-");
	}
	if (!cfg->name[0])
		return vtap_refuse(extack, -EINVAL, "name is missing");
	if ((cfg->remote.family == AF_INET && (ipv4_is_zeronet(r->s6_addr32[0]) ||
					       ipv4_is_lbcast(r->s6_addr32[0]))) ||
	    (cfg->remote.family == AF_INET6 && ipv6_addr_any(r)))
		return vtap_refuse(extack, -EINVAL, "remote is not a usable collector address");
	if ((cfg->local.family == AF_INET && (ipv4_is_zeronet(l->s6_addr32[0]) ||
					      ipv4_is_multicast(l->s6_addr32[0]) ||
					      ipv4_is_lbcast(l->s6_addr32[0]))) ||
	    (cfg->local.family == AF_INET6 && (ipv6_addr_any(l) || ipv6_addr_is_multicast(l))))
		return vtap_refuse(extack, -EINVAL, "local is not a usable source address");
	if (cfg->remote.family == AF_INET6 && __ipv6_addr_needs_scope_id(ipv6_addr_type(r)) &&
	    !cfg->dev[0])
		return vtap_refuse(extack, -EINVAL,
				   "remote is a link-local address, which needs dev");
	return vtap_encap_check(cfg, extack);
}

static void vtap_session_rcu(struct rcu_head *rcu)
{
	struct vtap_session *s = container_of(rcu, struct vtap_session, rcu);

	free_percpu(s->stats);
	kfree(s);
}

/* Deleted by a transaction: not counted any more, but on the list until the commit. */
static void vtap_session_mark_gone(struct vtap_session *s, bool gone)
{
	struct vtap_net *vn = s->vn;

	s->gone = gone;
	vtap_taps_count(vn, s->cfg.tap, 0, gone ? -1 : 1);
	WRITE_ONCE(vn->n_sessions, vn->n_sessions + (gone ? -1 : 1));
}

/* Outer packet ids begin at random, on a boundary of blocks; no CPU has a block yet. */
static void vtap_session_ids(struct vtap_session *s)
{
	int cpu;

	atomic_set(&s->ipid, get_random_u32() & ~0xffu);
	for_each_possible_cpu(cpu)
		per_cpu_ptr(s->stats, cpu)->ipid = U32_MAX;
}

/* Off the list; no packet gets to see it any more. */
static void vtap_session_free(struct vtap_session *s)
{
	list_del_rcu(&s->list);
	vtap_session_publish(s, NULL);
	call_rcu(&s->rcu, vtap_session_rcu);
}

static void vtap_session_undo(struct vtap_txn *txn, const struct vtap_undo *u)
{
	struct vtap_session *s = u->session;

	switch (u->cmd) {
	case VTAP_CMD_SESSION_ADD_NTF:
		vtap_session_mark_gone(s, true);
		vtap_session_free(s);
		break;
	case VTAP_CMD_SESSION_CHANGE_NTF:
		s->cfg = *u->cfg;
		break;
	case VTAP_CMD_SESSION_DEL_NTF:
		vtap_session_mark_gone(s, false);
		break;
	}
}

static void vtap_session_notify(struct vtap_txn *txn, const struct vtap_undo *u)
{
	struct vtap_session *s = u->session;

	vtap_nl_session_notify(s, u->cmd);
	if (s->gone)
		return;
	if (u->cmd == VTAP_CMD_SESSION_CHANGE_NTF)
		vtap_session_refresh(s);
	/* routers may answer the first copy; without memory the tick tries again */
	vtap_pmtu_follow(s->vn, true);
	schedule_delayed_work(&s->vn->tick, VTAP_TICK);
}

static void vtap_session_release(struct vtap_txn *txn, const struct vtap_undo *u)
{
	if (u->cmd == VTAP_CMD_SESSION_DEL_NTF)
		vtap_session_free(u->session);
}

static const struct vtap_undo_ops vtap_session_undo_ops = {
	.undo = vtap_session_undo,
	.notify = vtap_session_notify,
	.release = vtap_session_release,
};

/*
 * Create a session. Return: 0, -EINVAL, -EEXIST, -ENOSPC or -ENOMEM; nothing has changed unless
 * 0.
 */
int vtap_session_add(struct vtap_txn *txn, const struct vtap_session_cfg *cfg)
{
	static u32 last_serial;	/* RTNL */
	struct vtap_net *vn = txn->vn;
	struct vtap_session *s;
	struct vtap_undo *u;
	int err;

	err = vtap_session_check(cfg, txn->extack);
	if (err)
		return err;
	if (vtap_session_find(vn, cfg->tap, cfg->name))
		return vtap_refuse(txn->extack, -EEXIST, "a session with this name exists");
	if (vn->n_sessions >= VTAP_SESSIONS_MAX)
		return vtap_refuse(txn->extack, -ENOSPC, "too many sessions");
	err = vtap_own_init_net(vn) ?: vtap_loop_init_net(vn);
	if (err)
		return err;
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	u = vtap_txn_alloc(&vtap_session_undo_ops, VTAP_CMD_SESSION_ADD_NTF);
	s->stats = alloc_percpu_gfp(struct vtap_session_stats, GFP_KERNEL_ACCOUNT);
	if (!u || !s->stats) {
		free_percpu(s->stats);
		kfree(s);
		kfree(u);
		return -ENOMEM;
	}
	s->vn = vn;
	s->serial = ++last_serial;
	s->cfg = *cfg;
	s->state = VTAP_SESSION_STATE_NO_ROUTE;
	spin_lock_init(&s->bucket_lock);
	spin_lock_init(&s->unreach.lock);
	vtap_session_ids(s);
	/* before any rule sends to it */
	vtap_session_update(s);
	list_add_tail_rcu(&s->list, &vn->sessions);
	vtap_session_mark_gone(s, false);
	u->session = s;
	vtap_txn_log(txn, u);
	return 0;
}

/**
 * vtap_session_set - change a session
 * @txn: the transaction
 * @s: the session
 * @cfg: all that it shall be; name and type are as they were
 *
 * Return: 0, -EINVAL or -ENOMEM; nothing has changed unless 0.
 */
int vtap_session_set(struct vtap_txn *txn, struct vtap_session *s,
		     const struct vtap_session_cfg *cfg)
{
	struct vtap_undo *u;
	int err;

	err = vtap_session_check(cfg, txn->extack);
	if (err)
		return err;
	u = vtap_txn_alloc(&vtap_session_undo_ops, VTAP_CMD_SESSION_CHANGE_NTF);
	if (!u)
		return -ENOMEM;
	u->session = s;
	u->cfg = kmemdup(&s->cfg, sizeof(s->cfg), GFP_KERNEL_ACCOUNT);
	if (!u->cfg) {
		kfree(u);
		return -ENOMEM;
	}
	/* packets go by the template, which follows, see vtap_session_narrow() */
	s->cfg = *cfg;
	vtap_txn_log(txn, u);
	return 0;
}

/*
 * Delete a session. Return: 0, -EBUSY while a rule names it, or -ENOMEM; nothing has changed
 * unless 0.
 */
int vtap_session_del(struct vtap_txn *txn, struct vtap_session *s)
{
	struct vtap_undo *u;

	if (s->users)
		return vtap_refuse(txn->extack, -EBUSY, "the session is used by a rule");
	u = vtap_txn_alloc(&vtap_session_undo_ops, VTAP_CMD_SESSION_DEL_NTF);
	if (!u)
		return -ENOMEM;
	u->session = s;
	vtap_session_mark_gone(s, true);
	vtap_txn_log(txn, u);
	return 0;
}

/**
 * vtap_session_flush - delete all sessions of a tap, or those of one type
 * @txn: the transaction
 * @tap: the tap, or NULL when it has neither rules nor sessions
 * @type: which, or NULL for all
 *
 * Return: 0, or -EBUSY while a rule names one of them, or -ENOMEM; unless 0 the transaction is
 * to be aborted.
 */
int vtap_session_flush(struct vtap_txn *txn, const struct vtap_tap *tap, const u32 *type)
{
	struct vtap_session *s;
	int err;

	list_for_each_entry(s, &txn->vn->sessions, list) {
		if (s->gone || s->cfg.tap != tap || (type && s->cfg.type != *type))
			continue;
		err = vtap_session_del(txn, s);
		if (err)
			return err;
	}
	return 0;
}

/**
 * vtap_session_find - a session by its name, which is unique in its tap; RTNL
 * @vn: the namespace's vtap
 * @tap: the tap, or NULL for any
 * @name: the name
 *
 * Return: the session, or NULL.
 */
struct vtap_session *vtap_session_find(const struct vtap_net *vn, const struct vtap_tap *tap,
				       const char *name)
{
	struct vtap_session *s;

	list_for_each_entry(s, &vn->sessions, list) {
		if (!s->gone && (!tap || s->cfg.tap == tap) && !strcmp(s->cfg.name, name))
			return s;
	}
	return NULL;
}

/* A namespace's sessions. Return: 0 or a negative error. */
int vtap_session_init_net(struct vtap_net *vn)
{
	INIT_LIST_HEAD(&vn->sessions);
	return vtap_tick_init_net(vn);
}

/* End of a namespace's sessions; no rule and no port is left. */
void vtap_session_exit_net(struct vtap_net *vn)
{
	struct vtap_session *s, *next;

	unregister_fib_notifier(vn->net, &vn->fib_nb);
	rtnl_lock();
	list_for_each_entry_safe(s, next, &vn->sessions, list) {
		vtap_session_mark_gone(s, true);
		vtap_session_free(s);
	}
	rtnl_unlock();
	cancel_delayed_work_sync(&vn->kick);
	cancel_delayed_work_sync(&vn->tick);
	rtnl_lock();
	vtap_pmtu_follow(vn, false);
	rtnl_unlock();
	vtap_loop_exit_net(vn);
	vtap_own_exit_net(vn);
}
