/* Switching data sets. A cursor that names the new one is on disk before anything is recorded there; until then the old one is
 * the active one, so a kill or a power loss at any moment leaves one or the other, and nothing between. */
#include "smf/dataset_file.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void smf_dataset_show(struct smf_dataset_sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    memcpy(sink->shown, sink->ds.name, sizeof sink->shown);
    pthread_mutex_unlock(&sink->lock);
}

static klm_rc save_as(struct smf_dataset_sink *sink, const struct smf_ds *ds)
{
    struct smf_ds_cursor cursor = {
        .ino = ds->tail.ino, .length = ds->tail.size, .format = sink->format, .place = sink->at};

    memcpy(cursor.name, ds->name, sizeof cursor.name);
    KLM_TRY(smf_ds_cursor_save(sink->folder, &cursor));
    sink->saved = cursor;
    return KLM_OK;
}

static bool is_saved(const struct smf_dataset_sink *sink)
{
    return sink->saved.place.seq == sink->at.seq && sink->saved.ino == sink->ds.tail.ino &&
           sink->saved.length == sink->ds.tail.size && strcmp(sink->saved.name, sink->ds.name) == 0;
}

klm_rc smf_dataset_save(struct smf_dataset_sink *sink)
{
    klm_rc rc;

    if (sink->ds.tail.fd < 0 || sink->lost || is_saved(sink)) {
        return sink->lost ? KLM_E_IO : KLM_OK;
    }
    rc = klm_fdatasync(sink->ds.tail.fd);
    if (rc != KLM_OK) {
        sink->lost = true;
        if (smf_trouble_failed(&sink->write_trouble)) {
            klm_say(KLM_MSG_DS_WRITE, sink->ds.name, klm_rc_text(rc));
        }
        return rc;
    }
    return save_as(sink, &sink->ds);
}

/* Open one if it is empty. KLM_E_EXISTS: something is in it. */
static klm_rc take_empty(struct smf_dataset_sink *sink, const char *name, struct smf_ds *out)
{
    struct smf_ds ds;

    if (smf_ds_size(sink->dirfd, name) > 0) {
        return KLM_E_EXISTS;
    }
    KLM_TRY(smf_ds_open(sink->dirfd, name, &ds));
    if (ds.tail.size > 0) {
        smf_ds_close(&ds);
        return KLM_E_EXISTS;
    }
    *out = ds;
    return KLM_OK;
}

static size_t index_of(const struct smf_dataset_sink *sink, const char *name)
{
    size_t i = 0;

    while (i < sink->names_n && strcmp(sink->names[i], name) != 0) {
        i++;
    }
    return i;
}

bool smf_dataset_listed(const struct smf_dataset_sink *sink, const char *name)
{
    return index_of(sink, name) < sink->names_n;
}

/* The next empty one of the list behind the active one, which is the last to be looked at. KLM_E_NOTFOUND: none. */
static klm_rc next_empty(struct smf_dataset_sink *sink, struct smf_ds *out)
{
    size_t active = index_of(sink, sink->ds.name);

    if (active == sink->names_n) {
        active--; /* of no list: the first one comes next */
    }
    for (size_t i = 1; i <= sink->names_n; i++) {
        const char *name = sink->names[(active + i) % sink->names_n];

        if (strcmp(name, sink->ds.name) == 0 && sink->ds.tail.fd >= 0) {
            continue; /* it is not empty, or nobody would switch */
        }
        if (take_empty(sink, name, out) == KLM_OK) {
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}

/* The one that nothing was written to for longest; of a list of one, that one. */
static const char *oldest(const struct smf_dataset_sink *sink)
{
    const char *found = NULL;
    struct timespec when = {0};

    for (size_t i = 0; i < sink->names_n; i++) {
        const char *name = sink->names[i];
        struct stat st;

        if ((sink->names_n > 1 && strcmp(name, sink->ds.name) == 0) ||
            fstatat(sink->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) {
            continue;
        }
        if (!found || st.st_mtim.tv_sec < when.tv_sec ||
            (st.st_mtim.tv_sec == when.tv_sec && st.st_mtim.tv_nsec < when.tv_nsec)) {
            found = name;
            when = st.st_mtim;
        }
    }
    return found;
}

/* Nothing is empty: make room by a rename. aside: the new name. */
static klm_rc make_room(struct smf_dataset_sink *sink, char aside[SMF_DS_NAME_MAX],
                        struct smf_ds *out)
{
    const char *name = oldest(sink);
    klm_rc rc;

    if (!name) {
        return KLM_E_NOTFOUND; /* those of the list can neither be opened nor renamed */
    }
    KLM_TRY(smf_ds_aside(sink->dirfd, name, aside));
    rc = take_empty(sink, name, out);
    if (rc != KLM_OK) {
        (void)renameat2(sink->dirfd, aside, sink->dirfd, name, RENAME_NOREPLACE);
    }
    return rc;
}

/* The new one could not be made the active one: as it was before. */
static void undo(struct smf_dataset_sink *sink, struct smf_ds *ds, const char *aside)
{
    if (aside[0]) {
        (void)unlinkat(sink->dirfd, ds->name, 0); /* made a moment ago, and empty */
        (void)renameat2(sink->dirfd, aside, sink->dirfd, ds->name, RENAME_NOREPLACE);
    }
    smf_ds_close(ds);
}

static void say_switched(const char *from, const char *aside, const char *to)
{
    if (aside[0]) {
        klm_say(KLM_MSG_DS_ASIDE, aside);
    }
    if (from[0]) {
        klm_say(KLM_MSG_DS_DUMP, from);
    }
    klm_say(KLM_MSG_DS_ON, to);
}

klm_rc smf_dataset_go_on(struct smf_dataset_sink *sink)
{
    char aside[SMF_DS_NAME_MAX] = "", from[SMF_DS_NAME_MAX] = "";
    struct smf_ds ds;
    klm_rc rc;

    KLM_TRY(smf_dataset_save(sink)); /* whatever happens to its name, its end is known */
    rc = next_empty(sink, &ds);
    if (rc == KLM_E_NOTFOUND) {
        rc = make_room(sink, aside, &ds);
    }
    KLM_TRY(rc);
    rc = save_as(sink, &ds); /* syncs the folder, and so the names, too */
    if (rc != KLM_OK) {
        undo(sink, &ds, aside);
        return rc;
    }
    if (sink->ds.tail.fd >= 0 && sink->ds.tail.size > 0) {
        memcpy(from, strcmp(ds.name, sink->ds.name) == 0 ? aside : sink->ds.name, sizeof from);
    }
    smf_ds_close(&sink->ds);
    sink->ds = ds;
    memcpy(sink->switched, from, sizeof from);
    smf_dataset_show(sink);
    say_switched(from, aside, ds.name);
    return KLM_OK;
}

static klm_rc open_again(struct smf_dataset_sink *sink)
{
    struct smf_ds ds;
    klm_rc rc;

    if (!smf_dataset_listed(sink, sink->ds.name) ||
        take_empty(sink, sink->ds.name, &ds) != KLM_OK) {
        return smf_dataset_go_on(sink);
    }
    rc = save_as(sink, &ds);
    if (rc != KLM_OK) {
        smf_ds_close(&ds);
        return rc;
    }
    sink->ds = ds;
    return KLM_OK;
}

/* Someone else's from now on; what we wrote to it is ours to keep. */
static void let_go(struct smf_dataset_sink *sink, const char *what)
{
    if (sink->ds.tail.fd >= 0) {
        klm_say(KLM_MSG_DS_CHANGED, sink->ds.name, what);
        KLM_IGNORE(klm_fdatasync(sink->ds.tail.fd)); /* it may be gone */
        smf_ds_close(&sink->ds);
    }
}

klm_rc smf_dataset_changed(struct smf_dataset_sink *sink, enum smf_tail_seen seen)
{
    switch (seen) {
    case SMF_TAIL_SAME:
        return KLM_OK;
    case SMF_TAIL_GONE:
        let_go(sink, "removed or renamed");
        return open_again(sink);
    case SMF_TAIL_EMPTIED:
        klm_say(KLM_MSG_DS_CHANGED, sink->ds.name, "emptied");
        sink->ds.tail.size = 0;
        sink->ds.tail.torn = false;
        return save_as(sink, &sink->ds);
    case SMF_TAIL_CHANGED:
        break;
    }
    let_go(sink, "changed");
    return smf_dataset_go_on(sink);
}
