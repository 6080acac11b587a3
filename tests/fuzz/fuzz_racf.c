/* RACF's grammar and the words of product commands: whatever comes, a refusal says something, words are ended strings of at
 * most what came, and what a log shows of a command has no control characters. */
#include "console/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void try_racf(struct con_run *run, const char *text, size_t size, int depth)
{
    struct racf_word words[RACF_WORDS_MAX];
    size_t n = 0, before = run->out->n;
    const char *value;

    if (racf_parse(run, text, words, &n) != KLM_OK) {
        check(run->out->n > before && run->status == 2);
        return;
    }
    check(n <= RACF_WORDS_MAX);
    for (size_t i = 0; i < n; i++) {
        check(words[i].name || words[i].body);
        check(!words[i].name || strlen(words[i].name) <= size);
        check(!words[i].body || strlen(words[i].body) <= size);
        if (racf_value(run, &words[i], &value) == KLM_OK) {
            check(strlen(value) <= strlen(words[i].body));
        }
        if (words[i].body && depth > 0) {
            try_racf(run, words[i].body, size, depth - 1);
        }
    }
}

static void try_words(struct con_run *run, const char *text, size_t size)
{
    const char *words[CON_WORDS_MAX];
    size_t n = 0;

    if (con_words(run, text, words, &n) == KLM_OK) {
        check(n <= CON_WORDS_MAX);
        for (size_t i = 0; i < n; i++) {
            check(strlen(words[i]) <= size);
        }
    }
}

static void try_shown(const char *text, size_t size)
{
    struct klm_buf shown;

    klm_buf_init(&shown, 4 * size + 16);
    con_shown(text, &shown);
    check(klm_buf_rc(&shown) == KLM_OK);
    for (size_t i = 0; i < shown.n; i++) {
        check(shown.p[i] >= ' ' && shown.p[i] != 0x7f);
    }
    klm_buf_done(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_buf out;
    struct con_run run = {.out = &out};
    char *text;

    if (size > 4096 || klm_pool_new(64u << 20, &run.pool) != KLM_OK) {
        return 0;
    }
    klm_buf_init(&out, 1u << 20);
    text = klm_pool_strn(run.pool, (const char *)data, size);
    try_racf(&run, text, size, 3);
    try_words(&run, text, size);
    try_shown(text, size);
    klm_buf_done(&out);
    klm_pool_free(&run.pool);
    return 0;
}
