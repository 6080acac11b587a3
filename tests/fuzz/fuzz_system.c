/* What a storage system reads: its state, and answers of key servers. The first byte says which. A state that decodes must encode to the same bytes again; an answer must not do more than be refused, or
 * give what has its form. */
#include "base/digest.h"
#include "ios/channel.h"
#include "ios/kmip_keys.h"
#include "kmip/codec/ttlv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held) {
        abort();
    }
}

/* The digest at the end is made right, or nothing behind it would ever be looked at. */
static void try_state(struct klm_slice in)
{
    static struct ios_system_state state;
    static uint8_t bytes[IOS_SYSTEM_STATE_MAX];
    struct klm_buf out;

    if (in.n > sizeof bytes - 32) {
        return;
    }
    if (in.n > 0) {
        memcpy(bytes, in.p, in.n);
    }
    if (klm_sha256(&in, 1, bytes + in.n) != KLM_OK || ios_system_decode(in, &state) == KLM_OK ||
        ios_system_decode(KLM_SLICE(bytes, in.n + 32), &state) != KLM_OK) {
        return;
    }
    klm_buf_init(&out, IOS_SYSTEM_STATE_MAX);
    must(ios_system_encode(&state, &out) == KLM_OK && out.n == in.n + 32 &&
         memcmp(out.p, bytes, out.n) == 0);
    klm_buf_done(&out);
}

static klm_rc give(void *arg, const struct ios_keyserver *server, const struct kmip_node *request,
                   bool again, struct klm_pool *pool, const struct kmip_node **answer, char *why)
{
    const struct klm_slice *in = arg;
    struct kmip_node *root = NULL;
    klm_rc rc = kmip_ttlv_decode(*in, NULL, pool, &root);

    (void)server, (void)request, (void)again;
    why[0] = '\0';
    *answer = root;
    return rc;
}

static void must_uid(klm_rc rc, const char *uid)
{
    must(rc != KLM_OK || (strlen(uid) > 0 && strlen(uid) <= IOS_KEY_UID));
}

static void try_answer(struct klm_slice in)
{
    static const struct ios_keyserver server = {.name = "k", .host = "h", .port = 1};
    struct ios_kmip_way way = {&in, give};
    const struct ios_keys_ops ops = ios_kmip_keys(&way);
    const struct ios_key_turn turn = {"n", "o", true, true, true, true};
    struct ios_key_look look = {0};
    struct klm_diag diag = {0};
    char uid[IOS_KEY_UID + 1] = "";
    uint8_t key[IOS_SUBKEY];

    must_uid(ops.find(ops.arg, &server, "n", uid, &diag), uid);
    must_uid(ops.make(ops.arg, &server, "n", "s", uid, &diag), uid);
    KLM_IGNORE(ops.get(ops.arg, &server, "u", key, &diag));
    must(ops.look(ops.arg, &server, "u", &look, &diag) != KLM_OK || look.state != 0);
    KLM_IGNORE(ops.turn(ops.arg, &server, &turn, &diag));
    KLM_IGNORE(ops.destroy(ops.arg, &server, "u", &diag));
    must(strlen(look.replaced) <= IOS_KEY_UID && strlen(look.replacement) <= IOS_KEY_UID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1) {
        (data[0] % 2 ? try_answer : try_state)(KLM_SLICE(data + 1, size - 1));
    }
    return 0;
}
