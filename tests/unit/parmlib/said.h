/* What was said during a test, and configurations small enough to change one thing in. */
#ifndef TESTS_UNIT_PARMLIB_SAID_H
#define TESTS_UNIT_PARMLIB_SAID_H

#include "parmlib/parm.h"
#include "test.h"

#include <stdlib.h>

static char said_text[65536];
static size_t said_n;

static void said_line(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity;
    said_n += (size_t)snprintf(said_text + said_n, sizeof said_text - said_n, "%s\n", line);
    said_n = said_n < sizeof said_text ? said_n : sizeof said_text - 1;
}

/* Listen from now on, with nothing said yet. */
static inline void said_clear(void)
{
    said_n = 0;
    said_text[0] = '\0';
    klm_say_to(said_line, NULL);
}

static inline bool said(const char *part)
{
    return strstr(said_text, part) != NULL;
}

/* How many lines begin with a message identifier. */
static inline unsigned said_times(const char *id)
{
    unsigned n = 0;

    for (const char *at = said_text; (at = strstr(at, id)); at++) {
        n++;
    }
    return n;
}

/* The required properties, and no weak setting; five lines. */
#define SAFE                                                                                       \
    "Audit.metadata.file.name=/var/lib/isklm/SKLMData.xml\n"                                       \
    "config.drivetable.file.url=FILE\\:/var/lib/isklm/filedrive.table\n"                           \
    "config.keystore.file=safkeyring\\://TAPEKMS/KeyStore4758\n"                                   \
    "TransportListener.ssl.keystore.name=safkeyring\\://TAPEKMS/KeyStore4758\n"                    \
    "TransportListener.ssl.port=1443\n"
#define STRONG                                                                                     \
    SAFE "TransportListener.ssl.clientauthentication=2\n"                                          \
         "TransportListener.ssl.truststore.name=safkeyring\\://TAPEKMS/KeyStore4758\n"             \
         "TransportListener.ssl.protocols=TLSv1.3\n"

static inline klm_rc load(const char *text, struct klm_diag *diag, struct parm_config **out)
{
    said_clear();
    return parm_load_text(klm_slice_str(text), "/etc/isklm/test.properties", false, diag, out);
}

/* The value of one property in a configuration that sets it besides the required ones. The result
 * is static. */
static inline const char *value_of(const char *line, enum parm_id id)
{
    static char out[8192];
    char *text = malloc(strlen(line) + sizeof SAFE + 8);
    struct parm_config *config = NULL;
    const char *value;

    memcpy(text, SAFE, sizeof SAFE);
    memcpy(text + sizeof SAFE - 1, line, strlen(line) + 1);
    if (load(text, NULL, &config) != KLM_OK) {
        free(text);
        return "(refused)";
    }
    value = parm_str(config, id);
    snprintf(out, sizeof out, "%s", value ? value : "(none)");
    parm_free(&config);
    free(text);
    return out;
}

#endif
