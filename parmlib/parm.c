/* Making a configuration: entries of a file become typed values, each checked against its row, then
 * against each other. */
#include "parmlib/parm.h"

#include "base/file.h"
#include "parmlib/config.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_OF_FILE 900 /* leaves room in PARM_PATH_MAX for what is named relative to it */

void parm_error_(struct parm_errors *errors, unsigned line, enum klm_msg_id id,
                 const char *const *args)
{
    struct klm_diag diag = {.line = line};

    (void)klm_fail_(&diag, KLM_E_INVALID, id,
                    args); /* the outcome of the whole is worked out at the end */
    if (!errors->quiet) {
        klm_say_diag(&diag);
    }
    if (!errors->n++) {
        errors->first = diag;
    }
}

const char *parm_place(struct klm_pool *pool, const char *name, unsigned line)
{
    return line ? klm_pool_printf(pool, "Line %u of %s", line, name) : klm_pool_str(pool, name);
}

static klm_rc config_new(const char *name, struct parm_config **out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct parm_config *config;

    KLM_TRY(klm_pool_new_wiping(0, &pool));
    config = klm_pool_alloc(pool, sizeof *config);
    if (!config || !(config->path = klm_pool_str(pool, name))) {
        return KLM_E_NOMEM;
    }
    atomic_init(&config->refs, 1);
    config->pool = pool;
    pool = NULL;
    *out = config;
    return KLM_OK;
}

struct parm_config *parm_ref(struct parm_config *config)
{
    atomic_fetch_add(&config->refs, 1);
    return config;
}

void parm_free(struct parm_config **config)
{
    struct parm_config *gone = *config;

    *config = NULL;
    if (gone && atomic_fetch_sub(&gone->refs, 1) == 1) {
        struct klm_pool *pool = gone->pool;

        klm_pool_free(&pool);
    }
}

/* A known property in other capitals, or NULL. */
static const char *other_capitals(const char *name)
{
    for (unsigned i = 0; i < PARM_COUNT_; i++) {
        if (strcasecmp(parm_row((enum parm_id)i)->name, name) == 0) {
            return parm_row((enum parm_id)i)->name;
        }
    }
    return NULL;
}

static void warn_unknown(const struct parm_errors *errors, const struct parm_entry *entry)
{
    const char *known = other_capitals(entry->name);

    if (errors->quiet) {
        return;
    }
    if (known) {
        klm_say(KLM_MSG_PARM_UNKNOWN_CASE, KLM_NUM(entry->line), errors->name, entry->name, known);
    } else {
        klm_say(KLM_MSG_PARM_UNKNOWN, KLM_NUM(entry->line), errors->name, entry->name);
    }
}

static klm_rc copy_entry(struct klm_pool *pool, const struct parm_entry *from,
                         struct parm_entry *to)
{
    *to = *from;
    to->name = klm_pool_str(pool, from->name);
    to->value = klm_pool_str(pool, from->value);
    return to->name && to->value ? KLM_OK : KLM_E_NOMEM;
}

/* Blanks at the end are Java's to keep and nobody's to mean; a secret keeps them. */
static char *trimmed(struct klm_pool *pool, const char *value, bool secret)
{
    size_t n = strlen(value);

    while (!secret && n && strchr(" \t\r\n\f", value[n - 1])) {
        n--;
    }
    return klm_pool_strn(pool, value, n);
}

static klm_rc take_entry(struct parm_config *config, const struct parm_errors *errors,
                         const struct parm_entry *entry)
{
    struct parm_value *value;
    enum parm_id id;

    if (parm_find(entry->name, &id) != KLM_OK) {
        warn_unknown(errors, entry);
        return copy_entry(config->pool, entry, &config->unknown.at[config->unknown.n++]);
    }
    value = &config->v[id];
    if (value->raw && value->line && entry->line && !errors->quiet) {
        klm_say(KLM_MSG_PARM_TWICE, KLM_NUM(entry->line), errors->name, entry->name,
                KLM_NUM(value->line));
    }
    value->line = entry->line;
    value->raw = trimmed(config->pool, entry->value, parm_row(id)->flags & PARM_SECRET);
    return value->raw ? KLM_OK : KLM_E_NOMEM;
}

static klm_rc take_entries(struct parm_config *config, const struct parm_errors *errors,
                           const struct parm_entries *entries)
{
    config->unknown.at =
        klm_pool_alloc(config->pool, (entries->n + 1) * sizeof *config->unknown.at);
    if (!config->unknown.at) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < entries->n; i++) {
        KLM_TRY(take_entry(config, errors, &entries->at[i]));
    }
    return KLM_OK;
}

static const char *shown(const struct parm_row *row, const char *value)
{
    return row->flags & PARM_SECRET ? "****" : value;
}

static klm_rc cipher_error(struct parm_config *config, enum parm_id id, struct parm_errors *errors)
{
    const struct parm_value *value = &config->v[id];
    const char *tls13 = parm_suites_allowed(config->pool, "TLS_AES"),
               *rsa = parm_suites_allowed(config->pool, "TLS_ECDHE_RSA");
    const char *ecdsa = parm_suites_allowed(config->pool, "TLS_ECDHE_ECDSA"), *bad;
    const char *place = parm_place(config->pool, errors->name, value->line);
    struct parm_suites found;

    parm_suites_scan(value->raw, &found);
    bad = klm_pool_strn(config->pool, found.bad.p ? (const char *)found.bad.p : "", found.bad.n);
    if (!tls13 || !rsa || !ecdsa || !bad || !place) {
        return KLM_E_NOMEM;
    }
    parm_error(errors, value->line,
               found.bad_is_old ? KLM_MSG_PARM_CIPHER_OLD : KLM_MSG_PARM_CIPHER_UNKNOWN, place,
               parm_row(id)->name, bad, tls13, ecdsa, rsa);
    return KLM_OK;
}

static klm_rc value_error(struct parm_config *config, enum parm_id id, const char *allowed,
                          struct parm_errors *errors)
{
    const struct parm_row *row = parm_row(id);
    const struct parm_value *value = &config->v[id];

    if (strcmp(row->range, "@ciphers") == 0) {
        return cipher_error(config, id, errors);
    }
    if (value->line) {
        parm_error(errors, value->line, KLM_MSG_PARM_VALUE, KLM_NUM(value->line), errors->name,
                   row->name, shown(row, value->raw), allowed);
    } else {
        parm_error(errors, 0, KLM_MSG_PARM_SET_VALUE, row->name, shown(row, value->raw), allowed);
    }
    return KLM_OK;
}

static void later_error(const struct parm_config *config, enum parm_id id,
                        struct parm_errors *errors)
{
    const struct parm_row *row = parm_row(id);
    const struct parm_value *value = &config->v[id];

    if (value->line) {
        parm_error(errors, value->line, KLM_MSG_PARM_LATER, KLM_NUM(value->line), errors->name,
                   row->name, shown(row, value->raw));
    } else {
        parm_error(errors, 0, KLM_MSG_PARM_SET_LATER, row->name, shown(row, value->raw));
    }
}

static bool is_set(const struct parm_value *value)
{
    return value->raw && *value->raw;
}

static klm_rc check_default(struct parm_config *config, enum parm_id id, const char *folder,
                            struct parm_value *out)
{
    const char *allowed;

    if (!parm_row(id)->deflt) {
        return KLM_OK;
    }
    /* A default that its own row refuses is our mistake; a folder so deep that it makes the path
     * too long is not. */
    return parm_check(id, parm_row(id)->deflt, folder, config->pool, out, &allowed);
}

/* One property: the value of the file or the default. */
static klm_rc check_one(struct parm_config *config, enum parm_id id, const char *folder,
                        struct parm_errors *errors)
{
    const struct parm_row *row = parm_row(id);
    struct parm_value *value = &config->v[id], deflt = {0};
    const char *allowed = NULL;
    klm_rc rc;

    KLM_TRY(check_default(config, id, folder, &deflt));
    if (!is_set(value)) {
        if ((row->flags & PARM_REQUIRED) && !deflt.val) {
            parm_error(errors, 0, KLM_MSG_PARM_MISSING, errors->name, row->name);
        }
        value->val = deflt.val;
        value->num = deflt.num;
        return KLM_OK;
    }
    rc = parm_check(id, value->raw, folder, config->pool, value, &allowed);
    if (rc == KLM_E_INVALID) {
        return value_error(config, id, allowed, errors);
    }
    if (rc == KLM_OK && (row->flags & PARM_LATER) &&
        (!deflt.val || strcmp(deflt.val, value->val))) {
        later_error(config, id, errors);
    }
    return rc;
}

/* Relative paths lie in the folder of the configuration file; a file named without a folder leaves
 * them as they are. */
static klm_rc folder_of(const char *name, char *out, size_t cap, const char **folder)
{
    *folder = NULL;
    if (strchr(name, '/')) {
        KLM_TRY(klm_path_folder(name, out, cap));
        *folder = strcmp(out, "/") ? out : "";
    }
    return KLM_OK;
}

static klm_rc check_all(struct parm_config *config, struct parm_errors *errors)
{
    char buf[PATH_MAX];
    const char *folder;

    KLM_TRY(folder_of(config->path, buf, sizeof buf, &folder));
    for (unsigned i = 0; i < PARM_COUNT_; i++) {
        KLM_TRY(check_one(config, (enum parm_id)i, folder, errors));
    }
    return errors->n ? KLM_OK : parm_cross_check(config, errors);
}

static void keep_diag(struct klm_diag *diag, const struct klm_diag *first)
{
    if (diag) {
        *diag = *first;
    }
}

klm_rc parm_build(const struct parm_entries *entries, const char *name, bool quiet,
                  struct klm_diag *diag, struct parm_config **out)
{
    KLM_AUTO(parm_free) struct parm_config *config = NULL;
    struct parm_errors errors = {.name = name, .quiet = quiet};

    if (strlen(name) > NAME_MAX_OF_FILE) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_FILE_OPEN, name, "its path is too long");
    }
    KLM_TRY(config_new(name, &config));
    KLM_TRY(take_entries(config, &errors, entries));
    KLM_TRY(check_all(config, &errors));
    if (errors.n) {
        keep_diag(diag, &errors.first);
        return KLM_E_INVALID;
    }
    if (!quiet) {
        parm_say_weak(config);
    }
    *out = config;
    config = NULL;
    return KLM_OK;
}

klm_rc parm_load_text(struct klm_slice text, const char *name, bool quiet, struct klm_diag *diag,
                      struct parm_config **out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct parm_entries entries;

    KLM_TRY(klm_pool_new_wiping(0, &pool));
    KLM_TRY(parm_properties_read(text, name, pool, diag, &entries));
    return parm_build(&entries, name, quiet, diag, out);
}

klm_rc parm_load(const char *path, struct klm_diag *diag, struct parm_config **out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;

    klm_buf_init_wiping(&text, PARM_FILE_MAX + 1);
    KLM_TRY(klm_file_read(path, PARM_FILE_MAX, &text, diag));
    return parm_load_text(klm_buf_as_slice(&text), path, false, diag, out);
}
