// SPDX-License-Identifier: GPL-2.0
/* The taps of a namespace: made when they are first named, gone when nothing belongs to them. */
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "extack.h"
#include "net.h"
#include "taps.h"

static struct vtap_tap *vtap_taps_search(const struct vtap_net *vn, const char *name)
{
	struct vtap_tap *tap;

	list_for_each_entry(tap, &vn->taps, list) {
		if (!strcmp(tap->name, name))
			return tap;
	}
	return NULL;
}

/*
 * A tap by its name; RTNL. Return: the tap, or NULL when no rule and no session belongs to one of
 * this name.
 */
struct vtap_tap *vtap_taps_find(const struct vtap_net *vn, const char *name)
{
	struct vtap_tap *tap = vtap_taps_search(vn, name);

	return tap && vtap_taps_used(tap) ? tap : NULL;
}

static bool vtap_taps_name_ok(const char *name)
{
	const char *p = name;

	while (isascii(*p) && (isalnum(*p) || (*p && strchr("_.:@-", *p))))
		p++;
	return *name && !*p;
}

/**
 * vtap_taps_make - the tap for a new rule or session; RTNL, within a transaction
 * @vn: the namespace's vtap
 * @name: its name, of at most VTAP_NAME_MAX bytes
 * @attr: the attribute that has the name, or NULL
 * @extack: gets the reason when the tap is refused
 *
 * Return: the tap, which vtap_taps_sweep() frees again when nothing comes to belong to it, or
 * -EINVAL, -ENOSPC or -ENOMEM as an ERR_PTR().
 */
struct vtap_tap *vtap_taps_make(struct vtap_net *vn, const char *name, const struct nlattr *attr,
				struct netlink_ext_ack *extack)
{
	struct vtap_tap *tap = vtap_taps_search(vn, name);

	if (tap && vtap_taps_used(tap))
		return tap;
	if (!vtap_taps_name_ok(name)) {
		return ERR_PTR(vtap_refuse_attr(extack, attr, -EINVAL,
						"a tap's name has letters, digits and _.:@- only"));
	}
	if (vn->n_taps >= VTAP_TAPS_MAX) {
		return ERR_PTR(vtap_refuse_attr(extack, attr, -ENOSPC,
						"a namespace has at most 16 taps"));
	}
	if (tap)
		return tap;
	tap = kzalloc(sizeof(*tap), GFP_KERNEL_ACCOUNT);
	if (!tap)
		return ERR_PTR(-ENOMEM);
	strscpy(tap->name, name, sizeof(tap->name));
	tap->id = ++vn->last_tap;
	spin_lock(&vn->taps_lock);
	list_add_tail(&tap->list, &vn->taps);
	spin_unlock(&vn->taps_lock);
	return tap;
}

/* Rules or sessions of a tap have come or gone; RTNL. */
void vtap_taps_count(struct vtap_net *vn, struct vtap_tap *tap, int rules, int sessions)
{
	vn->n_taps -= vtap_taps_used(tap);
	tap->n_rules += rules;
	tap->n_sessions += sessions;
	vn->n_taps += vtap_taps_used(tap);
}

/* Free the taps that nothing belongs to; RTNL, the end of a transaction. */
void vtap_taps_sweep(struct vtap_net *vn)
{
	struct vtap_tap *tap, *next;

	list_for_each_entry_safe(tap, next, &vn->taps, list) {
		if (vtap_taps_used(tap))
			continue;
		spin_lock(&vn->taps_lock);
		list_del(&tap->list);
		spin_unlock(&vn->taps_lock);
		kfree_rcu(tap, rcu);
	}
}

/* A namespace's taps. */
void vtap_taps_init_net(struct vtap_net *vn)
{
	INIT_LIST_HEAD(&vn->taps);
	spin_lock_init(&vn->taps_lock);
}
