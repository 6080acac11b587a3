/* Requests as iosdrive makes them, but by openssl's command line: drives, servers, broken ones. */
#ifndef TESTS_KEYRING_REQUEST_H
#define TESTS_KEYRING_REQUEST_H

#include "help.h"

#define DRIVE_EKU "extendedKeyUsage=clientAuth," KR_OID_DRIVE_ROLE "\n"
#define DRIVE_WWN(wwn) KR_OID_DRIVE_WWN "=ASN1:UTF8String:" wwn "\n"

/* A request for this subject ("serialNumber=...\nCN=...\n", one a line) with these extensions,
 * in PEM. */
static UNUSED struct klm_slice make_request(const char *subject, const char *exts)
{
    struct klm_buf buf;
    const char *cfg, *out = test_path("req.pem");

    klm_buf_init(&buf, 4096);
    klm_buf_printf(&buf,
                   "[req]\nprompt=no\ndistinguished_name=dn\nstring_mask=utf8only\n%s[dn]\n%s",
                   exts[0] ? "req_extensions=ext\n" : "", subject);
    if (exts[0]) {
        klm_buf_printf(&buf, "[ext]\n%s", exts);
    }
    REQUIRE_OK(klm_buf_rc(&buf));
    cfg = write_temp("req.cnf", klm_buf_as_slice(&buf));
    klm_buf_done(&buf);
    REQUIRE(OPENSSL("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", test_path("req.key"), "-config", cfg, "-out", out) != NULL);
    return load(out);
}

static UNUSED klm_rc sign_request(struct klm_slice request, enum kr_role role,
                                  const struct made *ca, struct klm_slice *der,
                                  struct klm_diag *diag)
{
    struct kr_gencert gencert = {
        .owner = "TAPEKMS", .label = "drive", .role = role, .request = request};
    struct kr_key *key = NULL;
    klm_rc rc = kr_gencert(&gencert, ca ? ca->der : KLM_SLICE(NULL, 0), ca ? ca->key : NULL,
                           test_pool(), diag, der, &key);

    CHECK(key == NULL);
    return rc;
}

#endif
