// SPDX-License-Identifier: GPL-2.0
/* Bugs on purpose, one at each load, that a debug kernel has to notice: see awake.py. */
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <net/net_namespace.h>

static char *bug = "";
module_param(bug, charp, 0444);
MODULE_PARM_DESC(bug, "which bug");
static char *dev = "";
module_param(dev, charp, 0444);
MODULE_PARM_DESC(dev, "device that a reference is kept to");

struct broken {
	int word[4];
	struct list_head list;
	struct timer_list timer;
};

static DEFINE_SPINLOCK(broken_a);
static DEFINE_SPINLOCK(broken_b);
static struct broken __rcu *broken_rcu;
/* read and written so that the compiler knows nothing of it */
static struct broken *broken_hidden;
static int broken_index = 7, broken_shift = 40;

static struct net_device *broken_dev;
static netdevice_tracker broken_dev_tracker;
static struct net *broken_net;

static struct broken *broken_alloc(void)
{
	struct broken *b = kzalloc(sizeof(*b), GFP_KERNEL);

	WRITE_ONCE(broken_hidden, b);
	return READ_ONCE(broken_hidden);
}

static int broken_none(void)
{
	return 0;
}

static int broken_use_after_free(void)
{
	kfree(broken_alloc());
	return READ_ONCE(READ_ONCE(broken_hidden)->word[1]);
}

static int broken_out_of_bounds(void)
{
	struct broken *b = broken_alloc();
	int got = READ_ONCE(*(char *)(READ_ONCE(broken_hidden) + 1));

	kfree(b);
	return got;
}

static int broken_array_index(void)
{
	struct broken *b = broken_alloc();
	int got = b->word[READ_ONCE(broken_index)];

	kfree(b);
	return got;
}

static int broken_shift_out_of_bounds(void)
{
	return 1 << READ_ONCE(broken_shift);
}

static int broken_sleep_in_atomic(void)
{
	spin_lock(&broken_a);
	kfree(kmalloc(32, GFP_KERNEL));
	spin_unlock(&broken_a);
	return 0;
}

static int broken_sleep_in_rcu(void)
{
	rcu_read_lock();
	schedule_timeout_uninterruptible(1);
	rcu_read_unlock();
	return 0;
}

static int broken_rcu_dereference(void)
{
	struct broken *b = rcu_dereference(broken_rcu);

	return b ? b->word[0] : 0;
}

static int broken_this_cpu(void)
{
	return smp_processor_id();
}

static int broken_rtnl(void)
{
	ASSERT_RTNL();
	return 0;
}

static int broken_lock_order(void)
{
	spin_lock(&broken_a);
	spin_lock(&broken_b);
	spin_unlock(&broken_b);
	spin_unlock(&broken_a);
	spin_lock(&broken_b);
	spin_lock(&broken_a);
	spin_unlock(&broken_a);
	spin_unlock(&broken_b);
	return 0;
}

static void broken_timer(struct timer_list *t)
{
}

static int broken_active_timer(void)
{
	struct broken *b = broken_alloc();

	timer_setup(&b->timer, broken_timer, 0);
	mod_timer(&b->timer, jiffies + 1000 * HZ);
	kfree(b);
	return 0;
}

static int broken_list(void)
{
	struct broken *b = broken_alloc();
	LIST_HEAD(head);

	list_add(&b->list, &head);
	list_del(&b->list);
	list_del(&b->list);
	kfree(b);
	return 0;
}

/* several, since a word somewhere may look like the address of one */
static int broken_leak(void)
{
	int i;

	for (i = 0; i < 20; i++)
		broken_alloc();
	WRITE_ONCE(broken_hidden, NULL);
	return 0;
}

static int broken_dev_reference(void)
{
	broken_dev = netdev_get_by_name(&init_net, dev, &broken_dev_tracker, GFP_KERNEL);
	return 0;
}

static int broken_net_reference(void)
{
	broken_net = get_net(current->nsproxy->net_ns);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} broken_bugs[] = {
	{ "none", broken_none },
	{ "use-after-free", broken_use_after_free },
	{ "out-of-bounds", broken_out_of_bounds },
	{ "array-index", broken_array_index },
	{ "shift", broken_shift_out_of_bounds },
	{ "sleep-in-atomic", broken_sleep_in_atomic },
	{ "sleep-in-rcu", broken_sleep_in_rcu },
	{ "rcu-dereference", broken_rcu_dereference },
	{ "this-cpu", broken_this_cpu },
	{ "rtnl", broken_rtnl },
	{ "lock-order", broken_lock_order },
	{ "active-timer", broken_active_timer },
	{ "list", broken_list },
	{ "leak", broken_leak },
	{ "dev-reference", broken_dev_reference },
	{ "net-reference", broken_net_reference },
};

static int __init broken_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(broken_bugs); i++) {
		if (strcmp(bug, broken_bugs[i].name))
			continue;
		/* the result is used, so that it has to be computed */
		WRITE_ONCE(broken_shift, 40 + !broken_bugs[i].run());
		return 0;
	}
	return -EINVAL;
}

static void __exit broken_exit(void)
{
	netdev_put(broken_dev, &broken_dev_tracker);
	if (broken_net)
		put_net(broken_net);
}

module_init(broken_init);
module_exit(broken_exit);

MODULE_DESCRIPTION("Bugs on purpose, for tests of a debug kernel");
MODULE_LICENSE("GPL");
