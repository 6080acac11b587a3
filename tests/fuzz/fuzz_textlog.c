/* Text logs and their checkpoints: a checkpoint that is read is exactly what would be written; a check of any bytes as a log ends
 * with a verdict. */
#include "smf/dump/verify.h"
#include "smf/text_checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_verdict(const uint8_t *p, size_t n)
{
    char path[64];
    const char *paths[] = {path};
    struct smfd_verify request = {.paths = paths, .paths_n = 1};
    struct smfd_verdict verdict = {0};
    int fd = memfd_create("log", MFD_CLOEXEC);

    if (fd < 0 || write(fd, p, n) != (ssize_t)n) {
        abort();
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (smfd_verify(&request, NULL, &verdict) == KLM_OK && verdict.n == 1 &&
        verdict.good != (verdict.chains[0].problems == 0)) {
        abort();
    }
    smfd_verdict_done(&verdict);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct smf_text_checkpoint found;
    char again[SMF_TEXT_CHECKPOINT_MAX];
    size_t length;

    if (n && smf_text_checkpoint_get(KLM_SLICE(p, n), &found, &length) == KLM_OK &&
        (smf_text_checkpoint_print(&found, again) != length || memcmp(again, p, length) != 0)) {
        abort();
    }
    check_verdict(p, n);
    return 0;
}
