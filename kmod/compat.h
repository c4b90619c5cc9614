/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Older kernels, for code that is written to the newest one's interfaces. The
 * only place for version checks. Each piece names the version that makes it
 * superfluous.
 */
#ifndef _VTAP_COMPAT_H
#define _VTAP_COMPAT_H

#include <linux/version.h>
#include <linux/hrtimer.h>
#include <linux/local_lock.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/dst_metadata.h>
#include <net/flow.h>
#include <net/genetlink.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0)
#error "vtap needs Linux 5.10 or later"
#endif

/* 6.4: segmentation has a header of its own */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#include <net/gso.h>
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#include <net/netdev_rx_queue.h>
#endif

/* 5.11: strings of attributes */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
#define nla_strscpy(dst, nla, size)	nla_strlcpy(dst, nla, size)
#endif

/* 5.18: functions without a canary on the stack, where the compiler can */
#ifndef __no_stack_protector
#define __no_stack_protector
#endif

/* 6.12: devices that need no lock to send have a bit of their own */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define vtap_dev_lltx(d)	((d)->lltx)
#else
#define vtap_dev_lltx(d)	((d)->features & NETIF_F_LLTX)
#endif

/* 5.16: netfilter at egress; 6.6: tcx_egress in place of miniq_egress */
#if defined(CONFIG_NETFILTER_EGRESS)
#define vtap_dev_nf_egress(d)	(!!rcu_access_pointer((d)->nf_hooks_egress))
#else
#define vtap_dev_nf_egress(d)	false
#endif
#if defined(CONFIG_NET_XGRESS)
#define vtap_dev_tc_egress(d)	(!!rcu_access_pointer((d)->tcx_egress))
#elif defined(CONFIG_NET_CLS_ACT)
#define vtap_dev_tc_egress(d)	(!!rcu_access_pointer((d)->miniq_egress))
#else
#define vtap_dev_tc_egress(d)	false
#endif

/* the same at ingress: where to look for it, or NULL */
#if defined(CONFIG_NET_XGRESS)
#define vtap_dev_tc_ingress(d)	((const void __rcu *const *)&(d)->tcx_ingress)
#elif defined(CONFIG_NET_CLS_ACT)
#define vtap_dev_tc_ingress(d)	((const void __rcu *const *)&(d)->miniq_ingress)
#else
#define vtap_dev_tc_ingress(d)	((const void __rcu *const *)NULL)
#endif

/* 6.6: receive queues have a header of their own; kernels without RPS */
#ifdef CONFIG_RPS
#define vtap_dev_rps_map(d)	((const void __rcu *const *)&(d)->_rx->rps_map)
#else
#define vtap_dev_rps_map(d)	((const void __rcu *const *)NULL)
#endif

/* 6.12: pages that only a device can read */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define skb_frags_readable(skb)	true
#endif

/* 6.10: a bit for frames that a device has yet to encrypt, or has decrypted; before, TLS alone */
#if defined(CONFIG_SKB_DECRYPTED) || defined(CONFIG_TLS_DEVICE)
#define vtap_skb_decrypted(skb)	((skb)->decrypted)
#else
#define vtap_skb_decrypted(skb)	false
#endif

/* 6.1: frames that a device protects with MACsec have a mark; before, nothing tells them apart */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)
static inline bool vtap_skb_macsec(const struct sk_buff *skb)
{
	const struct metadata_dst *md = skb_metadata_dst(skb);

	return md && md->type == METADATA_MACSEC;
}
#else
#define vtap_skb_macsec(skb)	false
#endif

/* 6.16: the checksum of SCTP without a module of its own */
#if !IS_ENABLED(CONFIG_IP_SCTP)
#define vtap_skb_crc32c(skb, off, len, crc)	(crc)
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define vtap_skb_crc32c(skb, off, len, crc)	skb_crc32c(skb, off, len, crc)
#else
#define vtap_skb_crc32c(skb, off, len, crc)	\
	((__force u32)__skb_checksum(skb, off, len, (__force __wsum)(crc), crc32c_csum_stub))
#endif

/* 5.12: a per-CPU cache of sk_buffs */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 12, 0)
#define napi_build_skb(data, size)	build_skb(data, size)
#endif

/* 6.1: a multicast group has flags of its own; before, those of an operation */
#ifdef GENL_MCAST_CAP_NET_ADMIN
#define VTAP_GENL_MCAST_ADMIN	GENL_MCAST_CAP_NET_ADMIN
#else
#define VTAP_GENL_MCAST_ADMIN	GENL_UNS_ADMIN_PERM
#endif

/* 6.2: refusals with numbers in them; before, there is no room for what is not a literal */
#ifdef NL_SET_ERR_MSG_FMT
#define vtap_extack_fmt(extack, plain, fmt, ...)	NL_SET_ERR_MSG_FMT(extack, fmt, __VA_ARGS__)
#else
#define vtap_extack_fmt(extack, plain, fmt, ...)	NL_SET_ERR_MSG(extack, plain)
#endif

/* 6.6: a dump has its attributes where other requests have them */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define vtap_genl_dump_attrs(cb)	(genl_dumpit_info(cb)->attrs)
#else
#define vtap_genl_dump_attrs(cb)	(genl_info_dump(cb)->attrs)
#endif

/* 6.17: dst_dev(), which stable kernels got at various times */
#define vtap_dst_dev(dst)	READ_ONCE((dst)->dev)

/* 6.18: flowi4_dscp, of a type of its own, in place of flowi4_tos */
#ifdef flowi4_dscp
#define vtap_flowi4_set_tos(fl4, tos)	((fl4)->flowi4_dscp = inet_dsfield_to_dscp(tos))
#else
#define vtap_flowi4_set_tos(fl4, tos)	((fl4)->flowi4_tos = (tos))
#endif

/* 6.13: a timer and its function in one go */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define vtap_hrtimer_setup(timer, fn, clock, mode)	\
	do { hrtimer_init(timer, clock, mode); (timer)->function = (fn); } while (0)
#else
#define vtap_hrtimer_setup(timer, fn, clock, mode)	hrtimer_setup(timer, fn, clock, mode)
#endif

/* 6.11: until then softirqs of one CPU do not preempt each other, PREEMPT_RT or not */
#ifndef local_lock_nested_bh
#define local_lock_nested_bh(lock)	do { } while (0)
#define local_unlock_nested_bh(lock)	do { } while (0)
#endif

/* kernels without IPv6 */
#if IS_ENABLED(CONFIG_IPV6)
#define vtap_ipv6_enabled()	ipv6_mod_enabled()
#define vtap_ip6_dst_lookup_flow(net, fl6)	ip6_dst_lookup_flow(net, NULL, fl6, NULL)
#define vtap_ip6_local_out(net, skb)	ip6_local_out(net, NULL, skb)
#else
#define vtap_ipv6_enabled()	false
#define vtap_ip6_dst_lookup_flow(net, fl6)	ERR_PTR(-EAFNOSUPPORT)
#define vtap_ip6_local_out(net, skb)	(kfree_skb(skb), -EAFNOSUPPORT)
#endif

#endif /* _VTAP_COMPAT_H */
