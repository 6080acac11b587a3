/* Several calls as one change. A worker carries them out in order on a draft of the store, so that each sees what those before it did and one that fails is undone alone; what is left of
 * changes goes to the writer, which repeats them on the newest state, all or none. Nothing is answered before. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <string.h>

struct chain {
    struct km_call *head, **tail;
    size_t n;
};

void km_batch_conflict(struct km_call *chain, const struct km_call *failed)
{
    if (!chain->also) {
        return;
    }
    for (struct km_call *call = chain; call; call = call->also) {
        if (call != failed) {
            call->rc =
                KM_REFUSE(call, KLM_E_AGAIN, 0, KLM_MSG_BATCH_CONFLICT,
                          failed->diag.text[0] ? failed->diag.text : klm_rc_text(failed->rc));
            call->event.field[SMF_F_MESSAGE_ID] = NULL;
            call->event.field[SMF_F_MESSAGE] = NULL;
        }
    }
}

static void nothing(struct km_call *call)
{
    (void)call;
}

static bool changes(const struct km_call *call)
{
    return call->rc == KLM_OK && km_verb(call->id)->apply && !call->no_apply;
}

/* One item may take a while (a key pair, a derivation); a hundred of them are not begun. */
static klm_rc in_time(const struct km_batch *batch, struct km_call *call)
{
    const int64_t seconds = parm_num(call->state->config, PARM_kmip_batch_seconds);

    return klm_clock_mono_ms() - batch->begun_ms < (uint64_t)seconds * 1000
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_TIMEOUT, 0, KLM_MSG_BATCH_TIME, KLM_NUM(seconds));
}

static klm_rc carry_out(struct km_batch *batch, size_t i, struct st_change *draft)
{
    struct km_call *call = batch->item[i].call;
    const size_t mark = st_change_mark(draft);
    klm_rc rc;

    if (call) {
        KLM_TRY(in_time(batch, call));
    }
    KLM_TRY(batch->fill(batch->arg, i));
    if (!call) {
        return KLM_OK;
    }
    KLM_TRY(km_admit(call));
    call->draft = st_change_view(draft);
    KLM_TRY(km_verb(call->id)->prepare(call));
    if (!km_verb(call->id)->apply || call->no_apply) {
        return KLM_OK;
    }
    rc = km_verb(call->id)->apply(call, draft);
    if (rc != KLM_OK) {
        st_change_undo(draft, mark);
    }
    return rc;
}

/* KMIP 1.4, 11.43: items that had been processed are undone, whether or not they changed anything. */
static void undo_before(struct km_batch *batch, size_t failed)
{
    for (size_t i = 0; i < failed; i++) {
        struct km_call *call = batch->item[i].call;

        batch->item[i].fate = KM_FATE_UNDONE;
        if (call && changes(call)) {
            call->rc = KM_REFUSE(call, KLM_E_CANCELLED, 0, KLM_MSG_BATCH_UNDONE);
        }
    }
}

/* False: go no further. */
static bool one_item(struct km_batch *batch, size_t i, struct st_change *draft)
{
    struct km_batch_item *item = &batch->item[i];
    const klm_rc rc = carry_out(batch, i, draft);

    item->fate = KM_FATE_DONE;
    item->rc = rc;
    if (item->call) {
        item->call->rc = rc;
        item->call->draft = NULL;
    }
    if (rc == KLM_OK) {
        batch->ended(batch->arg, i);
        return true;
    }
    if (batch->option == KM_BATCH_UNDO) {
        undo_before(batch, i);
    }
    return batch->option == KM_BATCH_CONTINUE;
}

static void on_loop(struct klm_task *task)
{
    struct km_batch *batch =
        (struct km_batch *)(void *)((char *)task - offsetof(struct km_batch, task));

    batch->done(batch->arg);
}

/* What the writer did not record is recorded now: reads, refusals, what was undone. */
static void end(struct klm_job *job)
{
    struct km_batch *batch =
        (struct km_batch *)(void *)((char *)job - offsetof(struct km_batch, job));

    for (size_t i = 0; i < batch->n; i++) {
        struct km_call *call = batch->item[i].call;

        if (call && batch->item[i].fate != KM_FATE_WAITS && !changes(call)) {
            call->loop = NULL;
            call->done = nothing;
            km_finish(call);
        }
        if (call) {
            batch->item[i].rc = call->rc;
        }
    }
    batch->task = (struct klm_task){.run = on_loop};
    if (batch->loop) {
        klm_loop_post(batch->loop, &batch->task);
    } else {
        on_loop(&batch->task);
    }
}

/* On the writer's thread, which has better things to do. */
static void written(struct km_call *head)
{
    struct km_batch *batch = head->arg;

    batch->job = (struct klm_job){.run = end};
    if (batch->server->options.offline ||
        klm_workers_submit(batch->server->client_workers, &batch->job) != KLM_OK) {
        end(&batch->job);
    }
}

static struct chain chain_of(struct km_batch *batch)
{
    struct chain chain = {NULL, &chain.head, 0};

    for (size_t i = 0; i < batch->n; i++) {
        struct km_call *call = batch->item[i].call;

        if (call && batch->item[i].fate == KM_FATE_DONE && changes(call)) {
            call->also = NULL;
            call->batched = true;
            *chain.tail = call;
            chain.tail = &call->also;
            chain.n++;
        }
    }
    return chain;
}

static void refuse_all(struct km_call *head, klm_rc rc, enum klm_msg_id msg)
{
    for (struct km_call *call = head; call; call = call->also) {
        call->rc = KM_REFUSE(call, rc, 0, msg);
    }
}

static void put_in_force(struct km_batch *batch)
{
    const struct chain chain = chain_of(batch);
    struct km_call *head = chain.head;

    if (!head) {
        end(&batch->job);
        return;
    }
    head->arg = batch;
    head->done = written;
    head->loop = NULL;
    if (chain.n > KM_BATCH_CHANGES) {
        refuse_all(head, KLM_E_LIMIT, KLM_MSG_BATCH_LONG);
        end(&batch->job);
    } else if (km_writer_submit(batch->server, head) != KLM_OK) {
        refuse_all(head, KLM_E_LIMIT, KLM_MSG_BUSY);
        end(&batch->job);
    }
}

static void run(struct klm_job *job)
{
    struct km_batch *batch =
        (struct km_batch *)(void *)((char *)job - offsetof(struct km_batch, job));
    struct st_change *draft = NULL;
    const klm_rc rc = st_draft_open(batch->server->store, &draft);

    batch->begun_ms = klm_clock_mono_ms();
    for (size_t i = 0; i < batch->n && rc == KLM_OK; i++) {
        if (!one_item(batch, i, draft)) {
            break;
        }
    }
    st_change_drop(&draft);
    for (size_t i = 0; i < batch->n && rc != KLM_OK; i++) {
        batch->item[i].fate = KM_FATE_DONE;
        batch->item[i].rc = rc;
        if (batch->item[i].call) {
            batch->item[i].call->rc = rc;
        }
    }
    put_in_force(batch);
}

void km_batch_run(struct km_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        batch->item[i].fate = KM_FATE_WAITS;
        batch->item[i].rc = KLM_OK;
    }
    batch->job = (struct klm_job){.run = run};
    if (batch->server->options.offline) {
        run(&batch->job);
    } else if (klm_workers_submit(batch->server->client_workers, &batch->job) != KLM_OK) {
        for (size_t i = 0; i < batch->n; i++) {
            batch->item[i].fate = KM_FATE_DONE;
            batch->item[i].rc = KLM_E_LIMIT;
            if (batch->item[i].call) {
                batch->item[i].call->rc =
                    KM_REFUSE(batch->item[i].call, KLM_E_LIMIT, 0, KLM_MSG_BUSY);
            }
        }
        end(&batch->job);
    }
}
