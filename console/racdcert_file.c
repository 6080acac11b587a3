/* RACDCERT's functions that read and write files: ADD, CHECKCERT, EXPORT, GENREQ. */
#include "console/racdcert.h"

#include <string.h>

#define CERT_FILE_MAX 65536

klm_rc con_racdcert_file(struct racdcert *r, const struct racf_word *word)
{
    struct km_cert_req *req = r->cmd.call->req;
    const char *dsn;

    KLM_TRY(racf_value(r->cmd.run, word, &dsn));
    return con_file_read(r->cmd.run, dsn, CERT_FILE_MAX, &req->bytes);
}

/* PASSWORD('...'); without a value the program should have put one in. */
static klm_rc password(struct racdcert *r, const struct racf_word *word)
{
    return racf_set_value(&r->cmd, "password", word);
}

/* ---- In */

klm_rc con_racdcert_add(struct racdcert *r)
{
    KLM_TRY(racf_set(&r->cmd, "owner", con_racdcert_owner(r)));
    KLM_TRY(con_racdcert_file(r, r->target));
    for (size_t i = 0; i < r->n; i++) {
        const struct racf_word *word = &r->word[i];

        if (racf_named(word, "TRUST") || racf_named(word, "NOTRUST") ||
            racf_named(word, "HIGHTRUST")) {
            KLM_TRY(racf_set(&r->cmd, "trust", word->name));
        } else if (racf_named(word, "WITHLABEL")) {
            KLM_TRY(racf_set_value(&r->cmd, "label", word));
        } else if (racf_named(word, "PCICC") || racf_named(word, "ICSF")) {
            KLM_TRY(word->body ? racf_set_value(&r->cmd, "token_label", word) : KLM_OK);
        } else if (racf_named(word, "PASSWORD")) {
            KLM_TRY(password(r, word));
        } else if (word != r->target) {
            return racf_unknown(&r->cmd, word);
        }
    }
    return KLM_OK;
}

klm_rc con_racdcert_check(struct racdcert *r)
{
    if (r->owner) {
        KLM_TRY(racf_set(&r->cmd, "owner", r->owner));
    }
    KLM_TRY(con_racdcert_file(r, r->target));
    for (size_t i = 0; i < r->n; i++) {
        if (racf_named(&r->word[i], "PASSWORD")) {
            KLM_TRY(password(r, &r->word[i]));
        } else if (&r->word[i] != r->target) {
            return racf_unknown(&r->cmd, &r->word[i]);
        }
    }
    return KLM_OK;
}

/* ---- Out */

/* The call's bytes go to the file; what was done is the answer. */
static klm_rc write_out(struct racdcert *r, const char *dsn, const char *what)
{
    klm_rc rc;

    if (!dsn) {
        return racf_missing(&r->cmd, "DSN");
    }
    rc = km_run_wait(r->cmd.call);
    if (rc == KLM_OK) {
        rc = con_file_write(r->cmd.run, dsn, r->cmd.call->bytes);
        if (rc == KLM_OK) {
            con_line(r->cmd.run, klm_pool_printf(r->cmd.run->pool, "%s %s", what, dsn));
        }
    } else {
        con_answer(r->cmd.run, r->cmd.call);
    }
    km_call_free(&r->cmd.call);
    return rc;
}

klm_rc con_racdcert_export(struct racdcert *r)
{
    const char *dsn = NULL;

    KLM_TRY(con_racdcert_label(r));
    for (size_t i = 0; i < r->n; i++) {
        const struct racf_word *word = &r->word[i];

        if (racf_named(word, "DSN")) {
            KLM_TRY(racf_value(r->cmd.run, word, &dsn));
        } else if (racf_named(word, "FORMAT")) {
            KLM_TRY(racf_set_value(&r->cmd, "format", word));
        } else if (racf_named(word, "PASSWORD")) {
            KLM_TRY(password(r, word));
        } else if (word != r->target) {
            return racf_unknown(&r->cmd, word);
        }
    }
    return write_out(r, dsn, "Certificate exported to");
}

klm_rc con_racdcert_request(struct racdcert *r)
{
    const char *dsn = NULL;

    KLM_TRY(con_racdcert_label(r));
    for (size_t i = 0; i < r->n; i++) {
        if (racf_named(&r->word[i], "DSN")) {
            KLM_TRY(racf_value(r->cmd.run, &r->word[i], &dsn));
        } else if (&r->word[i] != r->target) {
            return racf_unknown(&r->cmd, &r->word[i]);
        }
    }
    return write_out(r, dsn, "Certificate request written to");
}
