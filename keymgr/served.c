/* The set of served objects: a hash table of identifiers; what the writer takes out is taken from a place that goes round. */
#include "keymgr/served.h"

#include "keymgr/cache.h"
#include "keymgr/internal.h"

#include <stdlib.h>
#include <string.h>

#define PLACES_FIRST 256
#define MOST 262144 /* noted at once; then first Gets are changes again */
#define FLUSH 128   /* of one change */
#define TABLE_KEPT 4096

/* What goes into the store together. */
struct flush {
    char uid[FLUSH][MD_UID_MAX];
    size_t n;
};

struct km_served {
    pthread_mutex_t lock; /* guards what follows */
    char (*uid)[MD_UID_MAX];
    size_t places, n; /* half of the places stay free, so that a search ends soon */
    size_t next;      /* where the writer goes on */
    uint64_t seed;
    struct flush flush; /* the writer's: what is on its way, or was last */
};

klm_rc km_served_new(struct km_served **out)
{
    struct km_served *served = calloc(1, sizeof *served);
    klm_rc rc;

    if (!served) {
        return KLM_E_NOMEM;
    }
    rc = klm_random(&served->seed, sizeof served->seed);
    if (rc != KLM_OK) {
        free(served);
        return rc;
    }
    pthread_mutex_init(&served->lock, NULL);
    *out = served;
    return KLM_OK;
}

void km_served_free(struct km_served **served)
{
    if (*served) {
        pthread_mutex_destroy(&(*served)->lock);
        free((*served)->uid);
        free(*served);
        *served = NULL;
    }
}

bool km_served_suits(const struct md_object *object)
{
    return !md_attr_find(&object->attrs, KMIP_TAG_ObjectGroup);
}

/* ---- The table, under its lock */

static size_t hash_of(const struct km_served *served, const char *uid)
{
    uint64_t h = served->seed;

    for (; *uid; uid++) {
        h = (h ^ (uint8_t)*uid) * 0x100000001b3u;
    }
    return (size_t)(h ^ h >> 32);
}

/* Where it stands, or the free place where it would. */
static size_t place_of(const struct km_served *served, const char *uid)
{
    size_t at = hash_of(served, uid) & (served->places - 1);

    while (served->uid[at][0] && strcmp(served->uid[at], uid) != 0) {
        at = (at + 1) & (served->places - 1);
    }
    return at;
}

static void put(struct km_served *served, const char *uid)
{
    const size_t at = place_of(served, uid);

    if (!served->uid[at][0]) {
        memcpy(served->uid[at], uid, strlen(uid) + 1);
        served->n++;
    }
}

static bool grow(struct km_served *served)
{
    char(*old)[MD_UID_MAX] = served->uid;
    const size_t had = served->places, places = had ? had * 2 : PLACES_FIRST;
    char(*fresh)[MD_UID_MAX] = calloc(places, sizeof *fresh);

    if (!fresh) {
        return false;
    }
    served->uid = fresh;
    served->places = places;
    served->n = 0;
    served->next = 0;
    for (size_t i = 0; i < had; i++) {
        if (old[i][0]) {
            put(served, old[i]);
        }
    }
    free(old);
    return true;
}

/* What stands behind a place that becomes free is put again, so that it is still found. */
static void take_out(struct km_served *served, const char *uid)
{
    size_t at = served->places ? place_of(served, uid) : 0;
    char moved[MD_UID_MAX];

    if (!served->places || !served->uid[at][0]) {
        return;
    }
    served->uid[at][0] = '\0';
    served->n--;
    for (at = (at + 1) & (served->places - 1); served->uid[at][0];
         at = (at + 1) & (served->places - 1)) {
        memcpy(moved, served->uid[at], sizeof moved);
        served->uid[at][0] = '\0';
        served->n--;
        put(served, moved);
    }
}

/* ---- Asked by calls */

bool km_served_note(struct km_served *served, const char *uid)
{
    bool noted;

    if (strlen(uid) >= MD_UID_MAX) {
        return false;
    }
    pthread_mutex_lock(&served->lock);
    noted = served->n < MOST && (served->n < served->places / 2 || grow(served));
    if (noted) {
        put(served, uid);
    }
    pthread_mutex_unlock(&served->lock);
    return noted;
}

bool km_served_has(void *arg, const char *uid)
{
    struct km_served *served = arg;
    bool has;

    pthread_mutex_lock(&served->lock);
    has = served->n > 0 && served->uid[place_of(served, uid)][0];
    pthread_mutex_unlock(&served->lock);
    return has;
}

size_t km_served_count(struct km_served *served)
{
    size_t n;

    pthread_mutex_lock(&served->lock);
    n = served->n;
    pthread_mutex_unlock(&served->lock);
    return n;
}

klm_rc km_served_apply(struct km_served *served, struct md_object *object)
{
    return md_attr_number(&object->attrs, KMIP_TAG_Fresh, false) &&
                   km_served_has(served, object->uid)
               ? md_attr_set_number(&object->attrs, KMIP_TAG_Fresh, false)
               : KLM_OK;
}

/* ---- Into the store */

static void take_some(struct km_served *served)
{
    struct flush *flush = &served->flush;

    pthread_mutex_lock(&served->lock);
    flush->n = 0;
    for (size_t i = 0; i < served->places && flush->n < FLUSH; i++) {
        const size_t at = (served->next + i) & (served->places - 1);

        if (served->uid[at][0]) {
            memcpy(flush->uid[flush->n++], served->uid[at], MD_UID_MAX);
            served->next = at + 1;
        }
    }
    pthread_mutex_unlock(&served->lock);
}

/* What went into the store last time. It was not forgotten then, because there were readers who did not see it in the store yet. */
static void forget(struct km_served *served)
{
    pthread_mutex_lock(&served->lock);
    for (size_t i = 0; i < served->flush.n; i++) {
        take_out(served, served->flush.uid[i]);
    }
    served->flush.n = 0;
    if (served->n == 0 && served->places > TABLE_KEPT) {
        free(served->uid);
        served->uid = NULL;
        served->places = served->next = 0;
    }
    pthread_mutex_unlock(&served->lock);
}

/* What was destroyed or changed meanwhile is left as it is: either it is no longer fresh, or it is gone. A damaged one stays damaged. */
static klm_rc mark(struct st_change *change, const char *uid, struct klm_pool *pool)
{
    struct md_object object;
    klm_rc rc = md_object_get(st_change_view(change), uid, pool, &object);

    if (rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT ||
        (rc == KLM_OK && !md_attr_number(&object.attrs, KMIP_TAG_Fresh, false))) {
        return KLM_OK;
    }
    KLM_TRY(rc);
    KLM_TRY(md_attr_set_number(&object.attrs, KMIP_TAG_Fresh, false));
    return md_object_put(change, &object);
}

static klm_rc mark_all(struct km_server *server, struct flush *flush)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct km_cache_again *again;
    struct st_change *change = NULL;
    klm_rc rc = klm_pool_new(0, &pool);

    KLM_TRY(rc);
    KLM_TRY(st_change_open(server->store, &change));
    for (size_t i = 0; i < flush->n && rc == KLM_OK; i++) {
        rc = mark(change, flush->uid[i], pool);
    }
    again = km_cache_again(server->cache, flush->uid, flush->n, pool);
    if (rc == KLM_OK) {
        rc = st_change_commit_lazy(&change, NULL);
    }
    if (rc == KLM_OK) {
        km_cache_put_again(server->cache, again, flush->n);
    }
    st_change_drop(&change);
    return rc;
}

klm_rc km_served_flush(struct km_server *server)
{
    struct km_served *served = server->served;
    klm_rc rc;

    forget(served);
    if (km_served_count(served) == 0) {
        return KLM_OK;
    }
    take_some(served);
    rc = mark_all(server, &served->flush);
    if (rc != KLM_OK) {
        served->flush.n = 0; /* they stay noted */
    }
    return rc;
}
