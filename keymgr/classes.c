/* Verbs on classes (SETROPTS): which are active, whether generic names count, and when changes of profiles take effect. */
#include "keymgr/internal.h"

#include <string.h>
#include <strings.h>

/* Certificates and rings are no profiles here: their refresh opens the rings again. */
static bool is_keyring_class(const char *name)
{
    return strcasecmp(name, "DIGTCERT") == 0 || strcasecmp(name, "DIGTRING") == 0;
}

/* What is to become of one class. */
struct order {
    unsigned active, inactive, generic, nogeneric, raclist, noraclist; /* bits of classes */
    bool rings; /* RACLIST(DIGTCERT) and the like: open the rings again */
};

/* Names parted by blanks or commas, as bits. */
static klm_rc classes_of(struct km_call *call, const char *names, unsigned *out, bool *rings)
{
    const char *p = names ? names + strspn(names, " ,") : "";

    while (*p) {
        size_t n = strcspn(p, " ,");
        const char *name = klm_pool_strn(call->pool, p, n);
        enum pr_class class;

        KLM_TRY(name ? KLM_OK : KLM_E_NOMEM);
        if (is_keyring_class(name)) {
            *rings = true;
        } else if (pr_class_find(name, &class) == KLM_OK) {
            *out |= PR_BIT(class);
        } else {
            return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_CLASS_UNKNOWN, name);
        }
        p += n;
        p += strspn(p, " ,");
    }
    return KLM_OK;
}

static klm_rc read_order(struct km_call *call, struct order *out)
{
    const struct km_class_req *req = call->req;
    bool ignored = false;

    KLM_TRY(classes_of(call, req->classact, &out->active, &ignored));
    KLM_TRY(classes_of(call, req->noclassact, &out->inactive, &ignored));
    KLM_TRY(classes_of(call, req->generic, &out->generic, &ignored));
    KLM_TRY(classes_of(call, req->nogeneric, &out->nogeneric, &ignored));
    KLM_TRY(classes_of(call, req->raclist, &out->raclist, &out->rings));
    KLM_TRY(classes_of(call, req->noraclist, &out->noraclist, &ignored));
    if (!req->classact && !req->noclassact && !req->generic && !req->nogeneric && !req->raclist &&
        !req->noraclist) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_SETROPTS_NOTHING);
    }
    if (req->refresh && !req->raclist && !req->generic) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_SETROPTS_REFRESH);
    }
    if ((out->active & out->inactive) || (out->generic & out->nogeneric) ||
        (out->raclist & out->noraclist)) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_SETROPTS_BOTH);
    }
    return KLM_OK;
}

/* Under the lock of configuration changes (KM_CONFIG), as refreshks. */
klm_rc km_class_set_prepare(struct km_call *call)
{
    struct order *order = klm_pool_alloc(call->pool, sizeof *order);
    const struct km_class_req *req = call->req;

    if (!order) {
        return KLM_E_NOMEM;
    }
    call->work = order;
    KLM_TRY(read_order(call, order));
    return order->rings && req->refresh ? km_keystore_refresh_prepare(call) : KLM_OK;
}

static klm_rc set_class(struct st_change *change, const struct order *order, enum pr_class class,
                        unsigned *mask)
{
    const unsigned bit = PR_BIT(class);
    struct pr_options old, options;

    KLM_TRY(pr_options_get(st_change_view(change), class, &old, NULL)); /* damaged: set anew */
    options = old;
    options.active = (options.active || (order->active & bit)) && !(order->inactive & bit);
    options.generic = (options.generic || (order->generic & bit)) && !(order->nogeneric & bit);
    options.raclist = (options.raclist || (order->raclist & bit)) && !(order->noraclist & bit);
    if ((order->raclist | order->noraclist | order->generic) & bit) {
        *mask |= bit; /* read anew */
    }
    return pr_options_put(change, class, &options);
}

static const char *order_text(struct km_call *call)
{
    const struct km_class_req *req = call->req;
    const struct {
        const char *word, *names;
    } part[] = {{"CLASSACT", req->classact}, {"NOCLASSACT", req->noclassact},
                {"GENERIC", req->generic},   {"NOGENERIC", req->nogeneric},
                {"RACLIST", req->raclist},   {"NORACLIST", req->noraclist}};
    const char *out = "";

    for (size_t i = 0; out && i < KLM_COUNT(part); i++) {
        if (part[i].names) {
            out = klm_pool_printf(call->pool, "%s%s%s(%s)", out, *out ? " " : "", part[i].word,
                                  part[i].names);
        }
    }
    return out && req->refresh ? klm_pool_printf(call->pool, "%s REFRESH", out) : out;
}

klm_rc km_class_set_apply(struct km_call *call, struct st_change *change)
{
    const struct order *order = call->work;
    unsigned touched = order->active | order->inactive | order->generic | order->nogeneric |
                       order->raclist | order->noraclist;
    unsigned mask = 0;

    for (size_t i = 0; i < PR_CLASSES; i++) {
        if (touched & PR_BIT(i)) {
            KLM_TRY(set_class(change, order, (enum pr_class)i, &mask));
        }
    }
    call->event.field[SMF_F_NEW] = order_text(call);
    return km_profiles_compile(call, change, mask);
}

/* ---- List */

static klm_rc list_class(struct km_call *call, const struct pr_set *set, enum pr_class class)
{
    const struct pr_options *options = pr_set_options(set, class);

    return km_rows_add(call, (const char *[]){pr_class_name(class), options->active ? "YES" : "NO",
                                              options->generic ? "YES" : "NO",
                                              options->raclist ? "YES" : "NO",
                                              KLM_NUM(pr_set_count(set, class))});
}

klm_rc km_class_list_prepare(struct km_call *call)
{
    static const char *const columns[] = {"Class",   "Active",   "Generic",
                                          "RACLIST", "Profiles", NULL};

    KLM_TRY(km_rows_begin(call, "Classes", columns));
    for (size_t i = 0; i < PR_CLASSES; i++) {
        KLM_TRY(list_class(call, call->profiles, (enum pr_class)i));
    }
    return KLM_OK;
}
