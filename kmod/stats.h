/* SPDX-License-Identifier: GPL-2.0 */
/* Per-CPU counters. */
#ifndef _VTAP_STATS_H
#define _VTAP_STATS_H

#include <linux/percpu.h>
#include <linux/u64_stats_sync.h>

#define VTAP_STATS_MAX	16	/* in one structure */

/**
 * struct vtap_stats - what every structure of per-CPU counters begins with
 * @syncp: readers see the counters as they are between two updates
 * @v: the counters
 */
struct vtap_stats {
	struct u64_stats_sync syncp;
	u64_stats_t v[];
};

void vtap_stats_read(const void __percpu *stats, u64 *sum, unsigned int n);

/* Add @n to counter number @i of this CPU; softirq. */
static __always_inline void vtap_stats_add(void __percpu *stats, unsigned int i, u64 n)
{
	struct vtap_stats *st = this_cpu_ptr((struct vtap_stats __percpu *)stats);

	u64_stats_update_begin(&st->syncp);
	u64_stats_add(&st->v[i], n);
	u64_stats_update_end(&st->syncp);
}

/* The same with two counters, which change together. */
static __always_inline void vtap_stats_add2(void __percpu *stats, unsigned int i, u64 n,
					    unsigned int j, u64 m)
{
	struct vtap_stats *st = this_cpu_ptr((struct vtap_stats __percpu *)stats);

	u64_stats_update_begin(&st->syncp);
	u64_stats_add(&st->v[i], n);
	u64_stats_add(&st->v[j], m);
	u64_stats_update_end(&st->syncp);
}

#endif /* _VTAP_STATS_H */
