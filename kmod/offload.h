/* SPDX-License-Identifier: GPL-2.0 */
/* Super-frames that the egress device cuts. */
#ifndef _VTAP_OFFLOAD_H
#define _VTAP_OFFLOAD_H

#include <linux/types.h>

struct vtap_cut;
struct vtap_tmpl;

bool vtap_copy_offload(const struct vtap_tmpl *t, struct vtap_cut *c);

#endif /* _VTAP_OFFLOAD_H */
