/* Cartridges: AWSTAPE files with standard labels whose files are encrypted (CARTRIDGE.md).
 * Everything streams: the memory used does not depend on how long a file is. One file of a
 * cartridge is open at a time; a cartridge belongs to one thread. */
#ifndef IOS_CARTRIDGE_H
#define IOS_CARTRIDGE_H

#include "base/msg.h"
#include "base/pool.h"
#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IOS_EEDK_MAX 1024
#define IOS_EEDKS 2
#define IOS_KEY_SIZE 32
#define IOS_KEY_ID 12 /* identifier of a stored key (LTO) */

struct ios_cart;
struct ios_file;

enum ios_cart_mode { IOS_CART_READ, IOS_CART_WRITE };

/* Initialise a volume: VOL1, an empty HDR1, a tape mark; durable. Nothing that exists is ever
 * overwritten: KLM_E_EXISTS. */
klm_rc ios_cart_create(const char *path, const char *volser, struct klm_diag *diag) KLM_MUST_USE;
/* Mount a volume: its labels are read, its data is not. KLM_E_NOTFOUND, KLM_E_BUSY,
 * KLM_E_INVALID (no standard labelled AWSTAPE volume). What is wrong with the volume but does
 * not hinder reading is in ios_cart_note. */
klm_rc ios_cart_open(const char *path, enum ios_cart_mode mode, struct klm_diag *diag,
                     struct ios_cart **out) KLM_MUST_USE;
/* A file still being written is taken off the tape first. Close files before. */
void ios_cart_free(struct ios_cart **cart);

/* Its volume serial number, borrowed. */
const char *ios_cart_volser(const struct ios_cart *cart);
/* A message on an interrupted last write (warning: the next file takes its place) or on damaged
 * labels (error: nothing can be written, the files before can be read), or KLM_MSG_NONE. */
const struct klm_diag *ios_cart_note(const struct ios_cart *cart);

struct ios_file_info {
    unsigned seq;    /* FILESEQ, from 1 */
    char dsname[18]; /* the last 17 characters of the data set name */
    char job[9], step[9];
    unsigned year, day; /* of creation */
    uint64_t blocks;    /* blocks on the tape, the header block included: TOTALBLOCKS */
};
/* The complete files, in order. i from 0. */
size_t ios_cart_files(const struct ios_cart *cart);
const struct ios_file_info *ios_cart_file(const struct ios_cart *cart, size_t i);

/* What a file is written with. Every file must get a key of its own. */
struct ios_file_key {
    const uint8_t *key;               /* IOS_KEY_SIZE bytes, copied into the cipher */
    struct klm_slice eedk[IOS_EEDKS]; /* copied */
    uint8_t eedk_n;                   /* 1 or 2; 0 with a key identifier */
    const uint8_t *key_id;            /* IOS_KEY_ID bytes of a stored key, copied; NULL: EEDKs */
    bool stored;                      /* do not compress */
    const char *job, *step;           /* for HDR2, NULL: blank */
};

/* Start a file behind the last complete one. KLM_E_STATE (not open for writing, another file is
 * open, labels damaged), KLM_E_INVALID (name), KLM_E_LIMIT (9999 files, EEDK too long). The
 * caller ends it with close or free. */
klm_rc ios_file_begin_write(struct ios_cart *cart, const char *dsname,
                            const struct ios_file_key *key, struct klm_diag *diag,
                            struct ios_file **out) KLM_MUST_USE;
/* Any number of bytes. After a failure (KLM_E_NOSPACE, KLM_E_IO) only free is left. */
klm_rc ios_file_write(struct ios_file *file, const void *p, size_t n, struct klm_diag *diag)
    KLM_MUST_USE;

/* Open a file for reading by its sequence number; its EEDKs are then known. KLM_E_NOTFOUND,
 * KLM_E_UNSUPPORTED (not one of ours). */
klm_rc ios_file_open_read(struct ios_cart *cart, unsigned seq, struct klm_diag *diag,
                          struct ios_file **out) KLM_MUST_USE;
/* The EEDKs of the file, valid while it is open. Returns how many. */
size_t ios_file_eedks(const struct ios_file *file, struct klm_slice eedk[IOS_EEDKS]);
/* The identifier of the stored key that the file was written with, instead of EEDKs. False: it has none. */
bool ios_file_key_id(const struct ios_file *file, uint8_t out[IOS_KEY_ID]);
/* The data key that the key manager unwrapped. Whether it is the right one shows at the first
 * read. */
klm_rc ios_file_set_key(struct ios_file *file, const uint8_t key[IOS_KEY_SIZE]) KLM_MUST_USE;
/* Up to cap bytes of the content, checked before they are given out; *n is 0 at the end of a
 * whole file. KLM_E_WRONGKEY (the first block does not open), KLM_E_CORRUPT (damage, each kind
 * with its message). After a failure nothing more is given out. */
klm_rc ios_file_read(struct ios_file *file, void *out, size_t cap, size_t *n, struct klm_diag *diag)
    KLM_MUST_USE;

/* End a file. One being written is on disk, labels and all, when this returns KLM_OK, and *info
 * tells about it (info may be NULL); when it fails the file is taken off the tape. A file being
 * read is just closed. Always frees. */
klm_rc ios_file_close(struct ios_file **file, struct ios_file_info *info, struct klm_diag *diag)
    KLM_MUST_USE;
/* Give up: a file being written is taken off the tape. NULL is fine. */
void ios_file_free(struct ios_file **file);

/* ---- Cartridge memory: PATH.cm beside the cartridge, a copy of volume serial and of the header
 * block of each file. Made at close and whenever it is found missing, damaged or old; the tape
 * is right when they differ. */
klm_rc ios_cm_rebuild(struct ios_cart *cart, struct klm_diag *diag) KLM_MUST_USE;
struct ios_cm_file {
    struct ios_file_info info; /* seq, dsname and blocks alone */
    struct klm_slice header;   /* header block, empty when the file is not one of ours */
};
struct ios_cm {
    char volser[7];
    struct ios_cm_file *file;
    size_t n;
};
/* The memory of the cartridge at path, in the pool. KLM_E_NOTFOUND, KLM_E_CORRUPT. */
klm_rc ios_cm_load(const char *path, struct klm_pool *pool, struct ios_cm *out) KLM_MUST_USE;

#endif
