/* Plays KMIP test cases in XML against a server, each on a connection of its own: a line a case, and at the end how many passed.
 *
 *   player [OPTION...] FILE|FOLDER...
 *
 * Server and certificates come from the environment of a test server (KLM_KMIP_PORT, KLM_HTTPS_PORT, KLM_CLIENT_CERT, KLM_CLIENT_KEY, KLM_CA_CERT) or from options. --reset
 * COMMAND gives each case a server without a past. Cases of the message encodings (MSGENC-XML, -JSON, -HTTPS) go by HTTPS, all others as TTLV over TLS. */
#include "base/clock.h"
#include "kmip/codec/dump.h"
#include "tests/conformance/link.h"
#include "tests/conformance/mirror.h"
#include "tests/conformance/rules.h"

#include <fts.h>
#include <popt.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define POOL_MAX (256u << 20)
#define PATHS_MAX 20000

static struct {
    const char *host, *cert, *key, *authority, *version, *name, *reset, *share;
    int port, https_port, seconds, trace, mirror, mutants;
} opt = {.host = "127.0.0.1", .seconds = 20};
static size_t passed, failed;

/* ---- Talking to the server */

struct talk {
    struct cf_link *link;
};

static void trace(const char *what, const struct kmip_node *message, struct klm_pool *pool)
{
    struct klm_buf text;

    if (!opt.trace) {
        return;
    }
    klm_buf_init_wiping(&text, POOL_MAX);
    kmip_dump(message, pool, &text);
    if (klm_buf_rc(&text) == KLM_OK) {
        fprintf(stderr, "# %s\n%.*s", what, (int)text.n, (const char *)text.p);
    }
    klm_buf_done(&text);
}

static klm_rc talk_call(void *arg, size_t pair, const struct kmip_node *request,
                        struct klm_pool *pool, struct kmip_node **answer, char why[CF_WHY_MAX])
{
    struct talk *talk = arg;

    (void)pair;
    trace("request", request, pool);
    KLM_TRY(cf_link_call(talk->link, request, pool, answer, why));
    trace("answer", *answer, pool);
    return KLM_OK;
}

static klm_rc link_for(const struct cf_case *test, struct cf_link **out, char why[CF_WHY_MAX])
{
    const struct cf_server server = {.host = opt.host,
                                     .port = opt.port,
                                     .https_port = opt.https_port,
                                     .cert = opt.cert,
                                     .key = opt.key,
                                     .authority = opt.authority,
                                     .seconds = opt.seconds};
    bool xml = strncmp(test->name, "MSGENC-XML", 10) == 0,
         json = strncmp(test->name, "MSGENC-JSON", 11) == 0;

    return cf_link_new(&server,
                       xml    ? CF_XML
                       : json ? CF_JSON
                              : CF_TTLV,
                       xml || json || strncmp(test->name, "MSGENC-HTTPS", 12) == 0, out, why);
}

static enum cf_outcome talk_through(const struct cf_case *test, struct cf_memory *memory,
                                    bool counts, char why[CF_WHY_MAX])
{
    KLM_AUTO(cf_link_free) struct cf_link *link = NULL;
    struct talk talk;
    struct cf_peer peer = {talk_call, &talk};

    if (link_for(test, &link, why) != KLM_OK) {
        return CF_ERROR;
    }
    talk.link = link;
    if (counts) {
        return cf_play(test, memory, &peer, why);
    }
    cf_play_through(test, memory, &peer);
    return CF_PASS;
}

/* ---- Cases */

extern char **environ;

static bool reset(char why[CF_WHY_MAX])
{
    char sh[] = "sh", c[] = "-c", *command = opt.reset ? strdup(opt.reset) : NULL;
    char *const words[] = {sh, c, command, NULL};
    int status = 0;
    pid_t pid;
    bool done;

    if (!opt.reset) {
        return true;
    }
    done = command && posix_spawn(&pid, "/bin/sh", NULL, NULL, words, environ) == 0 &&
           waitpid(pid, &status, 0) == pid && status == 0;
    free(command);
    if (!done) {
        snprintf(why, CF_WHY_MAX, "the command of --reset failed");
    }
    return done;
}

/* The cases that leave what this one finds, from beside its file. */
static bool play_first(const struct cf_case *test, struct cf_memory *memory, char why[CF_WHY_MAX])
{
    char name[CF_NAME_MAX];
    const char *slash = strrchr(test->path, '/');

    for (size_t i = 0; cf_rule_first(test->name, i, name, sizeof(name)); i++) {
        const char *path =
            klm_pool_printf(memory->pool, "%.*s%s.xml", slash ? (int)(slash - test->path + 1) : 0,
                            test->path, name);
        struct cf_case first;
        char what[CF_WHY_MAX] = "";

        if (!path || cf_case_read(path, memory->pool, &first, what) != KLM_OK ||
            talk_through(&first, memory, false, what) != CF_PASS) {
            snprintf(why, CF_WHY_MAX, "%s, which is to be played first: %.*s", name,
                     CF_WHY_MAX - 128, what);
            return false;
        }
        cf_memory_next_case(memory);
    }
    return true;
}

static enum cf_outcome play(const struct cf_case *test, struct klm_pool *pool, char why[CF_WHY_MAX])
{
    struct cf_memory memory;
    struct cf_mirror mirror;

    cf_memory_init(&memory, pool, (int64_t)time(NULL));
    if (opt.mirror) {
        cf_mirror_init(&mirror, test, &memory);
        return cf_play(test, &memory, &(struct cf_peer){cf_mirror_call, &mirror}, why);
    }
    if (!reset(why) || !play_first(test, &memory, why)) {
        return CF_ERROR;
    }
    return talk_through(test, &memory, true, why);
}

/* Every item of every answer altered, and left out: what is taken for right all the same is printed. */
static void play_mutants(const struct cf_case *test)
{
    for (size_t pair = 0; pair < test->n; pair++) {
        size_t items = cf_count_items(test->pairs[pair].expected);

        for (size_t i = 0; i < 2 * items; i++) {
            KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
            char why[CF_WHY_MAX];
            struct cf_memory memory;
            struct cf_mirror mirror;

            if (klm_pool_new(POOL_MAX, &pool) != KLM_OK) {
                return;
            }
            cf_memory_init(&memory, pool, (int64_t)time(NULL));
            cf_mirror_init(&mirror, test, &memory);
            mirror.lies = true;
            mirror.pair = pair;
            mirror.item = i / 2;
            mirror.how = i % 2 ? CF_REMOVED : CF_ALTERED;
            if (cf_play(test, &memory, &(struct cf_peer){cf_mirror_call, &mirror}, why) ==
                CF_PASS) {
                printf("tolerated %s %s/%s\n", i % 2 ? "removed" : "altered",
                       kmip_tag(mirror.wrong_in->tag)->name, kmip_tag(mirror.wrong->tag)->name);
            }
        }
    }
}

static void report(const char *name, enum cf_outcome outcome, const char *why)
{
    static const char *const words[] = {
        [CF_PASS] = "pass", [CF_FAIL] = "fail", [CF_ERROR] = "error"};

    printf("%s %s%s%s\n", words[outcome], name, outcome == CF_PASS ? "" : ": ",
           outcome == CF_PASS ? "" : why);
    fflush(stdout);
    passed += outcome == CF_PASS;
    failed += outcome != CF_PASS;
}

static bool is_wanted(const struct cf_case *test)
{
    char version[16];

    snprintf(version, sizeof(version), "%d.%d", test->version / 16, test->version % 16);
    return !opt.version || strcmp(opt.version, version) == 0;
}

static void play_file(const char *path)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    char why[CF_WHY_MAX] = "", name[CF_NAME_MAX];
    struct cf_case test;

    cf_case_name(path, name);
    if (cf_rule_skip(name)) {
        printf("skip %s: %s\n", name, cf_rule_skip(name));
    } else if (klm_pool_new(POOL_MAX, &pool) != KLM_OK ||
               cf_case_read(path, pool, &test, why) != KLM_OK) {
        report(name, CF_ERROR, why);
    } else if (is_wanted(&test)) {
        enum cf_outcome outcome = play(&test, pool, why);

        report(name, outcome, why);
        if (opt.mutants && outcome == CF_PASS) {
            play_mutants(&test);
        }
    }
}

/* ---- Files */

static const char *paths[PATHS_MAX];
static size_t paths_n;

static bool by_name(const char *path)
{
    char name[CF_NAME_MAX];
    size_t n = strlen(path);

    cf_case_name(path, name);
    return n > 4 && strcmp(path + n - 4, ".xml") == 0 && (!opt.name || strcmp(opt.name, name) == 0);
}

static int in_order(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool find_files(const char *from)
{
    char *const roots[] = {(char *)(uintptr_t)from, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, in_order);
    bool found = false;

    for (FTSENT *at = tree ? fts_read(tree) : NULL; at; at = fts_read(tree)) {
        found |= at->fts_info == FTS_F || at->fts_info == FTS_D;
        if (at->fts_info == FTS_F && by_name(at->fts_path) && paths_n < PATHS_MAX) {
            paths[paths_n] = strdup(at->fts_path);
            paths_n += paths[paths_n] != NULL;
        }
    }
    if (tree) {
        fts_close(tree);
    }
    return found;
}

/* --share 1/2: of every two files the first. */
static bool share(size_t *which, size_t *of)
{
    char *end;

    *which = 1;
    *of = 1;
    if (opt.share) {
        *which = strtoul(opt.share, &end, 10);
        *of = *end == '/' ? strtoul(end + 1, &end, 10) : 0;
    }
    return *which >= 1 && *which <= *of;
}

static int play_all(poptContext ctx)
{
    size_t which, of;

    for (const char *from = poptGetArg(ctx); from; from = poptGetArg(ctx)) {
        if (!find_files(from)) {
            fprintf(stderr, "player: no file or folder %s\n", from);
            return 2;
        }
    }
    if (!share(&which, &of)) {
        fprintf(stderr, "player: --share is I/N\n");
        return 2;
    }
    for (size_t i = which - 1; i < paths_n; i += of) {
        play_file(paths[i]);
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed > 0 || passed == 0 ? 1 : 0;
}

static int number_of(const char *name)
{
    const char *text = getenv(name);

    return text ? (int)strtol(text, NULL, 10) : 0;
}

static void from_environment(void)
{
    opt.port = number_of("KLM_KMIP_PORT");
    opt.https_port = number_of("KLM_HTTPS_PORT");
    opt.cert = getenv("KLM_CLIENT_CERT");
    opt.key = getenv("KLM_CLIENT_KEY");
    opt.authority = getenv("KLM_CA_CERT");
}

int main(int argc, const char **argv)
{
    const struct poptOption options[] = {
        {"host", 0, POPT_ARG_STRING, &opt.host, 0, "where the server is", "NAME"},
        {"port", 0, POPT_ARG_INT, &opt.port, 0, "its TLS port", "N"},
        {"https-port", 0, POPT_ARG_INT, &opt.https_port, 0, "its HTTPS port", "N"},
        {"cert", 0, POPT_ARG_STRING, &opt.cert, 0, "the client's certificate", "FILE"},
        {"key", 0, POPT_ARG_STRING, &opt.key, 0, "the client's key", "FILE"},
        {"authority", 0, POPT_ARG_STRING, &opt.authority, 0,
         "certificate of the server's authority", "FILE"},
        {"version", 0, POPT_ARG_STRING, &opt.version, 0, "only cases of this version of KMIP",
         "1.4"},
        {"case", 0, POPT_ARG_STRING, &opt.name, 0, "only the case with this name", "NAME"},
        {"reset", 0, POPT_ARG_STRING, &opt.reset, 0, "a command before each case", "COMMAND"},
        {"share", 0, POPT_ARG_STRING, &opt.share, 0, "only each N-th case, from the I-th on",
         "I/N"},
        {"seconds", 0, POPT_ARG_INT, &opt.seconds, 0, "how long to wait for an answer", "N"},
        {"trace", 0, POPT_ARG_NONE, &opt.trace, 0, "show each message, without secrets", NULL},
        {"mirror", 0, POPT_ARG_NONE, &opt.mirror, 0, "play each case against its own answers",
         NULL},
        {"mutants", 0, POPT_ARG_NONE, &opt.mutants, 0,
         "with --mirror: show which changes of an answer are taken for right", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx;
    int rc, status;

    from_environment();
    signal(SIGPIPE, SIG_IGN);
    ctx = poptGetContext("player", argc, argv, options, 0);
    poptSetOtherOptionHelp(ctx, "[OPTION...] FILE|FOLDER...");
    rc = poptGetNextOpt(ctx);
    if (rc < -1 || !poptPeekArg(ctx)) {
        fprintf(stderr, "player: %s: %s\n", rc < -1 ? poptBadOption(ctx, 0) : "FILE",
                rc < -1 ? poptStrerror(rc) : "missing");
        status = 2;
    } else if (!opt.mirror && (!opt.port || !opt.cert || !opt.key || !opt.authority)) {
        fprintf(stderr, "player: no server is named: source a test server's env, or see --help\n");
        status = 2;
    } else {
        status = play_all(ctx);
    }
    poptFreeContext(ctx);
    return status;
}
