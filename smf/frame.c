/* Journal records: encode and parse. */
#include "smf/frame.h"

#include <string.h>

#define FRAME_VERSION 1

klm_rc smf_frame_encode(struct smf_frame *frame, struct smf_hash *hash, struct klm_buf *out)
{
    size_t at = out->n, length = SMF_FRAME_MIN + frame->server_id.n + frame->event.n;

    if (frame->server_id.n > SMF_SERVER_ID_MAX || frame->event.n > SMF_EVENT_MAX) {
        return KLM_E_LIMIT;
    }
    klm_buf_u32(out, SMF_FRAME_MAGIC);
    klm_buf_u32(out, (uint32_t)length);
    klm_buf_u16(out, FRAME_VERSION);
    klm_buf_u16(out, frame->left_out ? SMF_FRAME_LEFT_OUT : 0);
    klm_buf_u64(out, frame->seq);
    klm_buf_u64(out, frame->event_no);
    klm_buf_u64(out, (uint64_t)frame->time);
    klm_buf_u64(out, frame->synced);
    klm_buf_u64(out, frame->keep);
    klm_buf_put(out, frame->prev, SMF_HASH_SIZE);
    klm_buf_lp16(out, frame->server_id);
    klm_buf_lp32(out, frame->event);
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(
        smf_hash_two(hash, KLM_SLICE(out->p + at, out->n - at), KLM_SLICE(NULL, 0), frame->hash));
    klm_buf_put(out, frame->hash, SMF_HASH_SIZE);
    frame->length = length;
    return klm_buf_rc(out);
}

/* Magic, length, version and flags, as far as they are there. */
static klm_rc parse_start(struct klm_cur *cur, struct smf_frame *frame)
{
    uint32_t magic, n;
    uint16_t version, flags;

    klm_cur_u32(cur, &magic);
    KLM_TRY(klm_cur_rc(cur));
    if (magic != SMF_FRAME_MAGIC) {
        return KLM_E_CORRUPT;
    }
    klm_cur_u32(cur, &n);
    KLM_TRY(klm_cur_rc(cur));
    if (n < SMF_FRAME_MIN || n > SMF_FRAME_MAX) {
        return KLM_E_CORRUPT;
    }
    klm_cur_u16(cur, &version);
    klm_cur_u16(cur, &flags);
    KLM_TRY(klm_cur_rc(cur));
    frame->length = n;
    frame->left_out = flags & SMF_FRAME_LEFT_OUT;
    return version == FRAME_VERSION && (flags & ~SMF_FRAME_LEFT_OUT) == 0 ? KLM_OK : KLM_E_CORRUPT;
}

static klm_rc parse_rest(struct klm_cur *cur, struct smf_frame *frame)
{
    uint64_t time;

    klm_cur_u64(cur, &frame->seq);
    klm_cur_u64(cur, &frame->event_no);
    klm_cur_u64(cur, &time);
    klm_cur_u64(cur, &frame->synced);
    klm_cur_u64(cur, &frame->keep);
    klm_cur_copy(cur, frame->prev, SMF_HASH_SIZE);
    klm_cur_lp16(cur, SMF_SERVER_ID_MAX, &frame->server_id);
    klm_cur_lp32(cur, SMF_EVENT_MAX, &frame->event);
    klm_cur_copy(cur, frame->hash, SMF_HASH_SIZE);
    klm_cur_end(cur);
    frame->time = (klm_time)time;
    if (klm_cur_rc(cur) != KLM_OK || frame->seq == 0 || frame->synced >= frame->seq ||
        frame->keep == 0 || frame->keep > frame->seq || time > INT64_MAX ||
        memchr(frame->server_id.p, 0, frame->server_id.n)) {
        return KLM_E_CORRUPT;
    }
    return KLM_OK;
}

klm_rc smf_frame_parse(struct klm_slice in, struct smf_hash *hash, struct smf_frame *out)
{
    struct smf_frame frame;
    struct klm_cur cur;
    uint8_t made[SMF_HASH_SIZE];

    klm_cur_init(&cur, in);
    KLM_TRY(parse_start(&cur, &frame));
    if (in.n < frame.length) {
        return KLM_E_SHORT;
    }
    cur.end = in.p + frame.length;
    KLM_TRY(parse_rest(&cur, &frame));
    KLM_TRY(smf_hash_two(hash, KLM_SLICE(in.p, frame.length - SMF_HASH_SIZE), KLM_SLICE(NULL, 0),
                         made));
    if (memcmp(made, frame.hash, SMF_HASH_SIZE) != 0) {
        return KLM_E_CORRUPT;
    }
    *out = frame;
    return KLM_OK;
}

klm_rc smf_frame_record(const struct smf_frame *frame, struct klm_pool *pool,
                        struct smf_record *out)
{
    struct smf_record record = {
        .seq = frame->seq, .event_no = frame->event_no, .left_out = frame->left_out};
    klm_rc rc = smf_event_decode(frame->event, pool, &record.event);

    if (rc != KLM_OK) {
        return rc == KLM_E_NOMEM ? rc : KLM_E_CORRUPT;
    }
    memcpy(record.prev, frame->prev, SMF_HASH_SIZE);
    memcpy(record.hash, frame->hash, SMF_HASH_SIZE);
    record.server_id = klm_pool_strn(pool, (const char *)frame->server_id.p, frame->server_id.n);
    if (!record.server_id) {
        return KLM_E_NOMEM;
    }
    *out = record;
    return KLM_OK;
}
