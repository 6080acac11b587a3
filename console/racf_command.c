/* What commands of RACF share: words become parameters of a verb, and the call is run and answered. */
#include "console/internal.h"

#include <ctype.h>
#include <string.h>

bool racf_named(const struct racf_word *word, const char *name)
{
    return word->name && strcmp(word->name, name) == 0;
}

klm_rc racf_set(struct racf_command *cmd, const char *param, const char *value)
{
    struct klm_diag diag = {0};
    klm_rc rc = km_call_set(cmd->call, param, value, &diag);

    if (rc != KLM_OK) {
        con_refuse_diag(cmd->run, KLM_E_USAGE, &diag);
    }
    return rc;
}

klm_rc racf_set_value(struct racf_command *cmd, const char *param, const struct racf_word *word)
{
    const char *value;

    KLM_TRY(racf_value(cmd->run, word, &value));
    return racf_set(cmd, param, value);
}

klm_rc racf_unknown(struct racf_command *cmd, const struct racf_word *word)
{
    CON_REFUSE(cmd->run, KLM_E_USAGE, KLM_MSG_RACF_KEYWORD, word->name ? word->name : word->body,
               cmd->name, cmd->syntax);
    return KLM_E_USAGE;
}

klm_rc racf_missing(struct racf_command *cmd, const char *name)
{
    CON_REFUSE(cmd->run, KLM_E_USAGE, KLM_MSG_RACF_MISSING, name, cmd->name, cmd->syntax);
    return KLM_E_USAGE;
}

const char *racf_upper(struct con_run *run, const char *text)
{
    char *out = klm_pool_str(run->pool, text);

    for (char *p = out; p && *p; p++) {
        *p = (char)toupper((unsigned char)*p);
    }
    return out;
}

static void run_call(struct racf_command *cmd, const char *done)
{
    struct klm_diag diag = {0};
    klm_rc rc = km_call_check(cmd->call, &diag);

    if (rc != KLM_OK) {
        con_refuse_diag(cmd->run, KLM_E_USAGE, &diag);
        con_line(cmd->run, klm_pool_printf(cmd->run->pool, "Usage: %s", cmd->syntax));
        return;
    }
    if (km_run_wait(cmd->call) == KLM_OK && !cmd->call->rows.column) {
        con_line(cmd->run, klm_pool_printf(cmd->run->pool, "%s processed", done));
    }
    con_answer(cmd->run, cmd->call);
}

void racf_finish(struct racf_command *cmd, const char *done, klm_rc rc)
{
    if (rc != KLM_OK && cmd->run->status == 0) {
        CON_REFUSE(cmd->run, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "the command");
    }
    if (rc == KLM_OK && cmd->call) {
        run_call(cmd, done);
    }
    km_call_free(&cmd->call);
}
