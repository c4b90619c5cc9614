// SPDX-License-Identifier: GPL-2.0
/* Rates of sessions, ports, rules or taps, highest first, as a table that is refreshed. */

#include <ctype.h>
#include <math.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#undef OK	/* of curses, where it is 0 as well */
#include "rates.h"

#define WIDTH		80	/* of a line where there is no terminal */
#define COLUMN		6
#define NAME		(WIDTH - COLUMN * RATES_MAX)
#define DELAY_MAX	3600

struct top {
	const struct rates_kind *kind;
	struct rates rates;
	unsigned int sort;	/* column */
	uint64_t count;		/* refreshes that are left, 0 for no end */
	double delay;		/* seconds */
	bool batch;
};

/* At most 5 characters. */
static void rate_text(char *buf, size_t size, double rate)
{
	static const char units[] = { 0, 'k', 'M', 'G', 'T', 'P', 'E' };
	unsigned int unit = 0;
	int digits;

	for (; rate >= 999.5 && unit < sizeof(units) - 1; unit++)
		rate /= 1000;
	digits = rate < 9.995 ? 2 : rate < 99.95 ? 1 : 0;
	if (fabs(rate - rint(rate)) < 0.005)
		digits = 0;
	snprintf(buf, size, "%.*f%c", digits, rate, units[unit]);
}

/* A line of a table, to be freed. @row: NULL for the headings. */
static char *line_text(const struct rates_kind *kind, const struct rates_row *row, int width)
{
	static struct text text;
	FILE *f = text_begin(&text);
	char heading[16], num[16];
	const char *name = row ? row->name : heading;
	int left = width - NAME;

	for (int i = 0; !i || heading[i - 1]; i++)
		heading[i] = toupper((unsigned char)kind->o->name[i]);
	/* a space follows, and a "+" stands for what is cut off */
	if (strlen(name) < NAME)
		fprintf(f, "%-*s", NAME, name);
	else
		fprintf(f, "%.*s+ ", NAME - 2, name);
	for (int i = 0; kind->columns[i].head; i++, left -= COLUMN) {
		if (row)
			rate_text(num, sizeof(num), row->rate[i]);
		fprintf(f, "%*s", i ? COLUMN : COLUMN - 1, row ? num : kind->columns[i].head);
	}
	if (row && row->text)
		fprintf(f, "  %.*s", left - 1, row->text);
	return text_end(&text);
}

static char *title_text(const struct top *top)
{
	char *text;

	if (asprintf(&text, "vtap top by %s, per second, sorted by %s, every %g s",
		     top->kind->o->name, top->kind->columns[top->sort].head, top->delay) < 0)
		check_mem(NULL);
	return text;
}

static void json_print(const struct rates *r)
{
	const struct rates_kind *kind = r->kind;

	out_open(NULL, '{');
	out_real("seconds", r->seconds);
	out_open(kind->o->name, '[');
	for (size_t i = 0; i < r->n; i++) {
		const struct rates_row *row = &r->v[i];

		out_open(NULL, '{');
		out_str(kind->o->words->name, row->key);
		if (row->tap)
			out_str("tap", row->tap);
		if (row->part)
			out_str("direction", row->part);
		for (int j = 0; kind->columns[j].head; j++)
			out_real(kind->columns[j].key, row->rate[j]);
		out_close('}');
	}
	out_close(']');
	out_close('}');
}

static void table_print(const struct top *top)
{
	const struct rates *r = &top->rates;

	for (size_t i = 0; i <= r->n; i++) {
		char *line = line_text(r->kind, i ? &r->v[i - 1] : NULL, WIDTH);

		puts(line);
		free(line);
	}
	putchar('\n');
}

static int batch_run(struct top *top)
{
	const struct timespec delay = {
		.tv_sec = top->delay,
		.tv_nsec = (top->delay - floor(top->delay)) * 1e9,
	};
	struct nl_error e;
	int rc;

	for (uint64_t i = 0;; i++) {
		rc = rates_read(&top->rates, top->kind, &e);
		nl_report(&e, NULL);
		if (rc)
			return rc;
		if (i) {
			rates_sort(&top->rates, top->sort);
			if (opt.json)
				json_print(&top->rates);
			else
				table_print(top);
			if (fflush(stdout))
				return OK;	/* main() tells why */
		}
		if (top->count && i == top->count)
			return OK;
		nanosleep(&delay, NULL);
	}
}

/* on a terminal */

static void screen_draw(struct top *top)
{
	char *text = title_text(top);

	rates_sort(&top->rates, top->sort);
	erase();
	mvaddnstr(0, 0, text, COLS);
	free(text);
	for (size_t i = 0; i <= top->rates.n && i + 3 < (size_t)LINES; i++) {
		text = line_text(top->kind, i ? &top->rates.v[i - 1] : NULL, COLS);
		attrset(i ? A_NORMAL : A_REVERSE);
		mvaddnstr(i + 1, 0, text, COLS);
		free(text);
	}
	attrset(A_NORMAL);
	mvaddnstr(LINES - 1, 0, "s session  p port  r rule  t tap    < > sort by    q quit", COLS);
	refresh();
}

/* Return: false to quit. */
static bool key_do(struct top *top, int key)
{
	unsigned int last = 0;

	while (top->kind->columns[last + 1].head)
		last++;
	for (const struct rates_kind *kind = rates_kinds; kind->o; kind++)
		if (key == kind->o->name[0] && kind != top->kind) {
			top->kind = kind;
			top->sort = 0;
		}
	if ((key == '<' || key == KEY_LEFT) && top->sort)
		top->sort--;
	if ((key == '>' || key == KEY_RIGHT) && top->sort < last)
		top->sort++;
	return key != 'q';
}

static double seconds_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return rates_seconds(t, &now);
}

static int screen_loop(struct top *top, struct nl_error *e)
{
	uint64_t refreshes = 0;
	double left;
	int key, rc;

	for (;;) {
		rc = rates_read(&top->rates, top->kind, e);
		if (rc)
			return rc;
		screen_draw(top);
		if (top->rates.seconds > 0 && ++refreshes == top->count)
			return OK;
		while (top->rates.kind == top->kind &&
		       (left = top->delay - seconds_since(&top->rates.at)) > 0) {
			timeout(left * 1000 + 1);
			key = getch();
			if (key == ERR)
				continue;
			if (!key_do(top, key))
				return OK;
			if (top->rates.kind == top->kind)
				screen_draw(top);
		}
	}
}

static int screen_run(struct top *top)
{
	struct nl_error e;
	SCREEN *screen;
	int rc;

	/* what is wrong with the socket is told before the screen is taken */
	rc = rates_read(&top->rates, top->kind, &e);
	nl_report(&e, NULL);
	if (rc)
		return rc;
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		err("terminal \"%s\" is unknown: top -b does without", getenv("TERM") ? : "");
		return REFUSED;
	}
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, true);
	rc = screen_loop(top, &e);
	endwin();
	delscreen(screen);
	nl_report(&e, NULL);
	return rc;
}

static int top_parse(struct top *top, char **argv)
{
	char *end;

	for (; *argv; argv++) {
		if (!strcmp(*argv, "-b")) {
			top->batch = true;
			continue;
		}
		if (strcmp(*argv, "by") && strcmp(*argv, "-n") && strcmp(*argv, "-d"))
			return usage("\"%s\" is unknown to \"top\", see \"vtap help\"", *argv);
		if (!argv[1])
			return usage("\"%s\" requires a value", *argv);
		argv++;
		if (!strcmp(argv[-1], "by")) {
			top->kind = rates_kind_find(*argv);
			if (!top->kind)
				return usage("\"%s\" is not a valid value for \"by\": it is session, port, rule or tap",
					     *argv);
		} else if (!strcmp(argv[-1], "-n")) {
			if (num_parse(*argv, UINT32_MAX, &top->count) || !top->count)
				return usage("\"%s\" is not a number of refreshes: it is 1 to %u",
					     *argv, UINT32_MAX);
		} else {
			top->delay = strtod(*argv, &end);
			if (*end || !(top->delay >= 0.1 && top->delay <= DELAY_MAX))
				return usage("\"%s\" is not a number of seconds: it is 0.1 to %u",
					     *argv, DELAY_MAX);
		}
	}
	return OK;
}

int top_run(char **argv)
{
	struct top top = { .kind = rates_kinds, .delay = 2 };
	int rc = top_parse(&top, argv);

	if (rc)
		return rc;
	if (top.batch || opt.json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		rc = batch_run(&top);
	else
		rc = screen_run(&top);
	rates_free(&top.rates);
	return rc;
}
