/* SPDX-License-Identifier: GPL-2.0 */
/* What no frame looks like, and no device is called. */
#ifndef _VTAP_REFUSE_H
#define _VTAP_REFUSE_H

struct netlink_ext_ack;
struct nlattr;
struct vtap_match;

int vtap_refuse_match(const struct vtap_match *m, int proto, struct netlink_ext_ack *extack);
int vtap_refuse_device(const struct nlattr *a, struct netlink_ext_ack *extack);
int vtap_refuse_port(const struct nlattr *a, struct netlink_ext_ack *extack);

#endif /* _VTAP_REFUSE_H */
