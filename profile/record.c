/* Profiles in the store. The record of class, 0, name: version, UACC, trace, time made, owner, STDATA user and group, number of
 * entries, id and access of each. The options of a class stand under class, 0: no name is empty, so the two never meet. */
#include "base/buf.h"
#include "profile/pr.h"

#include <string.h>

#define VERSION 1
#define TEXT_MAX 64

struct key {
    uint8_t p[ST_KEY_MAX];
    size_t n;
};

static void record_key(enum pr_class class, const char *name, struct key *key)
{
    const char *first = pr_class_name(class);
    size_t n = strlen(first) + 1, len = strnlen(name, PR_NAME_MAX);

    memcpy(key->p, first, n);
    memcpy(key->p + n, name, len);
    key->n = n + len;
}

static struct klm_slice slice(const struct key *key)
{
    return KLM_SLICE(key->p, key->n);
}

/* ---- Encode, decode */

static klm_rc encode(const struct pr_profile *profile, struct klm_buf *out)
{
    klm_buf_u8(out, VERSION);
    klm_buf_u8(out, (uint8_t)profile->uacc);
    klm_buf_u8(out, profile->trace);
    klm_buf_u64(out, (uint64_t)profile->made);
    klm_buf_str16(out, profile->owner);
    klm_buf_str16(out, profile->user);
    klm_buf_str16(out, profile->group);
    klm_buf_u32(out, (uint32_t)profile->n);
    for (size_t i = 0; i < profile->n; i++) {
        klm_buf_str16(out, profile->entry[i].id);
        klm_buf_u8(out, (uint8_t)profile->entry[i].access);
    }
    return klm_buf_rc(out);
}

static klm_rc decode_entries(struct klm_cur *cur, struct klm_pool *pool, struct pr_profile *out)
{
    uint32_t n;

    klm_cur_u32(cur, &n);
    if (klm_cur_rc(cur) != KLM_OK || n > PR_ENTRIES_MAX) {
        return KLM_E_CORRUPT;
    }
    out->entry = klm_pool_alloc(pool, (n ? n : 1) * sizeof *out->entry);
    if (!out->entry) {
        return KLM_E_NOMEM;
    }
    for (out->n = 0; out->n < n; out->n++) {
        uint8_t access;

        klm_cur_str16(cur, pool, PR_ID_MAX, &out->entry[out->n].id);
        klm_cur_u8(cur, &access);
        if (klm_cur_rc(cur) != KLM_OK || access > PR_ALTER ||
            (out->n > 0 && strcmp(out->entry[out->n - 1].id, out->entry[out->n].id) >= 0)) {
            return KLM_E_CORRUPT;
        }
        out->entry[out->n].access = (enum pr_access)access;
    }
    return KLM_OK;
}

/* Class and name come from the key. */
static klm_rc decode(struct klm_slice record, struct klm_pool *pool, struct pr_profile *out)
{
    struct klm_cur cur;
    uint8_t version, uacc, trace;
    uint64_t made;

    klm_cur_init(&cur, record);
    klm_cur_u8(&cur, &version);
    klm_cur_u8(&cur, &uacc);
    klm_cur_u8(&cur, &trace);
    klm_cur_u64(&cur, &made);
    if (klm_cur_rc(&cur) != KLM_OK || version != VERSION || uacc > PR_ALTER) {
        return KLM_E_CORRUPT;
    }
    klm_cur_str16(&cur, pool, TEXT_MAX, &out->owner);
    klm_cur_str16(&cur, pool, TEXT_MAX, &out->user);
    klm_cur_str16(&cur, pool, TEXT_MAX, &out->group);
    KLM_TRY(decode_entries(&cur, pool, out));
    klm_cur_end(&cur);
    out->uacc = (enum pr_access)uacc;
    out->trace = trace != 0;
    out->made = (klm_time)made;
    return klm_cur_rc(&cur) == KLM_OK ? KLM_OK : KLM_E_CORRUPT;
}

/* What protects when a record is damaged. */
static struct pr_profile closed(enum pr_class class, const char *name)
{
    return (struct pr_profile){
        .class = class, .name = name, .owner = "", .user = "", .group = "", .uacc = PR_NONE};
}

/* ---- One profile */

klm_rc pr_get(struct st_view *view, enum pr_class class, const char *name, struct klm_pool *pool,
              struct pr_profile *out)
{
    struct pr_profile profile;
    struct klm_slice record;
    struct key key;

    KLM_TRY(pr_name_check(name));
    record_key(class, name, &key);
    KLM_TRY(st_get(view, ST_PROFILE, slice(&key), pool, &record));
    profile = closed(class, klm_pool_str(pool, name));
    KLM_TRY(profile.name ? decode(record, pool, &profile) : KLM_E_NOMEM);
    *out = profile;
    return KLM_OK;
}

static klm_rc check(const struct pr_profile *profile)
{
    KLM_TRY(pr_name_check(profile->name));
    if (profile->n > PR_ENTRIES_MAX || strlen(profile->owner) > TEXT_MAX ||
        strlen(profile->user) > TEXT_MAX || strlen(profile->group) > TEXT_MAX) {
        return KLM_E_LIMIT;
    }
    for (size_t i = 0; i < profile->n; i++) {
        KLM_TRY(pr_id_check(profile->entry[i].id));
    }
    return KLM_OK;
}

klm_rc pr_put(struct st_change *change, const struct pr_profile *profile)
{
    struct klm_buf buf;
    struct key key;
    klm_rc rc;

    KLM_TRY(check(profile));
    record_key(profile->class, profile->name, &key);
    klm_buf_init(&buf, ST_RECORD_MAX);
    rc = encode(profile, &buf);
    if (rc == KLM_OK) {
        rc = st_put(change, ST_PROFILE, slice(&key), klm_buf_as_slice(&buf));
    }
    klm_buf_done(&buf);
    return rc;
}

klm_rc pr_delete(struct st_change *change, enum pr_class class, const char *name)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record;
    struct key key;
    klm_rc rc;

    KLM_TRY(pr_name_check(name));
    KLM_TRY(klm_pool_new(0, &pool));
    record_key(class, name, &key);
    rc = st_get(st_change_view(change), ST_PROFILE, slice(&key), pool, &record);
    if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    return st_delete(change, ST_PROFILE, slice(&key));
}

/* ---- All of a class */

struct scan {
    enum pr_class class;
    size_t prefix;
    pr_visit_fn *visit;
    void *arg;
};

static klm_rc visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct scan *scan = arg;
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct pr_profile profile;
    const char *name;
    klm_rc rc = KLM_E_CORRUPT;

    if (key.n == scan->prefix) {
        return KLM_OK; /* the options */
    }
    KLM_TRY(klm_pool_new(0, &pool));
    name = klm_pool_strn(pool, (const char *)key.p + scan->prefix, key.n - scan->prefix);
    if (!name) {
        return KLM_E_NOMEM;
    }
    profile = closed(scan->class, name);
    if (!damaged) {
        rc = decode(record, pool, &profile);
        KLM_TRY(rc == KLM_E_NOMEM ? rc : KLM_OK);
    }
    if (rc != KLM_OK) {
        profile = closed(scan->class, name);
    }
    return scan->visit(scan->arg, &profile, rc != KLM_OK);
}

klm_rc pr_scan(struct st_view *view, enum pr_class class, pr_visit_fn *fn, void *arg)
{
    struct scan scan = {class, 0, fn, arg};
    struct st_range range = {0};
    struct key key;

    record_key(class, "", &key);
    scan.prefix = key.n;
    range.prefix = slice(&key);
    return st_scan(view, ST_PROFILE, &range, visit, &scan);
}

/* ---- Access lists */

/* Where an id stands, or belongs. */
static size_t place(const struct pr_profile *profile, const char *id, bool *there)
{
    size_t i = 0;

    while (i < profile->n && strcmp(profile->entry[i].id, id) < 0) {
        i++;
    }
    *there = i < profile->n && strcmp(profile->entry[i].id, id) == 0;
    return i;
}

klm_rc pr_permit(struct pr_profile *profile, struct klm_pool *pool, const char *id,
                 enum pr_access access)
{
    struct pr_entry *entry;
    bool there;
    size_t at = place(profile, id, &there);

    if (there) {
        profile->entry[at].access = access;
        return KLM_OK;
    }
    if (profile->n >= PR_ENTRIES_MAX) {
        return KLM_E_LIMIT;
    }
    entry = klm_pool_alloc(pool, (profile->n + 1) * sizeof *entry);
    if (!entry) {
        return KLM_E_NOMEM;
    }
    if (profile->n > 0) {
        memcpy(entry, profile->entry, at * sizeof *entry);
        memcpy(entry + at + 1, profile->entry + at, (profile->n - at) * sizeof *entry);
    }
    entry[at] = (struct pr_entry){id, access};
    profile->entry = entry;
    profile->n++;
    return KLM_OK;
}

klm_rc pr_forget(struct pr_profile *profile, const char *id)
{
    bool there;
    size_t at = place(profile, id, &there);

    if (!there) {
        return KLM_E_NOTFOUND;
    }
    profile->n--;
    memmove(profile->entry + at, profile->entry + at + 1,
            (profile->n - at) * sizeof *profile->entry);
    return KLM_OK;
}

/* ---- Options */

enum option_bit { BIT_ACTIVE = 1, BIT_GENERIC = 2, BIT_RACLIST = 4 };

klm_rc pr_options_get(struct st_view *view, enum pr_class class, struct pr_options *out,
                      bool *damaged)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record;
    struct key key;
    bool bad;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    record_key(class, "", &key);
    rc = st_get(view, ST_PROFILE, slice(&key), pool, &record);
    bad = rc == KLM_E_CORRUPT || (rc == KLM_OK && (record.n != 2 || record.p[0] != VERSION));
    KLM_TRY(bad || rc == KLM_E_NOTFOUND ? KLM_OK : rc);
    if (damaged) {
        *damaged = bad;
    }
    if (bad || rc == KLM_E_NOTFOUND) {
        *out = (struct pr_options){.active = bad, .generic = true};
        return KLM_OK;
    }
    *out = (struct pr_options){.active = (record.p[1] & BIT_ACTIVE) != 0,
                               .generic = (record.p[1] & BIT_GENERIC) != 0,
                               .raclist = (record.p[1] & BIT_RACLIST) != 0};
    return KLM_OK;
}

klm_rc pr_options_put(struct st_change *change, enum pr_class class,
                      const struct pr_options *options)
{
    const uint8_t record[2] = {VERSION, (uint8_t)((options->active ? BIT_ACTIVE : 0) |
                                                  (options->generic ? BIT_GENERIC : 0) |
                                                  (options->raclist ? BIT_RACLIST : 0))};
    struct key key;

    record_key(class, "", &key);
    return st_put(change, ST_PROFILE, slice(&key), KLM_SLICE(record, sizeof record));
}
