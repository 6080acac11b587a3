/* The new state beside the old one: a store filled from the backup, its key tokens under the receiver's master key, and new files. */
#include "backup/restore.h"

#include "base/file.h"
#include "base/secret.h"
#include "keyring/rewrap.h"
#include "parmlib/properties.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define FILE_MOST (256u << 20)
#define SPACE_AMPLE ((uint64_t)8 << 30) /* with this much, and */
#define SPACE_RATIO                                                                                \
    64 /* so many times the file, nobody has to count: key usage events shrink to a sixteenth, keys far less */
#define SPACE_BESIDE ((uint64_t)64 << 20) /* reserve, logs, and what happens meanwhile */

struct staging {
    struct bk_restoring *r;
    struct kr_master *tokens; /* the backup's own master key */
    struct kr_rewrap *rewrap; /* from there to the receiver's */
    struct klm_buf token;     /* the one being put */
    struct st_load *load;
    klm_rc (*agree)(struct bk_restoring *r);
    enum st_table table;
    bool skip; /* a table that this release does not know */
    uint64_t records;
    struct bk_path path[BK_PATHS];
    struct klm_buf content[BK_PATHS];
    bool there[BK_PATHS];
    size_t paths, at;
};

klm_rc bk_stage_failed(struct bk_restoring *r, const char *path, klm_rc rc)
{
    if (r->diag && r->diag->msg != KLM_MSG_NONE) {
        return rc; /* it was said where it happened */
    }
    return klm_fail(r->diag, rc, KLM_MSG_BK_STAGE, path, klm_rc_text(rc));
}

klm_rc bk_stage_options(const struct bk_restoring *r, const char *home, struct st_options *out)
{
    *out = (struct st_options){.home = home, .create = true};
    out->cache_bytes = (size_t)parm_num(r->config, PARM_store_cache_megabytes) << 20;
    return km_store_key(r->keys, home, out->mac_key, r->diag);
}

/* Bytes free beside the store; UINT64_MAX: not told, so the load finds out. */
static klm_rc free_beside(struct bk_restoring *r, const char *store, uint64_t *out)
{
    char folder[4096];
    struct statvfs fs;

    KLM_TRY(klm_path_folder(store, folder, sizeof folder));
    KLM_TRY(klm_folder_make(folder, 0700, r->diag));
    *out = statvfs(folder, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
    return KLM_OK;
}

/* Is there room for all of the new state? Only where it might be scarce is it worth a walk to know. */
static klm_rc check_space(struct bk_restoring *r)
{
    char store[4096];
    uint64_t there, needed;

    KLM_TRY(parm_store_dir(r->config, store, sizeof store));
    KLM_TRY(free_beside(r, store, &there));
    if (there >= SPACE_AMPLE && (there - SPACE_AMPLE) / SPACE_RATIO >= r->file.bytes) {
        return KLM_OK;
    }
    KLM_TRY(bk_size(r, &needed));
    needed += SPACE_BESIDE;
    if (there >= needed) {
        return KLM_OK;
    }
    return klm_fail(r->diag, KLM_E_NOSPACE, KLM_MSG_BK_SPACE, r->order->file, KLM_NUM(needed),
                    store, KLM_NUM(there));
}

/* ---- Visitor */

/* A table that this release does not know is left out only with consent. */
static klm_rc begin_table(struct staging *s, const struct bk_section *section)
{
    s->skip = st_table_find(section->name, &s->table) != KLM_OK;
    if (s->skip && !(s->r->order->consent & BK_ACCEPT_NEWER)) {
        return klm_fail(s->r->diag, KLM_E_STATE, KLM_MSG_BK_NEWER, s->r->file.path,
                        s->r->file.header.product, KLM_VERSION);
    }
    if (s->skip) {
        klm_say(KLM_MSG_BK_TABLE, s->r->file.path, section->name);
    }
    return KLM_OK;
}

static klm_rc begin(void *arg, const struct bk_section *section)
{
    struct staging *s = arg;

    if (section->type == BK_TABLE) {
        return begin_table(s, section);
    }
    for (s->at = 0; s->at < s->paths && strcmp(s->path[s->at].name, section->name) != 0; s->at++) {
    }
    if (s->at < s->paths) {
        s->there[s->at] = true;
    }
    return KLM_OK; /* a file of a later release, or one that is not configured here, is passed over */
}

static klm_rc data(void *arg, const struct bk_section *section, struct klm_slice data)
{
    struct staging *s = arg;

    (void)section;
    if (s->at >= s->paths) {
        return KLM_OK;
    }
    klm_buf_slice(&s->content[s->at], data);
    return klm_buf_rc(&s->content[s->at]);
}

static klm_rc damaged(struct staging *s, const char *why)
{
    return klm_fail(s->r->diag, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED, s->r->file.path, why);
}

static klm_rc put(struct staging *s, struct klm_slice key, struct klm_slice record)
{
    klm_rc rc = st_load_put(s->load, s->table, key, record);

    s->records++;
    return rc == KLM_E_INVALID || rc == KLM_E_LIMIT
               ? damaged(s, "its records are not in order, or not of a store")
               : rc;
}

static klm_rc put_token(struct staging *s, const struct bk_record *record)
{
    char label[KR_TOKEN_LABEL_MAX + 1];
    klm_rc rc;

    if (record->key.n > KR_TOKEN_LABEL_MAX) {
        return damaged(s, "the label of a key token is too long");
    }
    memcpy(label, record->key.p, record->key.n);
    label[record->key.n] = '\0';
    klm_buf_clear(&s->token);
    rc = kr_rewrap_token(s->rewrap, label, record->record, &s->token);
    if (rc != KLM_OK) {
        return klm_fail(s->r->diag, rc == KLM_E_NOMEM ? rc : KLM_E_CORRUPT, KLM_MSG_BK_TOKEN,
                        s->r->file.path, label, klm_rc_text(rc));
    }
    return put(s, record->key, klm_buf_as_slice(&s->token));
}

static klm_rc record(void *arg, const struct bk_section *section, const struct bk_record *record)
{
    struct staging *s = arg;

    (void)section;
    if (s->skip) {
        return KLM_OK;
    }
    if ((record->form != BK_PLAIN) != (s->table == ST_TOKEN) ||
        (record->form == BK_REFERENCE && !kr_token_refers(record->record))) {
        return damaged(s, "a key token is not where it belongs");
    }
    return record->form == BK_TOKEN ? put_token(s, record) : put(s, record->key, record->record);
}

/* ---- The store */

/* The new store holds what this backup holds, so none is needed until something changes. */
static klm_rc mark(struct staging *s, struct st_store *store)
{
    const struct km_backup_done done = {.file = s->r->order->file,
                                        .number = (int64_t)st_number(store)};
    struct st_change *change;
    klm_rc rc;

    KLM_TRY(st_change_open(store, &change));
    rc = bk_other_server(s->r) ? md_identity_renew(change) : KLM_OK;
    if (rc == KLM_OK) {
        rc = km_backup_mark(change, &done, s->r->file.header.created);
    }
    if (rc == KLM_OK) {
        rc = st_change_commit(&change, s->r->diag);
    }
    st_change_drop(&change);
    return rc == KLM_OK ? st_checkpoint(store, 0, 0) : rc;
}

static klm_rc fill(struct staging *s, struct st_store *store)
{
    const struct bk_visitor visitor = {.begin = begin, .record = record, .data = data, .arg = s};
    const struct bk_pulse pulse = {bk_restore_pulse, s->r};
    klm_rc rc;

    KLM_TRY(st_load_open(store, &s->load));
    rc = bk_file_walk(&s->r->file, &visitor, &pulse, s->r->diag, s->r->found);
    if (rc == KLM_OK) {
        rc = s->agree(s->r);
    }
    if (rc == KLM_OK) {
        st_load_number(s->load, s->r->found->manifest.number);
        rc = st_load_end(&s->load, s->r->diag);
    }
    st_load_drop(&s->load);
    return rc;
}

/* What was written is read again from its files: every record, as a start would open it. */
static klm_rc check_store(struct staging *s, const struct st_options *options)
{
    KLM_AUTO(st_close) struct st_store *store = NULL;

    s->r->step = "checking the new store";
    KLM_TRY(st_open_bdb(options, s->r->diag, &store));
    return st_verify(store, NULL, NULL, NULL);
}

static klm_rc open_and_fill(struct staging *s, const struct st_options *options)
{
    KLM_AUTO(st_close) struct st_store *store = NULL;

    KLM_TRY(st_open_bdb(options, s->r->diag, &store));
    return fill(s, store);
}

static klm_rc open_and_mark(struct staging *s, const struct st_options *options)
{
    KLM_AUTO(st_close) struct st_store *store = NULL;

    KLM_TRY(st_open_bdb(options, s->r->diag, &store));
    KLM_TRY(bk_given_carry(s->r, store));
    return mark(s, store);
}

static klm_rc make_store(struct staging *s)
{
    struct bk_restoring *r = s->r;
    struct st_options options;
    klm_rc rc;

    KLM_TRY(bk_stage_options(r, km_switch_store(r->swap), &options));
    options.id = r->file.header.lineage;
    options.number = r->present.number;
    options.filling = true;
    rc = open_and_fill(s, &options);
    if (rc == KLM_OK) {
        rc = check_store(s, &options);
    }
    options.filling = false;
    if (rc == KLM_OK) {
        rc = open_and_mark(s, &options);
    }
    klm_wipe(options.mac_key, sizeof options.mac_key);
    return rc == KLM_OK ? rc : bk_stage_failed(r, km_switch_store(r->swap), rc);
}

/* ---- Files */

/* Ours with what the backup's sets, but for local and secret properties: folders, ports and rings stay those of this server. */
static klm_rc put_config(struct staging *s, const struct bk_path *path, struct klm_slice content)
{
    struct bk_restoring *r = s->r;
    KLM_AUTO(parm_free) struct parm_config *theirs = NULL, *checked = NULL;
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    struct km_merge merge = {.path = path->path, .mine = r->config, .rewrite = true};
    size_t changed;

    klm_buf_init_wiping(&text, 2 * PARM_FILE_MAX);
    KLM_TRY(parm_load_text(content, "the configuration in the backup", true, r->diag, &theirs));
    merge.theirs = theirs;
    KLM_TRY(klm_file_read(path->path, PARM_FILE_MAX, &text, r->diag));
    KLM_TRY(km_config_merge(&merge, &text, &changed, r->diag));
    if (changed == 0) {
        return KLM_OK;
    }
    KLM_TRY(parm_load_text(klm_buf_as_slice(&text), path->path, true, r->diag, &checked));
    return km_switch_file(r->swap, path->path, path->name, klm_buf_as_slice(&text), 0600, r->diag);
}

/* The text that an edit of a view is compared with lies in the folder of the store, so it comes with the new one. */
static klm_rc put_beside(struct staging *s, const char *name, struct klm_slice content)
{
    char path[4400];

    snprintf(path, sizeof path, "%s/%s", km_switch_store(s->r->swap), name);
    return klm_file_create(path, content, 0600, s->r->diag);
}

/* A view that the backup does not have is taken away, and made anew by the start. */
static klm_rc put_file(struct staging *s, size_t i)
{
    const struct bk_path *path = &s->path[i];
    const struct klm_slice content = klm_buf_as_slice(&s->content[i]);

    if (strcmp(path->name, BK_NAME_CONFIG) == 0) {
        return s->there[i] ? put_config(s, path, content) : KLM_OK;
    }
    if (path->beside) {
        return s->there[i] ? put_beside(s, path->beside, content) : KLM_OK;
    }
    return km_switch_file(s->r->swap, path->path, path->name,
                          !s->there[i]    ? KLM_SLICE(NULL, 0)
                          : content.n > 0 ? content
                                          : KLM_SLICE("", 0),
                          0644, s->r->diag);
}

static klm_rc stage(struct staging *s)
{
    KLM_TRY(kr_backup_master(s->r->file.key, &s->tokens));
    KLM_TRY(kr_rewrap_new(s->tokens, km_master(s->r->keys), &s->rewrap));
    KLM_TRY(bk_paths(s->r->config, s->path, &s->paths));
    KLM_TRY(make_store(s));
    s->r->step = "preparing files";
    for (size_t i = 0; i < s->paths; i++) {
        klm_rc rc = put_file(s, i);

        if (rc != KLM_OK) {
            return bk_stage_failed(s->r, s->path[i].path, rc);
        }
    }
    return KLM_OK;
}

klm_rc bk_stage(struct bk_restoring *r, klm_rc (*agree)(struct bk_restoring *r), uint64_t *records)
{
    struct staging *s = calloc(1, sizeof *s);
    klm_rc rc;

    if (!s) {
        return KLM_E_NOMEM;
    }
    s->r = r;
    s->agree = agree;
    for (size_t i = 0; i < BK_PATHS; i++) {
        klm_buf_init_wiping(&s->content[i], FILE_MOST);
    }
    klm_buf_init(&s->token, ST_RECORD_MAX);
    rc = check_space(r);
    if (rc == KLM_OK) {
        rc = stage(s);
    }
    *records = s->records;
    for (size_t i = 0; i < BK_PATHS; i++) {
        klm_buf_done(&s->content[i]);
    }
    klm_buf_done(&s->token);
    kr_rewrap_free(&s->rewrap);
    kr_master_free(&s->tokens);
    free(s);
    return rc;
}
