// SPDX-License-Identifier: GPL-2.0
/* Transactions: the log of changes that are made together or not at all. */
#include <linux/slab.h>

#include "net.h"
#include "taps.h"
#include "txn.h"

/* Begin a transaction; RTNL, which is held until its end. */
void vtap_txn_begin(struct vtap_txn *txn, struct vtap_net *vn, struct netlink_ext_ack *extack)
{
	*txn = (struct vtap_txn){ .vn = vn, .extack = extack, .last_id = vn->last_id };
	INIT_LIST_HEAD(&txn->log);
}

/**
 * vtap_txn_alloc - make an entry of the log; vtap_txn_log() comes next, or kfree()
 * @ops: what becomes of the change
 * @cmd: VTAP_CMD_*_NTF
 *
 * Return: the entry, or NULL.
 */
struct vtap_undo *vtap_txn_alloc(const struct vtap_undo_ops *ops, u8 cmd)
{
	struct vtap_undo *u = kzalloc(sizeof(*u), GFP_KERNEL_ACCOUNT);

	if (!u)
		return NULL;
	u->ops = ops;
	u->cmd = cmd;
	return u;
}

/* A change is made. */
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

/* Undo all changes; the end of a transaction. */
void vtap_txn_abort(struct vtap_txn *txn)
{
	struct vtap_undo *u, *next;

	list_for_each_entry_safe_reverse(u, next, &txn->log, list) {
		u->ops->undo(txn, u);
		vtap_txn_forget(u);
	}
	txn->vn->last_id = txn->last_id;
	vtap_taps_sweep(txn->vn);
}

/**
 * vtap_txn_commit - let everybody see the changes; the end of a transaction, which cannot fail
 * @txn: the transaction; when its rules are others, ports are bound to them already
 */
void vtap_txn_commit(struct vtap_txn *txn)
{
	struct vtap_undo *u, *next;

	if (list_empty(&txn->log))
		return;
	txn->vn->gen++;
	/* an event may name what a change before it has deleted */
	list_for_each_entry(u, &txn->log, list)
		u->ops->notify(txn, u);
	list_for_each_entry_safe(u, next, &txn->log, list) {
		u->ops->release(txn, u);
		vtap_txn_forget(u);
	}
	vtap_taps_sweep(txn->vn);
}
