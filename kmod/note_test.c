// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of notes, where other tests cannot arrange for the same memory: no traffic. */
#include <kunit/test.h>
#include <linux/workqueue.h>

#include "note.h"
#include "test.h"

#define T_IFINDEX	0x7fff0000	/* no device has these */
#define T_QUEUE		0x7fff0001
#define T_SESSION	5

/**
 * struct vtap_test_note - a port that frames come in by
 * @vn: its namespace
 * @port: the port, whose device is not registered
 * @skb: frames
 * @work: has the first frame come in
 */
struct vtap_test_note {
	struct vtap_net vn;
	struct vtap_port port;
	struct sk_buff *skb[2];
	struct work_struct work;
};

static const void __rcu *vtap_test_nothing_waits;

static int vtap_test_note_init(struct kunit *test)
{
	struct vtap_test_note *tn;
	struct vtap_port *port;
	u8 bytes[VTAP_TEST_MAX];
	unsigned int i, n;

	if (vtap_test_init(test))
		return -ENOMEM;
	tn = kunit_kzalloc(test, sizeof(*tn), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tn);
	port = &tn->port;
	port->dev = alloc_netdev(0, "vtap_test%d", NET_NAME_UNKNOWN, ether_setup);
	KUNIT_ASSERT_NOT_NULL(test, port->dev);
	port->dev->ifindex = T_IFINDEX;
	port->vn = &tn->vn;
	port->id.serial = U32_MAX;
	port->id.ifindex = T_IFINDEX;
	for (i = 0; i < ARRAY_SIZE(port->waits_up); i++)
		port->waits_up[i] = &vtap_test_nothing_waits;
	hash_init(tn->vn.port_index);
	hash_add(tn->vn.port_index, &port->node, T_IFINDEX);
	n = vtap_test_bytes(test, T_INNER, bytes);
	for (i = 0; i < ARRAY_SIZE(tn->skb); i++) {
		tn->skb[i] = vtap_test_skb(test, bytes, n);
		skb_set_network_header(tn->skb[i], ETH_HLEN);
		tn->skb[i]->skb_iif = T_IFINDEX;
	}
	put_page(test->priv);
	test->priv = tn;
	return 0;
}

static void vtap_test_note_exit(struct kunit *test)
{
	struct vtap_test_note *tn = test->priv;

	kfree_skb(tn->skb[0]);
	kfree_skb(tn->skb[1]);
	free_netdev(tn->port.dev);
}

/* A frame comes in. Return: whether @session is known to have it, which it is given then. */
static bool vtap_test_note_enter(struct vtap_test_note *tn, unsigned int which, u32 session)
{
	struct vtap_given *given;
	bool has = false;

	local_bh_disable();
	rcu_read_lock();
	if (vtap_note_enter(&tn->port, tn->skb[which], &given)) {
		has = vtap_given_has(given, session);
		vtap_given_add(given, session);
	}
	rcu_read_unlock();
	local_bh_enable();
	return has;
}

/* Return: whether the first frame, which goes out, is known to have been given to the session. */
static bool vtap_test_note_has(struct vtap_test_note *tn)
{
	struct vtap_given buf, *given;
	bool has;

	local_bh_disable();
	rcu_read_lock();
	given = vtap_note_find(&tn->port, tn->skb[0], &buf);
	has = given && vtap_given_has(given, T_SESSION);
	rcu_read_unlock();
	local_bh_enable();
	return has;
}

static void vtap_test_note_work(struct work_struct *work)
{
	vtap_test_note_enter(container_of(work, struct vtap_test_note, work), 0, T_SESSION);
}

/* A note is good for the task, or the run of the softirq, that wrote it. */
static void vtap_test_note_run(struct kunit *test)
{
	static const u32 hooks[] = { VTAP_HOOK_NONE, VTAP_HOOK_PACKET };
	struct vtap_test_note *tn = test->priv;
	const int cpu = raw_smp_processor_id();
	bool here, elsewhere;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(cpu)), 0);
	INIT_WORK(&tn->work, vtap_test_note_work);
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		/* with a hook, not the last note alone is looked at */
		tn->port.hook[VTAP_IN] = hooks[i];
		vtap_test_note_enter(tn, 1, T_SESSION);
		local_bh_disable();
		vtap_test_note_enter(tn, 0, T_SESSION);
		here = vtap_test_note_has(tn);
		local_bh_enable();
		vtap_test_note_enter(tn, 1, T_SESSION);
		schedule_work_on(cpu, &tn->work);
		flush_work(&tn->work);
		elsewhere = vtap_test_note_has(tn);
		KUNIT_EXPECT_TRUE(test, here);
		KUNIT_EXPECT_FALSE(test, elsewhere);
	}
}

/* What entered a queue once leaves it once, though later frames have the same memory and bytes. */
static void vtap_test_note_queue(struct kunit *test)
{
	const struct vtap_given given = { .n = 1, .who = { T_SESSION } };
	struct vtap_test_note *tn = test->priv;
	bool has[3];

	tn->port.queue_in = T_QUEUE;
	has[0] = vtap_test_note_enter(tn, 0, T_SESSION);
	vtap_test_note_enter(tn, 1, T_SESSION);
	local_bh_disable();
	vtap_note_send(tn->skb[0], T_QUEUE, &given);
	local_bh_enable();
	has[1] = vtap_test_note_enter(tn, 0, T_SESSION);
	vtap_test_note_enter(tn, 1, T_SESSION);
	has[2] = vtap_test_note_enter(tn, 0, T_SESSION);
	KUNIT_EXPECT_FALSE(test, has[0]);
	KUNIT_EXPECT_TRUE(test, has[1]);
	KUNIT_EXPECT_FALSE(test, has[2]);
}

static struct kunit_case vtap_test_notes_cases[] = {
	KUNIT_CASE(vtap_test_note_run),
	KUNIT_CASE(vtap_test_note_queue),
	{}
};

static struct kunit_suite vtap_test_notes = {
	.name = "vtap_notes",
	.init = vtap_test_note_init,
	.exit = vtap_test_note_exit,
	.test_cases = vtap_test_notes_cases,
};

kunit_test_suite(vtap_test_notes);
