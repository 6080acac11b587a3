/* Numbers of the outbox that are in the journal. */
#include "smf/numbers.h"

#include <stdlib.h>

#define CAP_FIRST 1024

/* Fibonacci hashing: neighbours spread, as outbox numbers come one after the other. */
static size_t slot_of(const struct smf_numbers *numbers, uint64_t no)
{
    return (size_t)((no * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (numbers->cap - 1);
}

/* Where no stands, or the empty place where it would. */
static size_t find(const struct smf_numbers *numbers, uint64_t no)
{
    size_t i = slot_of(numbers, no);

    while (numbers->table[i] && numbers->table[i] != no) {
        i = (i + 1) & (numbers->cap - 1);
    }
    return i;
}

bool smf_numbers_has(const struct smf_numbers *numbers, uint64_t no)
{
    return numbers->n && numbers->table[find(numbers, no)] == no;
}

static struct smf_number *at(const struct smf_numbers *numbers, size_t i)
{
    return &numbers->queue[(numbers->head + i) & (numbers->cap / 2 - 1)];
}

/* Twice the room: the table stays at most half full. */
static klm_rc grow(struct smf_numbers *numbers)
{
    struct smf_numbers old,
        next = {.cap = numbers->cap ? numbers->cap * 2 : CAP_FIRST, .n = numbers->n};

    next.table = calloc(next.cap, sizeof *next.table);
    next.queue = calloc(next.cap / 2, sizeof *next.queue);
    if (!next.table || !next.queue) {
        smf_numbers_done(&next);
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < numbers->n; i++) {
        next.queue[i] = *at(numbers, i);
        next.table[find(&next, next.queue[i].no)] = next.queue[i].no;
    }
    old = *numbers;
    *numbers = next;
    smf_numbers_done(&old);
    return KLM_OK;
}

klm_rc smf_numbers_add(struct smf_numbers *numbers, uint64_t no, uint64_t seq)
{
    size_t slot;

    if (numbers->n >= SMF_NUMBERS_MAX) {
        return smf_numbers_has(numbers, no) ? KLM_E_EXISTS : KLM_E_LIMIT;
    }
    if (numbers->n >= numbers->cap / 2) {
        KLM_TRY(grow(numbers));
    }
    slot = find(numbers, no);
    if (numbers->table[slot]) {
        return KLM_E_EXISTS;
    }
    numbers->table[slot] = no;
    *at(numbers, numbers->n) = (struct smf_number){seq, no};
    numbers->n++;
    return KLM_OK;
}

/* Empty a place and move up those behind it that would no longer be found (linear probing without tombstones). */
static void erase(struct smf_numbers *numbers, uint64_t no)
{
    size_t mask = numbers->cap - 1, hole = find(numbers, no);

    for (size_t i = (hole + 1) & mask; numbers->table[i]; i = (i + 1) & mask) {
        size_t home = slot_of(numbers, numbers->table[i]);

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            numbers->table[hole] = numbers->table[i];
            hole = i;
        }
    }
    numbers->table[hole] = 0;
}

static void pop_front(struct smf_numbers *numbers)
{
    erase(numbers, at(numbers, 0)->no);
    numbers->head = (numbers->head + 1) & (numbers->cap / 2 - 1);
    numbers->n--;
}

void smf_numbers_undo(struct smf_numbers *numbers, uint64_t seq)
{
    while (numbers->n && at(numbers, numbers->n - 1)->seq >= seq) {
        erase(numbers, at(numbers, numbers->n - 1)->no);
        numbers->n--;
    }
}

void smf_numbers_forget(struct smf_numbers *numbers, uint64_t no)
{
    while (numbers->n && at(numbers, 0)->no <= no) {
        pop_front(numbers);
    }
}

void smf_numbers_forget_before(struct smf_numbers *numbers, uint64_t seq)
{
    while (numbers->n && at(numbers, 0)->seq < seq) {
        pop_front(numbers);
    }
}

uint64_t smf_numbers_oldest(const struct smf_numbers *numbers)
{
    return numbers->n ? at(numbers, 0)->seq : 0;
}

void smf_numbers_done(struct smf_numbers *numbers)
{
    free(numbers->table);
    free(numbers->queue);
    *numbers = (struct smf_numbers){0};
}
