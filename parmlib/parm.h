/* Configuration: a Java properties file, read against the one table of properties (properties.def). The idea: the table knows all about
 * a property (type, range, default, whether it may change while the task runs, whether it is secret or local, who may change it),
 * and a configuration is an immutable snapshot of typed values that is swapped as a whole. */
#ifndef PARMLIB_PARM_H
#define PARMLIB_PARM_H

#include "base/msg.h"
#include "base/pool.h"
#include "base/rc.h"

#include <stdbool.h>
#include <stdint.h>

/* Row numbers of properties: PARM_TransportListener_tcp_port for "TransportListener.tcp.port". */
enum parm_id {
#define PARM(id, ...) PARM_##id,
#include "parmlib/properties.def"
#undef PARM
    PARM_COUNT_
};

enum parm_type {
    PARM_STRING,
    PARM_NUMBER,
    PARM_BOOL,
    PARM_PORT,
    PARM_KEYWORD,
    PARM_KEYWORDS,
    PARM_PATH,
    PARM_URL,
    PARM_KEYSTORE,
    PARM_ALIAS,
    PARM_HOST
};

enum parm_flag {
    PARM_REQUIRED = 1, /* the task does not start without it */
    PARM_DYNAMIC =
        2, /* takes effect while running (refresh, modconfig); otherwise at the next start */
    PARM_SECRET = 4,      /* shown as **** everywhere */
    PARM_LOCAL = 8,       /* never taken over by sync, import or replication */
    PARM_UNVERIFIED = 16, /* name, default or meaning not confirmed by the product's manual */
    PARM_OURS = 32,       /* a property of this project */
    PARM_LATER = 64       /* feature not built yet: any value but the default stops the start */
};

struct parm_row {
    const char *name;
    enum parm_type type;
    const char *range; /* "1-65535", "a|b|c" for keywords, "" for none */
    const char *deflt; /* NULL: no default */
    unsigned flags;
    const char *right; /* right needed to change it: "CONFIG", "SECURITY", "AUDIT", "DRIVE" */
    const char *help;
};
/* The row of a property; never NULL. */
const struct parm_row *parm_row(enum parm_id id);
/* Row of a name; keywords of names are case-sensitive, as in Java. KLM_E_NOTFOUND. */
klm_rc parm_find(const char *name, enum parm_id *out) KLM_MUST_USE;

struct parm_config; /* immutable; counted */

/* Read a file. Says warnings (unknown property, weak setting) through klm_say; errors (bad value, missing required one, feature not built) are
 * all said, with line numbers, and then the first is in diag and the outcome is KLM_E_INVALID. */
klm_rc parm_load(const char *path, struct klm_diag *diag, struct parm_config **out) KLM_MUST_USE;
/* The same from memory; name stands for the path in messages. quiet: say nothing. */
klm_rc parm_load_text(struct klm_slice text, const char *name, bool quiet, struct klm_diag *diag,
                      struct parm_config **out) KLM_MUST_USE;
struct parm_config *parm_ref(struct parm_config *config);
void parm_free(struct parm_config **config);

/* Values: set in the file, else the default; an empty value counts as not set. Strings are NULL when there is neither. Paths come without
 * FILE: prefixes, relative ones behind the folder of the configuration file; key rings as safkeyring://OWNER/RING; keywords in lower
 * case, in lists with a comma between; booleans as true or false. */
const char *parm_str(const struct parm_config *config, enum parm_id id);
int64_t parm_num(const struct parm_config *config, enum parm_id id);
bool parm_bool(const struct parm_config *config, enum parm_id id);
/* True when a comma or semicolon list holds the keyword (any case). */
bool parm_has(const struct parm_config *config, enum parm_id id, const char *keyword);
bool parm_is_set(const struct parm_config *config, enum parm_id id);
const char *parm_path_of_config(const struct parm_config *config);

/* safkeyring://OWNER/RING (two or four slashes, any case of the scheme). KLM_E_INVALID when it is no key ring. */
struct parm_ring {
    char owner[9];
    char ring[238];
};
klm_rc parm_ring(const char *value, struct parm_ring *out) KLM_MUST_USE;

/* The items of a symmetricKeySet value in order, without the blanks around them: key groups, aliases, ranges. fn's first failure ends it. */
typedef klm_rc parm_keyset_fn(void *arg, struct klm_slice item);
klm_rc parm_keyset_each(const char *value, parm_keyset_fn *fn, void *arg) KLM_MUST_USE;

/* TLS versions of drive sessions, 12 or 13, from TransportListener.ssl.protocols and the suites named. */
int parm_tls_min(const struct parm_config *config);
int parm_tls_max(const struct parm_config *config);
/* A property of cipher suites as OpenSSL lists for TLS 1.2 and 1.3; NULL where the library's own choice stands (JSSE_ALL) or no suite
 * of that version is named. KLM_E_NOMEM. */
klm_rc parm_ciphers(const struct parm_config *config, enum parm_id id, struct klm_pool *pool,
                    const char **tls12, const char **tls13) KLM_MUST_USE;

/* TLS of the ports for KMIP clients, from KMIPListener.ssl.suites, .ciphersuites, .version.min and .version.max. Texts are static or the pool's. KLM_E_NOMEM. */
struct parm_kmip_tls {
    int min, max;                 /* 12 or 13 */
    const char *tls12, *tls13;    /* OpenSSL lists; "" when no suite of that version is chosen */
    const char *groups, *sigalgs; /* OpenSSL lists; NULL: the library's */
    unsigned ec_bits; /* certificates of clients have elliptic curves of so many bits; 0: any key */
};
klm_rc parm_kmip_tls(const struct parm_config *config, struct klm_pool *pool,
                     struct parm_kmip_tls *out) KLM_MUST_USE;

/* Folders and files whose defaults depend on other properties; see the help of config.store.directory, Audit.journal.directory and
 * config.masterkey.file. KLM_E_LIMIT when out is too small. */
klm_rc parm_store_dir(const struct parm_config *config, char *out, size_t cap) KLM_MUST_USE;
klm_rc parm_journal_dir(const struct parm_config *config, char *out, size_t cap) KLM_MUST_USE;
klm_rc parm_smf_dir(const struct parm_config *config, char *out, size_t cap) KLM_MUST_USE;
/* Folder of the files that commands may name: console.files.directory, else files beside the configuration file. */
klm_rc parm_files_dir(const struct parm_config *config, char *out, size_t cap) KLM_MUST_USE;
/* Folder of backups: tklm.backup.dir, else backup beside the drive table. */
klm_rc parm_backup_dir(const struct parm_config *config, char *out, size_t cap) KLM_MUST_USE;
klm_rc parm_masterkey_file(const struct parm_config *config, char *out, size_t cap) KLM_MUST_USE;
/* The ring of drive authorities: drive.authority.ring, else the SSL truststore, else the keystore. */
const char *parm_drive_authority_ring(const struct parm_config *config);

/* Say a warning for each weak setting in force. parm_load does it. */
void parm_say_weak(const struct parm_config *config);

/* A new configuration with one property set, or unset (value NULL), checked as in a file; nothing is written. */
klm_rc parm_with(const struct parm_config *config, const char *name, const char *value,
                 struct klm_diag *diag, struct parm_config **out) KLM_MUST_USE;
/* Write a configuration's file anew with that one change: comments, order and other lines stay byte for byte; atomically. */
klm_rc parm_save_change(const struct parm_config *config, const char *name, const char *value,
                        struct klm_diag *diag) KLM_MUST_USE;
/* Visit all values as "name", "value" in table order, then unknown ones in file order; secret values as "****". */
typedef void parm_visit_fn(void *arg, const char *name, const char *value, bool is_default);
void parm_list(const struct parm_config *config, parm_visit_fn *visit, void *arg);
/* Names whose value differs and which do not take effect while running: for the message at refresh. */
void parm_pending(const struct parm_config *running, const struct parm_config *wanted,
                  parm_visit_fn *visit, void *arg);

#endif
