/* Key usage events as records of the store, in the order of their numbers. A record, all numbers
 * big-endian, s8 a length of one byte and that many bytes: 1 version, 8 time in microseconds
 * since 1970, s8 drive, s8 wwn, s8 volser, s8 alias1, s8 alias2, s8 dki, and in version 2 s8
 * client. What version 1 can say is written in it (no client, a dki of at most 64 characters), so
 * that events of drives are what they always were. */
#include "metadata/parts.h"

#include "base/utf8.h"

#include <string.h>

#define VERSION_DRIVE 1
#define VERSION_CLIENT 2
#define DKI_DRIVE 64 /* in version 1 */
#define RECORD_MAX 512
#define POOL_MAX 8192

klm_rc md_volser(const char *typed, char out[7], struct klm_diag *diag)
{
    size_t n = strnlen(typed, 7);
    char volser[7] = "";

    for (size_t i = 0; i < n && n <= 6; i++) {
        char c = typed[i];

        volser[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    if (n < 1 || n > 6 || strspn(volser, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@#$-") != n) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_VOLSER, typed);
    }
    memcpy(out, volser, sizeof volser);
    return KLM_OK;
}

static bool text_ok(const char *s, size_t cap)
{
    size_t n = strnlen(s, cap);

    return n < cap && klm_utf8_printable(KLM_SLICE(s, n));
}

bool md_usage_ok(const struct md_usage *u)
{
    return (u->drive[0] || u->client[0]) && u->time >= 0 && text_ok(u->drive, sizeof u->drive) &&
           text_ok(u->wwn, sizeof u->wwn) && text_ok(u->volser, sizeof u->volser) &&
           text_ok(u->alias1, sizeof u->alias1) && text_ok(u->alias2, sizeof u->alias2) &&
           text_ok(u->dki, sizeof u->dki) && text_ok(u->client, sizeof u->client);
}

struct klm_slice md_number_key(uint64_t number, uint8_t out[MD_NUMBER])
{
    for (size_t i = 0; i < MD_NUMBER; i++) {
        out[i] = (uint8_t)(number >> (8 * (MD_NUMBER - 1 - i)));
    }
    return KLM_SLICE(out, MD_NUMBER);
}

klm_rc md_number_of(struct klm_slice key, uint64_t *out)
{
    struct klm_cur cur;
    uint64_t number;

    klm_cur_init(&cur, key);
    klm_cur_u64(&cur, &number);
    klm_cur_end(&cur);
    KLM_TRY(klm_cur_rc(&cur));
    *out = number;
    return KLM_OK;
}

void md_usage_encode(const struct md_usage *u, struct klm_buf *out)
{
    const bool client = u->client[0] || strlen(u->dki) > DKI_DRIVE;

    klm_buf_u8(out, client ? VERSION_CLIENT : VERSION_DRIVE);
    klm_buf_u64(out, (uint64_t)u->time);
    klm_buf_lp8(out, klm_slice_str(u->drive));
    klm_buf_lp8(out, klm_slice_str(u->wwn));
    klm_buf_lp8(out, klm_slice_str(u->volser));
    klm_buf_lp8(out, klm_slice_str(u->alias1));
    klm_buf_lp8(out, klm_slice_str(u->alias2));
    klm_buf_lp8(out, klm_slice_str(u->dki));
    if (client) {
        klm_buf_lp8(out, klm_slice_str(u->client));
    }
}

static void get_text(struct klm_cur *cur, char *out, size_t cap)
{
    struct klm_slice s;

    klm_cur_lp8(cur, cap - 1, &s);
    if (s.n) {
        memcpy(out, s.p, s.n);
    }
    out[s.n] = '\0';
    if (strlen(out) != s.n) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

klm_rc md_usage_decode(struct klm_slice record, uint64_t number, struct md_usage *out)
{
    struct klm_cur cur;
    struct md_usage u = {.number = number};
    uint8_t version = 0;
    uint64_t time;

    klm_cur_init(&cur, record);
    klm_cur_u8(&cur, &version);
    klm_cur_u64(&cur, &time);
    get_text(&cur, u.drive, sizeof u.drive);
    get_text(&cur, u.wwn, sizeof u.wwn);
    get_text(&cur, u.volser, sizeof u.volser);
    get_text(&cur, u.alias1, sizeof u.alias1);
    get_text(&cur, u.alias2, sizeof u.alias2);
    get_text(&cur, u.dki, version == VERSION_DRIVE ? DKI_DRIVE + 1 : sizeof u.dki);
    if (version == VERSION_CLIENT) {
        get_text(&cur, u.client, sizeof u.client);
    }
    klm_cur_end(&cur);
    u.time = time <= INT64_MAX ? (klm_time)time : -1;
    if (klm_cur_rc(&cur) != KLM_OK || (version != VERSION_DRIVE && version != VERSION_CLIENT) ||
        !md_usage_ok(&u)) {
        return KLM_E_CORRUPT;
    }
    *out = u;
    return KLM_OK;
}

klm_rc md_usage_add(struct st_change *change, const struct md_usage *usage)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};
    uint8_t key[MD_NUMBER];

    if (usage->number == 0 || !md_usage_ok(usage)) {
        return KLM_E_INVALID;
    }
    klm_buf_init(&buf, RECORD_MAX);
    md_usage_encode(usage, &buf);
    KLM_TRY(klm_buf_rc(&buf));
    return st_put(change, ST_USAGE, md_number_key(usage->number, key), klm_buf_as_slice(&buf));
}

klm_rc md_usage_get(struct st_view *view, uint64_t number, struct md_usage *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record;
    uint8_t key[MD_NUMBER];

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(st_get(view, ST_USAGE, md_number_key(number, key), pool, &record));
    return md_usage_decode(record, number, out);
}

static klm_rc last_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)record;
    (void)damaged; /* its number is used all the same */
    return md_number_of(key, arg) == KLM_OK ? KLM_OK : KLM_E_CORRUPT;
}

klm_rc md_usage_last(struct st_view *view, uint64_t *out)
{
    uint64_t last = 0;

    KLM_TRY(st_scan(view, ST_USAGE, &(struct st_range){.reverse = true, .limit = 1}, last_visit,
                    &last));
    *out = last;
    return KLM_OK;
}

struct walk {
    md_usage_fn *fn;
    void *arg;
    size_t
        left; /* how many more events; the limit of the store's scan would count damaged ones too */
    uint64_t floor;
    bool over;
};

static klm_rc walk_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct walk *walk = arg;
    struct md_usage usage;
    uint64_t number = 0;
    klm_rc rc = md_number_of(key, &number);

    if (rc == KLM_OK && number <= walk->floor) {
        walk->over = true;
        return KLM_E_AGAIN;
    }
    if (rc != KLM_OK || damaged || md_usage_decode(record, number, &usage) != KLM_OK) {
        klm_say(KLM_MSG_USAGE_DAMAGED, KLM_NUM(number));
        return KLM_OK;
    }
    KLM_TRY(walk->fn(walk->arg, &usage));
    walk->over = --walk->left == 0;
    return walk->over ? KLM_E_AGAIN : KLM_OK;
}

static klm_rc walk_run(struct st_view *view, const struct st_range *range, struct walk *walk)
{
    klm_rc rc = st_scan(view, ST_USAGE, range, walk_visit, walk);

    return walk->over && rc == KLM_E_AGAIN ? KLM_OK : rc;
}

klm_rc md_usage_scan(struct st_view *view, uint64_t after, size_t limit, md_usage_fn *fn, void *arg)
{
    uint8_t key[MD_NUMBER];
    struct walk walk = {.fn = fn, .arg = arg, .left = limit ? limit : SIZE_MAX};

    return walk_run(view, &(struct st_range){.after = md_number_key(after, key)}, &walk);
}

klm_rc md_usage_back(struct st_view *view, uint64_t floor, md_usage_fn *fn, void *arg)
{
    struct walk walk = {.fn = fn, .arg = arg, .left = SIZE_MAX, .floor = floor};

    return walk_run(view, &(struct st_range){.reverse = true}, &walk);
}
