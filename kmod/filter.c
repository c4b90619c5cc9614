// SPDX-License-Identifier: GPL-2.0
/* Filters: classic BPF programs as a further condition of rules. */
#include <linux/ctype.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/slab.h>

#include "vtap.h"

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
			NL_SET_ERR_MSG(extack, "filter-text has control characters");
			return ERR_PTR(-EINVAL);
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
