/* Last contacts, remembered in memory until a change takes them along. Sixteen hash tables with
 * a lock each, so that the threads that serve drives hardly ever meet. */
#include "drivetable/parts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define STRIPES 16
/* Notes of a stripe; more are not taken: they are no durable part of anything. */
#define STRIPE_MAX 65536

struct note {
    char serial[DT_SERIAL + 1]; /* "" a free place */
    char volser[7];
    klm_time first, when; /* earliest and latest of the contacts noted */
};
struct notes {
    struct note *note;
    size_t n, cap; /* cap is a power of two, at least twice n */
};
struct stripe {
    pthread_mutex_t lock; /* guards notes */
    struct notes notes;
};
struct dt_contacts {
    struct stripe stripe[STRIPES];
    size_t next; /* where the next flush begins, so that each stripe has its turn; the writer's */
};

static size_t hash_of(const char *serial)
{
    uint64_t h = 14695981039346656037u;

    for (; *serial; serial++) {
        h = (h ^ (uint8_t)*serial) * 1099511628211u;
    }
    return (size_t)(h ^ (h >> 29));
}

/* The place of a serial number, or the free place where it belongs. */
static struct note *place(struct notes *notes, const char *serial)
{
    size_t at = (hash_of(serial) / STRIPES) & (notes->cap - 1);

    while (notes->note[at].serial[0] && strcmp(notes->note[at].serial, serial) != 0) {
        at = (at + 1) & (notes->cap - 1);
    }
    return &notes->note[at];
}

static klm_rc grow(struct notes *notes)
{
    struct notes bigger = {.cap = notes->cap ? 2 * notes->cap : 16, .n = notes->n};

    if (2 * (notes->n + 1) <= notes->cap) {
        return KLM_OK;
    }
    bigger.note = calloc(bigger.cap, sizeof *bigger.note);
    if (!bigger.note) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < notes->cap; i++) {
        if (notes->note[i].serial[0]) {
            *place(&bigger, notes->note[i].serial) = notes->note[i];
        }
    }
    free(notes->note);
    *notes = bigger;
    return KLM_OK;
}

/* The later contact counts; a contact without a volume keeps the one known. */
static void note_in(struct notes *notes, const struct note *new)
{
    struct note *note;

    if (grow(notes) != KLM_OK) {
        return; /* forgetting a contact is allowed */
    }
    note = place(notes, new->serial);
    if (!note->serial[0]) {
        if (notes->n == STRIPE_MAX) {
            return;
        }
        notes->n++;
        *note = *new;
        return;
    }
    if (new->volser[0] && (new->when >= note->when || !note->volser[0])) {
        memcpy(note->volser, new->volser, sizeof note->volser);
    }
    note->when = new->when > note->when ? new->when : note->when;
    note->first = new->first < note->first ? new->first : note->first;
}

static void note_locked(struct dt_contacts *contacts, const struct note *new)
{
    struct stripe *stripe = &contacts->stripe[hash_of(new->serial) % STRIPES];

    pthread_mutex_lock(&stripe->lock);
    note_in(&stripe->notes, new);
    pthread_mutex_unlock(&stripe->lock);
}

klm_rc dt_contacts_new(struct dt_contacts **out)
{
    struct dt_contacts *contacts = calloc(1, sizeof *contacts);

    if (!contacts) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_mutex_init(&contacts->stripe[i].lock, NULL);
    }
    *out = contacts;
    return KLM_OK;
}

void dt_contacts_note(struct dt_contacts *contacts, const char *serial, klm_time when,
                      const char *volser)
{
    struct note note = {.first = when, .when = when};

    if (strnlen(serial, DT_SERIAL + 1) != DT_SERIAL) {
        return; /* no drive of ours */
    }
    memcpy(note.serial, serial, DT_SERIAL);
    if (volser && strnlen(volser, 7) <= 6) {
        memcpy(note.volser, volser, strlen(volser));
    }
    note_locked(contacts, &note);
}

/* One note into its drive's record; a drive that is gone needs none. */
static klm_rc write_note(struct st_change *change, const struct note *note)
{
    struct dt_drive drive;
    klm_rc rc = dt_get(st_change_view(change), note->serial, &drive);

    if (rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT) {
        return KLM_OK;
    }
    KLM_TRY(rc);
    drive.first_contact = drive.first_contact ? drive.first_contact : note->first;
    drive.last_contact = note->when > drive.last_contact ? note->when : drive.last_contact;
    if (note->volser[0]) {
        memcpy(drive.last_volser, note->volser, sizeof drive.last_volser);
        if (!dt_volser_fix(drive.last_volser)) {
            return KLM_OK;
        }
    }
    return dt_put(change, &drive);
}

/* Writes up to max of the notes; those not written go back. */
static klm_rc flush_notes(struct dt_contacts *contacts, struct notes *notes,
                          struct st_change *change, size_t max, size_t *n)
{
    klm_rc rc = KLM_OK;

    for (size_t i = 0; i < notes->cap; i++) {
        const struct note *note = &notes->note[i];

        if (!note->serial[0]) {
            continue;
        }
        if (rc == KLM_OK && *n < max) {
            rc = write_note(change, note);
            if (rc == KLM_OK) {
                ++*n;
                continue;
            }
        }
        note_locked(contacts, note);
    }
    return rc;
}

klm_rc dt_contacts_flush(struct dt_contacts *contacts, struct st_change *change, size_t max,
                         size_t *n)
{
    size_t written = 0;

    for (size_t i = 0; i < STRIPES && written < max; i++) {
        struct stripe *stripe = &contacts->stripe[contacts->next++ % STRIPES];
        struct notes notes;
        klm_rc rc;

        pthread_mutex_lock(&stripe->lock);
        notes = stripe->notes;
        stripe->notes = (struct notes){0};
        pthread_mutex_unlock(&stripe->lock);
        rc = flush_notes(contacts, &notes, change, max, &written);
        free(notes.note);
        KLM_TRY(rc);
    }
    *n = written;
    return KLM_OK;
}

void dt_contacts_free(struct dt_contacts **contacts)
{
    if (!*contacts) {
        return;
    }
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_mutex_destroy(&(*contacts)->stripe[i].lock);
        free((*contacts)->stripe[i].notes.note);
    }
    free(*contacts);
    *contacts = NULL;
}
