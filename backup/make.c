/* Making a backup: a temporary file, written, read back and synced before it gets its name. */
#include "backup/make.h"

#include "backup/back.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/secret.h"
#include "smf/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct making {
    const struct bk_order *order;
    struct klm_diag *diag;
    char temporary[4096];
    int fd;
    struct klm_pool *pool;
    struct kr_backup *key;
    struct kr_master *tokens;
    struct bk_manifest manifest;
    struct bk_progress progress;
    struct bk_made made;
    struct klm_slice header;
    struct bk_back *back; /* reads what is written */
};

static klm_rc pulse(void *arg, uint64_t bytes)
{
    struct making *m = arg;

    if (m->progress.verifying) {
        m->progress.done = bytes;
    }
    return m->order->watch.go_on(m->order->watch.arg, &m->progress);
}

static klm_rc write_failed(struct making *m, int err)
{
    return klm_fail(m->diag, klm_rc_errno(err), KLM_MSG_BK_WRITE, m->order->path, strerror(err));
}

/* ---- Header */

static klm_rc add_slot(struct making *m, struct bk_header *header, enum kr_slot type,
                       const struct klm_buf *body)
{
    struct bk_slot *slot = &header->slot[header->slots];

    KLM_TRY(klm_pool_slice(m->pool, klm_buf_as_slice(body), &slot->body));
    slot->type = (uint8_t)type;
    header->slots++;
    return KLM_OK;
}

static klm_rc password_slot(struct making *m, struct bk_header *header)
{
    KLM_AUTO(klm_buf_done) struct klm_buf slot;
    klm_rc rc;

    klm_buf_init(&slot, KR_SLOT_MAX);
    rc = kr_slot_password(m->key, header->id, &m->order->cost, m->order->password, &slot);
    if (rc == KLM_E_LIMIT) {
        return klm_fail(m->diag, rc, KLM_MSG_BK_PASSWORD_LENGTH, KLM_NUM(KR_PASSWORD_LEAST),
                        KLM_NUM(KR_PASSWORD_MOST));
    }
    KLM_TRY(rc);
    return add_slot(m, header, KR_SLOT_PASSWORD, &slot);
}

static klm_rc seal_by_token(struct making *m, const uint8_t id[BK_ID], struct klm_diag *diag,
                            struct klm_buf *slot)
{
    const char *token, *object;
    struct p11 *p11;

    if (!km_backup_key(m->order->server, &token, &object)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_TOKEN_UNSET,
                        parm_row(PARM_tklm_backup_token)->name);
    }
    p11 = km_backup_token(m->order->server, token);
    if (!p11) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_TOKEN_UNSET,
                        parm_row(PARM_pkcs11_library)->name);
    }
    KLM_TRY(p11_ready(p11, diag));
    return kr_slot_token(m->key, id, p11, object, diag, slot);
}

/* A token that is gone is no reason to have no backup, as long as the password opens it. */
static klm_rc token_slot(struct making *m, struct bk_header *header)
{
    KLM_AUTO(klm_buf_done) struct klm_buf slot;
    struct klm_diag why = {0};
    klm_rc rc;

    klm_buf_init(&slot, KR_SLOT_MAX);
    rc = seal_by_token(m, header->id, &why, &slot);
    if (rc == KLM_OK) {
        return add_slot(m, header, KR_SLOT_PKCS11, &slot);
    }
    if (header->slots == 0) {
        if (m->diag) {
            *m->diag = why;
        }
        return rc;
    }
    klm_say(KLM_MSG_BK_TOKEN_LEFT, m->order->path, why.text[0] ? why.text : klm_rc_text(rc));
    return KLM_OK;
}

static klm_rc put_slots(struct making *m, struct bk_header *header)
{
    if (m->order->password.n || !m->order->token) {
        KLM_TRY(password_slot(m, header));
    }
    return m->order->token ? token_slot(m, header) : KLM_OK;
}

static klm_rc write_header(struct making *m)
{
    struct bk_header header = {.product = KLM_VERSION, .created = klm_clock(), .chunk = BK_CHUNK};
    KLM_AUTO(klm_buf_done) struct klm_buf bytes;
    klm_rc rc;

    klm_buf_init(&bytes, BK_HEADER_MOST);
    header.server_id = smf_journal_server_id(km_journal(m->order->server));
    st_id(km_store(m->order->server), header.lineage);
    KLM_TRY(klm_random(header.id, sizeof header.id));
    KLM_TRY(put_slots(m, &header));
    KLM_TRY(bk_header_encode(&header, m->key, &bytes));
    KLM_TRY(klm_pool_slice(m->pool, klm_buf_as_slice(&bytes), &m->header));
    KLM_TRY(klm_sha256(&m->header, 1, m->manifest.header));
    rc = klm_write_all(m->fd, m->header.p, m->header.n);
    return rc == KLM_OK ? rc
                        : klm_fail(m->diag, rc, KLM_MSG_BK_WRITE, m->order->path, klm_rc_text(rc));
}

/* ---- Contents */

/* A server without a key to sign with makes a backup all the same; its restore asks who made it. */
static klm_rc sign(struct making *m, struct klm_slice manifest, struct bk_signature *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf message;
    struct smf_signature made;
    klm_rc rc;

    klm_buf_init(&message, 256);
    KLM_TRY(bk_signed_message(manifest, &message));
    rc = km_sign(m->order->server, klm_buf_as_slice(&message), m->pool, &made, &out->cert);
    if (rc != KLM_OK) {
        klm_say(KLM_MSG_BK_UNSIGNED, m->order->path, klm_rc_text(rc));
        *out = (struct bk_signature){.algorithm = ""};
        return KLM_OK;
    }
    m->made.is_signed = true;
    out->algorithm = klm_pool_str(m->pool, made.algorithm);
    return out->algorithm ? klm_pool_slice(m->pool, KLM_SLICE(made.bytes, made.n), &out->bytes)
                          : KLM_E_NOMEM;
}

static klm_rc put_manifest(struct making *m, struct bk_out *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf bytes;
    KLM_AUTO(klm_buf_done) struct klm_buf signature;
    struct bk_signature made;

    klm_buf_init(&bytes, BK_ITEM_MOST);
    klm_buf_init(&signature, BK_ITEM_MOST);
    KLM_TRY(bk_manifest_encode(&m->manifest, &bytes));
    KLM_TRY(sign(m, klm_buf_as_slice(&bytes), &made));
    bk_signature_put(&signature, &made);
    KLM_TRY(klm_buf_rc(&signature));
    KLM_TRY(bk_out_item(out, BK_MANIFEST, klm_buf_as_slice(&bytes), m->diag));
    return bk_out_item(out, BK_SIGNATURE, klm_buf_as_slice(&signature), m->diag);
}

static void written(void *arg, uint64_t bytes)
{
    struct making *m = arg;

    bk_back_written(m->back, m->header.n + bytes);
}

static klm_rc write_contents(struct making *m)
{
    KLM_AUTO(bk_out_free) struct bk_out *out = NULL;
    struct bk_sink sink = {.tokens = m->tokens,
                           .manifest = &m->manifest,
                           .progress = &m->progress,
                           .pool = m->pool,
                           .diag = m->diag};
    const struct bk_pulse beat = {pulse, m};

    KLM_TRY(bk_out_open(m->fd, m->order->path, m->key, BK_CHUNK, &beat, &out));
    bk_out_follow(out, &(struct bk_follow){written, m});
    sink.out = out;
    KLM_TRY(bk_collect(m->order->server, &sink));
    KLM_TRY(put_manifest(m, out));
    KLM_TRY(bk_out_end(out, m->diag));
    m->made.bytes = m->header.n + bk_out_bytes(out);
    m->made.number = m->manifest.number;
    for (size_t i = 0; i < m->manifest.n; i++) {
        m->made.records +=
            m->manifest.section[i].type == BK_TABLE ? m->manifest.section[i].items : 0;
        m->made.damaged += m->manifest.section[i].damaged;
    }
    return KLM_OK;
}

/* ---- The file */

/* Read back from the device while it is written, and the rest when it is synced. */
static klm_rc read_back(struct making *m)
{
    const struct bk_pulse beat = {pulse, m};

    m->progress = (struct bk_progress){.total = m->made.bytes, .verifying = true};
    return bk_back_end(m->back, &beat, m->diag);
}

/* A name that is taken stays as it is. */
static klm_rc give_name(struct making *m)
{
    char folder[4096];

    if (renameat2(AT_FDCWD, m->temporary, AT_FDCWD, m->order->path, RENAME_NOREPLACE) != 0) {
        if (errno == EINVAL && link(m->temporary, m->order->path) == 0) {
            (void)unlink(
                m->temporary); /* a file system without that call: the name is made, the other one is waste */
        } else if (errno == EEXIST) {
            return klm_fail(m->diag, KLM_E_EXISTS, KLM_MSG_FILE_EXISTS, m->order->path);
        } else {
            return write_failed(m, errno);
        }
    }
    KLM_TRY(klm_path_folder(m->order->path, folder, sizeof folder));
    return klm_sync_folder(folder);
}

static klm_rc write_file(struct making *m)
{
    klm_rc rc;

    KLM_TRY(write_header(m));
    KLM_TRY(bk_back_new(m->temporary, m->key, m->diag, &m->back));
    KLM_TRY(write_contents(m));
    rc = klm_fsync(m->fd);
    if (rc != KLM_OK) {
        return klm_fail(m->diag, rc, KLM_MSG_BK_WRITE, m->order->path, klm_rc_text(rc));
    }
    KLM_TRY(read_back(m));
    return give_name(m);
}

static klm_rc open_temporary(struct making *m)
{
    const char *path = m->order->path;
    struct stat st;

    if (snprintf(m->temporary, sizeof m->temporary, "%s.tmp%d", path, (int)getpid()) >=
        (int)sizeof m->temporary) {
        return KLM_E_LIMIT;
    }
    if (lstat(path, &st) == 0) {
        return klm_fail(m->diag, KLM_E_EXISTS, KLM_MSG_FILE_EXISTS, path);
    }
    (void)unlink(m->temporary); /* of a process of the same number that was killed */
    m->fd = open(m->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return m->fd < 0 ? write_failed(m, errno) : KLM_OK;
}

static klm_rc make(struct making *m)
{
    char vp[KR_VP_MAX];
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &m->pool));
    KLM_TRY(kr_backup_new(&m->key));
    KLM_TRY(kr_backup_master(m->key, &m->tokens));
    kr_master_vp(km_master(m->order->server), vp);
    m->manifest.master_vp = klm_pool_str(m->pool, vp);
    KLM_TRY(m->manifest.master_vp ? KLM_OK : KLM_E_NOMEM);
    KLM_TRY(open_temporary(m));
    rc = write_file(m);
    bk_back_free(&m->back);
    if (close(m->fd) != 0 && rc == KLM_OK) {
        rc = write_failed(m, errno);
    }
    if (rc != KLM_OK) {
        (void)unlink(m->temporary); /* the outcome before counts */
    }
    return rc;
}

klm_rc bk_make(const struct bk_order *order, struct klm_diag *diag, struct bk_made *out)
{
    struct making *m = calloc(1, sizeof *m);
    klm_rc rc = KLM_E_NOMEM;

    if (!m) {
        return rc;
    }
    m->order = order;
    m->diag = diag;
    rc = make(m);
    if (rc == KLM_OK) {
        *out = m->made;
    }
    kr_master_free(&m->tokens);
    kr_backup_free(&m->key);
    klm_pool_free(&m->pool);
    free(m);
    return rc;
}
