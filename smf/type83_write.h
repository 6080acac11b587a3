/* Within smf: the records of one event while they are made. What stands in each of them is written once, at the start of the first;
 * when a relocate section does not fit any more, the next record begins with a copy of it. Numbers of records, hashes of the
 * records before and the chain come last, when the number of records is known. */
#ifndef SMF_TYPE83_WRITE_H
#define SMF_TYPE83_WRITE_H

#include "smf/type83_int.h"

struct smf_t83_writer {
    struct klm_buf *out;
    size_t max;       /* longest record */
    size_t first;     /* where the first record begins in out */
    size_t at;        /* where the current one begins */
    size_t each;      /* bytes that stand in each record */
    size_t part;      /* offset of the data of relocate PART, in each record */
    size_t previous;  /* of relocate PREVIOUS */
    unsigned each_n;  /* relocate sections that stand in each */
    unsigned n;       /* relocate sections of the current record */
    unsigned records; /* begun */
    klm_rc rc;        /* first failure that the buffer does not remember */
};

/* What the header and the security section of an event hold beside the origin. */
struct smf_t83_head {
    klm_time time;
    int utc_offset_min;
    uint32_t link;
    unsigned descriptor;
    uint8_t event_code, qualifier;
    const char *user; /* NULL or "": none */
};

/* Begin with the head; the relocate sections that follow stand in each record, until smf_t83_rest is called. */
klm_rc smf_t83_begin(struct smf_t83_writer *writer, const struct smf_t83_origin *origin,
                     const struct smf_t83_head *head, struct klm_buf *out) KLM_MUST_USE;
void smf_t83_rest(struct smf_t83_writer *writer);
/* A relocate section; failures are remembered. */
void smf_t83_put_text(struct smf_t83_writer *writer, unsigned number, const char *text, size_t n);
void smf_t83_put_bytes(struct smf_t83_writer *writer, unsigned number, const void *p, size_t n);
void smf_t83_put_number(struct smf_t83_writer *writer, unsigned number, uint64_t v);
/* The relocates that each record has for its place: PART and PREVIOUS. */
void smf_t83_put_place(struct smf_t83_writer *writer);
/* Finish all records and move the chain on over them. On failure the buffer is as it was at the beginning, and so is the chain. */
klm_rc smf_t83_end(struct smf_t83_writer *writer, struct smf_hash *hash,
                   struct smf_t83_chain *chain) KLM_MUST_USE;

#endif
