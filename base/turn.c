/* The end of a turn of a loop. */
#include "base/turn.h"

#include <errno.h>
#include <stdlib.h>

#define TASKS_MAX 32 /* tasks that wait at most */

static void list_init(struct klm_turn_list *list)
{
    *list = (struct klm_turn_list){.last = &list->first};
}

static void list_put(struct klm_turn_list *list, struct klm_transfer *transfer)
{
    transfer->next = NULL;
    *list->last = transfer;
    list->last = &transfer->next;
    list->n++;
}

/* The first of a list, as many as one burst takes. */
static size_t list_take(struct klm_turn_list *list, struct klm_transfer *out[KLM_BURST_MAX])
{
    size_t n = 0;

    while (list->first && n < KLM_BURST_MAX) {
        out[n++] = list->first;
        list->first = list->first->next;
    }
    list->n -= n;
    if (!list->first) {
        list->last = &list->first;
    }
    return n;
}

klm_rc klm_turn_init(struct klm_turn *turn)
{
    *turn = (struct klm_turn){.last = &turn->first};
    list_init(&turn->reads);
    list_init(&turn->writes);
    return klm_burst_new(&turn->burst);
}

void klm_turn_done(struct klm_turn *turn)
{
    klm_burst_free(&turn->burst);
    free(turn->room);
    turn->room = NULL;
}

bool klm_turn_empty(const struct klm_turn *turn)
{
    return !turn->first && !turn->reads.first && !turn->writes.first;
}

/* Room for each of n reads. Zeroed once: what the kernel puts there by AIO, no tool that watches memory sees. A single read its owner makes by itself, into its own memory. */
static bool give_room(struct klm_turn *turn, struct klm_transfer *const *transfers, size_t n)
{
    if (n > 1 && !turn->room) {
        turn->room = calloc(KLM_BURST_MAX, KLM_LOOP_READ);
    }
    for (size_t i = 0; i < n; i++) {
        transfers[i]->p = n > 1 && turn->room ? turn->room + i * KLM_LOOP_READ : NULL;
        transfers[i]->n = KLM_LOOP_READ;
        transfers[i]->done = 0;
    }
    return n > 1 && turn->room;
}

static void run_reads(struct klm_turn *turn)
{
    struct klm_transfer *transfers[KLM_BURST_MAX];
    size_t n = list_take(&turn->reads, transfers);

    if (give_room(turn, transfers, n)) {
        klm_burst_run(turn->burst, false, transfers, n);
    }
    for (size_t i = 0; i < n; i++) {
        transfers[i]->run(transfers[i]);
    }
}

static void run_tasks(struct klm_turn *turn)
{
    struct klm_task *task = turn->first, *next;

    turn->first = NULL;
    turn->last = &turn->first;
    turn->n = 0;
    for (; task; task = next) {
        next = task->next;
        task->run(task);
    }
}

static void run_writes(struct klm_turn *turn)
{
    struct klm_transfer *transfers[KLM_BURST_MAX];
    size_t n;

    while ((n = list_take(&turn->writes, transfers)) > 0) {
        klm_burst_run(turn->burst, true, transfers, n);
        for (size_t i = 0; i < n; i++) {
            transfers[i]->run(transfers[i]);
        }
    }
}

void klm_turn_task(struct klm_turn *turn, struct klm_task *task)
{
    task->next = NULL;
    *turn->last = task;
    turn->last = &task->next;
    if (++turn->n == TASKS_MAX) {
        run_tasks(turn);
        run_writes(turn);
    }
}

void klm_turn_read(struct klm_turn *turn, struct klm_transfer *transfer)
{
    list_put(&turn->reads, transfer);
}

void klm_turn_write(struct klm_turn *turn, struct klm_transfer *transfer)
{
    list_put(&turn->writes, transfer);
}

void klm_turn_run(struct klm_turn *turn)
{
    run_reads(turn);
    run_tasks(turn);
    run_writes(turn);
}
