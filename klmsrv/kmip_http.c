/* HTTP/1.1 for KMIP: strict where a proxy and a server might read the same bytes in two ways (RFC 9112, 11.2). */
#include "klmsrv/kmip_http.h"

#include "base/clock.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define PATH "/kmip"

/* ---- Characters and words */

/* RFC 9110, 5.6.2: tchar */
static bool is_token(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool all(struct klm_slice text, bool (*is)(uint8_t c))
{
    for (size_t i = 0; i < text.n; i++) {
        if (!is(text.p[i])) {
            return false;
        }
    }
    return text.n > 0;
}

static bool is_visible(uint8_t c)
{
    return c > 0x20 && c < 0x7F;
}

/* RFC 9110, 5.5: visible characters, blanks, and bytes of other character sets. */
static bool is_in_value(uint8_t c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7F);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Without letter case, as field names, media types and options are. */
static bool is_word(struct klm_slice text, const char *word)
{
    return text.n == strlen(word) && strncasecmp((const char *)text.p, word, text.n) == 0;
}

static bool is_exactly(struct klm_slice text, const char *word)
{
    return klm_slice_equal(text, klm_slice_str(word));
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct klm_slice trimmed(struct klm_slice text)
{
    while (text.n && is_blank(text.p[0])) {
        text = KLM_SLICE(text.p + 1, text.n - 1);
    }
    while (text.n && is_blank(text.p[text.n - 1])) {
        text.n--;
    }
    return text;
}

/* The part before a character, trimmed; *rest is what stands behind it. False when nothing is left. */
static bool next_part(struct klm_slice *rest, char between, struct klm_slice *part)
{
    const uint8_t *at = rest->n ? memchr(rest->p, between, rest->n) : NULL;
    size_t n = at ? (size_t)(at - rest->p) : rest->n;

    if (!rest->p) {
        return false;
    }
    *part = trimmed(KLM_SLICE(rest->p, n));
    *rest = at ? KLM_SLICE(at + 1, rest->n - n - 1) : KLM_SLICE(NULL, 0);
    return true;
}

/* ---- What a head says */

enum field {
    HOST,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    TRANSFER_ENCODING,
    EXPECT,
    CONNECTION,
    FIELDS
};

static const char *const names[FIELDS] = {
    "Host",   "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding",
    "Expect", "Connection"};

struct head {
    struct klm_slice method, target, version;
    struct klm_slice value[FIELDS]; /* p NULL: not there */
    unsigned fields;
};

/* The line at *at, without its end. KLM_E_AGAIN: its end is not there yet; KLM_E_INVALID: a line feed or carriage return alone, which others may take for an
 * end of line. */
static klm_rc next_line(struct klm_slice in, size_t *at, struct klm_slice *line)
{
    const uint8_t *begin = in.p + *at;
    size_t left = in.n - *at, n = 0;

    while (n < left && begin[n] != '\r' && begin[n] != '\n') {
        n++;
    }
    if (n == left || (n + 1 == left && begin[n] == '\r')) {
        return KLM_E_AGAIN;
    }
    if (begin[n] == '\n' || begin[n + 1] != '\n') {
        return KLM_E_INVALID;
    }
    *line = KLM_SLICE(begin, n);
    *at += n + 2;
    return KLM_OK;
}

/* RFC 9112, 3: method SP request-target SP HTTP-version, one blank each. */
static bool read_request_line(struct klm_slice line, struct head *head)
{
    const uint8_t *first = memchr(line.p, ' ', line.n);
    const uint8_t *end = line.p + line.n;
    const uint8_t *second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;

    if (!second) {
        return false;
    }
    head->method = KLM_SLICE(line.p, (size_t)(first - line.p));
    head->target = KLM_SLICE(first + 1, (size_t)(second - first - 1));
    head->version = KLM_SLICE(second + 1, (size_t)(end - second - 1));
    return all(head->method, is_token) && all(head->target, is_visible) && head->version.n == 8 &&
           memcmp(head->version.p, "HTTP/", 5) == 0 && is_digit(head->version.p[5]) &&
           head->version.p[6] == '.' && is_digit(head->version.p[7]);
}

/* RFC 9112, 5: name, colon, value. A field that matters stands once, so that nobody can take the other one. */
static bool read_field(struct klm_slice line, struct head *head)
{
    const uint8_t *colon = memchr(line.p, ':', line.n);
    struct klm_slice name, value;

    if (!colon) {
        return false;
    }
    name = KLM_SLICE(line.p, (size_t)(colon - line.p));
    value = trimmed(KLM_SLICE(colon + 1, line.n - name.n - 1));
    if (!all(name, is_token) || (value.n && !all(value, is_in_value))) {
        return false;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        if (is_word(name, names[i])) {
            bool twice = head->value[i].p != NULL;

            head->value[i] = value;
            return !twice;
        }
    }
    return true;
}

/* All lines up to the empty one. What is too long or wrong is known before the rest is there. */
static klm_rc read_head(struct klm_slice in, struct head *head, size_t *n, unsigned *status)
{
    struct klm_slice line = {0};
    size_t at = in.n >= 2 && memcmp(in.p, "\r\n", 2) == 0
                    ? 2
                    : 0; /* RFC 9112, 2.2: one empty line before is passed over */
    klm_rc rc = next_line(in, &at, &line);

    if (rc == KLM_E_AGAIN && in.n > SRV_HTTP_LINE_MAX) {
        *status = 414;
    } else if (rc == KLM_OK && line.n > SRV_HTTP_LINE_MAX) {
        *status = 414;
    } else if (rc == KLM_OK && !read_request_line(line, head)) {
        *status = 400;
    }
    while (rc == KLM_OK && !*status) {
        rc = next_line(in, &at, &line);
        if (at > SRV_HTTP_HEAD_MAX || (rc == KLM_E_AGAIN && in.n > SRV_HTTP_HEAD_MAX)) {
            *status = 431;
        } else if (rc == KLM_OK && line.n == 0) {
            *n = at;
            return KLM_OK;
        } else if (rc == KLM_OK && ++head->fields > SRV_HTTP_FIELDS_MAX) {
            *status = 431;
        } else if (rc == KLM_OK && !read_field(line, head)) {
            *status = 400;
        }
    }
    if (rc == KLM_E_INVALID && !*status) {
        *status = 400;
    }
    return *status ? KLM_OK : KLM_E_AGAIN;
}

/* ---- What is made of it */

static bool has(const struct head *head, enum field field)
{
    return head->value[field].p != NULL;
}

static bool has_option(struct klm_slice list, const char *word)
{
    struct klm_slice part;

    while (next_part(&list, ',', &part)) {
        if (is_word(part, word)) {
            return true;
        }
    }
    return false;
}

/* RFC 9112, 3.2: the path, or all of an https address with it. */
static bool is_path(struct klm_slice target)
{
    static const char scheme[] = "https://";
    const size_t n = sizeof scheme - 1;
    const uint8_t *slash;

    if (target.n > n && strncasecmp((const char *)target.p, scheme, n) == 0) {
        slash = memchr(target.p + n, '/', target.n - n);
        if (!slash || slash == target.p + n) {
            return false;
        }
        target = KLM_SLICE(slash, target.n - (size_t)(slash - target.p));
    }
    return is_exactly(target, PATH);
}

/* Digits alone, and no more than fit. */
static unsigned length_of(struct klm_slice text, size_t most, size_t *out)
{
    size_t n = 0;

    if (!all(text, is_digit)) {
        return 400;
    }
    for (size_t i = 0; i < text.n; i++) {
        n = n > most ? n : 10 * n + (size_t)(text.p[i] - '0');
    }
    *out = n;
    return n > most ? 413 : n == 0 ? 400 : 0;
}

/* KMIP Profiles 2.1, 5.3 to 5.5: a content type for each encoding. The text encodings are UTF-8; saying so is allowed. */
static const struct type {
    const char *name;
    enum kmop_encoding encoding;
} types[] = {
    {"application/octet-stream", KMOP_TTLV},
    {"text/xml", KMOP_XML},
    {"application/xml", KMOP_XML},
    {"application/json", KMOP_JSON},
};

static bool parameter_ok(struct klm_slice parameter, const struct type *type)
{
    return type->encoding == KMOP_TTLV || parameter.n == 0 || is_word(parameter, "charset=utf-8") ||
           is_word(parameter, "charset=\"utf-8\"");
}

static const struct type *type_of(struct klm_slice value)
{
    const struct type *type = NULL;
    struct klm_slice part;

    if (!next_part(&value, ';', &part)) {
        return NULL;
    }
    for (size_t i = 0; i < KLM_COUNT(types); i++) {
        type = is_word(part, types[i].name) ? &types[i] : type;
    }
    while (type && next_part(&value, ';', &part)) {
        type = parameter_ok(part, type) ? type : NULL;
    }
    return type;
}

/* How the body comes: with its length said before, in no coding. RFC 9112, 6.1 and 6.3: both ways of saying its length at once are an attack. */
static unsigned judge_body(const struct head *head, size_t body_max, struct srv_http_request *out)
{
    const struct type *type = type_of(head->value[CONTENT_TYPE]);
    unsigned status;

    if (has(head, TRANSFER_ENCODING)) {
        return has(head, CONTENT_LENGTH) ? 400 : 411;
    }
    if (!has(head, CONTENT_LENGTH)) {
        return 411;
    }
    status = length_of(head->value[CONTENT_LENGTH], body_max, &out->body);
    if (status) {
        return status;
    }
    if (!type ||
        (has(head, CONTENT_ENCODING) && !is_word(head->value[CONTENT_ENCODING], "identity"))) {
        return 415;
    }
    out->encoding = type->encoding;
    out->type = type->name;
    return 0;
}

static unsigned judge(const struct head *head, size_t body_max, struct srv_http_request *out)
{
    bool new = is_exactly(head->version, "HTTP/1.1");

    if (!new && !is_exactly(head->version, "HTTP/1.0")) {
        return 505;
    }
    if (new && head->value[HOST].n == 0) {
        return 400; /* RFC 9112, 3.2 */
    }
    if (!is_path(head->target)) {
        return 404;
    }
    if (!is_exactly(head->method, "POST")) {
        return 405;
    }
    if (has(head, EXPECT) && !is_word(head->value[EXPECT], "100-continue")) {
        return 417;
    }
    out->expects = new &&has(head, EXPECT);
    out->close = !new || has_option(head->value[CONNECTION], "close");
    return judge_body(head, body_max, out);
}

klm_rc srv_http_read(struct klm_slice in, size_t body_max, struct srv_http_request *out)
{
    struct srv_http_request request = {0};
    struct head head = {0};

    if (in.n == 0) {
        return KLM_E_AGAIN;
    }
    KLM_TRY(read_head(in, &head, &request.head, &request.status));
    if (!request.status) {
        request.status = judge(&head, body_max, &request);
    }
    if (request.status) {
        request = (struct srv_http_request){.status = request.status};
    }
    *out = request;
    return KLM_OK;
}

/* ---- Answers */

static const struct phrase {
    unsigned status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {431, "Request Header Fields Too Large"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *phrase_of(unsigned status)
{
    for (size_t i = 0; i < KLM_COUNT(phrases); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "Error";
}

/* RFC 9110, 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT", in English whatever the locale. */
static void put_date(struct klm_buf *out)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(klm_clock() / 1000000);
    struct tm tm = {0};

    gmtime_r(&now, &tm);
    klm_buf_printf(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n", days + 3 * tm.tm_wday,
                   tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                   tm.tm_sec);
}

/* What every answer says: keep it nowhere, come by TLS only (RFC 6797), take it for what it says it is. Not which program answers. */
static void put_head(unsigned status, const char *type, size_t n, bool close, struct klm_buf *out)
{
    klm_buf_printf(out, "HTTP/1.1 %u %s\r\n", status, phrase_of(status));
    put_date(out);
    klm_buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, n);
    klm_buf_text(out, "Cache-Control: no-store, no-cache\r\n"
                      "Strict-Transport-Security: max-age=31536000\r\n"
                      "X-Content-Type-Options: nosniff\r\n");
    if (status == 405) {
        klm_buf_text(out, "Allow: POST\r\n"); /* RFC 9110, 15.5.6 */
    }
    klm_buf_text(out, close ? "Connection: close\r\n\r\n" : "\r\n");
}

void srv_http_answer(const char *type, size_t n, bool close, struct klm_buf *out)
{
    put_head(200, type, n, close, out);
}

void srv_http_refuse(unsigned status, struct klm_buf *out)
{
    const char *phrase = phrase_of(status);

    put_head(status, "text/plain", strlen(phrase) + 5, true, out);
    klm_buf_printf(out, "%03u %s\n", status, phrase);
}
