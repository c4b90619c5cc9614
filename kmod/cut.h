/* SPDX-License-Identifier: GPL-2.0 */
/* Super-frames cut to the size of the wire. */
#ifndef _VTAP_CUT_H
#define _VTAP_CUT_H

#include <linux/types.h>

struct vtap_cut;
struct vtap_tmpl;

void vtap_copy_cut(const struct vtap_tmpl *t, struct vtap_cut *c);

#endif /* _VTAP_CUT_H */
