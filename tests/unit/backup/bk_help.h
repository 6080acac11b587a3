/* Backups for tests: of a house that is open, cheap ones; and backups made by hand, with whatever is wrong in them. */
#ifndef TESTS_BACKUP_HELP_H
#define TESTS_BACKUP_HELP_H

#include "keymgr/km_help.h"

#include "backup/bk.h"
#include "backup/make.h"
#include "backup/walk.h"
#include "base/digest.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#define PASSWORD "correct horse battery"
#define CHEAP ((struct kr_scrypt){10, 8, 1})

/* Run a program that has to succeed. */
static UNUSED void spawn(const char *const *argv)
{
    extern char **environ;
    const union {
        const char *const *in;
        char *const *out;
    } plain = {argv};
    int status = -1;
    pid_t pid;

    REQUIRE(posix_spawnp(&pid, argv[0], NULL, NULL, plain.out, environ) == 0);
    REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
}
#define SPAWN(...) spawn((const char *const[]){__VA_ARGS__, NULL})

static UNUSED klm_rc always(void *arg, const struct bk_progress *progress)
{
    (void)arg, (void)progress;
    return KLM_OK;
}

static UNUSED klm_rc go_on(void *arg, uint64_t bytes)
{
    (void)arg, (void)bytes;
    return KLM_OK;
}

static UNUSED struct bk_made make_backup(const struct house *house, const char *path)
{
    const struct bk_order order = {.server = house->server,
                                   .path = path,
                                   .password = klm_slice_str(PASSWORD),
                                   .cost = CHEAP,
                                   .watch = {always, NULL}};
    struct klm_diag diag = {0};
    struct bk_made made = {0};
    klm_rc rc = bk_make(&order, &diag, &made);

    if (rc != KLM_OK) {
        fprintf(stderr, "# %s\n", diag.text);
    }
    REQUIRE_OK(rc);
    return made;
}

/* Restore into a house that is closed; the message is kept in *diag. */
static UNUSED klm_rc restore_into(const struct house *house, const char *file, const char *password,
                                  unsigned consent, struct klm_diag *diag, struct bk_restored *out)
{
    const struct bk_restore order = {.config_path = house->config,
                                     .file = file,
                                     .password = klm_slice_str(password),
                                     .consent = consent,
                                     .who = "ADMIN",
                                     .roles = KM_ROLE_BACKUP};

    *diag = (struct klm_diag){0};
    return bk_restore(&order, diag, out);
}
#define RESTORED(house, file, consent)                                                             \
    do {                                                                                           \
        struct klm_diag diag_;                                                                     \
        struct bk_restored done_ = {0};                                                            \
        klm_rc rc_ = restore_into(house, file, PASSWORD, consent, &diag_, &done_);                 \
        if (rc_ != KLM_OK) {                                                                       \
            fprintf(stderr, "# %s\n", diag_.text);                                                 \
        }                                                                                          \
        REQUIRE_OK(rc_);                                                                           \
    } while (0)
static UNUSED void refused(const struct house *house, const char *file, const char *password,
                           unsigned consent, klm_rc rc, enum klm_msg_id msg, int line)
{
    struct klm_diag diag;
    struct bk_restored done = {0};

    test_rc(restore_into(house, file, password, consent, &diag, &done), rc, "bk_restore", __FILE__,
            line, false);
    test_str(klm_msg(diag.msg)->id, klm_msg(msg)->id, diag.text, __FILE__, line);
}
#define NOT_RESTORED(house, file, password, consent, rc, msg)                                      \
    refused(house, file, password, consent, rc, msg, __LINE__)

/* Is there a certificate of this label? In a house that is open. */
static UNUSED bool has_label(const struct house *house, const char *label)
{
    struct klm_pool *pool = NULL;
    struct st_view *view = NULL;
    struct kr_cert cert;
    bool has;

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_view_open(km_store(house->server), &view));
    has = kr_cert_get(view, OWNER, label, pool, &cert) == KLM_OK;
    st_view_close(&view);
    klm_pool_free(&pool);
    return has;
}

/* The whole file, to be changed, and a byte behind it; freed by the caller. */
static UNUSED uint8_t *bytes_of(const char *path, size_t *n)
{
    struct klm_buf buf;
    uint8_t *bytes;

    klm_buf_init(&buf, 64u << 20);
    REQUIRE_OK(klm_file_read(path, 64u << 20, &buf, NULL));
    bytes = calloc(1, buf.n + 1);
    REQUIRE(bytes != NULL);
    memcpy(bytes, buf.p, buf.n);
    *n = buf.n;
    klm_buf_done(&buf);
    return bytes;
}

static UNUSED void put_bytes(const char *path, const uint8_t *bytes, size_t n)
{
    REQUIRE_OK(klm_file_replace(path, KLM_SLICE(bytes, n), 0600, NULL));
}

/* ---- Made by hand */
struct craft {
    int fd;
    struct kr_backup *key;
    struct kr_master *tokens;
    struct bk_out *out;
    struct klm_pool *pool;
    struct bk_manifest manifest;
    struct klm_hash *hash;
};

static UNUSED void craft_begin(struct craft *c, const char *path, const char *product,
                               const char *server_id)
{
    static const struct bk_pulse pulse = {go_on, NULL};
    const struct kr_scrypt cost = CHEAP;
    struct bk_header header = {.product = product,
                               .server_id = server_id,
                               .id = "id of the backup",
                               .created = 1318966508000000,
                               .chunk = BK_CHUNK_LEAST};
    struct klm_buf slot, bytes;

    *c = (struct craft){.manifest = {.journal_id = server_id, .master_vp = "0123456789ABCDEF"}};
    REQUIRE_OK(klm_pool_new(0, &c->pool));
    REQUIRE_OK(klm_hash_new(&c->hash));
    REQUIRE_OK(kr_backup_new(&c->key));
    REQUIRE_OK(kr_backup_master(c->key, &c->tokens));
    klm_buf_init(&slot, KR_SLOT_MAX);
    klm_buf_init(&bytes, BK_HEADER_MOST);
    REQUIRE_OK(kr_slot_password(c->key, header.id, &cost, klm_slice_str(PASSWORD), &slot));
    header.slot[0] = (struct bk_slot){KR_SLOT_PASSWORD, klm_buf_as_slice(&slot)};
    header.slots = 1;
    REQUIRE_OK(bk_header_encode(&header, c->key, &bytes));
    REQUIRE_OK(klm_sha256((struct klm_slice[]){klm_buf_as_slice(&bytes)}, 1, c->manifest.header));
    c->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(c->fd >= 0);
    REQUIRE_OK(klm_write_all(c->fd, bytes.p, bytes.n));
    REQUIRE_OK(bk_out_open(c->fd, path, c->key, BK_CHUNK_LEAST, &pulse, &c->out));
    klm_buf_done(&slot);
    klm_buf_done(&bytes);
}

static UNUSED void craft_item(struct craft *c, enum bk_kind kind, const struct klm_buf *payload)
{
    REQUIRE_OK(bk_out_item(c->out, kind, klm_buf_as_slice(payload), NULL));
}

/* A section with one data item. */
static UNUSED void craft_section(struct craft *c, enum bk_type type, const char *name,
                                 struct klm_slice data, uint64_t items)
{
    struct bk_section *section = &c->manifest.section[c->manifest.n++];
    struct klm_buf item;

    *section = (struct bk_section){.type = (uint8_t)type, .items = items, .bytes = data.n};
    snprintf(section->name, sizeof section->name, "%s", name);
    klm_buf_init(&item, BK_ITEM_MOST);
    klm_buf_u8(&item, (uint8_t)type);
    klm_buf_str16(&item, name);
    craft_item(c, BK_BEGIN, &item);
    klm_buf_clear(&item);
    klm_buf_slice(&item, data);
    craft_item(c, BK_DATA, &item);
    klm_buf_clear(&item);
    klm_buf_u64(&item, items);
    klm_buf_u64(&item, data.n);
    klm_buf_u64(&item, 0);
    craft_item(c, BK_END, &item);
    klm_buf_done(&item);
    klm_hash_update(c->hash, data);
    REQUIRE_OK(klm_hash_end(c->hash, section->hash));
}

/* A table of two records. */
static UNUSED void craft_table(struct craft *c, const char *table, const char *first,
                               const char *second, enum bk_form form)
{
    struct klm_buf data;

    klm_buf_init(&data, 65536);
    bk_record_put(&data,
                  &(struct bk_record){klm_slice_str(first), klm_slice_str("one"), (uint8_t)form});
    bk_record_put(&data,
                  &(struct bk_record){klm_slice_str(second), klm_slice_str("two"), (uint8_t)form});
    craft_section(c, BK_TABLE, table, klm_buf_as_slice(&data), 2);
    klm_buf_done(&data);
}

static UNUSED void craft_end(struct craft *c, bool with_manifest)
{
    struct klm_buf item;

    klm_buf_init(&item, BK_ITEM_MOST);
    if (with_manifest) {
        REQUIRE_OK(bk_manifest_encode(&c->manifest, &item));
        craft_item(c, BK_MANIFEST, &item);
        klm_buf_clear(&item);
        bk_signature_put(&item, &(struct bk_signature){.algorithm = ""});
        craft_item(c, BK_SIGNATURE, &item);
    }
    klm_buf_done(&item);
    REQUIRE_OK(bk_out_end(c->out, NULL));
    bk_out_free(&c->out);
    kr_backup_free(&c->key);
    kr_master_free(&c->tokens);
    klm_hash_free(&c->hash);
    klm_pool_free(&c->pool);
    close(c->fd);
}

#endif
