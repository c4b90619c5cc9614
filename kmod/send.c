// SPDX-License-Identifier: GPL-2.0
/* Slow path of sending: copies that do not fit, rate limits, fragments, the host's output path. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/percpu.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "edit.h"
#include "send.h"
#include "skb.h"
#include "stats.h"

noinline void vtap_copy_drop(struct vtap_session *s, enum vtap_session_stat why, unsigned int n)
{
	vtap_stats_add2(s->stats, VTAP_SESSION_STAT_MATCHED, n, why, n);
}

/* How many of @len bytes to send if not all fit; 0 if the copy has to be dropped. */
noinline unsigned int vtap_copy_limit(const struct vtap_tmpl *t, unsigned int len)
{
	const unsigned int outer = t->hlen - t->l2len;

	if (t->snaplen && len > t->snaplen)
		len = t->snaplen;
	if (outer + len <= t->mtu)
		return len;
	if (t->mtu_policy == VTAP_MTU_POLICY_FRAGMENT)
		return t->family && outer + len <= IP_MAX_MTU ? len : 0;
	if (t->mtu_policy == VTAP_MTU_POLICY_TRUNCATE && t->mtu >= outer + VTAP_MIN_COPY)
		return t->mtu - outer;
	return 0;
}

/* As eth_type_trans(), but without changing the skb. */
static __be16 vtap_copy_eth_type(const struct sk_buff *skb)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;

	if (likely(eth_proto_is_802_3(eth->h_proto)))
		return eth->h_proto;
	/* Novell's raw 802.3 frames start with IPX, whose checksum is 0xffff, in place of LLC */
	if (skb->len >= ETH_HLEN + sizeof(u16) && get_unaligned((const u16 *)(eth + 1)) == 0xffff)
		return htons(ETH_P_802_3);
	return htons(ETH_P_802_2);
}

/* Sends a raw copy, or one that takes the host's output path. */
noinline int vtap_copy_xmit_slow(const struct vtap_tmpl *t, struct sk_buff *skb)
{
	int rc;

	if (!t->family) {
		skb_reset_mac_header(skb);
		skb->protocol = vtap_copy_eth_type(skb);
		skb_set_network_header(skb, ETH_HLEN);
		rc = dev_queue_xmit(skb);
		return net_xmit_eval(rc);
	}
	skb_dst_set(skb, dst_clone(t->dst));
	memset(skb->cb, 0, sizeof(skb->cb));
	/* IPv6 has no DF bit: only this allows fragments */
	skb->ignore_df = t->mtu_policy == VTAP_MTU_POLICY_FRAGMENT;
	if (t->family == AF_INET)
		rc = ip_local_out(dev_net(t->dev), NULL, skb);
	else
		rc = vtap_ip6_local_out(dev_net(t->dev), skb);
	return net_xmit_eval(rc);
}

/* A copy of what is sent while this CPU sends another copy, as a queue that is run may do. */
noinline int vtap_copy_xmit_nested(const struct vtap_tmpl *t, struct sk_buff *skb,
				   const struct vtap_frame *f, u32 hash)
{
	const struct vtap_own_mark before = vtap_own_save();
	int rc;

	vtap_own_begin(t->s->vn, skb);
	rc = __vtap_copy_xmit(t, skb, f, hash);
	vtap_own_restore(before);
	return rc;
}

int vtap_copy_xmit_offload(const struct vtap_tmpl *t, struct sk_buff *skb)
{
	const struct vtap_own_mark before = vtap_own_save();
	int rc;

	vtap_own_begin(t->s->vn, skb);
	rc = dev_queue_xmit(skb);
	vtap_own_restore(before);
	return net_xmit_eval(rc);
}

/*
 * Hold back a copy where vtap_copy_may_hold(), if the experiment still goes on; it counts @n when
 * it leaves. Return: true when it is held back.
 */
noinline bool vtap_copy_hold(const struct vtap_tmpl *t, struct sk_buff *skb,
			     const struct vtap_frame *f, u32 hash, struct vtap_send_stats n)
{
	return vtap_loop_hold(t, skb, f->suspect, hash ?: vtap_flow_hash(t->seed, &f->key), n);
}

/* The same for a copy that is whole in one packet. */
noinline bool vtap_copy_hold_one(const struct vtap_tmpl *t, struct sk_buff *skb,
				 const struct vtap_frame *f, u32 hash, bool truncated)
{
	const struct vtap_send_stats n = {
		.sent = 1, .bytes = skb->len - t->hlen, .truncated = truncated,
	};

	return vtap_copy_hold(t, skb, f, hash, n);
}

/* One outer fragment: @n bytes at offset @off behind the IP header. */
static struct sk_buff *vtap_copy_fragment(const struct vtap_tmpl *t, const struct sk_buff *whole,
					  u32 ipid, unsigned int off, unsigned int n)
{
	bool more = t->tun + off + n < whole->len;
	bool ipv6 = t->family == AF_INET6;
	unsigned int hlen = t->tun + (ipv6 ? sizeof(struct frag_hdr) : 0);
	struct sk_buff *skb;

	skb = vtap_copy_alloc(t, hlen + n);
	if (!skb)
		return NULL;
	memcpy(skb->data, whole->data, t->tun);
	memcpy(skb->data + hlen, whole->data + t->tun + off, n);
	if (ipv6) {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)(skb->data + t->l2len);
		struct frag_hdr *fh = (struct frag_hdr *)(ip6h + 1);

		fh->nexthdr = ip6h->nexthdr;
		fh->reserved = 0;
		fh->frag_off = htons(off | more);
		fh->identification = htonl(ipid);
		ip6h->nexthdr = NEXTHDR_FRAGMENT;
		ip6h->payload_len = htons(sizeof(*fh) + n);
	} else {
		struct iphdr *iph = (struct iphdr *)(skb->data + t->l2len);

		iph->tot_len = htons(sizeof(*iph) + n);
		iph->frag_off = htons(off / 8 | (more ? IP_MF : 0));
		ip_send_check(iph);
	}
	return skb;
}

noinline void vtap_copy_fragments(const struct vtap_tmpl *t, struct sk_buff *whole,
				  const struct vtap_frame *f, u32 hash, bool truncated)
{
	const u32 ipid = t->family == AF_INET6 ? atomic_inc_return(&t->s->ipid) : 0;
	const struct vtap_send_stats all = {
		.sent = 1, .bytes = whole->len - t->hlen, .truncated = truncated, .fragmented = 1,
	};
	unsigned int ip = t->tun - t->l2len + (t->family == AF_INET6 ? sizeof(struct frag_hdr) : 0);
	unsigned int max = (t->mtu - ip) & ~7u, left = whole->len - t->tun, off = 0;
	enum vtap_session_stat why;
	bool held = false;

	while (left) {
		unsigned int n = min(left, max);
		struct sk_buff *skb = vtap_copy_fragment(t, whole, ipid, off, n);

		why = VTAP_SESSION_STAT_DROP_NOMEM;
		if (!skb)
			goto drop;
		why = VTAP_SESSION_STAT_DROP_XMIT;
		off += n;
		left -= n;
		held = vtap_copy_may_hold(t, f) &&
		       vtap_copy_hold(t, skb, f, hash, left ? (struct vtap_send_stats){} : all);
		if (!held && vtap_copy_xmit(t, skb, f, hash))
			goto drop;
	}
	/* the last fragment counts for all of them */
	if (!held)
		vtap_copy_count(t->s, &all);
	consume_skb(whole);
	return;

drop:
	kfree_skb(whole);
	vtap_copy_drop(t->s, why, 1);
}

/* Takes @cost from a token bucket that is empty at @due. Return: false if there is no room. */
static bool vtap_session_bucket(u64 *due, u64 now, u64 cost, u64 burst)
{
	u64 from = max(*due, now);

	if (from - now > burst)
		return false;
	*due = from + cost;
	return true;
}

/* May one more outer packet leave? Return: false when a rate limit is reached. */
bool vtap_session_admit(const struct vtap_tmpl *t, unsigned int bytes)
{
	struct vtap_session *s = t->s;
	u64 now, paid, cost;
	bool ok;

	if (likely(!t->rate && !t->pps))
		return true;

	/* rounded up, so that no limit is exceeded */
	cost = t->rate ? div64_u64(bytes * (u64)NSEC_PER_SEC + t->rate - 1, t->rate) : 0;
	now = ktime_get_ns();
	spin_lock(&s->bucket_lock);
	paid = s->packets_due;
	ok = !t->pps || vtap_session_bucket(&s->packets_due, now,
					    DIV_ROUND_UP(NSEC_PER_SEC, t->pps),
					    NSEC_PER_SEC / 10);
	if (ok && t->rate) {
		ok = vtap_session_bucket(&s->bytes_due, now, cost, t->burst_ns);
		if (!ok)
			s->packets_due = paid;
	}
	spin_unlock(&s->bucket_lock);
	return ok;
}
