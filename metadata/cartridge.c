/* Keys of cartridges by their attributes (cartridge.def). */
#include "metadata/cartridge.h"

#include <string.h>

enum source { MD_ALTERNATIVE_NAME, MD_X_BARCODE };

static const struct name_space {
    const char *name;
    size_t digits;
} name_spaces[] = {
#define MD_NAMESPACE(name, digits) {name, digits},
#define MD_BARCODE(source, alone)
#define MD_BARCODE_FORM(least, most, media)
#include "metadata/cartridge.def"
#undef MD_NAMESPACE
#undef MD_BARCODE
};

static const struct barcode {
    enum source source;
    bool alone;
} barcodes[] = {
#define MD_NAMESPACE(name, digits)
#define MD_BARCODE(source, alone) {source, alone},
#include "metadata/cartridge.def"
#undef MD_BARCODE
#undef MD_BARCODE_FORM
};

static const struct form {
    size_t least, most, media;
} forms[] = {
#define MD_BARCODE(source, alone)
#define MD_BARCODE_FORM(least, most, media) {least, most, media},
#include "metadata/cartridge.def"
#undef MD_NAMESPACE
#undef MD_BARCODE
#undef MD_BARCODE_FORM
};

/* ---- The key identifier */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* VENDOR-NAME, NAME, and a number behind either, unless the name ends in one itself. */
static bool names(const struct name_space *row, struct klm_slice given)
{
    const size_t n = strlen(row->name);

    while (!is_digit((uint8_t)row->name[n - 1]) && given.n > n && is_digit(given.p[given.n - 1])) {
        given.n--;
    }
    return given.n >= n && memcmp(given.p + given.n - n, row->name, n) == 0 &&
           (given.n == n || (given.n > n + 1 && given.p[given.n - n - 1] == '-'));
}

static const struct name_space *name_space_of(struct klm_slice given)
{
    for (size_t i = 0; i < KLM_COUNT(name_spaces); i++) {
        if (names(&name_spaces[i], given)) {
            return &name_spaces[i];
        }
    }
    return NULL;
}

/* Whole bytes as hexadecimal digits; the profile has capital letters, and others do no harm. */
static bool is_identifier(const struct name_space *row, struct klm_slice data)
{
    for (size_t i = 0; i < data.n; i++) {
        if (!memchr("0123456789ABCDEFabcdef", data.p[i], 22)) {
            return false;
        }
    }
    return data.n > 0 && data.n % 2 == 0 && data.n <= row->digits;
}

/* The first of a library's namespaces among the instances; true: there is one. */
static bool find_identifier(const struct md_object *object, char out[MD_DKI_MAX + 1])
{
    const struct md_attr *attr =
        md_attr_find(&object->attrs, KMIP_TAG_ApplicationSpecificInformation);

    for (; attr; attr = md_attr_next(&object->attrs, attr)) {
        const struct kmip_node *space = kmip_child(attr->value, KMIP_TAG_ApplicationNamespace);
        const struct kmip_node *data = kmip_child(attr->value, KMIP_TAG_ApplicationData);
        const struct name_space *row = space ? name_space_of(space->bytes) : NULL;

        if (row && data && is_identifier(row, data->bytes)) {
            memcpy(out, data->bytes.p, data->bytes.n);
            out[data->bytes.n] = '\0';
        }
        if (row) {
            return true;
        }
    }
    return false;
}

/* ---- The barcode */

klm_rc md_barcode_volser(struct klm_slice barcode, char out[7])
{
    for (size_t i = 0; i < KLM_COUNT(forms); i++) {
        if (barcode.n >= forms[i].least && barcode.n <= forms[i].most) {
            const size_t n = barcode.n - forms[i].media;
            char text[9] = "", volser[7];

            memcpy(text, barcode.p, barcode.n);
            if (strlen(text) != barcode.n ||
                (forms[i].media && md_volser(text + n, volser, NULL) != KLM_OK)) {
                return KLM_E_INVALID;
            }
            text[n] = '\0';
            return md_volser(text, out, NULL);
        }
    }
    return KLM_E_INVALID;
}

static bool text_is(const struct kmip_node *item, const char *text)
{
    return item && item->type == KMIP_TEXT && klm_slice_equal(item->bytes, klm_slice_str(text));
}

/* The text of an instance when it is one of the source. */
static const struct kmip_node *text_of(enum source source, const struct kmip_node *value)
{
    const struct kmip_node *item;

    switch (source) {
    case MD_ALTERNATIVE_NAME:
        item = kmip_child(value, KMIP_TAG_AlternativeNameType);
        return item && item->number == KMIP_AlternativeNameType_UninterpretedTextString
                   ? kmip_child(value, KMIP_TAG_AlternativeNameValue)
                   : NULL;
    case MD_X_BARCODE:
        return text_is(kmip_child(value, KMIP_TAG_VendorIdentification), "x") &&
                       text_is(kmip_child(value, KMIP_TAG_AttributeName), "Barcode")
                   ? kmip_child(value, KMIP_TAG_AttributeValue)
                   : NULL;
    }
    return NULL;
}

static bool find_barcode(const struct md_object *object, enum source source, char out[7])
{
    const uint32_t tag =
        source == MD_ALTERNATIVE_NAME ? KMIP_TAG_AlternativeName : KMIP_TAG_Attribute;

    for (const struct md_attr *attr = md_attr_find(&object->attrs, tag); attr;
         attr = md_attr_next(&object->attrs, attr)) {
        const struct kmip_node *text = text_of(source, attr->value);

        if (text && text->type == KMIP_TEXT && md_barcode_volser(text->bytes, out) == KLM_OK) {
            return true;
        }
    }
    return false;
}

bool md_cartridge(const struct md_object *object, struct md_cartridge *out)
{
    bool found;

    *out = (struct md_cartridge){0};
    if (object->type != KMIP_ObjectType_SymmetricKey) {
        return false;
    }
    found = find_identifier(object, out->dki);
    for (size_t i = 0; i < KLM_COUNT(barcodes) && !out->volser[0]; i++) {
        if (found || barcodes[i].alone) {
            found = find_barcode(object, barcodes[i].source, out->volser) || found;
        }
    }
    return found;
}
