/* The pass over a text log, and what it means when a record does not continue the chain. */
#include "smf/dump/verify_text.h"

#include "smf/dump/text_input.h"
#include "smf/text_format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A record of the log where it stands. */
struct text_record {
    struct klm_slice body; /* what its chain value covers, with the value before */
    struct smf_text_found found;
    struct smfd_place at;
};

struct text_walk {
    const struct smfd_verify *request;
    const struct smfd_text_input *input;
    struct smfd_chain *out;
    struct smf_hash *hash;
    bool known; /* there is a value to go on from */
    uint8_t first_chain[SMF_HASH_SIZE];
    uint8_t chain[SMF_HASH_SIZE]; /* behind the last record */
    struct smfd_place last;
    size_t next;                   /* checkpoint */
    bool open;                     /* where the first problem is may still turn out */
    uint8_t wanted[SMF_HASH_SIZE]; /* value that the record at the break should have gone on from */
    uint64_t blamed;               /* number of that record in its file */
};

static void problem(struct text_walk *walk, enum smfd_fault fault, const struct smfd_place *at,
                    const char *why)
{
    if (walk->out->problems++ == 0) {
        walk->out->first.fault = fault;
        walk->out->first.at = *at;
        snprintf(walk->out->first.why, sizeof walk->out->first.why, "%s", why);
    }
}

/* Does the record continue a chain that has this value? */
static bool follows(const struct text_walk *walk, const struct text_record *record,
                    const uint8_t value[SMF_HASH_SIZE])
{
    uint8_t made[SMF_HASH_SIZE];

    return smf_hash_two(walk->hash, KLM_SLICE(value, SMF_HASH_SIZE), record->body, made) ==
               KLM_OK &&
           memcmp(made, record->found.chain, SMF_HASH_SIZE) == 0;
}

/* ---- Checkpoints */

/* KLM_E_NOTFOUND: none of the certificates is the one that it names. */
static klm_rc check_signature(const struct text_walk *walk,
                              const struct smf_text_checkpoint *checkpoint)
{
    KLM_AUTO(klm_buf_done) struct klm_buf message;
    klm_rc rc = KLM_E_NOTFOUND;

    klm_buf_init(&message, 1024);
    KLM_TRY(smf_text_checkpoint_message(checkpoint, &message));
    for (size_t i = 0; rc == KLM_E_NOTFOUND && i < walk->request->certificates_n; i++) {
        rc = smf_signature_check(&checkpoint->signature, klm_buf_as_slice(&message),
                                 walk->request->certificates[i]);
        rc = rc == KLM_E_INVALID ? KLM_E_NOTFOUND : rc;
    }
    return rc;
}

/* The log has the value that was signed; who signed? */
static void take_checkpoint(struct text_walk *walk, const struct smfd_text_sign *sign)
{
    struct smfd_chain *out = walk->out;
    klm_rc rc =
        walk->request->certificates_n ? check_signature(walk, &sign->checkpoint) : KLM_E_AGAIN;

    out->checkpoints++;
    out->behind = 0;
    out->last = sign->checkpoint.signature;
    memcpy(out->server, sign->checkpoint.server_id, sizeof out->server);
    if (rc == KLM_OK) {
        out->checked++;
    } else if (rc != KLM_E_AGAIN) {
        problem(walk, SMFD_UNSIGNED, &sign->at,
                rc == KLM_E_NOTFOUND
                    ? "the checkpoint was signed with another key than that of the certificate"
                    : "the checkpoint's signature is not of this chain");
    }
}

static void judge(struct text_walk *walk, const struct smfd_text_sign *sign)
{
    char why[160];

    if (memcmp(sign->checkpoint.chain, walk->chain, SMF_HASH_SIZE) == 0) {
        take_checkpoint(walk, sign);
        return;
    }
    snprintf(why, sizeof why,
             "up to here the chain is not the one that checkpoint %" PRIu64
             " signs (sequence %" PRIu64 "): records were made anew, or taken out",
             sign->at.number, sign->checkpoint.seq);
    problem(walk, SMFD_UNSIGNED, &walk->last, why);
}

/* Those of numbers before the next record's, which goes on from them or not. */
static void judge_before(struct text_walk *walk, uint64_t seq, bool good)
{
    const struct smfd_text_input *input = walk->input;

    for (; walk->next < input->signs_n && input->signs[walk->next].checkpoint.seq < seq;
         walk->next++) {
        const struct smfd_text_sign *sign = &input->signs[walk->next];

        if (good || memcmp(sign->checkpoint.chain, walk->chain, SMF_HASH_SIZE) == 0) {
            judge(walk, sign);
        } /* else what it signs is not here: the break was told */
    }
}

/* What is signed behind the last record: nothing more was recorded by then, or the log was cut. */
static void judge_rest(struct text_walk *walk)
{
    const struct smfd_text_input *input = walk->input;
    char why[160];

    judge_before(walk, walk->out->last_seq + 1, true);
    for (; walk->next < input->signs_n; walk->next++) {
        const struct smfd_text_sign *sign = &input->signs[walk->next];

        if (memcmp(sign->checkpoint.chain, walk->chain, SMF_HASH_SIZE) == 0) {
            take_checkpoint(walk, sign);
        } else if (walk->request->part) {
            walk->out->later++;
        } else {
            snprintf(why, sizeof why,
                     "the log is cut behind it: records up to sequence %" PRIu64
                     " are signed by a checkpoint and are not here",
                     sign->checkpoint.seq);
            problem(walk, SMFD_CUT, &walk->last, why);
        }
    }
}

/* ---- The chain */

/* What the first record goes on from: the beginning of the chain, the last checkpoint before it, or nothing that can be told. */
static void begin(struct text_walk *walk, const struct text_record *record)
{
    static const uint8_t none[SMF_HASH_SIZE];
    const struct smfd_text_sign *signs = walk->input->signs;
    struct smfd_chain *out = walk->out;

    out->first_seq = record->found.seq;
    memcpy(walk->first_chain, record->found.chain, SMF_HASH_SIZE);
    while (walk->next < walk->input->signs_n &&
           signs[walk->next].checkpoint.seq < record->found.seq) {
        walk->next++;
        out->earlier++;
    }
    out->whole = follows(walk, record, none);
    out->joined =
        !out->whole && walk->next && follows(walk, record, signs[walk->next - 1].checkpoint.chain);
    if (!out->whole && record->found.seq == 1) {
        problem(walk, SMFD_ALTERED, &record->at,
                "it was altered: it does not have the chain value that it shows");
    } else if (!out->whole && walk->request->from_start) {
        problem(walk, SMFD_LATE, &record->at,
                "the series does not begin with the first record of the chain");
    } else if (!out->whole && !out->joined && walk->input->signs_n && !walk->request->part) {
        problem(walk, SMFD_ALTERED, &record->at,
                "it was altered, or records before it were cut off: it goes on from no checkpoint");
    }
}

/* The first problem is another one than was thought, or at another place. */
static void settle(struct text_walk *walk, enum smfd_fault fault, const struct smfd_place *at,
                   const char *why)
{
    if (walk->open) {
        walk->open = false;
        walk->out->problems = 0;
    }
    problem(walk, fault, at, why);
}

/* The record goes on from where one before it broke. */
static void behind_break(struct text_walk *walk, const struct text_record *record)
{
    char why[160];

    if (record->found.seq > walk->out->last_seq) {
        settle(walk, SMFD_INSERTED, &walk->last,
               "it was put in: the next record follows the one before it");
        return;
    }
    snprintf(why, sizeof why, "it stands too late: it belongs before record %" PRIu64,
             walk->blamed);
    settle(walk, SMFD_MOVED, &record->at, why);
}

static void altered_or_missing(struct text_walk *walk, const struct text_record *record)
{
    char why[160];

    walk->open = walk->out->problems == 0;
    memcpy(walk->wanted, walk->chain, SMF_HASH_SIZE);
    walk->blamed = record->at.number;
    if (record->found.seq > walk->out->last_seq + 1) {
        snprintf(why, sizeof why,
                 "records before it are missing, sequence %" PRIu64 " to %" PRIu64
                 ", or it was altered",
                 walk->out->last_seq + 1, record->found.seq - 1);
        problem(walk, SMFD_MISSING, &record->at, why);
    } else {
        problem(walk, SMFD_ALTERED, &record->at,
                "it was altered: it does not have the chain value that it shows");
    }
}

/* The record does not go on from the one before. */
static void broken(struct text_walk *walk, const struct text_record *record)
{
    static const uint8_t none[SMF_HASH_SIZE];

    if (memcmp(record->found.chain, walk->chain, SMF_HASH_SIZE) == 0) {
        problem(walk, SMFD_REPEATED, &record->at, "it is there twice");
    } else if (walk->open && follows(walk, record, walk->wanted)) {
        behind_break(walk, record);
    } else if (memcmp(record->found.chain, walk->first_chain, SMF_HASH_SIZE) != 0 &&
               follows(walk, record, none)) {
        problem(walk, SMFD_BEGUN, &record->at, "a new chain begins here");
    } else if (record->found.seq <= walk->out->last_seq) {
        problem(walk, SMFD_REPEATED, &record->at,
                "its number was there before: it was repeated or put in");
    } else {
        altered_or_missing(walk, record);
    }
}

static void count(struct text_walk *walk, const struct text_record *record)
{
    struct smfd_chain *out = walk->out;

    if (out->records && record->found.seq > out->last_seq + 1) {
        out->left_out += record->found.seq - out->last_seq - 1;
    }
    out->records++;
    out->events++;
    out->behind++;
    out->last_seq = record->found.seq > out->last_seq ? record->found.seq : out->last_seq;
    memcpy(walk->chain, record->found.chain, SMF_HASH_SIZE);
    walk->known = true;
    walk->last = record->at;
}

static void add(struct text_walk *walk, const struct text_record *record)
{
    if (walk->out->records == 0) {
        begin(walk, record);
    } else {
        bool good = walk->known && follows(walk, record, walk->chain);

        if (!good && walk->known) {
            broken(walk, record);
        }
        judge_before(walk, record->found.seq, good);
    }
    count(walk, record);
}

/* Bytes that are no record: up to the end of what looks like one. */
static size_t pass_over(struct text_walk *walk, struct klm_slice rest, const struct smfd_place *at)
{
    const uint8_t *end = memmem(rest.p, rest.n, SMF_TEXT_END, strlen(SMF_TEXT_END));

    walk->known = false;
    problem(walk, end ? SMFD_BROKEN : SMFD_CUT, at,
            end ? "it is no record as the task writes them" : "the log ends in the middle of it");
    return end ? (size_t)(end - rest.p) + strlen(SMF_TEXT_END) : rest.n;
}

static void walk_file(struct text_walk *walk, const struct smfd_text_file *file)
{
    struct text_record record = {.at = {.path = file->path}};
    size_t n;

    for (size_t at = 0; at < file->bytes.n; at += n) {
        struct klm_slice rest = KLM_SLICE(file->bytes.p + at, file->bytes.n - at);

        record.at.number++;
        record.at.offset = at;
        record.at.seq = 0;
        if (smf_text_get(rest, &record.found) == KLM_OK) {
            record.at.seq = record.found.seq;
            record.body = KLM_SLICE(rest.p, record.found.body);
            n = record.found.length;
            add(walk, &record);
        } else {
            n = pass_over(walk, rest, &record.at);
        }
    }
    walk->out->pieces++;
}

static klm_rc walk_all(struct text_walk *walk, struct klm_diag *diag)
{
    const struct smfd_text_input *input = walk->input;

    for (size_t i = 0; i < input->logs_n; i++) {
        walk_file(walk, &input->logs[i]);
    }
    if (walk->out->records == 0 && walk->out->problems == 0) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_VERIFY_NOTHING);
    }
    judge_rest(walk);
    if (input->broken) {
        problem(walk, input->broken_at.fault, &input->broken_at.at, input->broken_at.why);
    }
    return KLM_OK;
}

klm_rc smfd_verify_text(const struct smfd_verify *request, struct klm_diag *diag,
                        struct smfd_verdict *verdict, struct smfd_chain *out)
{
    KLM_AUTO(smfd_text_input_done) struct smfd_text_input input = {0};
    KLM_AUTO(smf_hash_free) struct smf_hash *hash = NULL;
    struct smfd_chain made = {.text = true};
    struct text_walk walk = {.request = request, .input = &input, .out = &made};

    KLM_TRY(smf_hash_new(&hash));
    walk.hash = hash;
    KLM_TRY(smfd_text_input_open(request->paths, request->paths_n, diag, &input));
    KLM_TRY(walk_all(&walk, diag));
    verdict->files += input.logs_n;
    verdict->bytes += input.bytes;
    *out = made;
    return KLM_OK;
}
