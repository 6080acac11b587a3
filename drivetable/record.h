/* Records of drives and pending drives, all numbers big-endian, s8 a length of one byte and that many bytes:
 *   drive, version 1:   1 version, 1 kind (1 3592, 2 LTO, 3 DS8000), s8 wwn, s8 alias1, s8 alias2, s8 symalias, s8 fingerprint, 8 first contact, 8 last contact, s8 last volser
 *   pending, version 1: 1 version, 1 kind, s8 wwn, s8 fingerprint, s8 address, 8 first contact, 8 last contact, 8 contacts, 2 length of the certificate, the certificate
 * The serial number is the key. Times are microseconds since 1970. */
#ifndef DRIVETABLE_RECORD_H
#define DRIVETABLE_RECORD_H

#include "drivetable/dt.h"

/* Append the store's record of a drive; its serial number is the key and no part of it. */
void dt_record_encode(const struct dt_drive *drive, struct klm_buf *out);
/* Fills all but the serial number. KLM_E_CORRUPT. */
klm_rc dt_record_decode(struct klm_slice record, struct dt_drive *out) KLM_MUST_USE;

/* The same of a drive that waits. */
void dt_pending_encode(const struct dt_pending *pending, struct klm_buf *out);
/* cert is borrowed from the record. KLM_E_CORRUPT. */
klm_rc dt_pending_decode(struct klm_slice record, struct dt_pending *out) KLM_MUST_USE;

#endif
