/* Many key tokens in one KEYXFER file (keyring/KEYXFER.md, Sets): a head that says how many, then each as a file of its own, so that one reader and one checksum serve
 * both. */
#include "keyring/internal.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC "KLM-KEYSET 1\n"
#define COUNT "Keys: "
#define GIVEN "Given: "
#define SUM "\nSHA-256: "
#define SUM_END (sizeof SUM - 1 + 64 + 1) /* from the line end before it on */
#define LINE 64

void kr_xfer_set_head(size_t n, struct klm_buf *out)
{
    klm_buf_printf(out, MAGIC COUNT "%zu\n\n", n);
}

klm_rc kr_xfer_set_put(const struct kr_xfer_item *item, struct klm_buf *out)
{
    if (item->given[0]) {
        klm_buf_printf(out, GIVEN "%s %lld\n", item->given, (long long)item->when);
    }
    return kr_xfer_encode(item->label, item->token, out);
}

struct reader {
    const uint8_t *p, *end;
    struct klm_diag *diag;
};

static klm_rc damaged(const struct reader *reader, const char *why)
{
    return klm_fail(reader->diag, KLM_E_CORRUPT, KLM_MSG_XFER_DAMAGED, why);
}

static bool begins(const struct reader *reader, const char *text)
{
    size_t n = strlen(text);

    return (size_t)(reader->end - reader->p) >= n && memcmp(reader->p, text, n) == 0;
}

/* The rest of a short line behind what it begins with. */
static klm_rc rest_of_line(struct reader *reader, const char *name, char out[LINE])
{
    const uint8_t *from = reader->p + strlen(name), *end;

    if (!begins(reader, name)) {
        return damaged(reader, "a line of its head is wrong");
    }
    end = memchr(from, '\n', (size_t)(reader->end - from));
    if (!end || (size_t)(end - from) >= LINE || memchr(from, 0, (size_t)(end - from))) {
        return damaged(reader, "a line of its head is wrong");
    }
    memcpy(out, from, (size_t)(end - from));
    out[end - from] = '\0';
    reader->p = end + 1;
    return KLM_OK;
}

/* A number as it is written: digits, no zero in front. */
static klm_rc number(const struct reader *reader, const char *text, int64_t most, int64_t *out)
{
    size_t n = strspn(text, "0123456789");

    if (n == 0 || n > 18 || text[n] || (n > 1 && text[0] == '0') ||
        strtoll(text, NULL, 10) > most) {
        return damaged(reader, "a number of it is none");
    }
    *out = strtoll(text, NULL, 10);
    return KLM_OK;
}

static klm_rc given(struct reader *reader, struct kr_xfer_item *item)
{
    char line[LINE], *blank;
    int64_t when;

    item->given[0] = '\0';
    item->when = 0;
    if (!begins(reader, GIVEN)) {
        return KLM_OK;
    }
    KLM_TRY(rest_of_line(reader, GIVEN, line));
    blank = strchr(line, ' ');
    if (!blank || blank == line || (size_t)(blank - line) >= sizeof item->given) {
        return damaged(reader, "a line of its head is wrong");
    }
    *blank = '\0';
    KLM_TRY(number(reader, blank + 1, INT64_MAX, &when));
    memcpy(item->given, line, strlen(line) + 1);
    item->when = when;
    return KLM_OK;
}

static klm_rc next(struct reader *reader, struct klm_pool *pool, struct kr_xfer_item *item)
{
    const size_t left = (size_t)(reader->end - reader->p);
    const uint8_t *sum = memmem(reader->p, left, SUM, sizeof SUM - 1);
    size_t n;

    if (!sum || (size_t)(reader->end - sum) < SUM_END) {
        return klm_fail(reader->diag, KLM_E_CORRUPT, KLM_MSG_XFER_SHORT);
    }
    KLM_TRY(given(reader, item));
    if (sum < reader->p) {
        return damaged(reader, "a line of its head is wrong");
    }
    n = (size_t)(sum - reader->p) + SUM_END;
    KLM_TRY(kr_xfer_decode(KLM_SLICE(reader->p, n), pool, &item->label, &item->token, item->vp,
                           reader->diag));
    reader->p += n;
    return KLM_OK;
}

klm_rc kr_xfer_set_decode(struct klm_slice file, struct klm_pool *pool, kr_xfer_fn *fn, void *arg,
                          struct klm_diag *diag)
{
    struct reader reader = {file.p, file.p + file.n, diag};
    struct kr_xfer_item item = {0};
    char line[LINE];
    int64_t n = 0;

    if (!begins(&reader, MAGIC)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_XFER_NOT);
    }
    reader.p += sizeof MAGIC - 1;
    KLM_TRY(rest_of_line(&reader, COUNT, line));
    KLM_TRY(number(&reader, line, KR_XFER_KEYS, &n));
    KLM_TRY(rest_of_line(&reader, "", line));
    KLM_TRY(line[0] ? damaged(&reader, "a line of its head is wrong") : KLM_OK);
    for (int64_t i = 0; i < n; i++) {
        KLM_TRY(next(&reader, pool, &item));
        KLM_TRY(fn(arg, &item));
    }
    return reader.p == reader.end ? KLM_OK : damaged(&reader, "it holds more than its head says");
}
