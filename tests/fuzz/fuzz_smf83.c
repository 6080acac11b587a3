/* Type 83 records: parsed, walked and decoded as they are, and again with length, header and product put right, so that the
 * sections behind them are reached too. What decodes is text that may be shown, and is encoded and decoded again as the same. */
#include "base/utf8.h"
#include "smf/type83_int.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_text(const char *s)
{
    struct klm_slice text = s ? klm_slice_str(s) : KLM_SLICE(NULL, 0);

    for (size_t at = 0, n; at < text.n; at += n) {
        n = klm_utf8_char(text.p + at, text.n - at);
        must(n != 0);
        must(text.p[at] >= 0x20 && text.p[at] != 0x7F);
    }
}

static void same(const char *a, const char *b)
{
    must((a && *a) == (b && *b) && (!a || !*a || strcmp(a, b) == 0));
}

static void encode_again(const struct smf_t83_event *event, struct klm_pool *pool)
{
    static const struct smf_t83_origin origin = {.system = "S", .job = "J", .max = 65535};
    KLM_AUTO(smf_hash_free) struct smf_hash *hash = NULL;
    struct smf_record record = {
        .seq = event->seq, .server_id = event->server_id, .event = event->event};
    struct smf_t83_chain chain = {0};
    struct smf_t83_view view;
    struct smf_t83_event again;
    struct klm_buf out;
    const char *why;

    must(smf_hash_new(&hash) == KLM_OK);
    klm_buf_init(&out, 1 << 20);
    if (smf_t83_encode(&origin, &record, klm_slice_str(event->text ? event->text : ""), hash,
                       &chain, &out) == KLM_OK &&
        chain.records == 1) {
        must(smf_t83_parse(klm_buf_as_slice(&out), &view, &why) == KLM_OK && view.ours);
        must(smf_t83_decode(&view, pool, &again) == KLM_OK);
        must(again.seq == event->seq && again.event.kind == event->event.kind);
        must(again.event.time == event->event.time);
        must(again.utc_offset_min == event->utc_offset_min);
        same(again.server_id, event->server_id);
        same(again.text, event->text);
        for (size_t i = 0; i < SMF_FIELDS; i++) {
            same(again.event.field[i], event->event.field[i]);
        }
    }
    klm_buf_done(&out);
}

static void check_event(const struct smf_t83_event *event, struct klm_pool *pool)
{
    check_text(event->server_id);
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        check_text(event->event.field[i]);
    }
    must(event->part >= 1 && event->part <= event->parts);
    must(event->checkpoint == (event->seq == 0));
    must(event->signature.n <= SMF_SIGNATURE_MAX);
    must(memchr(event->signature.algorithm, 0, SMF_ALGORITHM_MAX) != NULL);
    if (!event->checkpoint) {
        encode_again(event, pool);
    }
}

static void try_record(struct klm_slice in)
{
    struct smf_t83_view view;
    struct smf_t83_event event;
    struct klm_slice bytes;
    struct klm_pool *pool = NULL;
    unsigned number, n = 0;
    const char *why = NULL;

    if (smf_t83_parse(in, &view, &why) != KLM_OK) {
        must(why != NULL);
        return;
    }
    for (size_t at = 0; smf_t83_relocate(&view, &at, &number, &bytes) == KLM_OK; n++) {
        must(bytes.p >= in.p && bytes.p + bytes.n <= in.p + in.n);
    }
    must(n == view.relocates_n);
    must(klm_pool_new(0, &pool) == KLM_OK);
    if (smf_t83_decode(&view, pool, &event) == KLM_OK) {
        must(view.ours);
        check_event(&event, pool);
    }
    klm_pool_free(&pool);
}

/* As many relocate sections as there are from the usual place on, the last cut to the end. */
static size_t repair_relocates(uint8_t *p, size_t n)
{
    size_t at = SMF83_SECTIONS, count = 0;

    while (n - at >= SMF83DA2) {
        size_t left = n - at - SMF83DA2, length = (size_t)SMF_GET(p + at, SMF83DL2);

        length = length > left ? left : length;
        SMF_SET(p + at, SMF83DL2, length);
        at += SMF83DA2 + length;
        count++;
    }
    SMF_SET(p, SMF83OD2, SMF83_SECTIONS);
    SMF_SET(p, SMF83LD2, at - SMF83_SECTIONS);
    SMF_SET(p, SMF83ND2, count);
    return at;
}

static void try_repaired(struct klm_slice in)
{
    static const uint8_t name[] = {0xD2, 0xD3, 0xD4, 0xE2, 0xD9, 0xE5, 0x40, 0x40};
    uint8_t *p;
    size_t n;

    if (in.n < SMF83_SECTIONS || in.n > UINT16_MAX) {
        return;
    }
    p = malloc(in.n);
    must(p != NULL);
    memcpy(p, in.p, in.n);
    n = repair_relocates(p, in.n);
    smf_put_number(p, 4, (uint64_t)n << 16);
    p[SMF83FLG] |= SMF83FLG_SUBTYPES;
    p[SMF83RTY] = SMF83_TYPE;
    SMF_SET(p, SMF83TYP, SMF83_SUBTYPE);
    SMF_SET(p, SMF83TRP, SMF83_TRIPLETS);
    SMF_SET(p, SMF83OPD, SMF83_HEADER);
    smf_put_number(p + SMF83LPD, 4, SMF83_PRODUCT << 16 | 1);
    SMF_SET(p, SMF83OD1, SMF83_HEADER + SMF83_PRODUCT);
    smf_put_number(p + SMF83LD1, 4, SMF83_SECURITY << 16 | 1);
    memcpy(p + SMF83_HEADER + SMF83PNM, name, sizeof name);
    try_record(KLM_SLICE(p, n));
    free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_record(KLM_SLICE(data, size));
    try_repaired(KLM_SLICE(data, size));
    return 0;
}
