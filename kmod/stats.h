/* SPDX-License-Identifier: GPL-2.0 */
/* Per-CPU counters, summed up. */
#ifndef _VTAP_STATS_H
#define _VTAP_STATS_H

#include "port.h"
#include "session.h"

struct vtap_rule;

void vtap_port_read(const struct vtap_port *port, u64 v[VTAP_NDIR][__VTAP_PST_MAX]);
void vtap_rule_read(const struct vtap_rule *rule, u64 *packets, u64 *bytes);
void vtap_session_read(const struct vtap_session *s, u64 v[__VTAP_ST_MAX]);

#endif /* _VTAP_STATS_H */
