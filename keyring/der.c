/* DER, written from the back. */
#include "keyring/der.h"

#include <string.h>

klm_rc kr_der_init(size_t cap, struct kr_der *out)
{
    struct kr_secret block = {0};

    KLM_TRY(kr_secret_new(cap, &block));
    *out = (struct kr_der){block, cap, KLM_OK};
    return KLM_OK;
}

void kr_der_done(struct kr_der *der)
{
    kr_secret_done(&der->block);
    *der = (struct kr_der){.at = 0};
}

void kr_der_fail(struct kr_der *der, klm_rc rc)
{
    if (der->rc == KLM_OK) {
        der->rc = rc;
    }
}

void kr_der_bytes(struct kr_der *der, const void *p, size_t n)
{
    if (der->rc != KLM_OK || n > der->at) {
        kr_der_fail(der, KLM_E_LIMIT);
        return;
    }
    if (n) {
        der->at -= n;
        memcpy(der->block.p + der->at, p, n);
    }
}

void kr_der_byte(struct kr_der *der, uint8_t byte)
{
    kr_der_bytes(der, &byte, 1);
}

void kr_der_head(struct kr_der *der, uint8_t tag, size_t end)
{
    size_t n = end - der->at;
    uint8_t octets = 0;

    if (n >= 128) {
        for (size_t left = n; left; left >>= 8) {
            kr_der_byte(der, (uint8_t)left);
            octets++;
        }
        kr_der_byte(der, 0x80 | octets);
    } else {
        kr_der_byte(der, (uint8_t)n);
    }
    kr_der_byte(der, tag);
}

void kr_der_uint(struct kr_der *der, struct klm_slice number)
{
    size_t end = der->at;

    while (number.n > 1 && number.p[0] == 0) {
        number = KLM_SLICE(number.p + 1, number.n - 1);
    }
    kr_der_bytes(der, number.p, number.n);
    if (number.n == 0 || (number.p[0] & 0x80)) {
        kr_der_byte(der, 0);
    }
    kr_der_head(der, 0x02, end);
}

klm_rc kr_der_get(const struct kr_der *der, struct kr_secret *out)
{
    size_t n = der->block.cap - der->at;
    KLM_AUTO(kr_secret_done) struct kr_secret made = {0};

    KLM_TRY(der->rc);
    KLM_TRY(kr_secret_new(n, &made));
    memcpy(made.p, der->block.p + der->at, n);
    made.n = n;
    *out = made;
    made = (struct kr_secret){0};
    return KLM_OK;
}

void kr_der_take(struct klm_cur *cur, uint8_t tag, struct klm_slice *content)
{
    uint8_t got, first, low, high;
    size_t n;

    klm_cur_u8(cur, &got);
    klm_cur_u8(cur, &first);
    if (klm_cur_rc(cur) != KLM_OK || got != tag || first > 0x82 || first == 0x80) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    n = first;
    if (first >= 0x81) {
        klm_cur_u8(cur, &low);
        n = low;
    }
    if (first == 0x82 && klm_cur_rc(cur) == KLM_OK) {
        high = low;
        klm_cur_u8(cur, &low);
        n = (size_t)high << 8 | low;
    }
    if (klm_cur_rc(cur) == KLM_OK) {
        klm_cur_bytes(cur, n, content);
    }
}
