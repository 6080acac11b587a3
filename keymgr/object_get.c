/* Get: the object itself, in the form it was registered in unless another is asked for (KMIP 2.1, 6.1.21; 1.4, 4.11). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_object_get_prepare(struct km_call *call)
{
    struct km_object_get *req = call->req;
    struct kr_material *material = NULL;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_view(call, &view));
    KLM_TRY(km_object_find(call, view, req->uid, &req->object));
    KLM_TRY(km_object_material(call, view, &req->object, &material));
    rc = km_keyblock(call, &req->object, material, &req->item);
    kr_material_free(&material);
    return rc;
}
