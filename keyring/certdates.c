/* From when to when a certificate that we make is valid. */
#include "keyring/internal.h"

#define SECOND ((klm_time)1000000)
#define YEAR (365 * 24 * 3600 * SECOND)
#define LONGEST (18263 * 24 * 3600 * SECOND)     /* 50 years with 13 leap days */
#define LATEST ((klm_time)253402300799 * SECOND) /* 9999-12-31 23:59:59 (RFC 5280, 4.1.2.5) */
#define EARLIEST ((klm_time)-631152000 * SECOND) /* 1950-01-01, where UTCTime begins */

static klm_rc within_issuer(struct kr_dates *dates, const X509 *issuer, struct klm_diag *diag)
{
    klm_time from, to;

    KLM_TRY(kr_x509_times(issuer, &from, &to));
    if (dates->not_before >= to) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_ISSUER_ENDED);
    }
    if (dates->not_after > to) {
        dates->not_after = to;
        (void)klm_fail(diag, KLM_OK, KLM_MSG_CERT_CAPPED); /* a warning with KLM_OK */
    }
    return KLM_OK;
}

klm_rc kr_dates_settle(struct kr_dates *dates, const X509 *issuer, struct klm_diag *diag)
{
    struct kr_dates d = *dates;

    d.not_before = d.not_before ? d.not_before : klm_clock();
    d.not_before -= d.not_before % SECOND;
    if (d.not_before < EARLIEST || d.not_before > LATEST || d.not_after > LATEST) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_CERT_DATES, "years run from 1950 to 9999");
    }
    d.not_after = d.not_after ? d.not_after : d.not_before + YEAR;
    d.not_after -= d.not_after % SECOND;
    if (d.not_after <= d.not_before) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_CERT_DATES, "it would end before it begins");
    }
    if (d.not_after - d.not_before > LONGEST) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_CERT_DATES,
                        "it may be valid for 50 years at most");
    }
    KLM_TRY(issuer ? within_issuer(&d, issuer, diag) : KLM_OK);
    *dates = d;
    return KLM_OK;
}
