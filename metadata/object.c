/* Managed objects in the store, and what becomes of them with time. */
#include "metadata/object_int.h"

#include "base/msg.h"

#include <string.h>

#define SECOND 1000000
#define POOL_MAX (4u << 20) /* for one record and its tree: 64 KiB of empty items are 8192 nodes */

/* ---- Reading */

klm_rc md_object_get(struct st_view *view, const char *uid, struct klm_pool *pool,
                     struct md_object *out)
{
    struct klm_slice record = {NULL, 0};
    struct md_object object;

    if (!md_uid_ok(uid)) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(st_get(view, ST_OBJECT, klm_slice_str(uid), pool, &record));
    KLM_TRY(md_object_read(record, pool, &object));
    if (strcmp(object.uid, uid) != 0) {
        return KLM_E_CORRUPT;
    }
    *out = object;
    return KLM_OK;
}

/* ---- Writing */

typedef klm_rc put_fn(struct st_change *change, enum st_table table, struct klm_slice key,
                      struct klm_slice record);

static klm_rc save(struct st_change *change, const struct md_object *object, put_fn *put)
{
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init(&buf, ST_RECORD_MAX);
    rc = md_object_encode(object, &buf);
    if (rc == KLM_OK) {
        rc = put(change, ST_OBJECT, klm_slice_str(object->uid), klm_buf_as_slice(&buf));
    }
    klm_buf_done(&buf);
    return rc;
}

klm_rc md_object_add(struct st_change *change, const struct md_object *object)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record = {NULL, 0};
    klm_rc rc;

    if (!md_uid_ok(object->uid)) {
        return KLM_E_INVALID;
    }
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    rc = st_get(st_change_view(change), ST_OBJECT, klm_slice_str(object->uid), pool, &record);
    if (rc != KLM_E_NOTFOUND) {
        return rc == KLM_OK || rc == KLM_E_CORRUPT ? KLM_E_EXISTS : rc;
    }
    return md_object_add_new(change, object);
}

klm_rc md_object_add_new(struct st_change *change, const struct md_object *object)
{
    KLM_TRY(save(change, object, st_put_new));
    return md_index_move(change, NULL, object);
}

klm_rc md_object_put(struct st_change *change, const struct md_object *object)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct md_object was;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(md_object_get(st_change_view(change), object->uid, pool, &was));
    KLM_TRY(save(change, object, st_put));
    return md_index_move(change, &was, object);
}

klm_rc md_object_delete(struct st_change *change, const char *uid)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct md_object was;
    klm_rc rc;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    rc = md_object_get(st_change_view(change), uid, pool, &was);
    if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    KLM_TRY(st_delete(change, ST_OBJECT, klm_slice_str(uid)));
    return rc == KLM_OK ? md_index_move(change, &was, NULL) : KLM_OK;
}

/* ---- Now */

/* Seconds since 1970, the past before it too. */
static int64_t seconds(klm_time now)
{
    return now / SECOND - (now % SECOND < 0);
}

static bool has_come(const struct md_object *object, uint32_t date, klm_time now)
{
    return md_attr_find(&object->attrs, date) &&
           md_attr_number(&object->attrs, date, INT64_MAX) <= seconds(now);
}

/* KMIP 2.1, 4.57, transitions 4 and 6: dates move an object from Pre-Active to Active, and from Active to Deactivated. No others. */
uint32_t md_object_state(const struct md_object *object, klm_time now)
{
    uint32_t state = (uint32_t)md_attr_number(&object->attrs, KMIP_TAG_State, 0);

    if (state == KMIP_State_PreActive && has_come(object, KMIP_TAG_ActivationDate, now)) {
        state = KMIP_State_Active;
    }
    if (state == KMIP_State_Active && has_come(object, KMIP_TAG_DeactivationDate, now)) {
        state = KMIP_State_Deactivated;
    }
    return state;
}

klm_rc md_object_attrs_now(const struct md_object *object, klm_time now, struct klm_pool *pool,
                           struct md_attrs *out)
{
    const uint32_t state = md_object_state(object, now);
    struct md_attrs attrs;

    KLM_TRY(md_attrs_copy(&object->attrs, pool, &attrs));
    if (state) {
        KLM_TRY(md_attr_set_number(&attrs, KMIP_TAG_State, state));
    }
    KLM_TRY(md_attr_set_text(&attrs, KMIP_TAG_UniqueIdentifier, object->uid));
    KLM_TRY(md_attr_set_number(&attrs, KMIP_TAG_ObjectType, object->type));
    *out = attrs;
    return KLM_OK;
}
