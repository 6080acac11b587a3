/* Records of key groups; numbers big-endian, s8 and s16 a length of one or two bytes and that many bytes.
 * Group: 1 version (1), 1 flags (1: wrap), 8 runs, 8 keys, 8 passed, 8 at, 8 next, s8 last alias, 8 its time in microseconds, s16 source.
 * Run: 1 version (1), s8 first, s8 last. First: 8 place. */
#include "metadata/group_record.h"
#include "metadata/parts.h"

#include <string.h>

#define VERSION 1
#define RECORD_MAX (128 + MD_KEYSET_MAX)
#define POOL_MAX 16384

enum { FLAG_WRAP = 1 };

/* ---- Keys */

static void add(struct md_group_key *key, const void *p, size_t n)
{
    memcpy(key->p + key->n, p, n);
    key->n += n;
}

struct md_group_key md_group_key(const char *name)
{
    struct md_group_key key = {0};

    add(&key, name, strnlen(name, MD_GROUP_MAX));
    add(&key, "", 1);
    return key;
}

struct md_group_key md_group_run_key(const char *name, uint64_t place)
{
    struct md_group_key key = md_group_key(name);
    uint8_t number[MD_NUMBER];

    (void)md_number_key(place, number);
    add(&key, number, sizeof number);
    return key;
}

/* Plain and sequential aliases apart, so that runs lie one behind the other in the order of texts. */
struct md_group_key md_group_first_key(const char *name, const char *first)
{
    struct md_group_key key = md_group_key(name);

    add(&key, klm_alias_sequential(first) ? "s" : "p", 1);
    add(&key, first, strnlen(first, KLM_ALIAS_MAX));
    return key;
}

struct klm_slice md_group_key_slice(const struct md_group_key *key)
{
    return KLM_SLICE(key->p, key->n);
}

/* ---- Groups */

klm_rc md_group_save(struct st_change *change, const struct md_group *g)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};

    klm_buf_init(&buf, RECORD_MAX);
    klm_buf_u8(&buf, VERSION);
    klm_buf_u8(&buf, g->wrap ? FLAG_WRAP : 0);
    klm_buf_u64(&buf, g->runs);
    klm_buf_u64(&buf, g->keys);
    klm_buf_u64(&buf, g->passed);
    klm_buf_u64(&buf, g->at);
    klm_buf_u64(&buf, g->next);
    klm_buf_lp8(&buf, klm_slice_str(g->last));
    klm_buf_u64(&buf, (uint64_t)g->last_time);
    klm_buf_lp16(&buf, klm_slice_str(g->source));
    KLM_TRY(klm_buf_rc(&buf));
    return st_put(change, ST_GROUP, klm_slice_str(g->name), klm_buf_as_slice(&buf));
}

static void get_text(struct klm_cur *cur, struct klm_slice s, char *out)
{
    if (klm_cur_rc(cur) == KLM_OK && s.n > 0) {
        memcpy(out, s.p, s.n);
    }
}

static klm_rc decode(struct klm_slice key, struct klm_slice record, struct md_group *out)
{
    struct md_group g = {0};
    struct klm_slice last = {0}, source = {0};
    uint8_t version = 0, flags = 0;
    uint64_t time = 0;
    struct klm_cur cur;

    klm_cur_init(&cur, record);
    klm_cur_u8(&cur, &version);
    klm_cur_u8(&cur, &flags);
    klm_cur_u64(&cur, &g.runs);
    klm_cur_u64(&cur, &g.keys);
    klm_cur_u64(&cur, &g.passed);
    klm_cur_u64(&cur, &g.at);
    klm_cur_u64(&cur, &g.next);
    klm_cur_lp8(&cur, KLM_ALIAS_MAX, &last);
    klm_cur_u64(&cur, &time);
    klm_cur_lp16(&cur, MD_KEYSET_MAX, &source);
    klm_cur_end(&cur);
    get_text(&cur, last, g.last);
    get_text(&cur, source, g.source);
    if (klm_cur_rc(&cur) != KLM_OK || version != VERSION || time > INT64_MAX || key.n == 0 ||
        key.n > MD_GROUP_MAX) {
        return KLM_E_CORRUPT;
    }
    memcpy(g.name, key.p, key.n);
    g.wrap = flags & FLAG_WRAP;
    g.last_time = (klm_time)time;
    *out = g;
    return KLM_OK;
}

klm_rc md_group_get(struct st_view *view, const char *name, struct md_group *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice key = klm_slice_str(name), record;

    if (key.n == 0 || key.n > MD_GROUP_MAX) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(st_get(view, ST_GROUP, key, pool, &record));
    return decode(key, record, out);
}

struct walk {
    md_group_fn *fn;
    void *arg;
};

static klm_rc visit_group(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct walk *walk = arg;
    struct md_group group;

    if (damaged || decode(key, record, &group) != KLM_OK) {
        char name[MD_GROUP_MAX + 1] = "";

        memcpy(name, key.p, key.n < MD_GROUP_MAX ? key.n : MD_GROUP_MAX);
        klm_say(KLM_MSG_GROUP_DAMAGED, name);
        return KLM_OK;
    }
    return walk->fn(walk->arg, &group);
}

klm_rc md_group_scan(struct st_view *view, md_group_fn *fn, void *arg)
{
    struct walk walk = {fn, arg};

    return st_scan(view, ST_GROUP, &(struct st_range){0}, visit_group, &walk);
}

/* ---- Runs */

static klm_rc decode_run(struct klm_slice record, struct klm_alias_run *out)
{
    struct klm_slice first = {0}, last = {0};
    struct klm_alias_run run = {0};
    uint8_t version = 0;
    struct klm_cur cur;

    klm_cur_init(&cur, record);
    klm_cur_u8(&cur, &version);
    klm_cur_lp8(&cur, KLM_ALIAS_MAX, &first);
    klm_cur_lp8(&cur, KLM_ALIAS_MAX, &last);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || version != VERSION || klm_alias(first, run.first) != KLM_OK ||
        klm_alias(last, run.last) != KLM_OK || !klm_alias_run_has(&run, run.last)) {
        return KLM_E_CORRUPT;
    }
    *out = run;
    return KLM_OK;
}

static klm_rc visit_run(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct md_placed *out = arg;

    if (damaged || key.n < MD_NUMBER + 1) {
        return KLM_E_CORRUPT;
    }
    KLM_TRY(md_number_of(KLM_SLICE(key.p + key.n - MD_NUMBER, MD_NUMBER), &out->place));
    return decode_run(record, &out->run);
}

klm_rc md_run_after(struct st_view *view, const char *name, uint64_t after, struct md_placed *out)
{
    struct md_group_key prefix = md_group_key(name), from = md_group_run_key(name, after);
    struct st_range range = {
        .prefix = md_group_key_slice(&prefix), .after = md_group_key_slice(&from), .limit = 1};
    struct md_placed found = {0};

    KLM_TRY(st_scan(view, ST_GROUP_RUN, &range, visit_run, &found));
    if (found.place == 0) {
        return KLM_E_NOTFOUND;
    }
    *out = found;
    return KLM_OK;
}

klm_rc md_run_at(struct st_view *view, const char *name, uint64_t place, struct md_placed *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct md_group_key key = md_group_run_key(name, place);
    struct klm_slice record;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(st_get(view, ST_GROUP_RUN, md_group_key_slice(&key), pool, &record));
    KLM_TRY(decode_run(record, &out->run));
    out->place = place;
    return KLM_OK;
}

static klm_rc visit_first(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key;
    return damaged ? KLM_E_CORRUPT : md_number_of(record, arg);
}

/* The run that begins at or before an alias, nearest to it: its place, 0 when there is none. */
static klm_rc nearest(struct st_view *view, const char *name, const char *alias, uint64_t *place)
{
    struct md_group_key key = md_group_first_key(name, alias), prefix = md_group_key(name);
    struct st_range range = {.reverse = true, .limit = 1};

    prefix.p[prefix.n] = key.p[prefix.n]; /* aliases of its kind */
    prefix.n++;
    key.p[key.n++] = 1; /* the alias itself counts: what lies before the first key behind it */
    range.prefix = md_group_key_slice(&prefix);
    range.after = md_group_key_slice(&key);
    *place = 0;
    return st_scan(view, ST_GROUP_FIRST, &range, visit_first, place);
}

klm_rc md_run_meeting(struct st_view *view, const char *name, const struct klm_alias_run *run,
                      struct md_placed *out)
{
    struct md_placed found;
    uint64_t place;

    KLM_TRY(nearest(view, name, run->last, &place));
    if (place == 0) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(md_run_at(view, name, place, &found));
    if (!klm_alias_runs_meet(&found.run, run)) {
        return KLM_E_NOTFOUND;
    }
    *out = found;
    return KLM_OK;
}
