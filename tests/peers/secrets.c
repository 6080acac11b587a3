/* What a test of secrecy has to look for: the clear private key of a transfer file, and the data keys of EEDKs that it opens, as lines
 * "NAME hex". It has the master key, as nobody outside has. secrets MASTERKEY TRANSFERFILE [EEDK in hex ...] */
#include "base/file.h"
#include "base/secret.h"
#include "exchange/kx.h"
#include "keyring/internal.h"

#include <openssl/core_names.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char *what, klm_rc rc)
{
    fprintf(stderr, "secrets: %s: %s\n", what, klm_rc_text(rc));
    return EXIT_FAILURE;
}

static void print(const char *name, const uint8_t *p, size_t n)
{
    printf("%s ", name);
    for (size_t i = 0; i < n; i++) {
        printf("%02x", p[i]);
    }
    putchar('\n');
}

static klm_rc print_key(const char *name, const struct kr_key *key)
{
    struct kr_secret clear = {0};

    KLM_TRY(kr_key_clear(key, &clear));
    print(name, clear.p, clear.n);
    kr_secret_done(&clear);
    return KLM_OK;
}

/* The numbers alone, whatever they are wrapped in. */
static void print_numbers(struct kr_key *key)
{
    static const char *const names[] = {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
                                        OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_PRIV_KEY};

    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        uint8_t bytes[1024];
        BIGNUM *number = NULL;

        if (EVP_PKEY_get_bn_param(key->pkey, names[i], &number) == 1 &&
            BN_num_bytes(number) <= (int)sizeof bytes) {
            print("number", bytes, (size_t)BN_bn2bin(number, bytes));
        }
        BN_clear_free(number);
    }
}

static klm_rc print_data_key(struct kr_key *key, const char *hex)
{
    struct kr_label label = {.label = "", .key = key, .spec = kr_key_spec(key)};
    uint8_t bytes[KX_EEDK_MAX];
    struct kr_key *data = NULL;
    struct kx_eedk eedk;
    struct klm_buf context;
    size_t n;
    klm_rc rc;

    KLM_TRY(klm_unhex(hex, bytes, sizeof bytes, &n));
    KLM_TRY(kx_eedk_decode(KLM_SLICE(bytes, n), &eedk));
    klm_buf_init(&context, KX_EEDK_MAX);
    rc = kx_eedk_context(&eedk, &context);
    if (rc == KLM_OK) {
        rc = kr_unwrap(&label, klm_buf_as_slice(&context), eedk.wrapped, &data);
    }
    klm_buf_done(&context);
    KLM_TRY(rc);
    rc = print_key("datakey", data);
    kr_key_free(&data);
    return rc;
}

int main(int argc, char **argv)
{
    struct kr_master *master = NULL;
    struct kr_key *key = NULL;
    struct klm_pool *pool = NULL;
    struct klm_slice token;
    struct klm_buf file;
    const char *label;
    char vp[KR_VP_MAX];
    klm_rc rc = argc < 3 ? KLM_E_USAGE : klm_secret_init(1 << 20);

    if (rc != KLM_OK || klm_pool_new(0, &pool) != KLM_OK) {
        return failed("start", rc);
    }
    klm_buf_init(&file, 1 << 20);
    rc = kr_master_load(argv[1], NULL, &master);
    rc = rc == KLM_OK ? klm_file_read(argv[2], 1 << 20, &file, NULL) : rc;
    rc =
        rc == KLM_OK ? kr_xfer_decode(klm_buf_as_slice(&file), pool, &label, &token, vp, NULL) : rc;
    rc = rc == KLM_OK ? kr_token_open(master, label, token, &key) : rc;
    rc = rc == KLM_OK ? print_key("private", key) : rc;
    if (rc == KLM_OK) {
        print_numbers(key);
    }
    for (int i = 3; rc == KLM_OK && i < argc; i++) {
        rc = print_data_key(key, argv[i]);
    }
    kr_key_free(&key);
    kr_master_free(&master);
    klm_pool_free(&pool);
    klm_buf_done(&file);
    return rc == KLM_OK ? EXIT_SUCCESS : failed(argv[2], rc);
}
