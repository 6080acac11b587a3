/* What leak and race checkers are told of Berkeley DB 5.3, in builds with them; included by bdb.c
 * alone. Closing a private environment it drops its list of committed transactions without freeing
 * them (a few hundred bytes each, once in the life of a process), it reads some fields outside its
 * locks by design, and its thousands of page latches overwhelm the search for lock cycles. Without
 * this the checkers would report nothing else, or never end. */
#ifndef STORE_BDB_CHECKERS_H
#define STORE_BDB_CHECKERS_H

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
/* Asked by LeakSanitizer at the start. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libdb-5.3.so\n";
}
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
/* Asked by ThreadSanitizer at the start, as is the one below. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:libdb-5.3.so\n";
}

/* Its options, those of the environment come on top. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "detect_deadlocks=0";
}
#endif

#endif
