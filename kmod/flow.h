/* SPDX-License-Identifier: GPL-2.0 */
/* The keyed hash that tells flows apart. */
#ifndef _VTAP_FLOW_H
#define _VTAP_FLOW_H

#include <linux/types.h>

struct vtap_key;

extern u64 vtap_flow_secret;	/* written once, while the module is loaded */

u64 vtap_flow_seed(u64 seed);
u32 vtap_flow_hash(u64 seed, const struct vtap_key *key);
void vtap_flow_init(void);

#endif /* _VTAP_FLOW_H */
