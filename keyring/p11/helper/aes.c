/* The AES key of the token: made there, checked, and used to seal and to open (AES-256-GCM). */
#include "keyring/p11/helper/pk.h"

#include "base/secret.h"

#include <string.h>

#define NONCE 12
#define TAG 16

/* What the key makes of two fixed blocks tells it apart from others; the server hashes it (TOKEN.md). */
static struct pk_end check_block(struct pk_session *session, ck_object_handle_t key, uint8_t *out,
                                 size_t *n)
{
    static const char blocks[] = "klm verification pattern, block 1"; /* the first 32 bytes */
    struct ck_mechanism ecb = {CKM_AES_ECB, NULL, 0};
    unsigned char in[32];
    unsigned long len = sizeof in;

    memcpy(in, blocks, sizeof in);
    PK_CALL(session->f->C_EncryptInit(session->handle, &ecb, key));
    PK_CALL(session->f->C_Encrypt(session->handle, in, sizeof in, out, &len));
    *n = len;
    return len == sizeof in ? PK_DONE : pk_ours(P11_FAILED);
}

static struct pk_end generate(struct pk_session *session, struct klm_slice label,
                              ck_object_handle_t *key)
{
    unsigned char yes = 1, no = 0;
    unsigned long bytes = 32;
    ck_object_class_t class = CKO_SECRET_KEY;
    ck_key_type_t type = CKK_AES;
    struct ck_mechanism mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    struct ck_attribute want[] = {{CKA_CLASS, &class, sizeof class},
                                  {CKA_KEY_TYPE, &type, sizeof type},
                                  {CKA_VALUE_LEN, &bytes, sizeof bytes},
                                  {CKA_LABEL, pk_unconst(label.p), label.n},
                                  {CKA_ID, pk_unconst(label.p), label.n},
                                  {CKA_TOKEN, &yes, 1},
                                  {CKA_PRIVATE, &yes, 1},
                                  {CKA_SENSITIVE, &yes, 1},
                                  {CKA_EXTRACTABLE, &no, 1},
                                  {CKA_ENCRYPT, &yes, 1},
                                  {CKA_DECRYPT, &yes, 1},
                                  {CKA_WRAP, &no, 1},
                                  {CKA_UNWRAP, &no, 1}};

    return pk_end(
        session->f->C_GenerateKey(session->handle, &mechanism, want, KLM_COUNT(want), key));
}

struct pk_end pk_aes_make(struct pk_session *session, const struct p11_msg *request, uint8_t *out,
                          size_t *n)
{
    struct klm_slice label = request->field[P11_F_OBJECT];
    ck_object_handle_t key;
    struct pk_end end;

    PK_TRY(pk_free(session, CKO_SECRET_KEY, label));
    PK_TRY(generate(session, label, &key));
    end = pk_policy(session, key);
    if (end.outcome == P11_OK) {
        end = check_block(session, key, out, n);
    }
    if (end.outcome != P11_OK) {
        (void)session->f->C_DestroyObject(session->handle, key); /* the first failure is told */
    }
    return end;
}

struct pk_end pk_aes_look(struct pk_session *session, const struct p11_msg *request, uint8_t *out,
                          size_t *n)
{
    ck_object_handle_t key;

    PK_TRY(pk_find(session, CKO_SECRET_KEY, request->field[P11_F_OBJECT], &key));
    return check_block(session, key, out, n);
}

static struct ck_gcm_params gcm(uint8_t *nonce, struct klm_slice aad)
{
    return (struct ck_gcm_params){.iv_ptr = nonce,
                                  .iv_len = NONCE,
                                  .iv_bits = 8 * NONCE,
                                  .aad_ptr = pk_unconst(aad.p),
                                  .aad_len = aad.n,
                                  .tag_bits = 8 * TAG};
}

/* Nonces are random: with 96 bits two are not expected to meet before 2^32 of them (SP 800-38D, 8.3). */
struct pk_end pk_seal(struct pk_session *session, const struct p11_msg *request, uint8_t *out,
                      size_t *n)
{
    struct klm_slice data = request->field[P11_F_DATA];
    struct ck_gcm_params params = gcm(out, request->field[P11_F_AAD]);
    struct ck_mechanism mechanism = {CKM_AES_GCM, &params, sizeof params};
    unsigned long len = P11_MSG_MAX - NONCE;
    ck_object_handle_t key;

    PK_TRY(pk_find(session, CKO_SECRET_KEY, request->field[P11_F_OBJECT], &key));
    if (klm_random(out, NONCE) != KLM_OK) {
        return pk_ours(P11_FAILED);
    }
    PK_CALL(session->f->C_EncryptInit(session->handle, &mechanism, key));
    PK_CALL(session->f->C_Encrypt(session->handle, pk_unconst(data.p), data.n, out + NONCE, &len));
    *n = NONCE + len;
    return len == data.n + TAG ? PK_DONE : pk_ours(P11_FAILED);
}

struct pk_end pk_unseal(struct pk_session *session, const struct p11_msg *request, uint8_t *out,
                        size_t *n)
{
    struct klm_slice data = request->field[P11_F_DATA];
    struct ck_gcm_params params;
    struct ck_mechanism mechanism = {CKM_AES_GCM, &params, sizeof params};
    unsigned long len = P11_MSG_MAX;
    ck_object_handle_t key;
    struct pk_end end;

    if (data.n <= NONCE + TAG) {
        return pk_ours(P11_WRONG_DATA);
    }
    params = gcm(pk_unconst(data.p), request->field[P11_F_AAD]);
    PK_TRY(pk_find(session, CKO_SECRET_KEY, request->field[P11_F_OBJECT], &key));
    PK_CALL(session->f->C_DecryptInit(session->handle, &mechanism, key));
    end = pk_end(session->f->C_Decrypt(session->handle, pk_unconst(data.p + NONCE), data.n - NONCE,
                                       out, &len));
    *n = len;
    if (end.outcome == P11_FAILED) {
        end.outcome = P11_WRONG_DATA; /* a wrong tag is a general error to some libraries */
    }
    return end;
}
