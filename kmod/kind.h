/* SPDX-License-Identifier: GPL-2.0 */
/* Kinds of devices: which of them can be ports, what rules call them, and where a VM sends. */
#ifndef _VTAP_KIND_H
#define _VTAP_KIND_H

#include <linux/types.h>

struct net_device;
struct vtap_pattern;
struct vtap_txn;

/* kind.c; all under RTNL */
u32 vtap_kind_reason(const struct net_device *dev);
bool vtap_kind_eligible(const struct net_device *dev);
bool vtap_kind_bare(const struct net_device *dev);
u8 vtap_kind_sends(const struct net_device *dev);
bool vtap_kind_is_pattern(const char *name);
bool vtap_kind_binds(const struct vtap_pattern *p, const struct net_device *dev,
		     const struct net_device *master);
void vtap_kind_warn(const struct vtap_txn *txn);

#endif /* _VTAP_KIND_H */
