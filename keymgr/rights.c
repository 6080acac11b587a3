/* Rights: one table says which role has which right. */
#include "keymgr/internal.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* Is the user, or one of his groups ("%name"), in a comma separated list? */
static bool listed(const char *list, const char *user, const char *const *groups, size_t groups_n)
{
    for (const char *p = list; p && *p;) {
        size_t n = strcspn(p, ", ;");

        if (n > 0 && *p == '%') {
            for (size_t i = 0; i < groups_n; i++) {
                if (strlen(groups[i]) == n - 1 && strncmp(groups[i], p + 1, n - 1) == 0) {
                    return true;
                }
            }
        } else if (n > 0 && strlen(user) == n && strncmp(user, p, n) == 0) {
            return true;
        }
        p += n;
        p += strspn(p, ", ;");
    }
    return false;
}

/* Names of all groups of a user; at most max. */
static size_t group_names(const char *user, unsigned gid, char names[][64], const char **out, size_t max)
{
    gid_t ids[64];
    int n = (int)KLM_COUNT(ids);
    size_t used = 0;

    if (getgrouplist(user, (gid_t)gid, ids, &n) < 0) {
        n = (int)KLM_COUNT(ids);
    }
    for (int i = 0; i < n && used < max; i++) {
        char room[4096];
        struct group group, *found = NULL;

        if (getgrgid_r(ids[i], &group, room, sizeof room, &found) == 0 && found) {
            snprintf(names[used], 64, "%s", found->gr_name);
            out[used] = names[used];
            used++;
        }
    }
    return used;
}

unsigned km_roles_of(const struct parm_config *config, unsigned uid, unsigned gid)
{
    static const struct {
        enum parm_id list;
        unsigned role;
    } roles[] = {
        {PARM_console_role_SECADMIN, KM_ROLE_SECADMIN},
        {PARM_console_role_OPERATOR, KM_ROLE_OPERATOR},
        {PARM_console_role_AUDITOR, KM_ROLE_AUDITOR},
        {PARM_console_role_BACKUP, KM_ROLE_BACKUP},
    };
    char room[4096], names[64][64];
    const char *groups[64];
    struct passwd passwd, *found = NULL;
    size_t groups_n;
    unsigned out = 0;

    if (getpwuid_r((uid_t)uid, &passwd, room, sizeof room, &found) != 0 || !found) {
        return 0;
    }
    groups_n = group_names(found->pw_name, gid, names, groups, KLM_COUNT(groups));
    for (size_t i = 0; i < KLM_COUNT(roles); i++) {
        if (listed(parm_str(config, roles[i].list), found->pw_name, groups, groups_n)) {
            out |= roles[i].role;
        }
    }
    return out;
}
