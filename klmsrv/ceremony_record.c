/* What a key ceremony leaves in the journal of the server that it is for, when there is one: it works on files, without the server. */
#include "klmsrv/srv.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Who logged in, as far as the kernel knows, else the user of the process. */
static void who(char *out, size_t cap)
{
    struct klm_diag diag = {0};
    const struct passwd *user;
    uid_t uid;

    if (srv_officer(&uid, &diag) != KLM_OK) {
        uid = getuid();
    }
    user = getpwuid(uid);
    if (user) {
        snprintf(out, cap, "%s", user->pw_name);
    } else {
        snprintf(out, cap, "user %u", (unsigned)uid);
    }
}

void srv_ceremony_record(const char *config_path, const char *what, const char *file, klm_rc rc,
                         const struct klm_diag *why)
{
    const struct km_options options = {.config_path = config_path, .offline = true};
    char name[64];
    const struct km_actor actor = {.kind = KM_ACTOR_OPERATOR, .name = name, .address = "local"};
    const struct km_news news = {.what = KM_HAP_CEREMONY,
                                 .failed = rc != KLM_OK,
                                 .actor = &actor,
                                 .object = file,
                                 .now = what,
                                 .why = rc != KLM_OK ? why : NULL};
    struct klm_diag diag = {0};
    struct km_server *server;
    klm_rc opened = config_path ? km_open_journal(&options, &diag, &server) : KLM_E_NOTFOUND;

    if (opened == KLM_E_NOTFOUND) {
        return; /* the server that it is for has no journal yet */
    }
    who(name, sizeof name);
    if (opened == KLM_OK) {
        opened = km_happened_now(server, &news);
        km_close(&server);
    }
    if (opened != KLM_OK) {
        klm_say(KLM_MSG_CEREMONY_UNRECORDED, what, klm_rc_text(opened));
    }
}
