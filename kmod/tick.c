// SPDX-License-Identifier: GPL-2.0
/* Resolves sessions anew: those that an event concerns soon after it, and all of them in turn. */
#include <linux/rtnetlink.h>

#include "encap.h"
#include "look.h"
#include "loop.h"
#include "path.h"
#include "port.h"
#include "session.h"

#define VTAP_TICK_TURN		64	/* sessions that are looked at in a second */
#define VTAP_TICK_HOLD		32	/* sessions that are resolved before RTNL is released */

/* Whether it loops is found elsewhere, which only asks for a look. */
static bool vtap_tick_is_due(const struct vtap_session *s)
{
	return READ_ONCE(s->due) ||
	       (rtnl_dereference(s->tmpl) &&
		READ_ONCE(s->loops) != (s->state == VTAP_SESSION_STATE_LOOP));
}

/*
 * Resolve some of the sessions that are marked, behind the one with the serial number @last; RTNL.
 * Return: false when there are no more.
 */
static bool vtap_tick_some(struct vtap_net *vn, u32 *last)
{
	const struct vtap_tmpl *t;
	struct vtap_session *s;
	unsigned int n = 0;

	list_for_each_entry(s, &vn->sessions, list) {
		if ((s32)(s->serial - *last) <= 0 || !vtap_tick_is_due(s))
			continue;
		if (n++ == VTAP_TICK_HOLD)
			return true;
		WRITE_ONCE(s->due, false);
		vtap_session_refresh(s);
		t = rtnl_dereference(s->tmpl);
		if (t)
			vtap_port_left(vn, t->dev->ifindex);
		*last = s->serial;
	}
	return false;
}

/* RTNL is held for a few sessions at a time, however many are marked. */
static void vtap_tick_due(struct vtap_net *vn)
{
	const struct vtap_session *s;
	u32 last = 0;
	bool more;

	rtnl_lock();
	s = list_first_entry_or_null(&vn->sessions, struct vtap_session, list);
	if (s)
		last = s->serial - 1;
	do {
		more = vtap_tick_some(vn, &last);
		rtnl_unlock();
		cond_resched();
		if (more)
			rtnl_lock();
	} while (more);
}

static void vtap_tick_kick_work(struct work_struct *work)
{
	vtap_tick_due(container_of(work, struct vtap_net, kick.work));
}

/* Mark the sessions whose turn it is, for what no event tells; RTNL. */
static void vtap_tick_turn(struct vtap_net *vn)
{
	struct vtap_session *s;
	unsigned int n = 0;

	list_for_each_entry(s, &vn->sessions, list) {
		if (vn->n_sessions > VTAP_TICK_TURN && (s32)(s->serial - vn->turn) <= 0)
			continue;
		WRITE_ONCE(s->due, true);
		if (++n == VTAP_TICK_TURN) {
			vn->turn = s->serial;
			return;
		}
	}
	/* from the first one on */
	s = list_first_entry_or_null(&vn->sessions, struct vtap_session, list);
	if (s)
		vn->turn = s->serial - 1;
}

/* Copies leave by the devices of all sessions, whether these are resolved anew or not. */
static void vtap_tick_left(struct vtap_net *vn)
{
	const struct vtap_tmpl *t;
	struct vtap_session *s;

	rcu_read_lock();
	list_for_each_entry_rcu(s, &vn->sessions, list) {
		t = rcu_dereference(s->tmpl);
		if (t)
			vtap_port_left(vn, t->dev->ifindex);
	}
	rcu_read_unlock();
}

static void vtap_tick_work(struct work_struct *work)
{
	struct vtap_net *vn = container_of(work, struct vtap_net, tick.work);

	vtap_tick_left(vn);
	rtnl_lock();
	vtap_loop_tick(vn);
	vtap_tick_turn(vn);
	rtnl_unlock();
	vtap_tick_due(vn);
	vtap_port_recheck(vn);
	rtnl_lock();
	vtap_pmtu_follow(vn, vn->n_sessions);
	rtnl_unlock();
	if (READ_ONCE(vn->n_sessions))
		schedule_delayed_work(&vn->tick, VTAP_TICK);
}

/* A namespace's work; it begins with the first session. Return: 0 or a negative error. */
int vtap_tick_init_net(struct vtap_net *vn)
{
	INIT_DELAYED_WORK(&vn->tick, vtap_tick_work);
	INIT_DELAYED_WORK(&vn->kick, vtap_tick_kick_work);
	return vtap_look_init_net(vn);
}
