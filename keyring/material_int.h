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

/* The bytes, borrowed: of a symmetric key (Raw, Opaque, transparent), a split key's part, or secret data. KLM_E_UNSUPPORTED: another kind of object;
 * KLM_E_STATE: it is wrapped. */
klm_rc kr_material_raw(const struct kr_material *material, struct klm_slice *out) KLM_MUST_USE;
/* An asymmetric key as OpenSSL has it, given to the caller (EVP_PKEY_free); of a certificate its public key. Made once and kept with the material,
 * so whoever keeps a material for its next use keeps that too. KLM_E_UNSUPPORTED: no such key, or none that OpenSSL knows; KLM_E_STATE: it is
 * wrapped. */
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
/* A transparent symmetric key, its length checked. KLM_E_INVALID, KLM_E_LIMIT. */
klm_rc kr_material_symmetric(const struct kr_material_spec *spec, struct klm_slice key,
                             struct kr_material **out) KLM_MUST_USE;
/* How many bytes a symmetric key of that length has. Failures as kr_material_generate. */
klm_rc kr_symmetric_bytes(uint32_t algorithm, uint32_t bits, size_t *n) KLM_MUST_USE;
/* Look at bytes that came from outside, and fill in what spec left open. KLM_E_INVALID, KLM_E_UNSUPPORTED, KLM_E_LIMIT. */
klm_rc kr_material_check(struct kr_material *material) KLM_MUST_USE;

/* ---- OpenSSL's keys (material_pkey.c) */
/* KMIP's number of a curve by OpenSSL's, and back (0: none), and the bits of its field. */
uint32_t kr_curve_of(int nid);
int kr_curve_nid(uint32_t curve);
unsigned kr_curve_bits(uint32_t curve);
/* Does a key say what spec says? Fills in fields of spec that are 0. KLM_E_INVALID: no; KLM_E_UNSUPPORTED: a kind of key, or a curve, that has no
 * number in KMIP. */
klm_rc kr_pkey_fit(EVP_PKEY *pkey, struct kr_material_spec *spec) KLM_MUST_USE;
/* Do the numbers of a private RSA key belong together? Is a private EC key a number of its curve, and the point its own, a public one on its curve?
 * KLM_E_INVALID: a key that gives away its secret when it is used, or does not work. */
klm_rc kr_pkey_check(EVP_PKEY *pkey, bool is_private) KLM_MUST_USE;
/* A number of a key by OpenSSL's name for it, unsigned, big-endian, without leading zeros, in new secret memory. KLM_E_NOTFOUND: it has none. */
klm_rc kr_pkey_number(const EVP_PKEY *pkey, const char *name, struct kr_secret *out) KLM_MUST_USE;
#define KR_PKEY_BITS_MAX 8192 /* of a modulus or a prime: more takes too long */
#define KR_POINT_MAX 160      /* bytes of a point: two numbers of 571 bits, and one more */

/* ---- Formats (material_format.c) */
/* The key in bytes of that object type and format; *out NULL with KLM_OK: a good form around a kind of key that OpenSSL does not know.
 * KLM_E_INVALID; KLM_E_UNSUPPORTED: a format that does not say what is in it. */
klm_rc kr_format_decode(const struct kr_material_spec *spec, struct klm_slice bytes, EVP_PKEY **out)
    KLM_MUST_USE;
/* The bytes of a key in the format and for the object type of spec. KLM_E_UNSUPPORTED: this kind of key has no such format. */
klm_rc kr_format_encode(EVP_PKEY *pkey, const struct kr_material_spec *spec, struct kr_secret *out)
    KLM_MUST_USE;

/* ---- Transparent formats (material_parts.c, material_build.c, material_rsa.c) */
/* The slices of struct kr_parts, in its order; these numbers are stored (keyring/TOKEN.md). */
enum kr_part {
    KR_PART_key,
    KR_PART_modulus,
    KR_PART_public_exponent,
    KR_PART_private_exponent,
    KR_PART_p,
    KR_PART_q,
    KR_PART_dp,
    KR_PART_dq,
    KR_PART_crt,
    KR_PART_g,
    KR_PART_x,
    KR_PART_y,
    KR_PART_j,
    KR_PART_d,
    KR_PART_q_string
};
#define KR_PARTS (KR_PART_q_string + 1)
/* A slice of parts by its number. */
struct klm_slice *kr_part(struct kr_parts *parts, size_t part);
/* Rows of a format in parts.def; NULL beyond the last one. */
struct kr_part_row {
    uint32_t format;
    enum kr_part part;
    const char *kind, *name; /* of OpenSSL */
    bool must;
};
const struct kr_part_row *kr_part_at(uint32_t format, size_t i);
bool kr_is_transparent(uint32_t format);
/* The object type that a transparent format is of. */
uint32_t kr_parts_object(uint32_t format);
/* Parts of a transparent material, borrowed; curve is that of the spec. KLM_E_CORRUPT. */
klm_rc kr_parts_unpack(const struct kr_material_spec *spec, struct klm_slice bytes,
                       struct kr_parts *out) KLM_MUST_USE;
klm_rc kr_parts_pack(const struct kr_parts *parts, struct kr_secret *out) KLM_MUST_USE;
/* The key that parts make: an RSA key is completed and checked. KLM_E_INVALID, KLM_E_LIMIT, KLM_E_UNSUPPORTED: a curve that is not here. */
klm_rc kr_parts_pkey(const struct kr_material_spec *spec, const struct kr_parts *parts,
                     EVP_PKEY **out) KLM_MUST_USE;
/* And back: the parts that a format has, packed. KLM_E_UNSUPPORTED: another kind of key. */
klm_rc kr_parts_of_pkey(EVP_PKEY *pkey, uint32_t format, struct kr_secret *out) KLM_MUST_USE;
/* All numbers of a private RSA key from those that are known; what out borrows lives in block. KLM_E_INVALID: too few, or they do not belong
 * together. */
klm_rc kr_rsa_complete(const struct kr_parts *known, struct kr_secret *block, struct kr_parts *out)
    KLM_MUST_USE;
/* A failure, which was KLM_E_NOMEM instead when the secret memory is used up: OpenSSL does not always tell. Empties OpenSSL's error queue. */
klm_rc kr_failed(klm_rc rc);

/* ---- RSAES-PKCS1-v1_5 (pkcs1.c) */
/* The message in data that was encrypted for a private RSA key. Bad padding is no failure: then it is a message of random looks and length, always
 * the same for the same data, so that nobody learns from the outcome; who finds that it makes no sense must answer as for KLM_E_CRYPTO.
 * KLM_E_CRYPTO: data is no number of this key. */
klm_rc kr_pkcs1_open(EVP_PKEY *pkey, struct klm_slice data, struct kr_secret *out) KLM_MUST_USE;

#endif
