// SPDX-License-Identifier: GPL-2.0
/* Prepared skbs: the ring that they are kept in, and the proof that the kernel lets us do so. */
#include <linux/percpu.h>

#include "ring.h"

DEFINE_PER_CPU(struct vtap_ring, vtap_ring) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

/* The kernel's skbs behave as vtap_ring_companion() needs it; set before the first copy. */
bool vtap_ring_on __read_mostly;

/* The skb that showed that they do not; it stays, since nobody knows how to free it. */
struct sk_buff *vtap_ring_left;

static struct sk_buff *vtap_ring_master(gfp_t gfp)
{
	struct sk_buff *master = alloc_skb_fclone(VTAP_RING_ROOM, gfp);

	if (!master)
		return NULL;
	/* memory from the pfmemalloc reserves must not stay in the ring */
	if (skb_pfmemalloc(master)) {
		consume_skb(master);
		return NULL;
	}
	/* both halves of a pair are marked as cloned */
	master->cloned = 1;
	return master;
}

/* A slot that is not free may stay so for long: try the next one, and no other. */
noinline struct sk_buff *vtap_ring_advance(struct vtap_ring *r)
{
	struct sk_buff **slot;

	if (unlikely(!vtap_ring_on))
		return NULL;
	r->last = (r->last + 1) % VTAP_RING_SLOTS;
	slot = &r->slot[r->last];
	if (unlikely(!*slot))
		*slot = vtap_ring_master(GFP_ATOMIC | __GFP_NOWARN);
	return *slot ? vtap_ring_companion(*slot) : NULL;
}

static bool vtap_ring_counts(struct sk_buff *master, int pair, int data)
{
	struct sk_buff_fclones *fclones = container_of(master, struct sk_buff_fclones, skb1);

	return refcount_read(&fclones->fclone_ref) == pair &&
	       (atomic_read(&skb_shinfo(master)->dataref) & SKB_DATAREF_MASK) == data &&
	       refcount_read(&master->users) == 1;
}

/* All of a clone that a master without anything but data gives it. */
static bool vtap_ring_same(const struct sk_buff *a, const struct sk_buff *b)
{
	return a->head == b->head && a->data == b->data && a->tail == b->tail &&
	       a->end == b->end && a->len == b->len && a->data_len == b->data_len &&
	       a->truesize == b->truesize && a->cloned == b->cloned && a->nohdr == b->nohdr &&
	       a->fclone == b->fclone && a->hdr_len == b->hdr_len && a->sk == b->sk &&
	       a->next == b->next && a->prev == b->prev && a->destructor == b->destructor &&
	       a->_skb_refdst == b->_skb_refdst &&
	       refcount_read(&a->users) == refcount_read(&b->users);
}

/**
 * vtap_ring_prove - does the kernel treat a master and its companion as the ring needs it?
 * @k: the kernel's functions
 * @master: gets the skb that was tried, if the answer is no: nobody knows how to free it
 *
 * Return: NULL if it does, what it does otherwise, or -ENOMEM as an ERR_PTR().
 */
const char *vtap_ring_prove(const struct vtap_ring_kernel *k, struct sk_buff **master)
{
	void (*const free[])(struct sk_buff *skb) = { k->consume, k->kfree };
	struct sk_buff *m = vtap_ring_master(GFP_KERNEL), *skb, *other, theirs;
	unsigned int i;
	bool same;

	if (!m)
		return ERR_PTR(-ENOMEM);
	*master = m;
	if (m->fclone != SKB_FCLONE_ORIG || !vtap_ring_counts(m, 1, 1))
		return "a new skb is not alone in its pair";

	/* the kernel's own clone is the companion, and ours is like it */
	skb = k->clone(m, GFP_KERNEL);
	if (!skb)
		goto nomem;
	if (skb != &container_of(m, struct sk_buff_fclones, skb1)->skb2 ||
	    !vtap_ring_counts(m, 2, 2))
		return "a clone is not the other half of the pair";
	theirs = *skb;
	k->consume(skb);
	for (i = 0; i < ARRAY_SIZE(free); i++) {
		if (!vtap_ring_counts(m, 1, 1))
			return "a clone that is freed does not leave the pair as it was";
		skb = vtap_ring_companion(m);
		same = skb && vtap_ring_same(skb, &theirs) && skb_cloned(skb);
		free[i](skb);
		if (!same)
			return "a clone is not what the companion is";
	}

	/* whoever clones the companion keeps the data from being used again */
	skb = vtap_ring_companion(m);
	if (!skb)
		return "a companion that is freed does not leave the pair as it was";
	other = k->clone(skb, GFP_KERNEL);
	if (!other) {
		k->consume(skb);
		goto nomem;
	}
	if (other->fclone != SKB_FCLONE_UNAVAILABLE || !vtap_ring_counts(m, 2, 3))
		return "a clone of the companion does not count";
	k->consume(skb);
	if (!vtap_ring_counts(m, 1, 2) || vtap_ring_companion(m))
		return "a clone of the companion does not keep the data";
	k->consume(other);

	/* whoever gives the companion another head keeps it from being used again */
	skb = vtap_ring_companion(m);
	if (!skb)
		return "a clone of the companion that is freed keeps the data";
	if (pskb_expand_head(skb, 0, 0, GFP_KERNEL)) {
		k->consume(skb);
		goto nomem;
	}
	if (skb->head == m->head || !vtap_ring_counts(m, 2, 1) || vtap_ring_companion(m))
		return "a companion with a head of its own does not count";
	k->consume(skb);
	if (!vtap_ring_counts(m, 1, 1))
		return "a companion with a head of its own does not leave the pair as it was";
	consume_skb(m);
	*master = NULL;
	return NULL;

nomem:
	consume_skb(m);
	*master = NULL;
	return ERR_PTR(-ENOMEM);
}

static const struct vtap_ring_kernel vtap_ring_kernel = {
	.clone = skb_clone,
	.consume = consume_skb,
	.kfree = kfree_skb,
};

/**
 * vtap_ring_init - use the ring, if the kernel lets us; else all copies are allocated
 * @k: the kernel's functions as a test has them, or NULL
 *
 * Return: 0 or -ENOMEM.
 */
int vtap_ring_init(const struct vtap_ring_kernel *k)
{
	const char *why = vtap_ring_prove(k ?: &vtap_ring_kernel, &vtap_ring_left);

	if (IS_ERR(why))
		return PTR_ERR(why);
	vtap_ring_on = !why;
	if (why)
		pr_notice("vtap: copies are allocated one by one: in this kernel, %s\n", why);
	return 0;
}

/** vtap_ring_exit - free the rings; no copy is made any more, some may still be on their way */
void vtap_ring_exit(void)
{
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		for (i = 0; i < VTAP_RING_SLOTS; i++)
			consume_skb(per_cpu(vtap_ring, cpu).slot[i]);
	}
}
