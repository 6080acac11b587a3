/* Text logs and their checkpoints as files. */
#include "smf/dump/text_input.h"

#include "smf/segments.h"
#include "smf/text_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CURSOR_TITLE "klm audit cursor "
#define SIGNS_MAX (1u << 20)

static bool begins(const char *head, size_t n, const char *with)
{
    return n >= strlen(with) && memcmp(head, with, strlen(with)) == 0;
}

enum smfd_text_kind smfd_text_kind(const char *path)
{
    KLM_AUTO(smf_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char head[64];
    ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : 0;

    if (n < (ssize_t)strlen(SMF_TEXT_CHECKPOINT_TITLE)) {
        return SMFD_NO_TEXT;
    }
    if (begins(head, (size_t)n, SMF_TEXT_CHECKPOINT_TITLE)) {
        return SMFD_TEXT_CHECKPOINTS;
    }
    if (begins(head, (size_t)n, CURSOR_TITLE)) {
        return SMFD_TEXT_CURSOR;
    }
    return smf_text_begins(KLM_SLICE((const uint8_t *)head, (size_t)n)) ? SMFD_TEXT_LOG
                                                                        : SMFD_NO_TEXT;
}

static klm_rc cannot(const char *path, struct klm_diag *diag)
{
    return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_SMF_DATASET_OPEN, path, strerror(errno));
}

static klm_rc map(const char *path, struct klm_diag *diag, struct klm_slice *out)
{
    KLM_AUTO(smf_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    void *p;

    if (fd < 0 || fstat(fd, &st) != 0) {
        return cannot(path, diag);
    }
    if (st.st_size == 0) {
        *out = KLM_SLICE(NULL, 0);
        return KLM_OK;
    }
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        return cannot(path, diag);
    }
    (void)madvise(p, (size_t)st.st_size, MADV_SEQUENTIAL); /* only faster */
    *out = KLM_SLICE((const uint8_t *)p, (size_t)st.st_size);
    return KLM_OK;
}

static void unmap(struct klm_slice bytes)
{
    if (bytes.n) {
        munmap((void *)(uintptr_t)bytes.p, bytes.n);
    }
}

static klm_rc add_log(struct smfd_text_input *input, const char *path, struct klm_diag *diag)
{
    struct smfd_text_file *log = &input->logs[input->logs_n];
    struct smf_text_found found;

    KLM_TRY(map(path, diag, &log->bytes));
    log->path = path;
    log->first_seq = smf_text_get(log->bytes, &found) == KLM_OK ? found.seq : 0;
    input->bytes += log->bytes.n;
    input->logs_n++;
    return KLM_OK;
}

static klm_rc add_sign(struct smfd_text_input *input, const struct smfd_text_sign *sign)
{
    if (input->signs_n == input->signs_cap) {
        size_t cap = input->signs_cap ? 2 * input->signs_cap : 64;
        struct smfd_text_sign *more =
            cap > SIGNS_MAX ? NULL : realloc(input->signs, cap * sizeof *more);

        if (!more) {
            return KLM_E_NOMEM;
        }
        input->signs = more;
        input->signs_cap = cap;
    }
    input->signs[input->signs_n++] = *sign;
    return KLM_OK;
}

/* Only the first fault of a file of checkpoints is told; what stands behind it is not looked at. */
static void broken(struct smfd_text_input *input, const struct smfd_place *at, bool end)
{
    if (!input->broken) {
        input->broken = true;
        input->broken_at.fault = end ? SMFD_CUT : SMFD_BROKEN;
        input->broken_at.at = *at;
        snprintf(input->broken_at.why, sizeof input->broken_at.why, "%s",
                 end ? "the file of checkpoints ends in the middle of it"
                     : "it is no checkpoint as the task writes them");
    }
}

static klm_rc read_signs(struct smfd_text_input *input, struct klm_slice bytes, const char *path)
{
    struct smfd_text_sign sign = {.at = {.path = path}};

    for (size_t at = 0, n = 0; at < bytes.n; at += n) {
        klm_rc rc =
            smf_text_checkpoint_get(KLM_SLICE(bytes.p + at, bytes.n - at), &sign.checkpoint, &n);

        sign.at.number++;
        sign.at.offset = at;
        sign.at.seq = rc == KLM_OK ? sign.checkpoint.seq : 0;
        if (rc != KLM_OK) {
            broken(input, &sign.at, rc == KLM_E_SHORT);
            return KLM_OK;
        }
        KLM_TRY(add_sign(input, &sign));
    }
    return KLM_OK;
}

static klm_rc add_signs(struct smfd_text_input *input, const char *path, struct klm_diag *diag)
{
    struct klm_slice bytes;
    klm_rc rc;

    KLM_TRY(map(path, diag, &bytes));
    input->bytes += bytes.n;
    rc = read_signs(input, bytes, path);
    unmap(bytes);
    return rc == KLM_OK ? rc : klm_fail(diag, rc, KLM_MSG_NO_MEMORY, path);
}

static int by_first(const void *a, const void *b)
{
    const struct smfd_text_file *x = a, *y = b;

    return (x->first_seq > y->first_seq) - (x->first_seq < y->first_seq);
}

static int by_number(const void *a, const void *b)
{
    const struct smfd_text_sign *x = a, *y = b;

    return (x->checkpoint.seq > y->checkpoint.seq) - (x->checkpoint.seq < y->checkpoint.seq);
}

klm_rc smfd_text_input_open(const char *const *paths, size_t n, struct klm_diag *diag,
                            struct smfd_text_input *input)
{
    *input = (struct smfd_text_input){0};
    input->logs = calloc(n, sizeof *input->logs);
    if (!input->logs) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "logs");
    }
    for (size_t i = 0; i < n;
         i++) { /* first, so that a log that is being written has what they sign */
        if (smfd_text_kind(paths[i]) == SMFD_TEXT_CHECKPOINTS) {
            KLM_TRY(add_signs(input, paths[i], diag));
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (smfd_text_kind(paths[i]) == SMFD_TEXT_LOG) {
            KLM_TRY(add_log(input, paths[i], diag));
        }
    }
    qsort(input->logs, input->logs_n, sizeof *input->logs, by_first);
    if (input->signs_n) {
        qsort(input->signs, input->signs_n, sizeof *input->signs, by_number);
    }
    return KLM_OK;
}

void smfd_text_input_done(struct smfd_text_input *input)
{
    for (size_t i = 0; i < input->logs_n; i++) {
        unmap(input->logs[i].bytes);
    }
    free(input->logs);
    free(input->signs);
    *input = (struct smfd_text_input){0};
}
