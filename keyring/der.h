/* A little DER (X.690), written straight into secret memory: OpenSSL's own encoders pass through ordinary memory. It is written from the back to
 * the front, so that each length is known when it is written. Inside keyring/ only. */
#ifndef KEYRING_DER_H
#define KEYRING_DER_H

#include "keyring/internal.h"

struct kr_der {
    struct kr_secret block;
    size_t at; /* first byte written; all after it is DER */
    klm_rc rc; /* first failure: puts after it do nothing */
};

/* An empty one with room for cap bytes. End with kr_der_done. */
klm_rc kr_der_init(size_t cap, struct kr_der *out) KLM_MUST_USE;
void kr_der_done(struct kr_der *der);
/* Bytes, or one byte, before what is there. */
void kr_der_bytes(struct kr_der *der, const void *p, size_t n);
void kr_der_byte(struct kr_der *der, uint8_t byte);
/* X.690, 8.1.3: tag and length of what was written since der->at was end. */
void kr_der_head(struct kr_der *der, uint8_t tag, size_t end);
/* X.690, 8.3: an INTEGER from an unsigned number: as few bytes as possible, the first bit zero. */
void kr_der_uint(struct kr_der *der, struct klm_slice number);
/* Remember a failure found by the caller, unless there was one. */
void kr_der_fail(struct kr_der *der, klm_rc rc);
/* What was written, in secret memory of just that size. */
klm_rc kr_der_get(const struct kr_der *der, struct kr_secret *out) KLM_MUST_USE;
/* ---- Reading */
/* The next element, which must have that tag: its content. X.690, 8.1.3: lengths of up to two bytes. */
void kr_der_take(struct klm_cur *cur, uint8_t tag, struct klm_slice *content);

#endif
