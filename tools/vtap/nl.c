// SPDX-License-Identifier: GPL-2.0
/* The netlink socket: requests, dumps, notifications and the kernel's errors. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vtap.h"

#define NL_DUMP_TRIES	100
#define NETNS_DIR	"/var/run/netns/"

static struct mnl_socket *nl;
static uint16_t nl_family;
static uint32_t nl_group;
static unsigned int nl_seq;
static const struct txn *nl_txn;		/* that is being sent */
static char nl_buf[128 * 1024];

/* Begin a message in a buffer. */
struct nlmsghdr *msg_put(void *buf, uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	genl->cmd = cmd;
	genl->version = VTAP_GENL_VERSION;
	return nlh;
}

struct nlmsghdr *msg_new(uint8_t cmd)
{
	return msg_put(check_mem(malloc(MSG_MAX)), cmd);
}

struct nlmsghdr *msg_dup(const struct nlmsghdr *nlh)
{
	return memcpy(check_mem(malloc(NLMSG_ALIGN(nlh->nlmsg_len))), nlh, nlh->nlmsg_len);
}

void msgs_add(struct msgs *m, struct nlmsghdr *nlh)
{
	/* grows at powers of two */
	if (!(m->n & (m->n + 1)))
		m->v = check_mem(realloc(m->v, 2 * (m->n + 1) * sizeof(*m->v)));
	m->v[m->n++] = nlh;
}

void msgs_free(struct msgs *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i]);
	free(m->v);
	*m = (struct msgs){};
}

uint8_t nl_cmd(const struct nlmsghdr *nlh)
{
	return ((struct genlmsghdr *)mnl_nlmsg_get_payload(nlh))->cmd;
}

/* The keyword of the attribute at an offset in a request, NULL for none. */
static const char *nl_attr_name(const struct nlmsghdr *req, uint32_t offset)
{
	const struct object *const *o = objects;

	if (nl_txn && nl_txn->nlh == req)
		return txn_blame(nl_txn, offset);
	while (*o && nl_cmd(req) >= (*o)->ntf)
		o++;
	if (!*o || req->nlmsg_type != nl_family)
		return NULL;
	return object_attr_name(*o, req,
				mnl_nlmsg_get_payload_offset(req, sizeof(struct genlmsghdr)),
				mnl_nlmsg_get_payload_len(req) - sizeof(struct genlmsghdr), offset);
}

/* The limits of a number that is out of range, as the kernel's policy has them. */
static void nl_limits(char *buf, size_t size, const struct nlattr *policy)
{
	const struct nlattr *a, *min = NULL, *max = NULL;

	mnl_attr_for_each_nested(a, policy) {
		if (mnl_attr_get_type(a) == NL_POLICY_TYPE_ATTR_MIN_VALUE_U)
			min = a;
		if (mnl_attr_get_type(a) == NL_POLICY_TYPE_ATTR_MAX_VALUE_U)
			max = a;
	}
	if (min && max)
		snprintf(buf, size, ": it is %llu to %llu",
			 (unsigned long long)mnl_attr_get_u64(min),
			 (unsigned long long)mnl_attr_get_u64(max));
}

/*
 * The kernel's text in an acknowledgment, or NULL; @name is set to the keyword it
 * is about, @limits to its range.
 */
static const char *nl_text(const struct nlmsghdr *req, const struct nlmsghdr *nlh,
			   unsigned int tlvs, const char **name, char *limits, size_t size)
{
	const struct nlattr *a;
	const char *msg = NULL;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	mnl_attr_for_each(a, nlh, tlvs) {
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
			msg = mnl_attr_get_str(a);
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_OFFS &&
		    mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
			*name = nl_attr_name(req, mnl_attr_get_u32(a));
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_POLICY)
			nl_limits(limits, size, a);
	}
	return msg;
}

/* The kernel's words for an attribute that the module does not take. */
static bool nl_is_unknown(const char *msg)
{
	return msg && (!strcmp(msg, "Unknown attribute type") ||
		       !strcmp(msg, "Unsupported attribute"));
}

/* Say what the kernel said. */
static void nl_report(const struct nlmsghdr *req, int error, const struct nlmsghdr *nlh,
		      unsigned int tlvs)
{
	char limits[64] = "";
	const char *name = NULL;
	const char *msg = nl_text(req, nlh, tlvs, &name, limits, sizeof(limits));
	const char *module;

	if (!msg && error == -EPERM)
		msg = "Operation not permitted: it takes CAP_NET_ADMIN, which root has";
	if (!msg && !error)
		return;
	if (error && nl_is_unknown(msg)) {
		/* the answer takes the place of this one */
		module = version_module();
		err("%s is unknown to the module, version %s, which is older than the tool, version %s",
		    name ? name : "the command", module ? module : "unknown", VTAP_VERSION);
		return;
	}
	if (!msg)
		msg = strerror(-error);
	if (!error) {
		err("warning: %s", msg);
		return;
	}
	if (name && !strstr(msg, name))
		err("%s: %s%s", name, msg, limits);
	else
		err("%s%s", msg, limits);
}

/* Send a request and read what answers it; -EINTR when a dump is not consistent. */
static int nl_exchange(struct nlmsghdr *req, nl_cb cb, void *data)
{
	bool dump = req->nlmsg_flags & NLM_F_DUMP;
	unsigned int portid = mnl_socket_get_portid(nl);
	const struct nlmsghdr *nlh;
	bool interrupted = false;
	const int *error;
	int len;

	req->nlmsg_seq = ++nl_seq;
	if (mnl_socket_sendto(nl, req, req->nlmsg_len) < 0) {
		err("netlink: %m");
		return REFUSED;
	}

	for (;;) {
		len = mnl_socket_recvfrom(nl, nl_buf, sizeof(nl_buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0) {
			err("netlink: %m");
			return REFUSED;
		}
		for (nlh = (void *)nl_buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_seq != nl_seq || nlh->nlmsg_pid != portid)
				continue;
			if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
				interrupted = true;
			error = mnl_nlmsg_get_payload(nlh);

			switch (nlh->nlmsg_type) {
			case NLMSG_ERROR:
				if (!*error) {
					nl_report(req, 0, nlh, sizeof(struct nlmsgerr));
					return OK;
				}
				if (!nl_family && *error == -ENOENT) {
					err("kernel module vtap is not loaded");
				} else {
					size_t tlvs = sizeof(struct nlmsgerr);

					if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
						tlvs += req->nlmsg_len - sizeof(*req);
					if (nl_txn && nl_txn->nlh == req &&
					    txn_passed(nl_txn, nlh, tlvs))
						return OK;
					nl_report(req, *error, nlh, tlvs);
				}
				return REFUSED;
			case NLMSG_DONE:
				if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*error) &&
				    *error < 0) {
					nl_report(req, *error, nlh, sizeof(*error));
					return REFUSED;
				}
				if (dump)
					return interrupted ? -EINTR : OK;
				break;
			default:
				if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && cb)
					cb(nlh, data);
			}
		}
	}
}

static void nl_family_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *a, *grp, *g;
	uint16_t *family = data;

	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_ID)
			*family = mnl_attr_get_u16(a);
		if (mnl_attr_get_type(a) != CTRL_ATTR_MCAST_GROUPS)
			continue;
		mnl_attr_for_each_nested(grp, a) {
			const char *name = "";
			uint32_t id = 0;

			mnl_attr_for_each_nested(g, grp) {
				if (mnl_attr_get_type(g) == CTRL_ATTR_MCAST_GRP_NAME)
					name = mnl_attr_get_str(g);
				if (mnl_attr_get_type(g) == CTRL_ATTR_MCAST_GRP_ID)
					id = mnl_attr_get_u32(g);
			}
			if (!strcmp(name, VTAP_MCGRP_MONITOR))
				nl_group = id;
		}
	}
}

static int nl_enter_netns(const char *name)
{
	char path[4096];
	int fd, rc;

	snprintf(path, sizeof(path), NETNS_DIR "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = fd < 0 ? -1 : setns(fd, CLONE_NEWNET);
	if (rc < 0)
		err("network namespace \"%s\": %m", name);
	if (fd >= 0)
		close(fd);
	return rc < 0 ? REFUSED : OK;
}

/* One socket serves the whole process, from its first request on. */
static int nl_open(void)
{
	uint16_t family = 0;
	struct nlmsghdr *req;
	int on = 1;
	int rc;

	if (nl_family)
		return OK;
	if (!nl) {
		if (opt.netns && nl_enter_netns(opt.netns))
			return REFUSED;
		nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
		if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
			err("netlink: %m");
			return REFUSED;
		}
		mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &on, sizeof(on));
		mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, &on, sizeof(on));
	}

	req = msg_new(CTRL_CMD_GETFAMILY);
	req->nlmsg_type = GENL_ID_CTRL;
	req->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	mnl_attr_put_strz(req, CTRL_ATTR_FAMILY_NAME, VTAP_GENL_NAME);
	rc = nl_exchange(req, nl_family_cb, &family);
	free(req);
	nl_family = family;
	return rc;
}

/**
 * nl_talk - Send a request and wait for its acknowledgment.
 * @cb: Called with each message of the reply, may be NULL.
 *
 * Return: OK, or REFUSED after telling why.
 */
int nl_talk(struct nlmsghdr *nlh, nl_cb cb, void *data)
{
	int rc = nl_open();

	if (rc)
		return rc;
	nlh->nlmsg_type = nl_family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	return nl_exchange(nlh, cb, data);
}

/* The same for a transaction, which may be longer than a socket takes by default. */
int nl_talk_txn(const struct txn *t, nl_cb cb, void *data)
{
	int size = t->nlh->nlmsg_len;
	int rc = nl_open();

	if (rc)
		return rc;
	if (size > 64 * 1024 &&
	    setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	nl_txn = t;
	rc = nl_talk(t->nlh, cb, data);
	nl_txn = NULL;
	return rc;
}

static void nl_dump_cb(const struct nlmsghdr *nlh, void *data)
{
	msgs_add(data, msg_dup(nlh));
}

/**
 * nl_dump_some - Get the objects that a request picks as they were at one moment.
 * @m: Starts empty; the caller frees it, after an error as well.
 *
 * Return: OK, or REFUSED after telling why.
 */
int nl_dump_some(struct nlmsghdr *req, struct msgs *m)
{
	int rc = nl_open();

	if (rc)
		return rc;
	req->nlmsg_type = nl_family;
	req->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	rc = -EINTR;
	for (int i = 0; rc == -EINTR && i < NL_DUMP_TRIES; i++) {
		msgs_free(m);
		rc = nl_exchange(req, nl_dump_cb, m);
	}
	if (rc == -EINTR) {
		err("the objects change faster than they can be listed");
		rc = REFUSED;
	}
	return rc;
}

/* The same for all objects of a kind. */
int nl_dump(uint8_t cmd, struct msgs *m)
{
	struct nlmsghdr *req = msg_new(cmd);
	int rc = nl_dump_some(req, m);

	free(req);
	return rc;
}

/* Call @cb with each notification; returns on errors only. */
int nl_monitor(nl_cb cb)
{
	const struct nlmsghdr *nlh;
	int size = 4 << 20;
	int rc = nl_open();
	int len;

	if (rc)
		return rc;
	/* best effort, the default holds some hundred events */
	setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &nl_group, sizeof(nl_group)) < 0) {
		err("cannot join group \"" VTAP_MCGRP_MONITOR "\": %m");
		return REFUSED;
	}
	for (;;) {
		len = mnl_socket_recvfrom(nl, nl_buf, sizeof(nl_buf));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == ENOBUFS) {
			err("events were lost");
			continue;
		}
		if (len < 0) {
			err("netlink: %m");
			return REFUSED;
		}
		for (nlh = (void *)nl_buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len))
			if (nlh->nlmsg_type == nl_family)
				cb(nlh, NULL);
	}
}
