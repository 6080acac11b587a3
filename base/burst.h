/* Transfers on several sockets by one system call. Where a system call costs as much as a short transfer itself (virtual machines, mitigations of the processor), a loop that has
 * eight sockets to read spends half its time on going to the kernel and back.
 *
 * It is done with Linux's AIO (io_submit(2)): what is asked of a socket that does not block is carried out while it is handed over, so all outcomes are there when the call returns. */
#ifndef BASE_BURST_H
#define BASE_BURST_H

#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define KLM_BURST_MAX 32 /* transfers of one call */

/* One read or write of a socket that does not block. */
struct klm_transfer {
    int fd; /* negative: it is not made any more, and done is -EBADF */
    void *p;
    size_t n;
    ssize_t done; /* out: bytes, as of read and write, or an errno negated */
    void (*run)(struct klm_transfer *transfer); /* for klm_loop_read and klm_loop_write */
    struct klm_transfer *next;
};

struct klm_burst;

/* KLM_E_NOMEM. The kernel is asked for what it needs with the first burst of more than one transfer. */
klm_rc klm_burst_new(struct klm_burst **out) KLM_MUST_USE;
void klm_burst_free(struct klm_burst **burst);
/* Read, or write, each of n transfers (at most KLM_BURST_MAX), in their order. What the kernel does not take together (it has no AIO, or gives no more of it) is made one by one, with the
 * same outcomes. SIGPIPE has to be ignored, as for SSL_write. One burst is for one thread at a time. */
void klm_burst_run(struct klm_burst *burst, bool write, struct klm_transfer *const *transfers,
                   size_t n);

#endif
