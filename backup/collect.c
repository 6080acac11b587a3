/* What a backup holds: the server's files as they are, and every table of a snapshot of its store but those that pass. */
#include "backup/make.h"

#include "backup/tokens.h"
#include "base/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ITEM (256u << 10) /* bytes after which a data item is written */

/* Tables that are not part of a backup: events on their way to the journal, which goes on by itself, and indexes, which the
 * restored server makes again. */
static bool passes(enum st_table table)
{
    return table == ST_OUTBOX || md_index_has(table, KLM_SLICE("", 0));
}

struct collect {
    struct km_server *server;
    struct bk_sink *sink;
    struct bk_section *section;
    struct bk_tokens *tokens; /* out of the server's master key and under the backup's own */
    struct klm_hash *hash;
    struct klm_buf data;
    enum st_table table;
    uint64_t before, weight; /* progress before this table, and how much the table counts */
    uint64_t records;
};

static klm_rc item(struct collect *c, enum bk_kind kind, struct klm_slice payload)
{
    return bk_out_item(c->sink->out, kind, payload, c->sink->diag);
}

static klm_rc flush(struct collect *c)
{
    const struct klm_slice data = klm_buf_as_slice(&c->data);

    KLM_TRY(klm_buf_rc(&c->data));
    if (data.n == 0) {
        return KLM_OK;
    }
    klm_hash_update(c->hash, data);
    c->section->bytes += data.n;
    return bk_out_take(c->sink->out, BK_DATA, &c->data, c->sink->diag);
}

static klm_rc begin(struct collect *c, enum bk_type type, const char *name)
{
    struct bk_manifest *manifest = c->sink->manifest;
    klm_rc rc;

    if (manifest->n == BK_SECTIONS_MOST) {
        return KLM_E_LIMIT;
    }
    c->section = &manifest->section[manifest->n];
    *c->section = (struct bk_section){.type = (uint8_t)type};
    snprintf(c->section->name, sizeof c->section->name, "%s", name);
    klm_buf_clear(&c->data);
    klm_buf_u8(&c->data, c->section->type);
    klm_buf_str16(&c->data, c->section->name);
    rc = item(c, BK_BEGIN, klm_buf_as_slice(&c->data));
    klm_buf_clear(&c->data);
    return rc;
}

static klm_rc end(struct collect *c)
{
    klm_rc rc;

    KLM_TRY(flush(c));
    KLM_TRY(klm_hash_end(c->hash, c->section->hash));
    klm_buf_u64(&c->data, c->section->items);
    klm_buf_u64(&c->data, c->section->bytes);
    klm_buf_u64(&c->data, c->section->damaged);
    rc = item(c, BK_END, klm_buf_as_slice(&c->data));
    klm_buf_clear(&c->data);
    c->sink->manifest->n++;
    return rc;
}

/* ---- Files */

static klm_rc read_failed(struct collect *c, const char *path)
{
    return klm_fail(c->sink->diag, klm_rc_errno(errno), KLM_MSG_FILE_READ, path, strerror(errno));
}

static klm_rc copy_file(struct collect *c, int fd, const char *path)
{
    for (;;) {
        uint8_t *room = klm_buf_room(&c->data, ITEM);
        ssize_t n;

        KLM_TRY(klm_buf_rc(&c->data));
        n = read(fd, room, ITEM);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return read_failed(c, path);
        }
        if (n == 0) {
            return KLM_OK;
        }
        c->data.n += (size_t)n;
        KLM_TRY(flush(c));
    }
}

/* A file that is not there is no part of the backup; its view is made anew when it is asked for. */
static klm_rc add_file(struct collect *c, const struct bk_path *file)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    klm_rc rc;

    if (fd < 0 && errno == ENOENT) {
        return KLM_OK;
    }
    if (fd < 0) {
        return read_failed(c, file->path);
    }
    rc = begin(c, BK_FILE, file->name);
    if (rc == KLM_OK) {
        c->section->items = 1;
        rc = copy_file(c, fd, file->path);
    }
    close(fd);
    return rc == KLM_OK ? end(c) : rc;
}

static klm_rc add_files(struct collect *c)
{
    struct km_state *state = km_state_get(c->server);
    struct bk_path file[BK_PATHS];
    size_t n;
    klm_rc rc = bk_paths(state->config, file, &n);

    for (size_t i = 0; rc == KLM_OK && i < n; i++) {
        rc = add_file(c, &file[i]);
    }
    km_state_put(&state);
    return rc;
}

/* ---- Tables */

static void say_damaged(struct collect *c, struct klm_slice key, const char *why)
{
    char hex[2 * ST_KEY_MAX + 1], text[ST_KEY_MAX + 1];
    bool plain = key.n > 0;

    for (size_t i = 0; i < key.n; i++) {
        plain = plain && key.p[i] >= ' ' && key.p[i] < 0x7f;
    }
    klm_hex(key.p, key.n, hex);
    snprintf(text, sizeof text, "%.*s", (int)key.n, (const char *)key.p);
    c->section->damaged++;
    klm_say(KLM_MSG_BK_RECORD, st_table_name(c->table), plain ? text : hex, why);
}

static klm_rc put_record(struct collect *c, const struct bk_record *record)
{
    bk_record_put(&c->data, record);
    c->section->items++;
    c->records++;
    return c->data.n >= ITEM ? flush(c) : KLM_OK;
}

/* What cannot be opened is lost already, and is told. */
static klm_rc put_token(void *arg, const struct bk_record *record, klm_rc how)
{
    struct collect *c = arg;

    if (how == KLM_E_CORRUPT || how == KLM_E_WRONGKEY || how == KLM_E_UNSUPPORTED ||
        how == KLM_E_INVALID || how == KLM_E_LIMIT) {
        say_damaged(c, record->key, klm_rc_text(how));
        return KLM_OK;
    }
    KLM_TRY(how);
    return put_record(c, record);
}

static void tell_progress(struct collect *c, size_t n)
{
    struct bk_progress *p = c->sink->progress;

    if (p->done + n < c->before + c->weight) {
        p->done += n;
    }
}

static klm_rc add_record(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct collect *c = arg;

    tell_progress(c, key.n + record.n + 32);
    if (st_key_own(c->table, key) || km_stays_here(c->table, key) || md_index_has(c->table, key)) {
        return KLM_OK; /* the new store makes its own */
    }
    if (damaged) {
        say_damaged(c, key, "its check value is wrong");
        return KLM_OK;
    }
    if (c->table == ST_TOKEN) {
        return bk_tokens_add(c->tokens, key, record);
    }
    return put_record(c, &(struct bk_record){key, record, BK_PLAIN});
}

static klm_rc add_table(struct collect *c, struct st_view *view)
{
    KLM_TRY(begin(c, BK_TABLE, st_table_name(c->table)));
    KLM_TRY(st_scan(view, c->table, &(struct st_range){.ahead = true}, add_record, c));
    KLM_TRY(bk_tokens_flush(c->tokens));
    return end(c);
}

/* A table counts by the size of its file: exact enough for a person, and it costs nothing. */
static uint64_t weight_of(struct km_server *server, enum st_table table)
{
    struct km_state *state = km_state_get(server);
    char folder[4000], path[4096];
    struct stat st = {0};

    if (parm_store_dir(state->config, folder, sizeof folder) == KLM_OK) {
        snprintf(path, sizeof path, "%s/%s.db", folder, st_table_name(table));
        if (stat(path, &st) != 0) {
            st.st_size = 0;
        }
    }
    km_state_put(&state);
    return (uint64_t)st.st_size;
}

static klm_rc add_tables(struct collect *c, struct st_view *view)
{
    struct bk_progress *progress = c->sink->progress;
    uint64_t weight[ST_TABLES];

    for (unsigned t = 0; t < ST_TABLES; t++) {
        weight[t] = passes((enum st_table)t) ? 0 : weight_of(c->server, (enum st_table)t);
        progress->total += weight[t];
    }
    for (unsigned t = 0; t < ST_TABLES; t++) {
        if (passes((enum st_table)t)) {
            continue;
        }
        c->table = (enum st_table)t;
        c->before = progress->done;
        c->weight = weight[t];
        KLM_TRY(add_table(c, view));
        progress->done = c->before + c->weight;
    }
    return KLM_OK;
}

static klm_rc add_all(struct collect *c)
{
    struct bk_manifest *manifest = c->sink->manifest;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(klm_hash_new(&c->hash));
    KLM_TRY(bk_tokens_new(km_master(c->server), c->sink->tokens, put_token, c, &c->tokens));
    KLM_TRY(add_files(c));
    smf_journal_head(km_journal(c->server), &manifest->journal_last, manifest->journal_value);
    manifest->journal_id =
        klm_pool_str(c->sink->pool, smf_journal_server_id(km_journal(c->server)));
    KLM_TRY(st_view_open(km_store(c->server), &view));
    manifest->number = st_view_number(view);
    rc = manifest->journal_id ? add_tables(c, view) : KLM_E_NOMEM;
    st_view_close(&view);
    return rc;
}

klm_rc bk_collect(struct km_server *server, struct bk_sink *sink)
{
    struct collect c = {.server = server, .sink = sink};
    klm_rc rc;

    klm_buf_init_wiping(&c.data, BK_ITEM_MOST); /* the configuration may hold a password */
    rc = add_all(&c);
    bk_tokens_free(&c.tokens);
    klm_buf_done(&c.data);
    klm_hash_free(&c.hash);
    return rc;
}
