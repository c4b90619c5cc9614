/* SPDX-License-Identifier: GPL-2.0 */
/* Taps that go with the netlink socket that made them. */
#ifndef _VTAP_OWNER_H
#define _VTAP_OWNER_H

#include <linux/types.h>

struct netlink_ext_ack;
struct nlattr;
struct vtap_net;
struct vtap_tap;

int vtap_owner_take(struct vtap_net *vn, const char *name, const struct nlattr *attr, u32 portid,
		    struct netlink_ext_ack *extack);
int vtap_owner_check(const struct vtap_net *vn, const struct vtap_tap *tap,
		     const struct nlattr *attr, struct netlink_ext_ack *extack);
int vtap_owner_init(void);
void vtap_owner_exit(void);
void vtap_owner_init_net(struct vtap_net *vn);
void vtap_owner_exit_net(struct vtap_net *vn);

#endif /* _VTAP_OWNER_H */
