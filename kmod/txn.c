// SPDX-License-Identifier: GPL-2.0
/* Transactions: changes of sessions and rules that are made together or not at all. */
#include <linux/netlink.h>
#include <linux/slab.h>

#include "kind.h"
#include "loop.h"

/**
 * vtap_txn_begin - begin a transaction; RTNL, which is held until its end
 * @txn: the transaction
 * @vn: the namespace's vtap
 * @extack: gets the reason when a change is refused
 */
void vtap_txn_begin(struct vtap_txn *txn, struct vtap_net *vn, struct netlink_ext_ack *extack)
{
	*txn = (struct vtap_txn){ .vn = vn, .extack = extack, .last_id = vn->last_id };
	INIT_LIST_HEAD(&txn->log);
}

/**
 * vtap_txn_alloc - make an entry of the log; vtap_txn_log() comes next, or kfree()
 * @cmd: VTAP_CMD_*_NTF
 *
 * Return: the entry, or NULL.
 */
struct vtap_undo *vtap_txn_alloc(u8 cmd)
{
	struct vtap_undo *u = kzalloc(sizeof(*u), GFP_KERNEL_ACCOUNT);

	if (u)
		u->cmd = cmd;
	return u;
}

/**
 * vtap_txn_log - a change is made
 * @txn: the transaction
 * @u: how to undo it
 */
void vtap_txn_log(struct vtap_txn *txn, struct vtap_undo *u)
{
	list_add_tail(&u->list, &txn->log);
}

static void vtap_txn_forget(struct vtap_undo *u)
{
	list_del(&u->list);
	kfree(u->cfg);
	kfree(u);
}

/**
 * vtap_txn_abort - undo all changes; the end of a transaction
 * @txn: the transaction
 */
void vtap_txn_abort(struct vtap_txn *txn)
{
	struct vtap_undo *u, *next;

	list_for_each_entry_safe_reverse(u, next, &txn->log, list) {
		if (u->session)
			vtap_session_undo(u);
		else
			vtap_rule_undo(txn, u);
		vtap_txn_forget(u);
	}
	txn->vn->last_id = txn->last_id;
}

/**
 * vtap_txn_commit - let packets see the changes; the end of a transaction
 * @txn: the transaction
 *
 * Return: 0, or -ENOMEM and all changes are undone.
 */
int vtap_txn_commit(struct vtap_txn *txn)
{
	struct vtap_undo *u, *next;
	int err;

	if (list_empty(&txn->log))
		return 0;
	if (txn->rebind) {
		err = vtap_port_bind_all(txn->vn);
		if (err) {
			vtap_txn_abort(txn);
			return err;
		}
	}
	vtap_loop_reset(txn->vn);
	txn->vn->gen++;
	vtap_kind_warn(txn);
	/* what is deleted may be named by what is told after it */
	list_for_each_entry(u, &txn->log, list) {
		if (u->session)
			vtap_session_tell(u);
		else
			vtap_nl_rule_notify(txn->vn, u->rule ?: u->old, u->cmd);
	}
	list_for_each_entry_safe(u, next, &txn->log, list) {
		if (u->session)
			vtap_session_done(u);
		else
			vtap_rule_done(txn, u);
		vtap_txn_forget(u);
	}
	return 0;
}
