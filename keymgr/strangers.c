/* What is refused of callers who are nobody here: few of it as it comes, the rest as sums. */
#include "keymgr/strangers.h"

#include "keymgr/internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define OTHERS "other addresses"

void km_strangers_init(struct km_strangers *strangers)
{
    pthread_mutex_init(&strangers->lock, NULL);
    memcpy(strangers->at[KM_STRANGERS].host, OTHERS, sizeof OTHERS);
}

void km_strangers_end(struct km_strangers *strangers)
{
    pthread_mutex_destroy(&strangers->lock);
}

void km_stranger_of(const char *address, char out[KM_STRANGER_MAX])
{
    char host[KM_STRANGER_MAX], text[INET6_ADDRSTRLEN];
    struct in6_addr in6;

    km_host_of(address && *address ? address : "?", host, sizeof host);
    if (inet_pton(AF_INET6, host, &in6) != 1) {
        memcpy(out, host, sizeof host);
    } else if (IN6_IS_ADDR_V4MAPPED(&in6)) {
        (void)inet_ntop(AF_INET, &in6.s6_addr[12], out, KM_STRANGER_MAX); /* there is room */
    } else {
        memset(&in6.s6_addr[8], 0, 8);
        (void)inet_ntop(AF_INET6, &in6, text, sizeof text);
        snprintf(out, KM_STRANGER_MAX, "%s/64", text);
    }
}

/* Whoever looked at the clock before another thread began the interval, and comes after it, is in it too. */
static bool over(uint64_t since, const struct km_strangers_limits *limits, uint64_t now)
{
    return now > since && now - since >= limits->interval_ms;
}

/* Nothing is counted of it, and it is forgiven. */
static bool is_free(const struct km_stranger *at, const struct km_strangers_limits *limits,
                    uint64_t now)
{
    return !at->host[0] || (at->n == 0 && over(at->since, limits, now));
}

static struct km_stranger *find(struct km_strangers *strangers,
                                const struct km_strangers_limits *limits, const char *host,
                                uint64_t now)
{
    struct km_stranger *room = NULL;

    for (size_t i = 0; i < KM_STRANGERS; i++) {
        struct km_stranger *at = &strangers->at[i];
        const bool free = is_free(at, limits, now);

        if (strcmp(at->host, host) == 0) {
            if (free) {
                at->since = now;
                at->recorded = 0;
                at->flooding = false;
            }
            return at;
        }
        room = room || !free ? room : at;
    }
    if (!room) {
        room = &strangers->at[KM_STRANGERS];
        room->since = room->n == 0 && over(room->since, limits, now) ? now : room->since;
        return room;
    }
    *room = (struct km_stranger){.since = now};
    snprintf(room->host, sizeof room->host, "%s", host);
    return room;
}

static void count(struct km_stranger *at, unsigned what, klm_time when)
{
    at->first = at->n == 0 ? when : at->first;
    at->last = when;
    at->flooding = true;
    at->of[what]++;
    at->n++;
}

static bool note(struct km_strangers *strangers, const struct km_strangers_limits *limits,
                 struct km_stranger *at, uint64_t now)
{
    if (over(strangers->since, limits, now)) {
        strangers->since = now;
        strangers->recorded = 0;
    }
    if (at == &strangers->at[KM_STRANGERS] || at->flooding || at->recorded >= limits->burst ||
        strangers->recorded >= limits->total) {
        return false;
    }
    at->recorded++;
    strangers->recorded++;
    return true;
}

bool km_strangers_note(struct km_strangers *strangers, const struct km_strangers_limits *limits,
                       const char *host, unsigned what, uint64_t now_ms, klm_time when)
{
    struct km_stranger *at;
    bool record;

    pthread_mutex_lock(&strangers->lock);
    at = find(strangers, limits, host, now_ms);
    record = note(strangers, limits, at, now_ms);
    if (!record) {
        count(at, what, when);
    }
    pthread_mutex_unlock(&strangers->lock);
    return record;
}

static void take(struct km_stranger *at, uint64_t now, struct km_stranger *out)
{
    *out = *at;
    memset(at->of, 0, sizeof at->of);
    at->n = 0;
    at->recorded = 0;
    at->since = now;
}

bool km_strangers_take(struct km_strangers *strangers, const struct km_strangers_limits *limits,
                       uint64_t now_ms, bool all, struct km_stranger *out)
{
    bool taken = false;

    pthread_mutex_lock(&strangers->lock);
    for (size_t i = 0; i <= KM_STRANGERS && !taken; i++) {
        struct km_stranger *at = &strangers->at[i];

        if (at->n > 0 && (all || over(at->since, limits, now_ms))) {
            take(at, now_ms, out);
            taken = true;
        }
    }
    pthread_mutex_unlock(&strangers->lock);
    return taken;
}

void km_stranger_words(const struct km_stranger *sum, char *out, size_t cap)
{
    size_t n = 0;

    out[0] = '\0';
    for (unsigned i = 0; i <= KM_HAPPENINGS && n < cap; i++) {
        if (sum->of[i] > 0) {
            n += (size_t)snprintf(
                out + n, cap - n, "%s%llu %s", n > 0 ? ", " : "", (unsigned long long)sum->of[i],
                i < KM_HAPPENINGS ? km_happening_name((enum km_happening)i) : "requests");
        }
    }
}

/* ---- At work */

static struct km_strangers_limits limits_of(struct km_server *server)
{
    struct km_state *state = km_state_get(server);
    struct km_strangers_limits limits = {.burst = 1, .total = 1, .interval_ms = 1000};

    if (state) {
        const struct parm_config *config = state->config;

        limits.burst = (uint32_t)parm_num(config, PARM_Audit_refusals_burst);
        limits.total = (uint32_t)parm_num(config, PARM_Audit_refusals_total);
        limits.interval_ms = (uint64_t)parm_num(config, PARM_Audit_refusals_interval) * 1000;
    }
    km_state_put(&state);
    return limits;
}

static bool room(struct km_server *server, const char *address, unsigned what)
{
    const struct km_strangers_limits limits = limits_of(server);
    char host[KM_STRANGER_MAX];

    km_stranger_of(address, host);
    return km_strangers_note(&server->strangers, &limits, host, what, klm_clock_mono_ms(),
                             klm_clock());
}

/* All users of the operator socket have one address: they are told apart by their names. */
static const char *place_of(const struct km_actor *actor)
{
    return actor->kind == KM_ACTOR_OPERATOR ? actor->name : actor->address;
}

void km_happened_to_stranger(struct km_server *server, const struct km_news *news)
{
    if (room(server, news->actor ? place_of(news->actor) : NULL, news->what)) {
        km_happened(server, news);
    }
}

bool km_stranger_call(struct km_call *call)
{
    return room(call->server, call->actor.address, KM_REQUEST_OF_STRANGER);
}

static void tell(struct km_server *server, const struct km_stranger *sum)
{
    const struct km_actor caller = {.kind = KM_ACTOR_SYSTEM, .name = "", .address = sum->host};
    char words[400], first[KLM_JAVA_DATE_MAX], last[KLM_JAVA_DATE_MAX], n[24];
    struct klm_diag diag = {0};
    const struct km_news news = {.what = KM_HAP_REFUSALS,
                                 .failed = true,
                                 .actor = &caller,
                                 .object = sum->host,
                                 .now = n,
                                 .why = &diag};

    snprintf(n, sizeof n, "%llu", (unsigned long long)sum->n);
    klm_java_date(sum->first, first);
    klm_java_date(sum->last, last);
    km_stranger_words(sum, words, sizeof words);
    (void)klm_fail(&diag, KLM_E_LIMIT, KLM_MSG_REFUSALS, n, sum->host, first, last, words);
    KLM_IGNORE(km_happened_now(server, &news)); /* counted there */
}

void km_strangers_look(struct km_server *server, bool all)
{
    const struct km_strangers_limits limits = limits_of(server);
    struct km_stranger sum;

    while ((all || !smf_journal_failing(server->journal)) &&
           km_strangers_take(&server->strangers, &limits, klm_clock_mono_ms(), all, &sum)) {
        tell(server, &sum);
    }
}
