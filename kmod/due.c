// SPDX-License-Identifier: GPL-2.0
/* Devices whose rules have to be looked up again: they are marked, and bound all together. */
#include "due.h"
#include "net.h"

/* Mark a device, which need not exist any more; without memory for the mark all are marked. */
void vtap_due_dev(struct vtap_net *vn, int ifindex)
{
	if (ifindex <= 0 || vn->due_all)
		return;
	if (xa_err(xa_store(&vn->due, ifindex, xa_mk_value(1), GFP_KERNEL_ACCOUNT)))
		vn->due_all = true;
}

/* Mark all devices, for changes of which nobody can say whom they concern. */
void vtap_due_all(struct vtap_net *vn)
{
	vn->due_all = true;
}

/* Every device that was marked has its rules, or nobody needs any. */
void vtap_due_none(struct vtap_net *vn)
{
	vn->due_all = false;
	xa_destroy(&vn->due);
}

/* Bind what is marked, after @delay jiffies and not before RTNL is released. */
void vtap_due_soon(struct vtap_net *vn, unsigned long delay)
{
	if (!vn->closed)
		schedule_delayed_work(&vn->bind, delay);
}

void vtap_due_init_net(struct vtap_net *vn)
{
	xa_init_flags(&vn->due, XA_FLAGS_ACCOUNT);
}
