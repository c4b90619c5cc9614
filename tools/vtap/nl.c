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
static char nl_buf[128 * 1024];

/* The limits of a number that is out of range, as the kernel's policy has them. */
static void nl_limits(struct nl_error *e, const struct nlattr *policy)
{
	const struct nlattr *a, *min = NULL, *max = NULL;

	mnl_attr_for_each_nested(a, policy) {
		if (mnl_attr_get_type(a) == NL_POLICY_TYPE_ATTR_MIN_VALUE_U)
			min = a;
		if (mnl_attr_get_type(a) == NL_POLICY_TYPE_ATTR_MAX_VALUE_U)
			max = a;
	}
	if (min && max)
		snprintf(e->limits, sizeof(e->limits), ": it is %llu to %llu",
			 (unsigned long long)mnl_attr_get_u64(min),
			 (unsigned long long)mnl_attr_get_u64(max));
}

/* Take the kernel's text, the offset and the limits out of an acknowledgment. */
static void nl_error_set(struct nl_error *e, int code, const struct nlmsghdr *nlh,
			 unsigned int tlvs)
{
	const struct nlattr *a;

	*e = (struct nl_error){ .code = code, .text = code ? strerror(code) : NULL };
	if (code == EPERM)
		e->text = "Operation not permitted: it takes CAP_NET_ADMIN, which root has";
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	mnl_attr_for_each(a, nlh, tlvs) {
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
			e->text = mnl_attr_get_str(a);
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_OFFS &&
		    mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
			e->offset = mnl_attr_get_u32(a);
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_POLICY)
			nl_limits(e, a);
	}
}

/* The kernel's words for an attribute that the module does not take. */
static bool nl_is_unknown(const char *msg)
{
	return !strcmp(msg, "Unknown attribute type") || !strcmp(msg, "Unsupported attribute");
}

/**
 * nl_report - Print what the kernel answered, if anything.
 * @name: Keyword of the attribute at @e->offset, perhaps with its value; NULL for none.
 */
void nl_report(const struct nl_error *e, const char *name)
{
	const char *module;
	size_t keyword = 0;

	if (!e->text)
		return;
	if (e->code && nl_is_unknown(e->text)) {
		/* the answer takes the place of this one */
		module = nl_module_version();
		err("%s is unknown to the module, version %s, which is older than the tool, version %s",
		    name ? name : "the command", module ? module : "unknown", VTAP_VERSION);
		return;
	}
	if (name)
		keyword = strcspn(name, " ");
	if (!e->code)
		err("warning: %s", e->text);
	else if (name && !strncmp(e->text, name, keyword) && e->text[keyword] == ' ')
		err("%s%s%s", name, e->text + keyword, e->limits);
	else if (name && (name[keyword] || !strstr(e->text, name)))
		err("%s: %s%s", name, e->text, e->limits);
	else
		err("%s%s", e->text, e->limits);
}

/* Send a request and read the answer; -EINTR when a dump is not consistent. */
static int nl_exchange(struct nlmsghdr *req, nl_cb cb, void *data, struct nl_error *e)
{
	bool dump = req->nlmsg_flags & NLM_F_DUMP;
	unsigned int portid = mnl_socket_get_portid(nl);
	const struct nlmsghdr *nlh;
	bool interrupted = false;
	const int *error;
	int len;

	*e = (struct nl_error){};
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
					nl_error_set(e, 0, nlh, sizeof(struct nlmsgerr));
					return OK;
				}
				if (!nl_family && *error == -ENOENT) {
					err("kernel module vtap is not loaded");
				} else {
					size_t tlvs = sizeof(struct nlmsgerr);

					if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
						tlvs += req->nlmsg_len - sizeof(*req);
					nl_error_set(e, -*error, nlh, tlvs);
				}
				return REFUSED;
			case NLMSG_DONE:
				if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*error) &&
				    *error < 0) {
					nl_error_set(e, -*error, nlh, sizeof(*error));
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
	struct nl_error e;
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
	rc = nl_exchange(req, nl_family_cb, &family, &e);
	nl_report(&e, NULL);
	free(req);
	nl_family = family;
	return rc;
}

/* The port id of the socket, which may own taps. Return: 0 after telling why there is none. */
uint32_t nl_portid(void)
{
	return nl_open() ? 0 : mnl_socket_get_portid(nl);
}

/**
 * nl_talk - Send a request and wait for its acknowledgment.
 * @cb: Called with each message of the reply, may be NULL.
 * @e: Set to what the kernel answered, for nl_report(); everything else is printed here.
 *
 * A message may be longer than a socket takes by default.
 *
 * Return: OK or REFUSED.
 */
int nl_talk(struct nlmsghdr *nlh, nl_cb cb, void *data, struct nl_error *e)
{
	int size = nlh->nlmsg_len;
	int rc = nl_open();

	*e = (struct nl_error){};
	if (rc)
		return rc;
	if (size > 64 * 1024 &&
	    setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	nlh->nlmsg_type = nl_family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	return nl_exchange(nlh, cb, data, e);
}

static void version_cb(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *a;
	char **version = data;

	mnl_attr_for_each(a, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == VTAP_A_MODULE_VERSION && !*version)
			*version = check_mem(strdup(mnl_attr_get_str(a)));
}

/* The module's version; NULL when it is not loaded, which asking its family would change. */
const char *nl_module_version(void)
{
	static char *version;
	struct nlmsghdr *req;
	struct nl_error e;

	if (version || access("/sys/module/vtap", F_OK))
		return version;
	req = msg_new(VTAP_CMD_MODULE_GET);
	nl_talk(req, version_cb, &version, &e);
	free(req);
	return version;
}

/**
 * nl_dump_some - Get the objects that a request picks as they were at one moment.
 * @m: Starts empty; the caller frees it, after an error as well.
 * @e: As in nl_talk().
 *
 * Return: OK or REFUSED.
 */
int nl_dump_some(struct nlmsghdr *req, struct msgs *m, struct nl_error *e)
{
	int rc = nl_open();

	*e = (struct nl_error){};
	if (rc)
		return rc;
	req->nlmsg_type = nl_family;
	req->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	rc = -EINTR;
	for (int i = 0; rc == -EINTR && i < NL_DUMP_TRIES; i++) {
		msgs_free(m);
		rc = nl_exchange(req, msgs_keep, m, e);
	}
	if (rc == -EINTR) {
		err("the objects change faster than they can be listed");
		rc = REFUSED;
	}
	return rc;
}

/* The same for all objects of a kind; errors are printed. */
int nl_dump(uint8_t cmd, struct msgs *m)
{
	struct nlmsghdr *req = msg_new(cmd);
	struct nl_error e;
	int rc = nl_dump_some(req, m, &e);

	nl_report(&e, NULL);
	free(req);
	return rc;
}

/* Call @cb with each notification; returns on errors only. */
int nl_monitor(nl_cb cb, void *data)
{
	const struct nlmsghdr *nlh;
	int size = 4 << 20;
	int rc = nl_open();
	int len;

	if (rc)
		return rc;
	/* best effort; the default size holds a few hundred events */
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
			err("some events were lost: they came faster than they were read");
			continue;
		}
		if (len < 0) {
			err("netlink: %m");
			return REFUSED;
		}
		for (nlh = (void *)nl_buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len))
			if (nlh->nlmsg_type == nl_family)
				cb(nlh, data);
	}
}
