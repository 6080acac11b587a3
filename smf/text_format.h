/* Within smf: one record of the text log, written and recognised.
 *
 *   Runtime event:[
 *     timestamp=Tue Oct 18 19:35:09 GMT 2011
 *     ...
 *     sequence=17
 *     chain=<SHA-256 over the chain value before and the record up to here>
 *     ]
 *
 * No field holds a line end, so "a line that is two blanks and a bracket" ends a record and nothing else does. */
#ifndef SMF_TEXT_FORMAT_H
#define SMF_TEXT_FORMAT_H

#include "smf/hash.h"
#include "smf/smf.h"

#define SMF_TEXT_LAST "  ]\n"
#define SMF_TEXT_END "\n" SMF_TEXT_LAST
#define SMF_TEXT_RECORD_MAX 8192 /* all fields at their longest with their names */

/* Append a record; chain is the value of the record before and becomes that of this one. */
klm_rc smf_text_put(const struct smf_record *record, struct smf_hash *sha,
                    uint8_t chain[SMF_HASH_SIZE], struct klm_buf *out) KLM_MUST_USE;

/* A complete record found in a text log. */
struct smf_text_found {
    size_t length; /* with its end */
    size_t body;   /* bytes that the chain covers */
    uint64_t seq;
    uint8_t chain[SMF_HASH_SIZE]; /* as it says */
};

/* The record at the start of in. KLM_E_SHORT: no end yet; KLM_E_CORRUPT: an end, but no sequence and chain lines before it. */
klm_rc smf_text_get(struct klm_slice in, struct smf_text_found *out) KLM_MUST_USE;
/* Whether bytes can be the beginning of a record of ours. */
bool smf_text_begins(struct klm_slice in);

#endif
