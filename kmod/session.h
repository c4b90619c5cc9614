/* SPDX-License-Identifier: GPL-2.0 */
/* Sessions: what a user says of them, and their counters. */
#ifndef _VTAP_SESSION_H
#define _VTAP_SESSION_H

#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>

#include "match.h"
#include "unreach.h"

struct vtap_net;
struct vtap_tap;
struct vtap_tmpl;
struct vtap_txn;

/*
 * Counters of a session, in the order of VTAP_A_SESSION_STATS_*; matched = sent + the sum of
 * VTAP_SESSION_STAT_DROP_*.
 */
enum vtap_session_stat {
	VTAP_SESSION_STAT_MATCHED,
	VTAP_SESSION_STAT_SENT,
	VTAP_SESSION_STAT_BYTES,
	VTAP_SESSION_STAT_DROP_INACTIVE,
	VTAP_SESSION_STAT_DROP_NOMEM,
	VTAP_SESSION_STAT_DROP_MTU,
	VTAP_SESSION_STAT_DROP_RATE,
	VTAP_SESSION_STAT_DROP_XMIT,
	VTAP_SESSION_STAT_DROP_LOOP,
	VTAP_SESSION_STAT_DROP_FRAME,
	VTAP_SESSION_STAT_TRUNCATED,
	VTAP_SESSION_STAT_FRAGMENTED,
	VTAP_SESSION_STAT_DECAPPED,
	VTAP_SESSION_STAT_MASKED,
	__VTAP_SESSION_STAT_MAX,
};

/*
 * struct vtap_session_cfg - what a user says of a session
 * @tap: the tap that it belongs to; RTNL
 *
 * The other members are named and bounded as the attributes in vtap.yaml.
 */
struct vtap_session_cfg {
	struct vtap_tap *tap;
	char name[VTAP_NAME_MAX + 1];
	char dev[IFNAMSIZ];
	struct vtap_addr remote;
	struct vtap_addr local;
	u64 rate;
	u64 seed;
	u32 type;
	u32 key;
	u32 index;
	u32 snaplen;
	u32 mtu;
	u32 vlan;
	u32 burst;
	u32 pps;
	u32 slice;
	u32 mask;
	u16 id;
	u16 dport;
	u16 slice_more;
	u8 ttl;
	u8 tos;
	bool has_key;
	bool seq;
	bool subheader;
	bool decap;
	bool offload;
	bool csum;
};

/* begins as struct vtap_stats */
struct vtap_session_stats {
	struct u64_stats_sync syncp;
	u64_stats_t v[__VTAP_SESSION_STAT_MAX];
	u32 ipid;	/* last IPv4 id given, in the block that this CPU has taken */
};

/**
 * struct vtap_send_stats - copies that are counted together
 * @sent: how many
 * @bytes: of their frames
 * @truncated: how many of them were cut
 * @fragmented: how many of them left in outer fragments
 */
struct vtap_send_stats {
	unsigned int sent;
	unsigned int bytes;
	unsigned int truncated;
	unsigned int fragmented;
};

/**
 * struct vtap_session - where copies go
 * @list: in vtap_net.sessions; RTNL
 * @vn: the namespace's vtap
 * @cfg: what the user said; RTNL
 * @state: enum vtap_session_state; RTNL
 * @due: it has to be resolved anew; set anywhere, cleared under RTNL
 * @hop: the neighbour that its copies go to, which begins with an IPv4 address or is an IPv6
 *	one; written under RTNL, read anywhere
 * @hop_index: ifindex of the device that @hop is on, 0 for none; as @hop
 * @users: number of rules that name it; RTNL
 * @gone: a transaction has deleted it and is not committed yet; RTNL
 * @seed: for vtap_flow_hash(), 0 for this boot's secret; written under RTNL, read anywhere
 * @loops: its copies came back; set and cleared under the lock of vtap_net.loop, read anywhere
 * @loop_port: ifindex of the port that they came back by, or 0; the same
 * @tmpl: outer headers and path, NULL while inactive; written under RTNL, read under RCU
 * @serial: no other session has had it
 * @stats: counters
 * @rcu: frees it when no packet can see it any more
 * @unreach: ICMP errors about its copies
 * @bucket_lock: guards the two members below it
 * @bytes_due: when all bytes sent so far are paid for at the rate, ns
 * @packets_due: when all packets sent so far are paid for at the packet rate, ns
 * @seq: next sequence number; the only line that CPUs share when copying
 * @ipid: last outer packet id that was drawn, from a random start
 */
struct vtap_session {
	struct list_head list;
	struct vtap_net *vn;
	struct vtap_session_cfg cfg;
	u32 state;
	bool due;
	struct in6_addr hop;
	int hop_index;
	unsigned int users;
	bool gone;
	u32 serial;
	bool loops;
	int loop_port;
	u64 seed;
	struct vtap_tmpl __rcu *tmpl;
	struct vtap_session_stats __percpu *stats;
	struct rcu_head rcu;
	struct vtap_unreach unreach;

	spinlock_t bucket_lock;
	u64 bytes_due;
	u64 packets_due;

	atomic_t seq ____cacheline_aligned_in_smp;
	atomic_t ipid;
};

int vtap_session_add(struct vtap_txn *txn, const struct vtap_session_cfg *cfg);
int vtap_session_set(struct vtap_txn *txn, struct vtap_session *s,
		     const struct vtap_session_cfg *cfg);
int vtap_session_del(struct vtap_txn *txn, struct vtap_session *s);
int vtap_session_flush(struct vtap_txn *txn, const struct vtap_tap *tap, const u32 *type);
struct vtap_session *vtap_session_find(const struct vtap_net *vn, const struct vtap_tap *tap,
				       const char *name);
int vtap_session_init_net(struct vtap_net *vn);
void vtap_session_exit_net(struct vtap_net *vn);

#endif /* _VTAP_SESSION_H */
