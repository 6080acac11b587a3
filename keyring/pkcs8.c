/* PrivateKeyInfo (PKCS #8, RFC 5208), read and written in secret memory: OpenSSL's own coders pass through ordinary memory. Around the clear form
 * that tokens hold stand a version and the algorithm's identifier; an EC key of others names its curve there alone. */
#include "keyring/der.h"

#include <string.h>

/* AlgorithmIdentifiers (RFC 3279, 2.3.1; RFC 5480, 2.1.1). */
static const uint8_t alg_rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                  0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
static const uint8_t alg_p256[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                   0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t alg_p384[] = {0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                   0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t version0[] = {0x02, 0x01, 0x00};
static const uint8_t version1[] = {0x02, 0x01, 0x01};

static const struct algorithm {
    struct klm_slice id;
    struct kr_spec spec; /* bits 0: any */
} algorithms[] = {
    {{alg_rsa, sizeof alg_rsa}, {KR_RSA, 0}},
    {{alg_p256, sizeof alg_p256}, {KR_EC, 256}},
    {{alg_p384, sizeof alg_p384}, {KR_EC, 384}},
};

/* ---- Writing */

static void put(struct kr_secret *out, const void *p, size_t n)
{
    memcpy(out->p + out->n, p, n);
    out->n += n;
}

/* Tag and length; lengths here are below 65,536. */
static void head(struct kr_secret *out, uint8_t tag, size_t n)
{
    const uint8_t length[3] = {0x82, (uint8_t)(n >> 8), (uint8_t)n};

    put(out, &tag, 1);
    if (n >= 256) {
        put(out, length, 3);
    } else if (n >= 128) {
        put(out, (const uint8_t[]){0x81, (uint8_t)n}, 2);
    } else {
        put(out, &length[2], 1);
    }
}

static size_t head_size(size_t n)
{
    return n >= 256 ? 4 : n >= 128 ? 3 : 2;
}

klm_rc kr_pkcs8_clear(const struct kr_key *key, struct kr_secret *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret clear = {0};
    KLM_AUTO(kr_secret_done) struct kr_secret made = {0};

    for (size_t i = 0; i < KLM_COUNT(algorithms); i++) {
        const struct algorithm *a = &algorithms[i];
        size_t body;

        if (a->spec.type != key->spec.type || (a->spec.bits && a->spec.bits != key->spec.bits)) {
            continue;
        }
        KLM_TRY(kr_key_clear(key, &clear));
        KLM_TRY(kr_secret_new(KR_CLEAR_MAX + 64, &made));
        body = sizeof version0 + a->id.n + head_size(clear.n) + clear.n;
        head(&made, 0x30, body);
        put(&made, version0, sizeof version0);
        put(&made, a->id.p, a->id.n);
        head(&made, 0x04, clear.n);
        put(&made, clear.p, clear.n);
        *out = made;
        made = (struct kr_secret){0};
        return KLM_OK;
    }
    return KLM_E_UNSUPPORTED;
}

/* ---- Reading */

static const struct algorithm *find(struct klm_slice id)
{
    for (size_t i = 0; i < KLM_COUNT(algorithms); i++) {
        const struct klm_slice content =
            KLM_SLICE(algorithms[i].id.p + 2, algorithms[i].id.n - 2); /* all are short */

        if (klm_slice_equal(content, id)) {
            return &algorithms[i];
        }
    }
    return NULL;
}

/* RFC 5915, 3: the number alone, put into a form that names the curve. OpenSSL works the public point out. */
static klm_rc ec_key(struct klm_slice body, const struct algorithm *a, struct kr_key **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret made = {0};
    const struct klm_slice curve = KLM_SLICE(a->id.p + 11, a->id.n - 11);
    size_t width = a->spec.bits / 8;
    struct klm_slice content, version, number;
    struct klm_cur cur;

    klm_cur_init(&cur, body);
    kr_der_take(&cur, 0x30, &content);
    klm_cur_end(&cur);
    KLM_TRY(klm_cur_rc(&cur) == KLM_OK ? KLM_OK : KLM_E_INVALID);
    klm_cur_init(&cur, content);
    kr_der_take(&cur, 0x02, &version);
    kr_der_take(&cur, 0x04, &number);
    if (klm_cur_rc(&cur) != KLM_OK || version.n != 1 || version.p[0] != 1 || number.n != width) {
        return KLM_E_INVALID;
    }
    KLM_TRY(kr_secret_new(256, &made));
    head(&made, 0x30, sizeof version1 + 2 + width + 2 + curve.n);
    put(&made, version1, sizeof version1);
    head(&made, 0x04, width);
    put(&made, number.p, width);
    head(&made, 0xa0, curve.n);
    put(&made, curve.p, curve.n);
    return kr_key_from_clear(KR_EC, KLM_SLICE(made.p, made.n), out);
}

klm_rc kr_pkcs8_key(struct klm_slice clear, struct kr_key **out)
{
    struct klm_slice content, version, id, body;
    const struct algorithm *a;
    struct klm_cur cur;

    klm_cur_init(&cur, clear);
    kr_der_take(&cur, 0x30, &content);
    klm_cur_end(&cur);
    KLM_TRY(klm_cur_rc(&cur) == KLM_OK ? KLM_OK : KLM_E_INVALID);
    klm_cur_init(&cur, content);
    kr_der_take(&cur, 0x02, &version);
    kr_der_take(&cur, 0x30, &id);
    kr_der_take(&cur, 0x04, &body); /* attributes may follow */
    if (klm_cur_rc(&cur) != KLM_OK || version.n != 1 || version.p[0] > 1) {
        return KLM_E_INVALID;
    }
    a = find(id);
    if (!a) {
        return KLM_E_UNSUPPORTED;
    }
    return a->spec.type == KR_RSA ? kr_key_from_clear(KR_RSA, body, out) : ec_key(body, a, out);
}
