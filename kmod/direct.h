/* SPDX-License-Identifier: GPL-2.0 */
/* Direct transmission: past the queueing layer, where that would do nothing but call the driver. */
#ifndef _VTAP_DIRECT_H
#define _VTAP_DIRECT_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/sch_generic.h>

#include "compat.h"

#if IS_ENABLED(CONFIG_VTAP_DIRECT)

/*
 * Would dev_queue_xmit() do nothing but call the driver? A copy is linear, of one packet, with
 * its checksums and its tag in place: that leaves the queue, its choice and its lock, what hooks
 * or listens on the way out, and a device that is not up.
 */
static __always_inline bool vtap_direct_allowed(struct net_device *dev)
{
	struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);

	return vtap_dev_lltx(dev) && dev->real_num_tx_queues == 1 && netif_running(dev) &&
	       !rcu_dereference_bh(txq->qdisc)->enqueue && !netif_xmit_frozen_or_stopped(txq) &&
	       !vtap_dev_nf_egress(dev) && !vtap_dev_tc_egress(dev) && !dev_nit_active(dev);
}

static __always_inline int vtap_direct_xmit(struct net_device *dev, struct sk_buff *skb)
{
	int rc;

	skb_reset_mac_header(skb);
	rc = netdev_start_xmit(skb, dev, netdev_get_tx_queue(dev, 0), false);
	if (likely(dev_xmit_complete(rc)))
		return net_xmit_eval(rc);
	kfree_skb(skb);
	return NET_XMIT_DROP;
}

#else

static inline bool vtap_direct_allowed(struct net_device *dev)
{
	return false;
}

static inline int vtap_direct_xmit(struct net_device *dev, struct sk_buff *skb)
{
	return NET_XMIT_DROP;
}

#endif

#endif /* _VTAP_DIRECT_H */
