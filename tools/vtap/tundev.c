// SPDX-License-Identifier: GPL-2.0
/* TAP devices of the tun driver, which are there as long as they are open. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_tun.h>

#include "tundev.h"
#include "vtap.h"

#define TUN		"/dev/net/tun"
#define QUEUE		10000	/* frames that wait to be read */
#define MTU_MAX		65521	/* of the driver */

/* Nothing but copies is to go out by it: no router solicitation either. */
static void no_ipv6(const char *name)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	/* without the file, there is no IPv6 */
	if (fd >= 0 && write(fd, "1", 1) < 0)
		err("%s: %m", path);
	if (fd >= 0)
		close(fd);
}

static int bring_up(const char *name)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {};
	int rc;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_qlen = QUEUE;
	rc = s < 0 ? -1 : ioctl(s, SIOCSIFTXQLEN, &ifr);
	ifr.ifr_mtu = MTU_MAX;
	if (!rc)
		rc = ioctl(s, SIOCSIFMTU, &ifr);
	ifr.ifr_flags = IFF_UP | IFF_NOARP;
	if (!rc)
		rc = ioctl(s, SIOCSIFFLAGS, &ifr);
	if (rc)
		err("%s: %m", name);
	if (s >= 0)
		close(s);
	return rc;
}

/**
 * tundev_open - Make a device that is up.
 * @name: May have %d for a number; set to the device's name.
 *
 * Return: What to read its frames from, without waiting; -1 after telling why there is none.
 */
int tundev_open(char name[IFNAMSIZ])
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open(TUN, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr)) {
		err(TUN ": %m");
	} else {
		memcpy(name, ifr.ifr_name, IFNAMSIZ);
		no_ipv6(name);
		if (!bring_up(name))
			return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Frames that were not read in time. */
uint64_t tundev_drops(const char *name)
{
	FILE *f = fopen("/proc/net/dev", "re");
	const size_t len = strlen(name);
	uint64_t drops = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		const char *p = line + strspn(line, " ");

		/* after 8 counters of receiving, packets, bytes and errors */
		if (!strncmp(p, name, len) && p[len] == ':')
			sscanf(p + len + 1, "%*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %" SCNu64,
			       &drops);
	}
	if (f)
		fclose(f);
	return drops;
}
