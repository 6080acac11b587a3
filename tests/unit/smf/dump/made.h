/* Records for the tests of smf/dump, made by the encoder: events of one server, and checkpoints of a signer that signs with nothing
 * but its message, for a certificate that is not looked at. */
#ifndef TESTS_UNIT_SMF_DUMP_MADE_H
#define TESTS_UNIT_SMF_DUMP_MADE_H

#include "smf/type83.h"
#include "test.h"

#include <stdlib.h>

struct made {
    struct smf_hash *hash;
    struct smf_t83_chain chain;
    struct klm_buf out;
    struct smf_t83_origin origin;
    size_t at[256]; /* where each record begins, and the end */
    size_t n;
};

static inline void made_init(struct made *made)
{
    *made = (struct made){.origin = {.system = "Z1", .subsystem = "", .job = "ISKLM"}};
    klm_buf_init(&made->out, 16u << 20);
    REQUIRE_OK(smf_hash_new(&made->hash));
}

static inline void made_done(struct made *made)
{
    klm_buf_done(&made->out);
    smf_hash_free(&made->hash);
}

/* Find the records that were added. */
static inline void made_index(struct made *made)
{
    size_t at = made->n ? made->at[made->n] : 0;

    while (at < made->out.n) {
        made->at[made->n++] = at;
        at += (size_t)made->out.p[at] << 8 | made->out.p[at + 1];
        made->at[made->n] = at;
    }
}

static inline void made_event_text(struct made *made, const struct smf_event *event, uint64_t seq,
                                   const char *text)
{
    struct smf_record record = {.seq = seq, .server_id = "KLM1", .event = *event};

    if (!record.event.time) {
        record.event.time = INT64_C(1795309323000000) + (klm_time)seq * 1000000;
    }
    REQUIRE_OK(smf_t83_encode(&made->origin, &record, klm_slice_str(text), made->hash, &made->chain,
                              &made->out));
    made_index(made);
}

static inline void made_event(struct made *made, uint64_t seq)
{
    struct smf_event event = {.kind = SMF_RUNTIME};

    event.field[SMF_F_VERB] = "key-get";
    made_event_text(made, &event, seq, "");
}

static inline void made_checkpoint(struct made *made)
{
    struct smf_signature signature = {.algorithm = "ECDSA-SHA256", .n = 3, .bytes = {1, 2, 3}};

    REQUIRE_OK(smf_t83_checkpoint(&made->origin, "KLM1", INT64_C(1795309323000000), &signature,
                                  made->hash, &made->chain, &made->out));
    made_index(made);
}

static inline struct klm_slice made_record(const struct made *made, size_t i)
{
    return KLM_SLICE(made->out.p + made->at[i], made->at[i + 1] - made->at[i]);
}

/* Write records, by their indexes, to a file of the test's folder. The list ends with -1. */
static inline const char *made_file(const struct made *made, const char *name, const int *list)
{
    const char *path = test_path(name);
    FILE *file = fopen(path, "we");

    REQUIRE(file != NULL);
    for (; *list >= 0; list++) {
        struct klm_slice record = made_record(made, (size_t)*list);

        REQUIRE(fwrite(record.p, 1, record.n, file) == record.n);
    }
    REQUIRE(fclose(file) == 0);
    return path;
}
#define LIST(...) ((const int[]){__VA_ARGS__, -1})

#endif
