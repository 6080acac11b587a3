/* Searching for managed objects: the way with the fewest candidates, and of each candidate what its record says. */
#include "metadata/object_int.h"

#include "base/msg.h"

#include <stdlib.h>
#include <string.h>

#define POOL_MAX                                                                                   \
    (8u << 20)          /* of a candidate: its record and tree; of a search: pages of identifiers */
#define CANDIDATES 8    /* ways that are compared */
#define STEP 8          /* how much farther they are looked along each time */
#define ACROSS_MAX 4096 /* identifiers that a search through all groups sorts */
#define LOOK_EVERY 64   /* candidates between two looks at the clock */
#define FILTER_ITEMS_MAX 1000u /* of all filters together */

struct search {
    struct st_view *view;
    const struct md_locate *locate;
    md_object_fn *visit;
    void *arg;
    bool counting; /* go on behind the last object that is visited */
    uint64_t found;
    unsigned considered;
    bool over;
    struct klm_pool *pool;      /* of the search */
    struct klm_pool *candidate; /* cleared for each */
};

/* ---- A candidate */

static klm_rc found_one(struct search *s, const struct md_object *object)
{
    const struct md_locate *locate = s->locate;
    const uint64_t place = s->found++; /* among those that match */
    const bool wanted =
        place >= locate->offset && (locate->max == 0 || place - locate->offset < locate->max);

    s->over = !s->counting && locate->max > 0 && place >= locate->offset &&
              place - locate->offset >= locate->max - 1;
    return wanted ? s->visit(s->arg, object) : KLM_OK;
}

/* Read an object; *there is false when there is none (a row too many of an index), or a damaged one. */
static klm_rc read_one(struct st_view *view, const char *uid, struct klm_pool *pool,
                       struct md_object *object, bool *there)
{
    klm_rc rc;

    klm_pool_clear(pool);
    rc = md_object_get(view, uid, pool, object);
    *there = rc == KLM_OK;
    if (rc == KLM_E_CORRUPT) {
        klm_say(KLM_MSG_OBJECT_DAMAGED, uid);
    }
    return rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT ? KLM_OK : rc;
}

static klm_rc in_time(const struct search *s)
{
    return s->locate->until_ms && klm_clock_mono_ms() >= s->locate->until_ms ? KLM_E_TIMEOUT
                                                                             : KLM_OK;
}

static klm_rc consider(struct search *s, const char *uid)
{
    struct md_object object;
    bool there;

    if (s->considered++ % LOOK_EVERY == 0) {
        KLM_TRY(in_time(s));
    }
    KLM_TRY(read_one(s->view, uid, s->candidate, &object, &there));
    if (there && s->locate->served && md_attr_number(&object.attrs, KMIP_TAG_Fresh, false) &&
        s->locate->served(s->locate->served_arg, uid)) {
        KLM_TRY(md_attr_set_number(&object.attrs, KMIP_TAG_Fresh, false));
    }
    return there && md_matches(&object, s->locate) ? found_one(s, &object) : KLM_OK;
}

static klm_rc follow(struct search *s, struct md_walk *walk)
{
    const char *uid;
    klm_rc rc = KLM_OK;

    while (rc == KLM_OK && !s->over) {
        rc = md_walk_next(walk, &uid);
        if (rc == KLM_OK) {
            rc = consider(s, uid);
        } else if (rc == KLM_E_NOTFOUND) {
            return KLM_OK;
        }
    }
    return rc;
}

/* ---- Which way */

/* A way to candidates: rows of what is indexed. */
struct way {
    struct md_what what;
    size_t rank;
    struct md_walk *walk; /* NULL: not begun */
};
struct ways {
    struct way way[CANDIDATES];
    size_t n;
};

/* In the order of rank; beyond CANDIDATES the worst are left out. */
static void add_way(struct ways *ways, const struct md_what *what, size_t rank)
{
    size_t at = ways->n;

    while (at > 0 && ways->way[at - 1].rank > rank) {
        at--;
    }
    if (at == CANDIDATES) {
        return;
    }
    if (ways->n < CANDIDATES) {
        ways->n++;
    }
    for (size_t i = ways->n - 1; i > at; i--) {
        ways->way[i].what = ways->way[i - 1].what;
        ways->way[i].rank = ways->way[i - 1].rank;
    }
    ways->way[at].what = *what;
    ways->way[at].rank = rank;
}

static klm_rc ways_of(const struct md_locate *locate, struct ways *ways)
{
    struct md_what what;
    struct md_term term;
    size_t rank;

    for (size_t i = 0; i < locate->filters; i++) {
        const struct kmip_node *filter = locate->filter[i];

        if (filter->tag == KMIP_TAG_ObjectType && filter->type == KMIP_ENUMERATION) {
            what = md_what_type((uint32_t)filter->number);
            add_way(ways, &what, SIZE_MAX - 1);
        } else if (md_term_of(filter, &term, &rank)) {
            KLM_TRY(md_what_term(&term, &what));
            add_way(ways, &what, rank);
        }
    }
    if (ways->n == 0) {
        what = md_what_group();
        add_way(ways, &what, SIZE_MAX);
    }
    return KLM_OK;
}

/* ---- In one device group */

/* How far it is worth looking before the search itself might be over. */
static size_t worth(const struct search *s)
{
    const struct md_locate *locate = s->locate;

    return s->counting || locate->max == 0 || locate->offset > SIZE_MAX / 64 ||
                   locate->max > SIZE_MAX / 64
               ? SIZE_MAX
               : (size_t)(locate->offset + locate->max) * 16 + MD_PAGE;
}

/* The shortest of ways that are all longer than a page: they are looked along in turn, farther each time. */
static klm_rc shortest(const struct search *s, const struct ways *ways, struct md_walk **out)
{
    const size_t worthy = worth(s);

    *out = ways->way[0].walk;
    for (size_t limit = MD_PAGE; limit < worthy; limit *= STEP) {
        for (size_t i = 0; i < ways->n; i++) {
            size_t n;

            KLM_TRY(in_time(s));
            KLM_TRY(md_walk_count(ways->way[i].walk, limit, &n));
            if (n < limit) {
                *out = ways->way[i].walk;
                return KLM_OK;
            }
        }
        if (limit > SIZE_MAX / STEP) {
            break;
        }
    }
    return KLM_OK;
}

static klm_rc begin(const struct search *s, struct way *way, bool *small)
{
    way->walk = klm_pool_alloc(s->pool, sizeof *way->walk);
    if (!way->walk) {
        return KLM_E_NOMEM;
    }
    way->walk->view = s->view;
    way->walk->newest = s->locate->newest;
    return md_walk_begin(way->walk, &way->what, s->locate->group, s->locate->storage, "", s->pool,
                         small);
}

/* Mostly the first way is a short one, and no other is looked at. */
static klm_rc in_group(struct search *s, struct ways *ways)
{
    struct md_walk *walk;
    bool small;

    for (size_t i = 0; i < ways->n; i++) {
        KLM_TRY(begin(s, &ways->way[i], &small));
        if (small || ways->n == 1) {
            return follow(s, ways->way[i].walk);
        }
    }
    KLM_TRY(shortest(s, ways, &walk));
    return follow(s, walk);
}

/* ---- Through all device groups: rows of a value lie by group there, so that their identifiers are sorted, if they are few */

struct across {
    const struct md_what *what;
    uint32_t storage;
    char (*uid)[MD_UID_MAX];
    size_t n, seen;
};

static klm_rc across_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct across *across = arg;
    uint8_t storage;

    (void)record, (void)damaged;
    across->seen++;
    if (across->n < ACROSS_MAX &&
        md_row_end(key, across->what->n, &storage, across->uid[across->n]) &&
        md_storage_within(storage, across->storage)) {
        across->n++;
    }
    return KLM_OK;
}

static int by_uid(const void *a, const void *b)
{
    return strcmp(a, b);
}

static klm_rc consider_all(struct search *s, const struct across *across)
{
    qsort(across->uid, across->n, sizeof *across->uid, by_uid);
    for (size_t i = 0; i < across->n && !s->over; i++) {
        KLM_TRY(consider(s, across->uid[s->locate->newest ? across->n - 1 - i : i]));
    }
    return KLM_OK;
}

static klm_rc through_all(struct search *s, const struct ways *ways)
{
    struct across across = {.storage = s->locate->storage};
    struct md_walk walk = {.view = s->view, .newest = s->locate->newest};
    bool small;

    across.uid = klm_pool_alloc(s->pool, ACROSS_MAX * sizeof *across.uid);
    if (!across.uid) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < ways->n && ways->way[i].rank < SIZE_MAX - 1; i++) {
        const struct md_row begin = md_row_begin(&ways->way[i].what, NULL, 0);
        const struct st_range range = {.prefix = KLM_SLICE(begin.p, begin.n), .limit = ACROSS_MAX};

        across.what = &ways->way[i].what;
        across.n = across.seen = 0;
        KLM_TRY(st_scan(s->view, ST_OBJECT_INDEX, &range, across_visit, &across));
        if (across.seen < ACROSS_MAX) {
            return consider_all(s, &across);
        }
    }
    KLM_TRY(md_walk_begin(&walk, NULL, NULL, 0, "", s->pool, &small));
    return follow(s, &walk);
}

/* ---- The search */

static unsigned items_of(const struct kmip_node *node, unsigned most)
{
    unsigned n = 1;

    if (node->type == KMIP_STRUCTURE) {
        for (node = node->first; node && n <= most; node = node->next) {
            n += items_of(node, most - n);
        }
    }
    return n;
}

static klm_rc check(const struct md_locate *locate)
{
    unsigned items = 0;

    for (size_t i = 0; i < locate->filters && i <= MD_FILTERS_MAX; i++) {
        items += items_of(locate->filter[i], FILTER_ITEMS_MAX);
    }
    return locate->filters > MD_FILTERS_MAX || items > FILTER_ITEMS_MAX ? KLM_E_LIMIT : KLM_OK;
}

/* The only object that a filter on Unique Identifier leaves, if there is one. */
static const struct kmip_node *by_identifier(const struct md_locate *locate)
{
    for (size_t i = 0; i < locate->filters; i++) {
        if (locate->filter[i]->tag == KMIP_TAG_UniqueIdentifier) {
            return locate->filter[i];
        }
    }
    return NULL;
}

static klm_rc consider_named(struct search *s, const struct kmip_node *identifier)
{
    char uid[MD_UID_MAX];

    if (identifier->type != KMIP_TEXT || identifier->bytes.n >= sizeof uid) {
        return KLM_OK;
    }
    memcpy(uid, identifier->bytes.p, identifier->bytes.n);
    uid[identifier->bytes.n] = '\0';
    return consider(s, uid);
}

/* A Short Unique Identifier is mostly the identifier's bytes, which have no row of the index. What other objects have is looked for there. */
static klm_rc consider_short(struct search *s, bool *found)
{
    const uint64_t before = s->found;
    char uid[MD_UID_MAX];

    for (size_t i = 0; i < s->locate->filters && s->found == before; i++) {
        const struct kmip_node *filter = s->locate->filter[i];

        if (filter->tag == KMIP_TAG_ShortUniqueIdentifier && filter->type == KMIP_BYTES &&
            filter->bytes.n == MD_UID_BYTES) {
            md_uid_text(filter->bytes.p, uid);
            KLM_TRY(consider(s, uid));
        }
    }
    *found = s->found > before;
    return KLM_OK;
}

static klm_rc search(struct search *s)
{
    const struct kmip_node *identifier = by_identifier(s->locate);
    struct ways ways = {.n = 0};
    bool found;

    if (identifier) {
        return consider_named(s, identifier);
    }
    KLM_TRY(consider_short(s, &found));
    if (found) {
        return KLM_OK;
    }
    KLM_TRY(ways_of(s->locate, &ways));
    return s->locate->group ? in_group(s, &ways) : through_all(s, &ways);
}

static klm_rc search_with_pools(struct search *s)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    KLM_AUTO(klm_pool_free) struct klm_pool *candidate = NULL;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(klm_pool_new(POOL_MAX, &candidate));
    s->pool = pool;
    s->candidate = candidate;
    return search(s);
}

/* ---- Group Member Default: "the server locates the default object as defined by server policy". Ours is the newest Active one, since a
 * new key of a group is made to take over from the one before; if none is Active, the newest. */

struct best {
    char uid[MD_UID_MAX];
    klm_time now;
    bool active;
};

static klm_rc better(void *arg, const struct md_object *object)
{
    struct best *best = arg;
    const bool active = md_object_state(object, best->now) == KMIP_State_Active;

    if (!best->uid[0] || active) {
        memcpy(best->uid, object->uid, sizeof best->uid);
        best->active = active;
    }
    return active ? KLM_E_EXISTS : KLM_OK; /* nothing better comes */
}

static klm_rc search_default(struct search *s)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct best best = {.now = s->locate->now};
    struct md_locate all = *s->locate;
    struct search first = {
        .view = s->view, .locate = &all, .visit = better, .arg = &best, .counting = true};
    struct md_object object;
    bool there;
    klm_rc rc;

    all.newest = true;
    all.offset = all.max = 0;
    rc = search_with_pools(&first);
    if (rc != KLM_OK && !(rc == KLM_E_EXISTS && best.active)) {
        return rc;
    }
    if (!best.uid[0]) {
        return KLM_OK;
    }
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(read_one(s->view, best.uid, pool, &object, &there));
    return there ? found_one(s, &object) : KLM_OK;
}

klm_rc md_locate(struct st_view *view, const struct md_locate *locate, md_object_fn *visit,
                 void *arg, uint64_t *total)
{
    struct search s = {
        .view = view, .locate = locate, .visit = visit, .arg = arg, .counting = total};

    KLM_TRY(check(locate));
    KLM_TRY(locate->member == KMIP_ObjectGroupMember_GroupMemberDefault ? search_default(&s)
                                                                        : search_with_pools(&s));
    if (total) {
        *total = s.found;
    }
    return KLM_OK;
}

/* ---- Scans, and who has objects */

static klm_rc scan(struct md_walk *walk, const char *group, md_object_fn *visit, void *arg)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct md_object object;
    const char *uid;
    bool there;
    klm_rc rc;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    while ((rc = md_walk_next(walk, &uid)) == KLM_OK) {
        KLM_TRY(read_one(walk->view, uid, pool, &object, &there));
        if (there && (!group || strcmp(object.group, group) == 0)) {
            KLM_TRY(visit(arg, &object));
        }
    }
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

klm_rc md_object_scan(struct st_view *view, const char *group, const char *after,
                      md_object_fn *visit, void *arg)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    const struct md_what what = md_what_group();
    struct md_walk walk = {.view = view};
    bool small;

    if (after[0] && !md_uid_ok(after)) {
        return KLM_E_INVALID;
    }
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(md_walk_begin(&walk, group ? &what : NULL, group, UINT32_MAX, after, pool, &small));
    return scan(&walk, group, visit, arg);
}

struct owning {
    struct st_view *view;
    const char *owner, *group; /* one is NULL */
    size_t skip;
    struct klm_pool *pool;
};

/* KLM_E_EXISTS: the record, too, says that it is theirs. */
static klm_rc owning_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct owning *owning = arg;
    struct md_object object;
    char uid[MD_UID_MAX];
    uint8_t storage;
    bool there;

    (void)record, (void)damaged;
    if (!md_row_end(key, owning->skip, &storage, uid)) {
        return KLM_OK;
    }
    KLM_TRY(read_one(owning->view, uid, owning->pool, &object, &there));
    if (!there) {
        return KLM_OK;
    }
    return strcmp(owning->owner ? object.owner : object.group,
                  owning->owner ? owning->owner : owning->group) == 0
               ? KLM_E_EXISTS
               : KLM_OK;
}

static klm_rc owns(struct owning *owning, const struct md_what *what, bool *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    const struct md_row begin = md_row_begin(what, owning->group, 0);
    const struct st_range range = {.prefix = KLM_SLICE(begin.p, begin.n)};
    klm_rc rc;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    owning->pool = pool;
    owning->skip = what->n;
    rc = st_scan(owning->view, ST_OBJECT_INDEX, &range, owning_visit, owning);
    if (rc != KLM_OK && rc != KLM_E_EXISTS) {
        return rc;
    }
    *out = rc == KLM_E_EXISTS;
    return KLM_OK;
}

klm_rc md_owns(struct st_view *view, const char *owner, bool *out)
{
    struct owning owning = {.view = view, .owner = owner};
    struct md_what what;

    KLM_TRY(md_what_owner(owner, &what));
    return owns(&owning, &what, out);
}

klm_rc md_device_group_has(struct st_view *view, const char *group, bool *out)
{
    struct owning owning = {.view = view, .group = group};
    const struct md_what what = md_what_group();

    return owns(&owning, &what, out);
}
