/* Hellos and their confirmation inside TLS (PROTOCOL.md, sections 1 and 4). */
#include "exchange/body.h"

#include <string.h>

#define KINDS 3 /* 3592, LTO, DS8000 */

static bool all_of(const char *s, size_t n, const char *set)
{
    return strlen(s) == n && strspn(s, set) == n;
}

static bool server_says(const struct kx_hello *hello)
{
    return hello->serial[0] == '\0' && hello->wwn[0] == '\0' && hello->kind == 0 &&
           hello->capabilities == 0;
}

static bool drive_says(const struct kx_hello *hello)
{
    return all_of(hello->serial, 12, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") &&
           all_of(hello->wwn, 16, "0123456789ABCDEF") && hello->kind < KINDS &&
           (hello->capabilities & ~KX_CAP_SIGN) == 0;
}

klm_rc kx_check_hello(const struct kx_hello *hello, bool server)
{
    bool ended = memchr(hello->serial, '\0', sizeof hello->serial) &&
                 memchr(hello->wwn, '\0', sizeof hello->wwn);

    if (!ended || hello->version_min == 0 || hello->version_max < hello->version_min) {
        return KLM_E_INVALID;
    }
    return (server ? server_says(hello) : drive_says(hello)) ? KLM_OK : KLM_E_INVALID;
}

/* Text at the left of a field of zero bytes. */
static void put_text(struct klm_buf *out, const char *s, size_t size)
{
    static const uint8_t zeros[16];
    size_t n = strlen(s);

    klm_buf_put(out, s, n);
    klm_buf_put(out, zeros, size - n);
}

void kx_put_hello(struct klm_buf *out, const struct kx_hello *hello)
{
    klm_buf_u8(out, hello->version_min);
    klm_buf_u8(out, hello->version_max);
    klm_buf_u8(out, hello->kind);
    klm_buf_u8(out, 0);
    klm_buf_u32(out, hello->capabilities);
    put_text(out, hello->serial, 12);
    put_text(out, hello->wwn, 16);
}

/* A field that is either full of text or all zero bytes; nothing in between. */
static void get_text(struct klm_cur *cur, char *out, size_t size)
{
    klm_cur_copy(cur, out, size);
    out[size] = '\0';
    for (size_t i = strlen(out); i < size; i++) {
        if (out[i] != '\0') {
            klm_cur_fail(cur, KLM_E_INVALID);
        }
    }
}

void kx_get_hello(struct klm_cur *cur, bool server, struct kx_hello *hello)
{
    uint8_t reserved = 0;

    klm_cur_u8(cur, &hello->version_min);
    klm_cur_u8(cur, &hello->version_max);
    klm_cur_u8(cur, &hello->kind);
    klm_cur_u8(cur, &reserved);
    klm_cur_u32(cur, &hello->capabilities);
    get_text(cur, hello->serial, 12);
    get_text(cur, hello->wwn, 16);
    if (klm_cur_rc(cur) == KLM_OK && (reserved != 0 || kx_check_hello(hello, server) != KLM_OK)) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

klm_rc kx_encode_hello(enum kx_type type, const struct kx_hello *hello, struct klm_buf *out)
{
    if (type != KX_HELLO && type != KX_HELLO_SERVER) {
        return KLM_E_INVALID;
    }
    KLM_TRY(kx_check_hello(hello, type == KX_HELLO_SERVER));
    size_t start = kx_begin(out, type, 0);
    kx_put_hello(out, hello);
    return kx_end(out, start);
}

/* A certificate comes with a signature, from a drive that said it may sign; the server shows
 * neither. */
static klm_rc check_proof(const struct kx_confirm *confirm, bool server)
{
    bool proof = confirm->cert.n > 0;

    if (proof != (confirm->signature.n > 0)) {
        return KLM_E_INVALID;
    }
    if (proof && (server || !(confirm->hello.capabilities & KX_CAP_SIGN))) {
        return KLM_E_INVALID;
    }
    if (confirm->cert.n > KX_CERT_MAX || confirm->signature.n > KX_SIGNATURE_MAX) {
        return KLM_E_LIMIT;
    }
    return KLM_OK;
}

/* confirmed names one version: the one in use. */
static klm_rc check_confirm(const struct kx_confirm *confirm, bool server)
{
    KLM_TRY(kx_check_hello(&confirm->hello, server));
    if (server && confirm->hello.version_min != confirm->hello.version_max) {
        return KLM_E_INVALID;
    }
    return check_proof(confirm, server);
}

klm_rc kx_encode_confirm(const struct kx_confirm *confirm, struct klm_buf *out)
{
    bool server = confirm->hello.serial[0] == '\0';

    KLM_TRY(check_confirm(confirm, server));
    size_t start = kx_begin(out, server ? KX_CONFIRMED : KX_CONFIRM, 0);
    klm_buf_put(out, confirm->hellos, sizeof confirm->hellos);
    kx_put_hello(out, &confirm->hello);
    klm_buf_lp16(out, confirm->cert);
    klm_buf_lp16(out, confirm->signature);
    return kx_end(out, start);
}

void kx_get_confirm(struct klm_cur *cur, bool server, struct kx_confirm *out)
{
    klm_cur_copy(cur, out->hellos, sizeof out->hellos);
    kx_get_hello(cur, server, &out->hello);
    klm_cur_lp16(cur, KX_CERT_MAX, &out->cert);
    klm_cur_lp16(cur, KX_SIGNATURE_MAX, &out->signature);
    if (klm_cur_rc(cur) == KLM_OK) {
        klm_cur_fail(cur, check_confirm(out, server));
    }
}
