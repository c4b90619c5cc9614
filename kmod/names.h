/* SPDX-License-Identifier: GPL-2.0 */
/* Names of devices in rules, and the devices that have them. */
#ifndef _VTAP_NAMES_H
#define _VTAP_NAMES_H

#include <linux/hashtable.h>
#include <linux/list.h>
#include <uapi/linux/vtap.h>

struct net_device;
struct vtap_net;

#define VTAP_NAMES_BITS	9

/**
 * struct vtap_name - a name that rules give for a port or a master, not a pattern; RTNL
 * @node: in vtap_names.by_text
 * @index_node: in vtap_names.by_index, unless @index is 0
 * @other: in vtap_names.others, unless a device has this name for its first name
 * @patterns: struct vtap_pattern that has it as its port
 * @ports: number of patterns that have it as their port
 * @masters: number of patterns that have it as their master
 * @index: ifindex of the device that has the name, or 0
 * @text: the name
 */
struct vtap_name {
	struct hlist_node node;
	struct hlist_node index_node;
	struct list_head other;
	struct list_head patterns;
	unsigned int ports;
	unsigned int masters;
	int index;
	char text[VTAP_NAME_MAX + 1];
};

/**
 * struct vtap_names - the names in all rules of a namespace; RTNL
 * @by_text: all of them
 * @by_index: those that a device has
 * @others: those that can become a device's without an event: its alternative names
 */
struct vtap_names {
	DECLARE_HASHTABLE(by_text, VTAP_NAMES_BITS);
	DECLARE_HASHTABLE(by_index, VTAP_NAMES_BITS);
	struct list_head others;
};

/* names.c */
void vtap_names_init(struct vtap_names *names);
u32 vtap_names_hash(const char *text);
struct vtap_name *vtap_names_get(struct vtap_net *vn, const char *text, bool master);
void vtap_names_put(struct vtap_name *name, bool master);
bool vtap_names_resolve(struct vtap_net *vn, const struct net_device *dev);

#endif /* _VTAP_NAMES_H */
