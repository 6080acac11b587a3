/* What the programs of the benchmark share: clock, CPU counters, latencies, arguments. They measure and print one JSON object a line; a
 * failure of their own ends them with a message and exit 2. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

/* End with a message. bench_need does so when what it is told is false. */
noreturn void bench_die(const char *what, const char *why);
void bench_need(bool ok, const char *what);
/* A number from the command line, within its limits; text names it when it is refused. */
double bench_number(const char *text, double min, double max);

uint64_t bench_now(void); /* nanoseconds, monotonic */
/* CPU time in nanoseconds: of this process, of the calling thread, of all threads of another process that live now, of the whole machine. */
uint64_t bench_cpu_self(void);
uint64_t bench_cpu_thread(void);
uint64_t bench_cpu_pid(int pid);
uint64_t bench_cpu_machine(void);

/* Latencies in slots of about 1.5 percent. */
#define BENCH_SLOTS (40 * 64)
struct bench_hist {
    uint64_t n, max;
    uint32_t slot[BENCH_SLOTS];
};
void bench_hist_add(struct bench_hist *hist, uint64_t ns);
/* Microseconds that a share of the latencies does not pass. */
double bench_hist_us(const struct bench_hist *hist, double share);

/* A socket of 127.0.0.1 without delays; a listener gets a free port. */
int bench_listen(uint16_t *port);
int bench_connect(uint16_t port);
void bench_no_delay(int fd);
void bench_no_block(int fd);

/* Nanoseconds that the calling thread was ready to run and had no processor, since it began. */
uint64_t bench_waited(void);

#endif
