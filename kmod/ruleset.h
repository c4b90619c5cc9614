/* SPDX-License-Identifier: GPL-2.0 */
/* The rules of a namespace in their order. */
#ifndef _VTAP_RULESET_H
#define _VTAP_RULESET_H

#include <linux/types.h>

struct vtap_net;
struct vtap_rule;
struct vtap_rule_block;
struct vtap_rule_cfg;
struct vtap_tap;
struct vtap_txn;

void vtap_rule_block_put(struct vtap_rule_block *b);
int vtap_rule_add(struct vtap_txn *txn, const struct vtap_rule_cfg *cfg);
int vtap_rule_set(struct vtap_txn *txn, struct vtap_rule *old, const struct vtap_rule_cfg *cfg);
int vtap_rule_del(struct vtap_txn *txn, struct vtap_rule *rule);
int vtap_rule_flush(struct vtap_txn *txn, const struct vtap_tap *tap, const u32 *pref);
struct vtap_rule *vtap_rule_find(struct vtap_net *vn, u64 id);
void vtap_rule_init_net(struct vtap_net *vn);
void vtap_rule_exit_net(struct vtap_net *vn);

#endif /* _VTAP_RULESET_H */
