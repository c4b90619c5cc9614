/* SPDX-License-Identifier: GPL-2.0 */
/* A frame's copies. */
#ifndef _VTAP_COPY_H
#define _VTAP_COPY_H

#include <linux/types.h>

struct vtap_frame;
struct vtap_session;

void vtap_copy(struct vtap_session *s, const struct vtap_frame *f);

#endif /* _VTAP_COPY_H */
