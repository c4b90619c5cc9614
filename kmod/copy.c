// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of a frame: the bytes that are copied, with final checksums. The frame itself is only
 * read, and shares nothing with a copy that outlives vtap_copy().
 */
#include <linux/percpu.h>

#include "copy.h"
#include "cut.h"
#include "edit.h"
#include "loop.h"
#include "offload.h"
#include "original.h"
#include "send.h"
#include "skb.h"
#include "slice.h"
#include "stats.h"
#include "super.h"
#include "tunnel.h"

#define VTAP_MIN_MSS		48	/* as TCP_MIN_SND_MSS; smaller segments would be a flood */

/*
 * The sender left the checksum to the device: compute what the device would write. Return: false
 * if that needs bytes that cannot be read.
 */
static noinline bool vtap_copy_csum(const struct vtap_frame *f, struct vtap_edit e,
				    u8 *inner, unsigned int len, unsigned int whole)
{
	const struct sk_buff *skb = f->skb;
	unsigned int start, field;
	__wsum csum;

	start = skb_checksum_start_offset(skb) - f->mac + e.insert - e.remove;
	field = start + skb->csum_offset;
	/* the checksum field belongs to headers around the inner frame */
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

/* What has been done about a frame that is not sent as it is */
enum vtap_copy_step {
	VTAP_COPY_FIRST,
	VTAP_COPY_DECAPPED,	/* or found to be in no tunnel */
	VTAP_COPY_SLICED,	/* its payload is cut off, or overwritten */
};

static void vtap_copy_decap(const struct vtap_tmpl *t, const struct vtap_frame *f);
static void vtap_copy_sliced(const struct vtap_tmpl *t, const struct vtap_frame *f);

static __always_inline void vtap_copy_frame(const struct vtap_tmpl *t, const struct vtap_frame *f,
					    const enum vtap_copy_step step)
{
	const struct vtap_edit e = vtap_copy_edit(t, f);
	const unsigned int whole = f->len + e.insert - e.remove;
	unsigned int len = whole;
	struct vtap_send_stats n = {};
	struct sk_buff *copy = NULL;
	enum vtap_session_stat why;
	u8 *inner;

	if (unlikely(len > t->max_plain)) {
		if (step < VTAP_COPY_DECAPPED && t->decap) {
			vtap_copy_decap(t, f);
			return;
		}
		if (step < VTAP_COPY_SLICED && t->layer) {
			vtap_copy_sliced(t, f);
			return;
		}
		len = step == VTAP_COPY_SLICED ? vtap_slice_room(t, len) : vtap_copy_limit(t, len);
		why = VTAP_SESSION_STAT_DROP_MTU;
		if (!len)
			goto drop;
	}
	copy = vtap_copy_alloc(t, t->hlen + len);
	why = VTAP_SESSION_STAT_DROP_NOMEM;
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
	if (step == VTAP_COPY_SLICED) {
		len = vtap_slice_copy(t, copy, whole);
		why = VTAP_SESSION_STAT_DROP_MTU;
		if (!len)
			goto drop;
	}
	vtap_copy_send(t, copy, f, 0, len < whole, &n);
	if (likely(n.sent))
		vtap_copy_count(t->s, &n);
	return;

unreadable:
	why = VTAP_SESSION_STAT_DROP_FRAME;
drop:
	kfree_skb(copy);
	vtap_copy_drop(t->s, why, 1);
}

/* Copies the frame inside a tunnel, or the frame itself if it is in none. */
static noinline void vtap_copy_decap(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	struct vtap_frame inner __uninitialized;

	if (vtap_tunnel_decap(f, &inner)) {
		vtap_stats_add(t->s->stats, VTAP_SESSION_STAT_DECAPPED, 1);
		inner.suspect = f->suspect;
		inner.watched = f->watched;
		f = &inner;
	}
	vtap_copy_frame(t, f, VTAP_COPY_DECAPPED);
}

static noinline void vtap_copy_sliced(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	vtap_copy_frame(t, f, VTAP_COPY_SLICED);
}

/*
 * A copy of the head that may share page fragments for a while; a packet gets an Ethernet header.
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

/* The kernel segments everything else, on a copy that shares page fragments until we are done. */
static noinline void vtap_copy_gso(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	struct sk_buff *segs, *seg, *next, *skb;
	struct vtap_frame sf = *f;

	/* a UDP datagram is cut into fragments */
	if (skb_shinfo(f->skb)->gso_type & SKB_GSO_UDP)
		sf.key.flags |= VTAP_KEY_FRAG;
	skb = vtap_copy_clone(f);
	if (IS_ERR_OR_NULL(skb)) {
		vtap_copy_drop(t->s, skb ? VTAP_SESSION_STAT_DROP_FRAME :
			       VTAP_SESSION_STAT_DROP_NOMEM, 1);
		return;
	}
	sf.bare = false;
	/* the copy lacks the bytes before skb->data */
	if (f->mac && !f->bare) {
		memcpy(skb->data + f->mac, f->skb->data + f->mac, -f->mac);
		__skb_push(skb, -f->mac);
	}
	/* otherwise segmentation warns about the frame, or uses a checksum that is not set */
	if (skb->ip_summed == CHECKSUM_NONE)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	segs = __skb_gso_segment(skb, NETIF_F_SG, false);
	if (IS_ERR_OR_NULL(segs)) {
		kfree_skb(skb);
		vtap_copy_drop(t->s, PTR_ERR(segs) == -ENOMEM ? VTAP_SESSION_STAT_DROP_NOMEM :
							       VTAP_SESSION_STAT_DROP_FRAME, 1);
		return;
	}
	consume_skb(skb);
	skb_list_walk_safe(segs, seg, next) {
		skb_mark_not_on_list(seg);
		sf.skb = seg;
		sf.mac = 0;
		sf.len = seg->len;
		vtap_copy_frame(t, &sf, VTAP_COPY_FIRST);
		consume_skb(seg);
	}
}

/* Return: false for a super-frame that is left to the kernel's segmentation. */
static noinline bool vtap_copy_super(const struct vtap_tmpl *t, const struct vtap_frame *f)
{
	struct vtap_cut c __uninitialized;

	if ((!IS_ENABLED(CONFIG_VTAP_CUT) && !t->offload) || !vtap_copy_cut_begin(t, f, &c))
		return false;
	if (unlikely(t->offload) && vtap_copy_offload(t, &c))
		return true;
	if (!IS_ENABLED(CONFIG_VTAP_CUT))
		return false;
	vtap_copy_cut(t, &c);
	return true;
}

/* The number of frames that a super-frame would be on the wire, to count it without cutting it. */
static unsigned int vtap_copy_segs(const struct vtap_frame *f)
{
	const struct skb_shared_info *sh = skb_shinfo(f->skb);

	return skb_is_gso(f->skb) && sh->gso_segs ? sh->gso_segs : 1;
}

/**
 * vtap_copy - send one session's copy of a frame
 * @s: the session
 * @f: parsed frame; not changed
 *
 * Softirq context, RCU read side.
 */
void vtap_copy(struct vtap_session *s, const struct vtap_frame *f)
{
	const struct vtap_tmpl *t = rcu_dereference(s->tmpl);
	unsigned int n;

	if (unlikely(!t) || (unlikely(f->suspect) && vtap_loop_watch(s, f))) {
		n = vtap_copy_segs(f);
		vtap_copy_drop(s, t ? VTAP_SESSION_STAT_DROP_LOOP : VTAP_SESSION_STAT_DROP_INACTIVE,
			       n);
		return;
	}
	if (unlikely(f->dir == VTAP_OUT && vtap_original_unfinished(f->skb))) {
		vtap_copy_drop(s, VTAP_SESSION_STAT_DROP_FRAME, vtap_copy_segs(f));
		return;
	}
	if (!skb_is_gso(f->skb))
		vtap_copy_frame(t, f, VTAP_COPY_FIRST);
	else if (unlikely(skb_shinfo(f->skb)->gso_size < VTAP_MIN_MSS ||
			  skb_shinfo(f->skb)->gso_type & SKB_GSO_ESP ||
			  !skb_frags_readable(f->skb)))
		vtap_copy_drop(s, VTAP_SESSION_STAT_DROP_FRAME, 1);
	else if (!vtap_copy_super(t, f))
		vtap_copy_gso(t, f);
}
