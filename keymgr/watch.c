/* What nobody asks for but an operator must hear in time: certificates that will expire, and a wall clock that jumps. Looked at once a second by the views' thread; cheap. */
#include "keymgr/internal.h"

#include <stdlib.h>

#define DAY_US (24LL * 3600 * 1000000)
#define STEP_US (300LL * 1000000) /* a jump of more than five minutes is said */
#define WARN_DAYS 90

/* Days left at which a warning is repeated; on the way to zero. */
static const int64_t warn_at[] = {90, 30, 7, 1};

static int64_t days_left(klm_time until, klm_time now)
{
    return until <= now ? -1 : (until - now) / DAY_US;
}

static void check_label(const struct kr_label *label, klm_time now, bool first)
{
    int64_t days = days_left(label->not_after, now);
    bool say = first && days <= WARN_DAYS;

    for (size_t i = 0; i < KLM_COUNT(warn_at); i++) {
        say = say || days == warn_at[i];
    }
    if (days < 0) {
        klm_say(KLM_MSG_CERT_EXPIRED, label->label, label->owner);
    } else if (say) {
        klm_say(KLM_MSG_CERT_EXPIRES, label->label, label->owner, KLM_NUM(days));
    }
}

void km_watch_certificates(const struct km_state *state, bool first)
{
    const struct kr_open_ring *rings[] = {state->tls, state->keys, state->trust, state->authority};
    klm_time now = klm_clock();

    for (size_t r = 0; r < KLM_COUNT(rings); r++) {
        bool seen = !rings[r];

        for (size_t before = 0; before < r && !seen; before++) {
            seen = rings[before] == rings[r];
        }
        for (size_t i = 0; !seen && i < kr_open_ring_count(rings[r]); i++) {
            check_label(kr_open_ring_at(rings[r], i), now, first);
        }
    }
}

static void tell_step(struct km_server *server, klm_time now, int64_t seconds)
{
    struct klm_diag diag = {0};
    char before[KLM_ISO_DATE_MAX], after[KLM_ISO_DATE_MAX];
    const struct km_news news = {
        .what = KM_HAP_CLOCK, .failed = true, .old = before, .now = after, .why = &diag};

    (void)klm_fail(&diag, KLM_OK, KLM_MSG_CLOCK_STEP, KLM_NUM(seconds));
    klm_say_diag(&diag);
    klm_iso_date(now - seconds * 1000000, before);
    klm_iso_date(now, after);
    km_happened(server, &news);
}

void km_watch(struct km_server *server, struct km_watch *watch)
{
    klm_time now = klm_clock(), mono = (klm_time)klm_clock_mono_ms() * 1000;
    klm_time offset = now - mono;

    if (watch->started && llabs(offset - watch->offset) > STEP_US) {
        tell_step(server, now, (offset - watch->offset) / 1000000);
    }
    if (watch->started && now / DAY_US != watch->day) {
        struct km_state *state = km_state_get(server);

        km_watch_certificates(state, false);
        km_state_put(&state);
    }
    if (server->p11) {
        p11_watch(server->p11);
    }
    *watch = (struct km_watch){.started = true, .offset = offset, .day = now / DAY_US};
}
