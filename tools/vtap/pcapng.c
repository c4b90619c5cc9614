// SPDX-License-Identifier: GPL-2.0
/* Captures in the format pcapng: of each frame its interface, direction and time. */

#include <string.h>

#include "pcapng.h"
#include "../../kmod/version.h"

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, FRAME = 6 };	/* blocks */
/* options */
enum { END, IF_NAME = 2, FRAME_FLAGS = 2, SECTION_PROGRAM = 4, IF_TSRESOL = 9 };
enum { ETHERNET = 1, INBOUND = 1, OUTBOUND = 2, NANOSECONDS = 9 };

static uint32_t padded(uint32_t len)
{
	return (len + 3) & ~3u;
}

static void put(FILE *f, const void *data, uint32_t len)
{
	static const char pad[3];

	fwrite(data, 1, len, f);
	fwrite(pad, 1, padded(len) - len, f);
}

static void put16(FILE *f, uint16_t first, uint16_t second)
{
	const uint16_t both[] = { first, second };

	put(f, both, sizeof(both));
}

static void put32(FILE *f, uint32_t val)
{
	put(f, &val, sizeof(val));
}

static void put_option(FILE *f, uint16_t code, const void *val, uint16_t len)
{
	put16(f, code, len);
	put(f, val, len);
}

/* The beginning of a file. */
void pcapng_begin(FILE *f)
{
	static const char program[] = "vtap " VTAP_VERSION;
	const uint32_t n = strlen(program), len = 28 + 4 + padded(n) + 4;

	put32(f, SECTION);
	put32(f, len);
	put32(f, 0x1a2b3c4d);	/* tells the byte order */
	put16(f, 1, 0);		/* version */
	put32(f, UINT32_MAX);	/* the section's length is not known */
	put32(f, UINT32_MAX);
	put_option(f, SECTION_PROGRAM, program, n);
	put32(f, END);
	put32(f, len);
}

/* The interfaces follow the beginning. Frames name them by their number, from 0. */
void pcapng_interface(FILE *f, const char *name)
{
	const uint32_t n = strlen(name), len = 20 + 4 + padded(n) + 8 + 4;
	const uint8_t resolution = NANOSECONDS;

	put32(f, INTERFACE);
	put32(f, len);
	put16(f, ETHERNET, 0);
	put32(f, 0);		/* frames are whole, however long */
	put_option(f, IF_NAME, name, n);
	put_option(f, IF_TSRESOL, &resolution, sizeof(resolution));
	put32(f, END);
	put32(f, len);
}

void pcapng_frame(FILE *f, uint32_t interface, bool egress, const struct timespec *at,
		  const void *frame, uint32_t len)
{
	const uint64_t ns = at->tv_sec * 1000000000ull + at->tv_nsec;
	const uint32_t flags = egress ? OUTBOUND : INBOUND, total = 32 + padded(len) + 12;

	put32(f, FRAME);
	put32(f, total);
	put32(f, interface);
	put32(f, ns >> 32);
	put32(f, ns);
	put32(f, len);		/* in the file, and on the wire */
	put32(f, len);
	put(f, frame, len);
	put_option(f, FRAME_FLAGS, &flags, sizeof(flags));
	put32(f, END);
	put32(f, total);
}
