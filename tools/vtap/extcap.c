// SPDX-License-Identifier: GPL-2.0
/* vtap extcap: ports as interfaces of Wireshark, which calls it as extcap(4) has it. */

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "links.h"
#include "vtap.h"

#define ALL	"vtap"		/* the interface for all ports */
#define ONE	ALL "-"		/* with the name of a port */

static int interfaces(void)
{
	struct links l = {};
	int rc = links_get(&l);

	puts("extcap {version=" VTAP_VERSION "}\n"
	     "interface {value=" ALL "}{display=vtap: ports by rule words}");
	for (size_t i = 0; !rc && i < l.n; i++)
		printf("interface {value=" ONE "%s}{display=vtap: port %s}\n", l.v[i].name,
		       l.v[i].name);
	free(l.v);
	return rc;
}

/* @words: of the rule, with quotes as in a file of commands */
static int capture(const char *interface, const char *words, const char *filter, const char *fifo)
{
	char **argv, text[4096];
	struct line line = {};
	size_t n = 0;
	FILE *f;
	int rc;

	if (!fifo)
		return usage("\"--capture\" requires \"--fifo\"");
	if (strncmp(interface, ALL, strlen(ALL)))
		return usage("\"%s\" is not one of the interfaces", interface);
	if (snprintf(text, sizeof(text), "%s\n", words) >= (int)sizeof(text))
		return usage("there are too many rule words");
	f = check_mem(fmemopen(text, strlen(text), "r"));
	rc = line_read(f, &line);
	argv = check_mem(calloc(line.argc + 7, sizeof(*argv)));
	if (strcmp(interface, ALL)) {
		argv[n++] = "port";
		argv[n++] = (char *)interface + strlen(ONE);
	}
	for (int i = 0; !rc && i < line.argc; i++)
		argv[n++] = line.argv[i];
	if (*filter) {
		argv[n++] = "filter";
		argv[n++] = (char *)filter;
	}
	argv[n++] = "-w";
	argv[n++] = (char *)fifo;
	if (!rc)
		rc = capture_run(argv);
	fclose(f);
	free(argv);
	line_free(&line);
	return rc;
}

/* @argv: options alone; those that are not known are for other versions of Wireshark. */
int extcap_run(char **argv)
{
	enum { LIST = 1, DLTS, CONFIG, CAPTURE, INTERFACE, FIFO, FILTER, WORDS };
	static const struct option options[] = {
		{ "extcap-interfaces", no_argument, NULL, LIST },
		{ "extcap-dlts", no_argument, NULL, DLTS },
		{ "extcap-config", no_argument, NULL, CONFIG },
		{ "capture", no_argument, NULL, CAPTURE },
		{ "extcap-interface", required_argument, NULL, INTERFACE },
		{ "fifo", required_argument, NULL, FIFO },
		{ "extcap-capture-filter", required_argument, NULL, FILTER },
		{ "words", required_argument, NULL, WORDS },
		{}
	};
	const char *interface = "", *fifo = NULL, *filter = "", *words = "";
	int argc = 0, what = 0, c;

	while (argv[argc])
		argc++;
	/* in front of the options, there is the name of a program, which here is "extcap" */
	opterr = 0;
	while ((c = getopt_long(argc + 1, argv - 1, "", options, NULL)) != -1) {
		if (c >= LIST && c <= CAPTURE)
			what = c;
		else if (c == INTERFACE)
			interface = optarg;
		else if (c == FIFO)
			fifo = optarg;
		else if (c == FILTER)
			filter = optarg;
		else if (c == WORDS)
			words = optarg;
	}
	if (what == LIST)
		return interfaces();
	if (what == DLTS)
		puts("dlt {number=1}{name=EN10MB}{display=Ethernet}");
	if (what == CONFIG)
		puts("arg {number=0}{call=--words}{display=Rule words}{type=string}{tooltip=What to capture, as in vtap rule add: ip_proto tcp dst_port 443}");
	return what == CAPTURE ? capture(interface, words, filter, fifo) : OK;
}
