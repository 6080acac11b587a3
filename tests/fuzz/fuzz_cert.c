/* Certificates and requests from outside: all that reads them, over any bytes. What is taken in
 * must come out of PEM the same. */
#include "keyring/kr.h"
#include "keyring/material.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An authority of its own for signing requests, made once. */
static struct kr_key *authority(struct klm_slice *der)
{
    static struct kr_key *key;
    static struct klm_slice made;
    static struct klm_pool *pool;

    if (!key) {
        struct kr_gencert spec = {.subject = "CN=fuzz", .spec = {KR_EC, 256}, .role = KR_ROLE_CA};

        if (klm_pool_new(0, &pool) != KLM_OK ||
            kr_gencert(&spec, KLM_SLICE(NULL, 0), NULL, pool, NULL, &made, &key) != KLM_OK) {
            abort();
        }
    }
    *der = made;
    return key;
}

/* Whatever attributes it has, the serial number is an INTEGER that holds its content. */
static void check_facts(struct klm_slice der, struct klm_pool *pool)
{
    struct kr_cert_facts facts;

    if (kr_cert_facts(der, pool, &facts) != KLM_OK) {
        return; /* dates that are none */
    }
    if (facts.serial.n == 0 || facts.serial_der.p[0] != 0x02 ||
        facts.serial.p + facts.serial.n != facts.serial_der.p + facts.serial_der.n ||
        !facts.subject.dn || !facts.issuer.dn || facts.subject.der.n < 2) {
        abort();
    }
}

static void check_cert(struct klm_slice der, struct klm_pool *pool)
{
    struct kr_cert_info info;
    struct klm_slice again;
    struct klm_buf pem;
    char serial[13] = "", wwn[17] = "";

    (void)!kr_cert_info(der, pool, &info); /* dates may be nonsense: an outcome, not a crash */
    check_facts(der, pool);
    if (kr_cert_drive(der, serial, wwn) == KLM_OK && (strlen(serial) != 12 || strlen(wwn) % 16)) {
        abort();
    }
    (void)!kr_cert_verify(der, KLM_SLICE("data", 4), der);
    klm_buf_init(&pem, 1 << 20);
    if (kr_cert_pem(der, &pem) != KLM_OK) {
        abort();
    }
    if (pem.n <= 65536 && (kr_cert_parse(klm_buf_as_slice(&pem), pool, &again, NULL) != KLM_OK ||
                           !klm_slice_equal(der, again))) {
        abort();
    }
    klm_buf_done(&pem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_pool *pool = NULL;
    struct klm_slice der, ca;
    struct kr_key *ca_key = authority(&ca), *none = NULL;
    struct kr_gencert sign = {.role = KR_ROLE_LABEL, .request = KLM_SLICE(data, size)};
    struct klm_diag diag;

    if (klm_pool_new(0, &pool) != KLM_OK) {
        return 0;
    }
    if (kr_cert_parse(KLM_SLICE(data, size), pool, &der, &diag) == KLM_OK) {
        check_cert(der, pool);
    }
    if (size && kr_gencert(&sign, ca, ca_key, pool, &diag, &der, &none) == KLM_OK) {
        check_cert(der, pool);
    }
    klm_pool_free(&pool);
    return 0;
}
