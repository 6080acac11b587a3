/* Encoding and decoding of the records. */
#include "drivetable/record.h"

#include "drivetable/parts.h"

#include <string.h>

#define VERSION 1

/* The number of a kind in records is its place here plus one. */
static const enum dt_kind kinds[] = {DT_3592, DT_LTO, DT_DS8000};

static void put_kind(struct klm_buf *out, enum dt_kind kind)
{
    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        if (kinds[i] == kind) {
            klm_buf_u8(out, (uint8_t)(i + 1));
        }
    }
}

static void get_kind(struct klm_cur *cur, enum dt_kind *out)
{
    uint8_t code;

    klm_cur_u8(cur, &code);
    if (code < 1 || code > KLM_COUNT(kinds)) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    *out = kinds[code - 1];
}

static void get_version(struct klm_cur *cur)
{
    uint8_t version;

    klm_cur_u8(cur, &version);
    if (version != VERSION) {
        klm_cur_fail(cur, KLM_E_UNSUPPORTED);
    }
}

void dt_record_encode(const struct dt_drive *drive, struct klm_buf *out)
{
    klm_buf_u8(out, VERSION);
    put_kind(out, drive->kind);
    klm_buf_lp8(out, klm_slice_str(drive->wwn));
    klm_buf_lp8(out, klm_slice_str(drive->alias1));
    klm_buf_lp8(out, klm_slice_str(drive->alias2));
    klm_buf_lp8(out, klm_slice_str(drive->symalias));
    klm_buf_lp8(out, klm_slice_str(drive->fingerprint));
    klm_buf_u64(out, (uint64_t)drive->first_contact);
    klm_buf_u64(out, (uint64_t)drive->last_contact);
    klm_buf_lp8(out, klm_slice_str(drive->last_volser));
}

klm_rc dt_record_decode(struct klm_slice record, struct dt_drive *out)
{
    struct klm_cur cur;
    struct dt_drive d = *out;

    klm_cur_init(&cur, record);
    get_version(&cur);
    get_kind(&cur, &d.kind);
    klm_cur_text8(&cur, sizeof d.wwn, d.wwn);
    klm_cur_text8(&cur, sizeof d.alias1, d.alias1);
    klm_cur_text8(&cur, sizeof d.alias2, d.alias2);
    klm_cur_text8(&cur, sizeof d.symalias, d.symalias);
    klm_cur_text8(&cur, sizeof d.fingerprint, d.fingerprint);
    klm_cur_i64(&cur, &d.first_contact);
    klm_cur_i64(&cur, &d.last_contact);
    klm_cur_text8(&cur, sizeof d.last_volser, d.last_volser);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || dt_drive_check(&d) != KLM_OK) {
        return KLM_E_CORRUPT;
    }
    *out = d;
    return KLM_OK;
}

void dt_pending_encode(const struct dt_pending *pending, struct klm_buf *out)
{
    klm_buf_u8(out, VERSION);
    put_kind(out, pending->kind);
    klm_buf_lp8(out, klm_slice_str(pending->wwn));
    klm_buf_lp8(out, klm_slice_str(pending->fingerprint));
    klm_buf_lp8(out, klm_slice_str(pending->address));
    klm_buf_u64(out, (uint64_t)pending->first_contact);
    klm_buf_u64(out, (uint64_t)pending->last_contact);
    klm_buf_u64(out, pending->contacts);
    klm_buf_lp16(out, pending->cert);
}

klm_rc dt_pending_decode(struct klm_slice record, struct dt_pending *out)
{
    struct klm_cur cur;
    struct dt_pending p = *out;

    klm_cur_init(&cur, record);
    get_version(&cur);
    get_kind(&cur, &p.kind);
    klm_cur_text8(&cur, sizeof p.wwn, p.wwn);
    klm_cur_text8(&cur, sizeof p.fingerprint, p.fingerprint);
    klm_cur_text8(&cur, sizeof p.address, p.address);
    klm_cur_i64(&cur, &p.first_contact);
    klm_cur_i64(&cur, &p.last_contact);
    klm_cur_u64(&cur, &p.contacts);
    klm_cur_lp16(&cur, DT_CERT_MAX, &p.cert);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || dt_pending_check(&p) != KLM_OK) {
        return KLM_E_CORRUPT;
    }
    *out = p;
    return KLM_OK;
}
