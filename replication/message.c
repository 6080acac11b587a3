/* Messages between partners, to bytes and back (PROTOCOL.md). Encoder and decoder of a body stand together. */
#include "replication/repl.h"

#include "base/tls.h"

#include <string.h>

#define FRAME_VERSION 1
#define LENGTH_AT 4

static const uint8_t magic[2] = {'K', 'R'};

static const struct shape {
    enum repl_type type;
    uint32_t max;
    const char *name;
} shapes[] = {
#define REPL_MESSAGE(name, code, max, text) {name, max, #name},
#include "replication/messages.def"
#undef REPL_MESSAGE
};

static const struct shape *shape_of(unsigned type)
{
    for (size_t i = 0; i < KLM_COUNT(shapes); i++) {
        if ((unsigned)shapes[i].type == type) {
            return &shapes[i];
        }
    }
    return NULL;
}

const char *repl_type_name(enum repl_type type)
{
    const struct shape *shape = shape_of(type);

    return shape ? shape->name : "unknown";
}

/* A short text into a fixed array. Printable, as it may be shown; UTF-8 is not taken apart here. */
static void get_text(struct klm_cur *cur, char *out, size_t max)
{
    struct klm_slice text;

    klm_cur_lp16(cur, max, &text);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < ' ' || text.p[i] == 0x7f) {
            klm_cur_fail(cur, KLM_E_INVALID);
            return;
        }
    }
    if (klm_cur_rc(cur) == KLM_OK) {
        memcpy(out, text.p, text.n);
        out[text.n] = '\0';
    }
}

/* ---- Bodies */

static void put_hello(const struct repl_hello *hello, struct klm_buf *out)
{
    klm_buf_u16(out, hello->version_min);
    klm_buf_u16(out, hello->version_max);
    klm_buf_str16(out, hello->id);
    klm_buf_str16(out, hello->role);
}

static void get_hello(struct klm_cur *cur, struct repl_hello *hello)
{
    klm_cur_u16(cur, &hello->version_min);
    klm_cur_u16(cur, &hello->version_max);
    get_text(cur, hello->id, REPL_ID_MAX);
    get_text(cur, hello->role, REPL_ROLE_MAX);
    if (hello->version_min == 0 || hello->version_min > hello->version_max || !hello->id[0]) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

static void put_sync(const struct repl_sync *sync, struct klm_buf *out)
{
    klm_buf_u8(out, sync->rewrite);
    klm_buf_u8(out, (uint8_t)sync->n);
    for (size_t i = 0; i < sync->n; i++) {
        klm_buf_u8(out, sync->part[i].part);
        klm_buf_lp32(out, sync->part[i].bytes);
    }
}

static void get_sync(struct klm_cur *cur, struct repl_sync *sync)
{
    uint8_t rewrite, n;

    klm_cur_u8(cur, &rewrite);
    klm_cur_u8(cur, &n);
    if (rewrite > 1 || n == 0 || n > REPL_PARTS_MAX) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    sync->rewrite = rewrite;
    for (sync->n = 0; sync->n < n; sync->n++) {
        klm_cur_u8(cur, &sync->part[sync->n].part);
        klm_cur_lp32(cur, REPL_BODY_MAX, &sync->part[sync->n].bytes);
    }
}

static void put_message_text(const struct repl_text *text, struct klm_buf *out)
{
    klm_buf_str16(out, text->id);
    klm_buf_str16(out, text->text);
}

static void get_message_text(struct klm_cur *cur, struct repl_text *text)
{
    get_text(cur, text->id, sizeof text->id - 1);
    get_text(cur, text->text, REPL_TEXT_MAX);
}

static void put_synced(const struct repl_synced *synced, struct klm_buf *out)
{
    klm_buf_u8(out, (uint8_t)synced->n);
    for (size_t i = 0; i < synced->n; i++) {
        klm_buf_u8(out, synced->part[i].part);
        klm_buf_u8(out, synced->part[i].outcome);
        put_message_text(&synced->part[i].text, out);
    }
}

static void get_synced(struct klm_cur *cur, struct repl_synced *synced)
{
    uint8_t n;

    klm_cur_u8(cur, &n);
    if (n > REPL_PARTS_MAX) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    for (synced->n = 0; synced->n < n; synced->n++) {
        klm_cur_u8(cur, &synced->part[synced->n].part);
        klm_cur_u8(cur, &synced->part[synced->n].outcome);
        get_message_text(cur, &synced->part[synced->n].text);
        if (synced->part[synced->n].outcome > REPL_UNTOUCHED) {
            klm_cur_fail(cur, KLM_E_INVALID);
        }
    }
}

static void put_drill(const struct repl_drill *drill, struct klm_buf *out)
{
    klm_buf_put(out, drill->nonce, sizeof drill->nonce);
    klm_buf_u8(out, (uint8_t)drill->n);
    for (size_t i = 0; i < drill->n; i++) {
        klm_buf_u8(out, drill->item[i].kind);
        klm_buf_str16(out, drill->item[i].name);
        klm_buf_put(out, drill->item[i].hash, sizeof drill->item[i].hash);
        klm_buf_lp16(out, drill->item[i].challenge);
    }
}

static void get_drill(struct klm_cur *cur, struct repl_drill *drill)
{
    uint8_t n;

    klm_cur_copy(cur, drill->nonce, sizeof drill->nonce);
    klm_cur_u8(cur, &n);
    if (n == 0 || n > REPL_CHALLENGES) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    for (drill->n = 0; drill->n < n; drill->n++) {
        struct repl_challenge *item = &drill->item[drill->n];

        klm_cur_u8(cur, &item->kind);
        get_text(cur, item->name, sizeof item->name - 1);
        klm_cur_copy(cur, item->hash, sizeof item->hash);
        klm_cur_lp16(cur, KR_WRAPPED_MAX, &item->challenge);
    }
}

static void put_proven(const struct repl_proven *proven, struct klm_buf *out)
{
    klm_buf_u8(out, (uint8_t)proven->n);
    for (size_t i = 0; i < proven->n; i++) {
        klm_buf_u8(out, proven->proof[i].outcome);
        klm_buf_put(out, proven->proof[i].proof, sizeof proven->proof[i].proof);
    }
}

static void get_proven(struct klm_cur *cur, struct repl_proven *proven)
{
    uint8_t n;

    klm_cur_u8(cur, &n);
    if (n > REPL_CHALLENGES) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    for (proven->n = 0; proven->n < n; proven->n++) {
        klm_cur_u8(cur, &proven->proof[proven->n].outcome);
        klm_cur_copy(cur, proven->proof[proven->n].proof, sizeof proven->proof[0].proof);
        if (proven->proof[proven->n].outcome > KM_UNKNOWN_KIND) {
            klm_cur_fail(cur, KLM_E_INVALID);
        }
    }
}

static void put_body(const struct repl_message *message, struct klm_buf *out)
{
    switch (message->type) {
    case REPL_HELLO:
    case REPL_WELCOME:
        put_hello(&message->u.hello, out);
        break;
    case REPL_SYNC:
        put_sync(&message->u.sync, out);
        break;
    case REPL_SYNCED:
        put_synced(&message->u.synced, out);
        break;
    case REPL_DRILL:
        put_drill(&message->u.drill, out);
        break;
    case REPL_PROVEN:
        put_proven(&message->u.proven, out);
        break;
    case REPL_REFUSED:
        put_message_text(&message->u.refused, out);
        break;
    case REPL_BYE:
        break;
    }
}

static void get_body(struct klm_cur *cur, struct repl_message *message)
{
    switch (message->type) {
    case REPL_HELLO:
    case REPL_WELCOME:
        get_hello(cur, &message->u.hello);
        break;
    case REPL_SYNC:
        get_sync(cur, &message->u.sync);
        break;
    case REPL_SYNCED:
        get_synced(cur, &message->u.synced);
        break;
    case REPL_DRILL:
        get_drill(cur, &message->u.drill);
        break;
    case REPL_PROVEN:
        get_proven(cur, &message->u.proven);
        break;
    case REPL_REFUSED:
        get_message_text(cur, &message->u.refused);
        break;
    case REPL_BYE:
        break;
    }
}

klm_rc repl_binding(struct ssl_st *ssl, uint8_t out[32])
{
    return klm_tls_exporter(ssl, REPL_DRILL_EXPORTER, (struct klm_slice){0}, out, 32);
}

/* ---- Frames: magic, version, type, length of the body, number */

klm_rc repl_encode(const struct repl_message *message, struct klm_buf *out)
{
    size_t start = out->n, body;

    klm_buf_put(out, magic, sizeof magic);
    klm_buf_u8(out, FRAME_VERSION);
    klm_buf_u8(out, (uint8_t)message->type);
    klm_buf_u32(out, 0);
    klm_buf_u32(out, message->id);
    put_body(message, out);
    body = out->n - start - REPL_HEADER;
    if (klm_buf_rc(out) == KLM_OK && body > shape_of(message->type)->max) {
        out->n = start;
        return KLM_E_LIMIT;
    }
    if (klm_buf_rc(out) != KLM_OK) {
        out->n = start;
        return klm_buf_rc(out);
    }
    klm_buf_set_u32(out, start + LENGTH_AT, (uint32_t)body);
    return klm_buf_rc(out);
}

/* The header alone decides what may come behind it. */
static klm_rc get_header(struct klm_cur *cur, struct repl_message *out, uint32_t *length)
{
    const struct shape *shape;
    uint8_t mark[2], version, type;

    klm_cur_copy(cur, mark, sizeof mark);
    klm_cur_u8(cur, &version);
    klm_cur_u8(cur, &type);
    klm_cur_u32(cur, length);
    klm_cur_u32(cur, &out->id);
    KLM_TRY(klm_cur_rc(cur));
    if (memcmp(mark, magic, sizeof magic) != 0) {
        return KLM_E_INVALID;
    }
    if (version != FRAME_VERSION) {
        return KLM_E_UNSUPPORTED;
    }
    shape = shape_of(type);
    if (!shape) {
        return KLM_E_INVALID;
    }
    out->type = shape->type;
    return *length > shape->max ? KLM_E_LIMIT : KLM_OK;
}

klm_rc repl_decode(struct klm_slice in, struct repl_message *out, size_t *used)
{
    struct repl_message message;
    struct klm_cur cur;
    uint32_t length = 0;

    if (in.n < REPL_HEADER) {
        return KLM_E_AGAIN;
    }
    memset(&message, 0, sizeof message);
    klm_cur_init(&cur, KLM_SLICE(in.p, REPL_HEADER));
    KLM_TRY(get_header(&cur, &message, &length));
    if (in.n - REPL_HEADER < length) {
        return KLM_E_AGAIN;
    }
    klm_cur_init(&cur, KLM_SLICE(in.p + REPL_HEADER, length));
    get_body(&cur, &message);
    klm_cur_end(&cur);
    KLM_TRY(klm_cur_rc(&cur));
    *out = message;
    *used = REPL_HEADER + (size_t)length;
    return KLM_OK;
}
