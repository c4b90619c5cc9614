// SPDX-License-Identifier: GPL-2.0
/* A rule's filter: pcap expressions, and programs in the notation of tc and iptables. */

#include <ctype.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "vtap.h"

#define FILTER_SNAPLEN	65535

/* the kernel calls it struct sock_filter */
_Static_assert(sizeof(struct bpf_insn) == 8, "struct bpf_insn is not struct sock_filter");

static int filter_put(struct parse *p, const struct word *w, uint16_t attr,
		      const struct bpf_insn *prog, size_t len)
{
	if (len > VTAP_FILTER_MAX)
		return usage("\"%s\" has %zu instructions, at most %u are possible",
			     w->name, len, VTAP_FILTER_MAX);
	return word_put(p, w, attr, prog, len * sizeof(*prog));
}

/*
 * The kernel takes the outermost VLAN tag out of a frame and keeps it beside it.
 * For an expression with the word vlan, the program gets a second half that is
 * run on such frames and reads them as if the tag were in its place.
 */
#define TAG_AT		12
#define TAG_LEN		4

static bool filter_has_vlan(const char *text)
{
	const char *more = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	const char *s = text;

	while ((s = strstr(s, "vlan"))) {
		if ((s == text || !strchr(more, s[-1])) && (!s[4] || !strchr(more, s[4])))
			return true;
		s += 4;
	}
	return false;
}

/* Make a load read a frame whose tag the kernel keeps apart; -1 when that is not possible. */
static int filter_move_load(struct bpf_insn *i)
{
	unsigned int size = BPF_SIZE(i->code) == BPF_W ? 4 : BPF_SIZE(i->code) == BPF_H ? 2 : 1;
	bool frame = BPF_MODE(i->code) == BPF_ABS || BPF_MODE(i->code) == BPF_IND ||
		     BPF_MODE(i->code) == BPF_MSH;

	if ((BPF_CLASS(i->code) != BPF_LD && BPF_CLASS(i->code) != BPF_LDX) || !frame ||
	    (int32_t)i->k < 0)
		return 0;
	if (i->k >= TAG_AT + TAG_LEN) {
		i->k -= TAG_LEN;
		return 0;
	}
	if (BPF_MODE(i->code) != BPF_ABS)
		return -1;
	if (i->k + size <= TAG_AT)
		return 0;
	if (size != 2 || i->k % 2)
		return -1;
	i->k = SKF_AD_OFF + (i->k == TAG_AT ? SKF_AD_VLAN_TPID : SKF_AD_VLAN_TAG);
	return 0;
}

/* Return: the number of instructions, 0 when the expression cannot be translated. */
static size_t filter_double(struct bpf_insn *to, const struct bpf_insn *from, size_t n)
{
	struct bpf_insn *i = to;

	*i++ = (struct bpf_insn)BPF_STMT(BPF_LD | BPF_B | BPF_ABS,
					 SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT);
	*i++ = (struct bpf_insn)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	*i++ = (struct bpf_insn)BPF_STMT(BPF_JMP | BPF_JA, n);
	memcpy(i, from, n * sizeof(*i));
	memcpy(i + n, from, n * sizeof(*i));
	for (i += n; i < to + 3 + 2 * n; i++)
		if (filter_move_load(i))
			return 0;
	return 3 + 2 * n;
}

static int filter_put_vlan(struct parse *p, const struct word *w, const struct bpf_program *prog)
{
	struct bpf_insn *both = check_mem(calloc(3 + 2 * prog->bf_len, sizeof(*both)));
	size_t len = filter_double(both, prog->bf_insns, prog->bf_len);
	int rc;

	if (len)
		rc = filter_put(p, w, w->attr2, both, len);
	else
		rc = usage("\"%s\": an expression with vlan cannot read bytes 12 to 15 of the frame",
			   w->name);
	free(both);
	return rc;
}

static int filter_parse(struct parse *p, const struct word *w, const char *val)
{
	struct bpf_program prog = {};
	char *text;
	pcap_t *pcap;
	int rc;

	if (!*val)	/* no filter, rather than one that accepts every frame */
		return word_put(p, w, w->attr2, NULL, 0);

	if (strlen(val) > w->max)
		return usage("\"%s\" has more than %u characters", w->name, w->max);

	text = check_mem(strdup(val));
	for (char *c = text; *c; c++)	/* it is shown in one line */
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	pcap = check_mem(pcap_open_dead(DLT_EN10MB, FILTER_SNAPLEN));
	if (pcap_compile(pcap, &prog, text, 1, PCAP_NETMASK_UNKNOWN)) {
		rc = usage("\"%s\": %s: %s", w->name, text, pcap_geterr(pcap));
	} else {
		if (filter_has_vlan(text))
			rc = filter_put_vlan(p, w, &prog);
		else
			rc = filter_put(p, w, w->attr2, prog.bf_insns, prog.bf_len);
		if (!rc)
			rc = word_put(p, w, w->attr, text, strlen(text) + 1);
		pcap_freecode(&prog);
	}
	pcap_close(pcap);
	free(text);
	return rc;
}

static void filter_format(FILE *f, const struct word *w, const struct view *v)
{
	fputs(mnl_attr_get_str(v->tb[w->attr]), f);
}

static void filter_json(const struct word *w, const struct view *v)
{
	out_str("filter_text", mnl_attr_get_str(v->tb[w->attr]));
}

static const struct key filter_keys[] = { { "filter_text", 's' }, {} };

const struct type type_filter = {
	"EXPRESSION", .parse = filter_parse, .format = filter_format, .to_json = filter_json,
	.keys = filter_keys
};

/* N,CODE JT JF K,CODE JT JF K,... with N instructions, numbers in decimal */

static int bytecode_field(char **s, char end, uint64_t max, uint64_t *val)
{
	char *field = *s;

	*s = strchr(field, end);
	if (!*s) {
		if (end != ',')
			return -1;
		*s = field + strlen(field);	/* the last instruction */
	} else {
		*(*s)++ = '\0';
	}
	return num_parse(field, max, val);
}

static int bytecode_parse(struct parse *p, const struct word *w, const char *val)
{
	char *text = check_mem(strdup(val));
	struct bpf_insn *prog = NULL;
	uint64_t len, code, jt, jf, k;
	char *s = text;
	size_t i = 0;
	int rc;

	if (!strcmp(val, w->def)) {
		free(text);
		return word_put(p, w, w->attr, NULL, 0);
	}
	if (bytecode_field(&s, ',', UINT16_MAX, &len))
		goto bad;
	prog = check_mem(calloc(len + 1, sizeof(*prog)));
	for (; i < len && *s; i++) {
		if (bytecode_field(&s, ' ', UINT16_MAX, &code) ||
		    bytecode_field(&s, ' ', UINT8_MAX, &jt) ||
		    bytecode_field(&s, ' ', UINT8_MAX, &jf) ||
		    bytecode_field(&s, ',', UINT32_MAX, &k))
			goto bad;
		prog[i] = (struct bpf_insn){ code, jt, jf, k };
	}
	if (!len || i < len || *s)
		goto bad;
	rc = filter_put(p, w, w->attr, prog, len);
	goto out;
bad:
	rc = word_bad(w, val);
out:
	free(prog);
	free(text);
	return rc;
}

static void bytecode_format(FILE *f, const struct word *w, const struct view *v)
{
	const struct bpf_insn *i = mnl_attr_get_payload(v->tb[w->attr]);
	size_t len = mnl_attr_get_payload_len(v->tb[w->attr]) / sizeof(*i);

	fprintf(f, "%zu", len);
	for (; len--; i++)
		fprintf(f, ",%u %u %u %u", i->code, i->jt, i->jf, i->k);
}

static void bytecode_json(const struct word *w, const struct view *v)
{
	char *text;
	size_t len;
	FILE *f = check_mem(open_memstream(&text, &len));

	bytecode_format(f, w, v);
	fclose(f);
	out_str("filter", text);
	free(text);
}

static const struct key bytecode_keys[] = { { "filter", 's' }, {} };

const struct type type_bytecode = {
	"PROGRAM", .parse = bytecode_parse, .format = bytecode_format, .to_json = bytecode_json,
	.keys = bytecode_keys
};
