/* Records as fields: the header of any SMF record, the sections of ours. Nothing is believed before it was compared with the
 * record's end. */
#include "base/ebcdic.h"
#include "smf/type83_int.h"

#include <string.h>

#define HEADER_MIN (SMF83SID + SMF83SID_N)   /* header of a record without subtypes */
#define SECURITY_MIN (SMF83JBN + SMF83JBN_N) /* what is read of the security section */

static struct klm_slice field(const uint8_t *p, size_t n)
{
    return KLM_SLICE(p, n);
}
#define FIELD(section, name) field((section) + (name), name##_N)

klm_rc smf_record_head(struct klm_slice record, struct smf_t83_view *out)
{
    struct smf_t83_view view = {0};
    const uint8_t *p = record.p;

    if (record.n < HEADER_MIN || record.n > UINT16_MAX || SMF_GET(p, SMF83LEN) != record.n ||
        SMF_GET(p, SMF83SEG) != 0) {
        return KLM_E_CORRUPT;
    }
    view.length = (uint16_t)record.n;
    view.type = (uint8_t)SMF_GET(p, SMF83RTY);
    view.time = (uint32_t)SMF_GET(p, SMF83TME);
    if (!smf_packed_date((uint32_t)SMF_GET(p, SMF83DTE), &view.year, &view.day)) {
        view.year = view.day = 0;
    }
    view.system = FIELD(p, SMF83SID);
    if (SMF_GET(p, SMF83FLG) & SMF83FLG_SUBTYPES) {
        if (record.n < SMF83TYP + SMF83TYP_N) {
            return KLM_E_CORRUPT;
        }
        view.subsystem = FIELD(p, SMF83SSI);
        view.subtype = (uint16_t)SMF_GET(p, SMF83TYP);
    }
    *out = view;
    return KLM_OK;
}

/* A section by its triplet. */
static bool section(struct klm_slice record, uint64_t offset, uint64_t length,
                    struct klm_slice *out)
{
    if (offset < SMF83_HEADER || offset > record.n || length > record.n - offset) {
        return false;
    }
    *out = KLM_SLICE(record.p + offset, length);
    return true;
}

/* Exactly n relocate sections fill the bytes. */
static bool relocates_fit(struct klm_slice relocates, unsigned n)
{
    size_t at = 0;

    for (unsigned i = 0; i < n; i++) {
        size_t length;

        if (relocates.n - at < SMF83DA2) {
            return false;
        }
        length = (size_t)SMF_GET(relocates.p + at, SMF83DL2);
        if (length > relocates.n - at - SMF83DA2) {
            return false;
        }
        at += SMF83DA2 + length;
    }
    return at == relocates.n;
}

/* The three sections; the reason when they cannot be. */
static const char *sections(struct klm_slice record, struct smf_t83_view *view)
{
    const uint8_t *p = record.p;

    if (record.n < SMF83_HEADER) {
        return "the record is too short for its triplets";
    }
    if (SMF_GET(p, SMF83TRP) < SMF83_TRIPLETS) {
        return "there are too few triplets";
    }
    if (SMF_GET(p, SMF83NPD) != 1 ||
        !section(record, SMF_GET(p, SMF83OPD), SMF_GET(p, SMF83LPD), &view->product) ||
        view->product.n < SMF83_PRODUCT) {
        return "the product section is not in the record";
    }
    if (SMF_GET(p, SMF83ND1) != 1 ||
        !section(record, SMF_GET(p, SMF83OD1), SMF_GET(p, SMF83LD1), &view->security) ||
        view->security.n < SECURITY_MIN) {
        return "the security section is not in the record";
    }
    if (!section(record, SMF_GET(p, SMF83OD2), SMF_GET(p, SMF83LD2), &view->relocates)) {
        return "the relocate sections are not in the record";
    }
    view->relocates_n = (uint16_t)SMF_GET(p, SMF83ND2);
    if (!relocates_fit(view->relocates, view->relocates_n)) {
        return "a relocate section is not in the record";
    }
    return NULL;
}

static bool is_ours(const struct smf_t83_view *view)
{
    uint8_t name[SMF83PNM_N];

    klm_ebcdic_field(SMF83_NAME, name, sizeof name);
    return memcmp(view->product.p + SMF83PNM, name, sizeof name) == 0;
}

klm_rc smf_t83_parse(struct klm_slice record, struct smf_t83_view *out, const char **why)
{
    struct smf_t83_view view, head;

    if (smf_record_head(record, &head) != KLM_OK) {
        *why = "the header is not in the record";
        return KLM_E_CORRUPT;
    }
    view = head;
    if (view.type == SMF83_TYPE && view.subtype == SMF83_SUBTYPE) {
        const char *reason = sections(record, &view);

        if (reason) {
            *why = reason;
            return KLM_E_CORRUPT;
        }
        if (!is_ours(&view)) {
            view = head;
        } else if (view.relocates.p + view.relocates.n != record.p + record.n) {
            *why = "something follows the relocate sections";
            return KLM_E_CORRUPT;
        } else {
            view.ours = true;
            view.link = (uint32_t)SMF_GET(view.security.p, SMF83LNK);
            view.event_code = (uint8_t)SMF_GET(view.security.p, SMF83EVT);
            view.qualifier = (uint8_t)SMF_GET(view.security.p, SMF83EVQ);
            view.user = FIELD(view.security.p, SMF83USR);
            view.job = FIELD(view.security.p, SMF83JBN);
        }
    }
    *out = view;
    return KLM_OK;
}

klm_rc smf_t83_relocate(const struct smf_t83_view *view, size_t *at, unsigned *number,
                        struct klm_slice *data)
{
    const uint8_t *p;
    size_t left, n;

    if (*at >= view->relocates.n) {
        return KLM_E_NOTFOUND;
    }
    p = view->relocates.p + *at;
    left = view->relocates.n - *at;
    if (left < SMF83DA2 || (n = (size_t)SMF_GET(p, SMF83DL2)) > left - SMF83DA2) {
        return KLM_E_CORRUPT;
    }
    *number = (unsigned)SMF_GET(p, SMF83TP2);
    *data = KLM_SLICE(p + SMF83DA2, n);
    *at += SMF83DA2 + n;
    return KLM_OK;
}

static const struct smf_t83_row rows[] = {
#define SMF_T83_RELOCATE(number, name, form, field, times, what, source)                           \
    {number, #name, SMF_T83_##form, what, source},
#include "smf/records.def"
};

const struct smf_t83_row *smf_t83_row(unsigned number)
{
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        if (rows[i].number == number) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *smf_t83_event_name(unsigned code)
{
    switch (code) {
#define SMF_T83_EVENT(code, name, source)                                                          \
    case code:                                                                                     \
        return name;
#include "smf/records.def"
    default:
        return NULL;
    }
}

const char *smf_t83_qualifier_name(unsigned qualifier)
{
    switch (qualifier) {
#define SMF_T83_QUALIFIER(value, name, when, source)                                               \
    case value:                                                                                    \
        return name;
#include "smf/records.def"
    default:
        return NULL;
    }
}
