/* Values to text and back. */
#include "kmip/codec/text.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "kmip/codec/date.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool kmip_text_ok(struct klm_slice text)
{
    if (klm_ascii_plain(text.p, text.n)) {
        return true;
    }
    for (size_t at = 0; at < text.n;) {
        size_t n = klm_utf8_char(text.p + at, text.n - at);

        if (n == 0 || text.p[at] == 0) {
            return false;
        }
        at += n;
    }
    return true;
}

const char *kmip_tag_text(struct klm_pool *pool, uint32_t tag)
{
    const struct kmip_tag_row *row = kmip_tag(tag);

    return row ? row->name : klm_pool_printf(pool, "0x%06" PRIX32, tag);
}

/* 0x and digits only, as far as n of them. */
static klm_rc hex_number(const char *text, size_t most, uint64_t *out)
{
    const char *digits = text + 2;
    size_t n;

    if (strncmp(text, "0x", 2) != 0) {
        return KLM_E_INVALID;
    }
    n = strlen(digits);
    if (n == 0 || n > most || strspn(digits, "0123456789abcdefABCDEF") != n) {
        return KLM_E_INVALID;
    }
    *out = strtoull(digits, NULL, 16);
    return KLM_OK;
}

klm_rc kmip_tag_parse(const char *text, uint32_t *tag)
{
    const struct kmip_tag_row *row = kmip_tag_find(text);
    uint64_t number;

    if (row) {
        *tag = row->code;
        return KLM_OK;
    }
    KLM_TRY(hex_number(text, 6, &number));
    if (!kmip_tag_ok((uint32_t)number)) {
        return KLM_E_INVALID;
    }
    *tag = (uint32_t)number;
    return KLM_OK;
}

/* Bounds of each type's numbers. */
static bool in_bounds(enum kmip_type type, int64_t n)
{
    switch ((int)type) {
    case KMIP_INTEGER:
        return n >= INT32_MIN && n <= INT32_MAX;
    case KMIP_ENUMERATION:
    case KMIP_INTERVAL:
        return n >= 0 && n <= UINT32_MAX;
    case KMIP_BOOLEAN:
        return n == 0 || n == 1;
    default:
        return true;
    }
}

/* 0xFFFFFFFF is -1 as an Integer, as the four bytes of TTLV are. */
static int64_t as_type(enum kmip_type type, uint64_t n)
{
    return type == KMIP_INTEGER && n <= UINT32_MAX ? (int32_t)(uint32_t)n : (int64_t)n;
}

klm_rc kmip_number_parse(enum kmip_type type, const char *text, int64_t *out)
{
    uint64_t bits;
    char *end;
    int64_t n;

    if (hex_number(text, 16, &bits) == KLM_OK) {
        n = as_type(type, bits);
    } else {
        if (strspn(text, "-0123456789") != strlen(text) || !*text) {
            return KLM_E_INVALID;
        }
        errno = 0;
        n = strtoll(text, &end, 10);
        if (errno || *end) {
            return KLM_E_INVALID;
        }
    }
    if (!in_bounds(type, n)) {
        return KLM_E_INVALID;
    }
    *out = n;
    return KLM_OK;
}

/* ---- Enumerations and masks */
static const char *enum_text(struct klm_pool *pool, enum kmip_enum set, uint32_t code)
{
    const char *name = set == KMIP_E_NONE ? NULL : kmip_value_name(set, code);

    return name ? name : klm_pool_printf(pool, "0x%08" PRIX32, code);
}

static const char *mask_text(struct klm_pool *pool, enum kmip_enum set, uint32_t mask, char bits)
{
    const char *out = "";

    for (uint32_t bit = 1; bit && out; bit <<= 1) {
        if (mask & bit) {
            const char *name = enum_text(pool, set, bit);

            out = !name ? NULL : *out ? klm_pool_printf(pool, "%s%c%s", out, bits, name) : name;
        }
    }
    return out && !*out ? "0" : out;
}

static klm_rc enum_parse(enum kmip_enum set, const char *text, int64_t *out)
{
    uint32_t code;

    if (set != KMIP_E_NONE && kmip_value_find(set, text, &code) == KLM_OK) {
        *out = code;
        return KLM_OK;
    }
    return kmip_number_parse(KMIP_ENUMERATION, text, out);
}

static klm_rc bit_parse(struct klm_pool *pool, enum kmip_enum set, const char *name, size_t n,
                        uint32_t *mask)
{
    const char *copy = klm_pool_strn(pool, name, n);
    int64_t bit;

    if (!copy) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(enum_parse(set, copy, &bit));
    *mask |= (uint32_t)bit;
    return KLM_OK;
}

/* XML writes blanks between names and JSON bars; no name has either, so both are read in both. */
static klm_rc mask_parse(struct klm_pool *pool, enum kmip_enum set, const char *text, int64_t *out)
{
    static const char apart[] = " |\t\r\n";
    uint32_t mask = 0;

    while (*text) {
        size_t n = strcspn(text, apart);

        if (n > 0) {
            KLM_TRY(bit_parse(pool, set, text, n, &mask));
        }
        text += n + (text[n] != '\0');
    }
    *out = (int32_t)mask;
    return KLM_OK;
}

/* ---- Bytes */
static const char *hex_text(struct klm_pool *pool, struct klm_slice bytes)
{
    char *out = klm_pool_alloc(pool, bytes.n * 2 + 1);

    if (out) {
        klm_hex(bytes.p, bytes.n, out);
    }
    return out;
}

static klm_rc hex_parse(struct klm_pool *pool, const char *text, struct klm_slice *out)
{
    size_t cap = strlen(text) / 2, n = 0;
    uint8_t *bytes = klm_pool_alloc(pool, cap + 1);

    if (!bytes) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(klm_unhex(text, bytes, cap, &n));
    *out = KLM_SLICE(bytes, n);
    return KLM_OK;
}

/* JSON writes 0x in front of a Big Integer, XML does not. TTLV wants a multiple of eight bytes, filled up with the sign. */
static klm_rc big_parse(struct klm_pool *pool, const char *text, struct klm_slice *out)
{
    struct klm_slice got;
    uint8_t *full;
    size_t fill;

    KLM_TRY(hex_parse(pool, strncmp(text, "0x", 2) == 0 ? text + 2 : text, &got));
    if (got.n == 0) {
        return KLM_E_INVALID;
    }
    fill = (8 - got.n % 8) % 8;
    full = klm_pool_alloc(pool, got.n + fill);
    if (!full) {
        return KLM_E_NOMEM;
    }
    memset(full, got.p[0] & 0x80 ? 0xFF : 0, fill);
    memcpy(full + fill, got.p, got.n);
    *out = KLM_SLICE(full, got.n + fill);
    return KLM_OK;
}

static klm_rc text_parse(struct klm_pool *pool, const char *text, struct klm_slice *out)
{
    if (!kmip_text_ok(klm_slice_str(text))) {
        return KLM_E_INVALID;
    }
    return klm_pool_slice(pool, klm_slice_str(text), out);
}

/* ---- Any value */
static const char *number_text(struct klm_pool *pool, int64_t number)
{
    return klm_pool_printf(pool, "%" PRId64, number);
}

const char *kmip_value_text(struct klm_pool *pool, const struct kmip_node *node,
                            const struct kmip_node *parent, char bits)
{
    enum kmip_enum set = kmip_values_of(node, parent);

    switch (node->type) {
    case KMIP_INTEGER:
        return kmip_is_mask(set) ? mask_text(pool, set, (uint32_t)node->number, bits)
                                 : number_text(pool, node->number);
    case KMIP_ENUMERATION:
        return enum_text(pool, set, (uint32_t)node->number);
    case KMIP_BOOLEAN:
        return node->number ? "true" : "false";
    case KMIP_DATE_TIME:
        return kmip_date_text(pool, node->number, false);
    case KMIP_DATE_TIME_EXTENDED:
        return kmip_date_text(pool, node->number, true);
    case KMIP_LONG_INTEGER:
    case KMIP_INTERVAL:
        return number_text(pool, node->number);
    case KMIP_BYTES:
    case KMIP_BIG_INTEGER:
        return hex_text(pool, node->bytes);
    case KMIP_ANY:
    case KMIP_STRUCTURE:
    case KMIP_TEXT:
        break; /* not asked for */
    }
    return NULL;
}

static klm_rc boolean_parse(const char *text, int64_t *out)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        *out = text[0] == 't';
        return KLM_OK;
    }
    return kmip_number_parse(KMIP_BOOLEAN, text, out);
}

static klm_rc date_parse(enum kmip_type type, const char *text, int64_t *out)
{
    bool extended = type == KMIP_DATE_TIME_EXTENDED;

    return strchr(text, 'T') ? kmip_date_parse(text, extended, out)
                             : kmip_number_parse(type, text, out);
}

klm_rc kmip_value_parse(struct klm_pool *pool, struct kmip_node *node,
                        const struct kmip_node *parent, const char *text)
{
    enum kmip_enum set = kmip_values_of(node, parent);

    switch (node->type) {
    case KMIP_INTEGER:
        return kmip_is_mask(set) && kmip_number_parse(KMIP_INTEGER, text, &node->number) != KLM_OK
                   ? mask_parse(pool, set, text, &node->number)
                   : kmip_number_parse(KMIP_INTEGER, text, &node->number);
    case KMIP_ENUMERATION:
        return enum_parse(set, text, &node->number);
    case KMIP_BOOLEAN:
        return boolean_parse(text, &node->number);
    case KMIP_DATE_TIME:
    case KMIP_DATE_TIME_EXTENDED:
        return date_parse(node->type, text, &node->number);
    case KMIP_LONG_INTEGER:
    case KMIP_INTERVAL:
        return kmip_number_parse(node->type, text, &node->number);
    case KMIP_BYTES:
        return hex_parse(pool, text, &node->bytes);
    case KMIP_BIG_INTEGER:
        return big_parse(pool, text, &node->bytes);
    case KMIP_TEXT:
        return text_parse(pool, text, &node->bytes);
    case KMIP_ANY:
    case KMIP_STRUCTURE:
        break; /* have no value */
    }
    return KLM_E_INVALID;
}
