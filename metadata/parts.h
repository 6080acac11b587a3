/* What the files of this folder share. */
#ifndef METADATA_PARTS_H
#define METADATA_PARTS_H

#include "metadata/md.h"

/* Bytes of an event's number in a key, big-endian, so that keys are in its order. */
#define MD_NUMBER 8

/* The key of an event, in out; and back: KLM_E_SHORT or KLM_E_INVALID when it is none. */
struct klm_slice md_number_key(uint64_t number, uint8_t out[MD_NUMBER]);
klm_rc md_number_of(struct klm_slice key, uint64_t *out) KLM_MUST_USE;

/* Every field ends and is printable UTF-8 (so it can stand in XML), and there is a drive or a client. */
bool md_usage_ok(const struct md_usage *usage);

/* Up to which number events are indexed. */
klm_rc md_index_cursor(struct st_view *view, uint64_t *out) KLM_MUST_USE;
/* The record of an event, and back: KLM_E_CORRUPT. */
void md_usage_encode(const struct md_usage *usage, struct klm_buf *out);
klm_rc md_usage_decode(struct klm_slice record, uint64_t number, struct md_usage *out) KLM_MUST_USE;
/* Text that may stand in XML, in an element or between quotes. */
void md_xml_escape(struct klm_buf *out, const char *s);

/* Events from the newest down to but not including floor. */
klm_rc md_usage_back(struct st_view *view, uint64_t floor, md_usage_fn *fn, void *arg) KLM_MUST_USE;

#endif
