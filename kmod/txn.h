/* SPDX-License-Identifier: GPL-2.0 */
/* Changes that are made together. */
#ifndef _VTAP_TXN_H
#define _VTAP_TXN_H

#include <linux/types.h>

struct netlink_ext_ack;
struct vtap_net;
struct vtap_rule;
struct vtap_session;
struct vtap_session_cfg;
struct vtap_txn;
struct vtap_undo;

/**
 * struct vtap_undo_ops - what becomes of one kind of change at the end of a transaction; RTNL
 * @undo: the transaction is aborted; changes are undone in reverse order
 * @notify: it is committed: send the event, and let packets see the change
 * @release: all events are sent: free what the change took away
 */
struct vtap_undo_ops {
	void (*undo)(struct vtap_txn *txn, const struct vtap_undo *u);
	void (*notify)(struct vtap_txn *txn, const struct vtap_undo *u);
	void (*release)(struct vtap_txn *txn, const struct vtap_undo *u);
};

/**
 * struct vtap_undo - a change that a transaction has made
 * @list: in vtap_txn.log
 * @ops: those of sessions, or of rules
 * @cmd: event that tells of it, VTAP_CMD_*_NTF
 * @session: a session that was added, set or deleted
 * @cfg: what a session that was set was before
 * @rule: a rule that was added, or takes the place of @old
 * @old: a rule that was replaced or deleted
 */
struct vtap_undo {
	struct list_head list;
	const struct vtap_undo_ops *ops;
	u8 cmd;
	struct vtap_session *session;
	struct vtap_session_cfg *cfg;
	struct vtap_rule *rule;
	struct vtap_rule *old;
};

/**
 * struct vtap_txn - changes that are made together, all or none
 * @vn: the namespace's vtap
 * @extack: gets the reason when a change is refused
 * @log: struct vtap_undo in order
 * @last_id: vtap_net.last_id before
 * @rebind: the rules are others
 *
 * Between begin and end RTNL is held, and nobody else sees the lists.
 */
struct vtap_txn {
	struct vtap_net *vn;
	struct netlink_ext_ack *extack;
	struct list_head log;
	u64 last_id;
	bool rebind;
};

/* txn.c */
void vtap_txn_begin(struct vtap_txn *txn, struct vtap_net *vn, struct netlink_ext_ack *extack);
struct vtap_undo *vtap_txn_alloc(const struct vtap_undo_ops *ops, u8 cmd);
void vtap_txn_log(struct vtap_txn *txn, struct vtap_undo *u);
void vtap_txn_abort(struct vtap_txn *txn);
void vtap_txn_commit(struct vtap_txn *txn);

#endif /* _VTAP_TXN_H */
