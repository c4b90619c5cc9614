// SPDX-License-Identifier: GPL-2.0
/*
 * ICMP errors about copies, which belong to no socket and perhaps to no tunnel device. When a copy
 * was too long, nobody else would update the routes. Other errors are counted.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/ip6_route.h>
#include <net/l3mdev.h>
#include <net/route.h>

#include "encap.h"
#include "look.h"
#include "net.h"
#include "own.h"
#include "path.h"
#include "session.h"

/*
 * How well an ICMP error fits a session with the same addresses. Several such sessions may differ
 * in their device; only those with the highest value take the error.
 */
enum vtap_pmtu_concern {
	VTAP_PMTU_NONE,		/* no template, or other addresses */
	VTAP_PMTU_PATH,		/* the same addresses, nothing more */
	VTAP_PMTU_VRF,		/* the answer came in by a device of the VRF that copies leave by */
	VTAP_PMTU_DEV,		/* the answer came in by the device that copies leave by */
};

/* RCU read side. @iif: the device that the answer came in by, not the VRF above it */
static enum vtap_pmtu_concern vtap_pmtu_concern(const struct vtap_net *vn,
						const struct vtap_tmpl *t,
						const struct vtap_key *key, int iif)
{
	if (!t || !vtap_encap_same_path(t, key))
		return VTAP_PMTU_NONE;
	if (t->dev->ifindex == iif)
		return VTAP_PMTU_DEV;
	if (l3mdev_master_ifindex_rcu(t->dev) == l3mdev_master_ifindex_by_index(vn->net, iif))
		return VTAP_PMTU_VRF;
	return VTAP_PMTU_PATH;
}

/* The best fit among all sessions; VTAP_PMTU_NONE if none sent the quoted packet. */
static enum vtap_pmtu_concern vtap_pmtu_ours(const struct vtap_net *vn, const struct vtap_key *key,
					     int iif)
{
	enum vtap_pmtu_concern best = VTAP_PMTU_NONE;
	const struct vtap_session *s;

	list_for_each_entry_rcu(s, &vn->sessions, list)
		best = max(best, vtap_pmtu_concern(vn, rcu_dereference(s->tmpl), key, iif));
	return best;
}

/* The packet that an ICMP message quotes at @off, in a new skb; NULL if its checksum is wrong. */
static struct sk_buff *vtap_pmtu_quoted(struct sk_buff *skb, unsigned int icmp, unsigned int off,
					unsigned int need, u8 proto, u8 family)
{
	struct sk_buff *q = skb_clone(skb, GFP_ATOMIC | __GFP_NOWARN);

	if (!q)
		return NULL;
	if (!nf_checksum(q, NF_INET_LOCAL_IN, icmp, proto, family) &&
	    pskb_may_pull(q, off + need)) {
		__skb_pull(q, off);
		return q;
	}
	consume_skb(q);
	return NULL;
}

/* Updates the routes of the sessions that the error fits, and no others. */
static void vtap_pmtu_store_v4(const struct vtap_net *vn, const struct vtap_key *key,
			       int iif, enum vtap_pmtu_concern best, struct sk_buff *q, u32 mtu)
{
	struct vtap_session *s;
	int last = -1;

	/* copies are routed without a mark, whatever the answer has */
	q->mark = 0;
	list_for_each_entry_rcu(s, &vn->sessions, list) {
		const struct vtap_tmpl *t = rcu_dereference(s->tmpl);

		if (vtap_pmtu_concern(vn, t, key, iif) != best)
			continue;
		vtap_look_session(s);
		if (t->oif == last)
			continue;
		last = t->oif;
		ipv4_update_pmtu(q, vn->net, mtu, last, key->ip_proto);
	}
}

/*
 * Count an error at the sessions one of whose copies is quoted with its tunnel header at @tun:
 * those whose headers are the same, and of these the ones that the error fits best. Most errors
 * are about packets of others, which one look-up tells. Arguments as of vtap_pmtu_quoted().
 */
static void vtap_pmtu_unreach(const struct vtap_net *vn, const struct vtap_key *key, int iif,
			      struct sk_buff *skb, unsigned int icmp, unsigned int tun, u8 proto,
			      const struct vtap_unreach_error *e)
{
	const unsigned int len = min_t(unsigned int, skb->len - min(skb->len, tun),
				       VTAP_OWN_TUN_MAX);
	struct vtap_own_key k = { .src = key->src, .dst = key->dst };
	const u8 family = proto == IPPROTO_ICMP ? AF_INET : AF_INET6;
	const struct vtap_own *own = rcu_dereference(vn->own);
	enum vtap_pmtu_concern best = VTAP_PMTU_NONE;
	const struct vtap_tmpl *t;
	u8 buf[VTAP_OWN_TUN_MAX];
	struct vtap_session *s;
	struct sk_buff *q;
	const u8 *h;

	h = skb_header_pointer(skb, tun, len, buf);
	if (!h || !own || !vtap_own_quote(own, &k, ntohs(key->proto), key->ip_proto, h, len))
		return;
	q = vtap_pmtu_quoted(skb, icmp, icmp, 0, proto, family);
	if (!q)
		return;
	consume_skb(q);
	list_for_each_entry_rcu(s, &vn->sessions, list) {
		t = rcu_dereference(s->tmpl);
		if (t && vtap_own_quoted(t, &k))
			best = max(best, vtap_pmtu_concern(vn, t, key, iif));
	}
	list_for_each_entry_rcu(s, &vn->sessions, list) {
		t = rcu_dereference(s->tmpl);
		if (best && t && vtap_own_quoted(t, &k) &&
		    vtap_pmtu_concern(vn, t, key, iif) == best)
			vtap_unreach_count(s, e);
	}
}

static bool vtap_pmtu_is_unreach_v4(const struct icmphdr *icmph)
{
	return (icmph->type == ICMP_DEST_UNREACH && icmph->code != ICMP_FRAG_NEEDED) ||
	       icmph->type == ICMP_TIME_EXCEEDED || icmph->type == ICMP_PARAMETERPROB;
}

static unsigned int vtap_pmtu_v4(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const unsigned int icmp = ip_hdrlen(skb), off = icmp + sizeof(struct icmphdr);
	const struct iphdr *outer = ip_hdr(skb), *iph;
	const struct icmphdr *icmph;
	const int iif = IPCB(skb)->iif;
	enum vtap_pmtu_concern best;
	struct vtap_key key = {};
	struct icmphdr hbuf;
	struct iphdr ibuf;
	struct sk_buff *q;
	bool unreach;

	if (likely(outer->protocol != IPPROTO_ICMP) || ip_is_fragment(outer))
		return NF_ACCEPT;
	icmph = skb_header_pointer(skb, icmp, sizeof(hbuf), &hbuf);
	if (!icmph)
		return NF_ACCEPT;
	unreach = vtap_pmtu_is_unreach_v4(icmph);
	if (!unreach && (icmph->type != ICMP_DEST_UNREACH || icmph->code != ICMP_FRAG_NEEDED))
		return NF_ACCEPT;
	iph = skb_header_pointer(skb, off, sizeof(ibuf), &ibuf);
	if (!iph)
		return NF_ACCEPT;
	key.proto = htons(ETH_P_IP);
	key.ip_proto = iph->protocol;
	key.src.s6_addr32[0] = iph->saddr;
	key.dst.s6_addr32[0] = iph->daddr;
	if (unreach) {
		const struct vtap_unreach_error e = {
			.from.s6_addr32[0] = outer->saddr,
			.type = icmph->type, .code = icmph->code,
		};

		/* later fragments have no tunnel header */
		if (iph->ihl >= 5 && !(iph->frag_off & htons(IP_OFFSET)))
			vtap_pmtu_unreach(priv, &key, iif, skb, icmp, off + iph->ihl * 4,
					  IPPROTO_ICMP, &e);
		return NF_ACCEPT;
	}
	best = vtap_pmtu_ours(priv, &key, iif);
	if (best == VTAP_PMTU_NONE)
		return NF_ACCEPT;
	q = vtap_pmtu_quoted(skb, icmp, off, sizeof(*iph), IPPROTO_ICMP, AF_INET);
	if (q) {
		vtap_pmtu_store_v4(priv, &key, iif, best, q, ntohs(icmph->un.frag.mtu));
		consume_skb(q);
	}
	return NF_ACCEPT;
}

#if IS_ENABLED(CONFIG_IPV6)
/* As for IPv4; ip6_update_pmtu() could take a route of another device, as it names a source. */
static void vtap_pmtu_store_v6(const struct vtap_net *vn, const struct vtap_key *key,
			       int iif, enum vtap_pmtu_concern best, struct sk_buff *q, u32 mtu)
{
	struct vtap_session *s;
	int last = -1;

	skb_reset_network_header(q);
	list_for_each_entry_rcu(s, &vn->sessions, list) {
		const struct vtap_tmpl *t = rcu_dereference(s->tmpl);
		struct flowi6 fl6 = {};
		struct dst_entry *dst;

		if (vtap_pmtu_concern(vn, t, key, iif) != best)
			continue;
		vtap_look_session(s);
		if (t->oif == last)
			continue;
		last = t->oif;
		fl6.flowi6_oif = last;
		fl6.flowi6_proto = key->ip_proto;
		fl6.daddr = key->dst;
		if (!last)
			fl6.saddr = key->src;
		fl6.flowlabel = ip6_flowinfo(ipv6_hdr(q));
		dst = ip6_route_output(vn->net, NULL, &fl6);
		if (!dst->error)
			dst->ops->update_pmtu(dst, NULL, q, mtu, false);
		dst_release(dst);
	}
}

/* To an unknown next header, GRE, a host replies with a parameter problem. */
static bool vtap_pmtu_is_unreach_v6(const struct icmp6hdr *icmp6h)
{
	return icmp6h->icmp6_type == ICMPV6_DEST_UNREACH ||
	       icmp6h->icmp6_type == ICMPV6_TIME_EXCEED ||
	       icmp6h->icmp6_type == ICMPV6_PARAMPROB;
}

static unsigned int vtap_pmtu_v6(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const unsigned int icmp = sizeof(struct ipv6hdr), off = icmp + sizeof(struct icmp6hdr);
	const struct icmp6hdr *icmp6h;
	const struct ipv6hdr *ip6h;
	const int iif = IP6CB(skb)->iif;
	enum vtap_pmtu_concern best;
	struct vtap_key key = {};
	struct icmp6hdr hbuf;
	struct ipv6hdr ibuf;
	unsigned int tun = off + sizeof(*ip6h);
	struct frag_hdr *fh;
	struct frag_hdr fbuf;
	bool unreach, later = false;
	struct sk_buff *q;

	if (likely(ipv6_hdr(skb)->nexthdr != IPPROTO_ICMPV6))
		return NF_ACCEPT;
	icmp6h = skb_header_pointer(skb, icmp, sizeof(hbuf), &hbuf);
	if (!icmp6h)
		return NF_ACCEPT;
	unreach = vtap_pmtu_is_unreach_v6(icmp6h);
	if (!unreach && icmp6h->icmp6_type != ICMPV6_PKT_TOOBIG)
		return NF_ACCEPT;
	ip6h = skb_header_pointer(skb, off, sizeof(ibuf), &ibuf);
	if (!ip6h)
		return NF_ACCEPT;
	key.proto = htons(ETH_P_IPV6);
	key.ip_proto = ip6h->nexthdr;
	key.src = ip6h->saddr;
	key.dst = ip6h->daddr;
	if (key.ip_proto == NEXTHDR_FRAGMENT) {
		fh = skb_header_pointer(skb, off + sizeof(*ip6h), sizeof(fbuf), &fbuf);
		if (!fh)
			return NF_ACCEPT;
		key.ip_proto = fh->nexthdr;
		later = fh->frag_off & htons(IP6_OFFSET);
		tun += sizeof(*fh);
	}
	if (unreach) {
		const struct vtap_unreach_error e = {
			.from = ipv6_hdr(skb)->saddr,
			.type = icmp6h->icmp6_type, .code = icmp6h->icmp6_code,
		};

		if (!later)
			vtap_pmtu_unreach(priv, &key, iif, skb, icmp, tun, IPPROTO_ICMPV6, &e);
		return NF_ACCEPT;
	}
	best = vtap_pmtu_ours(priv, &key, iif);
	if (best == VTAP_PMTU_NONE)
		return NF_ACCEPT;
	q = vtap_pmtu_quoted(skb, icmp, off, sizeof(*ip6h), IPPROTO_ICMPV6, AF_INET6);
	if (q) {
		vtap_pmtu_store_v6(priv, &key, iif, best, q, ntohl(icmp6h->icmp6_mtu));
		consume_skb(q);
	}
	return NF_ACCEPT;
}
#endif

static const struct nf_hook_ops vtap_pmtu_ops[] = {
	{
		.hook = vtap_pmtu_v4,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = NF_IP_PRI_LAST,
	},
#if IS_ENABLED(CONFIG_IPV6)
	{
		.hook = vtap_pmtu_v6,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = NF_IP6_PRI_LAST,
	},
#endif
};

/* Listen to what routers say, or stop it; RTNL. */
void vtap_pmtu_follow(struct vtap_net *vn, bool on)
{
	unsigned int i;

	BUILD_BUG_ON(ARRAY_SIZE(vtap_pmtu_ops) > ARRAY_SIZE(vn->pmtu_ops));
	if (on == vn->pmtu_on)
		return;
	if (!on) {
		nf_unregister_net_hooks(vn->net, vn->pmtu_ops, ARRAY_SIZE(vtap_pmtu_ops));
		vn->pmtu_on = false;
		return;
	}
	for (i = 0; i < ARRAY_SIZE(vtap_pmtu_ops); i++) {
		vn->pmtu_ops[i] = vtap_pmtu_ops[i];
		vn->pmtu_ops[i].priv = vn;
	}
	vn->pmtu_on = !nf_register_net_hooks(vn->net, vn->pmtu_ops, ARRAY_SIZE(vtap_pmtu_ops));
}
