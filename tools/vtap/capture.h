/* SPDX-License-Identifier: GPL-2.0 */
/* vtap capture: the tap that it makes, and what it reads from it. */
#ifndef VTAP_TOOL_CAPTURE_H
#define VTAP_TOOL_CAPTURE_H

#include <net/if.h>

#include "vtap.h"

/**
 * struct feed - Copies of one port in one direction.
 * @fd: To read them from.
 * @dev: The device that they are sent into.
 * @port: Number of the port in capture_tap.ports.
 * @dir: One of VTAP_DIR_*.
 */
struct feed {
	int fd;
	char dev[IFNAMSIZ];
	uint32_t port, dir;
};

/**
 * struct capture_tap - A tap whose copies this process reads.
 * @words: Message of the rule that the user gave, without action.
 * @name: Of the tap.
 * @ports: Names of the ports.
 */
struct capture_tap {
	struct nlmsghdr *words;
	char name[VTAP_NAME_MAX + 1];
	char (*ports)[IFNAMSIZ];
	size_t n_ports;
	struct feed *feeds;
	size_t n_feeds;
};

int capture_tap_words(struct capture_tap *t, char **words);
int capture_tap_open(struct capture_tap *t);
uint64_t capture_tap_close(struct capture_tap *t);

#endif
