/* Outcomes. A function that can fail returns klm_rc and leaves its output parameters
 * untouched when it does. New outcomes are rows of rc.def. */
#ifndef BASE_RC_H
#define BASE_RC_H

typedef enum klm_rc {
#define KLM_RC(name, text) name,
#include "base/rc.def"
#undef KLM_RC
} klm_rc;

/* A short lower-case text for an outcome; never NULL. */
const char *klm_rc_text(klm_rc rc);

/* The C name of an outcome ("KLM_E_LIMIT"), for traces and tests; never NULL. */
const char *klm_rc_name(klm_rc rc);

/* The outcome that fits an errno value: ENOSPC and EDQUOT are KLM_E_NOSPACE, ENOENT is
 * KLM_E_NOTFOUND, ENOMEM is KLM_E_NOMEM, EACCES and EPERM are KLM_E_DENIED, the rest KLM_E_IO. */
klm_rc klm_rc_errno(int err);

#define KLM_MUST_USE __attribute__((warn_unused_result))

/* Leave the function when the call fails: the only macro that hides a return. */
#define KLM_TRY(call)                                                                              \
    do {                                                                                           \
        klm_rc klm_try_rc_ = (call);                                                               \
        if (klm_try_rc_ != KLM_OK) {                                                               \
            return klm_try_rc_;                                                                    \
        }                                                                                          \
    } while (0)

/* Free a local when it leaves scope: KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
 * The function takes the variable's address and accepts NULL in it. */
#define KLM_AUTO(free_fn) __attribute__((cleanup(free_fn)))

/* Ignore an outcome on purpose; a comment beside it says why. */
#define KLM_IGNORE(call)                                                                           \
    do {                                                                                           \
        klm_rc klm_ignore_rc_ = (call);                                                            \
        (void)klm_ignore_rc_;                                                                      \
    } while (0)

#define KLM_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
