/* Private keys of the token in use: decryption, key agreement, signatures. */
#include "keyring/p11/helper/pk.h"

#include "base/secret.h"

#include <string.h>

static struct pk_end decrypt(struct pk_session *session, struct ck_mechanism *mechanism,
                             ck_object_handle_t key, struct klm_slice data, uint8_t *out, size_t *n)
{
    unsigned long len = P11_MSG_MAX;

    PK_CALL(session->f->C_DecryptInit(session->handle, mechanism, key));
    PK_CALL(session->f->C_Decrypt(session->handle, pk_unconst(data.p), data.n, out, &len));
    *n = len;
    return PK_DONE;
}

/* RSA-OAEP with SHA-256 and our context as its label, all in the token. */
static struct pk_end decrypt_oaep(struct pk_session *session, ck_object_handle_t key,
                                  const struct p11_msg *request, uint8_t *out, size_t *n)
{
    struct klm_slice context = request->field[P11_F_AAD];
    struct ck_rsa_pkcs_oaep_params params = {.hash_alg = CKM_SHA256,
                                             .mgf = CKG_MGF1_SHA256,
                                             .source = CKZ_DATA_SPECIFIED,
                                             .source_data = pk_unconst(context.p),
                                             .source_data_len = context.n};
    struct ck_mechanism mechanism = {CKM_RSA_PKCS_OAEP, &params, sizeof params};

    return decrypt(session, &mechanism, key, request->field[P11_F_DATA], out, n);
}

/* The bare operation in the token; the padding, which needs no key, is undone here. Always a whole block: a library may leave leading zeros out. */
static struct pk_end decrypt_raw(struct pk_session *session, ck_object_handle_t key,
                                 const struct p11_msg *request, uint8_t *out, size_t *n)
{
    struct ck_mechanism mechanism = {CKM_RSA_X_509, NULL, 0};
    size_t block = request->field[P11_F_DATA].n;

    PK_TRY(decrypt(session, &mechanism, key, request->field[P11_F_DATA], out, n));
    if (*n > block) {
        return pk_ours(P11_FAILED);
    }
    memmove(out + (block - *n), out, *n);
    memset(out, 0, block - *n);
    return pk_oaep_undo(out, block, request->field[P11_F_AAD], n) == KLM_OK
               ? PK_DONE
               : pk_ours(P11_WRONG_DATA);
}

/* Does it say that it does not know this digest or label? */
static bool not_known(struct pk_end end)
{
    return end.outcome == P11_UNSUPPORTED || end.rv == CKR_ARGUMENTS_BAD;
}

struct pk_end pk_decrypt(struct pk_session *session, const struct p11_msg *request, uint8_t *out,
                         size_t *n)
{
    ck_object_handle_t key;
    struct pk_end end;

    PK_TRY(pk_find(session, CKO_PRIVATE_KEY, request->field[P11_F_OBJECT], &key));
    if (!session->raw_rsa) {
        end = decrypt_oaep(session, key, request, out, n);
        if (!not_known(end)) {
            return end;
        }
        session->raw_rsa = true;
    }
    return decrypt_raw(session, key, request, out, n);
}

static struct pk_end derive(struct pk_session *session, ck_object_handle_t key,
                            struct klm_slice point, ck_object_handle_t *made)
{
    unsigned char yes = 1, no = 0;
    ck_object_class_t class = CKO_SECRET_KEY;
    ck_key_type_t type = CKK_GENERIC_SECRET;
    unsigned long bytes = (point.n - 1) / 2;
    struct ck_attribute want[] = {{CKA_CLASS, &class, sizeof class},
                                  {CKA_KEY_TYPE, &type, sizeof type},
                                  {CKA_TOKEN, &no, 1},
                                  {CKA_SENSITIVE, &no, 1},
                                  {CKA_EXTRACTABLE, &yes, 1},
                                  {CKA_VALUE_LEN, &bytes, sizeof bytes}};
    struct ck_ecdh1_derive_params params = {
        .kdf = CKD_NULL, .public_data = pk_unconst(point.p), .public_data_len = point.n};
    struct ck_mechanism mechanism = {CKM_ECDH1_DERIVE, &params, sizeof params};

    return pk_end(
        session->f->C_DeriveKey(session->handle, &mechanism, key, want, KLM_COUNT(want), made));
}

/* The shared secret of our private key and the point given; the key derivation is the server's. */
struct pk_end pk_derive(struct pk_session *session, const struct p11_msg *request, uint8_t *out,
                        size_t *n)
{
    struct klm_slice point = request->field[P11_F_DATA];
    struct ck_attribute value = {CKA_VALUE, out, P11_MSG_MAX};
    ck_object_handle_t key, made;
    struct pk_end end;

    if (point.n != 65 && point.n != 97) {
        return pk_ours(P11_WRONG_DATA);
    }
    PK_TRY(pk_find(session, CKO_PRIVATE_KEY, request->field[P11_F_OBJECT], &key));
    end = derive(session, key, point, &made);
    if (end.outcome == P11_FAILED && end.rv != CKR_GENERAL_ERROR) {
        end.outcome = P11_WRONG_DATA; /* a point that is not on the curve */
    }
    PK_TRY(end);
    end = pk_end(session->f->C_GetAttributeValue(session->handle, made, &value, 1));
    (void)session->f->C_DestroyObject(session->handle, made); /* it goes with the session anyway */
    *n = value.value_len;
    return end;
}

/* Over a digest that the server made: RSA-PSS (MGF1 with the same digest, salt as long) or ECDSA (r and s, each as long as the curve). */
struct pk_end pk_sign(struct pk_session *session, const struct p11_msg *request, uint8_t *out,
                      size_t *n)
{
    struct klm_slice digest = request->field[P11_F_DATA];
    struct ck_rsa_pkcs_pss_params pss = {CKM_SHA256, CKG_MGF1_SHA256, 32};
    struct ck_mechanism mechanism = {CKM_ECDSA, NULL, 0};
    unsigned long len = P11_MSG_MAX;
    ck_object_handle_t key;
    uint8_t type;
    uint16_t bits;

    if (p11_kind_get(request->field[P11_F_KIND], &type, &bits) != KLM_OK) {
        return pk_ours(P11_BAD_REQUEST);
    }
    if (type == P11_KIND_RSA) {
        mechanism = (struct ck_mechanism){CKM_RSA_PKCS_PSS, &pss, sizeof pss};
    }
    PK_TRY(pk_find(session, CKO_PRIVATE_KEY, request->field[P11_F_OBJECT], &key));
    PK_CALL(session->f->C_SignInit(session->handle, &mechanism, key));
    PK_CALL(session->f->C_Sign(session->handle, pk_unconst(digest.p), digest.n, out, &len));
    *n = len;
    return PK_DONE;
}
