/* What the verbs of operators on managed objects share: whose objects are meant, and whether profiles let the operator at them. */
#include "keymgr/clients.h"
#include "keymgr/object.h"

#include <stdio.h>
#include <string.h>

/* Objects of a client in no group stand under none. */
static klm_rc check_access(struct km_call *call, const char *group, enum pr_access access)
{
    char resource[PR_RESOURCE_MAX];

    snprintf(resource, sizeof resource, "KLM.DEVICEGROUP.%s", km_group_shown(group));
    return pr_set_checks(call->profiles) ? km_access_resource(call, PR_FACILITY, resource, access)
                                         : KLM_OK;
}

static klm_rc of_client(struct km_call *call, struct st_view *view, const char *name,
                        const char **out, const char **owner)
{
    struct dt_client client;
    klm_rc rc = dt_client_get(view, name, call->pool, &client);

    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_CLIENT_NOT_FOUND, name);
    }
    KLM_TRY(rc);
    if (client.closed) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_DELETE_CLOSED, name);
    }
    *out = klm_pool_str(call->pool, client.group);
    *owner = klm_pool_str(call->pool, client.fingerprint);
    return *out && *owner ? KLM_OK : KLM_E_NOMEM;
}

static klm_rc of_group(struct km_call *call, struct st_view *view, const char *name,
                       const char **out)
{
    struct dt_device_group group;
    klm_rc rc = dt_device_group_get(view, name, &group);

    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_DEVICE_GROUP_NOT_FOUND, name);
    }
    KLM_TRY(rc);
    if (group.closed) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_DELETE_CLOSED, name);
    }
    *out = klm_pool_str(call->pool, group.name);
    return *out ? KLM_OK : KLM_E_NOMEM;
}

klm_rc km_admin_group(struct km_call *call, const char *client, const char *group, bool all,
                      enum pr_access access, const char **out, const char **owner)
{
    struct st_view *view;

    *out = NULL;
    *owner = "";
    if ((client && group) || (!client && !group && !all)) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ADMIN_WHOSE);
    }
    if (!client && !group) {
        return KLM_OK;
    }
    KLM_TRY(km_view(call, &view));
    KLM_TRY(client ? of_client(call, view, client, out, owner) : of_group(call, view, group, out));
    return access == PR_NONE ? KLM_OK : check_access(call, *out, access);
}

klm_rc km_admin_object(struct km_call *call, const char *uid, enum pr_access access,
                       struct md_object *out)
{
    struct st_view *view;

    (void)km_call_seconds(call);
    KLM_TRY(km_view(call, &view));
    KLM_TRY(km_object_find_any(call, view, uid, out));
    return access == PR_NONE ? KLM_OK : check_access(call, out->group, access);
}

klm_rc km_admin_value(struct km_call *call, enum kmip_enum set, const char *what, const char *name,
                      uint32_t *out)
{
    return kmip_value_find(set, name, out) == KLM_OK
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ADMIN_VALUE, name, what);
}

const char *km_admin_name(struct km_call *call, const struct md_object *object)
{
    const struct md_attr *name = md_attr_find(&object->attrs, KMIP_TAG_Name);
    const struct kmip_node *value = name ? kmip_child(name->value, KMIP_TAG_NameValue) : NULL;
    const char *text =
        value ? klm_pool_strn(call->pool, (const char *)value->bytes.p, value->bytes.n) : "";

    return text ? text : "";
}
