/* SPDX-License-Identifier: GPL-2.0 */
/* The headers of a super-frame, and of the segments it is cut into. */
#ifndef _VTAP_SUPER_H
#define _VTAP_SUPER_H

#include "encap.h"
#include "session.h"

struct vtap_frame;

#define VTAP_MAX_CUT_HDR	256	/* inner headers of a super-frame that is cut here */

/**
 * struct vtap_cut - a super-frame of TCP or UDP being cut
 * @f: the frame
 * @at: the next payload byte
 * @left: contiguous bytes at @at
 * @frag: the next page fragment
 * @edit: there is something to do by @cut or @mask
 * @walk: payload is read by the three members above, otherwise by its offset
 * @ipv4: not IPv6
 * @tcp: not UDP
 * @flags: TCP flags of the frame
 * @step: from one IPv4 id to the next
 * @id: next IPv4 id
 * @seq: next TCP sequence number
 * @skip: length of all headers in the frame
 * @payload: bytes behind them
 * @l3: offset of the IP header in @hdr
 * @l4: offset of the TCP or UDP header in @hdr
 * @hlen: length of @hdr
 * @n: payload length of this segment and of those like it
 * @part: how many bytes of it are copied
 * @room: length of the copy, at least that of the headers
 * @cut: bytes to trim off afterwards
 * @mask: offset in the copy of what is overwritten afterwards, or 0
 * @ipsum: 16-bit sum over the IPv4 header with id and checksum 0
 * @psum: 16-bit sum over the pseudo-header
 * @hash: of the flow
 * @tally: copies to count
 * @hdr: outer and inner headers of this segment and of those like it; checksums are 0
 */
struct vtap_cut {
	const struct vtap_frame *f;
	const u8 *at;
	unsigned int left;
	unsigned int frag;
	bool edit;
	bool walk;
	bool ipv4;
	bool tcp;
	u8 flags;
	u16 step;
	u16 id;
	u32 seq;
	unsigned int skip;
	unsigned int payload;
	unsigned int l3;
	unsigned int l4;
	unsigned int hlen;
	unsigned int n;
	unsigned int part;
	unsigned int room;
	unsigned int cut;
	unsigned int mask;
	u32 ipsum;
	u32 psum;
	u32 hash;
	struct vtap_send_stats tally;
	u8 hdr[VTAP_HDR_MAX + VTAP_MAX_CUT_HDR] __aligned(8);
};

void vtap_copy_cut_shape(const struct vtap_tmpl *t, struct vtap_cut *c, unsigned int off,
			 unsigned int n);
bool vtap_copy_cut_begin(const struct vtap_tmpl *t, const struct vtap_frame *f,
			 struct vtap_cut *c);

#endif /* _VTAP_SUPER_H */
