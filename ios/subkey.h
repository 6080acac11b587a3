/* The two things that are done with keys on the host side: a key made from another (HKDF), and a key under another (AES key wrap). Clear keys are the
 * caller's, in secret memory. */
#ifndef IOS_SUBKEY_H
#define IOS_SUBKEY_H

#include "base/buf.h"
#include "base/rc.h"

#include <stdint.h>

#define IOS_SUBKEY 32
#define IOS_WRAPPED 40

/* HKDF-SHA256 (RFC 5869): 32 bytes made of a key, a salt and what they are for. KLM_E_CRYPTO. */
klm_rc ios_subkey(const uint8_t key[IOS_SUBKEY], struct klm_slice salt, struct klm_slice info,
                  uint8_t out[IOS_SUBKEY]) KLM_MUST_USE;
/* AES-256 key wrap (RFC 3394) of one key under another, and back. Unwrapping answers KLM_E_WRONGKEY when its integrity value tells a wrong or
 * damaged key. */
klm_rc ios_key_wrap(const uint8_t under[IOS_SUBKEY], const uint8_t key[IOS_SUBKEY],
                    uint8_t out[IOS_WRAPPED]) KLM_MUST_USE;
klm_rc ios_key_unwrap(const uint8_t under[IOS_SUBKEY], const uint8_t wrapped[IOS_WRAPPED],
                      uint8_t out[IOS_SUBKEY]) KLM_MUST_USE;

#endif
