/* SPDX-License-Identifier: GPL-2.0 */
/* Routes and neighbours of sessions. */
#ifndef _VTAP_PATH_H
#define _VTAP_PATH_H

#include <linux/types.h>

struct net_device;
struct notifier_block;
struct vtap_net;
struct vtap_session;
struct vtap_tmpl;
struct work_struct;

#define VTAP_TICK		HZ

/* pmtu.c */
void vtap_pmtu_follow(struct vtap_net *vn, bool on);

/* path.c */
void vtap_session_publish(struct vtap_session *s, struct vtap_tmpl *t);
bool vtap_session_update(struct vtap_session *s);
void vtap_session_refresh(struct vtap_session *s);
void vtap_session_kick_work(struct work_struct *work);
void vtap_session_tick_work(struct work_struct *work);
void vtap_session_dev_down(struct vtap_net *vn, const struct net_device *dev);
void vtap_session_dev_changed(struct vtap_net *vn);
int vtap_session_fib(struct notifier_block *nb, unsigned long event, void *ptr);
int vtap_session_init(void);
void vtap_session_exit(void);

#endif /* _VTAP_PATH_H */
