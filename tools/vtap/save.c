// SPDX-License-Identifier: GPL-2.0
/* Saving the configuration, to standard output or in place of a file. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"

static void save_object(FILE *f, const struct object *o, const struct nlmsghdr *nlh)
{
	char *text;

	if (opt.json) {
		object_save_json(o, nlh);
		return;
	}
	text = object_text(o, nlh);
	fprintf(f, "%s add %s\n", o->name, text);
	free(text);
}

/* Does a tap go with the program that made it? @taps: all that there are */
static bool tap_owned(const struct msgs *taps, const char *name)
{
	struct view v;

	for (size_t i = 0; i < taps->n; i++) {
		view_init(&v, &tap_object, taps->v[i]);
		if (!strcmp(view_str(&v, VTAP_A_TAP_NAME), name))
			return v.tb[VTAP_A_TAP_OWNER];
	}
	return false;
}

/*
 * What there is, as commands that make it or in JSON: of @tap alone, or of all taps that have no
 * owner when it is NULL; @n: the number of objects.
 */
static int save_write(FILE *f, const char *tap, size_t *n)
{
	struct msgs taps = {};
	int rc = OK;

	*n = 0;
	if (!tap)
		rc = nl_dump(tap_object.get, &taps);
	if (opt.json)
		out_open(NULL, '{');
	for (const struct json_list *l = json_lists; !rc && l->key; l++) {
		struct msgs m = {};

		rc = nl_dump(l->o->get, &m);
		if (opt.json)
			out_open(l->key, '[');
		for (size_t j = 0; !rc && j < m.n; j++) {
			const char *of = tap_of(l->o, m.v[j]);

			if (tap ? strcmp(of, tap) : tap_owned(&taps, of))
				continue;
			/* what is saved may be applied to another tap */
			if (tap)
				tap_hide(l->o, m.v[j]);
			save_object(f, l->o, m.v[j]);
			++*n;
		}
		if (opt.json)
			out_close(']');
		msgs_free(&m);
	}
	if (opt.json)
		out_close('}');
	msgs_free(&taps);
	return rc;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return false;
		text += n;
		len -= n;
	}
	return true;
}

/* A crash leaves either the old file or the new one, whole. @old: NULL if there is none. */
static int file_replace(const char *path, const struct stat *old, const char *text, size_t len)
{
	mode_t mask = umask(0);
	char *tmp;
	int fd;

	umask(mask);
	if (asprintf(&tmp, "%s.XXXXXX", path) < 0)
		check_mem(NULL);
	fd = mkstemp(tmp);
	if (fd < 0) {
		err("%s: %m", tmp);
		free(tmp);
		return REFUSED;
	}
	/* an owner that cannot be kept gets no more rights than the file has */
	if (fchmod(fd, old ? old->st_mode & 0777 : 0666 & ~mask) ||
	    (old && fchown(fd, old->st_uid, old->st_gid) && errno != EPERM) ||
	    !write_all(fd, text, len) || fsync(fd) || rename(tmp, path)) {
		err("%s: %m", path);
		close(fd);
		unlink(tmp);
		free(tmp);
		return REFUSED;
	}
	close(fd);
	free(tmp);
	return OK;
}

/* Create a file or replace it as a whole; one with something by @nothing takes -force. */
int file_save(const char *name, const char *text, size_t len, bool nothing)
{
	char *path = realpath(name, NULL);
	struct stat st;
	int rc;

	if (!path && errno != ENOENT) {
		err("%s: %m", name);
		return REFUSED;
	}
	if (!path) {
		rc = file_replace(name, NULL, text, len);
	} else if (stat(path, &st)) {
		err("%s: %m", name);
		rc = REFUSED;
	} else if (!S_ISREG(st.st_mode)) {
		err("%s: not a regular file", name);
		rc = REFUSED;
	} else if (nothing && st.st_size && !opt.force) {
		err("%s: there is nothing to save, and the file is not empty: it is kept; -force empties it",
		    name);
		rc = REFUSED;
	} else {
		rc = file_replace(path, &st, text, len);
	}
	free(path);
	return rc;
}

int save_run(char **argv)
{
	const char *name, *tap;
	char *text = NULL;
	size_t len, n;
	FILE *f;
	int rc;

	rc = tap_arg(&argv, &tap);
	if (rc)
		return rc;
	name = *argv;
	if (name && argv[1])
		return usage("\"%s\" after \"save %s\"", argv[1], name);
	f = check_mem(open_memstream(&text, &len));
	out_to(f);
	rc = save_write(f, tap, &n);
	out_to(NULL);
	fclose(f);
	check_mem(text);
	if (!rc && (!name || !strcmp(name, "-")))
		fwrite(text, 1, len, stdout);
	else if (!rc)
		rc = file_save(name, text, len, !n);
	free(text);
	return rc;
}
