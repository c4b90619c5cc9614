// SPDX-License-Identifier: GPL-2.0
/* Per-CPU counters, summed up. */
#include "rule.h"
#include "stats.h"

/**
 * vtap_port_read - sum up a port's counters
 * @port: the port
 * @v: gets them
 */
void vtap_port_read(const struct vtap_port *port, u64 v[VTAP_NDIR][__VTAP_PST_MAX])
{
	int cpu, dir, i;

	memset(v, 0, sizeof(*v) * VTAP_NDIR);
	for_each_possible_cpu(cpu) {
		const struct vtap_port_stats *st = per_cpu_ptr(port->stats, cpu);
		u64 now[VTAP_NDIR][__VTAP_PST_MAX];
		unsigned int start;

		do {
			start = u64_stats_fetch_begin(&st->syncp);
			for (dir = 0; dir < VTAP_NDIR; dir++) {
				for (i = 0; i < __VTAP_PST_MAX; i++)
					now[dir][i] = u64_stats_read(&st->v[dir][i]);
			}
		} while (u64_stats_fetch_retry(&st->syncp, start));
		for (dir = 0; dir < VTAP_NDIR; dir++) {
			for (i = 0; i < __VTAP_PST_MAX; i++)
				v[dir][i] += now[dir][i];
		}
	}
	/* not counted frame by frame */
	for (dir = 0; dir < VTAP_NDIR; dir++)
		v[dir][VTAP_PST_SEEN] = v[dir][VTAP_PST_MATCHED] + v[dir][VTAP_PST_UNMATCHED];
}

/**
 * vtap_rule_read - sum up a rule's counters
 * @rule: the rule
 * @packets: gets the frames
 * @bytes: gets their bytes
 */
void vtap_rule_read(const struct vtap_rule *rule, u64 *packets, u64 *bytes)
{
	int cpu;

	*packets = 0;
	*bytes = 0;
	for_each_possible_cpu(cpu) {
		const struct vtap_rule_stats *st = per_cpu_ptr(rule->stats, cpu);
		unsigned int start;
		u64 p, b;

		do {
			start = u64_stats_fetch_begin(&st->syncp);
			p = u64_stats_read(&st->packets);
			b = u64_stats_read(&st->bytes);
		} while (u64_stats_fetch_retry(&st->syncp, start));
		*packets += p;
		*bytes += b;
	}
}

/**
 * vtap_session_read - sum up a session's counters
 * @s: the session
 * @v: gets them
 */
void vtap_session_read(const struct vtap_session *s, u64 v[__VTAP_ST_MAX])
{
	int cpu, i;

	memset(v, 0, sizeof(*v) * __VTAP_ST_MAX);
	for_each_possible_cpu(cpu) {
		const struct vtap_session_stats *st = per_cpu_ptr(s->stats, cpu);
		u64 now[__VTAP_ST_MAX];
		unsigned int start;

		do {
			start = u64_stats_fetch_begin(&st->syncp);
			for (i = 0; i < __VTAP_ST_MAX; i++)
				now[i] = u64_stats_read(&st->v[i]);
		} while (u64_stats_fetch_retry(&st->syncp, start));
		for (i = 0; i < __VTAP_ST_MAX; i++)
			v[i] += now[i];
	}
}
