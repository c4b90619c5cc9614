// SPDX-License-Identifier: GPL-2.0
/* Transactions: the log of changes that are made together or not at all. */
#include <linux/slab.h>

#include "net.h"
#include "txn.h"

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
