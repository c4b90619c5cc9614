/* SPDX-License-Identifier: GPL-2.0 */
/* Rules by what they say of their ports. */
#ifndef _VTAP_INDEX_H
#define _VTAP_INDEX_H

#include "match.h"
#include "names.h"

struct vtap_rule;
struct vtap_rule_cfg;
struct vtap_table;

/**
 * struct vtap_pattern - rules that say the same of their ports; RTNL
 * @node: in vtap_index.by_text
 * @list: in vtap_name.patterns of @port, or in vtap_index.wide
 * @picked: in the list of patterns that a device matches, while there is one
 * @changed: in vtap_index.changed when the devices are marked that match it, else empty
 * @rules: its rules in their order, by vtap_rule.same
 * @n: length of @rules
 * @n_mac: how many of these have a VM's address
 * @users: rules that point here: those of @rules, and those that a transaction has taken away
 * @id: no other pattern of the namespace has had it
 * @stamp: no other pattern has had it, nor this one with other rules
 * @port: the port's name, or NULL when rules have a shell pattern or nothing
 * @master: the master's name, or NULL
 * @glob: the shell pattern, or ""
 */
struct vtap_pattern {
	struct hlist_node node;
	struct list_head list;
	struct list_head picked;
	struct list_head changed;
	struct list_head rules;
	unsigned int n;
	unsigned int n_mac;
	unsigned int users;
	u64 id;
	u64 stamp;
	struct vtap_name *port;
	struct vtap_name *master;
	char glob[VTAP_NAME_MAX + 1];
};

/**
 * struct vtap_stamp - a pattern as it was when a table was made of it
 * @id: vtap_pattern.id
 * @stamp: vtap_pattern.stamp
 */
struct vtap_stamp {
	u64 id;
	u64 stamp;
};

/**
 * struct vtap_index - a namespace's rules by what they say of their ports; RTNL
 * @names: names of devices in patterns
 * @by_text: all patterns
 * @wide: those that give no port by its name
 * @changed: those whose rules are others than those that ports are bound to
 * @n_changed: length of @changed, and those that are gone since
 * @last_id: last vtap_pattern.id given
 * @last_stamp: last vtap_pattern.stamp given
 */
struct vtap_index {
	struct vtap_names names;
	DECLARE_HASHTABLE(by_text, VTAP_NAMES_BITS);
	struct list_head wide;
	struct list_head changed;
	unsigned int n_changed;
	u64 last_id;
	u64 last_stamp;
};

/* index.c */
struct vtap_pattern *vtap_index_get(struct vtap_net *vn, const struct vtap_rule_cfg *cfg);
void vtap_index_put(struct vtap_pattern *p);
void vtap_index_link(struct vtap_net *vn, struct vtap_rule *rule);
void vtap_index_unlink(struct vtap_net *vn, struct vtap_rule *rule);
void vtap_index_bound(struct vtap_net *vn);
struct vtap_table *vtap_index_table(struct vtap_net *vn, struct net_device *dev);
void vtap_index_exit_net(struct vtap_net *vn);

#endif /* _VTAP_INDEX_H */
