/* Data sets: whatever the bytes are, they are read to their end in as many steps as they have bytes at most; records lie within
 * the file or in the reader's own memory, and what is written of them in each form reads back as the same. */
#include "smf/blocks_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* All records behind each other in out. */
static unsigned read_all(struct klm_slice in, struct klm_buf *out)
{
    struct smf_dataset_reader *reader = NULL;
    struct smf_read read;
    uint64_t number = 0;
    unsigned records = 0;

    must(smf_dataset_open_bytes(in, &reader) == KLM_OK);
    for (;;) {
        must(smf_dataset_next(reader, &read) == KLM_OK);
        if (read.kind == SMF_READ_END) {
            break;
        }
        must(read.number == ++number && number <= in.n && read.length > 0);
        must(read.offset <= in.n && read.length <= in.n - read.offset);
        if (read.kind == SMF_READ_RECORD) {
            must(read.record.n >= SMF_RECORD_MIN && read.record.n <= SMF_LOGICAL_MAX);
            must(smf_rdw_length(read.record.p) == read.record.n);
            must(read.record.p[2] == 0 && read.record.p[3] == 0);
            klm_buf_slice(out, read.record);
            records++;
        } else {
            must(read.kind == SMF_READ_DAMAGED && read.why);
        }
    }
    smf_dataset_close(&reader);
    return records;
}

/* Records with sound headers go through each form unharmed. */
static bool all_known(struct klm_slice records)
{
    struct smf_dataset_reader whole = {.p = records.p, .size = records.n, .block_end = records.n};

    for (size_t at = 0; at < records.n; at += smf_rdw_length(records.p + at)) {
        if (!smf_look_record(&whole, at)) {
            return false;
        }
    }
    return records.n != 0;
}

static void write_again(struct klm_slice records, unsigned count, enum smf_format format,
                        size_t block)
{
    struct klm_buf form, back;

    klm_buf_init(&form, 1 << 24);
    klm_buf_init(&back, 1 << 24);
    if (smf_blocks_put(format, block, records, &form) == KLM_OK) {
        must(read_all(klm_buf_as_slice(&form), &back) == count);
        must(back.n == records.n && memcmp(back.p, records.p, back.n) == 0);
    }
    klm_buf_done(&form);
    klm_buf_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_buf records;
    unsigned count;

    klm_buf_init(&records, 1 << 24);
    count = read_all(KLM_SLICE(data, size), &records);
    must(klm_buf_rc(&records) == KLM_OK);
    if (all_known(klm_buf_as_slice(&records))) {
        write_again(klm_buf_as_slice(&records), count, SMF_RDW, 0);
        write_again(klm_buf_as_slice(&records), count, SMF_VB, 0);
        write_again(klm_buf_as_slice(&records), count, SMF_VBS, 32 + size % 1000);
    }
    klm_buf_done(&records);
    return 0;
}
