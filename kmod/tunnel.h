/* SPDX-License-Identifier: GPL-2.0 */
/* From a tunnel header to the frame inside. */
#ifndef _VTAP_TUNNEL_H
#define _VTAP_TUNNEL_H

#include <linux/types.h>

struct vtap_frame;
struct vtap_form;

void vtap_tunnel_note(struct vtap_frame *f);
bool vtap_tunnel_inner(const struct vtap_frame *f, u32 tunnel, struct vtap_frame *inner);
bool vtap_tunnel_decap(const struct vtap_frame *f, struct vtap_frame *inner);
bool vtap_tunnel_inner_matches(u32 tunnel, const struct vtap_form *form,
			       const struct vtap_frame *f);

#endif /* _VTAP_TUNNEL_H */
