/* SPDX-License-Identifier: GPL-2.0 */
/* Outer headers: a session's template, and what is written per copy. */
#ifndef _VTAP_ENCAP_H
#define _VTAP_ENCAP_H

#include <linux/etherdevice.h>
#include <linux/in6.h>
#include <linux/netdevice.h>

struct dst_entry;
struct netlink_ext_ack;
struct vtap_addr;
struct vtap_frame;
struct vtap_key;
struct vtap_session;
struct vtap_session_cfg;

/**
 * enum vtap_own_kind - what a template is looked up by
 * @VTAP_OWN_EXACT: all that outer headers say: a copy
 * @VTAP_OWN_PATH: addresses, protocol and what an ICMP error quotes behind them
 * @VTAP_OWN_DEST: as VTAP_OWN_EXACT, without the source
 * @VTAP_OWN_HOP: link-layer address of the next hop
 * @VTAP_OWN_KINDS: number of kinds
 */
enum vtap_own_kind {
	VTAP_OWN_EXACT,
	VTAP_OWN_PATH,
	VTAP_OWN_DEST,
	VTAP_OWN_HOP,
	VTAP_OWN_KINDS,
};

/**
 * struct vtap_own_key - outer headers; fields that a kind does not use are 0
 * @src: source address, IPv4 in the first word
 * @dst: destination address, IPv4 in the first word
 * @tun: flags and protocol of GRE; UDP destination port
 * @id: GRE key; VXLAN network identifier with the byte behind it
 * @session: ERSPAN session id
 * @what: EtherType, IP protocol, enum vtap_own_kind
 */
struct vtap_own_key {
	struct in6_addr src;
	struct in6_addr dst;
	__be32 tun;
	__be32 id;
	u32 session;
	u32 what;
};

/**
 * struct vtap_own_node - one way to find a template
 * @node: in vtap_own.buckets, if it stands for all of its key; written under RTNL, read under RCU
 * @same: other nodes with the same key, or empty; RTNL
 * @hash: of @key
 * @key: what it is found by
 */
struct vtap_own_node {
	struct hlist_node node;
	struct list_head same;
	u32 hash;
	struct vtap_own_key key;
};

/* Ethernet, IPv6, UDP, VXLAN or GRE with key, sequence and ERSPAN III with sub-header */
#define VTAP_HDR_MAX	(ETH_HLEN + 40 + 12 + 20)

/**
 * struct vtap_tmpl - a session's outer headers and path as packets use them
 * @rcu: frees it when no packet can see it any more
 * @own: how frames made from this template are recognised
 * @dead: no copy may be held back for it any more; under the lock of vtap_net.loop
 * @s: the session
 * @dev: egress device; no reference, the template goes before the device does
 * @dst: route with a reference, where copies must go through the host's output
 *	path (IPsec, a device without Ethernet headers, a collector on this host);
 *	NULL when @hdr begins with the link-layer header
 * @family: AF_INET, AF_INET6, or 0 for no outer IP header
 * @type: enum vtap_session_type
 * @mtu_policy: enum vtap_mtu_policy
 * @strip_vlan: the outermost VLAN tag moves from the frame to the ERSPAN header
 * @seq: the type has a sequence number, or the user wants one
 * @subheader: ERSPAN III with platform sub-header
 * @per_packet: some header fields differ per copy, so vtap_encap_finish() must run
 * @slow_path: copies go through @dst, or have no outer header
 * @proto: EtherType of copies with an outer header
 * @decap: tunnel headers are removed before the frame is copied
 * @offload: the egress device cuts super-frames in GRE
 * @spread: a device below the egress device may select a queue by the copy's hash
 * @csum: the GRE header has a checksum
 * @mask: what is behind @layer is overwritten, not cut off
 * @layer: enum vtap_layer: behind which header a copy shows nothing
 * @ipid: IPv4 ids differ per copy, since routers may fragment it
 * @limited: @rate or @pps is not 0
 * @max_plain: longest inner frame sent as is, neither cut nor fragmented; 0 with @decap or @layer
 * @mtu: longest outer packet without link-layer header
 * @snaplen: longest inner frame, 0 for whole frames
 * @rate: bytes per second, 0 for no limit
 * @burst_ns: the burst, as the time that it takes at @rate
 * @seed: for vtap_flow_hash()
 * @pps: packets per second, 0 for no limit
 * @l2len: length of the link-layer header in @hdr, 0 with @dst
 * @hlen: length of all of @hdr
 * @tun: offset of the GRE or UDP header in @hdr
 * @l4len: length of the GRE header, of the UDP header
 * @headroom: headroom that the egress device needs
 * @network_header: as in an skb that has it
 * @transport_header: the same
 * @ipsum: sum over the IPv4 header with length and id 0
 * @more: bytes that are kept behind @layer
 * @oif: index of the device that the session names, 0 for none
 * @hdr: the headers; length, ids, sequence number and fields that depend on the frame are 0
 *
 * Immutable. Everything from @s on is compared to find out whether a new template differs.
 */
struct vtap_tmpl {
	struct rcu_head rcu;
	struct vtap_own_node own[VTAP_OWN_KINDS];
	bool dead;
	struct vtap_session *s;
	struct net_device *dev;
	struct dst_entry *dst;
	u8 family;
	u8 type;
	u8 mtu_policy;
	bool strip_vlan;
	bool seq;
	bool subheader;
	bool per_packet;
	bool slow_path;
	bool decap;
	bool offload;
	bool spread;
	bool csum;
	bool mask;
	u8 layer;
	bool ipid;
	bool limited;
	__be16 proto;
	u32 max_plain;
	u32 mtu;
	u32 snaplen;
	u32 pps;
	u64 rate;
	u64 burst_ns;
	u64 seed;
	u16 l2len;
	u16 hlen;
	u16 tun;
	u16 l4len;
	u16 headroom;
	u16 network_header;
	u16 transport_header;
	u16 more;
	u32 ipsum;
	int oif;
	u8 hdr[VTAP_HDR_MAX] __aligned(8);
};

int vtap_encap_check(const struct vtap_session_cfg *cfg, struct netlink_ext_ack *extack);
void vtap_encap_build(struct vtap_tmpl *t, const struct vtap_session_cfg *cfg,
		      const struct vtap_addr *local, const u8 *smac, const u8 *dmac);
void vtap_encap_finish(const struct vtap_tmpl *t, struct sk_buff *skb, const struct vtap_frame *f,
		       u32 hash, bool truncated);
bool vtap_encap_same_path(const struct vtap_tmpl *t, const struct vtap_key *key);

#endif /* _VTAP_ENCAP_H */
