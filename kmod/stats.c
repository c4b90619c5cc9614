// SPDX-License-Identifier: GPL-2.0
/* Per-CPU counters, summed up. */
#include <linux/string.h>

#include "stats.h"

/**
 * vtap_stats_read - sum up the counters of all CPUs
 * @stats: structures that begin as struct vtap_stats does
 * @sum: gets the sums
 * @n: how many counters, VTAP_STATS_MAX at most
 */
void vtap_stats_read(const void __percpu *stats, u64 *sum, unsigned int n)
{
	u64 now[VTAP_STATS_MAX];
	unsigned int start, i;
	int cpu;

	memset(sum, 0, n * sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const struct vtap_stats *st;

		st = per_cpu_ptr((const struct vtap_stats __percpu *)stats, cpu);
		do {
			start = u64_stats_fetch_begin(&st->syncp);
			for (i = 0; i < n; i++)
				now[i] = u64_stats_read(&st->v[i]);
		} while (u64_stats_fetch_retry(&st->syncp, start));
		for (i = 0; i < n; i++)
			sum[i] += now[i];
	}
}
