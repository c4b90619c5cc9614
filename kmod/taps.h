/* SPDX-License-Identifier: GPL-2.0 */
/* The taps of a namespace: what rules and sessions belong to. */
#ifndef _VTAP_TAPS_H
#define _VTAP_TAPS_H

#include <linux/types.h>
#include <uapi/linux/vtap.h>

struct netlink_ext_ack;
struct nlattr;
struct vtap_net;

#define VTAP_TAP_DEFAULT	"main"
/* no socket gets it by itself; a tap of one that is bound to it may go early */
#define VTAP_OWNER_GONE		U32_MAX

/**
 * struct vtap_tap - rules that are judged on their own, and the sessions that they name; RTNL
 * @list: in vtap_net.taps, in the order of @id
 * @id: no other tap of the namespace has had it; rules are kept in the order of their taps
 * @n_rules: rules that belong to it, without those that a transaction has deleted
 * @n_sessions: the same for sessions
 * @owner: portid of the netlink socket that it goes with, VTAP_OWNER_GONE once that is closed, 0
 *	for none; set under RTNL, and under vtap_net.taps_lock by a socket that closes
 * @name: what users call it; the trace point reads it under RCU
 * @rcu: frees it when no packet can see it any more
 *
 * A tap is made for the first rule or session that names it. It goes at the end of the
 * transaction that leaves it without any; within one, what is deleted still points to it.
 */
struct vtap_tap {
	struct list_head list;
	u64 id;
	unsigned int n_rules;
	unsigned int n_sessions;
	u32 owner;
	char name[VTAP_NAME_MAX + 1];
	struct rcu_head rcu;
};

struct vtap_tap *vtap_taps_find(const struct vtap_net *vn, const char *name);
struct vtap_tap *vtap_taps_make(struct vtap_net *vn, const char *name, const struct nlattr *attr,
				struct netlink_ext_ack *extack);
void vtap_taps_count(struct vtap_net *vn, struct vtap_tap *tap, int rules, int sessions);
void vtap_taps_sweep(struct vtap_net *vn);
void vtap_taps_init_net(struct vtap_net *vn);

static inline bool vtap_taps_used(const struct vtap_tap *tap)
{
	return tap->n_rules || tap->n_sessions;
}

#endif /* _VTAP_TAPS_H */
