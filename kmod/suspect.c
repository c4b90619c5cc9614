// SPDX-License-Identifier: GPL-2.0
/* Frames that may be there because of a copy: what they have in common, and what they carry. */
#include <linux/jhash.h>

#include "loop.h"
#include "tunnel.h"

#define VTAP_LOOP_DEPTH		4	/* tunnels inside each other that are looked through */

/**
 * vtap_loop_class_id - what frames of a loop have in common
 * @vn: the namespace's vtap
 * @f: parsed frame; RCU read side
 *
 * The place that they go to. Where they come from, and the ports on the way, may vary.
 *
 * Return: the id, 0 for none.
 */
u32 vtap_loop_class_id(const struct vtap_net *vn, const struct vtap_frame *f)
{
	const struct vtap_loop *vl = rcu_dereference(vn->loop);
	const struct vtap_key *key = &f->key;
	u32 h;

	if (!vl)
		return 0;
	h = (__force u16)key->proto << 16 | (__force u16)key->dport;
	if (key->flags & VTAP_KEY_IP)
		h = jhash2((__force const u32 *)key->dst.s6_addr32, 4, vl->seed ^ h);
	else
		h = jhash(key->dst_mac, ETH_ALEN, vl->seed ^ h);
	return jhash_1word(key->ip_proto, h) ?: 1;
}

/**
 * vtap_loop_tunnel - does the frame carry what goes to one of our collectors?
 * @o: the namespace's copies
 * @f: parsed frame that is GRE or UDP; RCU read side
 *
 * As hosts that copy our copies send it, or who sends them on with another source.
 *
 * Return: true when it does, at any level that is looked at.
 */
bool vtap_loop_tunnel(const struct vtap_own *o, const struct vtap_frame *f)
{
	struct vtap_frame inner;
	unsigned int depth;

	for (depth = 0; depth < VTAP_LOOP_DEPTH; depth++) {
		u32 tunnel = VTAP_TUNNEL_GRE;

		if (f->key.ip_proto != IPPROTO_GRE && f->key.ip_proto != IPPROTO_UDP)
			return false;
		if (vtap_own_dest(o, f))
			return true;
		if (f->key.ip_proto == IPPROTO_UDP) {
			const u8 *h;
			u8 buf;

			if (!f->l4)
				return false;
			h = skb_header_pointer(f->skb, f->mac + f->l4 + 8, sizeof(buf), &buf);
			if (!h)
				return false;
			tunnel = *h == VTAP_VXLAN_FLAGS >> 24 ? VTAP_TUNNEL_VXLAN :
								VTAP_TUNNEL_GENEVE;
		}
		if (!vtap_tunnel_inner(f, tunnel, &inner))
			return false;
		f = &inner;
	}
	return false;
}
