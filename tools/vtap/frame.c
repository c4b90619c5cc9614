// SPDX-License-Identifier: GPL-2.0
/* A frame made of the words with which rules match one, for trace. */

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "vtap.h"

/* what a frame has whose words do not say it; addresses are those of documentation */
static const uint8_t macs[2][ETH_ALEN] = { { 2, 0, 0, 0, 0, 2 }, { 2, 0, 0, 0, 0, 1 } };
static const uint8_t addrs4[2][4] = { { 192, 0, 2, 1 }, { 192, 0, 2, 2 } };
static const uint8_t addrs6[2][16] = {
	{ 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 }
};

/* Words that say nothing of a frame's headers, or of those inside a tunnel. */
static int words_check(const struct nlmsghdr *nlh, const struct view *v)
{
	const struct nlattr *a;

	if (v->matches > 1 || v->excepts)
		return usage("trace: a frame has one value of each word: no list, \"or\", \"not\" or \"except\"");
	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) != VTAP_A_RULE_MATCH)
			return usage("trace: only match words make a frame");
	if (v->match[VTAP_A_MATCH_TUNNEL] || v->match[VTAP_A_MATCH_TUNNEL_KEY] ||
	    v->match[VTAP_A_MATCH_INNER])
		return usage("trace: give a frame with a tunnel as \"hex FILE\" or \"pcap FILE\"");
	return OK;
}

static uint64_t num(const struct view *v, uint16_t attr, uint64_t none)
{
	return v->match[attr] ? attr_num(v->match[attr]) : none;
}

static uint8_t *put(uint8_t *p, const void *data, size_t len)
{
	memcpy(p, data, len);
	return p + len;
}

static uint8_t *put16(uint8_t *p, uint16_t val)
{
	val = htons(val);
	return put(p, &val, sizeof(val));
}

/* The attribute's bytes, or @none when there is none. */
static uint8_t *put_attr(uint8_t *p, const struct nlattr *a, const void *none, size_t len)
{
	return put(p, a ? mnl_attr_get_payload(a) : none, len);
}

static bool is_ipv6(const struct view *v)
{
	const struct nlattr *src = v->match[VTAP_A_MATCH_SRC_IP];
	const struct nlattr *dst = v->match[VTAP_A_MATCH_DST_IP];
	const struct nlattr *a = src ? src : dst;

	return a ? mnl_attr_get_payload_len(a) == 16 :
		   num(v, VTAP_A_MATCH_IP_PROTO, 0) == IPPROTO_ICMPV6;
}

static uint16_t ethertype(const struct view *v)
{
	return num(v, VTAP_A_MATCH_PROTOCOL, is_ipv6(v) ? ETH_P_IPV6 : ETH_P_IP);
}

static uint8_t ip_proto(const struct view *v, bool ipv6)
{
	uint8_t proto = IPPROTO_UDP;

	if (v->match[VTAP_A_MATCH_ICMP_TYPE] || v->match[VTAP_A_MATCH_ICMP_CODE])
		proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	else if (v->match[VTAP_A_MATCH_TCP_FLAGS] || v->match[VTAP_A_MATCH_SRC_PORT] ||
		 v->match[VTAP_A_MATCH_DST_PORT])
		proto = IPPROTO_TCP;
	return num(v, VTAP_A_MATCH_IP_PROTO, proto);
}

static uint8_t *put_transport(uint8_t *p, const struct view *v, uint8_t proto)
{
	const uint16_t sport = num(v, VTAP_A_MATCH_SRC_PORT, 40000);
	const uint16_t dport = num(v, VTAP_A_MATCH_DST_PORT, 40001);

	switch (proto) {
	case IPPROTO_TCP:
		p = put16(put16(p, sport), dport) + 8;
		p = put16(p, 5 << 12 | num(v, VTAP_A_MATCH_TCP_FLAGS, 0x10));
		return put16(p, 0xffff) + 4;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		*p = num(v, VTAP_A_MATCH_ICMP_TYPE, proto == IPPROTO_ICMP ? 8 : 128);
		p[1] = num(v, VTAP_A_MATCH_ICMP_CODE, 0);
		return p + 8;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return put16(put16(put16(p, sport), dport), 8) + 2;
	default:	/* ports, of SCTP and DCCP */
		return put16(put16(p, sport), dport) + 8;
	}
}

/* Fragment fields in the format of IPv4: offset in 8 bytes, and more fragments at @more. */
static uint16_t fragment(const struct view *v, uint16_t more, unsigned int shift)
{
	const uint32_t flags = num(v, VTAP_A_MATCH_IP_FLAGS, 0);

	if (!(flags & (VTAP_IP_FLAG_FRAG | VTAP_IP_FLAG_FIRSTFRAG)))
		return 0;
	return flags & VTAP_IP_FLAG_FIRSTFRAG ? more : 185 << shift;
}

static uint8_t *put_ipv4(uint8_t *p, const struct view *v)
{
	const uint8_t proto = ip_proto(v, false);
	uint8_t *ip = p;

	*p = 0x45;
	put16(p + 6, fragment(v, 0x2000, 0));
	p[8] = 64;
	p[9] = proto;
	p = put_attr(p + 12, v->match[VTAP_A_MATCH_SRC_IP], addrs4[0], sizeof(addrs4[0]));
	p = put_attr(p, v->match[VTAP_A_MATCH_DST_IP], addrs4[1], sizeof(addrs4[1]));
	p = put_transport(p, v, proto);
	put16(ip + 2, p - ip);
	return p;
}

static uint8_t *put_ipv6(uint8_t *p, const struct view *v)
{
	const uint16_t frag = fragment(v, 1, 3);
	const uint8_t proto = ip_proto(v, true);
	uint8_t *ip = p;

	*p = 0x60;
	p[6] = frag ? IPPROTO_FRAGMENT : proto;
	p[7] = 64;
	p = put_attr(p + 8, v->match[VTAP_A_MATCH_SRC_IP], addrs6[0], sizeof(addrs6[0]));
	p = put_attr(p, v->match[VTAP_A_MATCH_DST_IP], addrs6[1], sizeof(addrs6[1]));
	if (frag) {
		*p = proto;
		p = put16(p + 2, frag) + 4;
	}
	p = put_transport(p, v, proto);
	put16(ip + 4, p - ip - 40);
	return p;
}

/**
 * frame_parse - Make the frame that words describe.
 * @argv: Match words of rules; of a value with a mask, a prefix or a range the first part counts.
 * @buf: Gets the frame, FRAME_MADE_MAX bytes at most; checksums are 0.
 * @len: Set to its length.
 *
 * Return: OK, or USAGE after printing what is wrong.
 */
int frame_parse(char **argv, uint8_t *buf, size_t *len)
{
	struct nlmsghdr *nlh;
	uint8_t *p = buf;
	uint16_t proto;
	struct view v;
	int rc;

	rc = object_parse(&rule_object, CMD_ADD, argv, &nlh);
	if (rc)
		return rc;
	view_init(&v, &rule_object, nlh);
	rc = words_check(nlh, &v);
	memset(buf, 0, FRAME_MADE_MAX);
	proto = ethertype(&v);
	p = put_attr(p, v.match[VTAP_A_MATCH_DST_MAC], macs[0], ETH_ALEN);
	p = put_attr(p, v.match[VTAP_A_MATCH_SRC_MAC], macs[1], ETH_ALEN);
	if (v.match[VTAP_A_MATCH_VLAN_ID] || v.match[VTAP_A_MATCH_VLAN_PRIO])
		p = put16(put16(p, ETH_P_8021Q), num(&v, VTAP_A_MATCH_VLAN_PRIO, 0) << 13 |
						 num(&v, VTAP_A_MATCH_VLAN_ID, 0));
	p = put16(p, proto);
	if (proto == ETH_P_IP)
		p = put_ipv4(p, &v);
	else if (proto == ETH_P_IPV6)
		p = put_ipv6(p, &v);
	*len = p - buf < ETH_ZLEN ? ETH_ZLEN : p - buf;
	free(nlh);
	return rc;
}
