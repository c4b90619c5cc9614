/* SPDX-License-Identifier: GPL-2.0 */
/* What the KUnit suites share. */
#ifndef _VTAP_TEST_H
#define _VTAP_TEST_H

#include <linux/prandom.h>

#include "net.h"
#include "rule.h"

struct kunit;
struct vtap_match;
struct vtap_session_cfg;
struct vtap_table;
struct vtap_tmpl;

#define VTAP_TEST_MAX	256	/* longest frame */

/* Headers in hexadecimal digits, as wire-level documents print them */
#define T_MACS		"020000000002" "020000000001"
#define T_IP4_ADDRS	"0a000001" "0a000002"
#define T_IP4_FRAG(frag, proto)	"45000100" "0001" frag "40" proto "0000" T_IP4_ADDRS
#define T_IP4(proto)	T_IP4_FRAG("0000", proto)
#define T_IP6_SRC	"20010db8" "00000000" "00000000" "00000001"
#define T_IP6_DST	"20010db8" "00000000" "00000000" "00000002"
#define T_IP6(next)	"60000000" "0100" next "40" T_IP6_SRC T_IP6_DST
#define T_TCP		"04d2" "0050" "00000001" "00000002" "5112" "0400" "0000" "0000"
#define T_UDP		"04d2" "0035" "0010" "0000"
#define T_PAYLOAD	"00112233445566778899aabbccddeeff"
#define T_EXT(next, len)	next len "010400000000"
#define T_EXT_16(next)	next "01" "01040000000000000000000000" "00"
#define T_UDP_FLAGS	(VTAP_KEY_IP | VTAP_KEY_PORTS)

#define T_INNER	"020000000004" "020000000003" "0800" "45000054" "00010000" "40110000" \
		"c0000201" "c0000202" T_UDP T_PAYLOAD

/**
 * struct vtap_test_facts - what a random frame is made of, in host order
 * @mac: the last bytes of its source and destination address, the others are 2, 0, 0, 0, 0
 * @tagged: it has a VLAN tag
 * @prio: its priority
 * @vid: its id
 * @family: AF_INET, AF_INET6, or 0 for ARP
 * @net: the third byte of source and destination network
 * @host: the last byte of source and destination address
 * @ip_proto: protocol
 * @frag: VTAP_KEY_FRAG, VTAP_KEY_FIRST
 * @port: source and destination port
 * @tcp_flags: flags
 * @icmp: type and code
 * @dir: VTAP_IN or VTAP_OUT
 */
struct vtap_test_facts {
	u8 mac[2];
	bool tagged;
	u8 prio;
	u16 vid;
	u8 family;
	u8 net[2];
	u8 host[2];
	u8 ip_proto;
	u8 frag;
	u16 port[2];
	u16 tcp_flags;
	u8 icmp[2];
	u8 dir;
};

#define VTAP_TEST_RULES		300

/* What a test of the classifier works with; too much for the stack */
struct vtap_test_table {
	struct rnd_state rnd;
	struct vtap_net vn;
	u8 sends;
	struct vtap_rule_cfg cfg[2][VTAP_TEST_RULES];
	struct vtap_rule *rules[2][VTAP_TEST_RULES];
	const struct vtap_rule *list[2][VTAP_TEST_RULES];
	struct vtap_filter *odd;
	struct vtap_table *t[2];
};

#define T_REMOTE4	.remote = { AF_INET, 32, .ip.s6_addr = { 192, 0, 2, 9 } }
#define T_REMOTE6	.remote = { AF_INET6, 128, \
				    .ip.s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 2 } }
#define T_TO4		T_REMOTE4, .ttl = 64, .tos = 0x88
#define T_TO6		T_REMOTE6, .ttl = 64, .tos = 0x88

/* test.c */
unsigned int vtap_test_bytes(struct kunit *test, const char *hex, u8 *to);
void vtap_test_fill(struct kunit *test, struct sk_buff *skb, const u8 *bytes, unsigned int n,
		    unsigned int head, u8 beyond);
struct sk_buff *vtap_test_skb(struct kunit *test, const u8 *bytes, unsigned int n);
int vtap_test_init(struct kunit *test);
void vtap_test_exit(struct kunit *test);
bool vtap_test_parse(struct vtap_frame *f, struct sk_buff *skb, bool pulled, u16 tci);
void vtap_test_template(struct vtap_tmpl *t, const struct vtap_session_cfg *cfg, unsigned int mtu,
			bool dst);
struct sk_buff *vtap_test_copy(struct kunit *test, const struct vtap_tmpl *t);
struct sk_buff *vtap_test_original(struct kunit *test, struct vtap_frame *f, u16 meta, u16 tag,
				   u8 dir);

/* test_facts.c */
void vtap_test_random_facts(struct vtap_test_table *tt, struct vtap_test_facts *x);
unsigned int vtap_test_put_frame(const struct vtap_test_facts *x, u8 *bytes);
void vtap_test_random_rule(struct vtap_test_table *tt, struct vtap_rule_cfg *cfg);
bool vtap_test_matches(const struct vtap_test_facts *x, const struct vtap_match *m);

/* table_test.c */
bool vtap_test_is_vms(u8 sends, const struct vtap_test_facts *x, u8 mac);

#endif /* _VTAP_TEST_H */
