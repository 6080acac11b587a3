/* An event as bytes: version, kind, outcome, time, then the fields that are there, by rising number. A reader passes
 * over field numbers it does not know, so that fields can be added without a new version. */
#include "smf/event.h"

#include "base/utf8.h"

#include <string.h>

#define EVENT_VERSION 1
#define SMF_EVENT_HEADER 12 /* version, kind, outcome, reserved, time */

struct field {
    uint16_t number, max;
};

static const struct field fields[SMF_FIELDS] = {
#define SMF_FIELD(name, number, max, what) [name] = {number, max},
#include "smf/fields.def"
#undef SMF_FIELD
};

/* By number: the field, one higher; 0: of a later version. */
static const uint8_t field_by_number[] = {
#define SMF_FIELD(name, number, max, what) [number] = (name) + 1,
#include "smf/fields.def"
#undef SMF_FIELD
};

/* Number, length and text of each field at its longest. */
struct all_fields {
#define SMF_FIELD(name, number, max, what) uint8_t name##_bytes[4 + (max)];
#include "smf/fields.def"
#undef SMF_FIELD
};
_Static_assert(SMF_EVENT_HEADER + sizeof(struct all_fields) <= SMF_EVENT_MAX,
               "all fields at their longest fit one event");
#define FIELD_MOST 2048
#define SMF_FIELD(name, number, max, what)                                                         \
    _Static_assert((max) <= FIELD_MOST, "a field fits the scratch line");
#include "smf/fields.def"
#undef SMF_FIELD

/* Bytes of the UTF-8 character at p (RFC 3629, 4: no overlong forms, no surrogates, up to U+10FFFF), or 0 when there is
 * none or it is a control character (C0, DEL, C1), which has no place in a line of a log. */
static size_t character(const uint8_t *p, size_t left)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    uint32_t c;

    if (n == 0 || n > left) {
        return 0;
    }
    c = n == 1 ? p[0] : p[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3F);
    }
    if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        return 0;
    }
    return c < 0x20 || (c >= 0x7F && c < 0xA0) ? 0 : n;
}

static bool clean(struct klm_slice text)
{
    if (klm_ascii_plain(text.p, text.n)) {
        return true;
    }
    for (size_t i = 0, n; i < text.n; i += n) {
        n = klm_ascii_run(text.p + i, text.n - i, "");
        n = n ? n : character(text.p + i, text.n - i);
        if (n == 0) {
            return false;
        }
    }
    return true;
}

static void put_text(struct klm_buf *out, uint16_t number, struct klm_slice text)
{
    klm_buf_u32(out, (uint32_t)number << 16 | (uint32_t)text.n); /* two numbers of two bytes */
    klm_buf_slice(out, text);
}

/* Text that has to be cut, at max bytes between two characters, or is no clean text: such bytes become dots. */
static void put_cleaned(struct klm_buf *out, const struct field *field, const uint8_t *p,
                        size_t length)
{
    uint8_t line[FIELD_MOST];
    size_t used = klm_ascii_run(p, length, "");

    used = used < field->max ? used : field->max;
    memcpy(line, p, used);
    for (size_t i = used; i < length;) {
        size_t n = character(p + i, length - i), step = n ? n : 1;

        if (used + step > field->max) {
            break;
        }
        if (n) {
            memcpy(line + used, p + i, n);
        } else {
            line[used] = '.';
        }
        used += step;
        i += step;
    }
    put_text(out, field->number, KLM_SLICE(line, used));
}

static void put_field(struct klm_buf *out, const struct field *field, const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    const size_t length = strnlen(text, FIELD_MOST + 4);

    if (length <= field->max && klm_ascii_plain(p, length)) {
        put_text(out, field->number, KLM_SLICE(p, length));
    } else {
        put_cleaned(out, field, p, length);
    }
}

klm_rc smf_event_encode(const struct smf_event *event, struct klm_buf *out)
{
    size_t before = out->n;

    KLM_TRY(klm_buf_rc(out));
    if ((unsigned)event->kind >= SMF_KINDS || (unsigned)event->outcome > SMF_FAILURE ||
        event->time < 0) {
        return KLM_E_INVALID;
    }
    klm_buf_u8(out, EVENT_VERSION);
    klm_buf_u8(out, (uint8_t)event->kind);
    klm_buf_u8(out, (uint8_t)event->outcome);
    klm_buf_u8(out, 0);
    klm_buf_u64(out, (uint64_t)(event->time ? event->time : klm_clock()));
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        if (event->field[i] && event->field[i][0]) {
            put_field(out, &fields[i], event->field[i]);
        }
    }
    if (klm_buf_rc(out) != KLM_OK) {
        out->n = before;
    }
    return klm_buf_rc(out);
}

static klm_rc get_header(struct klm_cur *cur, struct smf_event *out)
{
    uint8_t version, kind, outcome, reserved;
    uint64_t time;

    klm_cur_u8(cur, &version);
    KLM_TRY(klm_cur_rc(cur));
    if (version != EVENT_VERSION) {
        return KLM_E_UNSUPPORTED;
    }
    klm_cur_u8(cur, &kind);
    klm_cur_u8(cur, &outcome);
    klm_cur_u8(cur, &reserved);
    klm_cur_u64(cur, &time);
    KLM_TRY(klm_cur_rc(cur));
    if (kind >= SMF_KINDS || outcome > SMF_FAILURE || reserved != 0 || time > INT64_MAX) {
        return KLM_E_INVALID;
    }
    *out = (struct smf_event){
        .kind = (enum smf_kind)kind, .outcome = (enum smf_outcome)outcome, .time = (klm_time)time};
    return KLM_OK;
}

/* Index of a field number, SMF_FIELDS when it is one of a later version. */
static size_t field_of(uint16_t number)
{
    size_t place = number < sizeof field_by_number ? field_by_number[number] : 0;

    return place ? place - 1 : SMF_FIELDS;
}

/* The next field; numbers rise, so that there is one way to write an event and no field stands twice. */
static klm_rc get_field(struct klm_cur *cur, uint16_t *number, struct klm_slice *text)
{
    uint16_t before = *number, n;

    klm_cur_u16(cur, number);
    klm_cur_u16(cur, &n);
    klm_cur_bytes(cur, n, text);
    KLM_TRY(klm_cur_rc(cur));
    return *number > before ? KLM_OK : KLM_E_INVALID;
}

static klm_rc check_field(size_t i, struct klm_slice text)
{
    if (i == SMF_FIELDS) {
        return KLM_OK;
    }
    if (text.n > fields[i].max) {
        return KLM_E_LIMIT;
    }
    return text.n && clean(text) ? KLM_OK : KLM_E_INVALID;
}

/* Walks an event; with texts (room for as many bytes as the event has), keeps its texts there: each has a NUL for the number and length
 * before it. */
static klm_rc walk(struct klm_slice in, char *texts, struct smf_event *event)
{
    struct klm_cur cur;
    uint16_t number = 0;
    struct klm_slice text;

    klm_cur_init(&cur, in);
    KLM_TRY(get_header(&cur, event));
    while (klm_cur_left(&cur)) {
        size_t i;

        KLM_TRY(get_field(&cur, &number, &text));
        i = field_of(number);
        KLM_TRY(check_field(i, text));
        if (texts && i < SMF_FIELDS) {
            memcpy(texts, text.p, text.n);
            texts[text.n] = '\0';
            event->field[i] = texts;
            texts += text.n + 1;
        }
    }
    return KLM_OK;
}

klm_rc smf_event_decode(struct klm_slice in, struct klm_pool *pool, struct smf_event *out)
{
    struct smf_event event;
    char *texts;

    if (in.n > SMF_EVENT_MAX) {
        return KLM_E_LIMIT;
    }
    texts = klm_pool_alloc(pool, in.n);
    if (!texts) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(walk(in, texts, &event));
    *out = event;
    return KLM_OK;
}

klm_rc smf_event_check(struct klm_slice in)
{
    struct smf_event event;

    return in.n > SMF_EVENT_MAX ? KLM_E_LIMIT : walk(in, NULL, &event);
}
