// SPDX-License-Identifier: GPL-2.0
/*
 * A frame's copies: what of it is copied, cut to wire size, checksums final,
 * wrapped, sent. The frame itself is only read, and shares nothing with a
 * copy that outlives vtap_copy().
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/percpu.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "loop.h"
#include "original.h"
#include "own.h"

#define VTAP_MIN_COPY		(ETH_HLEN + 2 * VLAN_HLEN)
#define VTAP_HDR_QUICK		64	/* copied without a look at their length */
#define VTAP_MAX_CUT_HDR	256	/* inner headers of a super-frame that is cut here */
#define VTAP_MIN_MSS		48	/* as TCP_MIN_SND_MSS: a VM that says less wants a flood */

/**
 * struct vtap_edit - what happens to the frame's VLAN tag in the copy
 * @insert: bytes inserted behind the addresses, 0 or VLAN_HLEN
 * @remove: bytes left out behind the addresses, 0 or VLAN_HLEN
 */
struct vtap_edit {
	unsigned int insert;
	unsigned int remove;
};

/*
 * Skbs that are used again and again: a master and its data stay in their slot,
 * what leaves is the companion that the slab has beside the master. Allocated
 * when a CPU first needs that many at a time: 64 of 2.5 KB each at most.
 */
#define VTAP_IPID_BLOCK		16	/* a power of 2 */
#define VTAP_RING_SLOTS		64
#define VTAP_RING_ROOM		SKB_WITH_OVERHEAD(2048)

struct vtap_ring {
	struct sk_buff *slot[VTAP_RING_SLOTS];
	unsigned int last;
	local_lock_t lock;	/* of the above, against other softirqs on PREEMPT_RT */
};

static DEFINE_PER_CPU(struct vtap_ring, vtap_ring) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

static noinline void vtap_copy_drop(struct vtap_session *s, enum vtap_stat why, unsigned int n)
{
	struct vtap_session_stats *st = this_cpu_ptr(s->stats);

	u64_stats_update_begin(&st->syncp);
	u64_stats_add(&st->v[VTAP_ST_MATCHED], n);
	u64_stats_add(&st->v[why], n);
	u64_stats_update_end(&st->syncp);
}

static __always_inline void vtap_copy_count(struct vtap_session *s, const struct vtap_tally *n)
{
	struct vtap_session_stats *st = this_cpu_ptr(s->stats);

	u64_stats_update_begin(&st->syncp);
	u64_stats_add(&st->v[VTAP_ST_MATCHED], n->sent);
	u64_stats_add(&st->v[VTAP_ST_SENT], n->sent);
	u64_stats_add(&st->v[VTAP_ST_BYTES], n->bytes);
	if (unlikely(n->truncated))
		u64_stats_add(&st->v[VTAP_ST_TRUNCATED], n->truncated);
	if (unlikely(n->fragmented))
		u64_stats_add(&st->v[VTAP_ST_FRAGMENTED], n->fragmented);
	u64_stats_update_end(&st->syncp);
}

/* How much of @len bytes fits when not all may; 0 when the copy has to be dropped. */
static noinline unsigned int vtap_copy_limit(const struct vtap_tmpl *t, unsigned int len)
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

static noinline struct sk_buff *vtap_copy_master(void)
{
	struct sk_buff *master = alloc_skb_fclone(VTAP_RING_ROOM, GFP_ATOMIC | __GFP_NOWARN);

	if (!master)
		return NULL;
	/* what comes of the reserves is not for everybody */
	if (skb_pfmemalloc(master)) {
		consume_skb(master);
		return NULL;
	}
	/* both are, when there are two of them */
	master->cloned = 1;
	return master;
}

/*
 * The master's companion, if nobody else knows it or its data. skb_clone() takes 100 instructions
 * more: it copies field by field, and masters have nothing but their data.
 */
static __always_inline struct sk_buff *vtap_copy_companion(struct sk_buff *master)
{
	struct sk_buff_fclones *pair = container_of(master, struct sk_buff_fclones, skb1);
	struct skb_shared_info *sh = skb_shinfo(master);

	/* a clone of the companion outlives it, and has the data, too */
	if (refcount_read(&pair->fclone_ref) != 1 ||
	    (atomic_read(&sh->dataref) & SKB_DATAREF_MASK) != 1)
		return NULL;
	/* who gave them back has read them before */
	smp_acquire__after_ctrl_dep();
	pair->skb2 = *master;
	pair->skb2.fclone = SKB_FCLONE_CLONE;
	refcount_set(&pair->fclone_ref, 2);
	atomic_inc(&sh->dataref);
	return &pair->skb2;
}

/* A slot that is not free may be so for long: the next one, or none. */
static noinline struct sk_buff *vtap_copy_advance(struct vtap_ring *r)
{
	struct sk_buff **slot;

	r->last = (r->last + 1) % VTAP_RING_SLOTS;
	slot = &r->slot[r->last];
	if (unlikely(!*slot))
		*slot = vtap_copy_master();
	return *slot ? vtap_copy_companion(*slot) : NULL;
}

/* The slot used last is often free again, and warm. */
static __always_inline struct sk_buff *vtap_copy_reuse(unsigned int headroom, unsigned int len)
{
	struct sk_buff *master, *skb = NULL;
	struct vtap_ring *r;

	local_lock_nested_bh(&vtap_ring.lock);
	r = this_cpu_ptr(&vtap_ring);
	master = r->slot[r->last];
	if (likely(master))
		skb = vtap_copy_companion(master);
	if (unlikely(!skb))
		skb = vtap_copy_advance(r);
	local_unlock_nested_bh(&vtap_ring.lock);
	if (unlikely(!skb))
		return NULL;
	skb->data += headroom;
	skb->len = len;
	skb_set_tail_pointer(skb, len);
	return skb;
}

static noinline struct sk_buff *vtap_copy_build(unsigned int headroom, unsigned int len)
{
	unsigned int size = SKB_DATA_ALIGN(headroom + len + VTAP_HDR_QUICK) +
			    SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	struct sk_buff *skb;
	void *data;

	if (size <= SKB_WITH_OVERHEAD(PAGE_SIZE)) {
		data = napi_alloc_frag(size);
		if (unlikely(!data))
			return NULL;
		skb = napi_build_skb(data, size);
		if (unlikely(!skb)) {
			skb_free_frag(data);
			return NULL;
		}
	} else {
		skb = alloc_skb(headroom + len + VTAP_HDR_QUICK, GFP_ATOMIC | __GFP_NOWARN);
		if (unlikely(!skb))
			return NULL;
	}
	skb_reserve(skb, headroom);
	skb_put(skb, len);
	return skb;
}

/* An skb of @len bytes to be filled in; the first VTAP_HDR_QUICK may be written in any case. */
static __always_inline struct sk_buff *vtap_copy_alloc(const struct vtap_tmpl *t, unsigned int len)
{
	struct sk_buff *skb = NULL;

	if (likely(t->headroom + len + VTAP_HDR_QUICK <= VTAP_RING_ROOM))
		skb = vtap_copy_reuse(t->headroom, len);
	return likely(skb) ? skb : vtap_copy_build(t->headroom, len);
}

/* Ahead of all else: it may write beyond the headers. */
static __always_inline void vtap_copy_headers(const struct vtap_tmpl *t, struct sk_buff *skb)
{
	if (likely(t->hlen <= VTAP_HDR_QUICK))
		memcpy(skb->data, t->hdr, VTAP_HDR_QUICK);
	else
		memcpy(skb->data, t->hdr, t->hlen);
}

/* As eth_type_trans() has it, and without a change of the skb. */
static __be16 vtap_copy_eth_type(const struct sk_buff *skb)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;

	if (likely(eth_proto_is_802_3(eth->h_proto)))
		return eth->h_proto;
	/* Novell's frames have no LLC header, and no checksum in that of IPX */
	if (skb->len >= ETH_HLEN + sizeof(u16) && get_unaligned((const u16 *)(eth + 1)) == 0xffff)
		return htons(ETH_P_802_3);
	return htons(ETH_P_802_2);
}

/* A raw copy, or one that goes through the host's output path. */
static noinline int vtap_copy_xmit_far(const struct vtap_tmpl *t, struct sk_buff *skb)
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
	/* IPv6 has no DF to be clear: without this, no fragments */
	skb->ignore_df = t->mtu_policy == VTAP_MTU_POLICY_FRAGMENT;
	if (t->family == AF_INET)
		rc = ip_local_out(dev_net(t->dev), NULL, skb);
	else
		rc = vtap_ip6_local_out(dev_net(t->dev), skb);
	return net_xmit_eval(rc);
}

/*
 * Would dev_queue_xmit() do nothing but call the driver? A copy is linear, of one packet, with
 * its checksums and its tag in place: that leaves the queue, its choice and its lock, what hooks
 * or listens on the way out, and a device that is not up.
 */
static __always_inline bool vtap_copy_direct(struct net_device *dev)
{
	struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);

	return vtap_dev_lltx(dev) && dev->real_num_tx_queues == 1 && netif_running(dev) &&
	       !rcu_dereference_bh(txq->qdisc)->enqueue && !netif_xmit_frozen_or_stopped(txq) &&
	       !vtap_dev_nf_egress(dev) && !vtap_dev_tc_egress(dev) && !dev_nit_active(dev);
}

static __always_inline int vtap_copy_xmit_direct(struct net_device *dev, struct sk_buff *skb)
{
	int rc;

	skb_reset_mac_header(skb);
	rc = netdev_start_xmit(skb, dev, netdev_get_tx_queue(dev, 0), false);
	if (likely(dev_xmit_complete(rc)))
		return net_xmit_eval(rc);
	kfree_skb(skb);
	return NET_XMIT_DROP;
}

/* @hash: 0 when it is still to be made of @f. Most copies leave by a device that asks for none. */
static __always_inline int __vtap_copy_xmit(const struct vtap_tmpl *t, struct sk_buff *skb,
					    const struct vtap_frame *f, u32 hash)
{
	const bool direct = likely(!t->far) && vtap_copy_direct(t->dev);
	int rc;

	skb->dev = t->dev;
	skb->protocol = t->proto;
	skb_set_network_header(skb, t->l2len);
	skb_set_transport_header(skb, t->tun);
	if (!direct || unlikely(t->spread)) {
		if (!hash)
			hash = vtap_flow_hash(t->seed, &f->key);
		__skb_set_sw_hash(skb, hash, true);
	}
	if (direct)
		return vtap_copy_xmit_direct(t->dev, skb);
	if (unlikely(t->far))
		return vtap_copy_xmit_far(t, skb);
	rc = dev_queue_xmit(skb);
	return net_xmit_eval(rc);
}

/* Hooks on the way out see what this CPU is sending. */
static __always_inline int vtap_copy_xmit(const struct vtap_tmpl *t, struct sk_buff *skb,
					  const struct vtap_frame *f, u32 hash)
{
	const struct vtap_own_mark before = vtap_own_begin(t->s->vn, skb);
	int rc = __vtap_copy_xmit(t, skb, f, hash);

	vtap_own_end(before);
	return rc;
}

static int vtap_copy_xmit_whole(const struct vtap_tmpl *t, struct sk_buff *skb)
{
	const struct vtap_own_mark before = vtap_own_begin(t->s->vn, skb);
	int rc = dev_queue_xmit(skb);

	vtap_own_end(before);
	return net_xmit_eval(rc);
}

/* Are copies held back, this one with them? It is counted when it leaves. */
static __always_inline bool vtap_copy_hold(const struct vtap_tmpl *t, struct sk_buff *skb,
					   const struct vtap_frame *f, u32 hash,
					   struct vtap_tally n)
{
	return unlikely(READ_ONCE(t->s->vn->holding)) &&
	       vtap_loop_hold(t, skb, f->suspect, hash ?: vtap_flow_hash(t->seed, &f->key), n);
}

/**
 * vtap_copy_release - send a copy that was held back, and count it
 * @skb: from vtap_loop_hold(); BH disabled, RCU read side
 */
void vtap_copy_release(struct sk_buff *skb)
{
	const struct vtap_held held = *vtap_held(skb);
	int rc;

	memset(skb->cb, 0, sizeof(skb->cb));
	if (skb_is_gso(skb))
		rc = vtap_copy_xmit_whole(held.t, skb);
	else
		rc = vtap_copy_xmit(held.t, skb, NULL, skb->hash);
	if (!held.n.sent)
		return;
	if (rc)
		vtap_copy_drop(held.t->s, VTAP_ST_DROP_XMIT, held.n.sent);
	else
		vtap_copy_count(held.t->s, &held.n);
}

/**
 * vtap_copy_discard - drop a copy that was held back and is part of a loop, and count it
 * @skb: from vtap_loop_hold(); BH disabled, RCU read side
 */
void vtap_copy_discard(struct sk_buff *skb)
{
	const struct vtap_held *held = vtap_held(skb);

	vtap_copy_drop(held->t->s, VTAP_ST_DROP_LOOP, held->n.sent);
	kfree_skb(skb);
}

/* One outer fragment: @n bytes from @off on of what follows the IP header. */
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

static noinline void vtap_copy_fragments(const struct vtap_tmpl *t, struct sk_buff *whole,
					 const struct vtap_frame *f, u32 hash, bool truncated)
{
	const u32 ipid = t->family == AF_INET6 ? atomic_inc_return(&t->s->ipid) : 0;
	const struct vtap_tally all = {
		.sent = 1, .bytes = whole->len - t->hlen, .truncated = truncated, .fragmented = 1,
	};
	unsigned int ip = t->tun - t->l2len + (t->family == AF_INET6 ? sizeof(struct frag_hdr) : 0);
	unsigned int max = (t->mtu - ip) & ~7u, left = whole->len - t->tun, off = 0;
	enum vtap_stat why;
	bool held = false;

	while (left) {
		unsigned int n = min(left, max);
		struct sk_buff *skb = vtap_copy_fragment(t, whole, ipid, off, n);

		why = VTAP_ST_DROP_NOMEM;
		if (!skb)
			goto drop;
		why = VTAP_ST_DROP_XMIT;
		off += n;
		left -= n;
		held = vtap_copy_hold(t, skb, f, hash, left ? (struct vtap_tally){} : all);
		if (!held && vtap_copy_xmit(t, skb, NULL, hash))
			goto drop;
	}
	/* the last fragment tells of all */
	if (!held)
		vtap_copy_count(t->s, &all);
	consume_skb(whole);
	return;

drop:
	kfree_skb(whole);
	vtap_copy_drop(t->s, why, 1);
}

/*
 * The IPv4 id of a copy that may be fragmented. Each CPU takes blocks of the session's ids, so that
 * CPUs share neither a cache line for each copy nor a fixed part of the 65536 ids. A CPU that has
 * been idle while the others went round still has an old block, at most 15 ids of which may then be
 * in use. Packets with DF need no id (RFC 6864), and IPv6 has one in fragments only.
 *
 * On PREEMPT_RT another task may come between any two steps; a block drawn in vain is then lost.
 */
static __always_inline u32 vtap_copy_ipid(const struct vtap_tmpl *t)
{
	u32 last, ipid;

	if (t->family != AF_INET || t->mtu_policy != VTAP_MTU_POLICY_FRAGMENT)
		return 0;
	do {
		last = this_cpu_read(t->s->stats->ipid);
		ipid = last + 1;
		/* the block is used up, or this CPU has had none yet */
		if (unlikely(!(ipid % VTAP_IPID_BLOCK)))
			ipid = (u32)atomic_add_return(VTAP_IPID_BLOCK, &t->s->ipid);
	} while (unlikely(this_cpu_cmpxchg(t->s->stats->ipid, last, ipid) != last));
	return ipid;
}

/* What the outer headers say of this very copy. */
static __always_inline void vtap_copy_outer(const struct vtap_tmpl *t, struct sk_buff *skb,
					    const struct vtap_frame *f, u32 ipid, bool truncated)
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
	if (unlikely(t->varies || truncated || f->key.vlan))
		vtap_encap_finish(t, skb, f, truncated);
}

/*
 * The inner frame is complete: wrap it, send it, add it to the tally. Takes the skb.
 * @hash: of the flow, or 0 when it is still to be made
 */
static __always_inline void vtap_copy_send(const struct vtap_tmpl *t, struct sk_buff *skb,
					   const struct vtap_frame *f, u32 hash, bool truncated,
					   struct vtap_tally *n)
{
	const unsigned int inner = skb->len - t->hlen;
	struct vtap_session *s = t->s;

	if (unlikely(t->rate || t->pps) && !vtap_session_admit(t, skb->len - t->l2len)) {
		kfree_skb(skb);
		vtap_copy_drop(s, VTAP_ST_DROP_RATE, 1);
		return;
	}
	if (likely(t->family)) {
		vtap_copy_outer(t, skb, f, vtap_copy_ipid(t), truncated);
		if (unlikely(inner > t->whole) && skb->len - t->l2len > t->mtu && !t->dst) {
			hash = hash ?: vtap_flow_hash(t->seed, &f->key);
			vtap_copy_fragments(t, skb, f, hash, truncated);
			return;
		}
	}
	if (vtap_copy_hold(t, skb, f, hash, (struct vtap_tally){ 1, inner, truncated, 0 }))
		return;
	if (unlikely(vtap_copy_xmit(t, skb, f, hash))) {
		vtap_copy_drop(s, VTAP_ST_DROP_XMIT, 1);
		return;
	}
	n->sent++;
	n->bytes += inner;
	n->truncated += truncated;
}

/* A frame whose tag is only in the metadata gets it back; strip takes one out. */
static __always_inline struct vtap_edit vtap_copy_edit(const struct vtap_tmpl *t,
						       const struct vtap_frame *f)
{
	bool meta = vtap_frame_has_meta(f);

	return (struct vtap_edit){
		.insert = meta && !t->strip ? VLAN_HLEN : 0,
		.remove = !meta && f->key.vlan && t->strip ? VLAN_HLEN : 0,
	};
}

/* The first @len bytes of a packet's copy, behind the Ethernet header that is in its key alone. */
static noinline bool vtap_copy_bare(const struct vtap_frame *f, struct vtap_edit e, u8 *to,
				    unsigned int len)
{
	unsigned int n = 2 * ETH_ALEN;
	u8 head[ETH_HLEN + VLAN_HLEN];

	memcpy(head, &f->key.eth, n);
	if (e.insert) {
		put_unaligned(f->skb->vlan_proto, (__be16 *)(head + n));
		put_unaligned_be16(skb_vlan_tag_get(f->skb), head + n + 2);
		n += VLAN_HLEN;
	}
	put_unaligned(f->key.proto, (__be16 *)(head + n));
	n += sizeof(f->key.proto);
	memcpy(to, head, min(n, len));
	return len <= n || !skb_copy_bits(f->skb, f->mac + ETH_HLEN, to + n, len - n);
}

/* The first @len bytes of the edited frame. Return: false when they cannot be read. */
static noinline bool vtap_copy_bytes(const struct vtap_frame *f, struct vtap_edit e, u8 *to,
				     unsigned int len)
{
	unsigned int off = 0;

	if (unlikely(f->bare))
		return vtap_copy_bare(f, e, to, len);
	if (unlikely(e.insert || e.remove)) {
		off = 2 * ETH_ALEN;
		skb_copy_bits(f->skb, f->mac, to, off);
		to += off;
		len -= off + e.insert;
		if (e.insert) {
			put_unaligned(f->skb->vlan_proto, (__be16 *)to);
			put_unaligned_be16(skb_vlan_tag_get(f->skb), to + 2);
			to += VLAN_HLEN;
		}
		off += e.remove;
	}
	return !skb_copy_bits(f->skb, f->mac + (int)off, to, len);
}

/*
 * The sender left the checksum to a device: what it would have put into the
 * frame. Return: false when that takes bytes that cannot be read.
 */
static noinline bool vtap_copy_csum(const struct vtap_frame *f, struct vtap_edit e,
				    u8 *inner, unsigned int len, unsigned int whole)
{
	const struct sk_buff *skb = f->skb;
	unsigned int start, field;
	__wsum csum;

	start = skb_checksum_start_offset(skb) - f->mac + e.insert - e.remove;
	field = start + skb->csum_offset;
	/* what lies before the frame is of the headers around it */
	if (start < VTAP_MIN_COPY - 2 * VLAN_HLEN || start > len ||
	    field + sizeof(__sum16) > len)
		return true;
	if (unlikely(len < whole && !skb_frags_readable(skb)))
		return false;
	if (unlikely(skb_csum_is_sctp((struct sk_buff *)skb))) {
		if (field + sizeof(__le32) <= len)
			put_unaligned_le32(vtap_original_crc32c(skb, skb_checksum_start_offset(skb),
								whole - start), inner + field);
		return true;
	}
	if (likely(len == whole))
		csum = csum_partial(inner + start, whole - start, 0);
	else
		csum = skb_checksum(skb, skb_checksum_start_offset(skb), whole - start, 0);
	put_unaligned(csum_fold(csum) ?: CSUM_MANGLED_0, (__sum16 *)(inner + field));
	return true;
}

static void vtap_copy_decap(const struct vtap_tmpl *t, const struct vtap_frame *f);

/* @again: whether a tunnel is to be taken away was looked at */
static __always_inline void vtap_copy_frame(const struct vtap_tmpl *t, const struct vtap_frame *f,
					    const bool again)
{
	const struct vtap_edit e = vtap_copy_edit(t, f);
	const unsigned int whole = f->len + e.insert - e.remove;
	unsigned int len = whole;
	struct vtap_tally n = {};
	struct sk_buff *copy = NULL;
	enum vtap_stat why;
	u8 *inner;

	if (unlikely(len > t->whole)) {
		if (!again && t->decap) {
			vtap_copy_decap(t, f);
			return;
		}
		len = vtap_copy_limit(t, len);
		why = VTAP_ST_DROP_MTU;
		if (!len)
			goto drop;
	}
	copy = vtap_copy_alloc(t, t->hlen + len);
	why = VTAP_ST_DROP_NOMEM;
	if (unlikely(!copy))
		goto drop;
	vtap_copy_headers(t, copy);
	inner = copy->data + t->hlen;
	if (unlikely(e.insert || e.remove || (int)(skb_headlen(f->skb) - len) < f->mac)) {
		if (unlikely(!vtap_copy_bytes(f, e, inner, len)))
			goto unreadable;
	} else if (likely(!f->bare)) {
		memcpy(inner, f->skb->data + f->mac, len);
	} else {
		memcpy(inner, &f->key.eth, ETH_HLEN);
		memcpy(inner + ETH_HLEN, f->skb->data + f->mac + ETH_HLEN, len - ETH_HLEN);
	}
	if (f->skb->ip_summed == CHECKSUM_PARTIAL &&
	    unlikely(!vtap_copy_csum(f, e, inner, len, whole)))
		goto unreadable;
	vtap_copy_send(t, copy, f, 0, len < whole, &n);
	if (likely(n.sent))
		vtap_copy_count(t->s, &n);
	return;

unreadable:
	why = VTAP_ST_DROP_FRAME;
drop:
	kfree_skb(copy);
	vtap_copy_drop(t->s, why, 1);
}

/* What is inside a tunnel, or the frame itself when it is in none. */
static noinline void vtap_copy_decap(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	struct vtap_frame inner __uninitialized;

	if (vtap_match_decap(f, &inner)) {
		struct vtap_session_stats *st = this_cpu_ptr(t->s->stats);

		u64_stats_update_begin(&st->syncp);
		u64_stats_inc(&st->v[VTAP_ST_DECAPPED]);
		u64_stats_update_end(&st->syncp);
		inner.suspect = f->suspect;
		f = &inner;
	}
	vtap_copy_frame(t, f, true);
}

/**
 * struct vtap_cut - a super-frame of TCP or UDP being cut
 * @f: the frame
 * @at: the payload that is next
 * @left: bytes of it in one piece
 * @frag: page fragment that follows
 * @walk: the above are in use; else payload is looked up by its offset
 * @ipv4: not IPv6
 * @tcp: not UDP
 * @flags: TCP flags of the frame
 * @step: from one IPv4 id to the next
 * @id: next IPv4 id
 * @seq: next TCP sequence number
 * @skip: length of all headers in the frame
 * @payload: bytes behind them
 * @l3: offset of the IP header in @hdr
 * @l4: offset of the TCP or UDP header in @hdr
 * @hlen: length of @hdr
 * @n: payload of this segment and of those like it
 * @part: how much of it is copied
 * @room: length of the copy, headers at least
 * @cut: bytes to take off again
 * @ipsum: 16-bit sum over the IPv4 header with id and checksum 0
 * @psum: 16-bit sum over the pseudo-header
 * @hash: of the flow
 * @tally: copies to count
 * @hdr: outer and inner headers of this segment and of those like it; checksums are 0
 */
struct vtap_cut {
	const struct vtap_frame *f;
	const u8 *at;
	unsigned int left;
	unsigned int frag;
	bool walk;
	bool ipv4;
	bool tcp;
	u8 flags;
	u16 step;
	u16 id;
	u32 seq;
	unsigned int skip;
	unsigned int payload;
	unsigned int l3;
	unsigned int l4;
	unsigned int hlen;
	unsigned int n;
	unsigned int part;
	unsigned int room;
	unsigned int cut;
	u32 ipsum;
	u32 psum;
	u32 hash;
	struct vtap_tally tally;
	u8 hdr[VTAP_HDR_MAX + VTAP_MAX_CUT_HDR] __aligned(8);
};

/* The next @n bytes of the payload, passed over when @to is NULL. */
static __always_inline void vtap_copy_cut_next(struct vtap_cut *c, u8 *to, unsigned int n)
{
	const struct skb_shared_info *sh = skb_shinfo(c->f->skb);

	while (unlikely(n > c->left)) {
		if (to) {
			memcpy(to, c->at, c->left);
			to += c->left;
		}
		n -= c->left;
		c->at = skb_frag_address(&sh->frags[c->frag]);
		c->left = skb_frag_size(&sh->frags[c->frag]);
		c->frag++;
	}
	if (to)
		memcpy(to, c->at, n);
	c->at += n;
	c->left -= n;
}

/* Where bytes of the segment at @off are not copied, or payload is in odd places. */
static noinline __wsum vtap_copy_cut_slow(struct vtap_cut *c, u8 *to, unsigned int off)
{
	const int from = c->f->mac + (int)(c->skip + off);
	const unsigned int l4len = c->hlen - c->l4;
	__wsum sum;

	skb_copy_bits(c->f->skb, from, to + c->hlen, c->part);
	sum = csum_partial(to + c->l4, l4len + c->part, (__force __wsum)c->psum);
	if (c->part < c->n)
		sum = csum_block_add(sum, skb_checksum(c->f->skb, from + (int)c->part,
						       c->n - c->part, 0), l4len + c->part);
	if (c->walk)
		vtap_copy_cut_next(c, NULL, c->n);
	return sum;
}

/* What the segment of @n bytes at @off has in common with others. */
static noinline void vtap_copy_cut_shape(const struct vtap_tmpl *t, struct vtap_cut *c,
					 unsigned int off, unsigned int n)
{
	unsigned int whole = c->hlen - t->hlen + n, len = whole;
	unsigned int l4len = c->hlen - c->l4 + n;
	__sum16 pseudo;

	if (len > t->whole)
		len = vtap_copy_limit(t, len);
	/* the headers are written whole, and cut afterwards */
	c->n = n;
	c->room = len ? max(t->hlen + len, c->hlen) : 0;
	c->cut = c->room - t->hlen - len;
	c->part = c->room - c->hlen;

	if (c->ipv4) {
		struct iphdr *iph = (struct iphdr *)(c->hdr + c->l3);

		iph->tot_len = htons(c->hlen - c->l3 + n);
		c->ipsum = (__force u16)~ip_fast_csum(iph, iph->ihl);
		pseudo = csum_tcpudp_magic(iph->saddr, iph->daddr, l4len, c->f->key.ip_proto, 0);
	} else {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)(c->hdr + c->l3);

		ip6h->payload_len = htons(l4len);
		pseudo = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, l4len, c->f->key.ip_proto, 0);
	}
	c->psum = (__force u16)~pseudo;
	if (c->tcp) {
		u8 flags = c->flags;

		if (off)
			flags &= ~TCPHDR_CWR;
		if (off + n < c->payload)
			flags &= ~(TCPHDR_FIN | TCPHDR_PSH);
		tcp_flag_byte((struct tcphdr *)(c->hdr + c->l4)) = flags;
	} else {
		((struct udphdr *)(c->hdr + c->l4))->len = htons(l4len);
	}
}

static __always_inline void vtap_copy_segment(const struct vtap_tmpl *t, struct vtap_cut *c,
					      unsigned int off)
{
	struct sk_buff *copy = NULL;
	__sum16 check;
	__wsum sum;
	u8 *p;

	if (likely(c->room))
		copy = vtap_copy_alloc(t, c->room);
	if (unlikely(!copy)) {
		vtap_copy_drop(t->s, c->room ? VTAP_ST_DROP_NOMEM : VTAP_ST_DROP_MTU, 1);
		if (c->walk)
			vtap_copy_cut_next(c, NULL, c->n);
		return;
	}
	p = copy->data;
	memcpy(p, c->hdr, c->hlen);
	if (c->ipv4) {
		struct iphdr *iph = (struct iphdr *)(p + c->l3);

		iph->id = htons(c->id);
		iph->check = csum_fold((__force __wsum)(c->ipsum + (__force u16)iph->id));
	}
	if (c->tcp)
		((struct tcphdr *)(p + c->l4))->seq = htonl(c->seq + off);
	if (likely(c->walk && c->part == c->n)) {
		vtap_copy_cut_next(c, p + c->hlen, c->n);
		/* to copy and add up in one go takes a third more instructions */
		sum = csum_partial(p + c->l4, c->room - c->l4, (__force __wsum)c->psum);
	} else {
		sum = vtap_copy_cut_slow(c, p, off);
	}
	check = csum_fold(sum);
	if (c->tcp)
		((struct tcphdr *)(p + c->l4))->check = check;
	else
		((struct udphdr *)(p + c->l4))->check = check ?: CSUM_MANGLED_0;
	if (unlikely(c->cut))
		skb_trim(copy, c->room - c->cut);
	vtap_copy_send(t, copy, c->f, c->hash, c->part < c->n || c->cut, &c->tally);
}

/* The headers of the frame, as all segments have them. Return: false when they are none. */
static bool vtap_copy_cut_init(const struct vtap_tmpl *t, struct vtap_cut *c)
{
	const struct vtap_frame *f = c->f;
	const struct vtap_edit e = vtap_copy_edit(t, f);
	const unsigned int to = t->hlen + e.insert - e.remove;
	u8 *p = c->hdr + t->hlen;

	c->skip = f->l4 + (c->tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr));
	if (c->skip + VLAN_HLEN > VTAP_MAX_CUT_HDR || c->skip >= f->len)
		return false;
	c->l3 = to + f->l3;
	c->l4 = to + f->l4;
	vtap_copy_bytes(f, e, p, to + c->skip - t->hlen);
	if (c->tcp) {
		struct tcphdr *th = (struct tcphdr *)(c->hdr + c->l4);

		c->skip = f->l4 + __tcp_hdrlen(th);
		if (th->doff < 5 || c->skip + VLAN_HLEN > VTAP_MAX_CUT_HDR || c->skip >= f->len)
			return false;
		vtap_copy_bytes(f, e, p, to + c->skip - t->hlen);
		c->seq = ntohl(th->seq);
		c->flags = tcp_flag_byte(th);
		th->check = 0;
	} else {
		struct udphdr *uh = (struct udphdr *)(c->hdr + c->l4);

		/* then the sender wants none */
		if (!uh->check && f->skb->ip_summed != CHECKSUM_PARTIAL)
			return false;
		uh->check = 0;
	}
	if (c->ipv4) {
		struct iphdr *iph = (struct iphdr *)(c->hdr + c->l3);

		c->id = ntohs(iph->id);
		iph->id = 0;
		iph->check = 0;
	}
	memcpy(c->hdr, t->hdr, t->hlen);
	c->hlen = to + c->skip;
	c->payload = f->len - c->skip;
	return true;
}

/* In pages of its own: those of the frame may change while this one waits, or be encrypted. */
static struct sk_buff *vtap_copy_paged(const struct vtap_tmpl *t, const struct vtap_cut *c)
{
	int err, from = c->f->mac + (int)c->skip;
	struct sk_buff *skb;
	unsigned int i;

	skb = alloc_skb_with_frags(t->headroom + c->hlen, c->payload, PAGE_ALLOC_COSTLY_ORDER, &err,
				   GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, t->headroom);
	skb_put_data(skb, c->hdr, c->hlen);
	skb->len += c->payload;
	skb->data_len = c->payload;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		if (skb_copy_bits(c->f->skb, from, skb_frag_address(frag), skb_frag_size(frag)))
			goto free;
		from += skb_frag_size(frag);
	}
	if (!skb_pfmemalloc(skb))
		return skb;
free:
	kfree_skb(skb);
	return NULL;
}

/* The checksum is the device's to finish: that of the pseudo-header, as in a frame of TCP alone. */
static void vtap_copy_whole_inner(const struct vtap_tmpl *t, const struct vtap_cut *c,
				  struct sk_buff *skb)
{
	if (c->ipv4) {
		struct iphdr *iph = (struct iphdr *)(skb->data + c->l3);

		iph->id = htons(c->id);
		iph->check = csum_fold((__force __wsum)(c->ipsum + (__force u16)iph->id));
	}
	((struct tcphdr *)(skb->data + c->l4))->check = (__force __sum16)c->psum;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + c->l4;
	skb->csum_offset = offsetof(struct tcphdr, check);
	skb_set_inner_mac_header(skb, t->hlen);
	skb_set_inner_network_header(skb, c->l3);
	skb_set_inner_transport_header(skb, c->l4);
	skb_set_inner_protocol(skb, htons(ETH_P_TEB));
	skb->encapsulation = 1;
}

static void vtap_copy_whole_outer(const struct vtap_tmpl *t, const struct vtap_cut *c,
				  struct sk_buff *skb)
{
	vtap_copy_outer(t, skb, c->f, 0, false);
	if (t->family == AF_INET) {
		struct iphdr *iph = (struct iphdr *)(skb->data + t->l2len);

		/* the device counts ids up, into those of other copies: none may be needed */
		iph->frag_off = htons(IP_DF);
		ip_send_check(iph);
	}
	skb->dev = t->dev;
	skb->protocol = t->proto;
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, t->l2len);
	skb_set_transport_header(skb, t->tun);
	__skb_set_sw_hash(skb, c->hash, true);
}

/* A super-frame of TCP goes on in one piece. Return: false when it has to be cut here. */
static noinline bool vtap_copy_whole(const struct vtap_tmpl *t, struct vtap_cut *c)
{
	const struct skb_shared_info *sh = skb_shinfo(c->f->skb);
	const unsigned int mss = sh->gso_size, n = DIV_ROUND_UP(c->payload, mss);
	const unsigned int inner = c->hlen - t->hlen;
	const unsigned int type = (sh->gso_type & (SKB_GSO_DODGY | SKB_GSO_TCP_ECN)) | SKB_GSO_GRE |
				  (c->ipv4 ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6);
	/* the kernel looks at headers that a VM has made, where the device does not */
	const netdev_features_t robust = NETIF_F_GSO_ROBUST;
	const struct vtap_tally all = { .sent = n, .bytes = c->payload + n * inner };
	struct sk_buff *skb;

	/* FIXEDID is of the inner or of the outer header, depending on the kernel */
	if (!c->tcp || n < 2 || t->far || c->f->skb->ip_summed != CHECKSUM_PARTIAL ||
	    sh->gso_type & SKB_GSO_TCP_FIXEDID || inner + mss > t->whole ||
	    c->hlen - t->l2len + c->payload > IP_MAX_MTU ||
	    !net_gso_ok((t->dev->features & t->dev->hw_enc_features) | robust, type))
		return false;
	vtap_copy_cut_shape(t, c, 0, c->payload);
	skb = vtap_copy_paged(t, c);
	if (!skb)
		return false;
	vtap_copy_whole_inner(t, c, skb);
	skb_shinfo(skb)->gso_size = mss;
	skb_shinfo(skb)->gso_segs = n;
	skb_shinfo(skb)->gso_type = type;
	vtap_copy_whole_outer(t, c, skb);
	if (!skb_gso_ok(skb, netif_skb_features(skb) | robust)) {
		kfree_skb(skb);
		return false;
	}
	if (vtap_copy_hold(t, skb, c->f, c->hash, all))
		return true;
	if (vtap_copy_xmit_whole(t, skb))
		vtap_copy_drop(t->s, VTAP_ST_DROP_XMIT, n);
	else
		vtap_copy_count(t->s, &all);
	return true;
}

/*
 * TCP and UDP in plain IP are cut here, but for datagrams that may be tunnels.
 * Return: false for anything else.
 */
static noinline bool vtap_copy_cut(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	const struct skb_shared_info *sh = skb_shinfo(f->skb);
	const bool tcp = f->key.ip_proto == IPPROTO_TCP;
	const unsigned int known = SKB_GSO_DODGY | (tcp ? SKB_GSO_TCPV4 | SKB_GSO_TCPV6 |
				   SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID : SKB_GSO_UDP_L4);
	const u8 need = VTAP_KEY_IP | VTAP_KEY_PORTS | (tcp ? VTAP_KEY_TCP : 0);
	unsigned int off, mss = sh->gso_size;
	struct vtap_cut c __uninitialized;
	int from, linear;

	if (sh->gso_type & ~known || f->skb->encapsulation ||
	    (!tcp && (f->key.ip_proto != IPPROTO_UDP || t->decap)) ||
	    (f->key.flags & (need | VTAP_KEY_FRAG)) != need)
		return false;
	c.f = f;
	c.tcp = tcp;
	c.ipv4 = f->key.proto == htons(ETH_P_IP);
	if ((!c.ipv4 && f->l4 - f->l3 != sizeof(struct ipv6hdr)) || !vtap_copy_cut_init(t, &c))
		return false;
	c.step = !(sh->gso_type & SKB_GSO_TCP_FIXEDID);
	c.hash = vtap_flow_hash(t->seed, &f->key);
	c.tally = (struct vtap_tally){};
	if (unlikely(t->offload) && vtap_copy_whole(t, &c))
		return true;
	/* lists of frames are rare, and pages that have no address */
	c.walk = !IS_ENABLED(CONFIG_HIGHMEM) && !skb_has_frag_list(f->skb);
	if (c.walk) {
		from = f->mac + (int)c.skip;
		linear = skb_headlen(f->skb);
		c.at = f->skb->data + min(from, linear);
		c.left = linear - min(from, linear);
		c.frag = 0;
		vtap_copy_cut_next(&c, NULL, from - min(from, linear));
	}

	for (off = 0; off < c.payload; off += mss) {
		/* the first one, those in the middle, the last one */
		if (off <= mss || c.payload - off <= mss)
			vtap_copy_cut_shape(t, &c, off, min(mss, c.payload - off));
		vtap_copy_segment(t, &c, off);
		c.id += c.step;
	}
	vtap_copy_count(t->s, &c.tally);
	return true;
}

/*
 * The frame's head, which may share page frags for a while; a packet gets its Ethernet header.
 * Return: as vtap_original_copy().
 */
static struct sk_buff *vtap_copy_clone(const struct vtap_frame *f)
{
	struct sk_buff *skb = vtap_original_copy(f->skb);
	const int off = f->mac + ETH_HLEN;

	if (IS_ERR_OR_NULL(skb) || !f->bare)
		return skb;
	if (!pskb_may_pull(skb, off)) {
		kfree_skb(skb);
		return NULL;
	}
	__skb_pull(skb, off);
	if (skb_cow_head(skb, ETH_HLEN)) {
		kfree_skb(skb);
		return NULL;
	}
	skb_reset_network_header(skb);
	memcpy(__skb_push(skb, ETH_HLEN), &f->key.eth, ETH_HLEN);
	skb->protocol = f->key.proto;
	return skb;
}

/* Everything else is cut by the kernel, on a copy that may share page frags until we are done. */
static noinline void vtap_copy_gso(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	struct sk_buff *segs, *seg, *next, *skb;
	struct vtap_frame sf = *f;

	/* a datagram becomes fragments */
	if (skb_shinfo(f->skb)->gso_type & SKB_GSO_UDP)
		sf.key.flags |= VTAP_KEY_FRAG;
	skb = vtap_copy_clone(f);
	if (IS_ERR_OR_NULL(skb)) {
		vtap_copy_drop(t->s, skb ? VTAP_ST_DROP_FRAME : VTAP_ST_DROP_NOMEM, 1);
		return;
	}
	sf.bare = false;
	/* what stands before the data is not copied */
	if (f->mac && !f->bare) {
		memcpy(skb->data + f->mac, f->skb->data + f->mac, -f->mac);
		__skb_push(skb, -f->mac);
	}
	/* else segmentation warns of the frame, or takes checksums that are not there */
	if (skb->ip_summed == CHECKSUM_NONE)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	segs = __skb_gso_segment(skb, NETIF_F_SG, false);
	if (IS_ERR_OR_NULL(segs)) {
		kfree_skb(skb);
		vtap_copy_drop(t->s, PTR_ERR(segs) == -ENOMEM ? VTAP_ST_DROP_NOMEM :
							       VTAP_ST_DROP_FRAME, 1);
		return;
	}
	consume_skb(skb);
	skb_list_walk_safe(segs, seg, next) {
		skb_mark_not_on_list(seg);
		sf.skb = seg;
		sf.mac = 0;
		sf.len = seg->len;
		vtap_copy_frame(t, &sf, false);
		consume_skb(seg);
	}
}

/* Frames that a super-frame would be on a wire, for counting it without cutting it. */
static unsigned int vtap_copy_segs(const struct vtap_frame *f)
{
	const struct skb_shared_info *sh = skb_shinfo(f->skb);

	return skb_is_gso(f->skb) && sh->gso_segs ? sh->gso_segs : 1;
}

/**
 * vtap_copy - send one session's copy of a frame
 * @s: the session
 * @f: parsed frame; not changed, and not needed afterwards
 *
 * Softirq context, RCU read side.
 */
void vtap_copy(struct vtap_session *s, const struct vtap_frame *f)
{
	const struct vtap_tmpl *t = rcu_dereference(s->tmpl);
	unsigned int n;

	if (unlikely(!t) || (unlikely(f->suspect) && vtap_loop_watch(s, f))) {
		n = vtap_copy_segs(f);
		vtap_copy_drop(s, t ? VTAP_ST_DROP_LOOP : VTAP_ST_DROP_INACTIVE, n);
		return;
	}
	if (unlikely(f->dir == VTAP_OUT && vtap_original_unfinished(f->skb))) {
		vtap_copy_drop(s, VTAP_ST_DROP_FRAME, vtap_copy_segs(f));
		return;
	}
	if (!skb_is_gso(f->skb))
		vtap_copy_frame(t, f, false);
	else if (unlikely(skb_shinfo(f->skb)->gso_size < VTAP_MIN_MSS ||
			  skb_shinfo(f->skb)->gso_type & SKB_GSO_ESP ||
			  !skb_frags_readable(f->skb)))
		vtap_copy_drop(s, VTAP_ST_DROP_FRAME, 1);
	else if (!vtap_copy_cut(t, f))
		vtap_copy_gso(t, f);
}

/** vtap_copy_exit - free the rings; nobody makes copies any more, some may still be on their way */
void vtap_copy_exit(void)
{
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		for (i = 0; i < VTAP_RING_SLOTS; i++)
			consume_skb(per_cpu(vtap_ring, cpu).slot[i]);
	}
}
