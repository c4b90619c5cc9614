// SPDX-License-Identifier: GPL-2.0
/* ICMP errors about copies that collectors and routers sent: a session counts them. */
#include <linux/ktime.h>

#include "look.h"
#include "session.h"

/* After so long without an error, listeners are told of the next one. */
#define VTAP_UNREACH_QUIET	(60 * NSEC_PER_SEC)

/* An error quotes a copy of this session; softirq, RCU read side. */
void vtap_unreach_count(struct vtap_session *s, const struct vtap_unreach_error *e)
{
	struct vtap_unreach *u = &s->unreach;
	const ktime_t now = ktime_get_boottime();
	bool news;

	spin_lock_bh(&u->lock);
	news = !u->errors || ktime_sub(now, u->when) > VTAP_UNREACH_QUIET;
	u->errors++;
	u->when = now;
	u->last = *e;
	u->news |= news;
	spin_unlock_bh(&u->lock);
	/* events take RTNL */
	if (news)
		vtap_look_session(s);
}

/* Do listeners have to be told? Return: true once for each time that they have to. */
bool vtap_unreach_news(struct vtap_session *s)
{
	struct vtap_unreach *u = &s->unreach;
	bool news;

	spin_lock_bh(&u->lock);
	news = u->news;
	u->news = false;
	spin_unlock_bh(&u->lock);
	return news;
}

/* All that is known, in @u. */
void vtap_unreach_read(struct vtap_session *s, struct vtap_unreach *u)
{
	spin_lock_bh(&s->unreach.lock);
	u->errors = s->unreach.errors;
	u->when = s->unreach.when;
	u->last = s->unreach.last;
	spin_unlock_bh(&s->unreach.lock);
}
