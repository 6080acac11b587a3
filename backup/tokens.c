/* Batches of tokens go round a ring. Whoever is free takes the oldest that nobody has begun: the thread at once, the caller when it needs one of them. */
#include "backup/tokens.h"

#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RING 4
#define TOKENS 256         /* of a batch, at most: some hundred microseconds of work */
#define BYTES (256u << 10) /* the same, of tokens that are long */

enum stage { EMPTY, FULL, BEGUN, DONE };

struct token {
    size_t label, in, out; /* bytes of each */
    klm_rc how;
    uint8_t form;
};

struct batch {
    enum stage stage; /* under the lock */
    size_t n;
    struct token token[TOKENS];
    struct klm_buf in, out; /* labels and tokens as they came; tokens as they go */
};

struct bk_tokens {
    bk_token_fn *put;
    void *arg;
    struct kr_rewrap *mine, *its; /* the caller's and the thread's */
    struct batch batch[RING];
    size_t first,
        next; /* the oldest, and the one being filled: counts since the beginning, the caller's */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards stages and what follows */
    pthread_cond_t turned;
    bool stop;
};

static struct batch *at(struct bk_tokens *t, size_t number)
{
    return &t->batch[number % RING];
}

/* ---- Work on a batch */

static void rewrap(struct kr_rewrap *by, struct token *token, struct klm_slice label,
                   struct klm_slice in, struct klm_buf *out)
{
    char name[KR_TOKEN_LABEL_MAX + 1];
    const size_t before = out->n;

    if (kr_token_refers(in)) {
        token->form = BK_REFERENCE;
        klm_buf_slice(out, in);
        token->how = klm_buf_rc(out);
        return;
    }
    token->form = BK_TOKEN;
    if (label.n > KR_TOKEN_LABEL_MAX) {
        token->how = KLM_E_CORRUPT;
        return;
    }
    memcpy(name, label.p, label.n);
    name[label.n] = '\0';
    token->how = kr_rewrap_token(by, name, in, out);
    if (token->how == KLM_OK && out->n - before > ST_RECORD_MAX) {
        token->how = KLM_E_LIMIT;
    }
    out->n = token->how == KLM_OK ? out->n : before;
}

static void work(struct kr_rewrap *by, struct batch *batch)
{
    const uint8_t *p = batch->in.p;

    for (size_t i = 0; i < batch->n; i++) {
        struct token *token = &batch->token[i];
        const size_t before = batch->out.n;

        rewrap(by, token, KLM_SLICE(p, token->label), KLM_SLICE(p + token->label, token->in),
               &batch->out);
        token->out = batch->out.n - before;
        p += token->label + token->in;
    }
}

/* The oldest that nobody has begun, under the lock; NULL: none. Numbers change under the caller's hands alone, so it looks at stages. */
static struct batch *unbegun(struct bk_tokens *t)
{
    for (size_t i = 0; i < RING; i++) {
        struct batch *batch = at(t, t->first + i);

        if (batch->stage == FULL) {
            return batch;
        }
    }
    return NULL;
}

/* Under the lock, which is open meanwhile. */
static void begin(struct bk_tokens *t, struct kr_rewrap *by, struct batch *batch)
{
    batch->stage = BEGUN;
    pthread_mutex_unlock(&t->lock);
    work(by, batch);
    pthread_mutex_lock(&t->lock);
    batch->stage = DONE;
    pthread_cond_signal(&t->turned);
}

static void *work_beside(void *arg)
{
    struct bk_tokens *t = arg;

    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        struct batch *batch = unbegun(t);

        if (batch) {
            begin(t, t->its, batch);
        } else {
            pthread_cond_wait(&t->turned, &t->lock);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* ---- The caller */

void bk_tokens_free(struct bk_tokens **tokens)
{
    struct bk_tokens *t = *tokens;

    *tokens = NULL;
    if (!t) {
        return;
    }
    if (t->running) {
        pthread_mutex_lock(&t->lock);
        t->stop = true;
        pthread_cond_signal(&t->turned);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
    }
    for (size_t i = 0; i < RING; i++) {
        klm_buf_done(&t->batch[i].in);
        klm_buf_done(&t->batch[i].out);
    }
    kr_rewrap_free(&t->mine);
    kr_rewrap_free(&t->its);
    pthread_cond_destroy(&t->turned);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

klm_rc bk_tokens_new(const struct kr_master *from, const struct kr_master *to, bk_token_fn *put,
                     void *arg, struct bk_tokens **out)
{
    KLM_AUTO(bk_tokens_free) struct bk_tokens *made = calloc(1, sizeof *made);

    if (!made) {
        return KLM_E_NOMEM;
    }
    made->put = put;
    made->arg = arg;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->turned, NULL);
    for (size_t i = 0; i < RING; i++) {
        klm_buf_init(&made->batch[i].in, BYTES + ST_KEY_MAX + ST_RECORD_MAX);
        klm_buf_init(&made->batch[i].out, (size_t)(TOKENS + 1) * ST_RECORD_MAX);
    }
    KLM_TRY(kr_rewrap_new(from, to, &made->mine));
    KLM_TRY(kr_rewrap_new(from, to, &made->its));
    KLM_TRY(klm_thread_start(&made->thread, "backup tokens", work_beside, made));
    made->running = true;
    *out = made;
    made = NULL;
    return KLM_OK;
}

static klm_rc put_all(struct bk_tokens *t, const struct batch *batch)
{
    const uint8_t *in = batch->in.p, *out = batch->out.p;

    for (size_t i = 0; i < batch->n; i++) {
        const struct token *token = &batch->token[i];
        const struct bk_record record = {KLM_SLICE(in, token->label), KLM_SLICE(out, token->out),
                                         token->form};

        KLM_TRY(t->put(t->arg, &record, token->how));
        in += token->label + token->in;
        out += token->out;
    }
    return KLM_OK;
}

/* The oldest batch comes out. While the thread is at it, the caller does a later one. */
static klm_rc retire(struct bk_tokens *t)
{
    struct batch *oldest = at(t, t->first);
    klm_rc rc;

    pthread_mutex_lock(&t->lock);
    while (oldest->stage != DONE) {
        struct batch *other = unbegun(t);

        if (other) {
            begin(t, t->mine, other);
        } else {
            pthread_cond_wait(&t->turned, &t->lock);
        }
    }
    pthread_mutex_unlock(&t->lock);
    rc = put_all(t, oldest);
    klm_buf_clear(&oldest->in);
    klm_buf_clear(&oldest->out);
    oldest->n = 0;
    pthread_mutex_lock(&t->lock);
    oldest->stage = EMPTY;
    t->first++;
    pthread_mutex_unlock(&t->lock);
    return rc;
}

/* The batch being filled is full enough; the next place of the ring is made empty. */
static klm_rc next(struct bk_tokens *t)
{
    pthread_mutex_lock(&t->lock);
    at(t, t->next)->stage = FULL;
    pthread_cond_signal(&t->turned);
    pthread_mutex_unlock(&t->lock);
    t->next++;
    return t->next - t->first == RING ? retire(t) : KLM_OK;
}

klm_rc bk_tokens_add(struct bk_tokens *t, struct klm_slice label, struct klm_slice token)
{
    struct batch *batch = at(t, t->next);

    klm_buf_slice(&batch->in, label);
    klm_buf_slice(&batch->in, token);
    KLM_TRY(klm_buf_rc(&batch->in));
    batch->token[batch->n++] = (struct token){.label = label.n, .in = token.n};
    return batch->n == TOKENS || batch->in.n >= BYTES ? next(t) : KLM_OK;
}

klm_rc bk_tokens_flush(struct bk_tokens *t)
{
    klm_rc rc = at(t, t->next)->n ? next(t) : KLM_OK;

    while (rc == KLM_OK && t->first != t->next) {
        rc = retire(t);
    }
    return rc;
}
