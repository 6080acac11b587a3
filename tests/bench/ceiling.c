/* Ceilings of this machine, for `make bench`.
 *   ceiling echo [-T] [-c CONNECTIONS]         one server and one client thread; -T: TLS 1.3
 *   ceiling decrypt|encrypt|random [-t THREADS]
 *   ceiling commit -f FOLDER [-t THREADS] [-u PUTS]   synchronous commits of so many puts of 500 bytes, in a folder that it makes below FOLDER
 *   ceiling open -f FOLDER [-m CACHE_MEGABYTES]       a bare recovered open of the environment there, and of all databases in it
 *   ceiling token -l LIBRARY -k KEY -p PIN_FILE [-t THREADS]   private operations of an RSA-2048 key in a PKCS#11 token
 * All take -d SECONDS. */
#include "tests/bench/ceiling.h"
#include "tests/bench/bench.h"

#include <string.h>
#include <unistd.h>

struct kind {
    const char *name;
    void (*run)(const struct ceiling_options *options);
    bool folder;
};

static const struct kind kinds[] = {
    {"echo", ceiling_echo, false},       {"decrypt", ceiling_decrypt, false},
    {"encrypt", ceiling_encrypt, false}, {"random", ceiling_random, false},
    {"keywrap", ceiling_keywrap, false}, {"commit", ceiling_commit, true},
    {"open", ceiling_open, true},        {"token", ceiling_token, false},
};

static const struct kind *find(const char *name)
{
    for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    bench_die(
        "usage",
        "ceiling echo|decrypt|encrypt|random|keywrap|commit|open|token [options]; see its source");
}

int main(int argc, char **argv)
{
    struct ceiling_options options = {
        .seconds = 1, .threads = 1, .connections = 8, .puts = 1, .cache_megabytes = 256};
    const struct kind *kind = find(argc > 1 ? argv[1] : NULL);
    int c;

    optind = 2;
    while ((c = getopt(argc, argv, "d:t:c:u:Tf:m:l:k:p:")) != -1) {
        switch (c) {
        case 'd':
            options.seconds = bench_number(optarg, 0.05, 600);
            break;
        case 't':
            options.threads = (unsigned)bench_number(optarg, 1, 64);
            break;
        case 'c':
            options.connections = (unsigned)bench_number(optarg, 1, 1024);
            break;
        case 'u':
            options.puts = (unsigned)bench_number(optarg, 1, 1000);
            break;
        case 'T':
            options.tls = true;
            break;
        case 'f':
            options.folder = optarg;
            break;
        case 'm':
            options.cache_megabytes = (unsigned)bench_number(optarg, 4, 3000);
            break;
        case 'l':
            options.library = optarg;
            break;
        case 'k':
            options.key = optarg;
            break;
        case 'p':
            options.pin_file = optarg;
            break;
        default:
            find(NULL);
        }
    }
    if (optind != argc || (kind->folder && !options.folder)) {
        find(NULL);
    }
    kind->run(&options);
    return 0;
}
