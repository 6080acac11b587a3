/* Packages of certificates from outside: PKCS #7 and #12, DER and PEM, over any bytes, with the password that the corpus has. What is taken has a first
 * certificate; a key that comes with it is its own; and the certificates are the same again out of a PKCS #7 of ours. */
#include "keyring/kr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_again(const struct kr_package *package, struct klm_pool *pool)
{
    struct kr_package again = {0};
    struct klm_slice der;

    check(kr_package_write(package, KR_PKCS7DER, "", NULL, pool, NULL, &der) == KLM_OK);
    if (der.n > 65536 || kr_package_read(der, NULL, pool, NULL, &again) != KLM_OK) {
        return; /* certificates that sign each other in a circle have no first one */
    }
    check(again.n == package->n && again.key == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_pool *pool = NULL;
    struct kr_package package = {0};
    struct klm_diag diag = {0};

    if (klm_pool_new(0, &pool) != KLM_OK) {
        return 0;
    }
    if (kr_package_read(KLM_SLICE(data, size), "x", pool, &diag, &package) == KLM_OK) {
        check(package.n >= 1 && package.n <= KR_PACKAGE_MAX);
        check(!package.key || kr_cert_fits(package.cert[0], package.key) == KLM_OK);
        check_again(&package, pool);
    } else {
        check(package.n == 0 && !package.key);
    }
    kr_key_free(&package.key);
    klm_pool_free(&pool);
    return 0;
}
