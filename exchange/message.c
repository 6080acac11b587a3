/* Framing: one message from a stream, or onto one (PROTOCOL.md, section 2). */
#include "exchange/body.h"

#include <string.h>

#define VERSION_AT 2
#define LENGTH_AT 4

static const uint8_t magic[2] = {'K', 'X'};

/* The first version that has a message. */
static uint8_t since(enum kx_type type)
{
    switch (type) {
#define KX_MESSAGE(name, code, since, text)                                                        \
    case name:                                                                                     \
        return since;
#include "exchange/messages.def"
#undef KX_MESSAGE
    }
    return KX_VERSION_MAX;
}

size_t kx_begin(struct klm_buf *out, enum kx_type type, uint32_t id)
{
    size_t start = out->n;

    klm_buf_put(out, magic, sizeof magic);
    klm_buf_u8(out, since(type));
    klm_buf_u8(out, (uint8_t)type);
    klm_buf_u32(out, 0);
    klm_buf_u32(out, id);
    return start;
}

klm_rc kx_end(struct klm_buf *out, size_t start)
{
    if (klm_buf_rc(out) != KLM_OK) {
        out->n = start;
        return klm_buf_rc(out);
    }
    klm_buf_set_u32(out, start + LENGTH_AT, (uint32_t)(out->n - start - KX_HEADER));
    return klm_buf_rc(out);
}

void kx_stamp(struct klm_buf *message, uint8_t version)
{
    if (message->n >= KX_HEADER) {
        message->p[VERSION_AT] = version;
    }
}

uint8_t kx_version_shared(const struct kx_hello *a, const struct kx_hello *b)
{
    uint8_t least = a->version_min > b->version_min ? a->version_min : b->version_min;
    uint8_t most = a->version_max < b->version_max ? a->version_max : b->version_max;

    return least <= most ? most : 0;
}

klm_rc kx_check_id(uint32_t id)
{
    return id == 0 ? KLM_E_INVALID : KLM_OK;
}

const char *kx_type_name(enum kx_type type)
{
    switch (type) {
#define KX_MESSAGE(name, code, since, text)                                                        \
    case name:                                                                                     \
        return #name;
#include "exchange/messages.def"
#undef KX_MESSAGE
    }
    return "unknown";
}

/* Bodies a type can have, and whether its request number is 0, a number, or either. */
enum id_rule { ID_ZERO, ID_NUMBER, ID_ANY };
struct shape {
    uint8_t type;
    uint8_t id;
    uint16_t least, most;
};

#define HELLO (4 + KX_HELLO_FIELDS)
#define LABELS (1 + KX_EEDKS * (2 + KX_LABEL_MAX))
#define EEDKS (1 + KX_EEDKS * (2 + KX_EEDK_MAX))
#define STORED (44 + KX_KEY_ID + 1)
static const struct shape shapes[] = {
    {KX_HELLO, ID_ZERO, HELLO, HELLO},
    {KX_HELLO_SERVER, ID_ZERO, HELLO, HELLO},
    {KX_CONFIRM, ID_ZERO, HELLO + 36, HELLO + 36 + KX_CERT_MAX + KX_SIGNATURE_MAX},
    {KX_CONFIRMED, ID_ZERO, HELLO + 36, HELLO + 36},
    {KX_VERIFY, ID_NUMBER, 4, 4},
    {KX_VERIFIED, ID_NUMBER, 4, 4},
    {KX_BYE, ID_ANY, 4, 4},
    {KX_CREATE, ID_NUMBER, 4 + KX_VOLSER + 1, 4 + KX_VOLSER + LABELS},
    {KX_GET, ID_NUMBER, 4 + KX_VOLSER + 4, 4 + KX_VOLSER + EEDKS},
    {KX_TRANSLATE, ID_NUMBER, 4 + KX_VOLSER + 5, 4 + KX_VOLSER + EEDKS + LABELS},
    {KX_CREATED, ID_NUMBER, 44 + 4 + 4, 44 + EEDKS + LABELS},
    {KX_GOT, ID_NUMBER, 44 + 2, 44 + EEDKS + LABELS},
    {KX_TRANSLATED, ID_NUMBER, 44 + 4 + 4, 44 + EEDKS + LABELS},
    {KX_STORED_CREATE, ID_NUMBER, 4 + KX_VOLSER, 4 + KX_VOLSER},
    {KX_STORED_GET, ID_NUMBER, 4 + KX_VOLSER + KX_KEY_ID, 4 + KX_VOLSER + KX_KEY_ID},
    {KX_STORED_CREATED, ID_NUMBER, STORED + 1, STORED + KX_ALIAS_MAX},
    {KX_STORED_GOT, ID_NUMBER, STORED + 1, STORED + KX_ALIAS_MAX},
    {KX_ERROR, ID_ANY, 4 + 2 + 1 + 2, 4 + 2 + 1 + 15 + 2 + 255},
};
_Static_assert(KX_HEADER + HELLO + 36 + KX_CERT_MAX + KX_SIGNATURE_MAX <= KX_MESSAGE_MAX,
               "the longest message fits");
_Static_assert(KX_HEADER + HELLO == KX_HELLO_SIZE, "a hello is as long as the header says");

static const struct shape *shape_of(uint8_t type)
{
    for (size_t i = 0; i < KLM_COUNT(shapes); i++) {
        if (shapes[i].type == type) {
            return &shapes[i];
        }
    }
    return NULL;
}

/* Hellos and confirmations keep version 1; of the others each version has its own. */
static bool version_ok(uint8_t version, uint8_t type)
{
    bool opening =
        type == KX_HELLO || type == KX_HELLO_SERVER || type == KX_CONFIRM || type == KX_CONFIRMED;

    return opening ? version == KX_VERSION : version >= since((enum kx_type)type);
}

/* The header as far as it is there, so that a stranger's first bytes are refused at once. */
static klm_rc check_header(struct klm_slice in, const struct shape **shape, uint8_t *version,
                           uint32_t *length)
{
    uint8_t lead[2] = {0}, type = 0;
    struct klm_cur cur;

    klm_cur_init(&cur, in);
    for (size_t i = 0; i < sizeof lead && i < in.n; i++) {
        klm_cur_u8(&cur, &lead[i]);
        if (lead[i] != magic[i]) {
            return KLM_E_INVALID;
        }
    }
    if (in.n > 2) {
        klm_cur_u8(&cur, version);
    }
    if (*version < KX_VERSION || *version > KX_VERSION_MAX) {
        return KLM_E_INVALID;
    }
    klm_cur_u8(&cur, &type);
    klm_cur_u32(&cur, length);
    if (klm_cur_rc(&cur) != KLM_OK) {
        return KLM_E_AGAIN;
    }
    if (*length > KX_MESSAGE_MAX - KX_HEADER) {
        return KLM_E_LIMIT;
    }
    *shape = shape_of(type);
    return *shape && version_ok(*version, type) && *length >= (*shape)->least &&
                   *length <= (*shape)->most
               ? KLM_OK
               : KLM_E_INVALID;
}

static void get_body(struct klm_cur *cur, struct kx_message *msg)
{
    switch (msg->type) {
    case KX_HELLO:
    case KX_HELLO_SERVER:
        kx_get_hello(cur, msg->type == KX_HELLO_SERVER, &msg->u.hello);
        break;
    case KX_CONFIRM:
    case KX_CONFIRMED:
        kx_get_confirm(cur, msg->type == KX_CONFIRMED, &msg->u.confirm);
        break;
    case KX_CREATE:
        kx_get_create(cur, &msg->u.create);
        break;
    case KX_GET:
        kx_get_get(cur, &msg->u.get);
        break;
    case KX_TRANSLATE:
        kx_get_translate(cur, &msg->u.translate);
        break;
    case KX_CREATED:
    case KX_GOT:
    case KX_TRANSLATED:
        kx_get_keyed(cur, msg->type, &msg->u.keyed);
        break;
    case KX_STORED_CREATE:
        kx_get_stored_create(cur, &msg->u.stored_create);
        break;
    case KX_STORED_GET:
        kx_get_stored_get(cur, &msg->u.stored_get);
        break;
    case KX_STORED_CREATED:
    case KX_STORED_GOT:
        kx_get_stored(cur, &msg->u.stored);
        break;
    case KX_ERROR:
        kx_get_error(cur, &msg->u.error);
        break;
    case KX_VERIFY:
    case KX_VERIFIED:
    case KX_BYE:
        break;
    }
}

static klm_rc decode_body(struct klm_slice body, const struct shape *shape, struct kx_message *msg)
{
    struct klm_cur cur;

    klm_cur_init(&cur, body);
    msg->type = (enum kx_type)shape->type;
    klm_cur_u32(&cur, &msg->id);
    if ((shape->id == ID_ZERO && msg->id != 0) || (shape->id == ID_NUMBER && msg->id == 0)) {
        return KLM_E_INVALID;
    }
    get_body(&cur, msg);
    klm_cur_end(&cur);
    /* The whole body was there: a field that goes beyond it is a wrong message, not a short one. */
    return klm_cur_rc(&cur) == KLM_E_SHORT ? KLM_E_INVALID : klm_cur_rc(&cur);
}

klm_rc kx_decode(struct klm_slice in, struct kx_message *out, size_t *used, size_t *need)
{
    const struct shape *shape = NULL;
    struct kx_message msg;
    uint32_t length = 0;

    memset(&msg, 0, sizeof msg);
    msg.version = KX_VERSION;
    klm_rc rc = check_header(in, &shape, &msg.version, &length);
    if (rc == KLM_E_AGAIN) {
        *need = KX_HEADER;
    }
    KLM_TRY(rc);
    if (in.n < KX_HEADER + length) {
        *need = KX_HEADER + length;
        return KLM_E_AGAIN;
    }
    KLM_TRY(decode_body(KLM_SLICE(in.p + KX_HEADER, length), shape, &msg));
    *out = msg;
    *used = KX_HEADER + length;
    return KLM_OK;
}
