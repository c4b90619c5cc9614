// SPDX-License-Identifier: GPL-2.0
/*
 * Outer headers: GRE (RFC 2784, 2890), ERSPAN I to III (draft-foschiano-erspan),
 * VXLAN (RFC 7348).
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/udp.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>

#include "encap.h"
#include "extack.h"
#include "flow.h"
#include "session.h"

#define VTAP_GRE_CSUM		0x8000
#define VTAP_GRE_KEY		0x2000
#define VTAP_GRE_SEQ		0x1000
#define VTAP_GRE_TEB		0x6558
#define VTAP_GRE_ERSPAN		0x88be
#define VTAP_GRE_ERSPAN3	0x22eb

/* ERSPAN II and III, first word, and ERSPAN III, third word */
#define VTAP_ERSPAN_VER_SHIFT	28
#define VTAP_ERSPAN_VLAN_SHIFT	16
#define VTAP_ERSPAN_COS_SHIFT	13
#define VTAP_ERSPAN_EN_SHIFT	11
#define VTAP_ERSPAN_EN_STRIPPED	2
#define VTAP_ERSPAN_EN_KEPT	3
#define VTAP_ERSPAN_T		BIT(10)
#define VTAP_ERSPAN3_P		BIT(15)
#define VTAP_ERSPAN3_D		BIT(3)
#define VTAP_ERSPAN3_GRA_1588	(2 << 1)
#define VTAP_ERSPAN3_O		BIT(0)
#define VTAP_ERSPAN3_PLATFORM	(5 << 26)

#define VTAP_VXLAN_VNI_SHIFT	8

struct vtap_gre {
	__be16 flags;
	__be16 proto;
	__be32 opt[];
};

/* Keywords that are valid for some types only: a bitmap of types for each. */
static int vtap_encap_only(u32 type, bool given, u32 types, const char *text,
			   struct netlink_ext_ack *extack)
{
	if (!given || types & BIT(type))
		return 0;
	/* NL_SET_ERR_MSG() accepts literals only; @text is one, but the macro cannot see it */
	if (extack)
		extack->_msg = text;
	return -EINVAL;
}

/* Refuse settings that do not go with the type. Return: 0 or -EINVAL. */
int vtap_encap_check(const struct vtap_session_cfg *cfg, struct netlink_ext_ack *extack)
{
	const u32 ip = ~(u32)BIT(VTAP_SESSION_TYPE_PORT);
	const u32 erspan23 = BIT(VTAP_SESSION_TYPE_ERSPAN2) | BIT(VTAP_SESSION_TYPE_ERSPAN3);
	const u32 gre = BIT(VTAP_SESSION_TYPE_GRE), vxlan = BIT(VTAP_SESSION_TYPE_VXLAN);
	u32 type = cfg->type;
	int err;

	err = vtap_encap_only(type, cfg->remote.family || cfg->local.family, ip,
			      "type port takes no remote and no local", extack) ?:
	      vtap_encap_only(type, cfg->has_key, gre | vxlan,
			      "key is for types gre and vxlan", extack) ?:
	      vtap_encap_only(type, cfg->id, erspan23,
			      "id is for types erspan2 and erspan3", extack) ?:
	      vtap_encap_only(type, cfg->index, BIT(VTAP_SESSION_TYPE_ERSPAN2),
			      "index is for type erspan2", extack) ?:
	      vtap_encap_only(type, cfg->seq, gre | erspan23,
			      "seq is for type gre", extack) ?:
	      vtap_encap_only(type, cfg->subheader, BIT(VTAP_SESSION_TYPE_ERSPAN3),
			      "subheader is for type erspan3", extack) ?:
	      vtap_encap_only(type, cfg->csum, gre, "csum is for type gre", extack) ?:
	      vtap_encap_only(type, cfg->offload, gre, "offload is for type gre", extack) ?:
	      vtap_encap_only(type, cfg->dport, vxlan, "dport is for type vxlan", extack) ?:
	      vtap_encap_only(type, cfg->vlan == VTAP_VLAN_MODE_STRIP, erspan23,
			      "vlan strip is for types erspan2 and erspan3", extack);
	if (err)
		return err;
	if (type == VTAP_SESSION_TYPE_PORT) {
		if (!cfg->dev[0])
			return vtap_refuse(extack, -EINVAL, "type port needs dev");
	} else if (!cfg->remote.family) {
		return vtap_refuse(extack, -EINVAL, "remote is missing");
	}
	if (cfg->local.family && cfg->local.family != cfg->remote.family)
		return vtap_refuse(extack, -EINVAL, "local and remote are of different families");
	if (type == VTAP_SESSION_TYPE_VXLAN && !cfg->has_key)
		return vtap_refuse(extack, -EINVAL, "type vxlan needs a key");
	if (type == VTAP_SESSION_TYPE_VXLAN && cfg->key > 0xffffff)
		return vtap_refuse(extack, -EINVAL, "key of type vxlan is at most 16777215");
	if (cfg->index > 0xfffff)
		return vtap_refuse(extack, -EINVAL, "index is at most 1048575");
	if (cfg->snaplen && cfg->snaplen < ETH_ZLEN)
		return vtap_refuse(extack, -EINVAL, "snaplen is 0 or at least 60");
	if (cfg->tos & INET_ECN_MASK)
		return vtap_refuse(extack, -EINVAL, "the ECN bits of tos must be 0");
	if (cfg->rate && cfg->rate < 8)
		return vtap_refuse(extack, -EINVAL, "rate is 0 or at least 8 bit per second");
	if (cfg->burst && !cfg->rate)
		return vtap_refuse(extack, -EINVAL, "burst needs a rate");
	if (cfg->offload && (cfg->csum || cfg->seq || cfg->decap))
		return vtap_refuse(extack, -EINVAL,
				   "offload cannot be combined with csum, seq or decap");
	if (cfg->offload && (cfg->rate || cfg->pps))
		return vtap_refuse(extack, -EINVAL, "offload cannot be combined with rate or pps");
	if (cfg->offload && (cfg->slice || cfg->mask))
		return vtap_refuse(extack, -EINVAL,
				   "offload cannot be combined with slice or mask");
	if (cfg->slice && cfg->mask)
		return vtap_refuse(extack, -EINVAL, "slice and mask cannot be combined");
	if (cfg->slice_more && !cfg->slice)
		return vtap_refuse(extack, -EINVAL, "slice-more needs slice");
	return 0;
}

static u8 *vtap_encap_ip(struct vtap_tmpl *t, u8 *p, const struct vtap_session_cfg *cfg,
			 const struct vtap_addr *local, u8 proto)
{
	if (t->family == AF_INET) {
		struct iphdr *iph = (struct iphdr *)p;

		iph->version = 4;
		iph->ihl = 5;
		iph->tos = cfg->tos;
		iph->ttl = cfg->ttl;
		iph->protocol = proto;
		iph->saddr = local->ip.s6_addr32[0];
		iph->daddr = cfg->remote.ip.s6_addr32[0];
		if (cfg->mtu != VTAP_MTU_POLICY_FRAGMENT)
			iph->frag_off = htons(IP_DF);
		/* fold to 16 bits, so that adding the per-packet fields cannot overflow 32 */
		t->ipsum = (__force u16)~ip_fast_csum(iph, 5);
		return p + sizeof(*iph);
	} else {
		struct ipv6hdr *ip6h = (struct ipv6hdr *)p;

		ip6_flow_hdr(ip6h, cfg->tos, 0);
		ip6h->hop_limit = cfg->ttl;
		ip6h->nexthdr = proto;
		ip6h->saddr = local->ip;
		ip6h->daddr = cfg->remote.ip;
		return p + sizeof(*ip6h);
	}
}

/*
 * With decap, slice or mask, no frame may take the fast path: each has to be checked for a tunnel,
 * or for where its payload begins.
 */
static u32 vtap_encap_whole(const struct vtap_tmpl *t)
{
	const u32 outer = t->hlen - t->l2len, room = t->mtu > outer ? t->mtu - outer : 0;

	if (t->decap || t->layer)
		return 0;
	return t->snaplen ? min(t->snaplen, room) : room;
}

/**
 * vtap_encap_build - build a template's headers
 * @t: family and dst are set; everything about headers is filled in
 * @cfg: checked by vtap_encap_check()
 * @local: source address
 * @smac: source of the link-layer header, unused with dst
 * @dmac: destination of the link-layer header, unused with dst
 */
void vtap_encap_build(struct vtap_tmpl *t, const struct vtap_session_cfg *cfg,
		      const struct vtap_addr *local, const u8 *smac, const u8 *dmac)
{
	bool vxlan = cfg->type == VTAP_SESSION_TYPE_VXLAN;
	u8 *p = t->hdr;

	t->type = cfg->type;
	t->mtu_policy = cfg->mtu;
	t->ipid = t->family == AF_INET && cfg->mtu == VTAP_MTU_POLICY_FRAGMENT;
	t->snaplen = cfg->snaplen;
	t->strip_vlan = cfg->vlan == VTAP_VLAN_MODE_STRIP;
	t->subheader = cfg->subheader;
	t->seq = cfg->seq || t->type == VTAP_SESSION_TYPE_ERSPAN2 ||
		 t->type == VTAP_SESSION_TYPE_ERSPAN3;
	t->slow_path = !t->family || t->dst;
	t->proto = t->family == AF_INET ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	t->csum = cfg->csum;
	t->per_packet = vxlan || t->csum || t->type == VTAP_SESSION_TYPE_ERSPAN3;
	t->decap = cfg->decap;
	t->offload = cfg->offload;
	t->layer = cfg->slice ?: cfg->mask;
	t->mask = cfg->mask;
	t->more = cfg->slice_more;
	t->network_header = t->headroom;
	t->transport_header = t->headroom;
	t->max_plain = vtap_encap_whole(t);
	if (t->type == VTAP_SESSION_TYPE_PORT)
		return;

	if (!t->dst) {
		struct ethhdr *eth = (struct ethhdr *)p;

		ether_addr_copy(eth->h_dest, dmac);
		ether_addr_copy(eth->h_source, smac);
		eth->h_proto = t->proto;
		t->l2len = ETH_HLEN;
		p += ETH_HLEN;
	}
	p = vtap_encap_ip(t, p, cfg, local, vxlan ? IPPROTO_UDP : IPPROTO_GRE);
	t->tun = p - t->hdr;

	if (vxlan) {
		struct udphdr *uh = (struct udphdr *)p;
		__be32 *vx = (__be32 *)(uh + 1);

		uh->dest = htons(cfg->dport);
		vx[0] = htonl(VTAP_VXLAN_FLAGS);
		vx[1] = htonl(cfg->key << VTAP_VXLAN_VNI_SHIFT);
		t->l4len = sizeof(*uh);
		p = (u8 *)(vx + 2);
	} else {
		struct vtap_gre *gre = (struct vtap_gre *)p;
		__be32 *opt = gre->opt;

		gre->proto = htons(t->type == VTAP_SESSION_TYPE_GRE ? VTAP_GRE_TEB :
				   t->type == VTAP_SESSION_TYPE_ERSPAN3 ? VTAP_GRE_ERSPAN3 :
				   VTAP_GRE_ERSPAN);
		/* RFC 2890: Checksum and Reserved1 come before the key */
		if (t->csum) {
			gre->flags |= htons(VTAP_GRE_CSUM);
			opt++;
		}
		if (cfg->has_key) {
			gre->flags |= htons(VTAP_GRE_KEY);
			*opt++ = htonl(cfg->key);
		}
		if (t->seq) {
			gre->flags |= htons(VTAP_GRE_SEQ);
			opt++;
		}
		t->l4len = (u8 *)opt - p;
		if (t->type == VTAP_SESSION_TYPE_ERSPAN2) {
			*opt++ = htonl(1 << VTAP_ERSPAN_VER_SHIFT | cfg->id);
			*opt++ = htonl(cfg->index);
		} else if (t->type == VTAP_SESSION_TYPE_ERSPAN3) {
			*opt++ = htonl(2 << VTAP_ERSPAN_VER_SHIFT | cfg->id);
			opt++;
			*opt++ = htonl(VTAP_ERSPAN3_P | (t->subheader ? VTAP_ERSPAN3_GRA_1588 |
							 VTAP_ERSPAN3_O : 0));
			if (t->subheader) {
				*opt++ = htonl(VTAP_ERSPAN3_PLATFORM);
				opt++;
			}
		}
		p = (u8 *)opt;
	}
	t->network_header += t->l2len;
	t->transport_header += t->tun;
	t->hlen = p - t->hdr;
	t->max_plain = vtap_encap_whole(t);
}

static void vtap_encap_erspan(const struct vtap_tmpl *t, __be32 *e, const struct vtap_frame *f,
			      bool truncated)
{
	const u16 tci = vtap_frame_has_meta(f) ? skb_vlan_tag_get(f->skb) : ntohs(f->key.vlan);
	u32 w0 = 0;

	if (f->key.vlan) {
		w0 |= (tci >> VLAN_PRIO_SHIFT) << VTAP_ERSPAN_COS_SHIFT;
		/* receivers would see two layers: the VLAN here and the tag in the frame */
		if (t->strip_vlan)
			w0 |= (tci & VLAN_VID_MASK) << VTAP_ERSPAN_VLAN_SHIFT;
	}
	if (truncated)
		w0 |= VTAP_ERSPAN_T;

	if (t->type == VTAP_SESSION_TYPE_ERSPAN2) {
		if (f->key.vlan)
			w0 |= (t->strip_vlan ? VTAP_ERSPAN_EN_STRIPPED : VTAP_ERSPAN_EN_KEPT) <<
			      VTAP_ERSPAN_EN_SHIFT;
		e[0] |= htonl(w0);
		return;
	}
	e[0] |= htonl(w0);
	if (f->dir == VTAP_OUT)
		e[2] |= htonl(VTAP_ERSPAN3_D);
	if (t->subheader) {
		struct timespec64 ts;

		ktime_get_real_ts64(&ts);
		e[1] = htonl(ts.tv_nsec);
		e[3] |= htonl(f->ifindex & 0xffff);
		e[4] = htonl(ts.tv_sec);
	} else {
		e[1] = htonl((u32)div_u64(ktime_get_real_ns(), 100 * NSEC_PER_USEC));
	}
}

/* The checksum that IPv6 wants of UDP (RFC 6935: receivers may insist) */
static void vtap_encap_udp_csum(const struct vtap_tmpl *t, struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h = (struct ipv6hdr *)(skb->data + t->l2len);
	struct udphdr *uh = (struct udphdr *)(skb->data + t->tun);
	unsigned int len = skb->len - t->tun;

	uh->check = 0;
	uh->check = csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, len, IPPROTO_UDP,
				    csum_partial(uh, len, 0));
	if (!uh->check)
		uh->check = CSUM_MANGLED_0;
}

/* RFC 2784: over the GRE header, with the checksum field 0, and the payload */
static void vtap_encap_gre_csum(const struct vtap_tmpl *t, struct sk_buff *skb)
{
	struct vtap_gre *gre = (struct vtap_gre *)(skb->data + t->tun);
	__sum16 *check = (__sum16 *)gre->opt;

	*check = 0;
	*check = csum_fold(csum_partial(gre, skb->len - t->tun, 0));
}

/**
 * vtap_encap_finish - fill in header fields that depend on the frame
 * @t: the template
 * @skb: otherwise complete; linear, data points to the link-layer header
 * @f: the frame that was copied
 * @hash: of its flow, or 0 if not computed yet
 * @truncated: bytes are missing at its end
 */
void vtap_encap_finish(const struct vtap_tmpl *t, struct sk_buff *skb, const struct vtap_frame *f,
		       u32 hash, bool truncated)
{
	u8 *tun = skb->data + t->tun;

	if (t->type == VTAP_SESSION_TYPE_VXLAN) {
		struct udphdr *uh = (struct udphdr *)tun;

		if (!hash)
			hash = vtap_flow_hash(t->seed, &f->key);
		/* the dynamic range of RFC 6335, as RFC 7348 wants it */
		uh->source = htons(0xc000 | (hash & 0x3fff));
		uh->len = htons(skb->len - t->tun);
		if (t->family == AF_INET6)
			vtap_encap_udp_csum(t, skb);
	} else if (t->type == VTAP_SESSION_TYPE_ERSPAN2 || t->type == VTAP_SESSION_TYPE_ERSPAN3) {
		vtap_encap_erspan(t, (__be32 *)(tun + t->l4len), f, truncated);
	} else if (t->csum) {
		vtap_encap_gre_csum(t, skb);
	}
}

/* Are addresses and protocol of a packet those of this template? Return: true when they are. */
bool vtap_encap_same_path(const struct vtap_tmpl *t, const struct vtap_key *key)
{
	const u8 *ip = t->hdr + t->l2len;

	if (t->family == AF_INET) {
		const struct iphdr *iph = (const struct iphdr *)ip;

		return key->proto == htons(ETH_P_IP) && key->ip_proto == iph->protocol &&
		       key->dst.s6_addr32[0] == iph->daddr && key->src.s6_addr32[0] == iph->saddr;
	} else if (t->family == AF_INET6) {
		const struct ipv6hdr *ip6h = (const struct ipv6hdr *)ip;

		return key->proto == htons(ETH_P_IPV6) && key->ip_proto == ip6h->nexthdr &&
		       ipv6_addr_equal(&key->dst, &ip6h->daddr) &&
		       ipv6_addr_equal(&key->src, &ip6h->saddr);
	}
	return false;
}
