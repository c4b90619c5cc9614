/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks on a device, and the change from one to another. */
#ifndef _VTAP_HOOK_H
#define _VTAP_HOOK_H

#include "port.h"

bool vtap_hook_reconcile(struct vtap_port *port, u32 dirs, bool may_chain, bool leaving);
void vtap_hook_finish(struct vtap_net *vn);
u32 vtap_hook_unseen(const struct vtap_port *port);

/* chain.c: in front of the rx_handler of a port's master; RTNL */
#if IS_ENABLED(CONFIG_VTAP_CHAIN)
bool vtap_chain_allowed(const struct net_device *dev);
bool vtap_chain_wanted(const struct vtap_port *port);
bool vtap_chain_intact(const struct vtap_port *port);
bool vtap_chain_add(struct vtap_port *port);
void vtap_chain_remove(struct vtap_port *port);
#else
static inline bool vtap_chain_allowed(const struct net_device *dev)
{
	return false;
}

static inline bool vtap_chain_wanted(const struct vtap_port *port)
{
	return false;
}

static inline bool vtap_chain_intact(const struct vtap_port *port)
{
	return false;
}

static inline bool vtap_chain_add(struct vtap_port *port)
{
	return false;
}

static inline void vtap_chain_remove(struct vtap_port *port)
{
}
#endif

#endif /* _VTAP_HOOK_H */
