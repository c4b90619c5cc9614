// SPDX-License-Identifier: GPL-2.0
/* vtap capture: frames of ports, into files or to another program. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "pcapng.h"

#define FRAME_MAX	(64 * 1024 + 64)
#define BATCH		64	/* frames of one port and direction before it is others' turn */
#define SECONDS_MAX	(365 * 24 * 3600)
#define WAIT_MAX	3600	/* seconds */

/**
 * struct capture - What is captured, and where it goes.
 * @file: Name of the file, "-" for standard output; for strftime() if @seconds is not 0.
 * @seconds: After which the next file begins, 0 for never.
 * @files: The last file's number, 0 for no end.
 * @count: The last frame's number, 0 for no end.
 * @out: The present file.
 * @begun: Number of the present file.
 * @due: When the next one begins; CLOCK_MONOTONIC.
 * @frames: That were written.
 */
struct capture {
	struct capture_tap tap;
	const char *file;
	uint64_t seconds, files, count;
	FILE *out;
	uint64_t begun;
	time_t due;
	uint64_t frames;
};

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* What has been written gets to where it goes. A reader that has enough is no failure. */
static int out_flush(struct capture *c, bool *gone)
{
	if (!fflush(c->out) && !ferror(c->out))
		return OK;
	*gone = errno == EPIPE;
	if (*gone)
		return OK;
	err("%s: %m", c->file);
	return REFUSED;
}

/* Begin a file, whose interfaces are not known yet. */
static int file_open(struct capture *c)
{
	char name[4096];
	time_t t = time(NULL);

	c->begun++;
	if (!strcmp(c->file, "-")) {
		c->out = check_mem(fdopen(dup(STDOUT_FILENO), "w"));
		return OK;
	}
	if (c->seconds && !strftime(name, sizeof(name), c->file, localtime(&t)))
		return usage("the name of a file is too long");
	c->out = fopen(c->seconds ? name : c->file, "we");
	if (!c->out) {
		err("%s: %m", c->seconds ? name : c->file);
		return REFUSED;
	}
	c->due = now() + c->seconds;
	return OK;
}

static void file_begin(struct capture *c)
{
	pcapng_begin(c->out);
	for (size_t i = 0; i < c->tap.n_ports; i++)
		pcapng_interface(c->out, c->tap.ports[i]);
}

static int file_close(struct capture *c)
{
	int rc = OK;

	if (c->out && fclose(c->out) && errno != EPIPE) {
		err("%s: %m", c->file);
		rc = REFUSED;
	}
	c->out = NULL;
	return rc;
}

/* Write what has come from one feed. Return: OK; REFUSED when its device is no more. */
static int feed_read(struct capture *c, const struct feed *feed)
{
	static char frame[FRAME_MAX];
	struct timespec at;
	ssize_t len;

	for (int i = 0; i < BATCH && (!c->count || c->frames < c->count); i++) {
		len = read(feed->fd, frame, sizeof(frame));
		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return OK;
		if (len < 0) {
			err("%s: %m", feed->dev);
			return REFUSED;
		}
		clock_gettime(CLOCK_REALTIME, &at);
		pcapng_frame(c->out, feed->port, feed->dir == VTAP_DIR_EGRESS, &at, frame, len);
		c->frames++;
	}
	return OK;
}

/* Signals that end a capture. Return: to be read when one has come, or -1. */
static int signals_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		err("signalfd: %m");
	return fd;
}

static void tell_ports(const struct capture *c)
{
	fputs("vtap: capturing at", stderr);
	for (size_t i = 0; i < c->tap.n_ports; i++)
		fprintf(stderr, "%s %s", i ? "," : "", c->tap.ports[i]);
	fputs(" until interrupted\n", stderr);
}

/* Capture until a signal comes, or enough has been written. Return: OK or REFUSED. */
static int capture_loop(struct capture *c)
{
	const size_t n = c->tap.n_feeds + 2;
	struct pollfd *fds = check_mem(calloc(n, sizeof(*fds)));
	const int signals = signals_open();
	bool gone = false;
	int rc;

	fds[0] = (struct pollfd){ .fd = signals, .events = POLLIN };
	for (size_t i = 0; i < c->tap.n_feeds; i++)
		fds[i + 2] = (struct pollfd){ .fd = c->tap.feeds[i].fd, .events = POLLIN };
	file_begin(c);
	rc = signals < 0 ? REFUSED : out_flush(c, &gone);
	if (!rc)
		tell_ports(c);
	while (!rc && !gone && !fds[0].revents && (!c->count || c->frames < c->count)) {
		const time_t left = c->seconds ? c->due - now() : WAIT_MAX;
		const int wait = left < WAIT_MAX ? left : WAIT_MAX;

		if (left <= 0) {
			rc = file_close(c);
			if (rc || c->begun == c->files)
				break;
			rc = file_open(c);
			if (rc)
				break;
			file_begin(c);
			rc = out_flush(c, &gone);
			continue;
		}
		/* tells when nobody reads the pipe any more */
		fds[1] = (struct pollfd){ .fd = fileno(c->out) };
		if (poll(fds, n, 1000 * wait) < 0 && errno != EINTR) {
			err("poll: %m");
			rc = REFUSED;
		}
		gone = fds[1].revents & POLLERR;
		for (size_t i = 0; !rc && i < c->tap.n_feeds; i++)
			if (fds[i + 2].revents)
				rc = feed_read(c, &c->tap.feeds[i]);
		if (!rc && !gone)
			rc = out_flush(c, &gone);
	}
	if (signals >= 0)
		close(signals);
	free(fds);
	return rc;
}

/* Take the options; the other arguments are left in @argv. */
static int capture_parse(struct capture *c, char **argv)
{
	static const char options[] = "wcGW";
	uint64_t *const numbers[] = { NULL, &c->count, &c->seconds, &c->files };
	char **words = argv;
	const char *option;

	for (; *argv; argv++) {
		if (**argv != '-' || !argv[0][1]) {
			*words++ = *argv;
			continue;
		}
		option = argv[0][2] ? NULL : strchr(options, argv[0][1]);
		if (!option)
			return usage("\"%s\" is unknown to \"capture\", which has -w, -c, -G and -W",
				     *argv);
		if (!argv[1])
			return usage("\"%s\" requires a value", *argv);
		argv++;
		if (option == options) {
			c->file = *argv;
		} else {
			const uint64_t max = *option == 'G' ? SECONDS_MAX : UINT32_MAX;
			uint64_t *num = numbers[option - options];

			if (num_parse(*argv, max, num) || !*num)
				return usage("\"%s\" is not a valid value for \"-%c\": it is 1 to %"
					     PRIu64, *argv, *option, max);
		}
	}
	*words = NULL;
	if (c->files && !c->seconds)
		return usage("\"-W\" requires \"-G\", after whose seconds the next file begins");
	if (c->seconds && !strchr(c->file, '%'))
		return usage("\"-G\" requires \"-w\" with a file whose name has the time in it, as in %%H%%M%%S.pcapng");
	if (!strcmp(c->file, "-") && isatty(STDOUT_FILENO))
		return usage("a terminal cannot show a capture: write it to a file with -w, or to a program as in \"| tshark -r -\"");
	return OK;
}

/* Return: OK, also when it is interrupted; REFUSED or USAGE. */
int capture_run(char **argv)
{
	struct capture c = { .file = "-" };
	int rc = capture_parse(&c, argv);
	uint64_t lost;
	bool began;

	if (!rc)
		rc = capture_tap_words(&c.tap, argv);
	if (rc)
		return rc;
	signal(SIGPIPE, SIG_IGN);
	rc = capture_tap_open(&c.tap);
	/* a pipe takes until somebody reads it */
	if (!rc)
		rc = file_open(&c);
	began = !rc;
	if (!rc)
		rc = capture_loop(&c);
	lost = capture_tap_close(&c.tap);
	if (began)
		fprintf(stderr, "vtap: frames captured: %" PRIu64 ", lost: %" PRIu64 "\n", c.frames,
			lost);
	return file_close(&c) ? : rc;
}
