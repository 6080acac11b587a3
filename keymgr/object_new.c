/* New objects: the attributes that the server sets (kmip/registry says which), their identifiers, and their material as a key token. Used by all verbs that make objects. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <stdio.h>
#include <string.h>

struct made {
    struct md_object object[2];
    struct klm_slice token[2]; /* p NULL: no material */
    size_t n;
};

static struct made *made_of(struct km_call *call)
{
    if (!call->work) {
        call->work = klm_pool_alloc(call->pool, sizeof(struct made));
    }
    return call->work;
}

/* KMIP 1.4, 3.22: an object whose Activation Date has come is Active from the start. */
static uint32_t first_state(const struct md_attrs *attrs, int64_t now)
{
    return md_attr_number(attrs, KMIP_TAG_ActivationDate, INT64_MAX) <= now ? KMIP_State_Active
                                                                             : KMIP_State_PreActive;
}

static klm_rc set_dates(struct md_object *object, int64_t now)
{
    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_InitialDate, now));
    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_LastChangeDate, now));
    return md_attr_set_number(&object->attrs, KMIP_TAG_State, first_state(&object->attrs, now));
}

static klm_rc seal(struct km_call *call, const struct kr_material *material, const char *uid,
                   struct klm_slice *out)
{
    char label[KR_TOKEN_LABEL_MAX + 1];
    struct klm_buf buf;
    klm_rc rc;

    md_material_label(uid, label);
    klm_buf_init(&buf, ST_RECORD_MAX);
    rc = kr_material_seal(call->server->master, label, material, &buf);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&buf), out);
    }
    klm_buf_done(&buf);
    return rc;
}

klm_rc km_made(struct km_call *call, uint32_t type, const struct md_attrs *attrs,
               const struct kr_material *material, size_t place)
{
    struct km_object_make *req = call->req;
    struct made *made = made_of(call);
    struct md_object *object;

    if (!made || place > 1) {
        return KLM_E_NOMEM;
    }
    object = &made->object[place];
    object->type = type;
    KLM_TRY(md_uid_new(object->uid));
    memcpy(req->made[place], object->uid, sizeof req->made[place]);
    snprintf(object->group, sizeof object->group, "%s", km_call_group(call) ? km_call_group(call) : "");
    snprintf(object->owner, sizeof object->owner, "%s", call->actor.fingerprint);
    KLM_TRY(md_attrs_copy(attrs, call->pool, &object->attrs));
    KLM_TRY(set_dates(object, km_call_seconds(call)));
    made->n = place + 1 > made->n ? place + 1 : made->n;
    return material ? seal(call, material, object->uid, &made->token[place]) : KLM_OK;
}

struct md_object *km_made_object(struct km_call *call, size_t place)
{
    return &made_of(call)->object[place];
}

klm_rc km_made_put(struct km_call *call, struct st_change *change)
{
    const struct made *made = call->work;
    char label[KR_TOKEN_LABEL_MAX + 1];

    for (size_t i = 0; i < made->n; i++) {
        klm_rc rc = md_object_add(change, &made->object[i]);

        if (rc == KLM_E_LIMIT) {
            return KM_REFUSE(call, rc, 0, KLM_MSG_OBJECT_LARGE, made->object[i].uid);
        }
        KLM_TRY(rc);
        if (made->token[i].p) {
            md_material_label(made->object[i].uid, label);
            KLM_TRY(kr_token_put(change, label, made->token[i], false));
        }
    }
    call->event.field[SMF_F_OBJECT] = made->object[0].uid;
    return KLM_OK;
}
