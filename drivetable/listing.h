/* The drives of a listing: the text that listdrives of another key manager printed, kept in a file. Its forms (listing.def, FORMAT.md): a
 * serial number on a line of its own, or "name = value" and "name: value" lines, where a serial number begins the next drive. */
#ifndef DRIVETABLE_LISTING_H
#define DRIVETABLE_LISTING_H

#include "drivetable/dt.h"

#define DT_LISTING_MAX (16u << 20) /* bytes of a listing */

/* A drive as listed, or why it is refused. */
struct dt_listed {
    struct dt_drive
        drive;           /* its own aliases, world wide name and kind where the listing has them */
    unsigned line;       /* where it begins */
    const char *name;    /* as the listing has it, printable */
    const char *refused; /* why it cannot be taken, or NULL */
};
struct dt_listing {
    struct dt_listed *at; /* in the order of the listing */
    size_t n, cap;
};
/* Read a listing; all texts live in the pool. A drive with something wrong in it is there with the reason. KLM_E_INVALID, with line: the text is
 * no listing (not text, a line that belongs to no drive, no drive at all), or it says that it has another number of drives, so that it was
 * cut short; KLM_E_LIMIT, KLM_E_NOMEM. */
klm_rc dt_listing_read(struct klm_slice text, struct klm_pool *pool, struct klm_diag *diag,
                       struct dt_listing *out) KLM_MUST_USE;

#endif
