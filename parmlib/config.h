/* Inside of a configuration; only for this folder. */
#ifndef PARMLIB_CONFIG_H
#define PARMLIB_CONFIG_H

#include "parmlib/parm.h"
#include "parmlib/properties.h"

#include <stdatomic.h>

struct parm_value {
    const char *raw; /* as in the file, escapes resolved; NULL: not set */
    const char *val; /* checked and in its one spelling; NULL: neither set nor a default */
    int64_t num;     /* of numbers, ports and booleans */
    unsigned line;   /* 0: not from the file */
};

struct parm_config {
    atomic_uint refs;
    struct klm_pool *pool; /* all of it, this struct too */
    const char *path;
    struct parm_value v[PARM_COUNT_];
    struct parm_entries unknown;
};

/* Make a configuration of entries: everything that parm_load_text does after reading the syntax. */
klm_rc parm_build(const struct parm_entries *entries, const char *name, bool quiet,
                  struct klm_diag *diag, struct parm_config **out) KLM_MUST_USE;

#define PARM_STRING_MAX 4096
#define PARM_PATH_MAX 1023
#define PARM_ALIAS_MAX 64

/* Check a value, not empty, as the row asks, and bring it into its one spelling in the pool.
 * folder: what relative paths lie in. KLM_E_INVALID, with what is allowed in *allowed (in the
 * pool); KLM_E_NOMEM. */
klm_rc parm_check(enum parm_id id, const char *raw, const char *folder, struct klm_pool *pool,
                  struct parm_value *out, const char **allowed) KLM_MUST_USE;

/* Reference 3.4: one key group, or a list of aliases and ranges. */
bool parm_keyset_ok(const char *value);

/* A list "a, b;c" item by item: blanks, commas and semicolons are between items. False at its end.
 */
bool parm_next_item(const char **list, struct klm_slice *item);

/* Cipher suites named in a list. */
struct parm_suites {
    bool all;             /* JSSE_ALL */
    unsigned n12, n13;    /* how many of each version */
    struct klm_slice bad; /* the first that cannot be used; p is NULL: none */
    bool bad_is_old;      /* it is known, and refused */
};
void parm_suites_scan(const char *list, struct parm_suites *out);
/* The names that can be used and begin so, for messages. NULL without memory. */
const char *parm_suites_allowed(struct klm_pool *pool, const char *prefix);

/* Does the list name suites of kmip_suites.def, one or more, and nothing else? */
bool parm_kmip_suites_ok(const char *list);
/* Versions of TLS for KMIP clients; most is below least when no session could begin. */
void parm_kmip_versions(const struct parm_config *config, int *least, int *most);
/* Suites in force for them that a start warns of, commas between; "" when there is none, NULL without memory. */
const char *parm_kmip_weak(const struct parm_config *config, struct klm_pool *pool);

/* One run of checks over a configuration being made: errors are counted, the first is kept, all are
 * said unless quiet. */
struct parm_errors {
    const char *name; /* of the file */
    bool quiet;
    unsigned n;
    struct klm_diag first;
};
void parm_error_(struct parm_errors *errors, unsigned line, enum klm_msg_id id,
                 const char *const *args);
#define parm_error(errors, line, ...) PARM_ERROR_PICK_(errors, line, __VA_ARGS__, NULL)
#define PARM_ERROR_PICK_(errors, line, id, ...)                                                    \
    parm_error_(errors, line, id, (const char *const[]){__VA_ARGS__})

/* Rules between properties. KLM_E_NOMEM; what is wrong goes to errors. */
klm_rc parm_cross_check(struct parm_config *config, struct parm_errors *errors) KLM_MUST_USE;
/* "Line 12 of FILE", or the file alone for a property that is not in it. NULL without memory. */
const char *parm_place(struct klm_pool *pool, const char *name, unsigned line);

#endif
