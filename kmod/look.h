/* SPDX-License-Identifier: GPL-2.0 */
/* When sessions are resolved anew. */
#ifndef _VTAP_LOOK_H
#define _VTAP_LOOK_H

#include <linux/types.h>

struct net_device;
struct vtap_net;
struct vtap_session;

#define VTAP_TICK		HZ

/* tick.c */
int vtap_tick_init_net(struct vtap_net *vn);

/* look.c */
void vtap_look_session(struct vtap_session *s);
void vtap_look_dev(struct vtap_net *vn, const struct net_device *dev, bool works);
int vtap_look_init_net(struct vtap_net *vn);
int vtap_look_init(void);
void vtap_look_exit(void);

#endif /* _VTAP_LOOK_H */
