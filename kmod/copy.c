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
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "vtap.h"

#define VTAP_MAX_DEPTH		4	/* copies that lead to copies */
#define VTAP_MIN_COPY		(ETH_HLEN + 2 * VLAN_HLEN)
#define VTAP_HDR_QUICK		64	/* copied without a look at their length */
#define VTAP_MAX_TCP_HDR	256
#define VTAP_MIN_MSS		48	/* as TCP_MIN_SND_MSS: a VM that says less wants a flood */

/* Softirq only; a task that preempts another in vtap on PREEMPT_RT adds to it, too */
static DEFINE_PER_CPU(unsigned int, vtap_copy_depth);

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

static __always_inline void vtap_copy_sent(struct vtap_session *s, unsigned int len,
					   bool truncated, bool fragmented)
{
	struct vtap_session_stats *st = this_cpu_ptr(s->stats);

	u64_stats_update_begin(&st->syncp);
	u64_stats_inc(&st->v[VTAP_ST_MATCHED]);
	u64_stats_inc(&st->v[VTAP_ST_SENT]);
	u64_stats_add(&st->v[VTAP_ST_BYTES], len);
	if (unlikely(truncated))
		u64_stats_inc(&st->v[VTAP_ST_TRUNCATED]);
	if (fragmented)
		u64_stats_inc(&st->v[VTAP_ST_FRAGMENTED]);
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

/* Does nobody but the slot know the master's companion, nor its data? */
static __always_inline bool vtap_copy_idle(const struct sk_buff *master)
{
	const struct sk_buff_fclones *pair = container_of(master, struct sk_buff_fclones, skb1);

	if (refcount_read(&pair->fclone_ref) != 1)
		return false;
	/* a clone of the companion outlives it, and has the data, too */
	if ((atomic_read(&skb_shinfo(master)->dataref) & SKB_DATAREF_MASK) != 1)
		return false;
	/* who gave them back has read them before */
	smp_acquire__after_ctrl_dep();
	return true;
}

static noinline struct sk_buff *vtap_copy_master(void)
{
	struct sk_buff *master = alloc_skb_fclone(VTAP_RING_ROOM, GFP_ATOMIC | __GFP_NOWARN);

	/* what comes of the reserves is not for everybody */
	if (master && skb_pfmemalloc(master)) {
		consume_skb(master);
		master = NULL;
	}
	return master;
}

/*
 * The slot used last is often free again, and warm. One that is not may be for
 * long: the next one, or none.
 */
static __always_inline struct sk_buff *vtap_copy_slot(struct vtap_ring *r)
{
	struct sk_buff **slot = &r->slot[r->last];

	if (unlikely(!*slot) || !vtap_copy_idle(*slot)) {
		r->last = (r->last + 1) % VTAP_RING_SLOTS;
		slot = &r->slot[r->last];
		if (unlikely(!*slot))
			*slot = vtap_copy_master();
		else if (!vtap_copy_idle(*slot))
			return NULL;
	}
	return *slot;
}

static __always_inline struct sk_buff *vtap_copy_reuse(unsigned int headroom, unsigned int len)
{
	struct sk_buff *master, *skb = NULL;

	local_lock_nested_bh(&vtap_ring.lock);
	master = vtap_copy_slot(this_cpu_ptr(&vtap_ring));
	if (likely(master)) {
		master->data = master->head + headroom;
		master->len = len;
		skb_set_tail_pointer(master, len);
		skb = skb_clone(master, GFP_ATOMIC | __GFP_NOWARN);
	}
	local_unlock_nested_bh(&vtap_ring.lock);
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

/* A raw copy, or one that goes through the host's output path. */
static noinline int vtap_copy_xmit_far(const struct vtap_tmpl *t, struct sk_buff *skb, u32 hash)
{
	int rc;

	if (!t->family) {
		__skb_set_sw_hash(skb, vtap_session_raw_hash(t->s->vn, hash), true);
		skb->protocol = eth_hdr(skb)->h_proto;
		skb_set_network_header(skb, ETH_HLEN);
		rc = dev_queue_xmit(skb);
		return net_xmit_eval(rc);
	}
	skb_dst_set(skb, dst_clone(t->dst));
	memset(skb->cb, 0, sizeof(skb->cb));
	if (t->family == AF_INET)
		rc = ip_local_out(dev_net(t->dev), NULL, skb);
	else
		rc = vtap_ip6_local_out(dev_net(t->dev), skb);
	return net_xmit_eval(rc);
}

static __always_inline int vtap_copy_xmit(const struct vtap_tmpl *t, struct sk_buff *skb, u32 hash)
{
	int rc;

	skb_reset_mac_header(skb);
	skb->dev = t->dev;
	__skb_set_sw_hash(skb, hash, true);
	skb->protocol = t->family == AF_INET ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	skb_set_network_header(skb, t->l2len);
	skb_set_transport_header(skb, t->tun);
	if (unlikely(!t->family || t->dst))
		return vtap_copy_xmit_far(t, skb, hash);
	rc = dev_queue_xmit(skb);
	return net_xmit_eval(rc);
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
					 u32 ipid, u32 hash, bool truncated)
{
	unsigned int ip = t->tun - t->l2len + (t->family == AF_INET6 ? sizeof(struct frag_hdr) : 0);
	unsigned int max = (t->mtu - ip) & ~7u, left = whole->len - t->tun, off = 0;
	enum vtap_stat why;

	while (left) {
		unsigned int n = min(left, max);
		struct sk_buff *skb = vtap_copy_fragment(t, whole, ipid, off, n);

		why = VTAP_ST_DROP_NOMEM;
		if (!skb)
			goto drop;
		why = VTAP_ST_DROP_XMIT;
		if (vtap_copy_xmit(t, skb, hash))
			goto drop;
		off += n;
		left -= n;
	}
	vtap_copy_sent(t->s, whole->len - t->hlen, truncated, true);
	consume_skb(whole);
	return;

drop:
	kfree_skb(whole);
	vtap_copy_drop(t->s, why, 1);
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

/* The inner frame is complete: wrap it, send it, count it. Takes the skb. */
static __always_inline void vtap_copy_send(const struct vtap_tmpl *t, struct sk_buff *skb,
					   const struct vtap_frame *f, bool truncated)
{
	const unsigned int inner = skb->len - t->hlen;
	struct vtap_session *s = t->s;
	u32 hash, ipid;

	if (unlikely(t->rate || t->pps) && !vtap_session_admit(t, skb->len - t->l2len)) {
		kfree_skb(skb);
		vtap_copy_drop(s, VTAP_ST_DROP_RATE, 1);
		return;
	}
	hash = vtap_match_hash(&f->key);
	if (likely(t->family)) {
		/* no two CPUs give the same id within 65536 / nr_cpu_ids packets */
		ipid = this_cpu_inc_return(s->stats->ipid) * nr_cpu_ids + smp_processor_id();
		vtap_copy_outer(t, skb, f, ipid, truncated);
		if (unlikely(inner > t->whole) && skb->len - t->l2len > t->mtu && !t->dst) {
			vtap_copy_fragments(t, skb, ipid, hash, truncated);
			return;
		}
	}
	if (unlikely(vtap_copy_xmit(t, skb, hash))) {
		vtap_copy_drop(s, VTAP_ST_DROP_XMIT, 1);
		return;
	}
	vtap_copy_sent(s, inner, truncated, false);
}

/* A frame whose tag is only in the metadata gets it back; strip takes one out. */
static __always_inline struct vtap_edit vtap_copy_edit(const struct vtap_tmpl *t,
						       const struct vtap_frame *f)
{
	bool meta = skb_vlan_tag_present(f->skb);

	return (struct vtap_edit){
		.insert = meta && !t->strip ? VLAN_HLEN : 0,
		.remove = !meta && f->key.vlan && t->strip ? VLAN_HLEN : 0,
	};
}

/* The first @len bytes of the edited frame. */
static noinline void vtap_copy_bytes(const struct vtap_frame *f, struct vtap_edit e, u8 *to,
				     unsigned int len)
{
	unsigned int off = 0;

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
	skb_copy_bits(f->skb, f->mac + (int)off, to, len);
}

#if IS_ENABLED(CONFIG_IP_SCTP)
static bool vtap_copy_crc32c(const struct sk_buff *skb, struct sk_buff *copy, const u8 *start)
{
	int err;

	copy->ip_summed = CHECKSUM_PARTIAL;
	copy->csum_start = start - copy->head;
	copy->csum_offset = skb->csum_offset;
	copy->csum_not_inet = 1;
	err = skb_csum_hwoffload_help(copy, 0);
	copy->ip_summed = CHECKSUM_NONE;
	return !err;
}
#else
static bool vtap_copy_crc32c(const struct sk_buff *skb, struct sk_buff *copy, const u8 *start)
{
	return true;
}
#endif

/*
 * The sender left the checksum to a device: what it would have put into the
 * frame. Return: false when memory is short.
 */
static noinline bool vtap_copy_csum(const struct vtap_frame *f, struct vtap_edit e,
				    struct sk_buff *copy, u8 *inner, unsigned int len,
				    unsigned int whole)
{
	struct sk_buff *skb = f->skb;
	unsigned int start, field;
	__wsum csum;

	start = skb_checksum_start_offset(skb) - f->mac + e.insert - e.remove;
	field = start + skb->csum_offset;
	if (start < VTAP_MIN_COPY - 2 * VLAN_HLEN || field + sizeof(__sum16) > len)
		return true;
	if (unlikely(skb_csum_is_sctp(skb)))
		return len < whole || vtap_copy_crc32c(skb, copy, inner + start);
	if (likely(len == whole))
		csum = csum_partial(inner + start, whole - start, 0);
	else
		csum = skb_checksum(skb, skb_checksum_start_offset(skb), whole - start, 0);
	put_unaligned(csum_fold(csum) ?: CSUM_MANGLED_0, (__sum16 *)(inner + field));
	return true;
}

static __always_inline void vtap_copy_frame(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	const struct vtap_edit e = vtap_copy_edit(t, f);
	const unsigned int whole = f->len + e.insert - e.remove;
	unsigned int len = whole;
	struct sk_buff *copy;
	u8 *inner;

	if (unlikely(len > t->whole)) {
		len = vtap_copy_limit(t, len);
		if (!len) {
			vtap_copy_drop(t->s, VTAP_ST_DROP_MTU, 1);
			return;
		}
	}
	copy = vtap_copy_alloc(t, t->hlen + len);
	if (unlikely(!copy)) {
		vtap_copy_drop(t->s, VTAP_ST_DROP_NOMEM, 1);
		return;
	}
	vtap_copy_headers(t, copy);
	inner = copy->data + t->hlen;
	if (likely(!e.insert && !e.remove && (int)(skb_headlen(f->skb) - len) >= f->mac))
		memcpy(inner, f->skb->data + f->mac, len);
	else
		vtap_copy_bytes(f, e, inner, len);
	if (f->skb->ip_summed == CHECKSUM_PARTIAL &&
	    unlikely(!vtap_copy_csum(f, e, copy, inner, len, whole))) {
		kfree_skb(copy);
		vtap_copy_drop(t->s, VTAP_ST_DROP_NOMEM, 1);
		return;
	}
	vtap_copy_send(t, copy, f, len < whole);
}

/**
 * struct vtap_tcp - a TCP super-frame being cut
 * @f: the frame
 * @e: what happens to its tag
 * @hdr: its headers as copies have them
 * @hlen: their length in the copy
 * @skip: their length in the frame
 * @l3: offset of the IP header in @hdr
 * @l4: offset of the TCP header in @hdr
 * @payload: bytes behind the headers
 */
struct vtap_tcp {
	const struct vtap_frame *f;
	struct vtap_edit e;
	unsigned int hlen;
	unsigned int skip;
	unsigned int l3;
	unsigned int l4;
	unsigned int payload;
	u8 hdr[VTAP_MAX_TCP_HDR] __aligned(8);
};

/* Headers of the segment of @n bytes at @off, all but the TCP checksum. */
static void vtap_copy_tcp_hdr(const struct vtap_tcp *c, u8 *p, unsigned int off, unsigned int n)
{
	struct tcphdr *th = (struct tcphdr *)(p + c->l4);

	memcpy(p, c->hdr, c->hlen);
	if (c->f->key.proto == htons(ETH_P_IP)) {
		struct iphdr *iph = (struct iphdr *)(p + c->l3);

		iph->tot_len = htons(c->hlen - c->l3 + n);
		if (!(skb_shinfo(c->f->skb)->gso_type & SKB_GSO_TCP_FIXEDID))
			iph->id = htons(ntohs(iph->id) + off / skb_shinfo(c->f->skb)->gso_size);
		ip_send_check(iph);
	} else {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)(p + c->l3);

		ip6h->payload_len = htons(c->hlen - c->l4 + n);
	}
	th->seq = htonl(ntohl(th->seq) + off);
	if (off)
		th->cwr = 0;
	if (off + n < c->payload) {
		th->fin = 0;
		th->psh = 0;
	}
	th->check = 0;
}

static __sum16 vtap_copy_tcp_csum(const struct vtap_tcp *c, const u8 *p, unsigned int n,
				  __wsum csum)
{
	unsigned int thlen = c->hlen - c->l4;

	csum = csum_partial(p + c->l4, thlen, csum);
	if (c->f->key.proto == htons(ETH_P_IP)) {
		const struct iphdr *iph = (const struct iphdr *)(p + c->l3);

		return tcp_v4_check(thlen + n, iph->saddr, iph->daddr, csum);
	} else {
		const struct ipv6hdr *ip6h = (const struct ipv6hdr *)(p + c->l3);

		return csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, thlen + n, IPPROTO_TCP, csum);
	}
}

static void vtap_copy_tcp_segment(const struct vtap_tmpl *t, const struct vtap_tcp *c,
				  unsigned int off, unsigned int n)
{
	int from = c->f->mac + (int)(c->skip + off);
	unsigned int whole = c->hlen + n, len = vtap_copy_limit(t, whole), room, part;
	struct sk_buff *copy;
	__wsum csum;
	u8 *p;

	if (unlikely(!len)) {
		vtap_copy_drop(t->s, VTAP_ST_DROP_MTU, 1);
		return;
	}
	/* the headers are written whole, and cut afterwards */
	room = max(len, c->hlen);
	copy = vtap_copy_alloc(t, t->hlen + room);
	if (unlikely(!copy)) {
		vtap_copy_drop(t->s, VTAP_ST_DROP_NOMEM, 1);
		return;
	}
	vtap_copy_headers(t, copy);
	p = copy->data + t->hlen;
	part = room - c->hlen;
	vtap_copy_tcp_hdr(c, p, off, n);
	csum = skb_copy_and_csum_bits(c->f->skb, from, p + c->hlen, part);
	if (unlikely(part < n))
		csum = csum_block_add(csum, skb_checksum(c->f->skb, from + (int)part, n - part, 0),
				      part);
	((struct tcphdr *)(p + c->l4))->check = vtap_copy_tcp_csum(c, p, n, csum);
	skb_trim(copy, t->hlen + len);
	vtap_copy_send(t, copy, c->f, len < whole);
}

/* TCP in plain IP is cut here; Return: false for anything else. */
static noinline bool vtap_copy_tcp(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	const struct skb_shared_info *sh = skb_shinfo(f->skb);
	const unsigned int known = SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_DODGY |
				   SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID;
	const u8 need = VTAP_KEY_IP | VTAP_KEY_PORTS | VTAP_KEY_TCP;
	unsigned int off, mss = sh->gso_size;
	const struct tcphdr *th;
	struct vtap_tcp c __uninitialized;

	if (sh->gso_type & ~known || f->skb->encapsulation || f->key.ip_proto != IPPROTO_TCP ||
	    (f->key.flags & (need | VTAP_KEY_FRAG)) != need)
		return false;
	if (f->key.proto == htons(ETH_P_IPV6) && f->l4 - f->l3 != sizeof(struct ipv6hdr))
		return false;

	c.f = f;
	c.e = vtap_copy_edit(t, f);
	c.skip = f->l4 + sizeof(*th);
	if (c.skip + VLAN_HLEN > sizeof(c.hdr) || c.skip >= f->len)
		return false;
	vtap_copy_bytes(f, c.e, c.hdr, c.skip + c.e.insert - c.e.remove);
	c.l3 = f->l3 + c.e.insert - c.e.remove;
	c.l4 = f->l4 + c.e.insert - c.e.remove;
	th = (const struct tcphdr *)(c.hdr + c.l4);
	c.skip = f->l4 + th->doff * 4;
	c.hlen = c.skip + c.e.insert - c.e.remove;
	if (th->doff < 5 || c.skip + VLAN_HLEN > sizeof(c.hdr) || c.skip >= f->len)
		return false;
	vtap_copy_bytes(f, c.e, c.hdr, c.hlen);
	c.payload = f->len - c.skip;

	for (off = 0; off < c.payload; off += mss)
		vtap_copy_tcp_segment(t, &c, off, min(mss, c.payload - off));
	return true;
}

/* Everything else is cut by the kernel, on a copy that shares page frags until we are done. */
static noinline void vtap_copy_gso(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	struct sk_buff *segs, *seg, *next, *skb;
	struct vtap_frame sf = *f;

	skb = pskb_copy(f->skb, GFP_ATOMIC | __GFP_NOWARN);
	if (unlikely(!skb)) {
		vtap_copy_drop(t->s, VTAP_ST_DROP_NOMEM, 1);
		return;
	}
	/* what stands before the data is not copied */
	if (f->mac) {
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
		vtap_copy_frame(t, &sf);
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

	if (unlikely(!t || __this_cpu_read(vtap_copy_depth) >= VTAP_MAX_DEPTH)) {
		n = vtap_copy_segs(f);
		vtap_copy_drop(s, t ? VTAP_ST_DROP_LOOP : VTAP_ST_DROP_INACTIVE, n);
		return;
	}
	__this_cpu_inc(vtap_copy_depth);
	if (!skb_is_gso(f->skb))
		vtap_copy_frame(t, f);
	else if (unlikely(skb_shinfo(f->skb)->gso_size < VTAP_MIN_MSS))
		vtap_copy_drop(s, VTAP_ST_DROP_FRAME, 1);
	else if (!vtap_copy_tcp(t, f))
		vtap_copy_gso(t, f);
	__this_cpu_dec(vtap_copy_depth);
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
