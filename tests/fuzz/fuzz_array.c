/* What an array reads: its state, headers of volumes, requests and answers of its socket, recovery keys as typed. The first byte says which. Whatever
 * decodes must encode to the same bytes again. */
#include "base/digest.h"
#include "ios/array_link.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be(struct klm_buf *out, klm_rc rc, struct klm_slice in)
{
    if (rc != KLM_OK || out->n != in.n || memcmp(out->p, in.p, in.n) != 0) {
        abort();
    }
    klm_buf_done(out);
}

/* The digest at the end is made right, or nothing behind it would ever be looked at. */
static void try_state(struct klm_slice in)
{
    static struct ios_array_state state;
    uint8_t bytes[IOS_ARRAY_STATE_MAX];
    struct klm_buf out;

    if (in.n > sizeof bytes - 32) {
        return;
    }
    memcpy(bytes, in.p, in.n);
    if (klm_sha256(&in, 1, bytes + in.n) != KLM_OK || ios_array_decode(in, &state) == KLM_OK ||
        ios_array_decode(KLM_SLICE(bytes, in.n + 32), &state) != KLM_OK) {
        return;
    }
    klm_buf_init(&out, IOS_ARRAY_STATE_MAX);
    must_be(&out, ios_array_encode(&state, &out), KLM_SLICE(bytes, in.n + 32));
}

static void try_header(struct klm_slice in)
{
    struct ios_volume_header header;
    struct klm_buf out;

    if (ios_volume_header_decode(in, &header) == KLM_OK) {
        klm_buf_init(&out, IOS_VOLUME_HEADER);
        must_be(&out, ios_volume_header_encode(&header, &out), in);
    }
}

static void try_request(struct klm_slice in)
{
    struct ios_link_request request;
    struct klm_buf out;

    if (ios_link_request_decode(in, &request) == KLM_OK) {
        klm_buf_init(&out, IOS_LINK_MAX);
        must_be(&out, ios_link_request_encode(&request, &out), in);
    }
}

static void try_answer(struct klm_slice in)
{
    struct ios_link_answer answer;
    struct klm_buf out;

    if (ios_link_answer_decode(in, &answer) == KLM_OK) {
        klm_buf_init(&out, IOS_LINK_MAX);
        must_be(&out, ios_link_answer_encode(&answer, &out), in);
    }
}

/* What is taken for a recovery key is one that comes back from its own text. */
static void try_recovery(struct klm_slice in)
{
    char typed[1024], text[IOS_RECOVERY_TEXT];
    uint8_t key[IOS_SUBKEY], again[IOS_SUBKEY];

    if (in.n >= sizeof typed) {
        return;
    }
    memcpy(typed, in.p, in.n);
    typed[in.n] = '\0';
    if (ios_recovery_parse(typed, key) == KLM_OK &&
        (ios_recovery_text(key, text) != KLM_OK || ios_recovery_parse(text, again) != KLM_OK ||
         memcmp(key, again, sizeof key) != 0)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct klm_slice) = {try_state, try_header, try_request,
                                                      try_answer, try_recovery};

    if (size > 1) {
        tries[data[0] % KLM_COUNT(tries)](KLM_SLICE(data + 1, size - 1));
    }
    return 0;
}
