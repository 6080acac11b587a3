/* Keys that tape libraries have over KMIP: the audit event names the cartridge, and usage metadata gets an event with the change that makes the key or first names its cartridge, as it does when a
 * drive is given one. */
#include "metadata/cartridge.h"
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <stdio.h>
#include <string.h>

/* The sentence of the text record, worded as that of a drive. */
static const char *resource(struct km_call *call, const struct md_object *object,
                            const struct md_cartridge *cartridge)
{
    return klm_pool_printf(call->pool, "%s Client: %s VolSer: %s Key Alias/Label[0]: %s DKi: %s",
                           km_verb(call->id)->name, call->actor.name ? call->actor.name : "",
                           cartridge->volser, object->uid, cartridge->dki);
}

static klm_rc put_field(struct km_call *call, enum smf_field which, const char *value)
{
    call->event.field[which] = *value ? klm_pool_str(call->pool, value) : NULL;
    return *value && !call->event.field[which] ? KLM_E_NOMEM : KLM_OK;
}

static klm_rc note(struct km_call *call, const struct md_object *object,
                   const struct md_cartridge *cartridge)
{
    KLM_TRY(put_field(call, SMF_F_VOLSER, cartridge->volser));
    KLM_TRY(put_field(call, SMF_F_DKI, cartridge->dki));
    KLM_TRY(put_field(call, SMF_F_ALIAS1, object->uid));
    call->event.field[SMF_F_RESOURCE] = resource(call, object, cartridge);
    return call->event.field[SMF_F_RESOURCE] ? KLM_OK : KLM_E_NOMEM;
}

/* A call may look at others behind the object that it is about: wrapping keys, links. */
klm_rc km_cartridge_note(struct km_call *call, const struct md_object *object)
{
    struct md_cartridge cartridge;

    return !call->event.field[SMF_F_ALIAS1] && md_cartridge(object, &cartridge)
               ? note(call, object, &cartridge)
               : KLM_OK;
}

static klm_rc add_usage(struct km_call *call, struct st_change *change,
                        const struct md_object *object, const struct md_cartridge *cartridge)
{
    struct md_usage usage = {0};

    KLM_TRY(note(call, object, cartridge));
    /* Carried out on the draft of a batch first, on a worker: numbers are the writer's to give. */
    if (call->draft) {
        return KLM_OK;
    }
    (void)km_call_seconds(call);
    usage.time = call->event.time;
    usage.number = ++call->server->writer.usage_last;
    snprintf(usage.client, sizeof usage.client, "%s", call->actor.name);
    snprintf(usage.volser, sizeof usage.volser, "%s", cartridge->volser);
    snprintf(usage.alias1, sizeof usage.alias1, "%s", object->uid);
    snprintf(usage.dki, sizeof usage.dki, "%s", cartridge->dki);
    KLM_TRY(md_usage_add(change, &usage));
    call->used++;
    return KLM_OK;
}

klm_rc km_cartridge_made(struct km_call *call, struct st_change *change,
                         const struct md_object *object)
{
    struct md_cartridge cartridge;

    return call->actor.kind == KM_ACTOR_CLIENT && md_cartridge(object, &cartridge)
               ? add_usage(call, change, object, &cartridge)
               : KLM_OK;
}

klm_rc km_cartridge_changed(struct km_call *call, struct st_change *change,
                            const struct md_cartridge *before, const struct md_object *object)
{
    struct md_cartridge after;

    if (call->actor.kind != KM_ACTOR_CLIENT || !md_cartridge(object, &after) ||
        (strcmp(before->volser, after.volser) == 0 && strcmp(before->dki, after.dki) == 0)) {
        return KLM_OK;
    }
    return add_usage(call, change, object, &after);
}
