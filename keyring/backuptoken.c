/* Token slots of a backup (backup/BACKUP.md): its key, sealed by an AES key of a PKCS#11 token. The slot names the token by label and serial number and the
 * key by its label, never a slot of the library; the first bytes of a hash of what the key makes tell it from another of that name. */
#include "keyring/backup.h"

#include "base/digest.h"
#include "keyring/internal.h"

#include <string.h>

#define VERSION 1
#define AAD_SLOT "klm backup slot"
#define ID_MARK "klm backup token key"
#define SEALED (32 + KR_HARD_MORE)
#define AAD_MOST 256

struct token_body {
    struct p11_uri names;
    struct klm_slice key_id, sealed, head;
};

/* What tells the token's key from others of its name. */
static klm_rc key_id(struct p11 *p11, const char *object, bool make, uint8_t out[KR_SLOT_KEY_ID],
                     struct klm_diag *diag)
{
    uint8_t check[KR_CHECK_BLOCK], hash[32];

    KLM_TRY(kr_hard_key(p11, object, make, check, diag));
    KLM_TRY(klm_sha256((struct klm_slice[]){KLM_SLICE(ID_MARK, sizeof ID_MARK - 1),
                                            KLM_SLICE(check, sizeof check)},
                       2, hash));
    memcpy(out, hash, KR_SLOT_KEY_ID);
    return KLM_OK;
}

klm_rc kr_slot_token_make(struct p11 *p11, const char *object, struct klm_diag *diag)
{
    uint8_t id[KR_SLOT_KEY_ID];

    return key_id(p11, object, true, id, diag);
}

/* Bound to the backup and to all that the slot says of token and key. */
static klm_rc aad_of(const uint8_t id[16], struct klm_slice head, struct klm_buf *out)
{
    klm_buf_put(out, AAD_SLOT, sizeof AAD_SLOT - 1);
    klm_buf_put(out, id, 16);
    klm_buf_slice(out, head);
    return klm_buf_rc(out);
}

static klm_rc put_body(const struct kr_backup *backup, const uint8_t id[16], struct p11 *p11,
                       const char *object, struct klm_diag *diag, struct klm_buf *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf aad;
    uint8_t which[KR_SLOT_KEY_ID], sealed[SEALED];
    struct p11_state state;
    size_t at = out->n;

    klm_buf_init(&aad, AAD_MOST);
    KLM_TRY(key_id(p11, object, false, which, diag));
    p11_state(p11, &state); /* after the key was seen: the serial number is that of its token */
    klm_buf_u8(out, VERSION);
    klm_buf_lp8(out, klm_slice_str(state.token));
    klm_buf_lp8(out, klm_slice_str(state.serial));
    klm_buf_lp8(out, klm_slice_str(object));
    klm_buf_put(out, which, sizeof which);
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(aad_of(id, KLM_SLICE(out->p + at, out->n - at), &aad));
    KLM_TRY(kr_hard_seal(p11, object, klm_buf_as_slice(&aad),
                         KLM_SLICE(backup->key.p, backup->key.n), sealed, diag));
    klm_buf_put(out, sealed, sizeof sealed);
    return klm_buf_rc(out);
}

klm_rc kr_slot_token(const struct kr_backup *backup, const uint8_t id[16], struct p11 *p11,
                     const char *object, struct klm_diag *diag, struct klm_buf *out)
{
    size_t at = out->n;
    klm_rc rc = put_body(backup, id, p11, object, diag, out);

    if (rc != KLM_OK) {
        out->n = at;
    }
    return rc;
}

/* A name as it stands in a message: printable, and as long as it may be. */
static void take_name(struct klm_cur *cur, size_t least, size_t most, char *out)
{
    struct klm_slice name;

    klm_cur_lp8(cur, most, &name);
    if (klm_cur_rc(cur) != KLM_OK || name.n < least) {
        klm_cur_fail(cur, KLM_E_CORRUPT);
        return;
    }
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < 0x20 || name.p[i] > 0x7e) {
            klm_cur_fail(cur, KLM_E_CORRUPT);
            return;
        }
    }
    memcpy(out, name.p, name.n);
    out[name.n] = '\0';
}

static klm_rc parse(struct klm_slice in, struct token_body *out)
{
    struct klm_cur cur;
    uint8_t version = 0;

    klm_cur_init(&cur, in);
    klm_cur_u8(&cur, &version);
    take_name(&cur, 1, P11_TOKEN_MAX, out->names.token);
    take_name(&cur, 0, P11_SERIAL_MAX, out->names.serial);
    take_name(&cur, 1, P11_OBJECT_MAX, out->names.object);
    klm_cur_bytes(&cur, KR_SLOT_KEY_ID, &out->key_id);
    klm_cur_bytes(&cur, SEALED, &out->sealed);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || version != VERSION) {
        return KLM_E_CORRUPT;
    }
    out->head = KLM_SLICE(in.p, in.n - SEALED);
    return KLM_OK;
}

klm_rc kr_slot_token_names(struct klm_slice in, struct p11_uri *out)
{
    struct token_body body = {.key_id = {0}};

    KLM_TRY(parse(in, &body));
    *out = body.names;
    return KLM_OK;
}

klm_rc kr_slot_open_token(struct klm_slice in, const uint8_t id[16], struct p11 *p11,
                          struct klm_diag *diag, struct kr_backup **out)
{
    KLM_AUTO(kr_backup_free) struct kr_backup *backup = NULL;
    KLM_AUTO(klm_buf_done) struct klm_buf aad;
    struct token_body body = {.key_id = {0}};
    uint8_t which[KR_SLOT_KEY_ID];
    size_t n = 0;

    klm_buf_init(&aad, AAD_MOST);
    KLM_TRY(parse(in, &body));
    KLM_TRY(key_id(p11, body.names.object, false, which, diag));
    if (memcmp(which, body.key_id.p, sizeof which) != 0) {
        return KLM_E_WRONGKEY;
    }
    KLM_TRY(aad_of(id, body.head, &aad));
    KLM_TRY(kr_backup_alloc(&backup));
    KLM_TRY(kr_hard_unseal(p11, body.names.object, klm_buf_as_slice(&aad), body.sealed,
                           backup->key.p, backup->key.cap, &n, diag));
    if (n != backup->key.n) {
        return KLM_E_CRYPTO;
    }
    *out = backup;
    backup = NULL;
    return KLM_OK;
}
