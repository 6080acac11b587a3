/* Clock, CPU counters, latencies and sockets of the benchmark. */
#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOT_BITS 6

noreturn void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(2);
}

void bench_need(bool ok, const char *what)
{
    if (!ok) {
        bench_die(what, errno ? strerrordesc_np(errno) : "failed");
    }
}

double bench_number(const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= min && value <= max)) {
        bench_die(text, "not a number that is possible here");
    }
    return value;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    bench_need(clock_gettime(clock, &t) == 0, "clock");
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_self(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t bench_cpu_thread(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* The first line of a file of /proc; false when it is gone. */
static bool first_line(const char *path, char *out, int cap)
{
    FILE *file = fopen(path, "re");
    bool ok = file && fgets(out, cap, file);

    if (file) {
        fclose(file);
    }
    return ok;
}

/* schedstat counts nanoseconds on a CPU, where stat counts ticks of 10 ms. */
uint64_t bench_cpu_pid(int pid)
{
    char path[512], line[128];
    uint64_t sum = 0;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/task", pid);
    folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, entry->d_name);
        if (entry->d_name[0] != '.' && first_line(path, line, sizeof line)) {
            sum += strtoull(line, NULL, 10);
        }
    }
    if (folder) {
        closedir(folder);
    }
    return sum;
}

/* The second number of schedstat: the file stays open and is read anew from its start. */
uint64_t bench_waited(void)
{
    static int fd = -1;
    char line[128], *at = line;
    ssize_t n;

    if (fd < 0) {
        fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
        bench_need(fd >= 0, "/proc/thread-self/schedstat");
    }
    n = pread(fd, line, sizeof line - 1, 0);
    bench_need(n > 0, "reading schedstat");
    line[n] = '\0';
    (void)strtoull(line, &at, 10);
    return strtoull(at, NULL, 10);
}

/* user, nice, system, idle, iowait, irq, softirq, in ticks: all but the idle ones. */
uint64_t bench_cpu_machine(void)
{
    uint64_t field[7] = {0}, busy = 0;
    char line[256], *at = line + 4;

    if (!first_line("/proc/stat", line, sizeof line) || strncmp(line, "cpu ", 4) != 0) {
        return 0;
    }
    for (int i = 0; i < 7; i++) {
        field[i] = strtoull(at, &at, 10);
        busy += i == 3 || i == 4 ? 0 : field[i];
    }
    return busy * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

static unsigned slot_of(uint64_t ns)
{
    unsigned top;

    if (ns < 1u << SLOT_BITS) {
        return (unsigned)ns;
    }
    top = 63u - (unsigned)__builtin_clzll(ns);
    return ((top - SLOT_BITS + 1) << SLOT_BITS) |
           ((ns >> (top - SLOT_BITS)) & ((1u << SLOT_BITS) - 1));
}

/* The middle of a slot, in nanoseconds. */
static double slot_ns(unsigned slot)
{
    unsigned scale = slot >> SLOT_BITS, low = slot & ((1u << SLOT_BITS) - 1);

    if (scale == 0) {
        return slot;
    }
    return ((double)((1u << SLOT_BITS) + low) + 0.5) * (double)((uint64_t)1 << (scale - 1));
}

void bench_hist_add(struct bench_hist *hist, uint64_t ns)
{
    unsigned slot = slot_of(ns);

    hist->slot[slot < BENCH_SLOTS ? slot : BENCH_SLOTS - 1]++;
    hist->n++;
    hist->max = ns > hist->max ? ns : hist->max;
}

double bench_hist_us(const struct bench_hist *hist, double share)
{
    double wanted = share * (double)hist->n;
    uint64_t seen = 0;

    for (unsigned slot = 0; slot < BENCH_SLOTS; slot++) {
        seen += hist->slot[slot];
        if (hist->slot[slot] && (double)seen >= wanted) {
            return slot_ns(slot) / 1000;
        }
    }
    return 0;
}

void bench_no_delay(int fd)
{
    bench_need(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0,
               "TCP_NODELAY");
}

void bench_no_block(int fd)
{
    bench_need(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

int bench_listen(uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    bench_need(fd >= 0 && bind(fd, (struct sockaddr *)&address, n) == 0 && listen(fd, 1024) == 0 &&
                   getsockname(fd, (struct sockaddr *)&address, &n) == 0,
               "listen");
    *port = ntohs(address.sin_port);
    return fd;
}

int bench_connect(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    bench_need(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    bench_no_delay(fd);
    return fd;
}
