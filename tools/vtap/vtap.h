/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the vtap tool share, grouped by file. */
#ifndef VTAP_TOOL_H
#define VTAP_TOOL_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/vtap.h>

#include "util.h"
#include "../../kmod/version.h"

#define MSG_MAX		(80 * 1024)	/* a filter of 2048 instructions fits */
#define ATTR_MAX	63		/* no attribute set of the spec is larger */
#define MAC_LEN		6
#define NTF_NONE	UINT8_MAX

enum {
	W_ADD		= 1 << 0,	/* may be given to add */
	W_SET		= 1 << 1,	/* may be given to set */
	W_FLUSH		= 1 << 2,	/* picks what flush deletes */
	W_KEY		= 1 << 3,	/* names the object for set, del and show */
	W_POS		= 1 << 4,	/* comes first, without its keyword */
	W_FIXED		= 1 << 5,	/* cannot be changed while the object exists */
	W_MATCH		= 1 << 6,	/* is in the nested attribute match */
	W_STATS		= 1 << 7,	/* shown with -s only */
	W_BREAK		= 1 << 8,	/* counters: starts a line */
	W_HEX		= 1 << 9,	/* a number without name is shown as 0x%04x */
	W_VERBATIM	= 1 << 10,	/* more than one word: never quoted as a whole */
	W_INNER		= 1 << 11,	/* may also follow inner */
	W_PICK		= 1 << 12,	/* picks what show shows; alone, it is not shown itself */
	W_LIST		= 1 << 13,	/* several values may be given, of which one has to match */
	W_GROUP		= 1 << 14,	/* joins or negates match words; not in JSON */
};

struct view;
struct parse;
struct word;

struct name {
	const char *name;
	uint32_t value;
};

/**
 * struct key - A key in JSON.
 * @name: NULL for the word's name, if it is the first one, or the word's second name.
 * @kind: As in struct type, or 's' for text and 'a' for an array of texts; 0 ends a list.
 */
struct key {
	const char *name;
	char kind;
};

struct unit {
	const char *name;
	uint64_t value;
};

/**
 * struct type - How values of a kind are read and written.
 * @help: Placeholder for the value in the help text, NULL to list the names.
 * @size: Bytes of a number's attribute; 0 when @parse and @format do all.
 * @sep: Separates two numbers: '/' a value and its mask, '-' the ends of a range.
 * @json: How a number is written: 'n' as number, 's' as text, 'b' as true or false.
 * @mask: The full mask, which is not written.
 * @service: A name of a service may be given.
 * @many: There may be several attributes of type attr2.
 * @units: Units of a number; the first one that divides it is written.
 * @read: Reads a number.
 * @write: Writes it as @read takes it.
 * @parse: Puts a value into the message; takes further arguments itself.
 * @format: Writes the value as @parse takes it.
 * @to_json: Writes the value under its keys; NULL for a string as @format has it.
 * @keys: The keys that @to_json writes.
 */
struct type {
	const char *help;
	uint8_t size;
	char sep;
	char json;
	uint64_t mask;
	bool service;
	bool many;
	const struct unit *units;
	int (*read)(const struct word *w, const char *s, uint64_t *val);
	void (*write)(FILE *f, const struct word *w, uint64_t val);
	int (*parse)(struct parse *p, const struct word *w, const char *val);
	void (*format)(FILE *f, const struct word *w, const struct view *v);
	void (*to_json)(const struct word *w, const struct view *v);
	const struct key *keys;
};

/**
 * struct word - A keyword of an object: drives parsing, show, save and apply.
 * @name: Keyword, and key in JSON.
 * @def: Text of the default, which set accepts to restore it; NULL for none.
 * @name2: Key of @attr2 in JSON.
 * @attr2: Prefix length, mask, upper end or other second half of the value.
 * @max: Longest string.
 */
struct word {
	const char *name;
	const struct type *type;
	const char *def;
	const struct name *names;
	const struct word *nest;
	const char *name2;
	uint16_t attr;
	uint16_t attr2;
	uint16_t flags;
	uint16_t max;
};

#define SERVICES_MAX	(2 * VTAP_RULE_MATCHES_MAX)	/* of src_port and dst_port */

/* A service that was given in place of its port. */
struct service {
	char name[64];
	const struct word *word;
	int port;
};

/* A message that is being built of words. */
struct parse {
	char **argv;			/* words not read yet */
	struct nlmsghdr *nlh;
	struct nlmsghdr *match;		/* collects the match words; those of a list repeat */
	struct nlmsghdr *nots;		/* those behind "inner not"; NULL where it cannot stand */
	const struct word *word;
	const struct word *addr;	/* the first address, whose family the others must have */
	uint16_t addr_len;
	bool has_match;
	size_t matches, excepts;	/* in @nlh so far */
	struct service *services;	/* room for SERVICES_MAX */
	size_t n_services;
	uint64_t seen[2];		/* attributes given outside and inside match or inner */
};

/* A message that is being read. */
struct view {
	const struct nlmsghdr *nlh;
	const struct nlattr *tb[ATTR_MAX + 1];
	const struct nlattr *match[ATTR_MAX + 1];	/* of the first one */
	const struct word *words;	/* of the object */
	size_t matches, excepts;	/* how many there are */
};

enum command { CMD_SHOW, CMD_ADD, CMD_SET, CMD_DEL, CMD_FLUSH, CMDS };

/**
 * struct object - A kind of object.
 * @words: In the order in which they are shown; the key comes first.
 * @implied: Whether a value follows from others and is not shown, @all as in word_text().
 * @absent: If a reply says only why there is no such object, returns the reason; else NULL.
 * @get: The command on the wire for show.
 * @change: The attribute that makes each of the other commands part of a commit, 0 for none.
 * @ntf: The first of the notifications add, del and change, or NTF_NONE.
 * @match: The attribute that holds the W_MATCH words; several are alternatives.
 * @except: The same for those that must not hold.
 * @tap: The attribute that names the tap, 0 for none.
 * @unset: The attribute that brings the default of another one back.
 * @brief: The cells of its line in a table: words joined with "+", each but the first one
 *	   with its keyword, or BRIEF_REST for those of no other cell; ends with NULL.
 */
struct object {
	const char *name;
	const struct word *words;
	bool (*implied)(const struct word *w, const struct view *v, bool all);
	const char *(*absent)(const struct view *v);
	uint8_t get;
	uint8_t change[CMDS];
	uint8_t ntf;
	uint8_t match;
	uint8_t except;
	uint8_t tap;
	uint8_t unset;
	const char *const *brief;
};

#define BRIEF_REST	"*"

/* line.c */
struct line {
	char **argv;		/* ends with NULL */
	int argc;
	int first;		/* number of the line it starts in */
	int next;		/* number of the line after it */
	int argv_size;
	char *text;		/* the words; reused by the next line */
	size_t len, size;
};

int line_read(FILE *f, struct line *l);
void line_free(struct line *l);

/* include.c */
struct source;
int source_open(struct source **top, const char *name);
int source_read(struct source **top, struct line **line);
FILE *source_json(const struct source *s);
void source_close(struct source **top);

/* words.c */
uint64_t attr_num(const struct nlattr *a);
const struct nlattr *view_attr(const struct view *v, const struct word *w, uint16_t attr);
uint64_t view_num(const struct view *v, const struct word *w, uint16_t attr, uint64_t none);
const char *view_str(const struct view *v, uint16_t attr);
uint64_t view_u64(const struct view *v, uint16_t attr);
const struct nlattr *nest_attr(const struct nlattr *nest, uint16_t attr);
uint64_t nest_u64(const struct nlattr *nest, uint16_t attr);
int word_put(struct parse *p, const struct word *w, uint16_t attr, const void *data, size_t len);
int word_put_num(struct parse *p, const struct word *w, uint16_t attr, size_t size, uint64_t val);
int word_parse(struct parse *p, const struct word *w, const char *val);
bool word_same(const struct word *w, const struct view *a, const struct view *b);
extern void (*word_hint)(FILE *f, const struct word *w, const char *val);
int word_bad(const struct word *w, const char *val);
bool word_seen(const struct parse *p, const struct word *w);
int word_see(struct parse *p, const struct word *w);
const struct word *word_find(const struct object *o, const char *name, uint16_t flags);
void word_format(FILE *f, const struct word *w, const struct view *v);
void word_json(const struct word *w, const struct view *v);

/* num.c */
extern const struct type type_u8, type_u16, type_u32, type_u64, type_enum, type_onoff,
	type_rate, type_size, type_since, type_mac, type_mac_mask, type_port,
	type_ports, type_tcp_flags;
extern const struct name onoff_names[];
int num_parse(const char *s, uint64_t max, uint64_t *val);
const struct name *name_find(const struct name *names, const char *s);

/* service.c */
int service_find(struct parse *p, const struct word *w, const char *val);
int services_check(const struct parse *p);

/* types.c */
extern const struct type type_addr, type_str, type_ip_flags, type_flags, type_action,
	type_sample, type_slice, type_any;

/* nest.c */
extern const struct type type_nest, type_inner;
void match_view(struct view *v, const struct nlattr *nest);

/* name.c */
int name_pick(const char *const *names, const char *arg, const char **name);

/* hint.c */
int hint_option(const char *word);
void hint_value(FILE *f, const struct word *w, const char *val);
void hint_near(const char **near, const char *name, const char *other);
const char *hint_word(const struct object *o, const char *name, uint16_t flags);
const char *hint_name(const char *const *names, const char *arg);

/* need.c */
int need_check(const struct object *o, const struct nlmsghdr *nlh);

/* remote.c */
extern const struct type type_remote, type_dev;

/* host.c */
bool host_is_name(const char *val);
int host_parse(struct parse *p, const struct word *w, const char *val);

/* icmp.c */
extern const struct type type_icmp;
const char *icmp_name(bool ipv6, uint8_t type, uint8_t code);

/* filter.c */
extern const struct type type_filter, type_bytecode;

/* out.c */
void out_to(FILE *f);
void out_open(const char *key, char bracket);
void out_close(char bracket);
void out_num(const char *key, uint64_t val);
void out_real(const char *key, double val);
void out_bool(const char *key, bool val);
void out_str(const char *key, const char *val);
void out_quoted(FILE *f, const char *s);

/* A buffer for text that is reused; all zero at the beginning. */
struct text {
	FILE *f;
	char *buf;
	size_t len;
};

FILE *text_begin(struct text *t);
char *text_end(struct text *t);

/* busy.c */
bool busy_report(const char *name, const char *tap);

/* txn.c */
struct txn_change {
	const struct object *o;
	enum command cmd;
	int line;
	const char *text;
	const char *file;	/* of the line */
	uint32_t end;		/* offset in the message of what follows it */
};

/* A transaction that is being built; all zero at the beginning. */
struct txn {
	struct nlmsghdr *nlh;
	size_t size;
	struct txn_change *v;
	size_t n;
	bool check;		/* the last change is txn_only_check()'s */
};

void txn_add(struct txn *t, const struct object *o, enum command cmd,
	     const struct nlmsghdr *nlh, int line, const char *text);
int txn_send(struct txn *t, const char *file, bool keys);
void txn_free(struct txn *t);
void txn_only_check(struct txn *t);

/* msg.c */
struct msgs {
	struct nlmsghdr **v;
	size_t n;
};

struct nlmsghdr *msg_put(void *buf, uint8_t cmd);
struct nlmsghdr *msg_new(uint8_t cmd);
struct nlmsghdr *msg_dup(const struct nlmsghdr *nlh);
void msgs_keep(const struct nlmsghdr *nlh, void *data);
void msgs_free(struct msgs *m);
uint8_t msg_cmd(const struct nlmsghdr *nlh);

/* nl.c */
/* The kernel's answer to a request; its text is overwritten by the next answer. */
struct nl_error {
	int code;		/* 0 for a warning, or when there was no error */
	const char *text;	/* NULL when there is nothing to print */
	uint32_t offset;	/* of the attribute in question in the request, 0 for none */
	char limits[64];	/* of a number, as text */
};

typedef void (*nl_cb)(const struct nlmsghdr *nlh, void *data);

uint32_t nl_portid(void);
const char *nl_module_version(void);
void nl_report(const struct nl_error *e, const char *name);
int nl_talk(struct nlmsghdr *nlh, nl_cb cb, void *data, struct nl_error *e);
int nl_dump(uint8_t cmd, struct msgs *m);
int nl_dump_some(struct nlmsghdr *req, struct msgs *m, struct nl_error *e);
int nl_monitor(nl_cb cb, void *data);

/* version.c */
void version_print(void);

/* object.c */
/* What a command takes. */
struct command_info {
	const char *name;
	uint16_t flags;		/* words that may be given */
	bool key;		/* the key must be given */
};

extern const struct command_info commands[CMDS];
void view_init(struct view *v, const struct object *o, const struct nlmsghdr *nlh);
char *word_text(const struct object *o, const struct word *w, const struct view *v, bool all);
void word_write(FILE *f, const struct word *w, const char *text);
uint16_t command_flags(const struct object *o, enum command cmd);
char *object_text(const struct object *o, const struct nlmsghdr *nlh);
bool object_same(const struct object *o, const struct nlmsghdr *a, const struct nlmsghdr *b);
void object_print(const struct object *o, const struct nlmsghdr *nlh, const char *event);
void object_save_json(const struct object *o, const struct nlmsghdr *nlh);
int object_parse(const struct object *o, enum command cmd, char **argv, struct nlmsghdr **nlh);
const char *object_attr_name(const struct object *o, const struct nlmsghdr *nlh,
			     const struct nlattr *first, size_t len, uint32_t offset);
void object_print_key(const struct object *o, uint64_t key);
void object_help(const struct object *o);

/* session.c, rule.c, port.c */
extern const struct object session_object, rule_object, port_object;

/* tap.c */
#define TAP_DEFAULT	"main"
extern const struct object tap_object;
const char *tap_of(const struct object *o, const struct nlmsghdr *nlh);
int tap_set(const struct object *o, struct nlmsghdr **nlh, const char *tap);
void tap_hide(const struct object *o, struct nlmsghdr *nlh);
int tap_arg(char ***argv, const char **tap);

/* objects.c */
extern const struct object *const objects[];

/* brief.c */
void brief_print(const struct object *o, const struct msgs *m);

/* schema.c */
void schema_print(const struct object *o);

/* pick.c */
int pick_get(const struct object *o, const struct nlmsghdr *nlh, struct msgs *m);
bool pick_many(const struct object *o, const struct nlmsghdr *nlh);
int pick_del(const struct object *o, const struct nlmsghdr *nlh);

/* command.c */
int object_run(const struct object *o, char **argv, struct txn *txn);

/* monitor.c */
int monitor_run(char **argv);

/* save.c */
int file_save(const char *name, const char *text, size_t len, bool nothing);
int save_run(char **argv);

/* absent.c */
bool absent_ask(const char *name, const char **why, uint32_t *reason);

/* capture.c */
int capture_run(char **argv);

/* extcap.c */
int extcap_run(char **argv);

/* check.c */
int check_run(char **argv);

/* apply.c */
int apply_run(char **argv);

/* metrics.c */
int metrics_run(char **argv);

/* top.c */
int top_run(char **argv);

/* live.c */
int live_run(const char *port, uint32_t dirs);

/* trace.c */
int trace_run(char **argv);

#endif
