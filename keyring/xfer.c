/* KEYXFER files: one key token on its way between sites that hold the same master key
 * (keyring/KEYXFER.md). */
#include "keyring/internal.h"

#include <string.h>

#define MAGIC "KLM-KEYXFER "
#define VERSION "1"
#define SUM_NAME "SHA-256: "
#define SUM_LINE (sizeof SUM_NAME - 1 + 64 + 1)
#define FILE_MAX 65536
#define COLUMNS 64
#define TOKEN_MAX 16384

static klm_rc sum_hex(const uint8_t *p, size_t n, char out[65])
{
    uint8_t digest[32];

    if (EVP_Digest(p, n, digest, NULL, EVP_sha256(), NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    klm_hex_upper(digest, sizeof digest, out);
    return KLM_OK;
}

/* RFC 4648, 4, in lines of 64 characters: 48 bytes a line. */
static void put_base64(struct klm_buf *out, struct klm_slice in)
{
    for (size_t at = 0; at < in.n; at += 48) {
        char line[COLUMNS + 1];
        size_t n = in.n - at < 48 ? in.n - at : 48;

        (void)EVP_EncodeBlock((unsigned char *)line, in.p + at, (int)n); /* its length is known */
        klm_buf_text(out, line);
        klm_buf_u8(out, '\n');
    }
}

static klm_rc encode(const char *label, struct klm_slice token, const char *vp, struct klm_buf *out)
{
    char sum[65];
    size_t at = out->n;

    klm_buf_printf(out, MAGIC VERSION "\nLabel: %s\nVerification-Pattern: %s\nToken-Bytes: %zu\n\n",
                   label, vp, token.n);
    put_base64(out, token);
    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(sum_hex(out->p + at, out->n - at, sum));
    klm_buf_printf(out, SUM_NAME "%s\n", sum);
    return klm_buf_rc(out);
}

klm_rc kr_xfer_encode(const char *label, struct klm_slice token, struct klm_buf *out)
{
    char vp[KR_VP_MAX];
    size_t at = out->n;
    klm_rc rc;

    KLM_TRY(kr_check_token_label(label));
    KLM_TRY(kr_token_vp(token, vp));
    if (token.n > TOKEN_MAX) {
        return KLM_E_LIMIT;
    }
    rc = encode(label, token, vp, out);
    if (rc != KLM_OK) {
        out->n = at;
    }
    return rc;
}

struct reader {
    const uint8_t *p, *end; /* the text before the checksum's line */
    struct klm_diag *diag;
};

static klm_rc damaged(const struct reader *reader, const char *why)
{
    return klm_fail(reader->diag, KLM_E_CORRUPT, KLM_MSG_XFER_DAMAGED, why);
}

/* The next line must begin with name; what follows, without the line's end, goes to out. */
static klm_rc line(struct reader *reader, const char *name, struct klm_slice *out)
{
    const uint8_t *end = memchr(reader->p, '\n', (size_t)(reader->end - reader->p));
    size_t n = strlen(name);

    if (!end || (size_t)(end - reader->p) < n || memcmp(reader->p, name, n) != 0) {
        return damaged(reader, "a line of its header is wrong");
    }
    *out = KLM_SLICE(reader->p + n, (size_t)(end - reader->p) - n);
    reader->p = end + 1;
    return KLM_OK;
}

static bool is_file(struct klm_slice file)
{
    return file.n >= sizeof MAGIC - 1 && memcmp(file.p, MAGIC, sizeof MAGIC - 1) == 0;
}

static klm_rc check_version(struct klm_slice file, struct klm_diag *diag)
{
    const uint8_t *from = file.p + sizeof MAGIC - 1;
    const uint8_t *end = memchr(from, '\n', file.n - (sizeof MAGIC - 1));
    char version[16];
    size_t n = end ? (size_t)(end - from) : 0;

    if (!end) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_XFER_SHORT);
    }
    if (n == 1 && from[0] == VERSION[0]) {
        return KLM_OK;
    }
    n = n < sizeof version - 1 ? n : sizeof version - 1;
    memcpy(version, from, n);
    version[n] = 0;
    return klm_fail(diag, KLM_E_UNSUPPORTED, KLM_MSG_XFER_VERSION, version);
}

/* The last line holds the checksum of all before: without it the file was cut, with another one
 * it was changed. */
static klm_rc check_sum(struct klm_slice file, struct klm_diag *diag)
{
    const uint8_t *last = file.n > SUM_LINE ? file.p + file.n - SUM_LINE : file.p;
    char sum[65];

    if (file.n <= SUM_LINE || !memmem(file.p, file.n, "\n" SUM_NAME, sizeof SUM_NAME)) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_XFER_SHORT);
    }
    if (last[-1] != '\n' || memcmp(last, SUM_NAME, sizeof SUM_NAME - 1) != 0 ||
        file.p[file.n - 1] != '\n') {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_XFER_DAMAGED,
                        "it does not end with the line of its checksum");
    }
    KLM_TRY(sum_hex(file.p, file.n - SUM_LINE, sum));
    if (memcmp(sum, last + sizeof SUM_NAME - 1, 64) != 0) {
        return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_XFER_DAMAGED, "its checksum is wrong");
    }
    return KLM_OK;
}

static klm_rc number(struct reader *reader, struct klm_slice text, size_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || i == 5) {
            return damaged(reader, "the length of its token is no number");
        }
        n = n * 10 + (size_t)(text.p[i] - '0');
    }
    if (n == 0 || n > TOKEN_MAX) {
        return damaged(reader, "the length of its token is out of range");
    }
    *out = n;
    return KLM_OK;
}

/* One line of base64, exactly n bytes long when decoded. */
static klm_rc base64_line(struct reader *reader, uint8_t *to, size_t n)
{
    struct klm_slice text;
    uint8_t bytes[COLUMNS];
    char again[COLUMNS + 1];

    KLM_TRY(line(reader, "", &text));
    if (text.n != (n + 2) / 3 * 4 || EVP_DecodeBlock(bytes, text.p, (int)text.n) < 0) {
        return damaged(reader, "its token is not base64 of the length told");
    }
    (void)EVP_EncodeBlock((unsigned char *)again, bytes, (int)n);
    if (memcmp(again, text.p, text.n) != 0) {
        return damaged(reader, "its token is not base64 of the length told");
    }
    memcpy(to, bytes, n);
    return KLM_OK;
}

static klm_rc base64(struct reader *reader, struct klm_pool *pool, size_t n, struct klm_slice *out)
{
    uint8_t *token = klm_pool_alloc(pool, n);

    if (!token) {
        return KLM_E_NOMEM;
    }
    for (size_t at = 0; at < n; at += 48) {
        KLM_TRY(base64_line(reader, token + at, n - at < 48 ? n - at : 48));
    }
    *out = KLM_SLICE(token, n);
    return reader->p == reader->end ? KLM_OK : damaged(reader, "something stands after its token");
}

/* The token's own pattern is the one that counts; a header that tells another was put together
 * from two files. */
static klm_rc check_pattern(struct reader *reader, struct klm_slice told, struct klm_slice token,
                            char vp[KR_VP_MAX])
{
    char own[KR_VP_MAX];

    if (kr_token_vp(token, own) != KLM_OK) {
        return damaged(reader, "it holds no key token of this release");
    }
    if (told.n != KR_VP_MAX - 1 || memcmp(own, told.p, told.n) != 0) {
        return damaged(reader, "its verification pattern is not the token's");
    }
    memcpy(vp, own, sizeof own);
    return KLM_OK;
}

static klm_rc read_label(struct reader *reader, struct klm_slice text, struct klm_pool *pool,
                         const char **out)
{
    char *label = klm_pool_strn(pool, (const char *)text.p, text.n);

    if (!label) {
        return KLM_E_NOMEM;
    }
    if (strlen(label) != text.n || kr_check_token_label(label) != KLM_OK) {
        return damaged(reader, "its label is not a label of a key");
    }
    *out = label;
    return KLM_OK;
}

static klm_rc decode(struct reader *reader, struct klm_pool *pool, const char **label,
                     struct klm_slice *token, char vp[KR_VP_MAX])
{
    struct klm_slice first, name, told, length, empty, bytes;
    const char *found = NULL;
    char pattern[KR_VP_MAX];
    size_t n = 0;

    KLM_TRY(line(reader, MAGIC, &first));
    KLM_TRY(line(reader, "Label: ", &name));
    KLM_TRY(line(reader, "Verification-Pattern: ", &told));
    KLM_TRY(line(reader, "Token-Bytes: ", &length));
    KLM_TRY(line(reader, "", &empty));
    KLM_TRY(empty.n == 0 ? KLM_OK : damaged(reader, "a line of its header is wrong"));
    KLM_TRY(read_label(reader, name, pool, &found));
    KLM_TRY(number(reader, length, &n));
    KLM_TRY(base64(reader, pool, n, &bytes));
    KLM_TRY(check_pattern(reader, told, bytes, pattern));
    *label = found;
    *token = bytes;
    memcpy(vp, pattern, sizeof pattern);
    return KLM_OK;
}

klm_rc kr_xfer_decode(struct klm_slice file, struct klm_pool *pool, const char **label,
                      struct klm_slice *token, char vp[KR_VP_MAX], struct klm_diag *diag)
{
    struct reader reader;

    if (!is_file(file)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_XFER_NOT);
    }
    if (file.n > FILE_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_XFER_DAMAGED, "it is longer than 65536 bytes");
    }
    KLM_TRY(check_version(file, diag));
    KLM_TRY(check_sum(file, diag));
    reader = (struct reader){file.p, file.p + file.n - SUM_LINE, diag};
    return decode(&reader, pool, label, token, vp);
}
