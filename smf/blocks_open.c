/* Opening a data set, and finding out how it is laid out: each layout is tried on its beginning, and the one that finds most
 * records with least damage is it. */
#include "smf/blocks_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_BYTES ((size_t)128 << 10)
#define PROBE_READS 256
#define DAMAGE_COSTS                                                                               \
    64 /* bytes: one damaged place counts more than the descriptors that a layout leaves out */

static void reset(struct smf_dataset_reader *reader, enum smf_layout layout, size_t look_end)
{
    reader->layout = layout;
    reader->spanned = reader->joining = reader->sound = false;
    reader->at = 0;
    reader->block_end = layout == SMF_LAY_BLOCKS ? 0 : reader->size;
    reader->look_end = look_end;
    reader->number = 0;
}

/* How well a layout fits the beginning. */
struct fit {
    enum smf_layout layout;
    int64_t score;
    unsigned records;
    bool spanned;
};

static klm_rc probe(struct smf_dataset_reader *reader, enum smf_layout layout, struct fit *out)
{
    struct smf_read read = {0};
    struct fit fit = {.layout = layout};

    reset(reader, layout, reader->size < PROBE_BYTES ? reader->size : PROBE_BYTES);
    for (unsigned i = 0; i < PROBE_READS && read.kind != SMF_READ_END; i++) {
        KLM_TRY(smf_dataset_next(reader, &read));
        if (read.kind == SMF_READ_RECORD) {
            fit.score += (int64_t)read.record.n;
            fit.records++;
        } else if (read.kind == SMF_READ_DAMAGED && read.offset + read.length < reader->look_end) {
            fit.score -= DAMAGE_COSTS;
        }
    }
    fit.spanned = reader->spanned;
    *out = fit;
    return KLM_OK;
}

/* Records without descriptors can also be seen in a file that has them, so that comes last. */
static klm_rc recognise(struct smf_dataset_reader *reader)
{
    struct fit rdw = {0}, best = {0};

    KLM_TRY(probe(reader, SMF_LAY_RDW, &rdw));
    KLM_TRY(probe(reader, SMF_LAY_BLOCKS, &best));
    if (rdw.score >= best.score) {
        best = rdw;
    }
    if (best.records == 0) {
        KLM_TRY(probe(reader, SMF_LAY_BARE, &best));
    }
    if (best.records == 0) {
        best.layout = SMF_LAY_RDW;
    }
    reset(reader, best.layout, reader->size);
    reader->spanned = best.spanned;
    return KLM_OK;
}

static klm_rc reader_new(struct smf_dataset_reader **out)
{
    struct smf_dataset_reader *reader = calloc(1, sizeof *reader);

    if (!reader) {
        return KLM_E_NOMEM;
    }
    klm_buf_init(&reader->whole, SMF_LOGICAL_MAX);
    *out = reader;
    return KLM_OK;
}

klm_rc smf_dataset_open_bytes(struct klm_slice bytes, struct smf_dataset_reader **out)
{
    KLM_AUTO(smf_dataset_close) struct smf_dataset_reader *reader = NULL;

    KLM_TRY(reader_new(&reader));
    reader->p = bytes.p;
    reader->size = bytes.n;
    KLM_TRY(recognise(reader));
    *out = reader;
    reader = NULL;
    return KLM_OK;
}

static klm_rc open_failed(const char *path, int err, struct klm_diag *diag)
{
    klm_rc rc = err == ENOENT ? KLM_E_NOTFOUND : KLM_E_IO;

    return klm_fail(diag, rc, KLM_MSG_SMF_DATASET_OPEN, path, strerror(err));
}

/* A file of some bytes becomes memory; the descriptor is not needed behind. */
static klm_rc map(int fd, const char *path, struct smf_dataset_reader *reader,
                  struct klm_diag *diag)
{
    struct stat st;
    void *p;

    if (fstat(fd, &st) != 0) {
        return open_failed(path, errno, diag);
    }
    if (!S_ISREG(st.st_mode)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_SMF_DATASET_KIND, path);
    }
    if (st.st_size == 0) {
        return KLM_OK;
    }
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        return open_failed(path, errno, diag);
    }
    (void)madvise(p, (size_t)st.st_size, MADV_SEQUENTIAL); /* a hint */
    reader->p = p;
    reader->size = (size_t)st.st_size;
    reader->mapped = true;
    return KLM_OK;
}

klm_rc smf_dataset_open(const char *path, struct klm_diag *diag, struct smf_dataset_reader **out)
{
    KLM_AUTO(smf_dataset_close) struct smf_dataset_reader *reader = NULL;
    int fd;
    klm_rc rc;

    KLM_TRY(reader_new(&reader));
    /* A pipe would wait for a writer. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return open_failed(path, errno, diag);
    }
    rc = map(fd, path, reader, diag);
    close(fd);
    KLM_TRY(rc);
    KLM_TRY(recognise(reader));
    *out = reader;
    reader = NULL;
    return KLM_OK;
}

void smf_dataset_close(struct smf_dataset_reader **reader)
{
    if (*reader) {
        if ((*reader)->mapped) {
            /* Mapped for reading alone; munmap's parameter has no const. */
            (void)munmap((void *)(uintptr_t)(*reader)->p, (*reader)->size);
        }
        klm_buf_done(&(*reader)->whole);
        free(*reader);
        *reader = NULL;
    }
}

enum smf_format smf_dataset_format(const struct smf_dataset_reader *reader)
{
    if (reader->layout == SMF_LAY_BLOCKS) {
        return reader->spanned ? SMF_VBS : SMF_VB;
    }
    return SMF_RDW;
}

bool smf_dataset_bare(const struct smf_dataset_reader *reader)
{
    return reader->layout == SMF_LAY_BARE;
}

uint64_t smf_dataset_size(const struct smf_dataset_reader *reader)
{
    return reader->size;
}
