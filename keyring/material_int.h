/* Inside of key material, for the files of keyring/ that use it (material*.c, crypto*.c). */
#ifndef KEYRING_MATERIAL_INT_H
#define KEYRING_MATERIAL_INT_H

#include "keyring/internal.h"
#include "keyring/material.h"

struct kr_material {
    atomic_uint refs;
    struct kr_material_spec spec;
    struct kr_secret bytes; /* in the form that spec.format says; of a transparent form its parts (material_parts.c) */
};

/* The bytes, borrowed: of a Raw or Opaque key, a transparent symmetric key too. KLM_E_UNSUPPORTED: no symmetric key or secret; KLM_E_STATE: it is wrapped. */
klm_rc kr_material_raw(const struct kr_material *material, struct klm_slice *out) KLM_MUST_USE;
/* An asymmetric key as OpenSSL has it, given to the caller (EVP_PKEY_free); of a certificate its public key. Kept by the thread that used it last. KLM_E_UNSUPPORTED, KLM_E_STATE. */
klm_rc kr_material_pkey(const struct kr_material *material, EVP_PKEY **out) KLM_MUST_USE;

#endif
