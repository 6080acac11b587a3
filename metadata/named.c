/* Searches by name, as caches see them: which rows of the index such a search looks at, and whose. */
#include "metadata/object_int.h"

#include <string.h>

bool md_object_online(const struct md_object *object)
{
    return md_object_storage(object) == KMIP_StorageStatusMask_OnLineStorage;
}

bool md_name_rows(const struct kmip_node *name, const char *group, uint8_t storage,
                  uint8_t key[MD_ROWS_MAX], size_t *n)
{
    struct md_term term;
    struct md_what what;
    struct md_row row;
    size_t rank;

    if (!md_term_of(name, &term, &rank) || md_what_term(&term, &what) != KLM_OK) {
        return false;
    }
    row = md_row_begin(&what, group, storage);
    if (row.n > MD_ROWS_MAX) {
        return false;
    }
    memcpy(key, row.p, row.n);
    *n = row.n;
    return true;
}

/* Names and types of objects do not change with time, as State does. */
bool md_locate_rows(const struct md_locate *locate, uint8_t key[MD_ROWS_MAX], size_t *n)
{
    const struct kmip_node *name = NULL;

    if (!locate->group || locate->member ||
        (locate->storage && locate->storage != KMIP_StorageStatusMask_OnLineStorage) ||
        locate->filters > MD_FILTERS_MAX) {
        return false;
    }
    for (size_t i = 0; i < locate->filters; i++) {
        const struct kmip_node *filter = locate->filter[i];

        if (filter->tag == KMIP_TAG_Name) {
            name = name ? name : filter;
        } else if (filter->tag != KMIP_TAG_ObjectType) {
            return false;
        }
    }
    return name && md_name_rows(name, locate->group, KMIP_StorageStatusMask_OnLineStorage, key, n);
}

struct reading {
    char (*uid)[MD_UID_MAX];
    size_t begin, n;
};

static klm_rc read_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct reading *reading = arg;
    const size_t n = key.n - reading->begin;

    (void)record, (void)damaged; /* the key holds all there is to know */
    if (n == 0 || n >= MD_UID_MAX) {
        return KLM_OK;
    }
    memcpy(reading->uid[reading->n], key.p + reading->begin, n);
    reading->uid[reading->n++][n] = '\0';
    return KLM_OK;
}

static klm_rc there_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key, (void)record, (void)damaged;
    *(bool *)arg = true;
    return KLM_OK;
}

klm_rc md_rows_any(struct st_view *view, struct klm_slice key, bool *any)
{
    const struct st_range range = {.prefix = key, .limit = 1};

    *any = false;
    return st_scan(view, ST_OBJECT_INDEX, &range, there_visit, any);
}

klm_rc md_rows_read(struct st_view *view, struct klm_slice key, char (*uid)[MD_UID_MAX], size_t max,
                    size_t *n)
{
    struct reading reading = {.uid = uid, .begin = key.n};
    const struct st_range range = {.prefix = key, .limit = max + 1};

    KLM_TRY(st_scan(view, ST_OBJECT_INDEX, &range, read_visit, &reading));
    *n = reading.n;
    return reading.n > max ? KLM_E_LIMIT : KLM_OK;
}

size_t md_rows_begin(struct klm_slice key)
{
    const size_t skip = 1 + MD_HASH;
    uint8_t storage;
    char uid[MD_UID_MAX];

    return key.n > skip && key.p[0] == MD_BY_ATTR && md_row_end(key, skip, &storage, uid)
               ? key.n - strlen(uid)
               : 0;
}
