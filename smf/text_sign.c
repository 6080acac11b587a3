/* Signing a text log. */
#include "smf/text_sign.h"

#include "base/clock.h"
#include "base/file.h"
#include "smf/text_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN_MS 1000 /* after a failure */

/* The last whole checkpoint of the file, and where it ends. */
static klm_rc look(struct smf_text_signs *signs, uint64_t *end)
{
    char window[2 * SMF_TEXT_CHECKPOINT_MAX];
    uint64_t size = signs->tail.size, from = size > sizeof window ? size - sizeof window : 0;
    ssize_t got = pread(signs->tail.fd, window, sizeof window, (off_t)from);
    const char *p = window, *title;

    if (got < 0) {
        return KLM_E_IO;
    }
    while ((title = memmem(p, (size_t)(window + got - p), SMF_TEXT_CHECKPOINT_TITLE,
                           strlen(SMF_TEXT_CHECKPOINT_TITLE))) != NULL) {
        struct smf_text_checkpoint found;
        struct klm_slice rest = KLM_SLICE((const uint8_t *)title, (size_t)(window + got - title));
        size_t n = 1;

        if (smf_text_checkpoint_get(rest, &found, &n) == KLM_OK) {
            signs->seq = found.seq;
            *end = from + (uint64_t)(title - window) + n;
        }
        p = title + n;
    }
    return KLM_OK;
}

/* Behind the last whole one only a piece of another can stand, from a kill; in a file that has none, nothing is touched. */
static klm_rc take_up(struct smf_text_signs *signs)
{
    uint64_t end = 0;

    KLM_TRY(smf_tail_open(signs->dirfd, signs->name, false, &signs->tail));
    signs->seq = 0;
    KLM_TRY(look(signs, &end));
    return end && end < signs->tail.size ? smf_tail_cut(&signs->tail, end) : KLM_OK;
}

klm_rc smf_text_signs_open(struct smf_text_signs *signs, const struct smf_text_file *file,
                           const struct smf_text_place *place)
{
    size_t n = strlen(file->name) + sizeof SMF_TEXT_CHECKPOINTS;

    signs->path = file->path;
    signs->dirfd = file->dirfd;
    signs->signed_ms = klm_clock_mono_ms();
    if (!signs->signer) {
        return KLM_OK;
    }
    signs->name = malloc(n);
    if (!signs->name) {
        return KLM_E_NOMEM;
    }
    snprintf(signs->name, n, "%s" SMF_TEXT_CHECKPOINTS, file->name);
    KLM_TRY(take_up(signs));
    signs->records = place->seq > signs->seq ? place->seq - signs->seq : 0;
    return KLM_OK;
}

void smf_text_signs_done(struct smf_text_signs *signs)
{
    smf_tail_close(&signs->tail);
    free(signs->name);
    signs->name = NULL;
}

/* Others may move the file away: a new one is begun. */
static klm_rc put(struct smf_text_signs *signs, const struct smf_text_checkpoint *checkpoint)
{
    char text[SMF_TEXT_CHECKPOINT_MAX];
    size_t n = smf_text_checkpoint_print(checkpoint, text);
    enum smf_tail_seen seen;

    KLM_TRY(smf_tail_look(signs->dirfd, signs->name, &signs->tail, &seen));
    if (seen != SMF_TAIL_SAME) {
        KLM_TRY(take_up(signs));
    }
    KLM_TRY(smf_tail_write(&signs->tail, KLM_SLICE((const uint8_t *)text, n)));
    return klm_fdatasync(signs->tail.fd);
}

static klm_rc sign(struct smf_text_signs *signs, const struct smf_text_place *place)
{
    KLM_AUTO(klm_buf_done) struct klm_buf message;
    struct smf_text_checkpoint made = {.seq = place->seq};

    klm_buf_init(&message, 1024);
    memcpy(made.server_id, signs->server_id, sizeof made.server_id);
    memcpy(made.chain, place->chain, SMF_HASH_SIZE);
    KLM_TRY(smf_text_checkpoint_message(&made, &message));
    KLM_TRY(signs->signer->sign(signs->signer->arg, klm_buf_as_slice(&message), &made.signature));
    return put(signs, &made);
}

void smf_text_sign_now(struct smf_text_signs *signs, const struct smf_text_place *place)
{
    klm_rc rc;

    if (!signs->signer || signs->records == 0) {
        return;
    }
    rc = sign(signs, place);
    signs->signed_ms = klm_clock_mono_ms();
    if (rc == KLM_OK) {
        signs->seq = place->seq;
        signs->records = 0;
        (void)smf_trouble_over(&signs->trouble);
    } else if (smf_trouble_failed(&signs->trouble)) {
        klm_say(KLM_MSG_TEXT_UNSIGNED, signs->path, klm_rc_text(rc));
    }
}

void smf_text_sign_due(struct smf_text_signs *signs, const struct smf_text_place *place)
{
    uint64_t age = klm_clock_mono_ms() - signs->signed_ms;

    if (!signs->signer || signs->records == 0 || (signs->trouble.on && age < AGAIN_MS)) {
        return;
    }
    if ((signs->signer->every_records && signs->records >= signs->signer->every_records) ||
        (signs->signer->every_ms && age >= signs->signer->every_ms)) {
        smf_text_sign_now(signs, place);
    }
}
