/* SPDX-License-Identifier: GPL-2.0 */
/* Routes and neighbours of sessions. */
#ifndef _VTAP_PATH_H
#define _VTAP_PATH_H

#include <linux/types.h>

struct net_device;
struct vtap_net;
struct vtap_session;
struct vtap_tmpl;

/* pmtu.c */
void vtap_pmtu_follow(struct vtap_net *vn, bool on);

/* path.c */
void vtap_session_publish(struct vtap_session *s, struct vtap_tmpl *t);
bool vtap_session_update(struct vtap_session *s);
void vtap_session_refresh(struct vtap_session *s);
void vtap_session_narrow(struct vtap_net *vn);
void vtap_session_dev_down(struct vtap_net *vn, const struct net_device *dev);

#endif /* _VTAP_PATH_H */
