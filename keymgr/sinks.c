/* Where audit events go from the journal: text log, SMF data sets, syslog, in this order. Opened after the journal, drained and closed
 * before it; what a sink has not got by then stays in the journal and follows at the next start. */
#include "keymgr/internal.h"

#include "base/file.h"
#include "parmlib/smfprm.h"
#include "smf/dataset.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN 4096
#define MEMBER_MAX (1u << 20)
#define JOB "ISKLM" /* the started task */

static klm_rc open_text(struct km_server *server, const struct parm_config *config,
                        struct klm_diag *diag)
{
    struct smf_text_options options = {
        .folder = parm_str(config, PARM_Audit_handler_file_directory),
        .name = parm_str(config, PARM_Audit_handler_file_name),
        .roll_bytes = (uint64_t)parm_num(config, PARM_Audit_handler_file_size) * 1024,
        .signer = &server->sink_signer,
    };

    return smf_text_open(&options, server->journal, diag, &server->text);
}

/* Where sinks begin that were switched on: with what the text log, which is always on, does not have yet. So at the first start of all they have
 * everything. */
struct smf_begin km_sinks_begin(struct km_server *server, const struct parm_config *config)
{
    struct smf_begin oldest = {0};

    return parm_has(config, PARM_Audit_begin, "oldest") ? oldest : smf_text_began(server->text);
}

/* ---- SMF */

/* What the member says, or the defaults without one. */
static klm_rc read_member(const struct parm_config *config, struct parm_smf *out,
                          struct klm_diag *diag)
{
    const char *path = parm_str(config, PARM_Audit_smf_member);
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    char host[256] = "", sysname[9];

    klm_buf_init(&text, MEMBER_MAX + 1);
    (void)gethostname(host, sizeof host - 1); /* without a name it is LINUX */
    parm_smf_sysname(host, sysname);
    parm_smf_init(sysname, out);
    if (!path) {
        return KLM_OK;
    }
    KLM_TRY(klm_file_read(path, MEMBER_MAX, &text, diag));
    KLM_TRY(parm_smf_member(klm_buf_as_slice(&text), path, sysname,
                            parm_str(config, PARM_Audit_smf_subsystem), out, diag));
    if (!out->recorded) {
        klm_say(KLM_MSG_SMFPRM_OFF, path, parm_str(config, PARM_Audit_smf_subsystem));
    }
    return KLM_OK;
}

static enum smf_format format_of(const struct parm_config *config)
{
    if (parm_has(config, PARM_Audit_smf_format, "VBS")) {
        return SMF_VBS;
    }
    return parm_has(config, PARM_Audit_smf_format, "VB") ? SMF_VB : SMF_RDW;
}

static klm_rc open_datasets(struct km_server *server, const struct parm_config *config,
                            const struct parm_smf *member, struct klm_diag *diag)
{
    const char *names[PARM_SMF_DATASETS];
    char folder[PATH_LEN];
    struct smf_dataset_options options = {
        .folder = folder,
        .names = names,
        .names_n = member->dsnames,
        .size = (uint64_t)parm_num(config, PARM_Audit_smf_dataset_size) * 1024,
        .format = format_of(config),
        .origin = {.system = member->sid,
                   .subsystem = parm_str(config, PARM_Audit_smf_subsystem),
                   .job = JOB},
        .local_time = true,
        .server_id = smf_journal_server_id(server->journal),
        .signer = &server->sink_signer,
        .begin = km_sinks_begin(server, config),
    };

    for (size_t i = 0; i < member->dsnames; i++) {
        names[i] = member->dsname[i];
    }
    KLM_TRY(parm_smf_dir(config, folder, sizeof folder));
    return smf_dataset_sink_open(&options, server->journal, diag, &server->smf);
}

static klm_rc open_smf(struct km_server *server, const struct parm_config *config,
                       struct klm_diag *diag)
{
    struct parm_smf member;

    if (!parm_bool(config, PARM_Audit_smf)) {
        return KLM_OK;
    }
    KLM_TRY(read_member(config, &member, diag));
    return member.recorded ? open_datasets(server, config, &member, diag) : KLM_OK;
}

/* ---- All of them */

klm_rc km_sinks_open(struct km_server *server, const struct parm_config *config,
                     struct klm_diag *diag)
{
    km_signer(server, &server->sink_signer);
    KLM_TRY(open_text(server, config, diag));
    KLM_TRY(open_smf(server, config, diag));
    return km_syslog_open(server, config, diag);
}

/* What is left of the time that sinks may take at stop. */
static unsigned left(uint64_t end_ms)
{
    uint64_t now = klm_clock_mono_ms();

    return now < end_ms ? (unsigned)(end_ms - now) : 0;
}

static void drain(struct smf_sink *sink, uint64_t end_ms)
{
    unsigned ms = left(end_ms);

    if (ms > 0) {
        KLM_IGNORE(smf_sink_drain(sink, ms)); /* the rest stays in the journal */
    }
}

/* The longest time that the sinks may take at stop, as it is configured now. */
static uint64_t time_at_stop(struct km_server *server)
{
    struct km_state *state = km_state_get(server);
    int64_t seconds = state ? parm_num(state->config, PARM_Audit_handler_file_threadlifespan) : 0;

    km_state_put(&state);
    return (uint64_t)seconds * 1000;
}

void km_sinks_close(struct km_server *server)
{
    uint64_t end_ms = klm_clock_mono_ms() + time_at_stop(server);

    if (server->text) {
        drain(smf_text_sink(server->text), end_ms);
        smf_text_close(&server->text);
    }
    if (server->smf) {
        drain(smf_dataset_sink_core(server->smf), end_ms);
        smf_dataset_sink_close(&server->smf);
    }
    km_syslog_close(server, left(end_ms));
}

static klm_rc sink_row(struct km_call *call, const char *item, struct smf_sink *sink)
{
    struct smf_sink_status status;
    const char *value;

    if (!sink) {
        return KLM_OK;
    }
    smf_sink_get_status(sink, &status);
    value = klm_pool_printf(call->pool, "at %llu, %llu behind%s%s",
                            (unsigned long long)status.position, (unsigned long long)status.backlog,
                            status.failing ? ", FAILING: " : "", status.failing ? status.why : "");
    return value ? km_rows_add(call, (const char *[]){item, value}) : KLM_E_NOMEM;
}

klm_rc km_sinks_rows(struct km_call *call)
{
    struct km_server *server = call->server;

    KLM_TRY(sink_row(call, "Audit log", server->text ? smf_text_sink(server->text) : NULL));
    KLM_TRY(
        sink_row(call, "Audit to SMF", server->smf ? smf_dataset_sink_core(server->smf) : NULL));
    return sink_row(call, "Audit to syslog", km_syslog_sink(server));
}

/* ---- Verbs of the SMF data sets */

static klm_rc smf_is_on(struct km_call *call)
{
    return call->server->smf ? KLM_OK : KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_SMF_OFF);
}

klm_rc km_smf_switch_prepare(struct km_call *call)
{
    static const char *const columns[] = {"Now recording on", "Enter dump for", "Folder", NULL};
    char from[SMF_DATASET_NAME_MAX], to[SMF_DATASET_NAME_MAX];
    klm_rc rc;

    KLM_TRY(smf_is_on(call));
    rc = smf_dataset_switch(call->server->smf, from, to);
    if (rc != KLM_OK) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_SMF_NO_SWITCH, klm_rc_text(rc));
    }
    call->event.field[SMF_F_OBJECT] = klm_pool_str(call->pool, from[0] ? from : to);
    KLM_TRY(km_rows_begin(call, NULL, columns));
    return km_rows_add(call, (const char *[]){to, from, smf_dataset_folder(call->server->smf)});
}

klm_rc km_smf_list_prepare(struct km_call *call)
{
    static const char *const columns[] = {"NAME", "SIZE", "PERCENT FULL", "STATUS", NULL};
    struct smf_dataset_row rows[SMF_DATASETS_MAX];
    size_t n = 0;

    KLM_TRY(smf_is_on(call));
    KLM_TRY(smf_dataset_list(call->server->smf, rows, &n));
    KLM_TRY(km_rows_begin(call, NULL, columns));
    for (size_t i = 0; i < n; i++) {
        uint64_t percent = rows[i].bytes * 100 / rows[i].size;
        const char *texts[] = {rows[i].name, KLM_NUM(rows[i].size),
                               KLM_NUM(percent > 100 ? 100 : percent), rows[i].state};

        KLM_TRY(km_rows_add(call, texts));
    }
    return KLM_OK;
}
