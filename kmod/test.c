// SPDX-License-Identifier: GPL-2.0
/* What the KUnit suites share: frames of hexadecimal digits. */
#include <kunit/test.h>
#include <linux/hex.h>

#include "encap.h"
#include "parse.h"
#include "session.h"
#include "test.h"

unsigned int vtap_test_bytes(struct kunit *test, const char *hex, u8 *to)
{
	unsigned int n = strlen(hex) / 2;

	KUNIT_ASSERT_LE(test, n, VTAP_TEST_MAX);
	KUNIT_ASSERT_EQ(test, hex2bin(to, hex, n), 0);
	return n;
}

/* The first @head of @n bytes in the linear part, with @beyond after them, the others in a page. */
void vtap_test_fill(struct kunit *test, struct sk_buff *skb, const u8 *bytes, unsigned int n,
		    unsigned int head, u8 beyond)
{
	struct page *page = test->priv;

	/* it may have been used before */
	KUNIT_ASSERT_EQ(test, pskb_trim(skb, 0), 0);
	__vlan_hwaccel_clear_tag(skb);
	skb->data = skb->head + NET_SKB_PAD;
	skb_reset_tail_pointer(skb);
	skb_put_data(skb, bytes, head);
	memset(skb_tail_pointer(skb), beyond, VTAP_TEST_MAX - head);
	skb_reset_mac_header(skb);
	if (head == n)
		return;
	memcpy(page_address(page), bytes + head, n - head);
	memset(page_address(page) + n - head, beyond, VTAP_TEST_MAX);
	get_page(page);
	skb_add_rx_frag(skb, 0, page, 0, n - head, n - head);
}

struct sk_buff *vtap_test_skb(struct kunit *test, const u8 *bytes, unsigned int n)
{
	struct sk_buff *skb = alloc_skb(VTAP_TEST_MAX + NET_SKB_PAD, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	vtap_test_fill(test, skb, bytes, n, n, 0);
	return skb;
}

int vtap_test_init(struct kunit *test)
{
	test->priv = alloc_page(GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

void vtap_test_exit(struct kunit *test)
{
	put_page(test->priv);
}

/* Parse as a hook would: @pulled for those that see the frame behind its Ethernet header. */
bool vtap_test_parse(struct vtap_frame *f, struct sk_buff *skb, bool pulled, u16 tci)
{
	memset(f, 0x5a, sizeof(*f));
	if (tci)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tci);
	if (pulled)
		__skb_pull(skb, ETH_HLEN);
	f->skb = skb;
	f->ifindex = 5;
	f->dir = VTAP_OUT;
	f->bare = false;
	return vtap_parse(f);
}

void vtap_test_template(struct vtap_tmpl *t, const struct vtap_session_cfg *cfg, unsigned int mtu,
			bool dst)
{
	static const u8 smac[ETH_ALEN] = { 2, 0, 0, 0, 0, 0xbb };
	static const u8 dmac[ETH_ALEN] = { 2, 0, 0, 0, 0, 0xaa };
	struct vtap_addr local = { .family = cfg->remote.family };

	if (local.family == AF_INET6)
		local.ip = (struct in6_addr){ .s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	else
		local.ip.s6_addr32[0] = htonl(0xc0000201);
	memset(t, 0, sizeof(*t));
	t->family = cfg->remote.family;
	t->mtu = mtu;
	/* that there is one is all that it looks at */
	t->dst = dst ? (struct dst_entry *)t : NULL;
	vtap_encap_build(t, cfg, &local, smac, dmac);
}

/* Return: a copy's headers and its frame, as it goes out. */
struct sk_buff *vtap_test_copy(struct kunit *test, const struct vtap_tmpl *t)
{
	u8 bytes[VTAP_TEST_MAX];
	unsigned int n;

	memcpy(bytes, t->hdr, t->hlen);
	n = t->hlen + vtap_test_bytes(test, T_INNER, bytes + t->hlen);
	return vtap_test_skb(test, bytes, n);
}

/* Parse the frame that is copied, which has the tags of the case. */
struct sk_buff *vtap_test_original(struct kunit *test, struct vtap_frame *f, u16 meta, u16 tag,
				   u8 dir)
{
	u8 bytes[VTAP_TEST_MAX];
	unsigned int n = vtap_test_bytes(test, T_INNER, bytes);
	struct sk_buff *skb;

	if (tag) {
		memmove(bytes + 16, bytes + 12, n - 12);
		put_unaligned_be16(ETH_P_8021Q, bytes + 12);
		put_unaligned_be16(tag, bytes + 14);
		n += VLAN_HLEN;
	}
	skb = vtap_test_skb(test, bytes, n);
	if (meta)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), meta);
	*f = (struct vtap_frame){ .skb = skb, .dir = dir, .ifindex = 0x10005 };
	KUNIT_EXPECT_TRUE(test, vtap_parse(f));
	return skb;
}
