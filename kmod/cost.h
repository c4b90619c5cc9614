/* SPDX-License-Identifier: GPL-2.0 */
/* What rules may cost a frame. */
#ifndef _VTAP_COST_H
#define _VTAP_COST_H

struct netlink_ext_ack;
struct vtap_net;
struct vtap_rule;

u64 vtap_cost_of(const struct vtap_rule *rule);
int vtap_cost_check(const struct vtap_net *vn, struct netlink_ext_ack *extack);

#endif /* _VTAP_COST_H */
