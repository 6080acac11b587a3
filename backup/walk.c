/* Through all sections of a backup, in order. */
#include "backup/walk.h"

#include "base/digest.h"
#include "smf/sign.h"

#include <stdlib.h>
#include <string.h>

struct walk {
    struct bk_in *in;
    const struct bk_header *header;
    const char *file;
    const struct bk_visitor *visitor;
    struct klm_pool *pool;
    struct klm_diag *diag;
    struct klm_hash *hash;
    struct bk_section seen[BK_SECTIONS_MOST];
    size_t n;
};

static klm_rc damaged(const struct walk *walk, const char *why)
{
    return klm_fail(walk->diag, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED, walk->file, why);
}

/* ---- Sections */

static klm_rc begin(struct walk *walk, struct klm_slice payload)
{
    struct bk_section *section = &walk->seen[walk->n];
    struct klm_cur cur;
    struct klm_slice name;

    if (walk->n == BK_SECTIONS_MOST) {
        return damaged(walk, "it has too many sections");
    }
    klm_cur_init(&cur, payload);
    klm_cur_u8(&cur, &section->type);
    klm_cur_lp16(&cur, BK_NAME_MOST, &name);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || name.n == 0 || memchr(name.p, 0, name.n) ||
        (section->type != BK_TABLE && section->type != BK_FILE)) {
        return damaged(walk, "the beginning of a section is wrong");
    }
    memcpy(section->name, name.p, name.n);
    section->name[name.n] = '\0';
    return walk->visitor->begin ? walk->visitor->begin(walk->visitor->arg, section) : KLM_OK;
}

static klm_rc records(struct walk *walk, struct bk_section *section, struct klm_slice payload)
{
    const struct bk_visitor *visitor = walk->visitor;
    struct klm_cur cur;

    klm_cur_init(&cur, payload);
    while (klm_cur_left(&cur) > 0) {
        struct bk_record record;

        if (bk_record_take(&cur, &record) != KLM_OK) {
            return damaged(walk, "a record cannot be read");
        }
        section->items++;
        if (visitor->record) {
            KLM_TRY(visitor->record(visitor->arg, section, &record));
        }
    }
    return KLM_OK;
}

static klm_rc data(struct walk *walk, struct bk_section *section, struct klm_slice payload)
{
    const struct bk_visitor *visitor = walk->visitor;

    klm_hash_update(walk->hash, payload);
    section->bytes += payload.n;
    if (section->type == BK_TABLE) {
        return walk->visitor->closed ? KLM_OK : records(walk, section, payload);
    }
    section->items = 1;
    return visitor->data ? visitor->data(visitor->arg, section, payload) : KLM_OK;
}

static klm_rc end(struct walk *walk, struct bk_section *section, struct klm_slice payload)
{
    uint64_t items, bytes;
    struct klm_cur cur;

    klm_cur_init(&cur, payload);
    klm_cur_u64(&cur, &items);
    klm_cur_u64(&cur, &bytes);
    klm_cur_u64(&cur, &section->damaged);
    klm_cur_end(&cur);
    if (section->type == BK_FILE) {
        section->items = 1; /* an empty one, too */
    } else if (walk->visitor->closed) {
        section->items = items; /* compared with the manifest alone */
    }
    if (klm_cur_rc(&cur) != KLM_OK || items != section->items || bytes != section->bytes) {
        return damaged(walk, "a section is not as long as it says");
    }
    KLM_TRY(klm_hash_end(walk->hash, section->hash));
    walk->n++;
    return walk->visitor->end ? walk->visitor->end(walk->visitor->arg, section) : KLM_OK;
}

static klm_rc section_items(struct walk *walk)
{
    struct bk_section *section = &walk->seen[walk->n];

    for (;;) {
        struct klm_slice payload;
        enum bk_kind kind;
        klm_rc rc = bk_in_item(walk->in, &kind, &payload, walk->diag);

        if (rc == KLM_E_CLOSED) {
            return damaged(walk, "it ends within a section");
        }
        KLM_TRY(rc);
        switch (kind) {
        case BK_DATA:
            KLM_TRY(data(walk, section, payload));
            continue;
        case BK_END:
            return end(walk, section, payload);
        case BK_BEGIN:
        case BK_MANIFEST:
        case BK_SIGNATURE:
            break;
        }
        return damaged(walk, "a section does not end");
    }
}

/* ---- Manifest and signature */

static bool same(const struct bk_section *a, const struct bk_section *b)
{
    return a->type == b->type && strcmp(a->name, b->name) == 0 && a->items == b->items &&
           a->bytes == b->bytes && a->damaged == b->damaged &&
           memcmp(a->hash, b->hash, BK_HASH) == 0;
}

static klm_rc check_manifest(struct walk *walk, struct klm_slice payload, struct bk_manifest *out)
{
    uint8_t header[BK_HASH];

    if (bk_manifest_decode(payload, walk->pool, out) != KLM_OK) {
        return damaged(walk, "its manifest cannot be read");
    }
    KLM_TRY(klm_sha256(&walk->header->whole, 1, header));
    if (memcmp(header, out->header, BK_HASH) != 0) {
        return damaged(walk, "its manifest belongs to another backup");
    }
    if (out->n != walk->n) {
        return damaged(walk, "its manifest lists other sections than are there");
    }
    for (size_t i = 0; i < walk->n; i++) {
        if (!same(&walk->seen[i], &out->section[i])) {
            return klm_fail(walk->diag, KLM_E_CORRUPT, KLM_MSG_BK_SECTION, walk->file,
                            walk->seen[i].name);
        }
    }
    return KLM_OK;
}

static klm_rc check_signature(struct walk *walk, const struct bk_signature *signature,
                              struct klm_slice message)
{
    struct smf_signature made = {.n = signature->bytes.n};

    if (!signature->algorithm[0]) {
        return KLM_OK; /* said by who asks */
    }
    if (signature->bytes.n > sizeof made.bytes ||
        strlen(signature->algorithm) >= sizeof made.algorithm) {
        return damaged(walk, "its signature cannot be read");
    }
    memcpy(made.algorithm, signature->algorithm, strlen(signature->algorithm));
    if (made.n) {
        memcpy(made.bytes, signature->bytes.p, made.n);
    }
    KLM_TRY(klm_sha256(&signature->cert, 1, made.fingerprint));
    if (smf_signature_check(&made, message, signature->cert) != KLM_OK) {
        return klm_fail(walk->diag, KLM_E_CORRUPT, KLM_MSG_BK_SIGNATURE, walk->file);
    }
    return KLM_OK;
}

static klm_rc expect(struct walk *walk, enum bk_kind want, struct klm_slice *payload)
{
    enum bk_kind kind;
    klm_rc rc = bk_in_item(walk->in, &kind, payload, walk->diag);

    if (rc == KLM_E_CLOSED || (rc == KLM_OK && kind != want)) {
        return damaged(walk, "its end is not where it should be");
    }
    return rc;
}

static klm_rc manifest(struct walk *walk, struct klm_slice payload, struct bk_found *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf message;
    enum bk_kind kind;
    klm_rc rc;

    klm_buf_init(&message, 256);
    KLM_TRY(check_manifest(walk, payload, &out->manifest));
    KLM_TRY(bk_signed_message(payload, &message));
    KLM_TRY(expect(walk, BK_SIGNATURE, &payload));
    if (bk_signature_take(payload, walk->pool, &out->signature) != KLM_OK) {
        return damaged(walk, "its signature cannot be read");
    }
    KLM_TRY(check_signature(walk, &out->signature, klm_buf_as_slice(&message)));
    rc = bk_in_item(walk->in, &kind, &payload, walk->diag);
    return rc == KLM_E_CLOSED ? KLM_OK
           : rc == KLM_OK     ? damaged(walk, "something stands behind its signature")
                              : rc;
}

static klm_rc walk_all(struct walk *walk, struct bk_found *out)
{
    struct klm_slice payload;
    enum bk_kind kind;

    for (;;) {
        klm_rc rc = bk_in_item(walk->in, &kind, &payload, walk->diag);

        if (rc == KLM_E_CLOSED) {
            return damaged(walk, "it has no manifest");
        }
        KLM_TRY(rc);
        if (kind == BK_MANIFEST) {
            return manifest(walk, payload, out);
        }
        if (kind != BK_BEGIN) {
            return damaged(walk, "something stands outside of sections");
        }
        KLM_TRY(begin(walk, payload));
        KLM_TRY(section_items(walk));
    }
}

klm_rc bk_walk(struct bk_in *in, const struct bk_header *header, const char *file,
               const struct bk_visitor *visitor, struct klm_pool *pool, struct klm_diag *diag,
               struct bk_found *out)
{
    struct walk *walk = calloc(1, sizeof *walk);
    klm_rc rc = KLM_E_NOMEM;

    if (!walk) {
        return rc;
    }
    *walk = (struct walk){
        .in = in, .header = header, .file = file, .visitor = visitor, .pool = pool, .diag = diag};
    rc = klm_hash_new(&walk->hash);
    if (rc == KLM_OK) {
        rc = walk_all(walk, out);
    }
    klm_hash_free(&walk->hash);
    free(walk);
    return rc;
}
