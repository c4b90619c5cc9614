// SPDX-License-Identifier: GPL-2.0
/*
 * What no frame looks like, and no device is called. A rule of which one of these is true would
 * bind or match nothing in silence.
 */
#include <linux/ctype.h>
#include <linux/netlink.h>
#include <net/netlink.h>

#include "extack.h"
#include "match.h"
#include "refuse.h"

#define VTAP_REFUSE_PORTS	(BIT(VTAP_A_MATCH_SRC_PORT) | BIT(VTAP_A_MATCH_DST_PORT))
#define VTAP_REFUSE_ICMP	(BIT(VTAP_A_MATCH_ICMP_TYPE) | BIT(VTAP_A_MATCH_ICMP_CODE))
/* What is behind the IP header, and hence not in later fragments */
#define VTAP_REFUSE_L4		(VTAP_REFUSE_PORTS | VTAP_REFUSE_ICMP |	\
				 BIT(VTAP_A_MATCH_TCP_FLAGS) | BIT(VTAP_A_MATCH_TUNNEL))
#define VTAP_REFUSE_IP		(VTAP_REFUSE_L4 | BIT(VTAP_A_MATCH_IP_PROTO) | \
				 BIT(VTAP_A_MATCH_IP_FLAGS))

static int vtap_refuse_protocol(const struct vtap_match *m, struct netlink_ext_ack *extack)
{
	if (eth_type_vlan(htons(m->protocol)))
		return vtap_refuse(extack, -EINVAL,
				   "protocol is the EtherType behind VLAN tags: use vlan_id or vlan_prio");
	if (m->protocol != ETH_P_IP && m->protocol != ETH_P_IPV6 && m->present & VTAP_REFUSE_IP)
		return vtap_refuse(extack, -EINVAL,
				   "ip_proto, ports, tcp_flags, icmp_type, icmp_code and ip_flags need protocol ip or ipv6");
	return 0;
}

static int vtap_refuse_flags(const struct vtap_match *m, struct netlink_ext_ack *extack)
{
	const u8 set = m->ip_flags & m->ip_flags_mask, clear = ~m->ip_flags & m->ip_flags_mask;

	if (set & VTAP_IP_FLAG_FIRSTFRAG && clear & VTAP_IP_FLAG_FRAG)
		return vtap_refuse(extack, -EINVAL,
				   "the first fragment is a fragment: use ip_flags firstfrag or nofrag");
	if (set & VTAP_IP_FLAG_FRAG && clear & VTAP_IP_FLAG_FIRSTFRAG &&
	    m->present & VTAP_REFUSE_L4)
		return vtap_refuse(extack, -EINVAL,
				   "fragments other than the first have no ports, tcp_flags, icmp_type, icmp_code and tunnel");
	return 0;
}

/**
 * vtap_refuse_match - refuse words that contradict each other
 * @m: from the user; each word is valid
 * @proto: protocol that the match asks for, or a negative number
 * @extack: gets the reason
 *
 * An IPv4 packet may say that it has ICMPv6 inside, and an IPv6 packet ICMP. Nothing answers these,
 * and a rule that asks for them is a mistake; a filter can.
 *
 * Return: 0 or -EINVAL.
 */
int vtap_refuse_match(const struct vtap_match *m, int proto, struct netlink_ext_ack *extack)
{
	const u8 family = m->src_ip.family ?: m->dst_ip.family;
	const u16 ether = family == AF_INET ? ETH_P_IP : family ? ETH_P_IPV6 : m->protocol;
	int err = 0;

	if (m->present & BIT(VTAP_A_MATCH_PROTOCOL))
		err = vtap_refuse_protocol(m, extack);
	if (err)
		return err;
	if (proto == IPPROTO_ICMPV6 && ether == ETH_P_IP)
		return vtap_refuse(extack, -EINVAL,
				   "ip_proto icmpv6 belongs to IPv6: use icmp with IPv4 addresses and protocol ip");
	if (proto == IPPROTO_ICMP && ether == ETH_P_IPV6)
		return vtap_refuse(extack, -EINVAL,
				   "ip_proto icmp belongs to IPv4: use icmpv6 with IPv6 addresses and protocol ipv6");
	return vtap_refuse_flags(m, extack);
}

/**
 * vtap_refuse_device - refuse the name of a device that none can have
 * @a: the name; empty for no device
 * @extack: gets the reason
 *
 * Return: 0 or -EINVAL.
 */
int vtap_refuse_device(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	const char *name = nla_data(a);

	if (!*name || dev_valid_name(name))
		return 0;
	return vtap_refuse_attr(extack, a, -EINVAL,
				"a device name contains neither / nor :, and is not . or ..");
}

/* @to: gets the end; Return: whether a character of a name may be in the brackets behind @p. */
static bool vtap_refuse_class(const char *p, const char **to)
{
	const bool inverted = *p == '!';
	bool any = false;
	unsigned int c;

	/* as glob_match() reads them: the first character may be a ] */
	for (c = 1; c <= U8_MAX; c++) {
		const char *at = p + inverted;
		bool match = false;

		if (isspace(c) || c == '/' || c == ':')
			continue;
		do {
			unsigned char from = *at++, last = from;

			if (at[0] == '-' && at[1] && at[1] != ']') {
				last = (unsigned char)at[1];
				at += 2;
			}
			match |= from <= c && c <= last;
		} while (*at != ']');
		any |= match != inverted;
		*to = at + 1;
	}
	return any;
}

/* Return: whether there is the ] of a class that begins at @p. */
static bool vtap_refuse_closed(const char *p)
{
	p += *p == '!';
	return *p && strchr(p + 1, ']');
}

/**
 * vtap_refuse_port - refuse a pattern that no device's name matches
 * @a: the pattern, printable; empty for none
 * @extack: gets the reason
 *
 * A comma may be in a name, but who writes it means a list: ? matches it, too. Names of more than
 * 15 bytes are not refused: alternative names of devices are longer.
 *
 * Return: 0 or -EINVAL.
 */
int vtap_refuse_port(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	const char *p = nla_data(a);

	if (!strcmp(p, ".") || !strcmp(p, ".."))
		return vtap_refuse_device(a, extack);
	while (*p) {
		char c = *p++;

		if (c == '\\' && *p) {
			c = *p++;
		} else if (c == '[') {
			if (!vtap_refuse_closed(p))
				return vtap_refuse_attr(extack, a, -EINVAL,
							"a [ in port needs its ], or a backslash before it");
			if (!vtap_refuse_class(p, &p))
				return vtap_refuse_attr(extack, a, -EINVAL,
							"the brackets in port match no character of a device name");
			continue;
		} else if (c == ',') {
			return vtap_refuse_attr(extack, a, -EINVAL,
						"port is one pattern: use a rule for each device, or * ? and [ ]");
		}
		if (c == '/' || c == ':')
			return vtap_refuse_attr(extack, a, -EINVAL,
						"a device name contains neither / nor :, and is not . or ..");
	}
	return 0;
}
