/* SPDX-License-Identifier: GPL-2.0 */
/* A frame and the fields of it that rules can ask for. */
#ifndef _VTAP_FRAME_H
#define _VTAP_FRAME_H

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/in6.h>
#include <linux/skbuff.h>
#include <uapi/linux/vtap.h>

/* Index of a direction in per-direction arrays */
enum { VTAP_IN, VTAP_OUT, VTAP_NDIR };

/**
 * struct vtap_key - the fields of a frame that rules can ask for
 * @dst_mac: destination address
 * @src_mac: source address
 * @proto: EtherType behind all VLAN tags
 * @vlan: outermost tag's TCI, with VTAP_KEY_TAGGED in the place of the DEI bit; 0 when untagged
 * @src: source address, IPv4 in the first word
 * @dst: destination address, IPv4 in the first word
 * @ip_proto: protocol, or next header behind IPv6 extension headers
 * @flags: VTAP_KEY_*
 * @dir: BIT(VTAP_IN) or BIT(VTAP_OUT)
 * @tunnel: BIT() of each enum vtap_tunnel that a header behind that of UDP, or that of GRE, may be,
 *	and VTAP_KEY_TUNNEL_KEY; 0 where no rule asks. When a rule has decided: of the one it names
 * @tunnel_key: its key
 * @sport: source port
 * @dport: destination port
 * @tcp_flags: 12 flag bits
 * @icmp_type: ICMP type
 * @icmp_code: ICMP code
 *
 * What a frame does not have is zero. Compared as eight 64-bit words, the last
 * one first: rules that look at ports differ there.
 */
struct vtap_key {
	struct_group(eth,
		u8 dst_mac[ETH_ALEN];
		u8 src_mac[ETH_ALEN];
		__be16 proto;
	);
	__be16 vlan;
	struct in6_addr src;
	struct in6_addr dst;
	u8 ip_proto;
	u8 flags;
	u8 dir;
	u8 tunnel;
	u32 tunnel_key;
	__be16 sport;
	__be16 dport;
	__be16 tcp_flags;
	u8 icmp_type;
	u8 icmp_code;
} __aligned(8);

#define VTAP_VXLAN_PORT	4789
#define VTAP_VXLAN_FLAGS	0x08000000	/* first word: an identifier, nothing else */
#define VTAP_GENEVE_PORT	6081
#define VTAP_KEY_WORDS	(sizeof(struct vtap_key) / sizeof(u64))
#define VTAP_KEY_TAGGED	VLAN_CFI_MASK
/* vtap_key.flags; the fragment bits are those of enum vtap_ip_flag */
#define VTAP_KEY_FRAG	VTAP_IP_FLAG_FRAG
#define VTAP_KEY_FIRST	VTAP_IP_FLAG_FIRSTFRAG
#define VTAP_KEY_IP	BIT(2)	/* IPv4 or IPv6 header read */
#define VTAP_KEY_PORTS	BIT(3)	/* ports read */
#define VTAP_KEY_TCP	BIT(4)	/* TCP flags read */
#define VTAP_KEY_ICMP	BIT(5)	/* ICMP type and code read */
/* vtap_key.tunnel, besides those of enum vtap_tunnel */
#define VTAP_KEY_TUNNEL_KEY	BIT(7)	/* tunnel_key read */

/**
 * struct vtap_frame - a frame as the hook found it
 * @key: its fields
 * @skb: the frame; may be shared, only read
 * @mac: offset of the MAC header from skb->data; positive of frames in a tunnel only
 * @len: bytes from the MAC header on, without a tag in the metadata
 * @l3: offset of the IP header from the MAC header; 0 when there is none
 * @l4: offset of the transport header from the MAC header; 0 when there is none
 * @ifindex: of the port
 * @dir: VTAP_IN or VTAP_OUT
 * @watched: copies of it may have to be held back: it is suspect, or an experiment was going on
 *	when it came
 * @suspect: which loop it may be of, from vtap_loop_suspect(); 0 for none
 * @bare: there is no Ethernet header but that in @key: the bytes between @mac and the network
 *	header are others', or not even there. Of ports without such headers, set by who calls
 *	vtap_parse(), and of packets in tunnels
 */
struct vtap_frame {
	struct vtap_key key;
	struct sk_buff *skb;
	int mac;
	unsigned int len;
	u16 l3;
	u16 l4;
	int ifindex;
	u8 dir;
	bool bare;
	bool watched;
	u32 suspect;
};

static inline u8 vtap_match_tunnel_proto(u32 tunnel)
{
	return tunnel == VTAP_TUNNEL_GRE ? IPPROTO_GRE : IPPROTO_UDP;
}

static inline __be16 vtap_match_tunnel_port(u32 tunnel)
{
	return htons(tunnel == VTAP_TUNNEL_VXLAN ? VTAP_VXLAN_PORT : VTAP_GENEVE_PORT);
}

/*
 * Is the frame's outermost VLAN tag in the metadata? Return: true when it is; that of the frame
 * around a tunnel is not of the one inside.
 */
static inline bool vtap_frame_has_meta(const struct vtap_frame *f)
{
	return skb_vlan_tag_present(f->skb) && (f->mac <= 0 || (f->bare && f->key.vlan));
}

#endif /* _VTAP_FRAME_H */
