/* Tags and values as text, as XML and JSON share them (KMIP Additional Message Encodings 1.0, 3 and 4; KMIP Profiles 2.1, 5.4). */
#ifndef KMIP_CODEC_TEXT_H
#define KMIP_CODEC_TEXT_H

#include "kmip/codec/node.h"

/* How the names of a mask's bits are set apart. */
#define KMIP_XML_BITS ' '
#define KMIP_JSON_BITS '|'

/* Is it UTF-8 without NUL? What a Text String may hold. */
bool kmip_text_ok(struct klm_slice text);

/* A tag's name, or its number as "0x54A001". In the pool or static; NULL when the pool ran out. */
const char *kmip_tag_text(struct klm_pool *pool, uint32_t tag);
/* Back: a name, or 0x and the digits of a tag (kmip_tag_ok). KLM_E_INVALID. */
klm_rc kmip_tag_parse(const char *text, uint32_t *tag) KLM_MUST_USE;

/* The value of an item that is no Structure and no Text String: numbers in decimal, names of enumerations and masks where the registry has them and
 * "0x" otherwise, dates as 2011-10-18T19:35:08Z, bytes and Big Integers as hexadecimal digits. NULL when the pool ran out. parent: see
 * kmip_values_of. */
const char *kmip_value_text(struct klm_pool *pool, const struct kmip_node *node,
                            const struct kmip_node *parent, char bits);
/* Back, into an item whose tag and type are set; Text Strings too. Also takes what others write: numbers as 0x.., dates with an offset, masks with blanks or bars between names. KLM_E_INVALID: not of
 * the type, or an unknown name; KLM_E_NOMEM. */
klm_rc kmip_value_parse(struct klm_pool *pool, struct kmip_node *node,
                        const struct kmip_node *parent, const char *text) KLM_MUST_USE;
/* A number from digits, or from 0x and up to 16 digits, within the bounds of the item's type. KLM_E_INVALID. */
klm_rc kmip_number_parse(enum kmip_type type, const char *text, int64_t *out) KLM_MUST_USE;

#endif
