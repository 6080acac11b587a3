/* Ceilings of this machine, measured beside the server: what no key server on it could pass. One kind a file. */
#ifndef TESTS_BENCH_CEILING_H
#define TESTS_BENCH_CEILING_H

#include <stdbool.h>

struct ceiling_options {
    double seconds;
    unsigned threads, connections, puts;
    bool tls;
    const char *folder; /* where the store would be */
    unsigned cache_megabytes;
    const char *library, *key, *pin_file; /* of a PKCS#11 token: paths, and the label of its key */
};

/* Each prints one JSON object and ends the program when it fails. */
void ceiling_echo(const struct ceiling_options *options); /* 200 bytes there, 250 back */
void ceiling_decrypt(
    const struct ceiling_options *options); /* RSA-2048, OAEP with SHA-256, private key */
void ceiling_encrypt(const struct ceiling_options *options); /* the same, public key */
void ceiling_keywrap(const struct ceiling_options *options);
void ceiling_random(const struct ceiling_options *options); /* 32 bytes of the private generator */
void ceiling_commit(const struct ceiling_options *options); /* Berkeley DB, synchronous commits */
void ceiling_open(const struct ceiling_options *options);   /* Berkeley DB, open with recovery */
void ceiling_token(
    const struct ceiling_options *options); /* private operation of a token's RSA-2048 key */

#endif
