// SPDX-License-Identifier: GPL-2.0
/* vtap: a virtual network TAP. Loading, unloading, and its part of each namespace. */
#include <linux/module.h>
#include <net/genetlink.h>

#include "note.h"

unsigned int vtap_net_id __read_mostly;

static int __net_init vtap_net_init(struct net *net)
{
	struct vtap_net *vn = vtap_pernet(net);

	vn->net = net;
	vn->gen = 1;
	vtap_port_init_net(vn);
	vtap_rule_init_net(vn);
	return vtap_session_init_net(vn);
}

static void __net_exit vtap_net_exit(struct net *net)
{
	struct vtap_net *vn = vtap_pernet(net);

	vtap_port_exit_net(vn);
	vtap_rule_exit_net(vn);
	vtap_session_exit_net(vn);
}

static struct pernet_operations vtap_net_ops = {
	.init = vtap_net_init,
	.exit = vtap_net_exit,
	.id = &vtap_net_id,
	.size = sizeof(struct vtap_net),
};

static int __init vtap_init(void)
{
	int err;

	vtap_flow_init();
	err = vtap_table_init();
	if (err)
		return err;
	err = vtap_note_init();
	if (err)
		goto err_table;
	err = register_pernet_subsys(&vtap_net_ops);
	if (err)
		goto err_note;
	err = vtap_session_init();
	if (err)
		goto err_net;
	err = vtap_port_init();
	if (err)
		goto err_session;
	err = vtap_nl_init();
	if (err)
		goto err_port;
	return 0;

err_port:
	vtap_port_exit();
err_session:
	vtap_session_exit();
err_net:
	unregister_pernet_subsys(&vtap_net_ops);
	rcu_barrier();
	vtap_copy_exit();
err_note:
	vtap_note_exit();
err_table:
	vtap_table_exit();
	return err;
}

static void __exit vtap_exit(void)
{
	vtap_nl_exit();
	vtap_port_exit();
	vtap_session_exit();
	unregister_pernet_subsys(&vtap_net_ops);
	/* callbacks of ours may still be queued */
	rcu_barrier();
	vtap_copy_exit();
	vtap_note_exit();
	vtap_table_exit();
}

module_init(vtap_init);
module_exit(vtap_exit);

MODULE_DESCRIPTION("Virtual network TAP");
MODULE_LICENSE("GPL");
MODULE_ALIAS_GENL_FAMILY(VTAP_GENL_NAME);
