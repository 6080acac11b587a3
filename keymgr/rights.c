/* Rights: one table says which role has which right. */
#include "keymgr/internal.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 1024     /* groups of a user that are looked at */
#define ROOM_MAX (4u << 20) /* bytes of a group's entry */

static const struct {
    const char *name;
    unsigned roles;
} rights[KM_RIGHTS] = {
#define KM_RIGHT(name, text, roles) [name] = {#name, roles},
#include "keymgr/rights.def"
#undef KM_RIGHT
};

bool km_may(unsigned roles, enum km_right right)
{
    return ((roles | KM_ROLE_ANYONE) & rights[right].roles) != 0;
}

klm_rc km_right_find(const char *name, enum km_right *out)
{
    const size_t prefix = strlen("KM_RIGHT_");

    for (size_t i = 0; i < KM_RIGHTS; i++) {
        if (strcmp(rights[i].name + prefix, name) == 0) {
            *out = (enum km_right)i;
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}

/* Is a name in a comma separated list? Names of groups stand there with % in front. */
static bool listed(const char *list, char mark, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = list; p && *p;) {
        size_t n = strcspn(p, ", ;"), skip = mark ? 1 : 0;

        if (n == len + skip && (!mark || *p == mark) && strncmp(p + skip, name, len) == 0) {
            return true;
        }
        p += n;
        p += strspn(p, ", ;");
    }
    return false;
}

static unsigned roles_by_name(const struct parm_config *config, char mark, const char *name)
{
    static const struct {
        enum parm_id list;
        unsigned role;
    } roles[] = {
        {PARM_console_role_SECADMIN, KM_ROLE_SECADMIN},
        {PARM_console_role_OPERATOR, KM_ROLE_OPERATOR},
        {PARM_console_role_AUDITOR, KM_ROLE_AUDITOR},
        {PARM_console_role_BACKUP, KM_ROLE_BACKUP},
        {PARM_console_role_OFFICER, KM_ROLE_OFFICER},
    };
    unsigned out = 0;

    for (size_t i = 0; i < KLM_COUNT(roles); i++) {
        if (listed(parm_str(config, roles[i].list), mark, name)) {
            out |= roles[i].role;
        }
    }
    return out;
}

/* Hears of each group of a user. */
typedef void group_fn(void *arg, const char *name);

/* A group with many members needs more room than usual; one that cannot be read gives nothing. */
static void visit_group(gid_t gid, group_fn *fn, void *arg)
{
    struct group group, *found = NULL;
    int rc = ERANGE;

    for (size_t cap = 4096; cap <= ROOM_MAX && rc == ERANGE; cap *= 4) {
        char *room = malloc(cap);

        rc = room ? getgrgid_r(gid, &group, room, cap, &found) : ENOMEM;
        if (rc == 0 && found) {
            fn(arg, group.gr_name);
        }
        free(room);
    }
}

static void visit_groups(const char *user, gid_t gid, group_fn *fn, void *arg)
{
    int n = GROUPS_MAX;
    gid_t *ids = calloc(GROUPS_MAX, sizeof *ids);

    if (!ids) {
        return;
    }
    if (getgrouplist(user, gid, ids, &n) < 0) {
        n = GROUPS_MAX; /* the first so many count */
    }
    for (int i = 0; i < n; i++) {
        visit_group(ids[i], fn, arg);
    }
    free(ids);
}

struct roles {
    const struct parm_config *config;
    unsigned found;
};

static void add_roles(void *arg, const char *name)
{
    struct roles *roles = arg;

    roles->found |= roles_by_name(roles->config, '%', name);
}

unsigned km_roles_of(const struct parm_config *config, unsigned uid, unsigned gid)
{
    char room[16384];
    struct passwd passwd, *found = NULL;
    struct roles roles = {config, 0};

    if (getpwuid_r((uid_t)uid, &passwd, room, sizeof room, &found) != 0 || !found) {
        return 0;
    }
    visit_groups(found->pw_name, (gid_t)gid, add_roles, &roles);
    return roles_by_name(config, '\0', found->pw_name) | roles.found;
}

struct names {
    char *out;
    size_t n;
};

static void add_name(void *arg, const char *name)
{
    struct names *names = arg;
    size_t len = strlen(name);

    if (names->n + len + 2 > KM_GROUPS_MAX || strchr(name, ',')) {
        return;
    }
    if (names->n > 0) {
        names->out[names->n++] = ',';
    }
    for (size_t i = 0; i < len; i++) {
        names->out[names->n++] = (char)toupper((unsigned char)name[i]);
    }
    names->out[names->n] = '\0';
}

void km_groups_of(unsigned uid, unsigned gid, char out[KM_GROUPS_MAX])
{
    char room[16384];
    struct passwd passwd, *found = NULL;
    struct names names = {out, 0};

    out[0] = '\0';
    if (getpwuid_r((uid_t)uid, &passwd, room, sizeof room, &found) == 0 && found) {
        visit_groups(found->pw_name, (gid_t)gid, add_name, &names);
    }
}
