/* SPDX-License-Identifier: GPL-2.0 */
/* Sending a copy: headers, limits, fragments, transmission, counters. */
#ifndef _VTAP_SEND_H
#define _VTAP_SEND_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/skbuff.h>
#include <linux/u64_stats_sync.h>

#include "direct.h"
#include "flow.h"
#include "hold.h"
#include "own.h"
#include "session.h"

#define VTAP_IPID_BLOCK		16	/* a power of 2 */

void vtap_copy_drop(struct vtap_session *s, enum vtap_session_stat why, unsigned int n);
unsigned int vtap_copy_limit(const struct vtap_tmpl *t, unsigned int len);
int vtap_copy_xmit_slow(const struct vtap_tmpl *t, struct sk_buff *skb);
int vtap_copy_xmit_offload(const struct vtap_tmpl *t, struct sk_buff *skb);
void vtap_copy_fragments(const struct vtap_tmpl *t, struct sk_buff *whole,
			 const struct vtap_frame *f, u32 hash, bool truncated);
int vtap_copy_xmit_nested(const struct vtap_tmpl *t, struct sk_buff *skb,
			  const struct vtap_frame *f, u32 hash);
bool vtap_copy_hold(const struct vtap_tmpl *t, struct sk_buff *skb, const struct vtap_frame *f,
		    u32 hash, struct vtap_send_stats n);
bool vtap_copy_hold_one(const struct vtap_tmpl *t, struct sk_buff *skb, const struct vtap_frame *f,
			u32 hash, bool truncated);
bool vtap_session_admit(const struct vtap_tmpl *t, unsigned int bytes);

static __always_inline void vtap_copy_count(struct vtap_session *s, const struct vtap_send_stats *n)
{
	struct vtap_session_stats *st = this_cpu_ptr(s->stats);

	u64_stats_update_begin(&st->syncp);
	u64_stats_add(&st->v[VTAP_SESSION_STAT_MATCHED], n->sent);
	u64_stats_add(&st->v[VTAP_SESSION_STAT_SENT], n->sent);
	u64_stats_add(&st->v[VTAP_SESSION_STAT_BYTES], n->bytes);
	if (unlikely(n->truncated))
		u64_stats_add(&st->v[VTAP_SESSION_STAT_TRUNCATED], n->truncated);
	if (unlikely(n->fragmented))
		u64_stats_add(&st->v[VTAP_SESSION_STAT_FRAGMENTED], n->fragmented);
	u64_stats_update_end(&st->syncp);
}

/* @hash: 0 if not computed yet; most egress devices do not need it. */
static __always_inline int __vtap_copy_xmit(const struct vtap_tmpl *t, struct sk_buff *skb,
					    const struct vtap_frame *f, u32 hash)
{
	const bool direct = likely(!t->slow_path) && vtap_direct_allowed(t->dev);
	int rc;

	skb->dev = t->dev;
	skb->protocol = t->proto;
	skb->network_header = t->network_header;
	skb->transport_header = t->transport_header;
	if (!direct || unlikely(t->spread)) {
		if (!hash)
			hash = vtap_flow_hash(t->seed, &f->key);
		__skb_set_sw_hash(skb, hash, true);
	}
	if (direct)
		return vtap_direct_xmit(t->dev, skb);
	if (unlikely(t->slow_path))
		return vtap_copy_xmit_slow(t, skb);
	rc = dev_queue_xmit(skb);
	return net_xmit_eval(rc);
}

/* Lets hooks on the way out recognise the copy that this CPU is sending. */
static __always_inline int vtap_copy_xmit(const struct vtap_tmpl *t, struct sk_buff *skb,
					  const struct vtap_frame *f, u32 hash)
{
	int rc;

	if (unlikely(vtap_own_nested()))
		return vtap_copy_xmit_nested(t, skb, f, hash);
	vtap_own_begin(t->s->vn, skb);
	rc = __vtap_copy_xmit(t, skb, f, hash);
	vtap_own_end();
	return rc;
}

/* Is an experiment going on, and may the frame be part of what it looks for? */
static __always_inline bool vtap_copy_may_hold(const struct vtap_tmpl *t,
					       const struct vtap_frame *f)
{
	return unlikely(f->watched) && READ_ONCE(t->s->vn->holding);
}

/*
 * The IPv4 id of a copy that may be fragmented. Each CPU takes blocks of the session's ids, so that
 * CPUs share neither a cache line for each copy nor a fixed part of the 65536 ids. A CPU that has
 * been idle while the others went round still has an old block, at most 15 ids of which may then be
 * in use. Packets with DF need no id (RFC 6864), and IPv6 has one in fragments only.
 *
 */
static __always_inline u32 vtap_copy_ipid(const struct vtap_tmpl *t)
{
	u32 ipid;

	if (!t->ipid)
		return 0;
	/* another task may come between any two steps */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return (u32)atomic_inc_return(&t->s->ipid);
	ipid = __this_cpu_inc_return(t->s->stats->ipid);
	/* the block is used up, or this CPU has none yet */
	if (unlikely(!(ipid % VTAP_IPID_BLOCK))) {
		ipid = (u32)atomic_add_return(VTAP_IPID_BLOCK, &t->s->ipid);
		__this_cpu_write(t->s->stats->ipid, ipid);
	}
	return ipid;
}

/* Fills in the outer header fields that differ per copy. */
static __always_inline void vtap_copy_outer(const struct vtap_tmpl *t, struct sk_buff *skb,
					    const struct vtap_frame *f, u32 hash, u32 ipid,
					    bool truncated)
{
	unsigned int len = skb->len - t->l2len;
	u8 *h = skb->data;

	if (likely(t->family == AF_INET)) {
		struct iphdr *iph = (struct iphdr *)(h + t->l2len);

		iph->tot_len = htons(len);
		iph->id = htons((u16)ipid);
		iph->check = csum_fold((__force __wsum)(t->ipsum + (__force u16)iph->tot_len +
							(__force u16)iph->id));
	} else {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)(h + t->l2len);

		ip6h->payload_len = htons(len - sizeof(*ip6h));
	}
	if (likely(t->seq))
		put_unaligned_be32(atomic_fetch_inc(&t->s->seq), h + t->tun + t->l4len - 4);
	if (unlikely(t->per_packet || truncated || f->key.vlan))
		vtap_encap_finish(t, skb, f, hash, truncated);
}

/*
 * The inner frame is complete: encapsulate it, send it, and count it in @n. Consumes the skb.
 * @hash: of the flow, or 0 if not computed yet
 */
static __always_inline void vtap_copy_send(const struct vtap_tmpl *t, struct sk_buff *skb,
					   const struct vtap_frame *f, u32 hash, bool truncated,
					   struct vtap_send_stats *n)
{
	const unsigned int inner = skb->len - t->hlen;
	struct vtap_session *s = t->s;

	if (unlikely(t->limited) && !vtap_session_admit(t, skb->len - t->l2len)) {
		kfree_skb(skb);
		vtap_copy_drop(s, VTAP_SESSION_STAT_DROP_RATE, 1);
		return;
	}
	if (likely(t->family)) {
		vtap_copy_outer(t, skb, f, hash, vtap_copy_ipid(t), truncated);
		if (unlikely(inner > t->max_plain) && skb->len - t->l2len > t->mtu && !t->dst) {
			vtap_copy_fragments(t, skb, f, hash, truncated);
			return;
		}
	}
	if (vtap_copy_may_hold(t, f) && vtap_copy_hold_one(t, skb, f, hash, truncated))
		return;
	if (unlikely(vtap_copy_xmit(t, skb, f, hash))) {
		vtap_copy_drop(s, VTAP_SESSION_STAT_DROP_XMIT, 1);
		return;
	}
	n->sent++;
	n->bytes += inner;
	n->truncated += truncated;
}

#endif /* _VTAP_SEND_H */
