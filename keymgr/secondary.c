/* A secondary that serves: said once when it begins, counted, and over when its key usage events have gone home. A host turns to a
 * secondary when its primary does not answer, so an operator should hear of it at once. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>

/* A key left for a drive, or is about to. Cheap: every served key comes by. */
static bool served(const struct km_call *call)
{
    return call->rc == KLM_OK && call->device_code == 0 &&
           km_verb(call->id)->right == KM_RIGHT_SERVE && call->id != KM_DRIVE_VERIFY;
}

static bool is_secondary(const struct km_state *state)
{
    const char *role = state ? parm_str(state->config, PARM_partner_role) : NULL;

    return role && strcmp(role, "secondary") == 0;
}

void km_secondary_note(struct km_call *call)
{
    struct km_secondary *secondary = &call->server->secondary;
    const char *volser = call->event.field[SMF_F_VOLSER];
    klm_time never = 0, now;

    if (!served(call) || !is_secondary(call->state)) {
        return;
    }
    now = klm_clock();
    atomic_fetch_add(&secondary->keys, 1);
    atomic_fetch_add(&secondary->writes, km_verb(call->id)->apply != NULL);
    if (atomic_compare_exchange_strong(&secondary->since, &never, now)) {
        const struct km_news news = {.what = KM_HAP_SECONDARY,
                                     .actor = &call->actor,
                                     .object = volser ? volser : call->actor.name};

        klm_say(KLM_MSG_SECONDARY_SERVES, call->actor.name, volser && *volser ? volser : "?");
        km_happened(call->server, &news);
    }
}

void km_secondary_home(struct km_server *server, const char *partner)
{
    struct km_secondary *secondary = &server->secondary;
    uint64_t keys = atomic_exchange(&secondary->keys, 0);
    uint64_t writes = atomic_exchange(&secondary->writes, 0);

    if (atomic_exchange(&secondary->since, 0) != 0) {
        klm_say(KLM_MSG_SECONDARY_HOME, KLM_NUM(keys), KLM_NUM(writes), partner);
    }
}

klm_rc km_secondary_rows(struct km_call *call)
{
    struct km_secondary *secondary = &call->server->secondary;
    const char *role = parm_str(call->state->config, PARM_partner_role);
    klm_time since = atomic_load(&secondary->since);
    char date[KLM_JAVA_DATE_MAX];

    if (strcmp(role, "none") == 0) {
        return KLM_OK;
    }
    KLM_TRY(km_rows_add(call, (const char *[]){"Role among partners", role}));
    if (since == 0) {
        return KLM_OK;
    }
    klm_java_date(since, date);
    KLM_TRY(km_rows_add(call, (const char *[]){"Serving as the secondary since", date}));
    KLM_TRY(km_rows_add(
        call, (const char *[]){"Keys served since", KLM_NUM(atomic_load(&secondary->keys))}));
    return km_rows_add(call, (const char *[]){"Volumes written since, not sent home",
                                              KLM_NUM(atomic_load(&secondary->writes))});
}
