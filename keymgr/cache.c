/* The cache of managed objects. Two kinds of entries:
 *   'o', identifier        flags (1; 1: never served yet), type (4), device group (s8), names as TTLV (4, n), the object as it stands in the answer to a Get, as TTLV and sealed (the rest, may be empty)
 *   'r', key of index rows identifiers of the on-line objects with a name (s8 each): all there are
 * Only on-line objects are in it. What stands here of an object changes with its record or token alone, never with time. */
#include "keymgr/cache.h"
#include "keymgr/served.h"
#include "metadata/cartridge.h"

#include "base/cache.h"
#include "keyring/guard.h"
#include "kmip/codec/gate.h"
#include "kmip/codec/ttlv.h"

#include <stdlib.h>
#include <string.h>

#define OF_OBJECT 'o'
#define OF_ROWS 'r'
#define FRESH 1     /* a flag */
#define NAMESAKES 8 /* objects of one name that are remembered; there is hardly more than one */
#define KEY_MAX (1 + MD_ROWS_MAX)

struct km_cache {
    struct klm_cache *bytes;
    struct kr_guard *guard;
    struct km_server *server;
};

/* ---- Keys */

struct key {
    uint8_t p[KEY_MAX];
    size_t n;
};

static struct key key_of(uint8_t kind, const void *p, size_t n)
{
    struct key key = {.p = {kind}, .n = 1 + n};

    memcpy(key.p + 1, p, n);
    return key;
}

static struct key key_of_object(const char *uid)
{
    return key_of(OF_OBJECT, uid, strnlen(uid, MD_UID_MAX));
}

static struct klm_slice slice(const struct key *key)
{
    return KLM_SLICE(key->p, key->n);
}

/* ---- What the store writes */

static void touch(struct km_cache *cache, uint8_t kind, struct klm_slice name, uint64_t number)
{
    struct key key;

    if (name.n > 0 && name.n < KEY_MAX) {
        key = key_of(kind, name.p, name.n);
        klm_cache_touch(cache->bytes, slice(&key), number);
    }
}

static void touched(void *arg, enum st_table table, struct klm_slice key, uint64_t number)
{
    const size_t prefix = strlen(MD_MATERIAL_PREFIX);

    if (table == ST_OBJECT) {
        touch(arg, OF_OBJECT, key, number);
    } else if (table == ST_OBJECT_INDEX) {
        touch(arg, OF_ROWS, KLM_SLICE(key.p, md_rows_begin(key)), number);
    } else if (table == ST_TOKEN && key.n > prefix &&
               memcmp(key.p, MD_MATERIAL_PREFIX, prefix) == 0) {
        touch(arg, OF_OBJECT, KLM_SLICE(key.p + prefix, key.n - prefix), number);
    }
}

/* ---- Life */

klm_rc km_cache_new(struct km_server *server, size_t bytes, struct km_cache **out)
{
    KLM_AUTO(km_cache_free) struct km_cache *cache = calloc(1, sizeof *cache);

    if (!cache) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(klm_cache_new(bytes, &cache->bytes));
    KLM_TRY(kr_guard_new(&cache->guard));
    cache->server = server;
    st_watch(server->store, touched, cache);
    *out = cache;
    cache = NULL;
    return KLM_OK;
}

void km_cache_free(struct km_cache **cache)
{
    if (!*cache) {
        return;
    }
    if ((*cache)->server) {
        st_watch((*cache)->server->store, NULL, NULL);
    }
    klm_cache_free(&(*cache)->bytes);
    kr_guard_free(&(*cache)->guard);
    free(*cache);
    *cache = NULL;
}

klm_rc km_cache_rows(struct km_call *call)
{
    struct km_cache *cache = call->server->cache;
    struct klm_cache_use use;

    klm_cache_usage(cache->bytes, &use);
    KLM_TRY(
        km_rows_add(call, (const char *[]){"Objects and names in memory", KLM_NUM(use.entries)}));
    KLM_TRY(km_rows_add(
        call, (const char *[]){"Bytes of them, and at most",
                               klm_pool_printf(call->pool, "%zu of %zu", use.bytes, use.limit)}));
    return km_rows_add(call, (const char *[]){"Found there, and not",
                                              klm_pool_printf(call->pool, "%llu, %llu",
                                                              (unsigned long long)use.hits,
                                                              (unsigned long long)use.misses)});
}

/* The cache, where a call may use it: a draft shows what is not in the store yet. */
static struct km_cache *cache_for(const struct km_call *call)
{
    return call->draft ? NULL : call->server->cache;
}

/* ---- An object in the cache */

struct known {
    struct md_object object; /* identifier, type, group; its names, once they are asked for */
    struct klm_slice names, item;
    bool fresh;
};

static bool read_known(struct klm_slice value, const char *uid, struct known *out)
{
    struct klm_slice group;
    struct klm_cur cur;
    uint8_t flags;

    *out = (struct known){.names = {NULL, 0}};
    klm_cur_init(&cur, value);
    klm_cur_u8(&cur, &flags);
    klm_cur_u32(&cur, &out->object.type);
    klm_cur_lp8(&cur, MD_GROUP_MAX, &group);
    klm_cur_lp32(&cur, ST_RECORD_MAX, &out->names);
    klm_cur_bytes(&cur, klm_cur_left(&cur), &out->item);
    if (klm_cur_rc(&cur) != KLM_OK) {
        return false;
    }
    out->fresh = flags & FRESH;
    memcpy(out->object.group, group.p, group.n);
    memcpy(out->object.uid, uid, strnlen(uid, MD_UID_MAX - 1));
    return true;
}

static bool find_known(struct km_cache *cache, const char *uid, struct klm_pool *pool,
                       struct known *out)
{
    const struct key key = key_of_object(uid);
    struct klm_slice value = {NULL, 0};

    return klm_cache_get(cache->bytes, slice(&key), pool, &value) && read_known(value, uid, out);
}

static void put_names(const struct md_attrs *attrs, struct klm_buf *out)
{
    struct klm_buf names;

    klm_buf_init(&names, ST_RECORD_MAX);
    for (const struct md_attr *name = md_attr_find(attrs, KMIP_TAG_Name); name;
         name = md_attr_next(attrs, name)) {
        kmip_ttlv_encode(name->value, KMIP_V_ANY, &names);
    }
    if (klm_buf_rc(&names) == KLM_OK) {
        klm_buf_lp32(out, klm_buf_as_slice(&names));
    } else {
        out->rc = klm_buf_rc(&names);
    }
    klm_buf_done(&names);
}

/* item NULL: of it nothing is known but what it is called. */
static klm_rc put_known(const struct km_cache *cache, const struct md_object *object,
                        const struct kmip_node *item, struct klm_buf *out)
{
    struct klm_buf clear;
    klm_rc rc;

    klm_buf_u8(out, md_attr_number(&object->attrs, KMIP_TAG_Fresh, false) ? FRESH : 0);
    klm_buf_u32(out, object->type);
    klm_buf_lp8(out, klm_slice_str(object->group));
    put_names(&object->attrs, out);
    KLM_TRY(klm_buf_rc(out));
    if (!item) {
        return KLM_OK;
    }
    klm_buf_init_wiping(&clear, KLM_CACHE_VALUE_MAX);
    kmip_ttlv_encode(item, KMIP_V_ANY, &clear);
    rc = klm_buf_rc(&clear);
    if (rc == KLM_OK) {
        rc = kr_guard_seal(cache->guard, klm_slice_str(object->uid), klm_buf_as_slice(&clear), out);
    }
    klm_buf_done(&clear);
    return rc;
}

static void keep(struct km_cache *cache, const struct md_object *object,
                 const struct kmip_node *item, uint64_t number)
{
    const struct key key = key_of_object(object->uid);
    struct klm_buf value;

    klm_buf_init(&value, KLM_CACHE_VALUE_MAX);
    if (put_known(cache, object, item, &value) == KLM_OK) {
        klm_cache_put(cache->bytes, slice(&key), number, klm_buf_as_slice(&value));
    }
    klm_buf_done(&value);
}

/* ---- Get */

/* The object as it is, for a master key that need not be asked for each one. */
static bool as_it_is(const struct km_call *call, const struct km_object_get *req)
{
    return req->uid && !req->format && !req->compression && !req->wrap_type && !req->wrapping &&
           !kr_master_is_strict(call->server->master);
}

/* Some versions are given another format than the one that is kept here. */
static bool suits(const struct kmip_node *item, int version)
{
    const struct kmip_node *format =
        kmip_child(kmip_child(item, KMIP_TAG_KeyBlock), KMIP_TAG_KeyFormatType);

    return !format || km_format_known((uint32_t)format->number, version) == format->number;
}

bool km_cache_get(struct km_call *call, struct km_object_get *req)
{
    struct km_cache *cache = cache_for(call);
    const char *group = km_call_group(call);
    struct klm_slice clear = {NULL, 0};
    struct kmip_node *item = NULL;
    struct known known;

    if (!cache || !as_it_is(call, req) || !find_known(cache, req->uid, call->pool, &known) ||
        known.item.n == 0 || (group && strcmp(group, known.object.group) != 0) ||
        (known.fresh && !km_served_note(call->server->served, req->uid)) ||
        kr_guard_open(cache->guard, klm_slice_str(req->uid), known.item, call->pool, &clear) !=
            KLM_OK ||
        kmip_ttlv_decode(clear, NULL, call->pool, &item) != KLM_OK) {
        return false;
    }
    if (!suits(item, req->version) ||
        !kmip_value_known(KMIP_E_ObjectType, known.object.type, req->version)) {
        return false;
    }
    req->object = known.object;
    req->item = item;
    return true;
}

/* The event of each Get of such a key names the cartridge: it is read from the object. */
static bool names_cartridge(const struct md_object *object)
{
    struct md_cartridge cartridge;

    return md_cartridge(object, &cartridge);
}

void km_cache_keep(struct km_call *call, struct st_view *view, const struct km_object_get *req)
{
    struct km_cache *cache = cache_for(call);

    if (cache && as_it_is(call, req) && md_object_online(&req->object) &&
        !names_cartridge(&req->object)) {
        keep(cache, &req->object, req->item, st_view_number(view));
    }
}

/* ---- New objects */

/* As a Get would find it: neither refused nor written by it. */
static bool can_leave(const struct md_object *object)
{
    return md_attr_number(&object->attrs, KMIP_TAG_Extractable, 1) &&
           !md_attr_number(&object->attrs, KMIP_TAG_Sensitive, 0) && km_served_suits(object) &&
           !names_cartridge(object);
}

struct klm_slice km_cache_new_object(struct km_call *call, const struct md_object *object,
                                     const struct kmip_node *item)
{
    struct km_cache *cache = cache_for(call);
    struct klm_slice known = {NULL, 0};
    struct klm_buf value;

    if (!cache || kr_master_is_strict(call->server->master) || !md_object_online(object)) {
        return known;
    }
    klm_buf_init(&value, KLM_CACHE_VALUE_MAX);
    if (put_known(cache, object, can_leave(object) ? item : NULL, &value) != KLM_OK ||
        klm_pool_slice(call->pool, klm_buf_as_slice(&value), &known) != KLM_OK) {
        known = KLM_SLICE(NULL, 0);
    }
    klm_buf_done(&value);
    return known;
}

static void made_name(const struct km_cache *cache, const struct md_object *object,
                      const struct kmip_node *name, bool alone, uint64_t number)
{
    struct key key = {.p = {OF_ROWS}};
    uint8_t row[1 + MD_UID_MAX];
    const size_t n = strnlen(object->uid, MD_UID_MAX - 1);

    if (!md_name_rows(name, object->group, KMIP_StorageStatusMask_OnLineStorage, key.p + 1,
                      &key.n)) {
        return;
    }
    key.n++;
    row[0] = (uint8_t)n;
    memcpy(row + 1, object->uid, n);
    if (alone) {
        klm_cache_put(cache->bytes, slice(&key), number, KLM_SLICE(row, 1 + n));
    } else {
        klm_cache_touch(cache->bytes, slice(&key), number);
    }
}

void km_cache_made(struct km_call *call, const struct md_object *object, struct klm_slice known,
                   bool alone)
{
    const struct km_cache *cache = call->server->cache;
    const struct key key = key_of_object(object->uid);
    const uint64_t number = st_number(call->server->store);

    if (known.n == 0 || call->batched) {
        return;
    }
    klm_cache_put(cache->bytes, slice(&key), number, known);
    for (const struct md_attr *name = md_attr_find(&object->attrs, KMIP_TAG_Name); name;
         name = md_attr_next(&object->attrs, name)) {
        made_name(cache, object, name->value, alone, number);
    }
}

/* ---- Objects that are fresh no longer */

struct km_cache_again {
    struct key key;
    uint8_t *p; /* NULL: nothing is known of it */
    size_t n;
};

struct km_cache_again *km_cache_again(struct km_cache *cache, char (*uid)[MD_UID_MAX], size_t n,
                                      struct klm_pool *pool)
{
    struct km_cache_again *again = klm_pool_alloc(pool, n * sizeof *again);

    for (size_t i = 0; i < n && again; i++) {
        struct klm_slice value = {NULL, 0};

        again[i].key = key_of_object(uid[i]);
        if (klm_cache_get(cache->bytes, slice(&again[i].key), pool, &value)) {
            again[i].p = klm_pool_copy(pool, value.p, value.n);
            again[i].n = value.n;
        }
    }
    return again;
}

void km_cache_put_again(struct km_cache *cache, const struct km_cache_again *again, size_t n)
{
    for (size_t i = 0; i < n && again; i++) {
        if (again[i].p) {
            again[i].p[0] &= (uint8_t)~FRESH;
            klm_cache_put(cache->bytes, slice(&again[i].key), st_number(cache->server->store),
                          KLM_SLICE(again[i].p, again[i].n));
        }
    }
}

/* ---- Locate */

/* The names of a known object, as attributes. */
static klm_rc open_names(struct known *known, struct klm_pool *pool)
{
    struct klm_buf list;
    struct klm_slice bytes = {NULL, 0};
    struct kmip_node *root = NULL;
    klm_rc rc;

    md_attrs_init(&known->object.attrs, pool);
    klm_buf_init(&list, ST_RECORD_MAX + KMIP_TTLV_HEAD);
    klm_buf_u24(&list, KMIP_TAG_Attributes);
    klm_buf_u8(&list, KMIP_STRUCTURE);
    klm_buf_lp32(&list, known->names);
    rc = klm_buf_rc(&list);
    rc = rc == KLM_OK ? klm_pool_slice(pool, klm_buf_as_slice(&list), &bytes) : rc;
    klm_buf_done(&list);
    KLM_TRY(rc);
    KLM_TRY(kmip_ttlv_decode(bytes, NULL, pool, &root));
    for (const struct kmip_node *name = root->first; name; name = name->next) {
        KLM_TRY(md_attr_add(&known->object.attrs, name));
    }
    return KLM_OK;
}

struct namesakes {
    struct known at[NAMESAKES];
    size_t n;
};

/* Everything that is needed of what stands behind a key of rows; false: not all of it is known. */
static bool find_namesakes(struct km_call *call, struct klm_slice rows, struct namesakes *out)
{
    struct km_cache *cache = call->server->cache;
    struct klm_cur cur;

    klm_cur_init(&cur, rows);
    for (out->n = 0; klm_cur_left(&cur) > 0 && out->n < NAMESAKES; out->n++) {
        struct known *known = &out->at[out->n];
        char uid[MD_UID_MAX] = "";
        struct klm_slice text;

        klm_cur_lp8(&cur, MD_UID_MAX - 1, &text);
        if (klm_cur_rc(&cur) != KLM_OK) {
            return false;
        }
        memcpy(uid, text.p, text.n);
        if (!find_known(cache, uid, call->pool, known) || open_names(known, call->pool) != KLM_OK) {
            return false;
        }
    }
    return true;
}

/* Those that match, in order, within what is asked for. */
static klm_rc visit_namesakes(const struct km_locate *req, const struct namesakes *found,
                              md_object_fn *visit, void *arg)
{
    const struct md_locate *what = &req->what;
    uint64_t place = 0, given = 0;

    for (size_t i = 0; i < found->n; i++) {
        const struct md_object *object = &found->at[what->newest ? found->n - 1 - i : i].object;

        if (md_matches(object, what) && place++ >= what->offset &&
            (what->max == 0 || given < what->max)) {
            given++;
            KLM_TRY(visit(arg, object));
        }
    }
    return KLM_OK;
}

klm_rc km_cache_locate(struct km_call *call, struct km_locate *req, md_object_fn *visit, void *arg,
                       bool *answered)
{
    struct km_cache *cache = cache_for(call);
    struct namesakes *found;
    struct klm_slice rows = {NULL, 0};
    struct key key = {.p = {OF_ROWS}};
    uint64_t entry;

    *answered = false;
    if (!cache || req->counts || !md_locate_rows(&req->what, key.p + 1, &key.n)) {
        return KLM_OK;
    }
    key.n++;
    entry = klm_cache_get(cache->bytes, slice(&key), call->pool, &rows);
    found = entry ? klm_pool_alloc(call->pool, sizeof *found) : NULL;
    /* Had a name gone from one object to another meanwhile, the rows would have been touched. */
    if (!found || !find_namesakes(call, rows, found) ||
        klm_cache_entry(cache->bytes, slice(&key)) != entry) {
        return KLM_OK;
    }
    *answered = true;
    return visit_namesakes(req, found, visit, arg);
}

/* An object that is not known yet. What is known of one may be more than a search needs. */
static void learn(struct km_call *call, struct st_view *view, const char *uid)
{
    struct km_cache *cache = call->server->cache;
    const struct key key = key_of_object(uid);
    struct md_object object;

    if (!klm_cache_entry(cache->bytes, slice(&key)) &&
        md_object_get(view, uid, call->pool, &object) == KLM_OK && md_object_online(&object)) {
        keep(cache, &object, NULL, st_view_number(view));
    }
}

void km_cache_located(struct km_call *call, struct st_view *view, const struct km_locate *req)
{
    struct km_cache *cache = cache_for(call);
    char uid[NAMESAKES + 1][MD_UID_MAX];
    struct key key = {.p = {OF_ROWS}};
    struct klm_buf rows;
    size_t n = 0;

    if (!cache || req->counts || !md_locate_rows(&req->what, key.p + 1, &key.n)) {
        return;
    }
    key.n++;
    if (md_rows_read(view, KLM_SLICE(key.p + 1, key.n - 1), uid, NAMESAKES, &n) != KLM_OK) {
        return;
    }
    klm_buf_init(&rows, NAMESAKES * MD_UID_MAX);
    for (size_t i = 0; i < n; i++) {
        klm_buf_lp8(&rows, klm_slice_str(uid[i]));
        learn(call, view, uid[i]);
    }
    if (klm_buf_rc(&rows) == KLM_OK) {
        klm_cache_put(cache->bytes, slice(&key), st_view_number(view), klm_buf_as_slice(&rows));
    }
    klm_buf_done(&rows);
}
