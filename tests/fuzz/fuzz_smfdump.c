/* Control statements of smfdump, then a data set through everything that looks at one: whatever the bytes, what is taken over lies within its
 * limits, every record has a line, and each line of CSV has as many cells as the first. The first byte says where the statements end. */
#include "smf/dump/control.h"
#include "smf/dump/event.h"
#include "smf/dump/form.h"
#include "smf/dump/piece.h"

#include "smf/blocks.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct klm_buf line;

static void must(bool held)
{
    if (!held) {
        abort();
    }
}

static void check_types(const struct smfd_types *types)
{
    must(types->subtypes_n <= SMFD_SUBTYPES_MAX);
    for (size_t i = 0; i < types->subtypes_n; i++) {
        must(types->subtypes[i].from <= types->subtypes[i].to);
    }
}

static void check_control(struct klm_slice text)
{
    static struct smfd_control control;
    struct klm_diag diag = {0};

    control = (struct smfd_control){.in_n = 0};
    if (smfd_control_parse(text, &control, &diag) != KLM_OK) {
        must(diag.msg != KLM_MSG_NONE && control.in_n == 0 && control.out_n == 0 &&
             control.sid_n == 0);
        return;
    }
    must(control.in_n <= SMFD_INDD_MAX && control.out_n <= SMFD_OUTDD_MAX &&
         control.sid_n <= SMFD_SID_MAX);
    must(control.hours.from <= SMFD_DAY_TIMES && control.hours.to <= SMFD_DAY_TIMES);
    for (size_t i = 0; i < control.in_n; i++) {
        must(control.in[i].dd[0] && strlen(control.in[i].dd) < SMFD_DD_SIZE &&
             (control.in[i].dump || control.in[i].clear));
    }
    for (size_t i = 0; i < control.out_n; i++) {
        must(control.out[i].dd[0] && strlen(control.out[i].dd) < SMFD_DD_SIZE);
        check_types(&control.out[i].types);
    }
}

/* Cells of a line of CSV; what stands in quotes is one. */
static size_t cells(const struct klm_buf *buf)
{
    bool quoted = false;
    size_t found = 1;

    for (size_t i = 0; i < buf->n; i++) {
        quoted = quoted != (buf->p[i] == '"');
        found += buf->p[i] == ',' && !quoted;
    }
    return found;
}

static klm_rc each(void *arg, const struct smfd_event *event)
{
    static const enum smfd_form forms[] = {SMFD_TEXT, SMFD_CSV, SMFD_JSON};
    const size_t *names = arg;

    for (size_t i = 0; i < KLM_COUNT(forms); i++) {
        klm_buf_clear(&line);
        must(smfd_form_event(forms[i], event, &line) == KLM_OK && line.n > 0);
        must(forms[i] != SMFD_CSV || cells(&line) == *names);
        must(memchr(line.p, '\n', line.n) == line.p + line.n - 1);
    }
    return KLM_OK;
}

static void check_records(struct klm_slice bytes)
{
    struct smf_dataset_reader *reader = NULL;
    struct smfd_joiner *joiner = NULL;
    struct smfd_piece piece = {.records = 0};
    struct smf_read read;
    size_t names;

    must(smfd_form_head(SMFD_CSV, &line) == KLM_OK);
    names = cells(&line);
    must(smf_dataset_open_bytes(bytes, &reader) == KLM_OK);
    must(smfd_joiner_new(each, &names, &joiner) == KLM_OK);
    while (smf_dataset_next(reader, &read) == KLM_OK && read.kind != SMF_READ_END) {
        struct smfd_link link;
        const char *why = NULL;

        if (read.kind != SMF_READ_RECORD) {
            continue;
        }
        (void)smfd_joiner_put(joiner, read.record, &why); /* any outcome will do */
        if (smfd_link_of(read.record, &link, &why) == KLM_OK) {
            memcpy(link.hash, link.prev, sizeof link.hash);
            link.hash[0] ^= (uint8_t)read.number;
            smfd_piece_add(&piece, &link);
        }
    }
    must(smfd_joiner_end(joiner) == KLM_OK);
    must(piece.events <= piece.records && piece.checkpoints <= piece.records);
    smfd_joiner_free(&joiner);
    smf_dataset_close(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    size_t cut = n ? (p[0] < n - 1 ? p[0] : n - 1) : 0;

    if (n == 0) {
        return 0;
    }
    klm_buf_init(&line, 1u << 20);
    check_control(KLM_SLICE(p + 1, cut));
    check_records(KLM_SLICE(p + 1 + cut, n - 1 - cut));
    klm_buf_done(&line);
    return 0;
}
