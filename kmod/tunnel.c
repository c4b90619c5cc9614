// SPDX-License-Identifier: GPL-2.0
/* Tunnel headers: the fields that rules can match, and the inner frame. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/gre.h>

#include "match.h"
#include "parse.h"
#include "tunnel.h"

/* as draft-foschiano-erspan has them; encap.c writes them */
#define VTAP_ERSPAN2_LEN	8
#define VTAP_ERSPAN3_LEN	12
#define VTAP_ERSPAN3_SUB_LEN	8
/* first byte of a VXLAN header; of a GENEVE header, below its version, which is 0 */
#define VTAP_VXLAN_I		0x08
#define VTAP_VXLAN_P		0x04
#define VTAP_GENEVE_OPT_LEN	0x3f

static const void *vtap_tunnel_bytes(const struct vtap_frame *f, unsigned int off,
				     unsigned int len, void *buf)
{
	return skb_header_pointer(f->skb, f->mac + (int)off, len, buf);
}

/**
 * struct vtap_tunnel_hdr - a tunnel header that was read
 * @len: from the transport header to what is inside
 * @proto: EtherType of what is inside, ETH_P_TEB for an Ethernet frame
 * @key: its key
 * @has_key: there is one
 */
struct vtap_tunnel_hdr {
	unsigned int len;
	__be16 proto;
	u32 key;
	bool has_key;
};

/* GRE version 0. ERSPAN is GRE with a header of its own before the Ethernet frame. */
static noinline bool vtap_tunnel_gre(const struct vtap_frame *f, struct vtap_tunnel_hdr *t)
{
	unsigned int at = f->l4 + sizeof(struct gre_base_hdr);
	const struct gre_base_hdr *gre;
	struct gre_base_hdr buf;
	const __be32 *key;
	const u8 *h;
	__be32 word;
	u8 last;

	gre = vtap_tunnel_bytes(f, f->l4, sizeof(buf), &buf);
	if (!gre || gre->flags & (GRE_ROUTING | GRE_VERSION))
		return false;
	if (gre->flags & GRE_CSUM)
		at += sizeof(word);
	t->has_key = gre->flags & GRE_KEY;
	if (t->has_key) {
		key = vtap_tunnel_bytes(f, at, sizeof(word), &word);
		if (!key)
			return false;
		t->key = get_unaligned_be32(key);
		at += sizeof(word);
	}
	if (gre->flags & GRE_SEQ)
		at += sizeof(word);
	t->proto = gre->protocol;
	/* type I has no sequence number, and no header of its own */
	if (t->proto == htons(ETH_P_ERSPAN)) {
		t->proto = htons(ETH_P_TEB);
		at += gre->flags & GRE_SEQ ? VTAP_ERSPAN2_LEN : 0;
	} else if (t->proto == htons(ETH_P_ERSPAN2)) {
		h = vtap_tunnel_bytes(f, at + VTAP_ERSPAN3_LEN - 1, 1, &last);
		t->proto = h ? htons(ETH_P_TEB) : 0;
		at += VTAP_ERSPAN3_LEN + (h && *h & 1 ? VTAP_ERSPAN3_SUB_LEN : 0);
	}
	t->len = at - f->l4;
	return true;
}

/*
 * VXLAN and GENEVE, whatever the port: rules and sessions know which ports they mean. Both have
 * the identifier in the same place.
 */
static __always_inline bool vtap_tunnel_udp(const struct vtap_frame *f, u32 tunnel,
					    struct vtap_tunnel_hdr *t)
{
	const unsigned int at = f->l4 + sizeof(struct udphdr);
	const u8 *h;
	u64 buf;

	h = vtap_tunnel_bytes(f, at, sizeof(buf), &buf);
	if (!h)
		return false;
	if (tunnel == VTAP_TUNNEL_VXLAN) {
		/* an identifier, and Ethernet inside: no other protocol, as VXLAN-GPE may have */
		if ((h[0] & (VTAP_VXLAN_I | VTAP_VXLAN_P)) != VTAP_VXLAN_I)
			return false;
		t->proto = htons(ETH_P_TEB);
		t->len = sizeof(struct udphdr) + sizeof(buf);
	} else {
		if (h[0] & ~VTAP_GENEVE_OPT_LEN)
			return false;
		t->proto = get_unaligned((const __be16 *)(h + 2));
		t->len = sizeof(struct udphdr) + sizeof(buf) + h[0] * 4;
	}
	t->key = get_unaligned_be32(h + 4) >> 8;
	t->has_key = true;
	return true;
}

static __always_inline bool vtap_tunnel_header(const struct vtap_frame *f, u32 tunnel,
					       struct vtap_tunnel_hdr *t)
{
	/* later fragments and cut-off headers have none */
	if (!f->l4 || f->key.ip_proto != vtap_match_tunnel_proto(tunnel))
		return false;
	return tunnel == VTAP_TUNNEL_GRE ? vtap_tunnel_gre(f, t) : vtap_tunnel_udp(f, tunnel, t);
}

/**
 * vtap_tunnel_note - read the fields of a tunnel header that rules can match into the key
 * @f: parsed frame; may be called again for the same frame
 */
void vtap_tunnel_note(struct vtap_frame *f)
{
	struct vtap_tunnel_hdr t __uninitialized;
	struct vtap_key *key = &f->key;
	u32 tunnel;

	key->tunnel = 0;
	key->tunnel_key = 0;
	for (tunnel = VTAP_TUNNEL_VXLAN; tunnel <= VTAP_TUNNEL_GRE; tunnel++) {
		if (!vtap_tunnel_header(f, tunnel, &t))
			continue;
		key->tunnel |= BIT(tunnel);
		if (t.has_key) {
			key->tunnel |= VTAP_KEY_TUNNEL_KEY;
			key->tunnel_key = t.key;
		}
	}
}

/*
 * The end of the packet by its outer headers: a short frame may have padding behind it. The length
 * fields of super-frames are too small, so those end with the frame.
 */
static unsigned int vtap_tunnel_end(const struct vtap_frame *f)
{
	unsigned int end = f->len, n;
	const __be16 *len;
	__be16 buf;

	if (skb_is_gso(f->skb))
		return end;
	if (f->key.proto == htons(ETH_P_IP)) {
		len = vtap_tunnel_bytes(f, f->l3 + offsetof(struct iphdr, tot_len),
					sizeof(buf), &buf);
		n = 0;
	} else {
		len = vtap_tunnel_bytes(f, f->l3 + offsetof(struct ipv6hdr, payload_len),
					sizeof(buf), &buf);
		n = sizeof(struct ipv6hdr);
	}
	if (len && *len)
		end = min(end, f->l3 + n + ntohs(*len));
	if (f->key.ip_proto != IPPROTO_UDP)
		return end;
	len = vtap_tunnel_bytes(f, f->l4 + offsetof(struct udphdr, len), sizeof(buf), &buf);
	if (len && *len)
		end = min_t(unsigned int, end, f->l4 + ntohs(*len));
	return end;
}

/* Parses what follows a tunnel header; an IP packet gets the link-layer addresses of @f. */
static noinline bool vtap_tunnel_parse_inner(const struct vtap_frame *f,
					     const struct vtap_tunnel_hdr *t,
					     struct vtap_frame *inner)
{
	const bool bare = t->proto == htons(ETH_P_IP) || t->proto == htons(ETH_P_IPV6);
	struct ethhdr eth;
	unsigned int end;
	int avail, off;

	if (!bare && t->proto != htons(ETH_P_TEB))
		return false;
	end = vtap_tunnel_end(f);
	off = f->l4 + t->len - (bare ? ETH_HLEN : 0);
	if (off + ETH_HLEN + (bare ? 1 : 0) > end)
		return false;

	memcpy(&eth, &f->key.eth, sizeof(eth));
	eth.h_proto = t->proto;
	inner->skb = f->skb;
	inner->ifindex = f->ifindex;
	inner->dir = f->dir;
	inner->bare = bare;
	inner->mac = f->mac + off;
	inner->len = end - off;
	avail = min_t(int, (int)skb_headlen(f->skb) - inner->mac, inner->len);
	if (avail < ETH_HLEN ||
	    (!(bare ? vtap_parse_bare(inner, f->skb->data + inner->mac, avail, &eth, 0) :
		      vtap_parse_frame(inner, f->skb->data + inner->mac, avail, 0)) &&
	     avail < (int)inner->len))
		vtap_parse_paged(inner, 0, bare ? &eth : NULL);
	return true;
}

static __always_inline bool vtap_tunnel_enter(const struct vtap_frame *f, u32 tunnel,
					      struct vtap_frame *inner)
{
	struct vtap_tunnel_hdr t __uninitialized;

	return vtap_tunnel_header(f, tunnel, &t) && vtap_tunnel_parse_inner(f, &t, inner);
}

/**
 * vtap_tunnel_inner - parse the frame inside a tunnel
 * @f: parsed frame
 * @tunnel: enum vtap_tunnel
 * @inner: gets the frame; the same as @f or another
 *
 * Return: false if there is neither a frame nor an IP packet.
 */
bool vtap_tunnel_inner(const struct vtap_frame *f, u32 tunnel, struct vtap_frame *inner)
{
	return vtap_tunnel_enter(f, tunnel, inner);
}

/**
 * vtap_tunnel_decap - find the inner frame to copy for a session with decap
 * @f: parsed frame; its key has the tunnel type that the matching rule names, if any
 * @inner: gets what is inside
 *
 * If the rule names none, UDP is a tunnel by its port. Fragments never hold a complete inner
 * frame.
 *
 * Return: false if the frame is not in a tunnel.
 */
bool vtap_tunnel_decap(const struct vtap_frame *f, struct vtap_frame *inner)
{
	const struct vtap_key *key = &f->key;
	u32 tunnel;

	if (key->flags & VTAP_KEY_FRAG)
		return false;
	if (key->ip_proto == IPPROTO_GRE)
		return vtap_tunnel_inner(f, VTAP_TUNNEL_GRE, inner);
	for (tunnel = VTAP_TUNNEL_VXLAN; tunnel <= VTAP_TUNNEL_GENEVE; tunnel++) {
		if (key->tunnel ? key->tunnel & BIT(tunnel) :
				  key->dport == vtap_match_tunnel_port(tunnel))
			return vtap_tunnel_inner(f, tunnel, inner);
	}
	return false;
}

/* Does what is inside a tunnel look as a rule wants it? Return: true when it does. */
bool vtap_tunnel_inner_matches(u32 tunnel, const struct vtap_form *form,
			       const struct vtap_frame *f)
{
	struct vtap_frame inner __uninitialized;

	return vtap_tunnel_inner(f, tunnel, &inner) && vtap_form_matches(form, &inner);
}
