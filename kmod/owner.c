// SPDX-License-Identifier: GPL-2.0
/* Taps that go with the netlink socket that made them. */
#include <linux/err.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>

#include "extack.h"
#include "loop.h"
#include "owner.h"
#include "port.h"
#include "rule.h"
#include "ruleset.h"
#include "session.h"
#include "taps.h"
#include "txn.h"

/**
 * vtap_owner_take - make a tap that belongs to a socket; RTNL, within a transaction
 * @vn: the namespace's vtap
 * @name: the tap's name
 * @attr: the attribute that has the name
 * @portid: the socket
 * @extack: gets the reason when it is refused
 *
 * Return: 0, or -EEXIST when there is such a tap, or a failure of vtap_taps_make().
 */
int vtap_owner_take(struct vtap_net *vn, const char *name, const struct nlattr *attr, u32 portid,
		    struct netlink_ext_ack *extack)
{
	u64 last = vn->last_tap;
	struct vtap_tap *tap;

	tap = vtap_taps_make(vn, name, attr, extack);
	if (IS_ERR(tap))
		return PTR_ERR(tap);
	/* what the transaction has deleted may come back, with its tap */
	if (vn->last_tap == last) {
		return vtap_refuse_attr(extack, attr, -EEXIST,
					"a tap of this name exists, and cannot get an owner");
	}
	/* the socket cannot close while its request is carried out */
	WRITE_ONCE(tap->owner, portid);
	return 0;
}

/**
 * vtap_owner_check - may the sender of the present request add to a tap, or change it; RTNL
 * @vn: the namespace's vtap
 * @tap: the tap
 * @attr: the attribute to blame
 * @extack: gets the reason when it may not
 *
 * Return: 0 or -EPERM.
 */
int vtap_owner_check(const struct vtap_net *vn, const struct vtap_tap *tap,
		     const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	u32 owner = READ_ONCE(tap->owner);

	if (!owner || (vn->cause && vn->cause->snd_portid == owner))
		return 0;
	return vtap_refuse_attr(extack, attr, -EPERM,
				"the tap belongs to another socket: it can be deleted, not changed");
}

/* Delete what belongs to the taps whose sockets are closed. Return: 0 or a negative error. */
static int vtap_owner_delete(struct vtap_net *vn)
{
	struct vtap_tap *tap;
	struct vtap_txn txn;
	int err = 0;

	vtap_txn_begin(&txn, vn, NULL);
	list_for_each_entry(tap, &vn->taps, list) {
		if (READ_ONCE(tap->owner) != VTAP_OWNER_GONE)
			continue;
		err = vtap_rule_flush(&txn, tap, NULL) ?: vtap_session_flush(&txn, tap, NULL);
		if (err)
			break;
	}
	if (!err && txn.rebind)
		err = vtap_port_bind_due(vn);
	if (err) {
		vtap_txn_abort(&txn);
	} else if (!list_empty(&txn.log)) {
		vtap_loop_reset(vn);
		vtap_txn_commit(&txn);
	}
	return err;
}

static void vtap_owner_work(struct work_struct *work)
{
	struct vtap_net *vn = container_of(work, struct vtap_net, orphans.work);
	int err;

	rtnl_lock();
	err = vtap_owner_delete(vn);
	rtnl_unlock();
	/* memory is short: once more */
	if (err)
		schedule_delayed_work(&vn->orphans, HZ);
}

/* Process context; the closing task may hold locks of its own, so that RTNL is left to the work. */
static int vtap_owner_release(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct netlink_notify *n = ptr;
	struct vtap_net *vn;
	struct vtap_tap *tap;
	bool found = false;

	if (event != NETLINK_URELEASE || n->protocol != NETLINK_GENERIC || !n->portid)
		return NOTIFY_DONE;
	vn = vtap_pernet(n->net);
	spin_lock(&vn->taps_lock);
	list_for_each_entry(tap, &vn->taps, list) {
		if (tap->owner != n->portid)
			continue;
		/* the number may be another socket's next */
		WRITE_ONCE(tap->owner, VTAP_OWNER_GONE);
		found = true;
	}
	spin_unlock(&vn->taps_lock);
	if (found)
		schedule_delayed_work(&vn->orphans, 0);
	return NOTIFY_DONE;
}

static struct notifier_block vtap_owner_nb = {
	.notifier_call = vtap_owner_release,
};

/* Start listening for sockets that close. Return: 0 or a negative error. */
int vtap_owner_init(void)
{
	return netlink_register_notifier(&vtap_owner_nb);
}

void vtap_owner_exit(void)
{
	netlink_unregister_notifier(&vtap_owner_nb);
}

void vtap_owner_init_net(struct vtap_net *vn)
{
	INIT_DELAYED_WORK(&vn->orphans, vtap_owner_work);
}

/* No socket of the namespace is left, or no notifier. */
void vtap_owner_exit_net(struct vtap_net *vn)
{
	cancel_delayed_work_sync(&vn->orphans);
}
