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

static void vtap_copy_drop(const struct vtap_tmpl *t, enum vtap_stat why)
{
	vtap_session_count(t->s, why, 1);
}

/* How much of @len bytes fits; 0 when the copy has to be dropped. */
static unsigned int vtap_copy_limit(const struct vtap_tmpl *t, unsigned int len)
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

/* An skb with the template's headers and @len bytes to be filled in behind them. */
static struct sk_buff *vtap_copy_alloc(const struct vtap_tmpl *t, unsigned int hlen,
				       unsigned int len)
{
	unsigned int size = SKB_DATA_ALIGN(t->headroom + hlen + len) +
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
		skb = alloc_skb(t->headroom + hlen + len, GFP_ATOMIC | __GFP_NOWARN);
		if (unlikely(!skb))
			return NULL;
	}
	skb_reserve(skb, t->headroom);
	skb_put(skb, hlen + len);
	return skb;
}

static int vtap_copy_xmit(const struct vtap_tmpl *t, struct sk_buff *skb, u32 hash)
{
	int rc;

	skb_reset_mac_header(skb);
	skb->dev = t->dev;
	__skb_set_sw_hash(skb, hash, true);
	if (!t->family) {
		__skb_set_sw_hash(skb, vtap_session_raw_hash(hash), true);
		skb->protocol = eth_hdr(skb)->h_proto;
		skb_set_network_header(skb, ETH_HLEN);
		rc = dev_queue_xmit(skb);
		return net_xmit_eval(rc);
	}

	skb->protocol = htons(t->family == AF_INET ? ETH_P_IP : ETH_P_IPV6);
	skb_set_network_header(skb, t->l2len);
	skb_set_transport_header(skb, t->tun);
	if (likely(!t->dst)) {
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

/* One outer fragment: @n bytes from @off on of what follows the IP header. */
static struct sk_buff *vtap_copy_fragment(const struct vtap_tmpl *t, const struct sk_buff *whole,
					  const struct vtap_wrap *w, unsigned int off,
					  unsigned int n)
{
	bool more = t->tun + off + n < whole->len;
	bool ipv6 = t->family == AF_INET6;
	unsigned int hlen = t->tun + (ipv6 ? sizeof(struct frag_hdr) : 0);
	struct sk_buff *skb;

	skb = vtap_copy_alloc(t, hlen, n);
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
		fh->identification = htonl(w->ipid);
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

static void vtap_copy_fragments(const struct vtap_tmpl *t, struct sk_buff *whole,
				const struct vtap_wrap *w, u32 hash)
{
	unsigned int ip = t->tun - t->l2len + (t->family == AF_INET6 ? sizeof(struct frag_hdr) : 0);
	unsigned int max = (t->mtu - ip) & ~7u, left = whole->len - t->tun, off = 0;
	enum vtap_stat outcome = VTAP_ST_SENT;

	while (left) {
		unsigned int n = min(left, max);
		struct sk_buff *skb = vtap_copy_fragment(t, whole, w, off, n);

		if (!skb) {
			outcome = VTAP_ST_DROP_NOMEM;
			break;
		}
		if (vtap_copy_xmit(t, skb, hash)) {
			outcome = VTAP_ST_DROP_XMIT;
			break;
		}
		off += n;
		left -= n;
	}
	consume_skb(whole);
	vtap_session_count(t->s, outcome, 1);
	if (outcome != VTAP_ST_SENT)
		return;
	vtap_session_count(t->s, VTAP_ST_FRAGMENTED, 1);
	vtap_session_count(t->s, VTAP_ST_BYTES, w->len);
	if (w->truncated)
		vtap_session_count(t->s, VTAP_ST_TRUNCATED, 1);
}

/* The inner frame is complete: wrap it, send it, count it. Takes the skb. */
static void vtap_copy_send(const struct vtap_tmpl *t, struct sk_buff *skb, struct vtap_wrap *w)
{
	struct vtap_session *s = t->s;
	u32 hash;

	if (unlikely(!vtap_session_admit(t, skb->len - t->l2len))) {
		kfree_skb(skb);
		vtap_copy_drop(t, VTAP_ST_DROP_RATE);
		return;
	}
	hash = vtap_match_hash(&w->f->key);
	if (likely(t->family)) {
		/* no two CPUs give the same id within 65536 / nr_cpu_ids packets */
		w->ipid = this_cpu_inc_return(s->stats->ipid) * nr_cpu_ids + smp_processor_id();
		if (t->seq)
			w->seq = atomic_fetch_inc(&s->seq);
		memcpy(skb->data, t->hdr, t->hlen);
		vtap_encap_finish(t, skb->data, w);
		if (t->type == VTAP_SESSION_TYPE_VXLAN && t->family == AF_INET6)
			vtap_encap_udp_csum(t, skb);
		if (skb->len - t->l2len > t->mtu && !t->dst) {
			vtap_copy_fragments(t, skb, w, hash);
			return;
		}
	}
	if (unlikely(vtap_copy_xmit(t, skb, hash))) {
		vtap_copy_drop(t, VTAP_ST_DROP_XMIT);
		return;
	}
	vtap_session_count(s, VTAP_ST_SENT, 1);
	vtap_session_count(s, VTAP_ST_BYTES, w->len);
	if (w->truncated)
		vtap_session_count(s, VTAP_ST_TRUNCATED, 1);
}

/* A frame whose tag is only in the metadata gets it back; strip takes one out. */
static struct vtap_edit vtap_copy_edit(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	bool meta = skb_vlan_tag_present(f->skb);

	return (struct vtap_edit){
		.insert = meta && !t->strip ? VLAN_HLEN : 0,
		.remove = !meta && f->key.vlan && t->strip ? VLAN_HLEN : 0,
	};
}

static void vtap_copy_wrap(struct vtap_wrap *w, const struct vtap_frame *f, unsigned int whole,
			   unsigned int len)
{
	w->f = f;
	w->len = len;
	w->truncated = len < whole;
	w->tagged = f->key.vlan;
	w->tci = skb_vlan_tag_present(f->skb) ? skb_vlan_tag_get(f->skb) : ntohs(f->key.vlan);
}

/* The first @len bytes of the edited frame. */
static void vtap_copy_bytes(const struct vtap_frame *f, const struct vtap_edit *e, u8 *to,
			    unsigned int len)
{
	unsigned int off = 0;

	if (unlikely(e->insert || e->remove)) {
		off = 2 * ETH_ALEN;
		skb_copy_bits(f->skb, f->mac, to, off);
		to += off;
		len -= off + e->insert;
		if (e->insert) {
			put_unaligned(f->skb->vlan_proto, (__be16 *)to);
			put_unaligned_be16(skb_vlan_tag_get(f->skb), to + 2);
			to += VLAN_HLEN;
		}
		off += e->remove;
	}
	skb_copy_bits(f->skb, f->mac + (int)off, to, len);
}

#if IS_ENABLED(CONFIG_IP_SCTP)
static void vtap_copy_crc32c(const struct sk_buff *skb, struct sk_buff *copy, const u8 *start)
{
	copy->ip_summed = CHECKSUM_PARTIAL;
	copy->csum_start = start - copy->head;
	copy->csum_offset = skb->csum_offset;
	copy->csum_not_inet = 1;
	skb_csum_hwoffload_help(copy, 0);
	copy->ip_summed = CHECKSUM_NONE;
}
#else
static void vtap_copy_crc32c(const struct sk_buff *skb, struct sk_buff *copy, const u8 *start)
{
}
#endif

/* The sender left the checksum to a device: what it would have put into the frame. */
static void vtap_copy_csum(const struct vtap_frame *f, const struct vtap_edit *e,
			   struct sk_buff *copy, u8 *inner, unsigned int len, unsigned int whole)
{
	struct sk_buff *skb = f->skb;
	unsigned int start, field;
	__wsum csum;

	start = skb_checksum_start_offset(skb) - f->mac + e->insert - e->remove;
	field = start + skb->csum_offset;
	if (start < VTAP_MIN_COPY - 2 * VLAN_HLEN || field + sizeof(__sum16) > len)
		return;
	if (unlikely(skb_csum_is_sctp(skb))) {
		if (len == whole)
			vtap_copy_crc32c(skb, copy, inner + start);
		return;
	}
	if (likely(len == whole))
		csum = csum_partial(inner + start, whole - start, 0);
	else
		csum = skb_checksum(skb, skb_checksum_start_offset(skb), whole - start, 0);
	put_unaligned(csum_fold(csum) ?: CSUM_MANGLED_0, (__sum16 *)(inner + field));
}

static void vtap_copy_frame(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	const struct vtap_edit e = vtap_copy_edit(t, f);
	const unsigned int whole = f->len + e.insert - e.remove;
	unsigned int len = vtap_copy_limit(t, whole);
	struct sk_buff *copy;
	struct vtap_wrap w __uninitialized;

	vtap_session_count(t->s, VTAP_ST_MATCHED, 1);
	if (unlikely(!len)) {
		vtap_copy_drop(t, VTAP_ST_DROP_MTU);
		return;
	}
	copy = vtap_copy_alloc(t, t->hlen, len);
	if (unlikely(!copy)) {
		vtap_copy_drop(t, VTAP_ST_DROP_NOMEM);
		return;
	}
	vtap_copy_bytes(f, &e, copy->data + t->hlen, len);
	if (f->skb->ip_summed == CHECKSUM_PARTIAL)
		vtap_copy_csum(f, &e, copy, copy->data + t->hlen, len, whole);
	vtap_copy_wrap(&w, f, whole, len);
	vtap_copy_send(t, copy, &w);
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
	struct vtap_wrap w __uninitialized;
	__wsum csum;
	u8 *p;

	vtap_session_count(t->s, VTAP_ST_MATCHED, 1);
	if (unlikely(!len)) {
		vtap_copy_drop(t, VTAP_ST_DROP_MTU);
		return;
	}
	/* the headers are written whole, and cut afterwards */
	room = max(len, c->hlen);
	copy = vtap_copy_alloc(t, t->hlen, room);
	if (unlikely(!copy)) {
		vtap_copy_drop(t, VTAP_ST_DROP_NOMEM);
		return;
	}
	p = copy->data + t->hlen;
	part = room - c->hlen;
	vtap_copy_tcp_hdr(c, p, off, n);
	csum = skb_copy_and_csum_bits(c->f->skb, from, p + c->hlen, part);
	if (unlikely(part < n))
		csum = csum_block_add(csum, skb_checksum(c->f->skb, from + (int)part, n - part, 0),
				      part);
	((struct tcphdr *)(p + c->l4))->check = vtap_copy_tcp_csum(c, p, n, csum);
	skb_trim(copy, t->hlen + len);
	vtap_copy_wrap(&w, c->f, whole, len);
	vtap_copy_send(t, copy, &w);
}

/* TCP in plain IP is cut here; Return: false for anything else. */
static bool vtap_copy_tcp(const struct vtap_tmpl *t, const struct vtap_frame *f)
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
	vtap_copy_bytes(f, &c.e, c.hdr, c.skip + c.e.insert - c.e.remove);
	c.l3 = f->l3 + c.e.insert - c.e.remove;
	c.l4 = f->l4 + c.e.insert - c.e.remove;
	th = (const struct tcphdr *)(c.hdr + c.l4);
	c.skip = f->l4 + th->doff * 4;
	c.hlen = c.skip + c.e.insert - c.e.remove;
	if (th->doff < 5 || c.skip + VLAN_HLEN > sizeof(c.hdr) || c.skip >= f->len)
		return false;
	vtap_copy_bytes(f, &c.e, c.hdr, c.hlen);
	c.payload = f->len - c.skip;

	for (off = 0; off < c.payload; off += mss)
		vtap_copy_tcp_segment(t, &c, off, min(mss, c.payload - off));
	return true;
}

/* Everything else is cut by the kernel, on a copy that shares page frags until we are done. */
static void vtap_copy_gso(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	struct sk_buff *segs, *seg, *next, *skb;
	struct vtap_frame sf = *f;

	skb = pskb_copy(f->skb, GFP_ATOMIC | __GFP_NOWARN);
	if (unlikely(!skb)) {
		vtap_session_count(t->s, VTAP_ST_MATCHED, 1);
		vtap_copy_drop(t, VTAP_ST_DROP_NOMEM);
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
		vtap_session_count(t->s, VTAP_ST_MATCHED, 1);
		vtap_copy_drop(t, VTAP_ST_DROP_FRAME);
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
		vtap_session_count(s, VTAP_ST_MATCHED, n);
		vtap_session_count(s, t ? VTAP_ST_DROP_LOOP : VTAP_ST_DROP_INACTIVE, n);
		return;
	}
	__this_cpu_inc(vtap_copy_depth);
	if (!skb_is_gso(f->skb)) {
		vtap_copy_frame(t, f);
	} else if (unlikely(skb_shinfo(f->skb)->gso_size < VTAP_MIN_MSS)) {
		vtap_session_count(s, VTAP_ST_MATCHED, 1);
		vtap_session_count(s, VTAP_ST_DROP_FRAME, 1);
	} else if (!vtap_copy_tcp(t, f)) {
		vtap_copy_gso(t, f);
	}
	__this_cpu_dec(vtap_copy_depth);
}
