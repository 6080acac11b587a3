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

void dt_text_get(struct klm_cur *cur, char *out, size_t cap)
{
    struct klm_slice s;

    klm_cur_lp8(cur, cap - 1, &s);
    if (s.n && memchr(s.p, 0, s.n)) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    if (s.n) {
        memcpy(out, s.p, s.n);
    }
    out[s.n] = '\0';
}

void dt_text_put(struct klm_buf *out, const char *s)
{
    klm_buf_lp8(out, klm_slice_str(s));
}

void dt_time_get(struct klm_cur *cur, klm_time *out)
{
    uint64_t t;

    klm_cur_u64(cur, &t);
    if (t > INT64_MAX) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    *out = (klm_time)t;
}

void dt_record_encode(const struct dt_drive *drive, struct klm_buf *out)
{
    klm_buf_u8(out, VERSION);
    put_kind(out, drive->kind);
    dt_text_put(out, drive->wwn);
    dt_text_put(out, drive->alias1);
    dt_text_put(out, drive->alias2);
    dt_text_put(out, drive->symalias);
    dt_text_put(out, drive->fingerprint);
    klm_buf_u64(out, (uint64_t)drive->first_contact);
    klm_buf_u64(out, (uint64_t)drive->last_contact);
    dt_text_put(out, drive->last_volser);
}

klm_rc dt_record_decode(struct klm_slice record, struct dt_drive *out)
{
    struct klm_cur cur;
    struct dt_drive d = *out;

    klm_cur_init(&cur, record);
    get_version(&cur);
    get_kind(&cur, &d.kind);
    dt_text_get(&cur, d.wwn, sizeof d.wwn);
    dt_text_get(&cur, d.alias1, sizeof d.alias1);
    dt_text_get(&cur, d.alias2, sizeof d.alias2);
    dt_text_get(&cur, d.symalias, sizeof d.symalias);
    dt_text_get(&cur, d.fingerprint, sizeof d.fingerprint);
    dt_time_get(&cur, &d.first_contact);
    dt_time_get(&cur, &d.last_contact);
    dt_text_get(&cur, d.last_volser, sizeof d.last_volser);
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
    dt_text_put(out, pending->wwn);
    dt_text_put(out, pending->fingerprint);
    dt_text_put(out, pending->address);
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
    dt_text_get(&cur, p.wwn, sizeof p.wwn);
    dt_text_get(&cur, p.fingerprint, sizeof p.fingerprint);
    dt_text_get(&cur, p.address, sizeof p.address);
    dt_time_get(&cur, &p.first_contact);
    dt_time_get(&cur, &p.last_contact);
    klm_cur_u64(&cur, &p.contacts);
    klm_cur_lp16(&cur, DT_CERT_MAX, &p.cert);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || dt_pending_check(&p) != KLM_OK) {
        return KLM_E_CORRUPT;
    }
    *out = p;
    return KLM_OK;
}
