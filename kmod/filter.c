// SPDX-License-Identifier: GPL-2.0
/* Filters: classic BPF programs as a further condition of rules. */
#include <linux/ctype.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/slab.h>

#include "extack.h"
#include "rule.h"

/* bytes that a filter sees of a packet with a made-up Ethernet header */
#define VTAP_FILTER_SEEN	2048

/**
 * vtap_filter_new - check and prepare a program
 * @insns: the program
 * @n: number of its instructions, VTAP_FILTER_MAX at most
 * @text: what it was compiled from, or ""
 * @extack: gets the reason when refused
 *
 * Return: a filter with a reference, or -EINVAL or -ENOMEM as an ERR_PTR().
 */
struct vtap_filter *vtap_filter_new(const struct sock_filter *insns, unsigned int n,
				    const char *text, struct netlink_ext_ack *extack)
{
	struct sock_fprog_kern prog = { .len = n };
	struct vtap_filter *filter;
	const char *p;
	int err;

	for (p = text; *p; p++) {
		if (iscntrl(*p)) {
			return ERR_PTR(vtap_refuse(extack, -EINVAL,
						   "filter-text has control characters"));
		}
	}
	filter = kzalloc(struct_size(filter, insns, n), GFP_KERNEL_ACCOUNT);
	if (!filter)
		return ERR_PTR(-ENOMEM);
	refcount_set(&filter->ref, 1);
	filter->n = n;
	memcpy(filter->insns, insns, n * sizeof(*insns));
	if (*text) {
		filter->text = kstrdup(text, GFP_KERNEL_ACCOUNT);
		if (!filter->text) {
			kfree(filter);
			return ERR_PTR(-ENOMEM);
		}
	}
	prog.filter = filter->insns;
	err = bpf_prog_create(&filter->prog, &prog);
	if (err) {
		if (err == -EINVAL)
			NL_SET_ERR_MSG(extack, "the kernel's checker refuses the filter");
		kfree(filter->text);
		kfree(filter);
		return ERR_PTR(err);
	}
	return filter;
}

/**
 * vtap_filter_get - one more user
 * @filter: a filter, or NULL
 *
 * Return: @filter.
 */
struct vtap_filter *vtap_filter_get(struct vtap_filter *filter)
{
	if (filter)
		refcount_inc(&filter->ref);
	return filter;
}

/**
 * vtap_filter_put - one user less; any context
 * @filter: a filter that no packet can see any more if this is the last user, or NULL
 */
void vtap_filter_put(struct vtap_filter *filter)
{
	if (!filter || !refcount_dec_and_test(&filter->ref))
		return;
	bpf_prog_destroy(filter->prog);
	kfree(filter->text);
	kfree(filter);
}

/**
 * vtap_filter_bare - run a program on a packet whose Ethernet header is in its key alone
 * @filter: a filter
 * @f: parsed frame; softirq, RCU read side
 *
 * The packet has no room for the Ethernet header that programs expect, so they run on a copy. The
 * copy is as long as the packet, but a program cannot load bytes behind VTAP_FILTER_SEEN, which
 * only super-frames have: then, and when memory is short, there is no match.
 *
 * Return: true when it matches.
 */
bool vtap_filter_bare(const struct vtap_filter *filter, const struct vtap_frame *f)
{
	const unsigned int n = min_t(unsigned int, f->len, VTAP_FILTER_SEEN);
	struct sk_buff *skb = alloc_skb(n, GFP_ATOMIC | __GFP_NOWARN);
	bool ok = false;

	if (!skb)
		return false;
	skb_put_data(skb, &f->key.eth, ETH_HLEN);
	if (n <= ETH_HLEN || !skb_copy_bits(f->skb, f->mac + ETH_HLEN,
					    skb_put(skb, n - ETH_HLEN), n - ETH_HLEN)) {
		skb->dev = f->skb->dev;
		skb->mark = f->skb->mark;
		skb->pkt_type = f->skb->pkt_type;
		skb->protocol = f->key.proto;
		skb_reset_mac_header(skb);
		skb_set_network_header(skb, ETH_HLEN);
		if (skb_vlan_tag_present(f->skb))
			__vlan_hwaccel_put_tag(skb, f->skb->vlan_proto, skb_vlan_tag_get(f->skb));
		skb->len += f->len - n;
		skb->data_len = f->len - n;
		ok = bpf_prog_run_clear_cb(filter->prog, skb);
		skb->len = n;
		skb->data_len = 0;
	}
	kfree_skb(skb);
	return ok;
}
