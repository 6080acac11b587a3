/* The verb drill: the partner proves, for each key that this server can open, that it can open it, too; then every volume of the key
 * usage metadata is held against the answers. The report of all volumes goes to a file as it is made; the operator sees the keys, the
 * count and the first volumes that could not be read there. */
#include "replication/repl.h"

#include "base/secret.h"
#include "metadata/group.h"
#include "replication/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_KEYS 50     /* proven keys are listed up to here, others always */
#define SHOWN_GROUPS 100  /* key groups in the answer; all are in the report */
#define GROUP_KEYS 100000 /* keys of one group that are asked for */
#define SHOWN_VOLUMES 100 /* exposed volumes in the answer */
#define NOT_ASKED 0xFF    /* its private key is not here: nothing to be proved */
#define FALSE_PROOF 0xFE  /* it said yes and could not prove it */
#define LOST_HERE 0xFD    /* the stored key of a volume that is known here is not */

struct tested {
    uint8_t outcome; /* enum km_prove_outcome, NOT_ASKED, FALSE_PROOF */
    uint64_t volumes;
};

/* A volume of a stored key or of a managed object, until its page is answered. */
struct waiting {
    struct md_usage usage;
    uint8_t outcome;
};

/* A page on its way: what was asked, and the proofs that must come back. */
struct page {
    struct repl_message message;
    uint8_t wrapped[REPL_CHALLENGES][KR_WRAPPED_MAX];
    uint8_t expected[REPL_CHALLENGES][KR_PROOF];
    uint8_t *outcome[REPL_CHALLENGES]; /* where each answer goes */
};

struct drill {
    struct km_call *call;
    struct repl_link *link;
    const struct kr_open_ring *keys;
    struct tested *tested; /* by place in the ring */
    uint8_t master;
    bool in_hardware;      /* the master key never leaves it */
    char master_said[256]; /* of a partner that does not know the question */
    uint8_t binding[32];
    struct page *page;
    struct klm_buf transcript;
    struct repl_report *report;
    struct st_view *view;    /* while volumes are walked */
    struct waiting *waiting; /* REPL_CHALLENGES of them */
    size_t waiting_n;
    size_t asked, proven;
    uint64_t volumes, exposed, unknown;
    const char ***groups; /* rows of key groups: name, what the partner can do, keys */
    size_t groups_n;
    const char ***shown; /* rows of exposed volumes, SHOWN_VOLUMES at most */
    size_t shown_n;
};

static const char *words_of(uint8_t outcome)
{
    switch (outcome) {
    case KM_PROVEN:
        return "can open it";
    case KM_MISSING:
        return "MISSING there";
    case KM_OTHER_KEY:
        return "ANOTHER KEY there under this label";
    case KM_KEYLESS:
        return "NO PRIVATE KEY there";
    case KM_CANNOT:
        return "CANNOT OPEN it";
    case KM_OTHER_LABEL:
        return "UNDER ANOTHER LABEL there: only what was written with encoding H can be read";
    case KM_UNKNOWN_KIND:
        return "not known to that release";
    case FALSE_PROOF:
        return "SAID yes, and its proof is wrong";
    case LOST_HERE:
        return "NOT HERE, so not asked: bring it back from where the volume was written";
    case NOT_ASKED:
        return "not here: not asked";
    default:
        return "?";
    }
}

/* Of a master key a partner of an earlier release knows less: the question, which key is meant, or keys that never leave their hardware. */
static const char *words_of_master(const struct drill *drill)
{
    switch (drill->master) {
    case KM_OTHER_KEY:
        return "ANOTHER MASTER KEY there: keys get there as PKCS #12 or by a backup, not by "
               "KEYXFER";
    case FALSE_PROOF:
        return "NOT PROVEN: an earlier release says yes with any master key, and it was not this "
               "one";
    case KM_CANNOT:
        return drill->in_hardware
                   ? "CANNOT OPEN it, or an earlier release that cannot prove one in hardware"
                   : words_of(drill->master);
    case KM_UNKNOWN_KIND:
        return drill->master_said;
    default:
        return words_of(drill->master);
    }
}

/* What the answer, too, says of it when the partner does not know the question. */
static void note_master(struct drill *drill)
{
    struct klm_diag diag = {0};

    (void)klm_fail(&diag, KLM_E_UNSUPPORTED, KLM_MSG_DRILL_UNKNOWN, repl_link_partner(drill->link),
                   "a master key");
    snprintf(drill->master_said, sizeof drill->master_said, "%.255s", diag.text);
}

/* ---- Asking */

static klm_rc send_page(struct drill *drill)
{
    struct page *page = drill->page;
    struct repl_drill *asked = &page->message.u.drill;
    struct repl_message answer;

    if (asked->n == 0) {
        return KLM_OK;
    }
    KLM_TRY(repl_link_ask(drill->link, &page->message, REPL_PROVEN, &drill->call->diag, &answer));
    if (answer.u.proven.n != asked->n) {
        return klm_fail(&drill->call->diag, KLM_E_INVALID, KLM_MSG_PARTNER_MALFORMED,
                        repl_link_partner(drill->link),
                        "another number of proofs than was asked for");
    }
    for (size_t i = 0; i < asked->n; i++) {
        const struct km_proof *proof = &answer.u.proven.proof[i];
        bool claims = proof->outcome == KM_PROVEN || proof->outcome == KM_OTHER_LABEL;
        bool right = klm_secret_equal(proof->proof, page->expected[i], KR_PROOF);

        *page->outcome[i] = claims && !right ? FALSE_PROOF : proof->outcome;
        drill->proven += *page->outcome[i] == KM_PROVEN;
    }
    asked->n = 0;
    return KLM_OK;
}

/* The next free place of the page; a new nonce with a page's first. */
static klm_rc place(struct drill *drill, uint8_t kind, const char *name, const uint8_t *hash,
                    struct km_challenge *out)
{
    struct repl_drill *asked = &drill->page->message.u.drill;

    if (asked->n == (kind == KM_PROVE_LABEL ? REPL_LABELS : REPL_CHALLENGES)) {
        KLM_TRY(send_page(drill));
    }
    if (asked->n == 0) {
        drill->page->message.type = REPL_DRILL;
        KLM_TRY(klm_random(asked->nonce, sizeof asked->nonce));
    }
    asked->item[asked->n] = (struct repl_challenge){.kind = kind};
    snprintf(asked->item[asked->n].name, sizeof asked->item[asked->n].name, "%s", name);
    if (hash) {
        memcpy(asked->item[asked->n].hash, hash, sizeof asked->item[asked->n].hash);
    }
    *out = (struct km_challenge){.kind = kind, .name = asked->item[asked->n].name};
    memcpy(out->hash, asked->item[asked->n].hash, sizeof out->hash);
    return km_drill_transcript(out, KLM_SLICE(drill->binding, sizeof drill->binding),
                               KLM_SLICE(asked->nonce, sizeof asked->nonce), &drill->transcript);
}

static klm_rc ask_label(struct drill *drill, const struct kr_label *label)
{
    struct repl_drill *asked = &drill->page->message.u.drill;
    struct km_challenge item;
    size_t n = 0, at;

    KLM_TRY(place(drill, KM_PROVE_LABEL, label->label, label->spki_hash, &item));
    at = asked->n;
    KLM_TRY(kr_drill_ask(label, klm_buf_as_slice(&drill->transcript), drill->page->wrapped[at], &n,
                         drill->page->expected[at]));
    asked->item[at].challenge = KLM_SLICE(drill->page->wrapped[at], n);
    drill->page->outcome[at] = &drill->tested[label->index].outcome;
    asked->n++;
    drill->asked++;
    return KLM_OK;
}

/* A volume's stored key; KLM_E_NOTFOUND: it is not here. */
static klm_rc ask_stored(struct drill *drill, const char *alias, uint8_t *outcome)
{
    struct repl_drill *asked = &drill->page->message.u.drill;
    struct km_challenge item;

    KLM_TRY(place(drill, KM_PROVE_STORED, alias, NULL, &item));
    KLM_TRY(km_drill_stored(drill->call->server, drill->view, alias,
                            klm_buf_as_slice(&drill->transcript), drill->page->expected[asked->n]));
    drill->page->outcome[asked->n++] = outcome;
    return KLM_OK;
}

/* The same for the key that a tape library has over KMIP. */
static klm_rc ask_object(struct drill *drill, const char *uid, uint8_t *outcome)
{
    struct repl_drill *asked = &drill->page->message.u.drill;
    struct km_challenge item;

    KLM_TRY(place(drill, KM_PROVE_OBJECT, uid, NULL, &item));
    KLM_TRY(km_drill_object(drill->call->server, drill->view, uid,
                            klm_buf_as_slice(&drill->transcript), drill->page->expected[asked->n]));
    drill->page->outcome[asked->n++] = outcome;
    return KLM_OK;
}

static klm_rc ask_master(struct drill *drill)
{
    struct repl_drill *asked = &drill->page->message.u.drill;
    const struct kr_master *master = km_master(drill->call->server);
    struct km_challenge item;
    uint8_t id[sizeof item.hash];
    size_t n = 0, at;

    kr_drill_master_id(master, id);
    KLM_TRY(place(drill, KM_PROVE_MASTER, "master", id, &item));
    at = asked->n;
    KLM_TRY(kr_drill_master_ask(master, klm_buf_as_slice(&drill->transcript),
                                drill->page->wrapped[at], &n, drill->page->expected[at],
                                &drill->call->diag));
    asked->item[at].challenge = KLM_SLICE(drill->page->wrapped[at], n);
    drill->page->outcome[at] = &drill->master;
    drill->in_hardware = n > 0;
    asked->n++;
    return KLM_OK;
}

/* Labels that data keys can be wrapped to; the certificates of servers and partners are none. */
static klm_rc ask_all(struct drill *drill)
{
    note_master(drill);
    KLM_TRY(ask_master(drill));
    for (size_t i = 0; i < kr_open_ring_count(drill->keys); i++) {
        const struct kr_label *label = kr_open_ring_at(drill->keys, i);

        drill->tested[i].outcome = NOT_ASKED;
        if (label->key && !label->is_ca && !kr_label_tls(label) && label->spec.bits) {
            klm_rc rc = ask_label(drill, label);

            if (rc != KLM_OK && rc != KLM_E_LIMIT && rc != KLM_E_UNSUPPORTED) {
                return rc; /* these two: nothing can be wrapped to it, so no volume has it */
            }
        }
    }
    return send_page(drill);
}

/* ---- Key groups: every key of each */

struct group_walk {
    struct drill *drill;
    uint64_t asked, not_proven;
    char first[KLM_ALIAS_MAX + 1]; /* that was not */
    const char *why;
};

static klm_rc flush_group(struct group_walk *walk)
{
    struct drill *drill = walk->drill;

    KLM_TRY(send_page(drill));
    for (size_t i = 0; i < drill->waiting_n; i++) {
        const struct waiting *waiting = &drill->waiting[i];

        if (waiting->outcome != KM_PROVEN && walk->not_proven++ == 0) {
            snprintf(walk->first, sizeof walk->first, "%.21s", waiting->usage.alias1);
            walk->why = words_of(waiting->outcome);
        }
    }
    drill->waiting_n = 0;
    return KLM_OK;
}

/* A key that is not here, or damaged, is no reason to stop: it shows as one that was not proved. */
static bool unasked(klm_rc rc)
{
    return rc == KLM_E_NOTFOUND || rc == KLM_E_UNSUPPORTED || rc == KLM_E_CORRUPT ||
           rc == KLM_E_WRONGKEY;
}

static klm_rc group_run(void *arg, const struct klm_alias_run *run)
{
    struct group_walk *walk = arg;
    struct drill *drill = walk->drill;
    char alias[KLM_ALIAS_MAX + 1];

    memcpy(alias, run->first, sizeof alias);
    do {
        struct waiting *waiting = &drill->waiting[drill->waiting_n++];
        klm_rc rc;

        *waiting = (struct waiting){.outcome = NOT_ASKED};
        memcpy(waiting->usage.alias1, alias, sizeof alias);
        rc = ask_stored(drill, alias, &waiting->outcome);
        if (rc != KLM_OK && !unasked(rc)) {
            return rc;
        }
        if (drill->waiting_n == REPL_CHALLENGES) {
            KLM_TRY(flush_group(walk));
        }
        if (++walk->asked == GROUP_KEYS) {
            return KLM_E_LIMIT;
        }
    } while (strcmp(alias, run->last) < 0 && klm_alias_next(alias));
    return KLM_OK;
}

static const char *group_words(struct group_walk *walk)
{
    struct klm_pool *pool = walk->drill->call->pool;

    if (walk->not_proven == 0) {
        return "can open all of its keys";
    }
    return klm_pool_printf(pool, "NOT %llu of %llu keys, first %s: %s",
                           (unsigned long long)walk->not_proven, (unsigned long long)walk->asked,
                           walk->first, walk->why);
}

static klm_rc ask_group(void *arg, const struct md_group *group)
{
    struct drill *drill = arg;
    struct group_walk walk = {.drill = drill};
    klm_rc rc = md_group_runs(drill->view, group->name, group_run, &walk);
    const char *words;
    char line[256];

    KLM_TRY(rc == KLM_E_LIMIT && walk.asked == GROUP_KEYS ? KLM_OK : rc);
    KLM_TRY(flush_group(&walk));
    words = group_words(&walk);
    if (!words) {
        return KLM_E_NOMEM;
    }
    snprintf(line, sizeof line, "  key group  %s  %.150s", group->name, words);
    repl_report_line(drill->report, line);
    if (drill->groups_n < SHOWN_GROUPS) {
        const char **row = klm_pool_alloc(drill->call->pool, 3 * sizeof *row);

        if (!row) {
            return KLM_E_NOMEM;
        }
        row[0] = klm_pool_str(drill->call->pool, group->name);
        row[1] = words;
        row[2] = klm_pool_printf(drill->call->pool, "%llu keys", (unsigned long long)walk.asked);
        drill->groups[drill->groups_n++] = row;
    }
    return KLM_OK;
}

/* ---- Volumes */

/* Is a volume shown to be exposed by this, unless another key opens it? */
static bool tells(uint8_t outcome)
{
    return outcome != NOT_ASKED && outcome != KM_UNKNOWN_KIND;
}

struct verdict {
    bool readable, known;
    char why[2 * 160];
};

/* What a label of a volume means for it. */
static void weigh(struct drill *drill, const char *alias, struct verdict *verdict)
{
    const struct kr_label *label;
    size_t n = strlen(verdict->why);
    const char *words = "not in the key ring here: not asked";

    if (!alias[0]) {
        return;
    }
    if (kr_label_find(drill->keys, alias, &label) == KLM_OK) {
        struct tested *tested = &drill->tested[label->index];

        tested->volumes++;
        words = words_of(tested->outcome);
        verdict->readable = verdict->readable || tested->outcome == KM_PROVEN;
        verdict->known = verdict->known || tells(tested->outcome);
    }
    snprintf(verdict->why + n, sizeof verdict->why - n, "%s%.70s: %.80s", n ? "; " : "", alias,
             words);
}

static klm_rc show(struct drill *drill, const struct md_usage *usage, const struct verdict *verdict)
{
    const char **row;

    if (drill->shown_n == SHOWN_VOLUMES) {
        return KLM_OK;
    }
    row = klm_pool_alloc(drill->call->pool, 2 * sizeof *row);
    if (!row) {
        return KLM_E_NOMEM;
    }
    row[0] = klm_pool_str(drill->call->pool, usage->volser);
    row[1] = klm_pool_str(drill->call->pool, verdict->why);
    if (!row[0] || !row[1]) {
        return KLM_E_NOMEM;
    }
    drill->shown[drill->shown_n++] = row;
    return KLM_OK;
}

/* Into the report, the counts, and the answer when it could not be read there. */
static klm_rc pronounce(struct drill *drill, const struct md_usage *usage,
                        const struct verdict *verdict)
{
    char when[KLM_ISO_DATE_MAX], line[1024];

    drill->volumes++;
    drill->exposed += !verdict->readable && verdict->known;
    drill->unknown += !verdict->readable && !verdict->known;
    klm_iso_date(usage->time, when);
    snprintf(line, sizeof line, "%-6s  %-8s  %s  %s  %s", usage->volser,
             verdict->readable ? "readable"
             : verdict->known  ? "EXPOSED"
                               : "unknown",
             when, usage->drive[0] ? usage->drive : usage->client, verdict->why);
    repl_report_line(drill->report, line);
    return verdict->readable ? KLM_OK : show(drill, usage, verdict);
}

/* Volumes of stored keys, once their page is answered. */
static klm_rc judge_waiting(struct drill *drill)
{
    KLM_TRY(send_page(drill));
    for (size_t i = 0; i < drill->waiting_n; i++) {
        const struct waiting *waiting = &drill->waiting[i];
        struct verdict verdict = {.readable = waiting->outcome == KM_PROVEN,
                                  .known = tells(waiting->outcome)};

        snprintf(verdict.why, sizeof verdict.why, "%s %.64s: %.80s",
                 waiting->usage.client[0] ? "managed object" : "stored key", waiting->usage.alias1,
                 words_of(waiting->outcome));
        KLM_TRY(pronounce(drill, &waiting->usage, &verdict));
    }
    drill->waiting_n = 0;
    return KLM_OK;
}

static klm_rc judge_stored(struct drill *drill, const struct md_usage *usage)
{
    struct waiting *waiting = &drill->waiting[drill->waiting_n++];
    klm_rc rc;

    *waiting = (struct waiting){*usage, NOT_ASKED};
    rc = usage->client[0] ? ask_object(drill, usage->alias1, &waiting->outcome)
                          : ask_stored(drill, usage->alias1, &waiting->outcome);
    if (rc != KLM_OK && !unasked(rc)) {
        return rc;
    }
    if (rc == KLM_E_NOTFOUND && !usage->client[0]) {
        waiting->outcome =
            LOST_HERE; /* what nobody can be asked for may be lost: not unknown, exposed */
    }
    return drill->waiting_n == REPL_CHALLENGES ? judge_waiting(drill) : KLM_OK;
}

static klm_rc judge(void *arg, const struct md_usage *usage)
{
    struct drill *drill = arg;
    struct verdict verdict = {0};

    if (usage->dki[0] || usage->client[0]) {
        return judge_stored(drill, usage);
    }
    weigh(drill, usage->alias1, &verdict);
    if (strcmp(usage->alias1, usage->alias2) != 0) { /* one label may have both places */
        weigh(drill, usage->alias2, &verdict);
    }
    return pronounce(drill, usage, &verdict);
}

static klm_rc judge_all(struct drill *drill)
{
    size_t labels = drill->proven;

    KLM_TRY(md_group_scan(drill->view, ask_group, drill));
    repl_report_line(drill->report, "");
    repl_report_line(drill->report, "Volumes, each as it was written last");
    KLM_TRY(md_volumes(drill->view, judge, drill));
    KLM_TRY(judge_waiting(drill));
    drill->proven = labels;
    return KLM_OK;
}

/* ---- The report */

/* "drill-Partner_Two-20261128T204500Z.txt" */
static void name_of(const char *partner, char out[160])
{
    char when[KLM_ISO_DATE_MAX];
    size_t n;

    klm_iso_date(klm_clock(), when);
    n = (size_t)snprintf(out, 160, "drill-%.64s-%s.txt", partner, when);
    for (size_t i = 0; i < n && i < 159; i++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.", out[i])) {
            out[i] = '_';
        }
    }
}

static void report_keys(struct drill *drill)
{
    char line[512];

    repl_report_line(drill->report, "Keys, and what the partner can do with them");
    snprintf(line, sizeof line, "  master key  %s", words_of_master(drill));
    repl_report_line(drill->report, line);
    for (size_t i = 0; i < kr_open_ring_count(drill->keys); i++) {
        if (drill->tested[i].outcome != NOT_ASKED) {
            snprintf(line, sizeof line, "  label  %s  %s", kr_open_ring_at(drill->keys, i)->label,
                     words_of(drill->tested[i].outcome));
            repl_report_line(drill->report, line);
        }
    }
}

static klm_rc write_report(struct drill *drill)
{
    struct km_call *call = drill->call;
    char folder[4096], name[160], line[256];
    klm_rc rc;

    KLM_TRY(parm_files_dir(call->state->config, folder, sizeof folder));
    name_of(repl_link_partner(drill->link), name);
    KLM_TRY(repl_report_open(folder, name, &call->diag, &drill->report));
    snprintf(line, sizeof line, "Drill with partner %s", repl_link_partner(drill->link));
    repl_report_line(drill->report, line);
    report_keys(drill);
    KLM_TRY(st_view_open(km_store(call->server), &drill->view));
    rc = judge_all(drill);
    st_view_close(&drill->view);
    KLM_TRY(rc);
    snprintf(line, sizeof line, "%llu volumes, %llu exposed, %llu unknown",
             (unsigned long long)drill->volumes, (unsigned long long)drill->exposed,
             (unsigned long long)drill->unknown);
    repl_report_line(drill->report, line);
    return repl_report_finish(drill->report, &call->diag);
}

static klm_rc key_rows(struct drill *drill)
{
    struct km_call *call = drill->call;
    size_t listed = 0;

    KLM_TRY(km_rows_add(call, (const char *[]){"master key", "", words_of_master(drill), ""}));
    for (size_t i = 0; i < kr_open_ring_count(drill->keys); i++) {
        const struct tested *tested = &drill->tested[i];

        if (tested->outcome == NOT_ASKED ||
            (tested->outcome == KM_PROVEN && ++listed > SHOWN_KEYS)) {
            continue;
        }
        KLM_TRY(km_rows_add(call,
                            (const char *[]){"label", kr_open_ring_at(drill->keys, i)->label,
                                             words_of(tested->outcome), KLM_NUM(tested->volumes)}));
    }
    return KLM_OK;
}

static klm_rc answer(struct drill *drill)
{
    static const char *const columns[] = {"What", "Name", "At the partner", "Volumes", NULL};
    struct km_call *call = drill->call;
    const char *partner = repl_link_partner(drill->link);

    KLM_TRY(km_rows_begin(call, NULL, columns));
    KLM_TRY(key_rows(drill));
    for (size_t i = 0; i < drill->groups_n; i++) {
        KLM_TRY(km_rows_add(call, (const char *[]){"key group", drill->groups[i][0],
                                                   drill->groups[i][1], drill->groups[i][2]}));
    }
    for (size_t i = 0; i < drill->shown_n; i++) {
        KLM_TRY(km_rows_add(
            call, (const char *[]){"volume", drill->shown[i][0], drill->shown[i][1], ""}));
    }
    call->text =
        klm_pool_printf(call->pool,
                        "Drill with partner %s: %zu of %zu key labels can be opened there, "
                        "%llu of %llu volumes could be read",
                        partner, drill->proven - (drill->master == KM_PROVEN), drill->asked,
                        (unsigned long long)(drill->volumes - drill->exposed - drill->unknown),
                        (unsigned long long)drill->volumes);
    call->event.field[SMF_F_NEW] = call->text;
    call->amiss = drill->exposed + drill->unknown > 0;
    (void)klm_fail(&call->diag, KLM_OK, call->amiss ? KLM_MSG_DRILL_EXPOSED : KLM_MSG_DRILL_GOOD,
                   KLM_NUM(drill->exposed), KLM_NUM(drill->unknown), partner,
                   repl_report_path(drill->report));
    if (call->amiss) {
        klm_say_diag(
            &call->diag); /* also for those who watch the console: who drilled may be a job */
    }
    return KLM_OK;
}

/* ---- The whole */

static klm_rc prepare(struct drill *drill, struct repl_client *client)
{
    struct km_call *call = drill->call;
    const struct km_drill_req *req = call->req;

    drill->keys = call->state->keys;
    drill->tested = calloc(kr_open_ring_count(drill->keys) + 1, sizeof *drill->tested);
    drill->page = calloc(1, sizeof *drill->page);
    drill->waiting = calloc(REPL_CHALLENGES, sizeof *drill->waiting);
    drill->shown = klm_pool_alloc(call->pool, SHOWN_VOLUMES * sizeof *drill->shown);
    drill->groups = klm_pool_alloc(call->pool, SHOWN_GROUPS * sizeof *drill->groups);
    if (!drill->tested || !drill->page || !drill->waiting || !drill->shown || !drill->groups) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(repl_link_open(client, call->state, req->partner, &call->diag, &drill->link));
    call->event.field[SMF_F_OBJECT] =
        klm_pool_printf(call->pool, "%s %s", repl_link_partner(drill->link), req->partner);
    return repl_link_binding(drill->link, drill->binding);
}

static klm_rc run(struct drill *drill, struct repl_client *client)
{
    KLM_TRY(prepare(drill, client));
    KLM_TRY(ask_all(drill));
    KLM_TRY(write_report(drill));
    return answer(drill);
}

klm_rc repl_drill(void *client, struct km_call *call)
{
    struct drill drill = {.call = call, .master = NOT_ASKED};
    klm_rc rc;

    klm_buf_init(&drill.transcript, 4096);
    rc = run(&drill, client);
    repl_report_free(&drill.report);
    repl_link_close(&drill.link);
    klm_buf_done(&drill.transcript);
    free(drill.page);
    free(drill.waiting);
    free(drill.tested);
    return rc;
}
