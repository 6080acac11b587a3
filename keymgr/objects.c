/* What all verbs on managed objects do: see the store as the call is to see it, find the object and whose it is, open its material, put it back. */
#include "keymgr/internal.h"
#include "keymgr/object.h"
#include "keymgr/served.h"
#include "keymgr/streams.h"

#include <stdio.h>
#include <string.h>

klm_rc km_view(struct km_call *call, struct st_view **out)
{
    if (call->draft) {
        *out = call->draft;
        return KLM_OK;
    }
    if (!call->view) {
        KLM_TRY(st_view_open(call->server->store, &call->view));
    }
    *out = call->view;
    return KLM_OK;
}

int64_t km_call_seconds(struct km_call *call)
{
    if (call->event.time == 0) {
        call->event.time = klm_clock();
    }
    return call->event.time / 1000000;
}

const char *km_call_group(const struct km_call *call)
{
    return call->actor.kind == KM_ACTOR_CLIENT ? call->actor.group ? call->actor.group : "" : NULL;
}

/* Whose a damaged record is cannot be read in it, but its row of the index tells: to others it is not there, like anything that is not theirs. */
static klm_rc unreadable(struct km_call *call, struct st_view *view, const char *uid, klm_rc rc)
{
    const char *group = km_call_group(call);
    bool theirs = true;

    if (group && rc == KLM_E_CORRUPT) {
        KLM_TRY(md_object_listed(view, group, uid, call->pool, &theirs));
    }
    return theirs ? KM_REFUSE(call, rc, 0, KLM_MSG_OBJECT_UNREADABLE, uid, klm_rc_text(rc))
                  : KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_OBJECT_UNKNOWN, uid);
}

klm_rc km_object_find_any(struct km_call *call, struct st_view *view, const char *uid,
                          struct md_object *out)
{
    const char *group = km_call_group(call);
    klm_rc rc;

    if (!uid) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_OBJECT_UNNAMED);
    }
    rc = strlen(uid) < MD_UID_MAX && *uid ? md_object_get(view, uid, call->pool, out)
                                          : KLM_E_NOTFOUND;
    if (rc == KLM_E_NOTFOUND || (rc == KLM_OK && group && strcmp(group, out->group) != 0)) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_OBJECT_UNKNOWN, uid);
    }
    if (rc != KLM_OK) {
        return unreadable(call, view, uid, rc);
    }
    KLM_TRY(km_served_apply(call->server->served, out));
    return km_cartridge_note(call, out);
}

klm_rc km_object_find(struct km_call *call, struct st_view *view, const char *uid,
                      struct md_object *out)
{
    KLM_TRY(km_object_find_any(call, view, uid, out));
    return out->archived ? KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_OBJECT_ARCHIVED, out->uid)
                         : KLM_OK;
}

klm_rc km_object_material(struct km_call *call, struct st_view *view,
                          const struct md_object *object, struct kr_material **out)
{
    char label[KR_TOKEN_LABEL_MAX + 1];
    struct klm_slice token;
    klm_rc rc;

    /* KMIP 1.4, 11.30 to 11.35: it is kept elsewhere, which is another thing than that it was destroyed */
    if (!md_attr_number(&object->attrs, KMIP_TAG_KeyValuePresent, 1)) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_KEY_VALUE_ABSENT, object->uid);
    }
    md_material_label(object->uid, label);
    rc = kr_token_get(view, label, call->pool, &token);
    if (rc == KLM_OK) {
        rc = kr_material_open(call->server->master, label, token, out);
    }
    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_OBJECT_EMPTY, object->uid);
    }
    return rc == KLM_OK
               ? rc
               : KM_REFUSE(call, rc, 0, KLM_MSG_OBJECT_UNREADABLE, object->uid, klm_rc_text(rc));
}

klm_rc km_object_change(struct km_call *call, struct st_change *change, struct md_object *object)
{
    klm_rc rc;

    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_LastChangeDate, km_call_seconds(call)));
    rc = md_object_put(change, object);
    return rc == KLM_E_LIMIT ? KM_REFUSE(call, rc, 0, KLM_MSG_OBJECT_LARGE, object->uid) : rc;
}

void km_object_published(struct km_call *call)
{
    if (call->used > 0) { /* what is kept in memory was taken out before the commit (cache.c) */
        km_views_usage(call->server, call->used);
    }
}

void km_objects_sweep(struct km_server *server)
{
    (void)km_streams_sweep(server->streams);
}
