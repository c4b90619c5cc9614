// SPDX-License-Identifier: GPL-2.0
/* Names of devices in rules: which device has each, and which devices are concerned by a change. */
#include <linux/jhash.h>
#include <linux/netdevice.h>
#include <linux/once.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "due.h"
#include "index.h"
#include "names.h"
#include "net.h"

void vtap_names_init(struct vtap_names *names)
{
	hash_init(names->by_text);
	hash_init(names->by_index);
	INIT_LIST_HEAD(&names->others);
}

/* Users of a namespace choose the names, and must not choose the buckets. */
u32 vtap_names_hash(const char *text)
{
	static u32 seed __read_mostly;

	get_random_once(&seed, sizeof(seed));
	return jhash(text, strlen(text), seed);
}

/* Look the name up. Return: did @name->index change? */
static bool vtap_names_look_up(struct vtap_net *vn, struct vtap_name *name)
{
	const struct net_device *dev = __dev_get_by_name(vn->net, name->text);
	const int index = dev ? dev->ifindex : 0;
	const bool changed = index != name->index;

	list_del_init(&name->other);
	if (!dev || strcmp(dev->name, name->text))
		list_add(&name->other, &vn->index->names.others);
	if (changed) {
		hash_del(&name->index_node);
		name->index = index;
		if (index)
			hash_add(vn->index->names.by_index, &name->index_node, index);
	}
	return changed;
}

/* A device has lost or got the name: whom does that concern? */
static void vtap_names_mark(struct vtap_net *vn, const struct vtap_name *name, int index)
{
	struct net_device *dev, *lower;
	struct list_head *iter;

	vtap_due_dev(vn, index);
	dev = name->masters && index ? __dev_get_by_index(vn->net, index) : NULL;
	if (!dev)
		return;
	/* the internal ports of a datapath are not linked to it */
	if (netif_is_ovs_master(dev))
		vtap_due_all(vn);
	netdev_for_each_lower_dev(dev, lower, iter)
		vtap_due_dev(vn, lower->ifindex);
}

/* @dev: as in vtap_names_resolve() */
static bool vtap_names_update(struct vtap_net *vn, struct vtap_name *name,
			      const struct net_device *dev)
{
	const int old = name->index;

	if (!vtap_names_look_up(vn, name))
		return false;
	/* when it goes, it is not found any more */
	if (dev && name->masters && netif_is_ovs_master(dev))
		vtap_due_all(vn);
	vtap_names_mark(vn, name, old);
	vtap_names_mark(vn, name, name->index);
	return true;
}

/**
 * vtap_names_resolve - look names up again that may be another device's now; RTNL
 * @vn: the namespace's vtap
 * @dev: a device that has come or gone, or has another name, or NULL
 *
 * Alternative names of a device cannot be listed outside of the kernel's core, but looked up, and
 * no event tells of them: any name that is not a device's first name may have become one.
 *
 * Return: true when any did, and all devices are marked that this concerns.
 */
bool vtap_names_resolve(struct vtap_net *vn, const struct net_device *dev)
{
	struct vtap_name *name, *next;
	struct hlist_node *tmp;
	bool changed = false;
	LIST_HEAD(others);

	if (!vn->index)
		return false;
	if (dev) {
		hash_for_each_possible_safe(vn->index->names.by_index, name, tmp, index_node,
					    dev->ifindex) {
			if (name->index == dev->ifindex)
				changed |= vtap_names_update(vn, name, dev);
		}
		hash_for_each_possible(vn->index->names.by_text, name, node,
				       vtap_names_hash(dev->name)) {
			if (!strcmp(name->text, dev->name))
				changed |= vtap_names_update(vn, name, dev);
		}
	}
	/* each goes back to the list, or leaves it */
	list_splice_init(&vn->index->names.others, &others);
	list_for_each_entry_safe(name, next, &others, other)
		changed |= vtap_names_update(vn, name, dev);
	return changed;
}

static void vtap_names_count(struct vtap_name *name, bool master, int n)
{
	if (master)
		name->masters += n;
	else
		name->ports += n;
}

/* The name, for one pattern more. Return: NULL when memory is short. */
struct vtap_name *vtap_names_get(struct vtap_net *vn, const char *text, bool master)
{
	const u32 hash = vtap_names_hash(text);
	struct vtap_name *name;

	hash_for_each_possible(vn->index->names.by_text, name, node, hash) {
		if (!strcmp(name->text, text)) {
			vtap_names_count(name, master, 1);
			return name;
		}
	}
	name = kzalloc(sizeof(*name), GFP_KERNEL_ACCOUNT);
	if (!name)
		return NULL;
	strscpy(name->text, text, sizeof(name->text));
	vtap_names_count(name, master, 1);
	INIT_LIST_HEAD(&name->patterns);
	INIT_LIST_HEAD(&name->other);
	hash_add(vn->index->names.by_text, &name->node, hash);
	vtap_names_look_up(vn, name);
	return name;
}

/* For one pattern less; NULL for none. */
void vtap_names_put(struct vtap_name *name, bool master)
{
	if (!name)
		return;
	vtap_names_count(name, master, -1);
	if (name->ports || name->masters)
		return;
	hash_del(&name->node);
	hash_del(&name->index_node);
	list_del(&name->other);
	kfree(name);
}
