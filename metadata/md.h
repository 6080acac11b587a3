/* Key usage metadata: one event per write of a cartridge, kept for ever in the store;
 * SKLMData.xml is a view of it for people and programs (output only). The idea: a write costs
 * one record with a number at the end of a table; the three indexes (volume, alias, drive) are
 * made afterwards, in bulk, by md_index, and a query first brings them up to date. */
#ifndef METADATA_MD_H
#define METADATA_MD_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/msg.h"
#include "store/st.h"

#define MD_DKI_MAX                                                                                 \
    184 /* hexadecimal digits of the key identifier of LTO 5 and later (KMIP Tape Library Profile) */
struct md_usage {
    uint64_t number; /* set by md_usage_add */
    klm_time time;
    char drive[13]; /* "": the key is a managed object of KMIP, and client is who has it */
    char wwn[17];
    char volser[7]; /* up to 6 characters */
    char alias1[65],
        alias2[65]; /* alias2 "" when none; alias1 of a managed object is its Unique Identifier */
    char dki[MD_DKI_MAX + 1]; /* LTO: key identifier in hex, "" none */
    char client[65];          /* client of KMIP (a tape library), by its name; "" none */
};
/* Volume serial: 1 to 6 of A-Z, 0-9, @ # $ -; letters become upper case. */
klm_rc md_volser(const char *typed, char out[7], struct klm_diag *diag) KLM_MUST_USE;

/* Highest usage number in a view (0: none): read once at start by whoever numbers events. */
klm_rc md_usage_last(struct st_view *view, uint64_t *out) KLM_MUST_USE;
/* Add under usage->number (the caller numbers; must be new, and above all that are committed:
 * readers and the index go on from the last number they saw). One put, no read. KLM_E_INVALID:
 * number 0, neither drive nor client, or a text that is not printable UTF-8. */
klm_rc md_usage_add(struct st_change *change, const struct md_usage *usage) KLM_MUST_USE;
klm_rc md_usage_get(struct st_view *view, uint64_t number, struct md_usage *out) KLM_MUST_USE;
typedef klm_rc md_usage_fn(void *arg, const struct md_usage *usage);
/* Events with a number above after, in order, at most limit (0: all). */
klm_rc md_usage_scan(struct st_view *view, uint64_t after, size_t limit, md_usage_fn *fn, void *arg)
    KLM_MUST_USE;

/* Index at most max events that are not indexed yet into a change (commit it lazily); *left is
 * how many remain (0: up to date). */
klm_rc md_index(struct st_change *change, size_t max, uint64_t *left) KLM_MUST_USE;
/* Is this record part of an index, or the mark up to where indexes are made? Left out of a copy of the store, all of them together are
 * made again by md_index. */
bool md_index_has(enum st_table table, struct klm_slice key);
enum md_by { MD_BY_VOLSER, MD_BY_ALIAS, MD_BY_DRIVE, MD_BY_CLIENT };
/* Events of a volume, alias, drive or client, newest first, at most limit. Events not indexed yet are
 * found too, by reading them (correct at any time). */
klm_rc md_query(struct st_view *view, enum md_by by, const char *what, size_t limit,
                md_usage_fn *fn, void *arg) KLM_MUST_USE;

/* The newest event of each volume, by volume serial. Reads the index once; memory grows with the events that are not indexed yet, not
 * with the volumes. Events without a volume are left out. */
klm_rc md_volumes(struct st_view *view, md_usage_fn *fn, void *arg) KLM_MUST_USE;

/* ---- Events on their way to another server (carry.c) */
#define MD_ORIGIN 16 /* bytes of a store's identity */
#define MD_PAGE 2000 /* events in a page, at most */
/* The identity of this store, random, made once. KLM_E_NOTFOUND: not made yet. */
klm_rc md_identity(struct st_view *view, uint8_t out[MD_ORIGIN]) KLM_MUST_USE;
/* Make it unless there is one. */
klm_rc md_identity_make(struct st_change *change) KLM_MUST_USE;
/* A new one, for a store that was copied from another server's: what is in it happened there, so it is neither given as our own nor
 * taken again when that server gives it. */
klm_rc md_identity_renew(struct st_change *change) KLM_MUST_USE;
/* Up to which event a partner, by its label, was sent all; 0: nothing. */
klm_rc md_sent_get(struct st_view *view, const char *partner, uint64_t *out) KLM_MUST_USE;
klm_rc md_sent_put(struct st_change *change, const char *partner, uint64_t number) KLM_MUST_USE;
/* Append a page of the events that happened here, with numbers above after; *n is how many, *last the number that the next page begins
 * after (after itself: there are no more events). */
klm_rc md_page_give(struct st_view *view, uint64_t after, struct klm_buf *out, uint64_t *last,
                    size_t *n) KLM_MUST_USE;
/* Can a page be taken over? KLM_E_INVALID and the like: it is damaged; KLM_E_STATE: events before it are missing. With a message. */
klm_rc md_page_check(struct st_view *view, struct klm_slice page, struct klm_diag *diag)
    KLM_MUST_USE;
/* Take it over, under numbers of our own above *number, which becomes the last. A stored key that it names is marked as given out. What is here already is passed over; *taken is how many
 * were not. Fails as md_page_check; the change is then to be undone. */
klm_rc md_page_take(struct st_change *change, struct klm_slice page, uint64_t *number,
                    size_t *taken, struct klm_diag *diag) KLM_MUST_USE;

/* The events of a good page that are not here yet. */
typedef klm_rc md_page_fn(void *arg, const struct md_usage *usage);
klm_rc md_page_new(struct st_view *view, struct klm_slice page, md_page_fn *visit, void *arg)
    KLM_MUST_USE;

/* ---- SKLMData.xml */
/* One <KeyUsageEvent> element as text, in the documented order of children. */
klm_rc md_xml_event(const struct md_usage *usage, struct klm_buf *out) KLM_MUST_USE;
/* A writer that keeps the current file: root element always closed, appended by rewriting the
 * tail durably and safely (or atomically by replacing), rolled to one previous file at the size
 * limit. */
struct md_xml;
struct md_xml_options {
    const char *path; /* Audit.metadata.file.name */
    /* Audit.metadata.file.size; 0: 1 MiB; more than 64 MiB is lowered to that, with a message */
    uint64_t roll_bytes;
    /* Audit.metadata.file.cachecount: events gathered before the file is written */
    unsigned cachecount;
};
/* Opens or makes the file (SKLMData.xml; the one before is SKLMData.previous.xml, one set aside
 * SKLMData.damaged.xml); a damaged file is set aside under another name with a message and made
 * anew from the store. */
klm_rc md_xml_open(const struct md_xml_options *options, struct st_view *view,
                   struct klm_diag *diag, struct md_xml **out) KLM_MUST_USE;
/* Bring the file up to the store, called by a background thread once a second and whenever
 * cachecount events were added. It writes when force is set, when a second passed since the last
 * time, or when cachecount events wait (and writing so often takes no more than a tenth of the
 * time). After a failure the next call tries again. */
klm_rc md_xml_update(struct md_xml *xml, struct st_view *view, bool force, struct klm_diag *diag)
    KLM_MUST_USE;
void md_xml_close(struct md_xml **xml);
/* Name of the file that holds the events before those of path. KLM_E_LIMIT. */
klm_rc md_xml_previous(const char *path, char *out, size_t cap) KLM_MUST_USE;
/* Check a file with an XML parser (libxml2; any DOCTYPE refused, no network, no entities): tests
 * and the query tool. At most max bytes. Events have number 0: the file does not say it.
 * KLM_E_INVALID with the line. */
klm_rc md_xml_read(const char *path, size_t max, md_usage_fn *fn, void *arg, struct klm_diag *diag)
    KLM_MUST_USE;
/* The same for a text in memory. */
klm_rc md_xml_parse(struct klm_slice text, md_usage_fn *fn, void *arg, struct klm_diag *diag)
    KLM_MUST_USE;

#endif
