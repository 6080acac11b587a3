/* Verification of a journal at rest: its chain, and the checkpoints in it with the certificates of who signed them. */
#include "keymgr/internal.h"

#include "base/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 65536 /* records between the end that was signed and the checkpoint's own, at most */
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

struct link {
    uint64_t seq;
    uint8_t hash[SMF_HASH_SIZE];
};

struct verify {
    const char *folder;
    struct klm_slice certs;
    struct klm_diag *diag;
    struct link *window;
    uint64_t first; /* oldest record that is there */
    struct km_verified out;
};

static klm_rc bad(struct verify *v, uint64_t seq, const char *why)
{
    return klm_fail(v->diag, KLM_E_CORRUPT, KLM_MSG_CHECKPOINT_BAD, v->folder, KLM_NUM(seq), why);
}

/* The next certificate of a file: one of several in PEM, or all of it. */
static struct klm_slice next_cert(struct klm_slice *left)
{
    const size_t n = sizeof PEM_BEGIN - 1;
    const uint8_t *at = left->n ? memmem(left->p, left->n, PEM_BEGIN, n) : NULL, *end;
    struct klm_slice cert = *left;

    if (!at) {
        *left = (struct klm_slice){0};
        return cert;
    }
    left->n -= (size_t)(at - left->p);
    left->p = at;
    end = memmem(at + n, left->n - n, PEM_BEGIN, n);
    cert = KLM_SLICE(at, end ? (size_t)(end - at) : left->n);
    *left = KLM_SLICE(at + cert.n, left->n - cert.n);
    return cert;
}

/* By any of the certificates. */
static klm_rc check_signature(struct verify *v, const struct smf_signature *signature,
                              struct klm_slice message)
{
    struct klm_slice left = v->certs;
    klm_rc rc = KLM_E_INVALID;

    while (rc == KLM_E_INVALID && left.n > 0) {
        rc = smf_signature_check(signature, message, next_cert(&left));
    }
    return rc;
}

static const char *field_of(const struct smf_record *record, enum smf_field field)
{
    return record->event.field[field] ? record->event.field[field] : "";
}

static klm_rc signature_of(const struct smf_record *record, struct smf_signature *out)
{
    size_t n;

    snprintf(out->algorithm, sizeof out->algorithm, "%s", field_of(record, SMF_F_ALGORITHM));
    KLM_TRY(
        klm_unhex(field_of(record, SMF_F_CLIENT), out->fingerprint, sizeof out->fingerprint, &n));
    if (n != sizeof out->fingerprint) {
        return KLM_E_INVALID;
    }
    return klm_unbase64(field_of(record, SMF_F_SIGNATURE), out->bytes, sizeof out->bytes, &out->n);
}

static klm_rc check_signed(struct verify *v, const struct smf_record *record,
                           const struct link *link)
{
    struct smf_signature signature = {0};
    struct klm_buf message;
    klm_rc rc;

    if (signature_of(record, &signature) != KLM_OK) {
        return bad(v, record->seq, "its signature cannot be read");
    }
    klm_buf_init(&message, 512);
    rc = smf_checkpoint_message("journal", record->server_id, link->seq, link->hash, &message);
    if (rc == KLM_OK) {
        rc = check_signature(v, &signature, klm_buf_as_slice(&message));
    }
    klm_buf_done(&message);
    if (rc == KLM_E_INVALID) {
        return bad(v, record->seq, "none of the certificates is the one that signed");
    }
    return rc == KLM_E_CORRUPT ? bad(v, record->seq, "the signature is not of this chain") : rc;
}

static klm_rc check_checkpoint(struct verify *v, const struct smf_record *record)
{
    uint64_t first, last;
    const struct link *link;
    char value[2 * SMF_HASH_SIZE + 1];

    if (sscanf(field_of(record, SMF_F_OBJECT), "journal %" SCNu64 "-%" SCNu64, &first, &last) !=
            2 ||
        last >= record->seq) {
        return bad(v, record->seq, "it does not say what was signed");
    }
    if (last < v->first) {
        return KLM_OK; /* what was signed was taken away */
    }
    link = &v->window[last % WINDOW];
    klm_hex(link->hash, sizeof link->hash, value);
    if (link->seq != last || strcmp(value, field_of(record, SMF_F_HASH)) != 0) {
        return bad(v, record->seq, "the value it names is not that of the chain");
    }
    KLM_TRY(check_signed(v, record, link));
    v->out.checkpoints++;
    v->out.covered = last;
    return KLM_OK;
}

static klm_rc visit(void *arg, const struct smf_record *record)
{
    struct verify *v = arg;
    struct link *link = &v->window[record->seq % WINDOW];

    v->first = v->first ? v->first : record->seq;
    link->seq = record->seq;
    memcpy(link->hash, record->hash, sizeof link->hash);
    return strcmp(field_of(record, SMF_F_VERB), km_happening_name(KM_HAP_CHECKPOINT)) == 0
               ? check_checkpoint(v, record)
               : KLM_OK;
}

klm_rc km_journal_verify(const char *folder, struct klm_slice certs, struct klm_diag *diag,
                         struct km_verified *out)
{
    struct verify v = {.folder = folder, .certs = certs, .diag = diag};
    klm_rc rc;

    KLM_TRY(smf_journal_verify(folder, &v.out.records, diag));
    if (certs.n > 0) {
        v.window = calloc(WINDOW, sizeof *v.window);
        rc = v.window ? smf_journal_read(folder, 0, visit, &v, diag) : KLM_E_NOMEM;
        free(v.window);
        KLM_TRY(rc);
        if (v.out.covered == 0 && v.out.records > 0) {
            return bad(&v, 0, "there is no checkpoint in it");
        }
    }
    *out = v.out;
    return KLM_OK;
}
