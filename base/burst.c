/* Bursts of transfers. The C library has no functions for AIO, so the system calls are made here, and outcomes are taken out of the ring that the kernel shares with the process. */
#include "base/burst.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_MAGIC 0xa10a10a1u

/* What a context's number is the address of (fs/aio.c of the kernel, which leaves taking events out to the process when it wants to). */
struct ring {
    uint32_t id, places;
    uint32_t head; /* ours to move */
    uint32_t tail; /* the kernel's */
    uint32_t magic, compatible, incompatible, header;
    struct io_event event[];
};

struct klm_burst {
    aio_context_t context; /* 0: none */
    bool refused;          /* the kernel gave none; it is not asked again */
    struct iocb ask[KLM_BURST_MAX];
};

klm_rc klm_burst_new(struct klm_burst **out)
{
    struct klm_burst *burst = calloc(1, sizeof *burst);

    if (!burst) {
        return KLM_E_NOMEM;
    }
    *out = burst;
    return KLM_OK;
}

void klm_burst_free(struct klm_burst **burst)
{
    if (!*burst) {
        return;
    }
    if ((*burst)->context) {
        (void)syscall(SYS_io_destroy, (*burst)->context); /* nothing is under way */
    }
    free(*burst);
    *burst = NULL;
}

static bool have_context(struct klm_burst *burst)
{
    if (!burst->context && !burst->refused) {
        burst->refused = syscall(SYS_io_setup, KLM_BURST_MAX, &burst->context) != 0;
    }
    return !burst->refused;
}

static void make_one(bool write, struct klm_transfer *t)
{
    if (t->fd < 0) {
        t->done = -EBADF;
        return;
    }
    t->done = write ? send(t->fd, t->p, t->n, MSG_NOSIGNAL | MSG_DONTWAIT)
                    : recv(t->fd, t->p, t->n, MSG_DONTWAIT);
    t->done = t->done < 0 ? -errno : t->done;
}

static void note(struct klm_transfer *const *transfers, const struct io_event *event)
{
    transfers[event->data]->done = (ssize_t)event->res;
}

/* Outcomes that are in the ring already, at most n; how many. */
static size_t take_from_ring(aio_context_t context, struct klm_transfer *const *transfers, size_t n)
{
    struct ring *ring = (struct ring *)(uintptr_t)context; /* what io_setup says is an address */
    uint32_t head = ring->head, tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    size_t taken = 0;

    if (ring->magic != RING_MAGIC || ring->incompatible != 0) {
        return 0;
    }
    for (; taken < n && head != tail; taken++) {
        note(transfers, &ring->event[head]);
        head = (head + 1) % ring->places;
    }
    __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
    return taken;
}

static void take_outcomes(aio_context_t context, struct klm_transfer *const *transfers, size_t n)
{
    size_t taken = take_from_ring(context, transfers, n);

    while (taken < n) {
        struct io_event events[KLM_BURST_MAX];
        long got = syscall(SYS_io_getevents, context, 1L, (long)(n - taken), events, NULL);

        if (got < 0 && errno != EINTR) {
            return; /* a context that is ours and whole answers; what stays is -EIO */
        }
        for (long i = 0; i < got; i++) {
            note(transfers, &events[i]);
        }
        taken += got > 0 ? (size_t)got : 0;
    }
}

/* Hand over all, and take the outcomes of what was taken; how many that was. */
static size_t make_together(struct klm_burst *burst, bool write,
                            struct klm_transfer *const *transfers, size_t n)
{
    struct iocb *list[KLM_BURST_MAX];
    long taken;

    for (size_t i = 0; i < n; i++) {
        transfers[i]->done = -EIO;
        burst->ask[i] = (struct iocb){.aio_data = i,
                                      .aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
                                      .aio_fildes = (uint32_t)transfers[i]->fd,
                                      .aio_buf = (uint64_t)(uintptr_t)transfers[i]->p,
                                      .aio_nbytes = transfers[i]->n};
        list[i] = &burst->ask[i];
    }
    taken = syscall(SYS_io_submit, burst->context, (long)n, list);
    if (taken <= 0) {
        return 0;
    }
    take_outcomes(burst->context, transfers, (size_t)taken);
    return (size_t)taken;
}

void klm_burst_run(struct klm_burst *burst, bool write, struct klm_transfer *const *transfers,
                   size_t n)
{
    /* a transfer that the kernel does not take ends its list: it is made alone, and so are those behind it */
    size_t made = n > 1 && have_context(burst) ? make_together(burst, write, transfers, n) : 0;

    for (size_t i = made; i < n; i++) {
        make_one(write, transfers[i]);
    }
}
