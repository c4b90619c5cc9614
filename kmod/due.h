/* SPDX-License-Identifier: GPL-2.0 */
/* Devices whose rules have to be looked up again. */
#ifndef _VTAP_DUE_H
#define _VTAP_DUE_H

struct vtap_net;

/* due.c; all under RTNL */
void vtap_due_dev(struct vtap_net *vn, int ifindex);
void vtap_due_all(struct vtap_net *vn);
void vtap_due_none(struct vtap_net *vn);
void vtap_due_soon(struct vtap_net *vn, unsigned long delay);
void vtap_due_init_net(struct vtap_net *vn);

#endif /* _VTAP_DUE_H */
