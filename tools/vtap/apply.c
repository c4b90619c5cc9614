// SPDX-License-Identifier: GPL-2.0
/* apply makes the taps of the kernel equal to those of a file. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff.h"

/* Send all changes as one transaction. */
static int changes_send(const struct changes *c, const char *file)
{
	struct txn txn = {};

	for (size_t i = 0; i < c->n; i++) {
		const struct change *n = &c->v[i];

		if (opt.details && !opt.json)
			puts(n->text);
		txn_add(&txn, n->o, n->cmd, n->nlh, n->line, n->text);
		txn.v[txn.n - 1].file = n->file;
	}
	if (opt.check && txn.n)
		txn_only_check(&txn);
	return txn_send(&txn, file, false);
}

int apply_run(char **argv)
{
	const char *name, *outer_file = err_file;
	struct config have = {}, want = {};
	struct changes changes = {};
	int outer_line = err_line;
	int rc = tap_arg(&argv, &want.tap);

	if (rc)
		return rc;
	name = *argv;
	if (!name)
		return usage("\"apply\" requires a file");
	if (argv[1])
		return usage("\"%s\" after \"apply %s\"", argv[1], name);

	rc = config_read(&want, name);
	err_file = outer_file;
	err_line = outer_line;
	if (!rc && opt.check && access("/sys/module/vtap", F_OK)) {
		/* a request would load it */
		err("warning: kernel module vtap is not loaded: only the words were checked");
		goto out;
	}
	if (!rc)
		rc = config_get(&have, &want);
	if (!rc) {
		sessions_diff(&have.sessions, &want.sessions);
		rules_diff(&have.rules, &want.rules, &have.sessions);
		rc = changes_make(&changes, &have, &want);
	}
	if (!rc)
		rc = changes_send(&changes, strcmp(name, "-") ? name : "stdin");

out:
	for (size_t i = 0; i < changes.n; i++) {
		free(changes.v[i].nlh);
		free(changes.v[i].text);
	}
	free(changes.v);
	items_free(&have.sessions);
	items_free(&have.rules);
	items_free(&want.sessions);
	items_free(&want.rules);
	free(want.taps);
	return rc;
}
