/* Encode and decode of helper messages, both against the tables. Layout (P11.md): version, direction, operation, outcome (one byte
 * each), id, return value (four bytes each), then for each field its number (1 byte), length (2 bytes) and bytes. */
#include "keyring/p11/msg.h"

static const struct {
    enum p11_op op;
    const char *text;
    unsigned must, may, answer;
} ops[] = {
#define P11_OP(name, number, text, must, may, answer) {name, text, must, may, answer},
#include "keyring/p11/ops.def"
#undef P11_OP
};

static const struct {
    uint16_t least, most;
} fields[P11_F_END] = {
#define P11_FIELD(name, number, least, most) [number] = {least, most},
#include "keyring/p11/fields.def"
#undef P11_FIELD
};

static const struct {
    enum p11_outcome outcome;
    klm_rc rc;
    const char *text;
} outcomes[] = {
#define P11_OUTCOME(name, number, rc, text) {name, rc, text},
#include "keyring/p11/outcomes.def"
#undef P11_OUTCOME
};

void p11_msg_set(struct p11_msg *msg, enum p11_field field, struct klm_slice bytes)
{
    msg->field[field] = bytes;
    msg->has |= 1u << field;
}

/* Does the message have the fields of its kind, and no others? */
static klm_rc check_fields(const struct p11_msg *msg)
{
    for (size_t i = 0; i < KLM_COUNT(ops); i++) {
        unsigned must = msg->answer ? ops[i].answer : ops[i].must;
        unsigned may = msg->answer ? 0 : ops[i].may;

        if (ops[i].op != msg->op) {
            continue;
        }
        if (msg->answer && msg->outcome != P11_OK) {
            must = 0; /* a failure carries nothing */
        }
        return (msg->has & must) == must && (msg->has & ~(must | may)) == 0 ? KLM_OK
                                                                            : KLM_E_INVALID;
    }
    return KLM_E_INVALID;
}

static klm_rc check_head(const struct p11_msg *msg)
{
    if (!msg->answer) {
        return msg->outcome == P11_OK && msg->rv == 0 ? KLM_OK : KLM_E_INVALID;
    }
    if (msg->outcome == P11_OK && msg->rv != 0) {
        return KLM_E_INVALID;
    }
    return (size_t)msg->outcome < KLM_COUNT(outcomes) ? KLM_OK : KLM_E_INVALID;
}

static bool fits(enum p11_field field, size_t n)
{
    return n >= fields[field].least && n <= fields[field].most;
}

klm_rc p11_msg_encode(const struct p11_msg *msg, struct klm_buf *out)
{
    KLM_TRY(check_head(msg));
    KLM_TRY(check_fields(msg));
    klm_buf_u8(out, P11_MSG_VERSION);
    klm_buf_u8(out, msg->answer);
    klm_buf_u8(out, (uint8_t)msg->op);
    klm_buf_u8(out, (uint8_t)msg->outcome);
    klm_buf_u32(out, msg->id);
    klm_buf_u32(out, msg->rv);
    for (unsigned i = 1; i < P11_F_END; i++) {
        if (!(msg->has & 1u << i)) {
            continue;
        }
        if (!fits((enum p11_field)i, msg->field[i].n)) {
            return KLM_E_LIMIT;
        }
        klm_buf_u8(out, (uint8_t)i);
        klm_buf_lp16(out, msg->field[i]);
    }
    return klm_buf_rc(out);
}

/* One field; its number must be higher than the one before. */
static void take_field(struct klm_cur *cur, unsigned *last, struct p11_msg *msg)
{
    struct klm_slice bytes;
    uint8_t number;

    klm_cur_u8(cur, &number);
    if (number <= *last || number >= P11_F_END) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    klm_cur_lp16(cur, fields[number].most, &bytes);
    if (bytes.n < fields[number].least) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    *last = number;
    p11_msg_set(msg, (enum p11_field)number, bytes);
}

klm_rc p11_msg_decode(struct klm_slice in, struct p11_msg *out)
{
    struct p11_msg msg = {0};
    uint8_t version, answer, op, outcome;
    unsigned last = 0;
    struct klm_cur cur;

    klm_cur_init(&cur, in);
    klm_cur_u8(&cur, &version);
    klm_cur_u8(&cur, &answer);
    klm_cur_u8(&cur, &op);
    klm_cur_u8(&cur, &outcome);
    klm_cur_u32(&cur, &msg.id);
    klm_cur_u32(&cur, &msg.rv);
    while (klm_cur_rc(&cur) == KLM_OK && klm_cur_left(&cur) > 0) {
        take_field(&cur, &last, &msg);
    }
    if (klm_cur_rc(&cur) != KLM_OK || in.n > P11_MSG_MAX || version != P11_MSG_VERSION ||
        answer > 1) {
        return KLM_E_INVALID;
    }
    msg.answer = answer;
    msg.op = (enum p11_op)op;
    msg.outcome = (enum p11_outcome)outcome;
    KLM_TRY(check_head(&msg));
    KLM_TRY(check_fields(&msg));
    *out = msg;
    return KLM_OK;
}

const char *p11_op_text(enum p11_op op)
{
    for (size_t i = 0; i < KLM_COUNT(ops); i++) {
        if (ops[i].op == op) {
            return ops[i].text;
        }
    }
    return "request";
}

const char *p11_outcome_text(enum p11_outcome outcome)
{
    return (size_t)outcome < KLM_COUNT(outcomes) ? outcomes[outcome].text : "unknown outcome";
}

klm_rc p11_outcome_rc(enum p11_outcome outcome)
{
    return (size_t)outcome < KLM_COUNT(outcomes) ? outcomes[outcome].rc : KLM_E_INTERNAL;
}

void p11_kind_put(uint8_t type, uint16_t bits, uint8_t out[P11_KIND_BYTES])
{
    out[0] = type;
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
}

klm_rc p11_kind_get(struct klm_slice kind, uint8_t *type, uint16_t *bits)
{
    struct klm_cur cur;
    uint8_t got;
    uint16_t n;

    klm_cur_init(&cur, kind);
    klm_cur_u8(&cur, &got);
    klm_cur_u16(&cur, &n);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || (got != P11_KIND_RSA && got != P11_KIND_EC)) {
        return KLM_E_INVALID;
    }
    *type = got;
    *bits = n;
    return KLM_OK;
}
