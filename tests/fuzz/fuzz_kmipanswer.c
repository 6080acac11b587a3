/* Answers of a key server, as the client of a storage system takes them in: the first byte says what was asked, the rest is the message. What comes out of it is whole: a key of
 * 32 bytes, identifiers and words that end. */
#include "ios/kmip_keys.h"
#include "kmip/codec/ttlv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ios_keyserver server = {.id = 1, .name = "keys1", .host = "h", .port = 5696};

static klm_rc answer_with(void *arg, const struct ios_keyserver *to,
                          const struct kmip_node *request, bool again, struct klm_pool *pool,
                          const struct kmip_node **answer, char *why)
{
    struct kmip_node *root = NULL;
    klm_rc rc = kmip_ttlv_decode(*(const struct klm_slice *)arg, NULL, pool, &root);

    (void)to, (void)request, (void)again, (void)why;
    if (rc == KLM_OK) {
        *answer = root;
    }
    return rc;
}

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void ask(struct ios_keys_ops *ops, unsigned what)
{
    const struct ios_key_turn turn = {"new", "old", true, true, true, true};
    char uid[IOS_KEY_UID + 1] = "";
    uint8_t key[IOS_SUBKEY] = {0};
    struct ios_key_look look = {0};
    struct klm_diag diag = {0};
    klm_rc rc = KLM_OK;

    switch (what % 6) {
    case 0:
        rc = ops->find(ops->arg, &server, "name", uid, &diag);
        break;
    case 1:
        rc = ops->make(ops->arg, &server, "name", "serial", uid, &diag);
        break;
    case 2:
        rc = ops->get(ops->arg, &server, "uid", key, &diag);
        break;
    case 3:
        rc = ops->look(ops->arg, &server, "uid", &look, &diag);
        break;
    case 4:
        rc = ops->turn(ops->arg, &server, &turn, &diag);
        break;
    default:
        rc = ops->destroy(ops->arg, &server, "uid", &diag);
        break;
    }
    must(memchr(uid, '\0', sizeof uid) && (rc != KLM_OK || what % 6 > 1 || uid[0]));
    must(memchr(look.replaced, '\0', sizeof look.replaced) != NULL);
    must(memchr(look.replacement, '\0', sizeof look.replacement) != NULL);
    must(rc == KLM_OK || rc == KLM_E_NOTFOUND || diag.msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_slice message = size ? KLM_SLICE(data + 1, size - 1) : KLM_SLICE(data, 0);
    struct ios_kmip_way way = {&message, answer_with};
    struct ios_keys_ops ops = ios_kmip_keys(&way);

    ask(&ops, size ? data[0] : 0);
    return 0;
}
