/* Signed checkpoints: at intervals of time and of records a chain's head is signed, so that who has the public certificate can tell
 * that nothing before it was made anew. smf does not know where the key is: the server passes a function. */
#ifndef SMF_SIGN_H
#define SMF_SIGN_H

#include "base/buf.h"
#include "smf/hash.h"

#define SMF_SIGNATURE_MAX 1024  /* bytes of a signature */
#define SMF_ALGORITHM_MAX 32    /* "RSA-PSS-SHA256", "ECDSA-SHA256", "ECDSA-SHA384" */
#define SMF_FINGERPRINT_SIZE 32 /* SHA-256 of the certificate's DER */

struct smf_signature {
    char algorithm[SMF_ALGORITHM_MAX];
    uint8_t fingerprint[SMF_FINGERPRINT_SIZE];
    uint8_t bytes[SMF_SIGNATURE_MAX];
    size_t n;
};

struct smf_signer {
    /* Sign the message (hashed by the algorithm's own rule). May take a private-key operation's time; called on a sink's thread.
     * KLM_E_NOTFOUND: no key to sign with now, the caller says so at intervals and tries again. */
    klm_rc (*sign)(void *arg, struct klm_slice message, struct smf_signature *out);
    void *arg;
    uint64_t every_records; /* 0: not by count */
    uint64_t every_ms;      /* 0: not by time */
};

/* What is signed: "klmsrv checkpoint 1", the name of the chain ("journal", "smf", "text"), server id, number of the last record under it
 * and the chain's value, each with its length before it (2 bytes, numbers as 8), all big-endian. */
klm_rc smf_checkpoint_message(const char *chain, const char *server_id, uint64_t last,
                              const uint8_t value[SMF_HASH_SIZE], struct klm_buf *out) KLM_MUST_USE;
/* Check a signature with a certificate (PEM or DER). KLM_E_CORRUPT: it is not of this message; KLM_E_INVALID: the certificate
 * is another one than the fingerprint says, or cannot be read, or the algorithm is not known. */
klm_rc smf_signature_check(const struct smf_signature *signature, struct klm_slice message,
                           struct klm_slice cert) KLM_MUST_USE;

#endif
