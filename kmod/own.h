/* SPDX-License-Identifier: GPL-2.0 */
/* Which frames are copies that vtap itself made. */
#ifndef _VTAP_OWN_H
#define _VTAP_OWN_H

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/percpu.h>

#include "encap.h"
#include "frame.h"
#include "net.h"

#define VTAP_OWN_BITS	11
/* GRE with checksum, key and sequence number, and the first word of an ERSPAN header */
#define VTAP_OWN_TUN_MAX	(4 + 4 + 4 + 4 + 4)

/**
 * struct vtap_own - how the copies of a namespace are recognised
 * @rcu: frees it when no packet can see it any more
 * @seed: of the hash, so that a VM cannot aim at one bucket
 * @udp_ports: which destination ports copies may have, by vtap_own_port_bit()
 * @hops: which link-layer addresses next hops may have, by vtap_own_mac_bit()
 * @n_udp: number of templates behind each bit of @udp_ports; RTNL
 * @n_hops: the same for @hops; RTNL
 * @buckets: struct vtap_own_node; written under RTNL, read under RCU
 *
 * A bucket has one node for each key: templates whose key is the same hang on that node, so
 * that no lookup depends on how many sessions share a collector.
 */
struct vtap_own {
	struct rcu_head rcu;
	u32 seed;
	u64 udp_ports;
	u64 hops;
	u16 n_udp[64];
	u16 n_hops[64];
	struct hlist_head buckets[1 << VTAP_OWN_BITS];
};

/**
 * struct vtap_own_mark - the copy that this CPU is sending
 * @skb: only compared; NULL when no copy is being sent
 * @head: its data; clones of the copy have the same
 * @vn: the vtap that made it
 */
struct vtap_own_mark {
	const struct sk_buff *skb;
	const unsigned char *head;
	const struct vtap_net *vn;
};

DECLARE_PER_CPU(struct vtap_own_mark, vtap_own_mark);

/* Is this CPU already sending a copy? BH disabled. */
static __always_inline bool vtap_own_nested(void)
{
	return __this_cpu_read(vtap_own_mark.skb);
}

/* Set the mark of this CPU; BH disabled. */
static __always_inline void vtap_own_mark_set(const struct vtap_own_mark mark)
{
	__this_cpu_write(vtap_own_mark.head, mark.head);
	__this_cpu_write(vtap_own_mark.vn, mark.vn);
	/*
	 * The rest is read where this is not NULL. On PREEMPT_RT, a task that comes between must
	 * not find an older head here, which may be that of a frame by now.
	 */
	barrier();
	__this_cpu_write(vtap_own_mark.skb, mark.skb);
}

/* This CPU begins to send a copy; BH disabled. */
static __always_inline void vtap_own_begin(const struct vtap_net *vn, const struct sk_buff *skb)
{
	vtap_own_mark_set((struct vtap_own_mark){ .skb = skb, .head = skb->head, .vn = vn });
}

/* The copy is sent. */
static __always_inline void vtap_own_end(void)
{
	__this_cpu_write(vtap_own_mark.skb, NULL);
}

/* What vtap_own_begin() is going to overwrite, where vtap_own_nested() says that there is any. */
static inline struct vtap_own_mark vtap_own_save(void)
{
	return (struct vtap_own_mark){
		.skb = __this_cpu_read(vtap_own_mark.skb),
		.head = __this_cpu_read(vtap_own_mark.head),
		.vn = __this_cpu_read(vtap_own_mark.vn),
	};
}

/**
 * vtap_own_restore - a copy is sent, in place of vtap_own_end()
 * @before: from vtap_own_save()
 *
 * On PREEMPT_RT, tasks that preempt each other may end in any order. What was there before may
 * have ended by then, so nothing is restored: it is better to miss a copy here than
 * to take another frame for one.
 */
static inline void vtap_own_restore(struct vtap_own_mark before)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		vtap_own_end();
	else
		vtap_own_mark_set(before);
}

/**
 * vtap_own_sending - is this the copy that this CPU is sending now?
 * @vn: the vtap that asks
 * @skb: a frame in a hook
 *
 * Pointers are compared: a queue that is run on the way out may send somebody else's frame. And
 * a copy that a container's vtap sends is an ordinary frame to the host.
 *
 * Return: true when it is the copy, a clone of it, or the copy with a head of another size.
 */
static __always_inline bool vtap_own_sending(const struct vtap_net *vn, const struct sk_buff *skb)
{
	const struct sk_buff *copy = __this_cpu_read(vtap_own_mark.skb);

	return unlikely(copy) &&
	       (copy == skb || __this_cpu_read(vtap_own_mark.head) == skb->head) &&
	       __this_cpu_read(vtap_own_mark.vn)->net->user_ns == vn->net->user_ns;
}

static inline u64 vtap_own_port_bit(__be16 port)
{
	const u16 p = (__force u16)port;

	return BIT_ULL((p ^ p >> 8) & 63);
}

static inline u64 vtap_own_mac_bit(const u8 *mac)
{
	return BIT_ULL((mac[4] ^ mac[5]) & 63);
}

bool vtap_own_look(const struct vtap_own *o, const struct vtap_frame *f);

/**
 * vtap_own - do the headers say that a session of this namespace made the frame?
 * @vn: the namespace's vtap
 * @f: parsed frame; RCU read side
 *
 * Only the outermost headers decide. Most frames cannot be a copy, and the common case has to be
 * cheap.
 *
 * Return: true when it did, or when the frame is an error about one that it made.
 */
static __always_inline bool vtap_own(const struct vtap_net *vn, const struct vtap_frame *f)
{
	const struct vtap_own *o;

	switch (f->key.ip_proto) {
	case IPPROTO_UDP:
		o = rcu_dereference(vn->own);
		if (likely(!o || !(READ_ONCE(o->udp_ports) & vtap_own_port_bit(f->key.dport))))
			return false;
		break;
	case IPPROTO_ICMP:
		if (!icmp_is_err(f->key.icmp_type))
			return false;
		o = rcu_dereference(vn->own);
		break;
	case IPPROTO_ICMPV6:
		if (!icmpv6_is_err(f->key.icmp_type))
			return false;
		o = rcu_dereference(vn->own);
		break;
	case IPPROTO_GRE:
		o = rcu_dereference(vn->own);
		break;
	default:
		return false;
	}
	return o && vtap_own_look(o, f);
}

bool vtap_own_dest(const struct vtap_own *o, const struct vtap_frame *f);
bool vtap_own_quote(const struct vtap_own *o, struct vtap_own_key *k, u16 proto, u8 ip_proto,
		    const u8 *h, unsigned int len);
bool vtap_own_quoted(const struct vtap_tmpl *t, const struct vtap_own_key *k);
bool vtap_own_hop(const struct vtap_own *o, const u8 *mac);
void vtap_own_add(struct vtap_own *o, struct vtap_tmpl *t);
void vtap_own_del(struct vtap_own *o, struct vtap_tmpl *t);
int vtap_own_init_net(struct vtap_net *vn);
void vtap_own_exit_net(struct vtap_net *vn);

#endif /* _VTAP_OWN_H */
