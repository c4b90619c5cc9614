/* SPDX-License-Identifier: GPL-2.0 */
/* What a copy may take from the frame itself: the frame is only read. */
#ifndef _VTAP_ORIGINAL_H
#define _VTAP_ORIGINAL_H

#include <linux/skbuff.h>
#include <net/xfrm.h>

#include "compat.h"

bool vtap_original_esp(struct sk_buff *skb);
struct sk_buff *vtap_original_read(const struct sk_buff *skb);
struct sk_buff *vtap_original_copy(struct sk_buff *skb);
u32 vtap_original_crc32c(const struct sk_buff *skb, unsigned int off, unsigned int len);

/**
 * vtap_original_unfinished - will a device encrypt this outgoing frame?
 * @skb: the frame
 *
 * Until then it is neither the packet that was encrypted nor what the wire will show: ESP has a
 * header and no trailer, MACsec has no header at all, and TLS has records in plain text.
 *
 * Return: true when it will, or another layer below may.
 */
static inline bool vtap_original_unfinished(struct sk_buff *skb)
{
	return vtap_skb_decrypted(skb) || vtap_skb_macsec(skb) ||
	       (secpath_exists(skb) && vtap_original_esp(skb));
}

#endif /* _VTAP_ORIGINAL_H */
