/* Key pairs of the token: made there, their public key told. */
#include "keyring/p11/helper/pk.h"

#include <string.h>

/* DER of the curves' names (RFC 5480, 2.1.1.1). */
static const unsigned char p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const unsigned char p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

struct pair {
    uint8_t type;
    unsigned long bits;
    struct klm_slice label;
    ck_object_handle_t public_key, private_key;
};

static struct pk_end generate(struct pk_session *session, struct pair *pair)
{
    unsigned char yes = 1, no = 0, exponent[] = {1, 0, 1};
    bool rsa = pair->type == P11_KIND_RSA;
    struct ck_mechanism mechanism = {rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL,
                                     0};
    struct ck_attribute public_half[] = {
        {CKA_TOKEN, &yes, 1},
        {CKA_LABEL, pk_unconst(pair->label.p), pair->label.n},
        {CKA_ID, pk_unconst(pair->label.p), pair->label.n},
        {CKA_VERIFY, &yes, 1},
        {CKA_ENCRYPT, rsa ? &yes : &no, 1},
        {rsa ? CKA_MODULUS_BITS : CKA_EC_PARAMS, &pair->bits, sizeof pair->bits},
        {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent}};
    struct ck_attribute private_half[] = {{CKA_TOKEN, &yes, 1},
                                          {CKA_PRIVATE, &yes, 1},
                                          {CKA_SENSITIVE, &yes, 1},
                                          {CKA_EXTRACTABLE, &no, 1},
                                          {CKA_LABEL, pk_unconst(pair->label.p), pair->label.n},
                                          {CKA_ID, pk_unconst(pair->label.p), pair->label.n},
                                          {CKA_SIGN, &yes, 1},
                                          {CKA_DECRYPT, rsa ? &yes : &no, 1},
                                          {CKA_DERIVE, rsa ? &no : &yes, 1}};
    unsigned long n = KLM_COUNT(public_half);

    if (!rsa) {
        public_half[5].value = pk_unconst(pair->bits == 384 ? p384 : p256);
        public_half[5].value_len = pair->bits == 384 ? sizeof p384 : sizeof p256;
        n--; /* no exponent */
    }
    return pk_end(session->f->C_GenerateKeyPair(session->handle, &mechanism, public_half, n,
                                                private_half, KLM_COUNT(private_half),
                                                &pair->public_key, &pair->private_key));
}

static struct pk_end spki_rsa(struct pk_session *session, const struct pair *pair, uint8_t *out,
                              size_t *n)
{
    unsigned char modulus[1024], exponent[16];
    struct ck_attribute numbers[] = {{CKA_MODULUS, modulus, sizeof modulus},
                                     {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent}};

    PK_CALL(session->f->C_GetAttributeValue(session->handle, pair->public_key, numbers,
                                            KLM_COUNT(numbers)));
    return pk_spki_rsa(KLM_SLICE(modulus, numbers[0].value_len),
                       KLM_SLICE(exponent, numbers[1].value_len), out, P11_MSG_MAX, n) == KLM_OK
               ? PK_DONE
               : pk_ours(P11_FAILED);
}

/* 2.3.3: CKA_EC_POINT is the point in an OCTET STRING; its length has one byte here. Some libraries give the point alone. */
static struct klm_slice bare_point(const unsigned char *value, size_t n, unsigned long bits)
{
    size_t point = 1 + 2 * (bits / 8);

    return n == point + 2 && value[0] == 0x04 ? KLM_SLICE(value + 2, point) : KLM_SLICE(value, n);
}

static struct pk_end spki_ec(struct pk_session *session, const struct pair *pair, uint8_t *out,
                             size_t *n)
{
    unsigned char point[160];
    struct ck_attribute number = {CKA_EC_POINT, point, sizeof point};
    struct klm_slice bare;

    PK_CALL(session->f->C_GetAttributeValue(session->handle, pair->public_key, &number, 1));
    bare = bare_point(point, number.value_len, pair->bits);
    return pk_spki_ec((unsigned)pair->bits, bare, out, P11_MSG_MAX, n) == KLM_OK
               ? PK_DONE
               : pk_ours(P11_FAILED);
}

static struct pk_end check_made(struct pk_session *session, const struct pair *pair, uint8_t *out,
                                size_t *n)
{
    PK_TRY(pk_policy(session, pair->private_key));
    return pair->type == P11_KIND_RSA ? spki_rsa(session, pair, out, n)
                                      : spki_ec(session, pair, out, n);
}

struct pk_end pk_pair_make(struct pk_session *session, const struct p11_msg *request, uint8_t *out,
                           size_t *n)
{
    struct pair pair = {.label = request->field[P11_F_OBJECT]};
    uint16_t bits;
    struct pk_end end;

    if (p11_kind_get(request->field[P11_F_KIND], &pair.type, &bits) != KLM_OK ||
        (pair.type == P11_KIND_EC && bits != 256 && bits != 384)) {
        return pk_ours(P11_BAD_REQUEST);
    }
    pair.bits = bits;
    PK_TRY(pk_free(session, CKO_PRIVATE_KEY, pair.label));
    PK_TRY(pk_free(session, CKO_PUBLIC_KEY, pair.label));
    PK_TRY(generate(session, &pair));
    end = check_made(session, &pair, out, n);
    if (end.outcome != P11_OK) {
        (void)pk_remove(session, pair.label); /* the first failure is told */
    }
    return end;
}
