// SPDX-License-Identifier: GPL-2.0
/* Print the kernel's decisions as they are made, from its trace point vtap:decide. */

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tracefs/tracefs.h>
#include <unistd.h>

#include "vtap.h"

#define INSTANCE	"vtap-trace-"	/* and the number of the process */
#define MAPPED		"[::ffff:"	/* how trace points have addresses of IPv4 */

static int fail(const char *what)
{
	err("trace -live: %s: %m", what);
	return REFUSED;
}

/* What a process left behind that was killed. */
static int remove_left(const char *name, void *data)
{
	struct tracefs_instance *instance;
	int pid;

	(void)data;
	if (sscanf(name, INSTANCE "%d", &pid) != 1 || !kill(pid, 0) || errno != ESRCH)
		return 0;
	instance = tracefs_instance_alloc(NULL, name);
	if (instance) {
		tracefs_instance_destroy(instance);
		tracefs_instance_free(instance);
	}
	return 0;
}

/* "COMMAND-PID [CPU] FLAGS SECONDS: decide: TEXT netns=NUMBER", or that events were lost. */
static void print_line(char *line)
{
	char *text = strstr(line, ": decide: "), *end, *when;

	if (!text) {
		err("trace -live: %s", line);
		return;
	}
	*text = '\0';
	when = strrchr(line, ' ');
	text += strlen(": decide: ");
	end = strstr(text, " netns=");
	if (end)
		*end = '\0';
	printf("%s ", when ? when + 1 : line);
	while ((end = strstr(text, MAPPED))) {
		printf("%.*s", (int)(end - text), text);
		text = end + strlen(MAPPED);
		end = strchr(text, ']');
		if (!end)
			break;
		printf("%.*s", (int)(end - text), text);
		text = end + 1;
	}
	puts(text);
	fflush(stdout);
}

/* Until a signal comes, which is blocked but for the time of waiting. */
static int print_lines(struct tracefs_instance *instance, const sigset_t *waiting)
{
	struct pollfd p = { .events = POLLIN };
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	FILE *f;
	int rc;

	p.fd = tracefs_instance_file_open(instance, "trace_pipe",
					  O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	f = p.fd < 0 ? NULL : fdopen(p.fd, "r");
	if (!f)
		return fail("trace_pipe");
	do {
		clearerr(f);
		while ((len = getline(&line, &size, f)) > 0) {
			line[len - 1] = '\0';
			print_line(line);
		}
	} while (errno == EAGAIN && ppoll(&p, 1, NULL, waiting) > 0);
	rc = errno == EINTR ? OK : fail("trace_pipe");
	free(line);
	fclose(f);
	return rc;
}

/* The decisions at a device of this network namespace alone. */
static int limit(struct tracefs_instance *instance, unsigned int ifindex, uint32_t dirs)
{
	char filter[128], dir[32] = "";
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		return fail("network namespace");
	if (dirs)
		snprintf(dir, sizeof(dir), " && dir == %d", dirs == VTAP_DIR_EGRESS);
	snprintf(filter, sizeof(filter), "netns == %lu && ifindex == %u%s",
		 (unsigned long)st.st_ino, ifindex, dir);
	if (tracefs_event_file_write(instance, "vtap", "decide", "filter", filter) < 0)
		return fail("vtap:decide, which module vtap has");
	return OK;
}

static void on_signal(int number)
{
	(void)number;	/* waiting ends */
}

/**
 * live_run - Print what is decided about frames at a port until a signal comes.
 * @port: The device's name.
 * @dirs: VTAP_DIR_*, or 0 for both.
 *
 * Return: OK, or REFUSED after printing why.
 */
int live_run(const char *port, uint32_t dirs)
{
	const struct sigaction end = { .sa_handler = on_signal };
	const unsigned int ifindex = if_nametoindex(port);
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct tracefs_instance *instance;
	sigset_t blocked, before;
	char name[32];
	int rc;

	if (!ifindex)
		return fail(port);
	sigemptyset(&blocked);
	for (size_t i = 0; i < MNL_ARRAY_SIZE(signals); i++) {
		sigaction(signals[i], &end, NULL);
		sigaddset(&blocked, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, &before);
	tracefs_instances_walk(remove_left, NULL);
	snprintf(name, sizeof(name), INSTANCE "%d", getpid());
	instance = tracefs_instance_create(name);
	if (!instance)
		return fail("tracefs");
	rc = limit(instance, ifindex, dirs);
	if (!rc && tracefs_event_enable(instance, "vtap", "decide"))
		rc = fail("vtap:decide");
	if (!rc)
		rc = print_lines(instance, &before);
	tracefs_instance_destroy(instance);
	tracefs_instance_free(instance);
	return rc;
}
