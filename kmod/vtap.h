/* SPDX-License-Identifier: GPL-2.0 */
/* vtap: private structures, and the prototypes of each file. */
#ifndef _VTAP_H
#define _VTAP_H

#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/if_vlan.h>
#include <linux/in6.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <uapi/linux/vtap.h>

#include "compat.h"
#include "flow.h"

struct dst_entry;
struct netlink_ext_ack;
struct vtap_chain;
struct vtap_loop;
struct vtap_own;
struct vtap_rule;
struct vtap_rule_block;
struct vtap_session;
struct vtap_table;
struct vtap_tmpl;

/* Counters of a session; matched = sent + the sum of VTAP_ST_DROP_*. */
enum vtap_stat {
	VTAP_ST_MATCHED,
	VTAP_ST_SENT,
	VTAP_ST_BYTES,
	VTAP_ST_DROP_INACTIVE,
	VTAP_ST_DROP_NOMEM,
	VTAP_ST_DROP_MTU,
	VTAP_ST_DROP_RATE,
	VTAP_ST_DROP_XMIT,
	VTAP_ST_DROP_LOOP,
	VTAP_ST_DROP_FRAME,
	VTAP_ST_TRUNCATED,
	VTAP_ST_FRAGMENTED,
	VTAP_ST_DECAPPED,
	__VTAP_ST_MAX,
};

/* Counters of a port in one direction; seen = matched + unmatched. */
enum vtap_port_stat {
	VTAP_PST_SEEN,
	VTAP_PST_MATCHED,
	VTAP_PST_UNMATCHED,
	VTAP_PST_OWN,
	VTAP_PST_DUP,
	__VTAP_PST_MAX,
};

/* Index of a direction in per-direction arrays */
enum { VTAP_IN, VTAP_OUT, VTAP_NDIR };

/**
 * struct vtap_net - all of vtap in one network namespace
 * @net: the namespace; it outlives this
 * @sessions: struct vtap_session in order of creation; written under RTNL, read under RCU
 * @rules: struct vtap_rule in the order in which they are tried; RTNL
 * @rule_ids: the same by id, besides those that a transaction has deleted; RTNL
 * @tables: struct vtap_table, what ports look rules up in; RTNL
 * @block: counters that the next rules get, or NULL; RTNL
 * @ports: struct vtap_port; RTNL
 * @port_index: the same by ifindex; written under RTNL, read under RCU
 * @ovs_internal: not NULL while an internal port of Open vSwitch is a port; written under RTNL,
 *	read under RCU
 * @n_ovs_internal: how many there are; RTNL
 * @noting: vtap_port.noting of all ports; RTNL
 * @n_sessions: length of @sessions; written under RTNL, read anywhere
 * @n_rules: length of @rules; RTNL
 * @last_id: last rule id given; RTNL
 * @gen: changes with every change that a dump could see; RTNL
 * @tick: looks every second whether routes and neighbours still hold
 * @kick: the same, soon after an event that says they may have changed
 * @bind: looks at every device of the namespace and binds rules to it
 * @fib_nb: asks for @kick when routes change
 * @pmtu_ops: hooks for what routers say of copies that are too long
 * @pmtu_on: @pmtu_ops are registered; RTNL
 * @own: what copies look like, NULL before the first session; set under RTNL, read under RCU
 * @loop: what finds loops, NULL before the first session; set under RTNL, read under RCU
 * @holding: copies are held back; written under the lock of @loop, read anywhere
 */
struct vtap_net {
	struct net *net;
	struct list_head sessions;
	struct list_head rules;
	struct xarray rule_ids;
	struct list_head tables;
	struct vtap_rule_block *block;
	struct list_head ports;
	DECLARE_HASHTABLE(port_index, 6);
	const void *ovs_internal;
	unsigned int n_ovs_internal;
	bool noting;
	unsigned int n_sessions;
	unsigned int n_rules;
	u32 last_id;
	u32 gen;
	struct delayed_work tick;
	struct delayed_work kick;
	struct delayed_work bind;
	struct notifier_block fib_nb;
	struct nf_hook_ops pmtu_ops[2];
	bool pmtu_on;
	struct vtap_own __rcu *own;
	struct vtap_loop __rcu *loop;
	bool holding;
};

/**
 * struct vtap_addr - an IPv4 or IPv6 address with a prefix length
 * @family: AF_INET, AF_INET6, or 0 for none
 * @len: prefix length
 * @ip: the address; an IPv4 address is its first word
 */
struct vtap_addr {
	u8 family;
	u8 len;
	struct in6_addr ip;
};

/*
 * struct vtap_session_cfg - what a user says of a session
 *
 * Members are named and bounded as the attributes in vtap.yaml.
 */
struct vtap_session_cfg {
	char name[VTAP_NAME_MAX + 1];
	char dev[IFNAMSIZ];
	struct vtap_addr remote;
	struct vtap_addr local;
	u64 rate;
	u64 seed;
	u32 type;
	u32 key;
	u32 index;
	u32 snaplen;
	u32 mtu;
	u32 vlan;
	u32 burst;
	u32 pps;
	u16 id;
	u16 dport;
	u8 ttl;
	u8 tos;
	bool has_key;
	bool seq;
	bool subheader;
	bool decap;
	bool offload;
	bool csum;
};

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
 * struct vtap_own_key - outer headers; what a kind does not have is 0
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
 * @node: in vtap_own.buckets, when it stands for all of its key; written under RTNL, read under RCU
 * @same: those of the same key, or empty; RTNL
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
 * @own: how frames that are made of it are found
 * @dead: no copy may be held back for it any more; under the lock of vtap_net.loop
 * @s: the session
 * @dev: egress device; no reference, the template goes before the device does
 * @dst: route with a reference, where copies must go through the host's output
 *	path (IPsec, a device without Ethernet headers, a collector on this host);
 *	NULL when @hdr begins with the link-layer header
 * @family: AF_INET, AF_INET6, or 0 for no outer IP header
 * @type: enum vtap_session_type
 * @mtu_policy: enum vtap_mtu_policy
 * @strip: the outermost VLAN tag goes into the ERSPAN header
 * @seq: the type has a sequence number, or the user wants one
 * @subheader: ERSPAN III with platform sub-header
 * @varies: vtap_encap_finish() has something to say of every copy
 * @far: copies go through @dst, or have no outer header
 * @proto: EtherType of copies with an outer header
 * @decap: of a frame in a tunnel, what is inside is copied
 * @offload: the egress device cuts super-frames in GRE
 * @spread: devices below the egress device may choose a queue by the copy's hash
 * @csum: the GRE header has a checksum
 * @whole: longest inner frame that nothing is done about; 0 with @decap
 * @mtu: longest outer packet without link-layer header
 * @snaplen: longest inner frame, 0 for whole frames
 * @rate: bytes per second, 0 for no limit
 * @burst_ns: bytes that may leave at once, as the time they take at @rate
 * @seed: for vtap_flow_hash()
 * @pps: packets per second, 0 for no limit
 * @l2len: length of the link-layer header in @hdr, 0 with @dst
 * @hlen: length of all of @hdr
 * @tun: offset of the GRE or UDP header in @hdr
 * @l4len: length of the GRE header, of the UDP header
 * @headroom: what the egress device wants before the packet
 * @ipsum: sum over the IPv4 header with length and id 0
 * @oif: index of the device that the session names, 0 for none
 * @hdr: the headers; length, ids, sequence and what depends on the frame are 0
 *
 * Immutable; everything from @s on is compared to find out whether it changed.
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
	bool strip;
	bool seq;
	bool subheader;
	bool varies;
	bool far;
	bool decap;
	bool offload;
	bool spread;
	bool csum;
	__be16 proto;
	u32 whole;
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
	u32 ipsum;
	int oif;
	u8 hdr[VTAP_HDR_MAX] __aligned(8);
};

struct vtap_session_stats {
	u64_stats_t v[__VTAP_ST_MAX];
	struct u64_stats_sync syncp;
	u32 ipid;	/* last IPv4 id given, in the block that this CPU has taken */
};

/**
 * struct vtap_session - where copies go
 * @list: in vtap_net.sessions; RTNL
 * @vn: the namespace's vtap
 * @cfg: what the user said; RTNL
 * @state: enum vtap_session_state; RTNL
 * @users: number of rules that name it; RTNL
 * @gone: a transaction has deleted it and is not committed yet; RTNL
 * @seed: for vtap_flow_hash(), 0 for this boot's secret; written under RTNL, read anywhere
 * @loops: its copies came back; set and cleared under the lock of vtap_net.loop, read anywhere
 * @loop_port: ifindex of the port that they came back by, or 0; the same
 * @tmpl: outer headers and path, NULL while inactive; written under RTNL, read under RCU
 * @serial: no other session has had it
 * @stats: counters
 * @rcu: frees it when no packet can see it any more
 * @bucket_lock: guards the two members below it
 * @bytes_due: when all bytes sent so far are paid for at the rate, ns
 * @packets_due: when all packets sent so far are paid for at the packet rate, ns
 * @seq: next sequence number; the only line that CPUs share when copying
 * @ipid: last outer packet id that was drawn, from a random start
 */
struct vtap_session {
	struct list_head list;
	struct vtap_net *vn;
	struct vtap_session_cfg cfg;
	u32 state;
	unsigned int users;
	bool gone;
	u32 serial;
	bool loops;
	int loop_port;
	u64 seed;
	struct vtap_tmpl __rcu *tmpl;
	struct vtap_session_stats __percpu *stats;
	struct rcu_head rcu;

	spinlock_t bucket_lock;
	u64 bytes_due;
	u64 packets_due;

	atomic_t seq ____cacheline_aligned_in_smp;
	atomic_t ipid;
};

/*
 * struct vtap_match - what a user wants a frame to look like
 * @present: BIT(VTAP_A_MATCH_*) of the members that were given
 *
 * Numbers in host order; members are named and bounded as the attributes in
 * vtap.yaml. Members that were not given are zero.
 */
struct vtap_match {
	u32 present;
	u8 src_mac[ETH_ALEN];
	u8 src_mac_mask[ETH_ALEN];
	u8 dst_mac[ETH_ALEN];
	u8 dst_mac_mask[ETH_ALEN];
	struct vtap_addr src_ip;
	struct vtap_addr dst_ip;
	u16 protocol;
	u16 vlan_id;
	u16 src_port;
	u16 src_port_max;
	u16 dst_port;
	u16 dst_port_max;
	u16 tcp_flags;
	u16 tcp_flags_mask;
	u8 vlan_prio;
	u8 ip_proto;
	u8 icmp_type;
	u8 icmp_code;
	u8 ip_flags;
	u8 ip_flags_mask;
	u32 tunnel;
	u32 tunnel_key;
};

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
 * @suspect: which loop it may be of, from vtap_loop_suspect(); 0 for none
 * @bare: there is no Ethernet header but that in @key: the bytes between @mac and the network
 *	header are others', or not even there. Of ports without such headers, set by who calls
 *	vtap_match_parse(), and of packets in tunnels
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
	u32 suspect;
};

/**
 * struct vtap_inner - what a rule wants to see inside a tunnel
 * @match: the same as the user said it
 * @tunnel: enum vtap_tunnel
 * @key: the bits it looks at
 * @mask: which these are
 * @sport: lowest and highest source port
 * @dport: lowest and highest destination port
 */
struct vtap_inner {
	struct vtap_match match;
	u32 tunnel;
	u64 key[VTAP_KEY_WORDS];
	u64 mask[VTAP_KEY_WORDS];
	u16 sport[2];
	u16 dport[2];
};

/**
 * struct vtap_filter - a program as a condition of rules
 * @ref: rules that have it
 * @prog: what packets run
 * @text: what it was compiled from, or NULL
 * @n: number of instructions
 * @insns: the instructions as the user gave them
 */
struct vtap_filter {
	refcount_t ref;
	struct bpf_prog *prog;
	char *text;
	unsigned int n;
	struct sock_filter insns[];
};

/*
 * struct vtap_rule_cfg - what a user says of a rule
 * @sessions: the sessions that get copies, @n_sessions of them
 * @filter: a further condition, or NULL; a rule has a reference
 * @inner: what the frame in the tunnel has to look like
 *
 * The other members are named and bounded as the attributes in vtap.yaml.
 */
struct vtap_rule_cfg {
	u32 pref;
	u32 dir;
	u32 action;
	unsigned int n_sessions;
	u32 sample;
	bool sample_flow;
	struct vtap_session *sessions[VTAP_RULE_SESSIONS_MAX];
	char port[VTAP_NAME_MAX + 1];
	char master[IFNAMSIZ];
	u8 mac[ETH_ALEN];
	bool dup;
	struct vtap_filter *filter;
	struct vtap_match match;
	struct vtap_match inner;
};

struct vtap_rule_stats {
	u64_stats_t packets;
	u64_stats_t bytes;
	struct u64_stats_sync syncp;
};

/**
 * struct vtap_rule - one rule; does not change once a table holds it
 * @list: in vtap_net.rules; RTNL
 * @id: given by the kernel
 * @pref: what the user said, as are the members to @mac, and @filter
 * @sample: one in so many frames
 * @n_sessions: length of @sessions
 * @dir: BIT(VTAP_IN), BIT(VTAP_OUT) or both
 * @action: enum vtap_action
 * @sample_flow: flows, not frames
 * @dup: copies what was copied at ingress again
 * @more: has @inner or @filter, see vtap_rule_more()
 * @tunnel: bit in vtap_key.tunnel of the tunnel that it names, or 0
 * @gone: a transaction has deleted it and is not committed yet; RTNL
 * @mac: a VM's address, or zero
 * @port: devices' names
 * @master: their master's name
 * @port_index: the device that is called @port, or 0; RTNL
 * @master_index: the device that is called @master, or 0; RTNL
 * @inner: what is inside the tunnel, or NULL
 * @filter: a further condition, or NULL
 * @stats: counters, handed on to the rule that takes this one's place
 * @block: where these are from
 * @rcu: frees it when no packet can see it any more
 * @match: words of 4 bytes of a struct vtap_match that are not 0
 * @sessions: the sessions that get copies; behind them, the words that @match tells of
 *
 * There are many of them: read the rest with vtap_rule_get_cfg(), and the match
 * with vtap_rule_get_match().
 */
struct vtap_rule {
	struct list_head list;
	u32 id;
	u32 pref;
	u32 sample;
	u8 n_sessions;
	u8 dir;
	u8 action;
	bool sample_flow;
	bool dup;
	bool more;
	u8 tunnel;
	bool gone;
	u8 mac[ETH_ALEN];
	char port[VTAP_NAME_MAX + 1];
	char master[IFNAMSIZ];
	int port_index;
	int master_index;
	struct vtap_inner *inner;
	struct vtap_filter *filter;
	struct vtap_rule_stats __percpu *stats;
	struct vtap_rule_block *block;
	struct rcu_head rcu;
	u64 match;
	struct vtap_session *sessions[];
};

/**
 * struct vtap_undo - a change that a transaction has made
 * @list: in vtap_txn.log
 * @cmd: event that tells of it, VTAP_CMD_*_NTF
 * @session: a session that was added, set or deleted
 * @cfg: what a session that was set was before
 * @rule: a rule that was added, or takes the place of @old
 * @old: a rule that was replaced or deleted
 * @prev: where @old was in vtap_net.rules
 */
struct vtap_undo {
	struct list_head list;
	u8 cmd;
	struct vtap_session *session;
	struct vtap_session_cfg *cfg;
	struct vtap_rule *rule;
	struct vtap_rule *old;
	struct list_head *prev;
};

/**
 * struct vtap_txn - changes that are made together, all or none
 * @vn: the namespace's vtap
 * @extack: gets the reason when a change is refused
 * @log: struct vtap_undo in order
 * @hint: in vtap_net.rules, where the last rule was put; NULL for none
 * @last_id: vtap_net.last_id before
 * @rebind: the rules are others
 *
 * Between begin and end RTNL is held, and nobody else sees the lists.
 */
struct vtap_txn {
	struct vtap_net *vn;
	struct netlink_ext_ack *extack;
	struct list_head log;
	struct list_head *hint;
	u32 last_id;
	bool rebind;
};

struct vtap_port_stats {
	u64_stats_t v[VTAP_NDIR][__VTAP_PST_MAX];
	struct u64_stats_sync syncp;
};

/**
 * struct vtap_port_id - a port for as long as it has a hook at ingress
 * @serial: no other port, and no other time that this one was hooked, has had it
 * @ifindex: of the device
 */
struct vtap_port_id {
	u32 serial;
	int ifindex;
} __aligned(8);

/**
 * struct vtap_port - a device that rules bind to, or one that is watched for the sake of others
 * @list: in vtap_net.ports; RTNL
 * @node: in vtap_net.port_index; written under RTNL, read under RCU
 * @vn: the namespace's vtap
 * @dev: the device; no reference, the port goes before the device does
 * @table: rules for this port, NULL for one that is only watched; written under RTNL, read under
 *	RCU
 * @left: jiffies when a copy was last seen to leave by it, or 0; written and read anywhere
 * @stats: counters
 * @noting: frames that come in leave a note, since another port may see them again; written under
 *	RTNL, read anywhere
 * @waits_up: point to what is not NULL while frames may wait in @queue_up; read under RCU
 * @queue_up: that of frames on their way up from here; this and those below it are VTAP_QUEUE_*
 *	or an ifindex, written under RTNL and read under RCU
 * @queue_in: that of frames that come in here
 * @queue_out: that of frames that go out here
 * @stacked: frames that go out here may go out by another port at once; as @noting
 * @id: what notes know the port by
 * @hook: enum vtap_hook in use for each direction; written under RTNL
 * @bare: frames begin with a network header; written under RTNL, read under RCU
 * @sends: where its VM's frames are seen, as vtap_kind_sends() has it; with VTAP_OUT alone,
 *	frames enter the switch at egress and leave it at ingress; written under RTNL, read under
 *	RCU
 * @chain: the handler in front of the master's, or NULL; RTNL
 * @bucket: where the port is found by device, with @chain; RTNL
 * @nf_out: netfilter hook
 * @packet: packet handlers
 * @since: when @hook last changed; RTNL
 * @name: name that rules were last bound by; RTNL
 * @master: ifindex of the master that rules were last bound by, or 0; RTNL
 * @rcu: frees it when no packet can see it any more
 */
struct vtap_port {
	struct list_head list;
	struct hlist_node node;
	struct vtap_net *vn;
	struct net_device *dev;
	struct vtap_table __rcu *table;
	unsigned long left;
	struct vtap_port_stats __percpu *stats;
	const void __rcu *const *waits_up[2];
	int queue_up;
	int queue_in;
	int queue_out;
	bool noting;
	bool stacked;
	struct vtap_port_id id;
	u32 hook[VTAP_NDIR];
	bool bare;
	u8 sends;
	struct vtap_chain *chain;
	unsigned int bucket;
	struct nf_hook_ops nf_out;
	struct packet_type packet[VTAP_NDIR];
	ktime_t since;
	char name[IFNAMSIZ];
	int master;
	struct rcu_head rcu;
};

/* main.c */
extern unsigned int vtap_net_id;

static inline struct vtap_net *vtap_pernet(const struct net *net)
{
	return net_generic(net, vtap_net_id);
}

/* match.c: frame -> key, match -> key and mask */
bool vtap_match_parse(struct vtap_frame *f);
void vtap_match_tunnel(struct vtap_frame *f);
bool vtap_match_inner(const struct vtap_frame *f, u32 tunnel, struct vtap_frame *inner);
bool vtap_match_decap(const struct vtap_frame *f, struct vtap_frame *inner);
bool vtap_match_inside(const struct vtap_inner *m, const struct vtap_frame *f);
int vtap_match_check(const struct vtap_match *m, struct netlink_ext_ack *extack);
bool vtap_match_compile(const struct vtap_match *m, struct vtap_key *k, struct vtap_key *w,
			u16 sport[2], u16 dport[2]);

/* table.c: key -> rule */
struct vtap_table *vtap_table_get(struct vtap_net *vn, u8 sends,
				  const struct vtap_rule *const *rules, unsigned int n);
void vtap_table_put(struct vtap_table *t);
const struct vtap_rule *vtap_table_lookup(const struct vtap_table *t, struct vtap_frame *f);
u32 vtap_table_dirs(const struct vtap_table *t);
unsigned int vtap_table_ports(const struct vtap_net *vn, const struct vtap_rule *rule);
int vtap_table_init(void);
void vtap_table_exit(void);

/* filter.c: classic BPF programs */
struct vtap_filter *vtap_filter_new(const struct sock_filter *insns, unsigned int n,
				    const char *text, struct netlink_ext_ack *extack);
struct vtap_filter *vtap_filter_get(struct vtap_filter *filter);
void vtap_filter_put(struct vtap_filter *filter);
bool vtap_filter_bare(const struct vtap_filter *filter, const struct vtap_frame *f);

/* rule.c: the list of rules, and the tables made of it */
struct vtap_rule *vtap_rule_alloc(const struct vtap_rule_cfg *cfg);
void vtap_rule_free(struct vtap_rule *rule);
int vtap_rule_add(struct vtap_txn *txn, const struct vtap_rule_cfg *cfg);
int vtap_rule_set(struct vtap_txn *txn, struct vtap_rule *old, const struct vtap_rule_cfg *cfg);
int vtap_rule_del(struct vtap_txn *txn, struct vtap_rule *rule);
int vtap_rule_flush(struct vtap_txn *txn, const u32 *pref);
void vtap_rule_undo(struct vtap_txn *txn, const struct vtap_undo *u);
void vtap_rule_done(struct vtap_txn *txn, const struct vtap_undo *u);
void vtap_rule_init_net(struct vtap_net *vn);
void vtap_rule_exit_net(struct vtap_net *vn);
struct vtap_rule *vtap_rule_find(struct vtap_net *vn, u32 id);
void vtap_rule_get_match(const struct vtap_rule *rule, struct vtap_match *m);
void vtap_rule_get_cfg(const struct vtap_rule *rule, struct vtap_rule_cfg *cfg);
bool vtap_rule_before(const struct vtap_rule *a, const struct vtap_rule *b);
bool vtap_rule_more(const struct vtap_rule *rule, const struct vtap_frame *f);
void vtap_rule_count(const struct vtap_rule *rule, unsigned int bytes);
bool vtap_rule_sample(const struct vtap_rule *rule, const struct vtap_frame *f);
void vtap_rule_read(const struct vtap_rule *rule, u64 *packets, u64 *bytes);
struct vtap_table *vtap_rule_table(struct vtap_net *vn, struct net_device *dev);

/* session.c: the list of sessions, their routes, neighbours and counters */
int vtap_session_add(struct vtap_txn *txn, const struct vtap_session_cfg *cfg);
int vtap_session_set(struct vtap_txn *txn, struct vtap_session *s,
		     const struct vtap_session_cfg *cfg);
int vtap_session_del(struct vtap_txn *txn, struct vtap_session *s);
int vtap_session_flush(struct vtap_txn *txn, const u32 *type);
void vtap_session_undo(const struct vtap_undo *u);
void vtap_session_tell(const struct vtap_undo *u);
void vtap_session_done(const struct vtap_undo *u);
struct vtap_session *vtap_session_find(const struct vtap_net *vn, const char *name);
void vtap_session_read(const struct vtap_session *s, u64 v[__VTAP_ST_MAX]);
bool vtap_session_admit(const struct vtap_tmpl *t, unsigned int bytes);
void vtap_session_dev_down(struct vtap_net *vn, const struct net_device *dev);
void vtap_session_dev_changed(struct vtap_net *vn);
int vtap_session_init_net(struct vtap_net *vn);
void vtap_session_exit_net(struct vtap_net *vn);
int vtap_session_init(void);
void vtap_session_exit(void);

/* pmtu.c: what routers say of copies that are too long */
void vtap_pmtu_follow(struct vtap_net *vn, bool on);

/* encap.c: outer headers */
int vtap_encap_check(const struct vtap_session_cfg *cfg, struct netlink_ext_ack *extack);
void vtap_encap_build(struct vtap_tmpl *t, const struct vtap_session_cfg *cfg,
		      const struct vtap_addr *local, const u8 *smac, const u8 *dmac);
void vtap_encap_finish(const struct vtap_tmpl *t, struct sk_buff *skb, const struct vtap_frame *f,
		       bool truncated);
bool vtap_encap_same_path(const struct vtap_tmpl *t, const struct vtap_key *key);

/* copy.c: frame -> copies on the wire */
void vtap_copy(struct vtap_session *s, const struct vtap_frame *f);
void vtap_copy_release(struct sk_buff *skb);
void vtap_copy_discard(struct sk_buff *skb);
void vtap_copy_exit(void);

/* port.c: devices that rules bind to */
struct vtap_port *vtap_port_by_index(const struct vtap_net *vn, int ifindex);
void vtap_port_recheck(struct vtap_net *vn);
struct vtap_port *vtap_port_of(const struct vtap_net *vn, const struct net_device *dev);
int vtap_port_bind_all(struct vtap_net *vn);
void vtap_port_init_net(struct vtap_net *vn);
void vtap_port_exit_net(struct vtap_net *vn);
void vtap_port_left(struct vtap_net *vn, int ifindex);
void vtap_port_read(const struct vtap_port *port, u64 v[VTAP_NDIR][__VTAP_PST_MAX]);
int vtap_port_init(void);
void vtap_port_exit(void);

/* txn.c: changes that are made together; all under RTNL */
void vtap_txn_begin(struct vtap_txn *txn, struct vtap_net *vn, struct netlink_ext_ack *extack);
struct vtap_undo *vtap_txn_alloc(u8 cmd);
void vtap_txn_log(struct vtap_txn *txn, struct vtap_undo *u);
int vtap_txn_commit(struct vtap_txn *txn);
void vtap_txn_abort(struct vtap_txn *txn);

/* netlink.c: events; called under RTNL */
void vtap_nl_session_notify(const struct vtap_session *s, u8 cmd);
void vtap_nl_rule_notify(struct vtap_net *vn, const struct vtap_rule *rule, u8 cmd);
void vtap_nl_port_notify(const struct vtap_port *port, u8 cmd);
int vtap_nl_init(void);
void vtap_nl_exit(void);

/**
 * vtap_frame_has_meta - is the frame's outermost VLAN tag in the metadata?
 * @f: parsed frame
 *
 * Return: true when it is; that of the frame around a tunnel is not of the one inside.
 */
static inline bool vtap_frame_has_meta(const struct vtap_frame *f)
{
	return skb_vlan_tag_present(f->skb) && (f->mac <= 0 || (f->bare && f->key.vlan));
}

#endif /* _VTAP_H */
