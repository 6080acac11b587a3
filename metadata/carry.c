/* Key usage events on their way to another server. They travel in pages, in the order of their numbers at the store where they
 * happened (their origin); the receiver remembers up to which number it has each origin's, so a page that comes twice changes nothing,
 * and which of its own events came from elsewhere, so that they are not sent on as its own. A page, all numbers big-endian: 1 version
 * (1), 16 origin, 8 number before the first event, 2 events, and each event as 8 number, 2 length, its record (usage.c). */
#include "metadata/group.h"
#include "metadata/parts.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>

#define VERSION 1
#define IDENTITY "server.identity"
#define MARK_FROM "usage.from."
#define MARK_SENT "usage.sent."
#define MARK_COPIED                                                                                \
    "usage.copied" /* events up to this number came with the store of another server */
#define POOL_MAX 8192

/* ---- Facts in ST_META */

static klm_rc fact_get(struct st_view *view, const char *name, void *out, size_t n)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(st_get(view, ST_META, klm_slice_str(name), pool, &record));
    if (record.n != n) {
        return KLM_E_CORRUPT;
    }
    memcpy(out, record.p, n);
    return KLM_OK;
}

/* A number; 0 when there is none yet. */
static klm_rc mark_get(struct st_view *view, const char *name, uint64_t *out)
{
    uint8_t bytes[MD_NUMBER];
    klm_rc rc = fact_get(view, name, bytes, sizeof bytes);

    if (rc == KLM_E_NOTFOUND) {
        *out = 0;
        return KLM_OK;
    }
    KLM_TRY(rc);
    return md_number_of(KLM_SLICE(bytes, sizeof bytes), out);
}

static klm_rc mark_put(struct st_change *change, const char *name, uint64_t number)
{
    uint8_t bytes[MD_NUMBER];

    return st_put(change, ST_META, klm_slice_str(name), md_number_key(number, bytes));
}

static void from_name(const uint8_t origin[MD_ORIGIN], char out[64])
{
    memcpy(out, MARK_FROM, sizeof MARK_FROM);
    klm_hex(origin, MD_ORIGIN, out + sizeof MARK_FROM - 1);
}

static void sent_name(const char *partner, char out[96])
{
    snprintf(out, 96, MARK_SENT "%.70s", partner);
}

klm_rc md_identity(struct st_view *view, uint8_t out[MD_ORIGIN])
{
    return fact_get(view, IDENTITY, out, MD_ORIGIN);
}

klm_rc md_identity_make(struct st_change *change)
{
    uint8_t id[MD_ORIGIN];
    klm_rc rc = md_identity(st_change_view(change), id);

    if (rc != KLM_E_NOTFOUND) {
        return rc;
    }
    KLM_TRY(klm_random(id, sizeof id));
    return st_put(change, ST_META, klm_slice_str(IDENTITY), KLM_SLICE(id, sizeof id));
}

klm_rc md_identity_renew(struct st_change *change)
{
    uint8_t id[MD_ORIGIN];
    uint64_t last;
    char name[64];
    klm_rc rc = md_identity(st_change_view(change), id);

    KLM_TRY(md_usage_last(st_change_view(change), &last));
    if (rc == KLM_OK) {
        from_name(id, name);
        KLM_TRY(mark_put(change, name, last));
    } else if (rc != KLM_E_NOTFOUND) {
        return rc;
    }
    KLM_TRY(mark_put(change, MARK_COPIED, last));
    KLM_TRY(klm_random(id, sizeof id));
    return st_put(change, ST_META, klm_slice_str(IDENTITY), KLM_SLICE(id, sizeof id));
}

klm_rc md_sent_get(struct st_view *view, const char *partner, uint64_t *out)
{
    char name[96];

    sent_name(partner, name);
    return mark_get(view, name, out);
}

klm_rc md_sent_put(struct st_change *change, const char *partner, uint64_t number)
{
    char name[96];

    sent_name(partner, name);
    return mark_put(change, name, number);
}

/* Did an event come from another server? */
static klm_rc is_foreign(struct st_view *view, uint64_t number, bool *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    uint8_t key[MD_NUMBER];
    struct klm_slice record;
    klm_rc rc;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    rc = st_get(view, ST_USAGE_FROM, md_number_key(number, key), pool, &record);
    *out = rc == KLM_OK || rc == KLM_E_CORRUPT; /* its key alone says it */
    return rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT ? KLM_OK : rc;
}

/* ---- Giving */

struct giving {
    struct st_view *view;
    struct klm_buf *out;
    uint64_t last;
    size_t n;
};

static klm_rc give_one(void *arg, const struct md_usage *usage)
{
    struct giving *giving = arg;
    struct klm_buf record;
    bool foreign = false;

    KLM_TRY(is_foreign(giving->view, usage->number, &foreign));
    giving->last = usage->number;
    if (foreign) {
        return KLM_OK;
    }
    klm_buf_init(&record, POOL_MAX);
    md_usage_encode(usage, &record);
    klm_buf_u64(giving->out, usage->number);
    klm_buf_lp16(giving->out, klm_buf_as_slice(&record));
    klm_buf_done(&record);
    giving->n++;
    return klm_buf_rc(giving->out);
}

klm_rc md_page_give(struct st_view *view, uint64_t after, struct klm_buf *out, uint64_t *last,
                    size_t *n)
{
    struct giving giving = {.view = view, .out = out};
    uint8_t origin[MD_ORIGIN];
    uint64_t copied;
    size_t count_at;

    KLM_TRY(md_identity(view, origin));
    KLM_TRY(mark_get(view, MARK_COPIED, &copied));
    giving.last = after > copied ? after : copied;
    klm_buf_u8(out, VERSION);
    klm_buf_put(out, origin, sizeof origin);
    klm_buf_u64(out, after);
    count_at = out->n;
    klm_buf_u16(out, 0);
    KLM_TRY(md_usage_scan(view, giving.last, MD_PAGE, give_one, &giving));
    KLM_TRY(klm_buf_rc(out));
    out->p[count_at] = (uint8_t)(giving.n >> 8);
    out->p[count_at + 1] = (uint8_t)giving.n;
    *last = giving.last;
    *n = giving.n;
    return KLM_OK;
}

/* ---- Taking */

struct head {
    uint8_t origin[MD_ORIGIN];
    uint64_t after;
    uint16_t n;
};

static klm_rc get_head(struct klm_cur *cur, struct head *head)
{
    uint8_t version;

    klm_cur_u8(cur, &version);
    klm_cur_copy(cur, head->origin, sizeof head->origin);
    klm_cur_u64(cur, &head->after);
    klm_cur_u16(cur, &head->n);
    if (version != VERSION) {
        klm_cur_fail(cur, KLM_E_UNSUPPORTED);
    }
    if (head->n > MD_PAGE) {
        klm_cur_fail(cur, KLM_E_LIMIT);
    }
    return klm_cur_rc(cur);
}

/* Events follow each other in order; each is one that could have happened here. */
static klm_rc get_event(struct klm_cur *cur, uint64_t before, struct md_usage *out)
{
    struct klm_slice record;
    uint64_t number;

    klm_cur_u64(cur, &number);
    klm_cur_lp16(cur, POOL_MAX, &record);
    KLM_TRY(klm_cur_rc(cur));
    return number > before ? md_usage_decode(record, number, out) : KLM_E_INVALID;
}

klm_rc md_page_check(struct st_view *view, struct klm_slice page, struct klm_diag *diag)
{
    struct klm_cur cur;
    struct head head;
    struct md_usage usage;
    uint64_t before, mark = 0;
    char name[64];
    klm_rc rc;

    klm_cur_init(&cur, page);
    rc = get_head(&cur, &head);
    before = head.after;
    for (uint16_t i = 0; rc == KLM_OK && i < head.n; i++) {
        rc = get_event(&cur, before, &usage);
        before = usage.number;
    }
    klm_cur_end(&cur);
    rc = rc == KLM_OK ? klm_cur_rc(&cur) : rc;
    if (rc != KLM_OK) {
        return klm_fail(diag, rc == KLM_E_CORRUPT ? KLM_E_INVALID : rc, KLM_MSG_USAGE_PAGE,
                        klm_rc_text(rc));
    }
    from_name(head.origin, name);
    KLM_TRY(mark_get(view, name, &mark));
    return head.after <= mark ? KLM_OK
                              : klm_fail(diag, KLM_E_STATE, KLM_MSG_USAGE_GAP, KLM_NUM(mark));
}

klm_rc md_page_new(struct st_view *view, struct klm_slice page, md_page_fn *visit, void *arg)
{
    struct klm_cur cur;
    struct head head;
    struct md_usage usage;
    uint64_t before, mark = 0;
    char name[64];

    klm_cur_init(&cur, page);
    KLM_TRY(get_head(&cur, &head));
    from_name(head.origin, name);
    KLM_TRY(mark_get(view, name, &mark));
    before = head.after;
    for (uint16_t i = 0; i < head.n; i++) {
        KLM_TRY(get_event(&cur, before, &usage));
        before = usage.number;
        KLM_TRY(before > mark ? visit(arg, &usage) : KLM_OK);
    }
    return KLM_OK;
}

/* A stored key that a volume has: no other volume is to get it here. */
static klm_rc mark_key(struct st_change *change, const struct md_usage *usage)
{
    char alias[KLM_ALIAS_MAX + 1];
    klm_rc rc;

    if (!usage->dki[0] || usage->client[0] ||
        klm_alias(klm_slice_str(usage->alias1), alias) != KLM_OK) {
        return KLM_OK;
    }
    rc = md_key_used_there(change, alias, usage->volser, usage->time);
    return rc == KLM_E_CORRUPT ? KLM_OK
                               : rc; /* a damaged mark keeps the key from being given, too */
}

static klm_rc take_one(struct st_change *change, const struct head *head, uint64_t *number,
                       struct md_usage *usage)
{
    uint8_t key[MD_NUMBER];

    usage->number = ++*number;
    KLM_TRY(md_usage_add(change, usage));
    KLM_TRY(mark_key(change, usage));
    return st_put(change, ST_USAGE_FROM, md_number_key(usage->number, key),
                  KLM_SLICE(head->origin, sizeof head->origin));
}

klm_rc md_page_take(struct st_change *change, struct klm_slice page, uint64_t *number,
                    size_t *taken, struct klm_diag *diag)
{
    struct klm_cur cur;
    struct head head;
    uint64_t mark = 0, last;
    size_t n = 0;
    char name[64];

    KLM_TRY(md_page_check(st_change_view(change), page,
                          diag)); /* what was checked off the writer may be old */
    klm_cur_init(&cur, page);
    KLM_TRY(get_head(&cur, &head));
    from_name(head.origin, name);
    KLM_TRY(mark_get(st_change_view(change), name, &mark));
    last = head.after;
    for (uint16_t i = 0; i < head.n; i++) {
        struct md_usage usage;

        KLM_TRY(get_event(&cur, last, &usage));
        last = usage.number;
        if (last > mark) {
            KLM_TRY(take_one(change, &head, number, &usage));
            n++;
        }
    }
    *taken = n;
    return last > mark ? mark_put(change, name, last) : KLM_OK;
}
