/* OpenSSL contexts that are dear to make, kept per thread: up to sixteen for keys in use (the
 * least recently used gives way), key generators, decoders, the cipher of the key wrap, and a
 * piece of secret scratch memory. An entry holds its own reference to the key, so a ring may be
 * freed while a thread still remembers it, and an address is never taken for another key. */
#include "keyring/internal.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 16

struct entry {
    EVP_PKEY *pkey; /* the same one that ctx holds a reference to */
    EVP_PKEY_CTX *ctx;
    enum kr_op op;
    uint64_t used; /* turn of the last use */
    uint8_t context[KR_CONTEXT_MAX];
    size_t context_n; /* SIZE_MAX: none set yet */
};

struct kr_thread {
    struct entry entries[ENTRIES];
    uint64_t turn;
    EVP_PKEY_CTX *keygen[2];      /* P-256, P-384 */
    OSSL_DECODER_CTX *decoder[2]; /* RSA, EC */
    EVP_PKEY *decoded;            /* where the decoders put what they made */
    EVP_CIPHER_CTX *cipher;
    uint8_t *scratch;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t slot;
static bool slot_made;
static EVP_CIPHER *key_wrap; /* fetched once for the process, never changed after */
static _Thread_local struct kr_thread *mine;

static void thread_free(void *arg)
{
    struct kr_thread *thread = arg;

    for (size_t i = 0; i < ENTRIES; i++) {
        EVP_PKEY_CTX_free(thread->entries[i].ctx);
    }
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY_CTX_free(thread->keygen[i]);
        OSSL_DECODER_CTX_free(thread->decoder[i]);
    }
    EVP_CIPHER_CTX_free(thread->cipher);
    klm_secret_free(thread->scratch, KR_SCRATCH);
    free(thread);
    mine = NULL;
}

static void make_slot(void)
{
    key_wrap = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL);
    slot_made = key_wrap && pthread_key_create(&slot, thread_free) == 0;
}

static klm_rc thread_new(struct kr_thread **out)
{
    struct kr_thread *thread = calloc(1, sizeof *thread);

    if (!thread) {
        return KLM_E_NOMEM;
    }
    thread->scratch = klm_secret_alloc(KR_SCRATCH);
    thread->cipher = EVP_CIPHER_CTX_new();
    if (!thread->scratch || !thread->cipher || pthread_setspecific(slot, thread) != 0) {
        thread_free(thread);
        return KLM_E_NOMEM;
    }
    *out = thread;
    return KLM_OK;
}

klm_rc kr_thread_get(struct kr_thread **out)
{
    if (!mine) {
        struct kr_thread *thread = NULL;

        (void)pthread_once(&once, make_slot); /* cannot fail with a good control */
        if (!slot_made) {
            return KLM_E_CRYPTO;
        }
        KLM_TRY(thread_new(&thread));
        mine = thread;
    }
    *out = mine;
    return KLM_OK;
}

void kr_thread_forget(void)
{
    struct kr_thread *thread = mine;

    if (thread) {
        (void)pthread_setspecific(slot, NULL); /* clearing needs no memory */
        thread_free(thread);
    }
}

void kr_thread_drop(struct kr_thread *thread, const EVP_PKEY *pkey)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        if (thread->entries[i].pkey == pkey) {
            EVP_PKEY_CTX_free(thread->entries[i].ctx);
            thread->entries[i] = (struct entry){.pkey = NULL};
        }
    }
}

uint8_t *kr_thread_scratch(struct kr_thread *thread)
{
    return thread->scratch;
}

EVP_CIPHER_CTX *kr_thread_cipher(struct kr_thread *thread)
{
    return thread->cipher;
}

/* RSA-OAEP with SHA-256 for both digests; or plain ECDH. */
static int ctx_setup(EVP_PKEY_CTX *ctx, enum kr_op op)
{
    switch (op) {
    case KR_OP_ENCRYPT:
        if (EVP_PKEY_encrypt_init(ctx) != 1) {
            return 0;
        }
        break;
    case KR_OP_DECRYPT:
        if (EVP_PKEY_decrypt_init(ctx) != 1) {
            return 0;
        }
        break;
    case KR_OP_DERIVE:
        return EVP_PKEY_derive_init(ctx);
    }
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

static struct entry *find(struct kr_thread *thread, const EVP_PKEY *pkey, enum kr_op op)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        if (thread->entries[i].pkey == pkey && thread->entries[i].op == op) {
            return &thread->entries[i];
        }
    }
    return NULL;
}

static struct entry *oldest(struct kr_thread *thread)
{
    struct entry *entry = &thread->entries[0];

    for (size_t i = 1; i < ENTRIES; i++) {
        if (thread->entries[i].used < entry->used) {
            entry = &thread->entries[i];
        }
    }
    return entry;
}

static klm_rc replace(struct entry *entry, EVP_PKEY *pkey, enum kr_op op)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);

    if (!ctx || ctx_setup(ctx, op) != 1) {
        EVP_PKEY_CTX_free(ctx);
        return kr_quiet(KLM_E_CRYPTO);
    }
    EVP_PKEY_CTX_free(entry->ctx);
    *entry = (struct entry){.pkey = pkey, .ctx = ctx, .op = op, .context_n = SIZE_MAX};
    return KLM_OK;
}

/* RFC 8017, 7.1: the label L of OAEP is our context. */
static klm_rc set_label(struct entry *entry, struct klm_slice context)
{
    OSSL_PARAM param[2];

    if (entry->op == KR_OP_DERIVE ||
        klm_slice_equal(KLM_SLICE(entry->context, entry->context_n), context)) {
        return KLM_OK;
    }
    if (context.n) {
        memcpy(entry->context, context.p, context.n);
    }
    entry->context_n = SIZE_MAX;
    param[0] = OSSL_PARAM_construct_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, entry->context,
                                                 context.n);
    param[1] = OSSL_PARAM_construct_end();
    if (EVP_PKEY_CTX_set_params(entry->ctx, param) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    entry->context_n = context.n;
    return KLM_OK;
}

klm_rc kr_thread_ctx(struct kr_thread *thread, EVP_PKEY *pkey, enum kr_op op,
                     struct klm_slice context, EVP_PKEY_CTX **out)
{
    struct entry *entry = find(thread, pkey, op);

    if (context.n > KR_CONTEXT_MAX) {
        return KLM_E_LIMIT;
    }
    if (!entry) {
        entry = oldest(thread);
        KLM_TRY(replace(entry, pkey, op));
    }
    entry->used = ++thread->turn;
    KLM_TRY(set_label(entry, context));
    *out = entry->ctx;
    return KLM_OK;
}

klm_rc kr_thread_keygen(struct kr_thread *thread, unsigned bits, EVP_PKEY_CTX **out)
{
    EVP_PKEY_CTX **kept = &thread->keygen[bits == 384];

    if (!*kept) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

        if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 ||
            EVP_PKEY_CTX_set_group_name(ctx, bits == 384 ? "P-384" : "P-256") != 1) {
            EVP_PKEY_CTX_free(ctx);
            return kr_quiet(KLM_E_CRYPTO);
        }
        *kept = ctx;
    }
    *out = *kept;
    return KLM_OK;
}

/* Making a decoder costs fifteen times a decoding. OpenSSL's decoder for exactly this form puts
 * the private numbers on its secure heap. */
static klm_rc decoder(struct kr_thread *thread, bool ec, OSSL_DECODER_CTX **out)
{
    OSSL_DECODER_CTX **kept = &thread->decoder[ec];

    if (!*kept) {
        *kept = OSSL_DECODER_CTX_new_for_pkey(&thread->decoded, "DER", "type-specific",
                                              ec ? "EC" : "RSA", EVP_PKEY_KEYPAIR, NULL, NULL);
    }
    if (!*kept) {
        return kr_quiet(KLM_E_NOMEM);
    }
    *out = *kept;
    return KLM_OK;
}

klm_rc kr_thread_decode(struct kr_thread *thread, enum kr_type type, struct klm_slice clear,
                        EVP_PKEY **out)
{
    OSSL_DECODER_CTX *ctx;
    const unsigned char *p = clear.p;
    size_t left = clear.n;
    KLM_AUTO(kr_done_pkey) EVP_PKEY *pkey = NULL;
    int ok;

    KLM_TRY(decoder(thread, type == KR_EC, &ctx));
    thread->decoded = NULL;
    ok = OSSL_DECODER_from_data(ctx, &p, &left);
    pkey = thread->decoded;
    thread->decoded = NULL;
    if (ok != 1 || !pkey || left) {
        OSSL_DECODER_CTX_free(ctx);
        thread->decoder[type == KR_EC] = NULL;
        return kr_quiet(KLM_E_INVALID);
    }
    *out = pkey;
    pkey = NULL;
    return KLM_OK;
}

/* RFC 3394, 2.2: wrap (enc 1) or unwrap with the default initial value. */
static bool kw(struct kr_thread *thread, int enc, const uint8_t kek[32], struct klm_slice in,
               uint8_t *out, size_t want)
{
    int n = 0, last = 0;
    bool ok;

    EVP_CIPHER_CTX_set_flags(thread->cipher, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    ok = EVP_CipherInit_ex2(thread->cipher, key_wrap, kek, NULL, enc, NULL) == 1 &&
         EVP_CipherUpdate(thread->cipher, out, &n, in.p, (int)in.n) == 1 &&
         EVP_CipherFinal_ex(thread->cipher, out + n, &last) == 1 && n + last == (int)want;
    EVP_CIPHER_CTX_reset(thread->cipher); /* the key schedule goes at once */
    return ok;
}

klm_rc kr_kw_wrap(struct kr_thread *thread, const uint8_t kek[32], struct klm_slice in,
                  uint8_t *out)
{
    return kw(thread, 1, kek, in, out, in.n + 8) ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
}

klm_rc kr_kw_unwrap(struct kr_thread *thread, const uint8_t kek[32], struct klm_slice in,
                    uint8_t *out)
{
    if (in.n != 24 && in.n != 32 && in.n != 40) {
        return KLM_E_CRYPTO;
    }
    return kw(thread, 0, kek, in, out, in.n - 8) ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
}
