// SPDX-License-Identifier: GPL-2.0
/* Messages: begun, copied and collected. */

#include <stdlib.h>
#include <string.h>

#include "vtap.h"

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

static void msgs_add(struct msgs *m, struct nlmsghdr *nlh)
{
	/* grows at powers of two */
	if (!(m->n & (m->n + 1)))
		m->v = check_mem(realloc(m->v, 2 * (m->n + 1) * sizeof(*m->v)));
	m->v[m->n++] = nlh;
}

/* An nl_cb that keeps a copy of each message; @data is the struct msgs. */
void msgs_keep(const struct nlmsghdr *nlh, void *data)
{
	msgs_add(data, msg_dup(nlh));
}

void msgs_free(struct msgs *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i]);
	free(m->v);
	*m = (struct msgs){};
}

uint8_t msg_cmd(const struct nlmsghdr *nlh)
{
	return ((struct genlmsghdr *)mnl_nlmsg_get_payload(nlh))->cmd;
}
