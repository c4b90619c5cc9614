// SPDX-License-Identifier: GPL-2.0
/*
 * What comes to a collector, every byte of every copy checked: headers, lengths,
 * checksums outside and inside, fragments, sequence numbers, payload.
 *
 * collect DEV MTU LONGEST FLOW...
 *   MTU      no outer packet may be longer
 *   LONGEST  no frame in a copy may be longer
 *   FLOW     PROTO,SRC,SPORT,FILE: FILE is what the TCP stream (6) carries, or the
 *            UDP datagrams (17), which begin with their offset in it
 *
 * Says "ready", reads from standard input how many copies it is to wait for, and
 * says what it found in JSON. In C, since a VM without KVM would decode hundreds of
 * thousands of packets in Python for minutes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/types.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH		64
#define LONGEST_PACKET	0x20000
#define BUFFER		(512 << 20)
#define PATIENCE	20000	/* ms without a packet */
#define MAX_SESSIONS	32
#define MAX_FLOWS	16
#define MAX_SEQ		0x100000
#define MAX_PENDING	256
#define MAX_PARTS	64
#define MAX_TEXTS	6

struct flow {
	int proto;
	unsigned int alen;
	__u8 addr[16];
	__u16 sport;
	const __u8 *want;
	size_t size;
	bool started;
	__u32 isn;
};

struct progress {
	__u8 *have;
	size_t covered;
	unsigned long segments;
};

struct session {
	const char *kind;
	int version;
	long number;
	bool has_seq;
	unsigned long copies, bytes, fragmented, truncated, repeated, distinct;
	__u32 last_seq;
	__u8 *seen;
	struct progress flow[MAX_FLOWS];
};

struct part {
	unsigned int off, len;
};

struct pending {
	bool used;
	__u8 key[40];	/* addresses, protocol and id */
	unsigned int n, have, total;
	struct part part[MAX_PARTS];
	__u8 *data;
};

/* One copy on its way through the decoder. */
struct copy {
	const __u8 *packet, *src;
	unsigned int len, alen;
	int version;
	bool fragmented;
};

static struct flow flows[MAX_FLOWS];
static struct session sessions[MAX_SESSIONS];
static struct pending pendings[MAX_PENDING];
static unsigned int n_flows, n_sessions, mtu, longest_frame, longest;
static unsigned long packets, others, n_copies, n_bad;
static char texts[MAX_TEXTS][256];

static unsigned int get16(const __u8 *p)
{
	return p[0] << 8 | p[1];
}

static __u32 get32(const __u8 *p)
{
	return (__u32)get16(p) << 16 | get16(p + 2);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Return: false, so that a check is one line */
static bool __attribute__((format(printf, 2, 3))) bad(const struct copy *c, const char *text, ...)
{
	char *to = texts[n_bad < MAX_TEXTS ? n_bad : 0];
	unsigned int i, n;
	va_list args;

	if (n_bad++ >= MAX_TEXTS)
		return false;
	va_start(args, text);
	n = vsnprintf(to, 96, text, args);
	va_end(args);
	n += sprintf(to + n, ": ");
	for (i = 14; i < 80 && i < c->len; i++)
		n += sprintf(to + n, "%02x", c->packet[i]);
	return false;
}

/* Sum in the byte order of the machine; the order does not matter to whether it is right. */
static __u64 sum(const __u8 *p, unsigned int n, __u64 s)
{
	__u16 last = 0;
	__u32 word;

	for (; n >= 4; n -= 4, p += 4) {
		memcpy(&word, p, 4);
		s += word;
	}
	if (n >= 2) {
		memcpy(&last, p, 2);
		s += last;
		n -= 2;
		p += 2;
	}
	if (n) {
		last = 0;
		memcpy(&last, p, 1);
		s += last;
	}
	return s;
}

static bool right(__u64 s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s == 0xffff;
}

/* @src: both addresses, one after the other */
static bool l4_right(const __u8 *src, unsigned int alen, int proto, const __u8 *p,
		     unsigned int n)
{
	__u8 more[8] = { n >> 24, n >> 16, n >> 8, n, 0, 0, 0, proto };

	return right(sum(p, n, sum(more, 8, sum(src, 2 * alen, 0))));
}

static struct session *find(const char *kind, int version, long number)
{
	struct session *s;

	for (s = sessions; s < sessions + n_sessions; s++) {
		if (s->kind == kind && s->version == version && s->number == number)
			return s;
	}
	if (n_sessions == MAX_SESSIONS)
		return NULL;
	n_sessions++;
	s->kind = kind;
	s->version = version;
	s->number = number;
	return s;
}

static bool number(const struct copy *c, struct session *s, __u32 seq)
{
	if (seq >= MAX_SEQ)
		return bad(c, "sequence number %u", seq);
	if (!s->seen)
		s->seen = calloc(MAX_SEQ, 1);
	if (!s->seen)
		die("calloc");
	s->has_seq = true;
	if (s->seen[seq]++)
		s->repeated++;
	else
		s->distinct++;
	if (seq > s->last_seq)
		s->last_seq = seq;
	return true;
}

/* Take @n bytes that are at @off of a flow. */
static bool payload(const struct copy *c, struct session *s, unsigned int i, size_t off,
		    const __u8 *p, unsigned int n)
{
	struct progress *to = &s->flow[i];
	unsigned int k;

	if (off > flows[i].size || n > flows[i].size - off)
		return bad(c, "flow %u: %u bytes at %zu", i, n, off);
	if (memcmp(flows[i].want + off, p, n))
		return bad(c, "flow %u: other payload at %zu", i, off);
	if (!to->have)
		to->have = calloc(flows[i].size, 1);
	if (!to->have)
		die("calloc");
	for (k = 0; k < n; k++) {
		to->covered += !to->have[off + k];
		to->have[off + k] = 1;
	}
	to->segments++;
	return true;
}

static bool frame(const struct copy *c, struct session *s, const __u8 *p, unsigned int len);

static bool tcp(const struct copy *c, struct session *s, unsigned int i, const __u8 *p,
		unsigned int n)
{
	unsigned int head = (p[12] >> 4) * 4;
	__u32 seq = get32(p + 4);

	if (head < 20 || head > n)
		return bad(c, "TCP header");
	if (p[13] & 2) {
		flows[i].started = true;
		flows[i].isn = seq + 1;
		return true;
	}
	if (!flows[i].started)
		return bad(c, "data before the first segment");
	return n == head || payload(c, s, i, seq - flows[i].isn, p + head, n - head);
}

/* What is in the IP packet in a copied frame. @src: both addresses */
static bool transport(const struct copy *c, struct session *s, const __u8 *src, unsigned int alen,
		      int proto, const __u8 *p, unsigned int n)
{
	unsigned int i;

	if (proto == 6 || proto == 17) {
		if (n < (proto == 6 ? 20 : 8))
			return bad(c, "inner length");
		if (proto == 17 && get16(p + 4) != n)
			return bad(c, "inner UDP length");
		if ((proto == 6 || get16(p + 6) || alen == 16) &&
		    !l4_right(src, alen, proto, p, n))
			return bad(c, "inner checksum of protocol %d", proto);
	}
	if (proto == 17 && get16(p + 2) == 4790 && n > 16)
		return frame(c, s, p + 16, n - 16);
	if (proto == 47 && n > 4 && get32(p) == 0x6558)
		return frame(c, s, p + 4, n - 4);
	for (i = 0; i < n_flows; i++) {
		if (proto != flows[i].proto || get16(p) != flows[i].sport ||
		    alen != flows[i].alen || memcmp(src, flows[i].addr, alen))
			continue;
		if (proto == 6)
			return tcp(c, s, i, p, n);
		if (n < 12)
			return bad(c, "datagram of %u bytes", n);
		return payload(c, s, i, get32(p + 8), p + 8, n - 8);
	}
	return true;
}

/* A frame that was copied, or one in a tunnel within it: whole, and nothing left to be computed. */
static bool frame(const struct copy *c, struct session *s, const __u8 *p, unsigned int len)
{
	unsigned int at = 12, end, head;

	if (len > longest_frame)
		return bad(c, "frame of %u bytes", len);
	while (at + 6 <= len && (get16(p + at) == ETH_P_8021Q || get16(p + at) == ETH_P_8021AD))
		at += 4;
	if (at + 42 > len)
		return len >= 14 || bad(c, "frame of %u bytes", len);
	at += 2;
	if (get16(p + at - 2) == ETH_P_IP) {
		head = (p[at] & 15) * 4;
		end = at + get16(p + at + 2);
		if (head < 20 || at + head > end || end > len || (end < len && len != 60))
			return bad(c, "frame of %u bytes, IP packet to %u", len, end);
		if (!right(sum(p + at, head, 0)))
			return bad(c, "inner IPv4 header checksum");
		if (get16(p + at + 6) & 0x3fff)
			return bad(c, "inner fragment");
		return transport(c, s, p + at + 12, 4, p[at + 9], p + at + head, end - at - head);
	}
	if (get16(p + at - 2) == ETH_P_IPV6) {
		end = at + 40 + get16(p + at + 4);
		if (end > len || (end < len && len != 60))
			return bad(c, "frame of %u bytes, IP packet to %u", len, end);
		return transport(c, s, p + at + 8, 16, p[at + 6], p + at + 40, end - at - 40);
	}
	return true;
}

static bool copied(const struct copy *c, struct session *s, const __u8 *p, unsigned int n)
{
	if (!s)
		return bad(c, "too many sessions");
	n_copies++;
	s->copies++;
	s->bytes += n;
	s->fragmented += c->fragmented;
	return frame(c, s, p, n);
}

static bool gre(const struct copy *c, const __u8 *p, unsigned int n)
{
	unsigned int flags = get16(p), proto = get16(p + 2), at = 4;
	struct session *s = NULL;
	__u32 seq = 0, word;
	long key = -1;

	if (n < 32 || flags & ~0x3000)
		return bad(c, "GRE header");
	if (flags & 0x2000) {
		key = get32(p + at);
		at += 4;
	}
	if (flags & 0x1000) {
		seq = get32(p + at);
		at += 4;
	}
	word = get32(p + at);
	if (proto == 0x6558) {
		s = find("gre", c->version, key);
	} else if (proto == 0x88be && flags == 0x1000 && word >> 28 == 1) {
		s = find("erspan2", c->version, word & 0x3ff);
		at += 8;
	} else if (proto == 0x22eb && flags == 0x1000 && word >> 28 == 2 &&
		   !(get32(p + at + 8) & 1)) {
		s = find("erspan3", c->version, word & 0x3ff);
		at += 12;
	} else {
		return bad(c, "GRE protocol %#x, flags %#x", proto, flags);
	}
	if (s && flags & 0x1000 && !number(c, s, seq))
		return false;
	if (s && proto != 0x6558 && word & 0x400)
		s->truncated++;
	return copied(c, s, p + at, n - at);
}

static bool vxlan(const struct copy *c, const __u8 *p, unsigned int n)
{
	if (n < 30 || get16(p + 2) != 4789 || get16(p + 4) != n || get32(p + 8) != 0x08000000 ||
	    p[15])
		return bad(c, "VXLAN header");
	if (get16(p + 6) ? !l4_right(c->src, c->alen, 17, p, n) : c->version == 6)
		return bad(c, "outer UDP checksum");
	return copied(c, find("vxlan", c->version, get32(p + 12) >> 8), p + 16, n - 16);
}

static bool outer(const struct copy *c, int proto, const __u8 *p, unsigned int n)
{
	return proto == 47 ? gre(c, p, n) : vxlan(c, p, n);
}

static struct pending *pending(const __u8 *key)
{
	struct pending *f, *free = NULL;

	for (f = pendings; f < pendings + MAX_PENDING; f++) {
		if (f->used && !memcmp(f->key, key, sizeof(f->key)))
			return f;
		if (!f->used && !free)
			free = f;
	}
	if (!free)
		return NULL;
	if (!free->data)
		free->data = malloc(LONGEST_PACKET);
	if (!free->data)
		die("malloc");
	memcpy(free->key, key, sizeof(free->key));
	free->used = true;
	free->n = 0;
	free->have = 0;
	free->total = 0;
	return free;
}

/* Fragments of one copy come in any order, and among those of others. */
static bool fragment(struct copy *c, int proto, __u32 id, unsigned int off, bool more,
		     const __u8 *p, unsigned int n)
{
	struct pending *f;
	__u8 key[40] = { 0 };
	unsigned int i;

	memcpy(key, c->src, 2 * c->alen);
	key[32] = proto;
	key[33] = c->version;
	memcpy(key + 36, &id, 4);
	f = pending(key);
	if (!f)
		return bad(c, "%d copies whose fragments did not all come", MAX_PENDING);
	if (!n || (more && n % 8) || f->n == MAX_PARTS || (!more && f->total))
		return bad(c, "fragment of %u bytes", n);
	for (i = 0; i < f->n; i++) {
		if (off < f->part[i].off + f->part[i].len && f->part[i].off < off + n)
			return bad(c, "fragments overlap");
	}
	f->part[f->n++] = (struct part){ off, n };
	memcpy(f->data + off, p, n);
	f->have += n;
	if (!more)
		f->total = off + n;
	if (f->have != f->total)
		return true;
	f->used = false;
	c->fragmented = true;
	return outer(c, proto, f->data, f->total);
}

static bool ipv4(struct copy *c, const __u8 *p, unsigned int n)
{
	unsigned int frag = get16(p + 6);

	if (p[0] != 0x45 || get16(p + 2) != n)
		return bad(c, "IPv4 header, or length %u", n);
	if (!right(sum(p, 20, 0)))
		return bad(c, "outer IPv4 header checksum");
	c->version = 4;
	c->src = p + 12;
	c->alen = 4;
	if (!(frag & 0x3fff))
		return outer(c, p[9], p + 20, n - 20);
	if (frag & 0x4000)
		return bad(c, "fragment with DF");
	return fragment(c, p[9], get16(p + 4), (frag & 0x1fff) * 8, frag & 0x2000, p + 20, n - 20);
}

static bool ipv6(struct copy *c, const __u8 *p, unsigned int n)
{
	unsigned int frag;

	if (p[0] >> 4 != 6 || get16(p + 4) + 40 != n)
		return bad(c, "IPv6 header, or length %u", n);
	c->version = 6;
	c->src = p + 8;
	c->alen = 16;
	if (p[6] != 44)
		return outer(c, p[6], p + 40, n - 40);
	frag = get16(p + 42);
	if (n < 49 || p[41])
		return bad(c, "fragment header");
	return fragment(c, p[40], get32(p + 44), frag & 0xfff8, frag & 1, p + 48, n - 48);
}

static void packet(const __u8 *p, unsigned int len)
{
	struct copy c = { .packet = p, .len = len };
	unsigned int kind = get16(p + 12);
	int proto = -1;

	if (kind == ETH_P_IP && len > 34)
		proto = p[23];
	else if (kind == ETH_P_IPV6 && len > 62)
		proto = p[20];
	if (proto != 17 && proto != 44 && proto != 47) {
		/* what a stack of IPv6 says by itself is nobody's */
		others += kind != ETH_P_IPV6 || (proto > 0 && proto != 58);
		return;
	}
	packets++;
	if (len - 14 > longest)
		longest = len - 14;
	if (len - 14 > mtu)
		bad(&c, "packet of %u bytes", len - 14);
	else if (kind == ETH_P_IP)
		ipv4(&c, p + 14, len - 14);
	else
		ipv6(&c, p + 14, len - 14);
}

/* Return: whether something was there */
static bool receive(int fd)
{
	static __u8 data[BATCH][LONGEST_PACKET];
	static struct sockaddr_ll from[BATCH];
	static struct mmsghdr msg[BATCH];
	static struct iovec vec[BATCH];
	int i, n;

	for (i = 0; i < BATCH; i++) {
		vec[i] = (struct iovec){ data[i], LONGEST_PACKET };
		msg[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i],
			.msg_namelen = sizeof(from[i]),
			.msg_iov = &vec[i],
			.msg_iovlen = 1,
		};
	}
	n = recvmmsg(fd, msg, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN)
		die("recvmmsg");
	for (i = 0; i < n; i++) {
		if (from[i].sll_pkttype != PACKET_OUTGOING && msg[i].msg_len >= 14)
			packet(data[i], msg[i].msg_len);
	}
	return n > 0;
}

static void add_flow(char *text)
{
	struct flow *f = &flows[n_flows++];
	char *proto = strtok(text, ","), *addr = strtok(NULL, ","), *sport = strtok(NULL, ",");
	char *file = strtok(NULL, "");
	struct stat st;
	int fd;

	if (n_flows > MAX_FLOWS || !file)
		exit(2);
	f->proto = atoi(proto);
	f->sport = atoi(sport);
	f->alen = strchr(addr, ':') ? 16 : 4;
	if (inet_pton(f->alen == 16 ? AF_INET6 : AF_INET, addr, f->addr) != 1)
		exit(2);
	fd = open(file, O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		die(file);
	f->size = st.st_size;
	f->want = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (f->want == MAP_FAILED)
		die(file);
	close(fd);
}

static int capture(const char *dev)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int size = BUFFER, fd = socket(AF_PACKET, SOCK_RAW, 0);

	at.sll_ifindex = if_nametoindex(dev);
	if (fd < 0 || !at.sll_ifindex ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die(dev);
	return fd;
}

static void report(unsigned int lost, unsigned int waiting)
{
	const struct session *s;
	unsigned int i;

	printf("{\"packets\": %lu, \"others\": %lu, \"lost\": %u, \"waiting\": %u, ",
	       packets, others, lost, waiting);
	printf("\"longest\": %u, \"bad\": %lu, \"texts\": [", longest, n_bad);
	for (i = 0; i < n_bad && i < MAX_TEXTS; i++)
		printf("%s\"%s\"", i ? ", " : "", texts[i]);
	printf("], \"sessions\": [");
	for (s = sessions; s < sessions + n_sessions; s++) {
		printf("%s\n{\"kind\": \"%s\", \"version\": %d, \"number\": %ld, ",
		       s > sessions ? "," : "", s->kind, s->version, s->number);
		printf("\"copies\": %lu, \"bytes\": %lu, \"fragmented\": %lu, \"truncated\": %lu, ",
		       s->copies, s->bytes, s->fragmented, s->truncated);
		printf("\"repeated\": %lu, \"missing\": %lu, \"flows\": [", s->repeated,
		       s->has_seq ? s->last_seq + 1 - s->distinct : 0);
		for (i = 0; i < n_flows; i++)
			printf("%s{\"missing\": %zu, \"segments\": %lu}", i ? ", " : "",
			       flows[i].size - s->flow[i].covered, s->flow[i].segments);
		printf("]}");
	}
	printf("]}\n");
}

int main(int argc, char **argv)
{
	struct tpacket_stats st = { 0 };
	socklen_t size = sizeof(st);
	unsigned long want = 0;
	unsigned int waiting = 0, i;
	struct pollfd fds[2] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	char line[32];

	if (argc < 4)
		return 2;
	mtu = atoi(argv[2]);
	longest_frame = atoi(argv[3]);
	for (i = 4; i < (unsigned int)argc; i++)
		add_flow(argv[i]);
	fds[0].fd = capture(argv[1]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		while (receive(fds[0].fd))
			;
		if (fds[1].fd < 0 && n_copies + n_bad >= want)
			break;
		if (!poll(fds, 2, fds[1].fd < 0 ? PATIENCE : -1))
			break;
		if (fds[1].fd >= 0 && fds[1].revents) {
			if (!fgets(line, sizeof(line), stdin))
				return 1;
			want = strtoul(line, NULL, 10);
			fds[1].fd = -1;
		}
	}
	if (getsockopt(fds[0].fd, SOL_PACKET, PACKET_STATISTICS, &st, &size))
		die("PACKET_STATISTICS");
	for (i = 0; i < MAX_PENDING; i++)
		waiting += pendings[i].used;
	report(st.tp_drops, waiting);
	return 0;
}
