/* Inside of key material, for the files of keyring/ that use it (material*.c, crypto*.c). */
#ifndef KEYRING_MATERIAL_INT_H
#define KEYRING_MATERIAL_INT_H

#include "keyring/internal.h"
#include "keyring/material.h"

struct kr_material {
    atomic_uint refs;
    struct kr_material_spec spec;
    struct kr_secret
        bytes; /* in the form that spec.format says; of a transparent form its parts (material_parts.c) */
    _Atomic(EVP_PKEY *) pkey; /* the asymmetric key, from its first use on; NULL: not made yet */
};

/* The bytes, borrowed: of a symmetric key (Raw, Opaque, transparent), a split key's part, or secret data. KLM_E_UNSUPPORTED: another kind of object; KLM_E_STATE: it is
 * wrapped. */
klm_rc kr_material_raw(const struct kr_material *material, struct klm_slice *out) KLM_MUST_USE;
/* An asymmetric key as OpenSSL has it, given to the caller (EVP_PKEY_free); of a certificate its public key. Made once and kept with the material, so whoever
 * keeps a material for its next use keeps that too. KLM_E_UNSUPPORTED: no such key, or none that OpenSSL knows; KLM_E_STATE: it is wrapped. */
klm_rc kr_material_pkey(const struct kr_material *material, EVP_PKEY **out) KLM_MUST_USE;
/* A digest of KMIP's by its number (KMIP_HashingAlgorithm_...), fetched once, or NULL: not here (crypto_table.c). */
const EVP_MD *kr_md(uint32_t hash);

/* ---- Making materials: nothing is looked at. */
/* bytes are copied. */
klm_rc kr_material_copy(const struct kr_material_spec *spec, struct klm_slice bytes,
                        struct kr_material **out) KLM_MUST_USE;
/* bytes are taken over on KLM_OK. */
klm_rc kr_material_take(const struct kr_material_spec *spec, struct kr_secret *take_bytes,
                        struct kr_material **out) KLM_MUST_USE;
/* Look at bytes that came from outside, and fill in what spec left open. KLM_E_INVALID, KLM_E_UNSUPPORTED, KLM_E_LIMIT. */
klm_rc kr_material_check(struct kr_material *material) KLM_MUST_USE;

/* ---- OpenSSL's keys (material_pkey.c) */
/* KMIP's number of a curve by OpenSSL's, and back (0: none), and the bits of its field. */
uint32_t kr_curve_of(int nid);
int kr_curve_nid(uint32_t curve);
unsigned kr_curve_bits(uint32_t curve);
/* Does a key say what spec says? Fills in fields of spec that are 0. KLM_E_INVALID: no; KLM_E_UNSUPPORTED: a kind of key, or a curve, that has no number in KMIP. */
klm_rc kr_pkey_fit(EVP_PKEY *pkey, struct kr_material_spec *spec) KLM_MUST_USE;
/* A number of a key by OpenSSL's name for it, unsigned, big-endian, without leading zeros, in new secret memory. KLM_E_NOTFOUND: it has none. */
klm_rc kr_pkey_number(const EVP_PKEY *pkey, const char *name, struct kr_secret *out) KLM_MUST_USE;
#define KR_PKEY_BITS_MAX 8192 /* of a modulus or a prime: more takes too long */
#define KR_POINT_MAX 160      /* bytes of a point: two numbers of 571 bits, and one more */

/* ---- Formats (material_format.c) */
/* The key in bytes of that object type and format; *out NULL with KLM_OK: a good form around a kind of key that OpenSSL does not know. KLM_E_INVALID; KLM_E_UNSUPPORTED: a format that
 * does not say what is in it. */
klm_rc kr_format_decode(const struct kr_material_spec *spec, struct klm_slice bytes, EVP_PKEY **out)
    KLM_MUST_USE;
/* The bytes of a key in the format and for the object type of spec. KLM_E_UNSUPPORTED: this kind of key has no such format. */
klm_rc kr_format_encode(EVP_PKEY *pkey, const struct kr_material_spec *spec, struct kr_secret *out)
    KLM_MUST_USE;

#endif
