/* SPDX-License-Identifier: GPL-2.0 */
/* Devices and routes of the namespace, as rtnetlink has them. */
#ifndef VTAP_LINKS_H
#define VTAP_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct link - A device.
 * @master: Index of its master, 0 for none.
 * @ports: How many devices have it as their master.
 * @kind: As "ip link add type" has it; "" for a plain device.
 * @remote: Of a tunnel, the other end's address; @remote_len is 0 if it is not known.
 * @tunnel: Its packets leave by another device with further headers.
 */
struct link {
	int index, master;
	unsigned int flags, mtu, ports;
	char name[16], kind[16];
	uint8_t remote[16], remote_len;
	bool tunnel;
};

struct links {
	struct link *v;
	size_t n;
};

/* Where packets to an address go. */
struct route {
	int dev;
	uint8_t via[16], via_len;	/* 0 when the receiver is a neighbour */
	bool local;			/* an address of this host */
};

int links_get(struct links *l);
const struct link *link_find(const struct links *l, const char *name);
const struct link *link_by_index(const struct links *l, int index);
bool route_get(struct route *r, const void *dst, size_t len, int oif);

#endif
