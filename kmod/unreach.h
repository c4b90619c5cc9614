/* SPDX-License-Identifier: GPL-2.0 */
/* ICMP errors about copies that collectors and routers sent. */
#ifndef _VTAP_UNREACH_H
#define _VTAP_UNREACH_H

#include <linux/in6.h>
#include <linux/spinlock.h>

struct vtap_session;

/**
 * struct vtap_unreach_error - what an ICMP error says
 * @from: its sender; an IPv4 address is the first word
 * @type: ICMP or ICMPv6 type
 * @code: ICMP or ICMPv6 code
 */
struct vtap_unreach_error {
	struct in6_addr from;
	u8 type;
	u8 code;
};

/**
 * struct vtap_unreach - the errors about the copies of a session
 * @lock: guards all below; taken in softirq
 * @errors: how many
 * @when: when the last one came, ktime_get_boottime(); 0 before the first
 * @last: the last one
 * @news: listeners have not been told yet
 */
struct vtap_unreach {
	spinlock_t lock;
	u64 errors;
	ktime_t when;
	struct vtap_unreach_error last;
	bool news;
};

void vtap_unreach_count(struct vtap_session *s, const struct vtap_unreach_error *e);
bool vtap_unreach_news(struct vtap_session *s);
void vtap_unreach_read(struct vtap_session *s, struct vtap_unreach *u);

#endif /* _VTAP_UNREACH_H */
