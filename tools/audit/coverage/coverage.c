// SPDX-License-Identifier: GPL-2.0
/*
 * Which basic blocks of vtap.ko ran: the other end of the calls that
 * -fsanitize-coverage=trace-pc puts there. It stays loaded while vtap.ko comes
 * and goes, so that what ran in between is not lost.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#define COVERAGE_SPAN	BIT(20)	/* around the function that runs at exit */
#define COVERAGE_SIZE	(PAGE_SIZE + COVERAGE_SPAN)

static unsigned long coverage_init_at, coverage_exit_at;
static u8 *coverage_map;	/* a page of what runs at init, then the rest */
static struct debugfs_blob_wrapper coverage_blob;
static struct dentry *coverage_dir;

void notrace __sanitizer_cov_trace_pc(void)
{
	unsigned long pc = (unsigned long)__builtin_return_address(0);
	unsigned long init = READ_ONCE(coverage_init_at), off;

	/* what runs at init has less than a page, and lies apart from the rest */
	if (unlikely((pc ^ init) < PAGE_SIZE)) {
		coverage_map[pc & ~PAGE_MASK] = 1;
		return;
	}
	off = pc - READ_ONCE(coverage_exit_at) + COVERAGE_SPAN / 2;
	if (off < COVERAGE_SPAN)
		coverage_map[PAGE_SIZE + off] = 1;
}
EXPORT_SYMBOL(__sanitizer_cov_trace_pc);

static int coverage_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = data;

	if (event == MODULE_STATE_COMING && !strcmp(mod->name, "vtap")) {
		WRITE_ONCE(coverage_init_at, (unsigned long)mod->init);
		WRITE_ONCE(coverage_exit_at, (unsigned long)mod->exit);
	}
	return NOTIFY_DONE;
}

static struct notifier_block coverage_nb = {
	.notifier_call = coverage_event,
};

static int __init coverage_init(void)
{
	coverage_map = vzalloc(COVERAGE_SIZE);
	if (!coverage_map)
		return -ENOMEM;
	coverage_blob.data = coverage_map;
	coverage_blob.size = COVERAGE_SIZE;
	coverage_dir = debugfs_create_dir("vtap_coverage", NULL);
	debugfs_create_blob("map", 0400, coverage_dir, &coverage_blob);
	return register_module_notifier(&coverage_nb);
}
module_init(coverage_init);

static void __exit coverage_exit(void)
{
	unregister_module_notifier(&coverage_nb);
	debugfs_remove_recursive(coverage_dir);
	vfree(coverage_map);
}
module_exit(coverage_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Basic blocks that ran in vtap.ko");
