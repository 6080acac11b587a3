/* The stream inside a backup: items, compressed (zstd), in encrypted chunks. Writing and reading go straight through, in memory that does
 * not grow with the backup, on a thread beside the caller's; so one of them uses the file until it is ended or freed, and a failure to write may show a few
 * items later. */
#ifndef BACKUP_STREAM_H
#define BACKUP_STREAM_H

#include "backup/format.h"

/* Asked at each item, on the caller's thread, with the bytes so far, of items when writing, of the file when reading: any outcome but KLM_OK ends the work and is its outcome (KLM_E_CLOSED: cancelled,
 * KLM_E_TIMEOUT: took too long). */
struct bk_pulse {
    klm_rc (*go_on)(void *arg, uint64_t bytes);
    void *arg;
};

struct bk_out;
/* Begin behind the header that was written to fd already. Nothing is owned of the arguments; fd stays open. file: for messages. */
klm_rc bk_out_open(int fd, const char *file, const struct kr_backup *key, uint32_t chunk,
                   const struct bk_pulse *pulse, struct bk_out **out) KLM_MUST_USE;
/* Add an item of at most BK_ITEM_MOST bytes. */
klm_rc bk_out_item(struct bk_out *out, enum bk_kind kind, struct klm_slice payload,
                   struct klm_diag *diag) KLM_MUST_USE;
/* The same of a wiping buffer, whose memory is taken: it comes back empty, with that of an earlier item. */
klm_rc bk_out_take(struct bk_out *out, enum bk_kind kind, struct klm_buf *payload,
                   struct klm_diag *diag) KLM_MUST_USE;
/* The end: everything was written to fd, not synced yet. */
klm_rc bk_out_end(struct bk_out *out, struct klm_diag *diag) KLM_MUST_USE;
/* Bytes written to the file, without the header; after bk_out_end. */
uint64_t bk_out_bytes(const struct bk_out *out);
void bk_out_free(struct bk_out **out);
/* Before the first item: whom to tell, after each chunk, how many bytes are written to the file, without the header; on the thread that writes. */
struct bk_follow {
    void (*written)(void *arg, uint64_t bytes);
    void *arg;
};
void bk_out_follow(struct bk_out *out, const struct bk_follow *follow);

struct bk_in;
/* Begin at the first chunk of fd. */
klm_rc bk_in_open(int fd, const char *file, const struct kr_backup *key, uint32_t chunk,
                  const struct bk_pulse *pulse, struct bk_in **out) KLM_MUST_USE;
/* The next item, borrowed until the next call. KLM_E_CLOSED: there is no more, and the file ends there as it should; KLM_E_CORRUPT:
 * damage, cut short, or something behind its end, with a message. */
klm_rc bk_in_item(struct bk_in *in, enum bk_kind *kind, struct klm_slice *payload,
                  struct klm_diag *diag) KLM_MUST_USE;
void bk_in_free(struct bk_in **in);
/* Before the first item: the file is still being written. Whoever reads asks first, and waits, until so many of its bytes are there or the file is whole; any outcome but
 * KLM_OK ends the reading and is its outcome. */
struct bk_reach {
    klm_rc (*reach)(void *arg, uint64_t upto);
    void *arg;
};
void bk_in_behind(struct bk_in *in, const struct bk_reach *reach);
/* All chunks from the first to the last, opened and dropped: is every byte of the file as it was written, and nothing missing? Needs no thread and takes a fraction of the
 * time that reading takes. Failures as bk_in_item; instead of it. */
klm_rc bk_in_prove(struct bk_in *in, struct klm_diag *diag) KLM_MUST_USE;

#endif
