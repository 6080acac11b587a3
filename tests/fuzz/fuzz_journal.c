/* Journal records, events and records of the text log. A record is tried as it is and, so that the parser behind the hash is
 * reached too, with magic, length and hash put right; what parses must encode to the same bytes again. */
#include "smf/event.h"
#include "smf/frame.h"
#include "smf/text_format.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void try_event(struct klm_slice in)
{
    struct smf_event event, again;
    struct klm_pool *pool = NULL;
    struct klm_buf out;
    klm_rc rc = smf_event_check(in);

    must(klm_pool_new(0, &pool) == KLM_OK);
    must(smf_event_decode(in, pool, &event) == rc);
    if (rc == KLM_OK && event.time != 0) {
        klm_buf_init(&out, SMF_EVENT_MAX);
        must(smf_event_encode(&event, &out) == KLM_OK && out.n <= in.n);
        must(smf_event_decode(klm_buf_as_slice(&out), pool, &again) == KLM_OK);
        for (size_t i = 0; i < SMF_FIELDS; i++) {
            must(!event.field[i] == !again.field[i]);
            must(!event.field[i] || strcmp(event.field[i], again.field[i]) == 0);
        }
        klm_buf_done(&out);
    }
    klm_pool_free(&pool);
}

static void try_frame(struct klm_slice in, struct smf_hash *sha)
{
    struct smf_frame frame;
    struct klm_buf out;

    if (smf_frame_parse(in, sha, &frame) != KLM_OK) {
        return;
    }
    klm_buf_init(&out, SMF_FRAME_MAX);
    must(frame.length <= in.n && smf_frame_encode(&frame, sha, &out) == KLM_OK);
    must(out.n == frame.length && memcmp(out.p, in.p, out.n) == 0);
    klm_buf_done(&out);
}

static void try_repaired(struct klm_slice in, struct smf_hash *sha)
{
    uint8_t bytes[SMF_FRAME_MAX];
    static const uint8_t start[] = {'K', 'L', 'M', 'J', 0, 0, 0, 0, 0, 1, 0, 0};

    if (in.n < SMF_FRAME_MIN || in.n > sizeof bytes) {
        return;
    }
    memcpy(bytes, in.p, in.n);
    memcpy(bytes, start, sizeof start);
    bytes[6] = (uint8_t)(in.n >> 8);
    bytes[7] = (uint8_t)in.n;
    must(smf_hash_two(sha, KLM_SLICE(bytes, in.n - SMF_HASH_SIZE), KLM_SLICE(NULL, 0),
                      bytes + in.n - SMF_HASH_SIZE) == KLM_OK);
    try_frame(KLM_SLICE(bytes, in.n), sha);
}

static void try_text(struct klm_slice in)
{
    struct smf_text_found found;

    if (smf_text_get(in, &found) == KLM_OK) {
        must(found.length <= in.n && found.body < found.length && found.seq != 0);
        must(memcmp(in.p + found.length - 5, SMF_TEXT_END, 5) == 0);
        must(memcmp(in.p + found.body, "  chain=", 8) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KLM_AUTO(smf_hash_free) struct smf_hash *sha = NULL;
    struct klm_slice in = KLM_SLICE(data, size);

    must(smf_hash_new(&sha) == KLM_OK);
    try_event(in);
    try_frame(in, sha);
    try_repaired(in, sha);
    try_text(in);
    return 0;
}
