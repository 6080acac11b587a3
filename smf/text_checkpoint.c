/* A checkpoint of a text log as text, and back. */
#include "smf/text_checkpoint.h"

#include "base/base64.h"
#include "smf/lines.h"
#include "smf/text_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SIGNATURE_MAX KLM_BASE64_SIZE(SMF_SIGNATURE_MAX)
_Static_assert(SMF_TEXT_CHECKPOINT_MAX >
                   SIGNATURE_MAX + 64 + 4 * SMF_HASH_SIZE + SMF_ALGORITHM_MAX + 128,
               "the longest checkpoint fits");

size_t smf_text_checkpoint_print(const struct smf_text_checkpoint *checkpoint,
                                 char out[SMF_TEXT_CHECKPOINT_MAX])
{
    char chain[2 * SMF_HASH_SIZE + 1], print[2 * SMF_FINGERPRINT_SIZE + 1], bytes[SIGNATURE_MAX];
    const struct smf_signature *signature = &checkpoint->signature;

    klm_hex(checkpoint->chain, SMF_HASH_SIZE, chain);
    klm_hex(signature->fingerprint, SMF_FINGERPRINT_SIZE, print);
    klm_base64(signature->bytes, signature->n, bytes);
    return (size_t)snprintf(out, SMF_TEXT_CHECKPOINT_MAX,
                            SMF_TEXT_CHECKPOINT_TITLE
                            "\n  server=%s\n  sequence=%" PRIu64 "\n  chain=%s\n  algorithm=%s\n"
                            "  certificate=%s\n  signature=%s\n" SMF_TEXT_LAST,
                            checkpoint->server_id, checkpoint->seq, chain, signature->algorithm,
                            print, bytes);
}

static klm_rc parse(const char *text, struct smf_text_checkpoint *out)
{
    struct smf_text_checkpoint made = {0};
    struct smf_lines lines = {text};
    char bytes[SIGNATURE_MAX] = "", again[SMF_TEXT_CHECKPOINT_MAX];

    smf_lines_text(&lines, SMF_TEXT_CHECKPOINT_TITLE, again, sizeof again);
    smf_lines_text(&lines, "  server=", made.server_id, sizeof made.server_id);
    smf_lines_number(&lines, "  sequence=", &made.seq);
    smf_lines_hash(&lines, "  chain=", made.chain);
    smf_lines_text(&lines, "  algorithm=", made.signature.algorithm,
                   sizeof made.signature.algorithm);
    smf_lines_hash(&lines, "  certificate=", made.signature.fingerprint);
    smf_lines_text(&lines, "  signature=", bytes, sizeof bytes);
    if (!lines.at || klm_unbase64(bytes, made.signature.bytes, sizeof made.signature.bytes,
                                  &made.signature.n) != KLM_OK) {
        return KLM_E_CORRUPT;
    }
    smf_text_checkpoint_print(&made, again);
    if (strcmp(again, text) != 0) {
        return KLM_E_CORRUPT;
    }
    *out = made;
    return KLM_OK;
}

klm_rc smf_text_checkpoint_get(struct klm_slice in, struct smf_text_checkpoint *out, size_t *length)
{
    char text[SMF_TEXT_CHECKPOINT_MAX];
    const uint8_t *end = in.n ? memmem(in.p, in.n, SMF_TEXT_END, strlen(SMF_TEXT_END)) : NULL;
    size_t n = end ? (size_t)(end - in.p) + strlen(SMF_TEXT_END) : in.n;

    if (n >= sizeof text) {
        return KLM_E_CORRUPT;
    }
    if (!end) {
        return KLM_E_SHORT;
    }
    memcpy(text, in.p, n);
    text[n] = '\0';
    KLM_TRY(parse(text, out));
    *length = n;
    return KLM_OK;
}

klm_rc smf_text_checkpoint_message(const struct smf_text_checkpoint *checkpoint,
                                   struct klm_buf *out)
{
    return smf_checkpoint_message(SMF_TEXT_CHAIN, checkpoint->server_id, checkpoint->seq,
                                  checkpoint->chain, out);
}
