/* The pass over each data set, and the joining of the pieces of a server. */
#include "smf/dump/verify.h"

#include "base/ebcdic.h"
#include "smf/dump/piece.h"
#include "smf/dump/verify_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 65536
#define POOL_MAX (1u << 20)

struct work {
    const struct smfd_verify *request;
    struct smfd_verdict *verdict;
    struct klm_diag *diag;
    struct smf_hash *hash;
    struct smfd_progress progress;
    struct smfd_piece *pieces;
    size_t n, cap;
    size_t from;   /* first piece of the present data set */
    size_t recent; /* the piece of the last record */
    bool texts;    /* there are text logs among the inputs */
};

static bool is_of(const struct smfd_piece *piece, struct klm_slice server)
{
    return piece->server_n == server.n && memcmp(piece->server, server.p, server.n) == 0;
}

static struct smfd_piece *new_piece(struct work *work, struct klm_slice server)
{
    struct smfd_piece *piece;

    if (work->n == work->cap) {
        size_t cap = work->cap ? 2 * work->cap : 16;
        struct smfd_piece *more =
            cap > PIECES_MAX ? NULL : realloc(work->pieces, cap * sizeof *more);

        if (!more) {
            return NULL;
        }
        work->pieces = more;
        work->cap = cap;
    }
    work->recent = work->n++;
    piece = &work->pieces[work->recent];
    *piece = (struct smfd_piece){.server_n = server.n};
    memcpy(piece->server, server.p, server.n);
    return piece;
}

/* The piece of a server in the present data set. */
static struct smfd_piece *piece_of(struct work *work, struct klm_slice server)
{
    if (work->recent >= work->from && work->recent < work->n &&
        is_of(&work->pieces[work->recent], server)) {
        return &work->pieces[work->recent];
    }
    for (size_t i = work->from; i < work->n; i++) {
        if (is_of(&work->pieces[i], server)) {
            work->recent = i;
            return &work->pieces[i];
        }
    }
    return new_piece(work, server);
}

/* KLM_E_NOTFOUND: none of the certificates is the one that it names. */
static klm_rc check_signature(const struct work *work, const struct smf_t83_event *event)
{
    KLM_AUTO(klm_buf_done) struct klm_buf message;
    klm_rc rc = KLM_E_NOTFOUND;

    klm_buf_init(&message, 4096);
    KLM_TRY(smf_checkpoint_message("smf", event->server_id, event->checkpoint_records, event->prev,
                                   &message));
    for (size_t i = 0; rc == KLM_E_NOTFOUND && i < work->request->certificates_n; i++) {
        rc = smf_signature_check(&event->signature, klm_buf_as_slice(&message),
                                 work->request->certificates[i]);
        rc = rc == KLM_E_INVALID ? KLM_E_NOTFOUND : rc;
    }
    return rc;
}

static klm_rc checkpoint_event(struct klm_slice record, struct klm_pool *pool,
                               struct smf_t83_event *out)
{
    struct smf_t83_view view;
    const char *why;

    KLM_TRY(smf_t83_parse(record, &view, &why));
    return smf_t83_decode(&view, pool, out);
}

static klm_rc checkpoint(struct work *work, struct smfd_piece *piece, struct klm_slice record,
                         const struct smfd_place *at)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct smf_t83_event event;
    klm_rc rc;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    rc = checkpoint_event(record, pool, &event);
    if (rc == KLM_OK) {
        piece->signature = event.signature;
        rc = work->request->certificates_n ? check_signature(work, &event) : KLM_E_AGAIN;
    }
    if (rc == KLM_OK) {
        piece->checked++;
    } else if (rc == KLM_E_NOTFOUND) {
        smfd_piece_problem(
            piece, SMFD_UNSIGNED, at,
            "the checkpoint was signed with another key than that of the certificate");
    } else if (rc == KLM_E_CORRUPT) {
        smfd_piece_problem(piece, SMFD_UNSIGNED, at,
                           "the checkpoint's signature is not of this chain");
    }
    return rc == KLM_E_NOMEM || rc == KLM_E_CRYPTO ? rc : KLM_OK;
}

static klm_rc add(struct work *work, const struct smfd_source *source, struct smfd_link *link)
{
    struct klm_slice record = source->read.record;
    struct smfd_piece *piece;

    KLM_TRY(smf_hash_two(work->hash, KLM_SLICE(record.p + 4, record.n - 4), KLM_SLICE(NULL, 0),
                         link->hash));
    piece =
        piece_of(work, link->server.n && link->server.n <= sizeof piece->server ? link->server
                                                                                : KLM_SLICE("", 0));
    if (!piece) {
        return KLM_E_NOMEM;
    }
    smfd_piece_add(piece, link);
    return link->checkpoint ? checkpoint(work, piece, record, &link->at) : KLM_OK;
}

/* Damage is a problem of the piece that was being read, which is cut when nothing follows. */
static klm_rc damaged(struct work *work, const struct smfd_source *source, const char *why)
{
    struct smfd_place at = {
        .path = source->path, .number = source->read.number, .offset = source->read.offset};
    bool end = source->read.offset + source->read.length >= smf_dataset_size(source->reader);
    struct smfd_piece *piece;

    if (work->n > work->from) {
        piece = &work->pieces[work->recent >= work->from ? work->recent : work->from];
    } else {
        piece = new_piece(work, KLM_SLICE("", 0));
    }
    if (!piece) {
        return KLM_E_NOMEM;
    }
    smfd_piece_problem(piece, end ? SMFD_CUT : SMFD_BROKEN, &at,
                       end ? "the data set ends in the middle of it" : why);
    return KLM_OK;
}

static klm_rc one_record(struct work *work, const struct smfd_source *source)
{
    struct smfd_link link;
    const char *why = source->read.why;
    klm_rc rc = KLM_E_CORRUPT;

    if (source->read.kind == SMF_READ_RECORD) {
        rc = source->head.type == 83 && source->head.subtype == 6
                 ? smfd_link_of(source->read.record, &link, &why)
                 : KLM_E_NOTFOUND;
    }
    if (rc == KLM_E_NOTFOUND) {
        work->verdict->others++;
        return KLM_OK;
    }
    if (rc != KLM_OK) {
        return damaged(work, source, why);
    }
    link.at.path = source->path;
    link.at.number = source->read.number;
    link.at.offset = source->read.offset;
    return add(work, source, &link);
}

static klm_rc read_all(struct work *work, struct smfd_source *source)
{
    klm_rc rc;

    while ((rc = smfd_source_next(source, true)) == KLM_OK) {
        KLM_TRY(one_record(work, source));
    }
    work->verdict->unfinished += source->unfinished;
    work->verdict->bytes += smf_dataset_size(source->reader);
    work->verdict->files++;
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

static klm_rc read_data_set(struct work *work, const char *path)
{
    struct smfd_source source;
    klm_rc rc;

    work->from = work->recent = work->n;
    KLM_TRY(smfd_source_open(path, NULL, &work->progress, work->diag, &source));
    rc = read_all(work, &source);
    smfd_source_close(&source);
    return rc != KLM_E_NOMEM ? rc : klm_fail(work->diag, rc, KLM_MSG_NO_MEMORY, path);
}

/* ---- Joining */

static int by_server_and_number(const void *a, const void *b)
{
    const struct smfd_piece *x = a, *y = b;
    size_t n = x->server_n < y->server_n ? x->server_n : y->server_n;
    int order = n ? memcmp(x->server, y->server, n) : 0;

    if (order || x->server_n != y->server_n) {
        return order ? order : (x->server_n < y->server_n ? -1 : 1);
    }
    if (x->first_seq != y->first_seq) {
        return x->first_seq < y->first_seq ? -1 : 1;
    }
    return x->records < y->records ? -1 : x->records > y->records;
}

static bool starts_chain(const struct smfd_piece *piece)
{
    static const uint8_t none[SMF_HASH_SIZE];

    return memcmp(piece->first_prev, none, SMF_HASH_SIZE) == 0;
}

/* The piece that another one follows; n: none. */
static size_t before_it(const struct smfd_piece *pieces, size_t n, const struct smfd_piece *piece)
{
    size_t i = 0;

    while (i < n && memcmp(pieces[i].hash, piece->first_prev, SMF_HASH_SIZE) != 0) {
        i++;
    }
    return i;
}

/* A piece of checkpoints alone has no sequence number and was sorted to the front; its place is behind the piece that it follows,
 * or at the end when that is not there. */
static void place_bare(struct smfd_piece *pieces, size_t n)
{
    for (size_t turns = n; turns && pieces[0].first_seq == 0 && !starts_chain(&pieces[0]);
         turns--) {
        struct smfd_piece moved = pieces[0];
        size_t to = before_it(pieces, n, &moved);

        to = to == n ? n - 1 : to;
        if (to) {
            memmove(pieces, pieces + 1, to * sizeof *pieces);
        }
        pieces[to] = moved;
    }
}

/* A piece has to begin where the one before ended. */
static void join(struct smfd_piece *before, struct smfd_piece *piece)
{
    char why[160];

    if (memcmp(before->hash, piece->first_prev, SMF_HASH_SIZE) == 0) {
        return;
    }
    /* What was wrong in the piece comes behind this. */
    piece->problems = 0;
    if (memcmp(before->first_prev, piece->first_prev, SMF_HASH_SIZE) == 0 ||
        (piece->first_seq && piece->first_seq < before->last_seq)) {
        snprintf(why, sizeof why, "the records of this data set from here on are in %.80s too",
                 before->first.path);
        smfd_piece_problem(piece, SMFD_REPEATED, &piece->first, why);
    } else if (piece->first_seq > before->last_seq + 1) {
        snprintf(why, sizeof why, "records before it are missing, sequence %" PRIu64 " to %" PRIu64,
                 before->last_seq + 1, piece->first_seq - 1);
        smfd_piece_problem(piece, SMFD_MISSING, &piece->first, why);
    } else {
        smfd_piece_problem(before, SMFD_ALTERED, &before->last,
                           "it was altered, or records behind it were taken out: the next data set "
                           "holds another hash");
    }
}

static void name_of(const struct smfd_piece *piece, struct smfd_chain *chain)
{
    if (piece->server_n) {
        klm_from_ebcdic(piece->server, chain->server, piece->server_n);
    }
    chain->server[piece->server_n] = '\0';
    for (char *p = chain->server; *p; p++) {
        *p = *p < ' ' || *p > '~' ? '.' : *p;
    }
}

static void take_problem(struct smfd_chain *chain, const struct smfd_piece *piece)
{
    if (piece->problems && chain->problems == 0) {
        chain->first = piece->problem;
    }
    chain->problems += piece->problems;
}

static void add_piece(struct smfd_chain *chain, const struct smfd_piece *piece)
{
    if (chain->events && piece->first_seq > chain->last_seq + 1) {
        chain->left_out += piece->first_seq - chain->last_seq - 1;
    }
    chain->first_seq = chain->first_seq ? chain->first_seq : piece->first_seq;
    chain->last_seq = piece->last_seq > chain->last_seq ? piece->last_seq : chain->last_seq;
    chain->pieces++;
    chain->records += piece->records;
    chain->events += piece->events;
    chain->left_out += piece->left_out;
    chain->checkpoints += piece->checkpoints;
    chain->checked += piece->checked;
    chain->behind = piece->checkpoints ? piece->behind : chain->behind + piece->behind;
    if (piece->checkpoints) {
        chain->last = piece->signature;
    }
    take_problem(chain, piece);
}

/* The pieces of one server, in order. */
static void make_chain(const struct smfd_verify *request, struct smfd_piece *pieces, size_t n,
                       struct smfd_chain *chain)
{
    place_bare(pieces, n);
    *chain = (struct smfd_chain){.whole = starts_chain(&pieces[0])};
    name_of(&pieces[0], chain);
    if (request->from_start && !chain->whole) {
        pieces[0].problems = 0;
        smfd_piece_problem(&pieces[0], SMFD_LATE, &pieces[0].first,
                           "the series does not begin with the first record of the chain");
    }
    for (size_t i = 1; i < n; i++) {
        join(&pieces[i - 1], &pieces[i]);
    }
    for (size_t i = 0; i < n; i++) {
        add_piece(chain, &pieces[i]);
    }
}

static klm_rc make_verdict(struct work *work)
{
    struct smfd_verdict *verdict = work->verdict;
    struct smfd_piece *pieces = work->pieces;

    if (work->n == 0 && !work->texts) {
        return klm_fail(work->diag, KLM_E_NOTFOUND, KLM_MSG_VERIFY_NOTHING);
    }
    verdict->chains = calloc(work->n + 1, sizeof *verdict->chains);
    if (!verdict->chains) {
        return klm_fail(work->diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "chains");
    }
    if (work->n) {
        qsort(pieces, work->n, sizeof *pieces, by_server_and_number);
    }
    verdict->good = true;
    for (size_t i = 0, n; i < work->n; i += n) {
        struct smfd_chain *chain = &verdict->chains[verdict->n++];

        for (n = 1; i + n < work->n &&
                    is_of(&pieces[i + n], KLM_SLICE(pieces[i].server, pieces[i].server_n));
             n++) {
        }
        make_chain(work->request, &pieces[i], n, chain);
        verdict->good = verdict->good && chain->problems == 0;
    }
    return KLM_OK;
}

static klm_rc add_text_log(struct work *work)
{
    struct smfd_verdict *verdict = work->verdict;
    struct smfd_chain *chain = &verdict->chains[verdict->n];

    KLM_TRY(smfd_verify_text(work->request, work->diag, verdict, chain));
    verdict->good = verdict->good && chain->problems == 0;
    verdict->n++;
    return KLM_OK;
}

static klm_rc run(struct work *work)
{
    KLM_TRY(smf_hash_new(&work->hash));
    smfd_progress_begin(&work->progress, "verify");
    work->progress.total = smfd_bytes_of(work->request->paths, work->request->paths_n);
    for (size_t i = 0; i < work->request->paths_n; i++) {
        enum smfd_text_kind kind = smfd_text_kind(work->request->paths[i]);

        work->texts = work->texts || kind == SMFD_TEXT_LOG;
        if (kind == SMFD_NO_TEXT) {
            KLM_TRY(read_data_set(work, work->request->paths[i]));
        }
    }
    smfd_progress_end(&work->progress);
    KLM_TRY(make_verdict(work));
    return work->texts ? add_text_log(work) : KLM_OK;
}

klm_rc smfd_verify(const struct smfd_verify *request, struct klm_diag *diag,
                   struct smfd_verdict *verdict)
{
    struct smfd_verdict made = {.certified = request->certificates_n != 0};
    struct work work = {.request = request, .verdict = &made, .diag = diag};
    klm_rc rc = run(&work);

    smfd_progress_end(&work.progress);
    smf_hash_free(&work.hash);
    free(work.pieces);
    if (rc != KLM_OK) {
        smfd_verdict_done(&made);
        return rc;
    }
    *verdict = made;
    return KLM_OK;
}

void smfd_verdict_done(struct smfd_verdict *verdict)
{
    free(verdict->chains);
    *verdict = (struct smfd_verdict){0};
}
