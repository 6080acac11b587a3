/* Records of clients, device groups and clients that wait; numbers big-endian, s8 a length of one byte and that many bytes.
 *   client, version 1:   1 version, 1 flags (1 has a certificate, 2 has a password, 4 closed), [32 fingerprint], s8 group, s8 user, [64 verifier],
 *                        s8 device, 8 valid from, 8 valid until, 8 added, 8 last contact, 2 length of the certificate, the certificate
 *   client, version 2:   as version 1, with flags 8 has to show one-time passwords, 16 may show hashed passwords, and at the end s8 label of the key token of those. Written where
 *                        one of these is so; other clients stay version 1
 *   proof, version 1:    1 version, 8 timestamp of the last hashed password, 20 head of the one-time passwords, 1 number of them, 32 hash of each
 *   group, version 1:    1 version, 1 flags (1 clients may destroy, 2 closed), s8 prefix, 8 added
 *   pending, version 1:  1 version, s8 address, s8 subject, 8 first, 8 last, 4 tries, 2 length of the certificate, the certificate
 * Names, and the fingerprint of one that waits, are the keys. Times are microseconds since 1970. */
#ifndef DRIVETABLE_CLIENT_RECORD_H
#define DRIVETABLE_CLIENT_RECORD_H

#include "base/buf.h"
#include "drivetable/clients.h"

#define DT_CLIENT_RECORD_MAX (DT_CLIENT_CERT_MAX + 1024)

/* Append the record; the name is the key and no part of it. */
void dt_client_encode(const struct dt_client *client, struct klm_buf *out);
/* Fills all but the name, which is there already; cert is borrowed from the record. KLM_E_CORRUPT. */
klm_rc dt_client_decode(struct klm_slice record, struct dt_client *out) KLM_MUST_USE;
void dt_proof_encode(const struct dt_proof *proof, struct klm_buf *out);
klm_rc dt_proof_decode(struct klm_slice record, struct dt_proof *out) KLM_MUST_USE;
void dt_device_group_encode(const struct dt_device_group *group, struct klm_buf *out);
klm_rc dt_device_group_decode(struct klm_slice record, struct dt_device_group *out) KLM_MUST_USE;
void dt_client_pending_encode(const struct dt_client_pending *pending, struct klm_buf *out);
klm_rc dt_client_pending_decode(struct klm_slice record, struct dt_client_pending *out)
    KLM_MUST_USE;

/* Every field well formed, name and fingerprint too. KLM_E_INVALID. */
klm_rc dt_client_check(const struct dt_client *client) KLM_MUST_USE;
klm_rc dt_client_pending_check(const struct dt_client_pending *pending) KLM_MUST_USE;
/* 64 digits in lower case? */
bool dt_is_fingerprint(const char *fingerprint);

#endif
