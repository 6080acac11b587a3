/* Records of an event, byte by byte. */
#include "smf/type83_write.h"

#include "base/ebcdic.h"

#include <pthread.h>
#include <string.h>

#define RECORD_LIMIT 65535 /* what an RDW can say */
#define TEXT(section, name, s) klm_ebcdic_field((s), (section) + (name), name##_N)

/* What is the same in the sections of all records, made once. */
static uint8_t common[SMF83_SECTIONS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_common_security(uint8_t *p)
{
    TEXT(p, SMF83GRP, "");
    TEXT(p, SMF83TRM, "");
    SMF_SET(p, SMF83RSD, 0xF);
    TEXT(p, SMF83UID, "");
    SMF_SET(p, SMF83VER, SMF83_VERSION);
    TEXT(p, SMF83VRM, "");
    TEXT(p, SMF83SEC, "");
    TEXT(p, SMF83US2, "");
    TEXT(p, SMF83GR2, "");
}

static void make_common(void)
{
    uint8_t *p = common, *product = common + SMF83_HEADER;

    SMF_SET(p, SMF83RTY, SMF83_TYPE);
    SMF_SET(p, SMF83TYP, SMF83_SUBTYPE);
    SMF_SET(p, SMF83TRP, SMF83_TRIPLETS);
    SMF_SET(p, SMF83OPD, SMF83_HEADER);
    SMF_SET(p, SMF83LPD, SMF83_PRODUCT);
    SMF_SET(p, SMF83NPD, 1);
    SMF_SET(p, SMF83OD1, SMF83_HEADER + SMF83_PRODUCT);
    SMF_SET(p, SMF83LD1, SMF83_SECURITY);
    SMF_SET(p, SMF83ND1, 1);
    SMF_SET(p, SMF83OD2, SMF83_SECTIONS);
    TEXT(product, SMF83RVN, SMF83_LEVEL);
    TEXT(product, SMF83PNM, SMF83_NAME);
    make_common_security(product + SMF83_PRODUCT);
}

static void make_header(uint8_t *p, const struct smf_t83_origin *origin,
                        const struct smf_t83_head *head)
{
    struct smf_local local = smf_local_of(head->time, head->utc_offset_min);
    bool subsystem = origin->subsystem && origin->subsystem[0];

    SMF_SET(p, SMF83FLG,
            SMF83FLG_SYSTEM | SMF83FLG_SUBTYPES | (subsystem ? SMF83FLG_SUBSYSTEM : 0));
    SMF_SET(p, SMF83TME, local.hundredths);
    SMF_SET(p, SMF83DTE, local.packed);
    TEXT(p, SMF83SID, origin->system);
    TEXT(p, SMF83SSI, origin->subsystem);
}

/* RACF folds user IDs to capital letters. */
static void make_user(uint8_t *p, const char *user)
{
    char capital[SMF83USR_N * 2 +
                 1]; /* eight characters that the page has are sixteen bytes at most */
    size_t n = 0;

    for (; n < sizeof capital - 1 && user[n]; n++) {
        capital[n] = (char)(user[n] >= 'a' && user[n] <= 'z' ? user[n] - 'a' + 'A' : user[n]);
    }
    capital[n] = '\0';
    TEXT(p, SMF83USR, capital);
}

static void make_security(uint8_t *p, const struct smf_t83_origin *origin,
                          const struct smf_t83_head *head)
{
    bool user = head->user && head->user[0];

    SMF_SET(p, SMF83LNK, head->link);
    SMF_SET(p, SMF83DES, head->descriptor | (user ? 0u : (unsigned)SMF83DES_UNDEFINED));
    SMF_SET(p, SMF83EVT, head->event_code);
    SMF_SET(p, SMF83EVQ, head->qualifier);
    if (user) {
        make_user(p, head->user);
    } else {
        TEXT(p, SMF83USR, origin->job);
    }
    TEXT(p, SMF83JBN, origin->job);
}

klm_rc smf_t83_begin(struct smf_t83_writer *writer, const struct smf_t83_origin *origin,
                     const struct smf_t83_head *head, struct klm_buf *out)
{
    size_t max = origin->max ? origin->max : SMF_T83_MAX, first = out->n;
    uint8_t *sections;

    KLM_TRY(klm_buf_rc(out));
    if (max > RECORD_LIMIT) {
        return KLM_E_INVALID;
    }
    (void)pthread_once(&once, make_common); /* cannot fail with a valid control */
    klm_buf_put(out, common, sizeof common);
    KLM_TRY(klm_buf_rc(out));
    sections = out->p + first;
    make_header(sections, origin, head);
    make_security(sections + SMF83_HEADER + SMF83_PRODUCT, origin, head);
    *writer =
        (struct smf_t83_writer){.out = out, .max = max, .first = first, .at = first, .records = 1};
    return KLM_OK;
}

/* Length and count of the current record, which ends at `end` of the buffer. */
static void close_record(struct smf_t83_writer *writer, size_t end)
{
    uint8_t *record = writer->out->p + writer->at;
    size_t length = end - writer->at;

    SMF_SET(record, SMF83LEN, length);
    SMF_SET(record, SMF83LD2, length - SMF83_SECTIONS);
    SMF_SET(record, SMF83ND2, writer->n);
}

void smf_t83_rest(struct smf_t83_writer *writer)
{
    writer->each = writer->out->n - writer->first;
    writer->each_n = writer->n;
}

/* The last relocate section, which begins at `from`, becomes the first of a new record. */
static void new_record(struct smf_t83_writer *writer, size_t from)
{
    struct klm_buf *out = writer->out;
    size_t n = out->n - from;

    if (!klm_buf_room(out, writer->each)) {
        return;
    }
    close_record(writer, from);
    memmove(out->p + from + writer->each, out->p + from, n);
    memcpy(out->p + from, out->p + writer->first, writer->each);
    out->n += writer->each;
    writer->at = from;
    writer->n = writer->each_n;
    writer->records++;
}

/* The relocate section that begins at `from` is written: its length, and room for it. */
static void finish_relocate(struct smf_t83_writer *writer, size_t from)
{
    struct klm_buf *out = writer->out;
    size_t n = out->n - from - SMF83DA2;

    if (klm_buf_rc(out) != KLM_OK || writer->rc != KLM_OK) {
        return;
    }
    if (n > UINT16_MAX) {
        writer->rc = KLM_E_LIMIT;
        return;
    }
    SMF_SET(out->p + from, SMF83DL2, n);
    if (out->n - writer->at > writer->max && writer->each && writer->n > writer->each_n) {
        new_record(writer, from);
    }
    writer->n++;
    if (out->n - writer->at > writer->max) {
        writer->rc = KLM_E_LIMIT;
    }
}

static size_t begin_relocate(struct smf_t83_writer *writer, unsigned number)
{
    size_t from = writer->out->n;
    uint8_t *head = klm_buf_room(writer->out, SMF83DA2);

    if (head) {
        SMF_SET(head, SMF83TP2, number);
        writer->out->n += SMF83DA2;
    }
    return from;
}

void smf_t83_put_text(struct smf_t83_writer *writer, unsigned number, const char *text, size_t n)
{
    size_t from = begin_relocate(writer, number);

    smf_ebcdic_put_at(writer->out, text, n, writer->n);
    finish_relocate(writer, from);
}

void smf_t83_put_bytes(struct smf_t83_writer *writer, unsigned number, const void *p, size_t n)
{
    size_t from = begin_relocate(writer, number);

    klm_buf_put(writer->out, p, n);
    finish_relocate(writer, from);
}

void smf_t83_put_number(struct smf_t83_writer *writer, unsigned number, uint64_t v)
{
    uint8_t bytes[8];

    smf_put_number(bytes, sizeof bytes, v);
    smf_t83_put_bytes(writer, number, bytes, sizeof bytes);
}

void smf_t83_put_place(struct smf_t83_writer *writer)
{
    static const uint8_t zeros[SMF_HASH_SIZE];

    writer->part = writer->out->n - writer->at + SMF83DA2;
    smf_t83_put_bytes(writer, SMF_R_PART, zeros, 4);
    writer->previous = writer->out->n - writer->at + SMF83DA2;
    smf_t83_put_bytes(writer, SMF_R_PREVIOUS, zeros, SMF_HASH_SIZE);
}

/* Places and hashes, record by record: each hash is in the record behind. */
static klm_rc chain_records(const struct smf_t83_writer *writer, struct smf_hash *hash,
                            uint8_t value[SMF_HASH_SIZE])
{
    uint8_t *p = writer->out->p + writer->first;

    for (unsigned i = 1; i <= writer->records; i++) {
        size_t n = (size_t)SMF_GET(p, SMF83LEN);

        smf_put_number(p + writer->part, 2, i);
        smf_put_number(p + writer->part + 2, 2, writer->records);
        memcpy(p + writer->previous, value, SMF_HASH_SIZE);
        KLM_TRY(
            smf_hash_two(hash, KLM_SLICE(p + SMF83FLG, n - SMF83FLG), KLM_SLICE(NULL, 0), value));
        p += n;
    }
    return KLM_OK;
}

klm_rc smf_t83_end(struct smf_t83_writer *writer, struct smf_hash *hash,
                   struct smf_t83_chain *chain)
{
    uint8_t value[SMF_HASH_SIZE];
    klm_rc rc = klm_buf_rc(writer->out) != KLM_OK ? klm_buf_rc(writer->out) : writer->rc;

    if (rc == KLM_OK) {
        memcpy(value, chain->value, sizeof value);
        close_record(writer, writer->out->n);
        rc = chain_records(writer, hash, value);
    }
    if (rc != KLM_OK) {
        writer->out->n = writer->first;
        return rc;
    }
    memcpy(chain->value, value, sizeof value);
    chain->records += writer->records;
    return KLM_OK;
}
