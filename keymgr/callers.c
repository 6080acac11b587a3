/* Unknown certificates that were noted lately: each is noted once a minute, so many of one address, and so many of all. Who floods the server fills neither its
 * store nor its audit, and leaves room for others. */
#include "keymgr/clients.h"

#include <ctype.h>
#include <string.h>

#define MINUTE (60 * 1000000LL)
#define NEW_MOST 30 /* certificates that were not on the list, of all addresses, within a minute */
#define NEW_OF_ADDRESS 5 /* and of one */

void km_callers_init(struct km_callers *callers)
{
    pthread_mutex_init(&callers->lock, NULL);
}

void km_callers_end(struct km_callers *callers)
{
    pthread_mutex_destroy(&callers->lock);
}

/* Also when the clock was set back. */
static bool is_recent(const struct km_caller *caller, klm_time now)
{
    return caller->fingerprint[0] && now >= caller->when && now - caller->when < MINUTE;
}

struct recent {
    bool same;
    size_t newcomers, of_address, all;
    struct km_caller *free; /* NULL: none is */
};

static struct recent look(struct km_callers *callers, const struct km_caller *one)
{
    struct recent recent = {0};

    for (size_t i = 0; i < KLM_COUNT(callers->at); i++) {
        struct km_caller *caller = &callers->at[i];

        if (!is_recent(caller, one->when)) {
            recent.free = caller;
            continue;
        }
        recent.all++;
        recent.newcomers += caller->newcomer;
        recent.of_address += caller->newcomer && strcmp(caller->address, one->address) == 0;
        recent.same = recent.same || strcmp(caller->fingerprint, one->fingerprint) == 0;
    }
    return recent;
}

static enum km_noted decide(struct km_callers *callers, const struct km_caller *one)
{
    const struct recent recent = look(callers, one);

    if (recent.same) {
        return KM_NOTED_ALREADY;
    }
    if (!recent.free ||
        (one->newcomer && (recent.newcomers >= NEW_MOST || recent.of_address >= NEW_OF_ADDRESS))) {
        callers->untold++;
        return KM_NOTED_NOT;
    }
    *recent.free = *one;
    return KM_NOTED_NOW;
}

enum km_noted km_callers_note(struct km_callers *callers, const struct km_caller *one)
{
    enum km_noted noted;

    pthread_mutex_lock(&callers->lock);
    noted = decide(callers, one);
    pthread_mutex_unlock(&callers->lock);
    return noted;
}

uint64_t km_callers_untold(struct km_callers *callers)
{
    uint64_t n;

    pthread_mutex_lock(&callers->lock);
    n = callers->untold;
    callers->untold = 0;
    pthread_mutex_unlock(&callers->lock);
    return n;
}

void km_host_of(const char *address, char *out, size_t cap)
{
    const char *port = strrchr(address, ':');
    size_t n = strlen(address);

    if (port && port[1] && port[1 + strspn(port + 1, "0123456789")] == '\0' &&
        (port == strchr(address, ':') || port[-1] == ']')) {
        n = (size_t)(port - address);
    }
    if (n >= 2 && address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    }
    n = n < cap ? n : cap - 1;
    memcpy(out, address, n);
    out[n] = '\0';
}
