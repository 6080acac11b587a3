/* The helper's sandbox: seccomp with a list of what is refused (sandbox.def). It is a list of refusals, not of permissions, because the
 * library is somebody else's and nobody can say what it needs; what is on the list no library of a token needs. */
#include "keyring/p11/helper/hp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000u
#define CLONE_FLAGS 0 /* which argument of clone holds the flags */
#elif defined(__s390x__)
#define ARCH AUDIT_ARCH_S390X
#define CLONE_FLAGS 1
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define CLONE_FLAGS 0
#else
#error "say how this machine names its system calls"
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW_WORD(n) (offsetof(struct seccomp_data, args[n]))
#else
#define LOW_WORD(n) (offsetof(struct seccomp_data, args[n]) + 4)
#endif

/* Not every machine has all of them. */
#ifndef __NR_fork
#define __NR_fork (-1)
#endif
#ifndef __NR_vfork
#define __NR_vfork (-1)
#endif
#ifndef __NR_accept
#define __NR_accept (-1)
#endif
#ifndef __NR_socketcall
#define __NR_socketcall (-1)
#endif

static const struct {
    int number;   /* -1: this machine does not have it */
    bool network; /* allowed when the network is */
} denied[] = {
#define HP_DENY(name, network) {__NR_##name, network},
#include "keyring/p11/helper/sandbox.def"
#undef HP_DENY
};

#define RULES_MAX 200
struct rules {
    struct sock_filter rule[RULES_MAX];
    unsigned short n;
};

static void put(struct rules *rules, struct sock_filter rule)
{
    if (rules->n < RULES_MAX) {
        rules->rule[rules->n++] = rule;
    }
}

static void load(struct rules *rules, size_t offset)
{
    put(rules, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void answer(struct rules *rules, uint32_t what)
{
    put(rules, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

/* The next rule only when what was loaded equals value, or does not. */
static void if_equal(struct rules *rules, uint32_t value)
{
    put(rules, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
}

static void if_other(struct rules *rules, uint32_t value)
{
    put(rules, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
}

/* System calls of another machine's numbering would get around the list. */
static void foreign(struct rules *rules)
{
    load(rules, offsetof(struct seccomp_data, arch));
    if_other(rules, ARCH);
    answer(rules, SECCOMP_RET_KILL_PROCESS);
    load(rules, offsetof(struct seccomp_data, nr));
#ifdef X32_BIT
    put(rules, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
    answer(rules, SECCOMP_RET_KILL_PROCESS);
#endif
}

/* Threads, but no processes. clone3 hides its flags in memory; without it the C library uses clone. */
static void threads_only(struct rules *rules)
{
    if_equal(rules, __NR_clone3);
    answer(rules, SECCOMP_RET_ERRNO | ENOSYS);
    put(rules, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 4));
    load(rules, LOW_WORD(CLONE_FLAGS));
    put(rules, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1));
    answer(rules, SECCOMP_RET_ALLOW);
    answer(rules, SECCOMP_RET_ERRNO | EPERM);
}

static void make_rules(struct rules *rules, bool network)
{
    foreign(rules);
    for (size_t i = 0; i < KLM_COUNT(denied); i++) {
        if (denied[i].number >= 0 && !(network && denied[i].network)) {
            if_equal(rules, (uint32_t)denied[i].number);
            answer(rules, SECCOMP_RET_ERRNO | EPERM);
        }
    }
    threads_only(rules);
    answer(rules, SECCOMP_RET_ALLOW);
}

klm_rc hp_sandbox(bool network)
{
    struct rules rules = {.n = 0};
    struct sock_fprog program;

    make_rules(&rules, network);
    program = (struct sock_fprog){rules.n, rules.rule};
    if (rules.n == RULES_MAX) {
        return KLM_E_LIMIT;
    }
    if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) != 0 ||
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){256, 256}) != 0 ||
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){64u << 20, 64u << 20}) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
        return KLM_E_DENIED;
    }
    return KLM_OK;
}
