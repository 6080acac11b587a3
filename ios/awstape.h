/* AWSTAPE files: a tape as a file of blocks and tape marks, the form that Hercules and other
 * tape tools read. Before each block stand 6 bytes: length (16 bits, little-endian), length of
 * the block before (the same; 0 after a tape mark and at the start), flags (80 first part of a
 * block, 20 last part, 40 tape mark), and a byte 0. A medium knows where it is; reading and
 * writing go on from there. Buffered; one user at a time. */
#ifndef IOS_AWSTAPE_H
#define IOS_AWSTAPE_H

#include "base/msg.h"
#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IOS_AWS_BLOCK_MAX 65535
#define IOS_AWS_HEADER 6

struct ios_aws;

enum ios_aws_kind {
    IOS_AWS_BLOCK,
    IOS_AWS_MARK,
    IOS_AWS_END,  /* nothing more is recorded */
    IOS_AWS_TORN, /* a block begins here and the file ends within it, or only zeros follow */
};

/* A place on the medium: just before a block or mark. */
struct ios_aws_pos {
    uint64_t at;
    uint16_t previous;
};

/* A new, empty medium, open for writing and locked. KLM_E_EXISTS; mode 0600. */
klm_rc ios_aws_create(const char *path, struct klm_diag *diag, struct ios_aws **out) KLM_MUST_USE;
/* An existing one, locked alone for writing or shared for reading. KLM_E_NOTFOUND, KLM_E_BUSY,
 * KLM_E_INVALID (no regular file). */
klm_rc ios_aws_open(const char *path, bool write, struct klm_diag *diag, struct ios_aws **out)
    KLM_MUST_USE;
/* Unwritten blocks are lost: call ios_aws_sync first. */
void ios_aws_free(struct ios_aws **aws);

/* The next block into out (IOS_AWS_BLOCK_MAX bytes), or what else is there; the medium moves on
 * but for END and TORN. KLM_E_CORRUPT: this is no AWSTAPE header, or it contradicts the block
 * before. KLM_E_LIMIT: a block in parts of more than IOS_AWS_BLOCK_MAX bytes. */
klm_rc ios_aws_read(struct ios_aws *aws, uint8_t *out, size_t *n, enum ios_aws_kind *kind)
    KLM_MUST_USE;
/* The same without the bytes. */
klm_rc ios_aws_skip(struct ios_aws *aws, size_t *n, enum ios_aws_kind *kind) KLM_MUST_USE;

/* Where the next block is; and go on from a place that tell gave. */
struct ios_aws_pos ios_aws_tell(const struct ios_aws *aws);
void ios_aws_seek(struct ios_aws *aws, struct ios_aws_pos pos);

/* Forget everything from here on: as a tape does when it is written. */
klm_rc ios_aws_cut(struct ios_aws *aws) KLM_MUST_USE;
/* Write a block of 1 to IOS_AWS_BLOCK_MAX bytes, or a mark. KLM_E_LIMIT, KLM_E_NOSPACE,
 * KLM_E_IO. */
klm_rc ios_aws_write(struct ios_aws *aws, const void *p, size_t n) KLM_MUST_USE;
klm_rc ios_aws_mark(struct ios_aws *aws) KLM_MUST_USE;
/* On return all that was written is on disk. */
klm_rc ios_aws_sync(struct ios_aws *aws) KLM_MUST_USE;

#endif
