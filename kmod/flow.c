// SPDX-License-Identifier: GPL-2.0
/*
 * The keyed hash that tells flows apart: `sample flow`, VXLAN source ports and transmit queues.
 *
 * Whoever is tapped chooses addresses and ports, but never sees a hash. The hash must therefore be
 * uniform over the seeds for every choice of flows; it need not be a pseudorandom function. The two
 * ends are multiplied to 128 bits with a secret in each factor, and the two halves of the product
 * are multiplied once more, again with a secret in each factor. The shape is that of wyhash, but no
 * factor is blinded by a constant that everybody knows: whatever the flow, a factor is 0 for one
 * seed in 2^64. That costs a sixth of SipHash-1-3.
 *
 * The result depends neither on the byte order nor on the word size of the host: hosts that share a
 * seed agree.
 */
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/random.h>
#include <linux/siphash.h>

#include "flow.h"
#include "frame.h"

/* A number that is odd and has no structure, to make a second secret of the seed */
#define VTAP_FLOW_ODD	0x9e3779b97f4a7c15ULL

u64 vtap_flow_secret __ro_after_init;

/* Both halves of the product of @a and @b, added without carries */
static __always_inline u64 vtap_flow_fold(u64 a, u64 b)
{
	return mul_u64_u64_shr(a, b, 64) ^ (a * b);
}

static __always_inline u32 vtap_flow_mix(u64 s, u64 t, u64 a, u64 b, u64 kind)
{
	u64 x = min(a, b) ^ s, y = max(a, b) ^ t;
	u32 h;

	h = vtap_flow_fold((x * y) ^ t ^ kind, mul_u64_u64_shr(x, y, 64) ^ s) >> 32;
	return h ?: 1;
}

/* Little-endian on all hosts: on most of them, nothing needs to be swapped. */
static __always_inline u64 vtap_flow_port(__be16 port)
{
	return le16_to_cpu((__force __le16)port);
}

static __always_inline u64 vtap_flow_ipv4(const struct in6_addr *ip)
{
	return (u64)le32_to_cpu((__force __le32)ip->s6_addr32[0]) << 16;
}

static u64 vtap_flow_ipv6(u64 s, u64 t, const struct in6_addr *ip)
{
	return vtap_flow_fold(get_unaligned_le64(ip->s6_addr) ^ s,
			      get_unaligned_le64(ip->s6_addr + 8) ^ t);
}

/* All but IPv4 packets that are no fragments */
static noinline u32 vtap_flow_other(u64 s, u64 t, const struct vtap_key *key)
{
	const bool frag = key->flags & VTAP_KEY_FRAG;
	u64 a, b, kind = key->ip_proto;

	if (unlikely(!(key->flags & VTAP_KEY_IP))) {
		a = ether_addr_to_u64(key->src_mac);
		b = ether_addr_to_u64(key->dst_mac);
		/* in 802.3 frames, it is a length */
		kind = eth_proto_is_802_3(key->proto) ? ntohs(key->proto) : 0;
	} else if (key->proto == htons(ETH_P_IP)) {
		a = vtap_flow_ipv4(&key->src);
		b = vtap_flow_ipv4(&key->dst);
	} else {
		a = vtap_flow_ipv6(s, t, &key->src);
		b = vtap_flow_ipv6(s, t, &key->dst);
		if (!frag) {
			a += vtap_flow_port(key->sport);
			b += vtap_flow_port(key->dport);
		}
	}
	/* IPv6 fragments of one datagram may name different protocols (RFC 8200, 4.5) */
	return vtap_flow_mix(s, t, a, b, frag ? 0 : kind);
}

/**
 * vtap_flow_hash - hash of a frame's flow, the same for both directions
 * @seed: vtap_flow_secret, or what vtap_flow_seed() made of a user's seed
 * @key: from vtap_parse()
 *
 * A flow is the addresses, the protocol and the ports. All fragments between two hosts are one
 * flow, so that those of a datagram stay together: only the first one has ports. A frame without
 * an IP header has its MAC addresses and its EtherType.
 *
 * Return: the hash, never 0.
 */
u32 vtap_flow_hash(u64 seed, const struct vtap_key *key)
{
	const u64 t = seed * VTAP_FLOW_ODD;

	if (likely(key->proto == htons(ETH_P_IP) &&
		   (key->flags & (VTAP_KEY_IP | VTAP_KEY_FRAG)) == VTAP_KEY_IP))
		return vtap_flow_mix(seed, t,
				     vtap_flow_ipv4(&key->src) | vtap_flow_port(key->sport),
				     vtap_flow_ipv4(&key->dst) | vtap_flow_port(key->dport),
				     key->ip_proto);
	return vtap_flow_other(seed, t, key);
}

/**
 * vtap_flow_seed - what to give to vtap_flow_hash() for a seed that a user has chosen
 * @seed: the number, 0 for none
 *
 * Return: the same on every host, for small numbers as far from each other as for large ones; 0
 * for none.
 */
u64 vtap_flow_seed(u64 seed)
{
	static const siphash_key_t key = { { VTAP_FLOW_ODD, 1 } };

	return seed ? siphash_1u64(seed, &key) : 0;
}

/** vtap_flow_init - draw this boot's secret; before anything is tapped */
void vtap_flow_init(void)
{
	get_random_bytes(&vtap_flow_secret, sizeof(vtap_flow_secret));
}
