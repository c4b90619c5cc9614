// SPDX-License-Identifier: GPL-2.0
/*
 * Notes of what has been decided about a frame, so that a session gets it once
 * on its way through the host.
 *
 * A frame is known again by its memory, and only where nothing else can be there.
 * While the CPU that received it is still busy with it, in the same run of the
 * softirq, its skb or its data will do: whatever was rewritten, cloned or
 * reallocated, one of them has survived.
 *
 * Where a frame waits in a queue on its way (between the ends of a veth pair, for
 * instance), all that enters the queue is noted, and what leaves it is known by its
 * data and a keyed digest of the packet in it. What is not known again counts as
 * not copied.
 */
#include <linux/if_macvlan.h>
#include <linux/interrupt.h>
#include <linux/kernel_stat.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "note.h"

#define VTAP_HOP_BITS	8
#define VTAP_HOP_WAYS	4
#define VTAP_HOP_BYTES	64	/* of the packet in the digest; its length and its end are too */
#define VTAP_NOTE_UPPERS 4	/* devices above a port that are looked through */

/**
 * struct vtap_hop - a frame that is about to wait in a queue; all under vtap_hop_set.lock
 * @queue: which queue, VTAP_QUEUE_* or an ifindex
 * @depth: nesting of transmissions at that time
 * @head: the frame's data, or NULL when the frame has been found again; only compared
 * @digest: of the packet
 * @given: what has been decided about it
 */
struct vtap_hop {
	int queue;
	int depth;
	const unsigned char *head;
	u64 digest;
	struct vtap_given given;
};

/**
 * struct vtap_hop_set - the last frames of a hash value
 * @lock: of all others
 * @next: the oldest of @hop
 * @hop: the frames
 */
struct vtap_hop_set {
	spinlock_t lock;
	unsigned int next;
	struct vtap_hop hop[VTAP_HOP_WAYS];
};

/**
 * struct vtap_note - a frame that came in by a port
 * @skb: its skb; only compared
 * @head: its data; only compared
 * @id: of the port
 * @processed: frames that this CPU had received by then, this one included
 * @run: vtap_note_run() at that time
 * @given: what has been decided about it
 */
struct vtap_note {
	const struct sk_buff *skb;
	const unsigned char *head;
	struct vtap_port_id id;
	u32 processed;
	unsigned long run;
	struct vtap_given given;
};

/**
 * struct vtap_notes - the last frames that came in on this CPU
 * @last: the latest of @note
 * @lock: of @last, against other softirqs on PREEMPT_RT
 * @note: a ring
 */
struct vtap_notes {
	struct vtap_note *last;
	local_lock_t lock;
	struct vtap_note note[VTAP_NOTES];
};

static struct vtap_notes __percpu *vtap_notes;

DEFINE_PER_CPU(u32, vtap_note_processed);

static struct vtap_hop_set *vtap_hops;
static siphash_key_t vtap_note_key;

/*
 * What this CPU is busy with. Frames that were set aside (for NFQUEUE, or while they
 * were decrypted) go on in another run, or in another task, and perhaps on another
 * CPU than the one that has their note.
 */
static __always_inline unsigned long vtap_note_run(void)
{
	const unsigned int *runs = this_cpu_ptr(kstat.softirqs);

	if (!in_serving_softirq())
		return (unsigned long)current;
	return (u32)(runs[NET_RX_SOFTIRQ] + runs[NET_TX_SOFTIRQ] + runs[TASKLET_SOFTIRQ] +
		     runs[TIMER_SOFTIRQ]);
}

static struct vtap_hop_set *vtap_note_hops(const struct sk_buff *skb, int queue)
{
	return &vtap_hops[hash_64((unsigned long)skb->head + queue, VTAP_HOP_BITS)];
}

/* The frame that is under the same memory in the same queue: there is one at most. */
static struct vtap_hop *vtap_note_hop(struct vtap_hop_set *set, const struct sk_buff *skb,
				      int queue)
{
	struct vtap_hop *hop;

	for (hop = set->hop; hop < set->hop + VTAP_HOP_WAYS; hop++) {
		if (READ_ONCE(hop->head) == skb->head && READ_ONCE(hop->queue) == queue)
			return hop;
	}
	return NULL;
}

/* From the IP header on: MAC addresses and tags may change between two ends. 0 for none. */
static u64 vtap_note_digest(const struct sk_buff *skb)
{
	const int off = skb_network_offset(skb), linear = (int)skb_headlen(skb) - off;
	const u8 *p = skb_network_header(skb);
	u64 tail = 0;

	if (!skb_mac_header_was_set(skb) || linear < (int)sizeof(tail))
		return 0;
	memcpy(&tail, p + linear - sizeof(tail), sizeof(tail));
	return siphash_3u64(siphash(p, min(linear, VTAP_HOP_BYTES), &vtap_note_key),
			    (u64)(skb->len - off) << 32 | skb_shinfo(skb)->gso_size, tail,
			    &vtap_note_key) ?: 1;
}

/**
 * vtap_note_send - a frame is about to wait in a queue, or to pass several devices
 * @skb: the frame
 * @queue: which queue, VTAP_QUEUE_* or an ifindex
 * @given: what has been decided about it
 */
void vtap_note_send(const struct sk_buff *skb, int queue, const struct vtap_given *given)
{
	struct vtap_hop_set *set = vtap_note_hops(skb, queue);
	u64 digest = vtap_note_digest(skb);
	struct vtap_hop *hop;

	spin_lock(&set->lock);
	hop = vtap_note_hop(set, skb, queue) ?: &set->hop[set->next++ % VTAP_HOP_WAYS];
	WRITE_ONCE(hop->head, digest ? skb->head : NULL);
	WRITE_ONCE(hop->queue, queue);
	hop->digest = digest;
	hop->depth = dev_recursion_level();
	vtap_given_copy(&hop->given, given);
	spin_unlock(&set->lock);
}

/*
 * Has the frame come by this queue? It has left the queue then, but for VTAP_QUEUE_NESTED,
 * whose frames were noted in an outer transmission of this call chain.
 */
static bool vtap_note_receive(const struct sk_buff *skb, int queue, struct vtap_given *given)
{
	struct vtap_hop_set *set = vtap_note_hops(skb, queue);
	bool nested = queue == VTAP_QUEUE_NESTED, found = false;
	struct vtap_hop *hop;
	u64 digest;

	if (!vtap_note_hop(set, skb, queue))
		return false;
	digest = vtap_note_digest(skb);
	spin_lock(&set->lock);
	hop = vtap_note_hop(set, skb, queue);
	if (hop && digest && hop->digest == digest &&
	    (!nested || hop->depth < dev_recursion_level())) {
		vtap_given_copy(given, &hop->given);
		if (!nested)
			WRITE_ONCE(hop->head, NULL);
		found = true;
	}
	spin_unlock(&set->lock);
	return found;
}

/*
 * Has the frame of a note come up from its port to @dev, and nothing else been
 * received since? Each device on the way adds one to the CPU's count of frames
 * received; a VRF does not.
 */
static bool vtap_note_is_below(const struct vtap_net *vn, const struct vtap_note *note,
			       const struct net_device *dev)
{
	const struct vtap_port *port = vtap_port_by_index(vn, note->id.ifindex);
	u32 rounds = __this_cpu_read(softnet_data.processed) - note->processed;
	const struct net_device *master;
	int i;

	if (!port || port->id.serial != note->id.serial || note->run != vtap_note_run())
		return false;
	master = netdev_master_upper_dev_get_rcu(port->dev);
	for (i = 0; i < VTAP_NOTE_UPPERS && dev != port->dev; i++) {
		if (is_vlan_dev(dev))
			dev = vlan_dev_real_dev(dev);
		else if (netif_is_macvlan(dev))
			dev = macvlan_dev_real_dev(dev);
		else if (dev == master && netif_is_l3_master(dev))
			return !rounds;
		else if (dev == master)
			dev = port->dev;
		else
			return false;
		rounds--;
	}
	return dev == port->dev && !rounds;
}

/* What was decided about a frame before it came in by @port. @last: its note, or NULL. */
static noinline void vtap_note_renew(const struct vtap_port *port, const struct sk_buff *skb,
				     const struct vtap_note *last, struct vtap_given *given)
{
	if (last && vtap_note_is_below(port->vn, last, port->dev))
		vtap_given_copy(given, &last->given);
	else if (port->queue_in)
		vtap_note_receive(skb, port->queue_in, given);
}

/**
 * vtap_note_enter - note that a frame came in by a port
 * @port: the port
 * @skb: the frame
 * @given: gets what has been decided about the frame, to be added to
 *
 * Every frame that comes in writes a note, so that an older one under the same
 * memory is never taken for its own. Softirq, RCU read side.
 *
 * Return: false when this port has seen the frame already, by the hook that is
 * being replaced.
 */
noinline bool vtap_note_enter(const struct vtap_port *port, const struct sk_buff *skb,
			      struct vtap_given **given)
{
	const u32 processed = __this_cpu_read(softnet_data.processed);
	const struct vtap_note *last;
	struct vtap_notes *notes;
	struct vtap_note *note;
	bool again = false;

	local_lock_nested_bh(&vtap_notes->lock);
	notes = this_cpu_ptr(vtap_notes);
	last = notes->last;
	if (likely(last->id.serial == port->id.serial)) {
		if (unlikely(last->processed == processed) &&
		    (last->skb == skb || last->head == skb->head)) {
			local_unlock_nested_bh(&vtap_notes->lock);
			return false;
		}
	} else {
		again = last->skb == skb || last->head == skb->head;
	}
	note = notes->last + 1;
	if (unlikely(note == notes->note + VTAP_NOTES))
		note = notes->note;
	notes->last = note;
	vtap_given_clear(&note->given);
	if (unlikely(again || port->queue_in))
		vtap_note_renew(port, skb, again ? last : NULL, &note->given);
	note->skb = skb;
	note->head = skb->head;
	note->id = port->id;
	note->processed = processed;
	__this_cpu_write(vtap_note_processed, processed);
	note->run = vtap_note_run();
	local_unlock_nested_bh(&vtap_notes->lock);
	*given = &note->given;
	return true;
}

/*
 * Frames may be handed over in batches, so that the note is not the last one. The
 * skb is that of the note when it and its data are: only a handler of the port
 * itself makes copies that could have got both from an older frame.
 */
static struct vtap_note *vtap_note_search(const struct vtap_port *in, const struct sk_buff *skb)
{
	struct vtap_notes *notes = this_cpu_ptr(vtap_notes);
	struct vtap_note *note = notes->last;
	unsigned int i;

	if (rcu_access_pointer(in->dev->rx_handler))
		return NULL;
	for (i = 0; i < VTAP_NOTES; i++) {
		if (note->skb == skb)
			break;
		note = note == notes->note ? notes->note + VTAP_NOTES - 1 : note - 1;
	}
	return note->skb == skb && note->head == skb->head &&
	       note->id.serial == in->id.serial && note->run == vtap_note_run() ? note : NULL;
}

/* The note of a frame that was last received from the device @ifindex, whose port is @in. */
static struct vtap_note *vtap_note_of(const struct vtap_net *vn, const struct sk_buff *skb,
				      int ifindex, const struct vtap_port *in)
{
	struct vtap_note *last = this_cpu_ptr(vtap_notes)->last;
	const struct net_device *dev;

	/* too much was received since */
	if (__this_cpu_read(softnet_data.processed) - last->processed >= VTAP_NOTES)
		return NULL;
	dev = in ? in->dev : dev_get_by_index_rcu(vn->net, ifindex);
	if (!dev)
		return NULL;
	if ((last->skb == skb || last->head == skb->head) && vtap_note_is_below(vn, last, dev))
		return last;
	/* a VLAN device receives from one other device only */
	while (!in && is_vlan_dev(dev)) {
		dev = vlan_dev_real_dev(dev);
		in = vtap_port_by_index(vn, dev->ifindex);
	}
	return in && in->hook[VTAP_IN] != VTAP_HOOK_NONE ? vtap_note_search(in, skb) : NULL;
}

/**
 * vtap_note_find - what has been decided about a frame that is going out
 * @port: the port
 * @skb: the frame
 * @buf: for the answer, where it does not stand in a note of its own
 *
 * A frame without a note, as of one that the host itself sends, has been seen before only in
 * an outer transmission, by a device that is stacked on this port.
 *
 * Return: what has been decided, to be added to, or NULL when the frame is not known.
 */
noinline struct vtap_given *vtap_note_find(const struct vtap_port *port,
					   const struct sk_buff *skb, struct vtap_given *buf)
{
	const struct vtap_port *in;
	struct vtap_note *note;

	if (skb->skb_iif) {
		in = vtap_port_by_index(port->vn, skb->skb_iif);
		note = vtap_note_of(port->vn, skb, skb->skb_iif, in);
		if (note)
			return &note->given;
		/* tc set it aside, and gave it back behind the hook of the port */
		if (in && rcu_access_pointer(*in->waits_up[1]) &&
		    vtap_note_receive(skb, READ_ONCE(in->queue_up), buf))
			return buf;
	}
	return dev_recursion_level() && vtap_note_receive(skb, VTAP_QUEUE_NESTED, buf) ? buf : NULL;
}

/* Memory for notes. Return: 0 or -ENOMEM. */
int vtap_note_init(void)
{
	unsigned int i;
	int cpu;

	vtap_hops = vzalloc(array_size(sizeof(*vtap_hops), 1 << VTAP_HOP_BITS));
	vtap_notes = alloc_percpu(struct vtap_notes);
	if (!vtap_hops || !vtap_notes) {
		vtap_note_exit();
		return -ENOMEM;
	}
	get_random_bytes(&vtap_note_key, sizeof(vtap_note_key));
	for (i = 0; i < 1 << VTAP_HOP_BITS; i++)
		spin_lock_init(&vtap_hops[i].lock);
	for_each_possible_cpu(cpu) {
		struct vtap_notes *notes = per_cpu_ptr(vtap_notes, cpu);

		notes->last = notes->note;
		local_lock_init(&notes->lock);
	}
	return 0;
}

/** vtap_note_exit - no port is left */
void vtap_note_exit(void)
{
	free_percpu(vtap_notes);
	vfree(vtap_hops);
}
