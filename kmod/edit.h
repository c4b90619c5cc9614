/* SPDX-License-Identifier: GPL-2.0 */
/* Copies the bytes of a frame with its VLAN tag inserted or removed. */
#ifndef _VTAP_EDIT_H
#define _VTAP_EDIT_H

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>

#include "encap.h"
#include "frame.h"

#define VTAP_MIN_COPY		(ETH_HLEN + 2 * VLAN_HLEN)

/**
 * struct vtap_edit - what happens to the frame's VLAN tag in the copy
 * @insert: bytes inserted behind the addresses, 0 or VLAN_HLEN
 * @remove: bytes left out behind the addresses, 0 or VLAN_HLEN
 */
struct vtap_edit {
	unsigned int insert;
	unsigned int remove;
};

bool vtap_copy_bytes(const struct vtap_frame *f, struct vtap_edit e, u8 *to, unsigned int len);

/* A tag in the metadata is put back into the frame; strip removes a tag. */
static __always_inline struct vtap_edit vtap_copy_edit(const struct vtap_tmpl *t,
						       const struct vtap_frame *f)
{
	bool meta = vtap_frame_has_meta(f);

	return (struct vtap_edit){
		.insert = meta && !t->strip_vlan ? VLAN_HLEN : 0,
		.remove = !meta && f->key.vlan && t->strip_vlan ? VLAN_HLEN : 0,
	};
}

#endif /* _VTAP_EDIT_H */
