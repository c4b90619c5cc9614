// SPDX-License-Identifier: GPL-2.0
/* The end of a transaction: all its changes are seen, or none was made. */
#include <linux/slab.h>

#include "cost.h"
#include "kind.h"
#include "loop.h"
#include "nl.h"
#include "ruleset.h"
#include "session.h"
#include "txn.h"

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
 * Return: 0, or -ENOMEM or -ENOSPC and all changes are undone.
 */
int vtap_txn_commit(struct vtap_txn *txn)
{
	struct vtap_undo *u, *next;
	int err;

	if (list_empty(&txn->log))
		return 0;
	if (txn->rebind) {
		err = vtap_cost_check(txn->vn, txn->extack) ?: vtap_port_bind_all(txn->vn);
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
