/* The helper's threads: each takes requests from its channel and answers them, until the server closes it. */
#include "keyring/p11/helper/hp.h"
#include "keyring/p11/helper/pk.h"

#include "base/msg.h"
#include "base/secret.h"
#include "keyring/p11/spawner.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_CHANNEL 3
#define SECRET_BYTES (1u << 20)
#define STACK_BYTES (1u << 20)

static struct {
    struct pk_module module;
    struct pk_token token;
    pthread_mutex_t
        lock; /* guards the token's login, and the library when it takes one caller at a time */
} helper = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct channel {
    pthread_t thread;
    int fd;
    struct pk_session session;
    struct ck_token_info info; /* of a login, while its answer is sent */
    uint8_t *in, *out;         /* P11_MSG_MAX bytes of secret memory each */
};

static const struct {
    enum p11_op op;
    pk_request_fn *run;
} requests[] = {{P11_PING, pk_ping},         {P11_AES_MAKE, pk_aes_make},
                {P11_AES_LOOK, pk_aes_look}, {P11_SEAL, pk_seal},
                {P11_UNSEAL, pk_unseal},     {P11_PAIR_MAKE, pk_pair_make},
                {P11_DECRYPT, pk_decrypt},   {P11_DERIVE, pk_derive},
                {P11_SIGN, pk_sign},         {P11_REMOVE, pk_remove_request}};

static struct pk_end run(struct channel *channel, const struct p11_msg *request, size_t *n)
{
    PK_TRY(pk_session_open(&channel->session));
    for (size_t i = 0; i < KLM_COUNT(requests); i++) {
        if (requests[i].op == request->op) {
            struct pk_end end = requests[i].run(&channel->session, request, channel->out, n);

            if (end.rv == CKR_KEY_HANDLE_INVALID || end.rv == CKR_OBJECT_HANDLE_INVALID) {
                pk_session_forget(
                    &channel->session); /* somebody removed or renewed it: found anew */
                end = requests[i].run(&channel->session, request, channel->out, n);
            }
            return end;
        }
    }
    return pk_ours(P11_BAD_REQUEST);
}

static struct pk_end answer_login(struct channel *channel, const struct p11_msg *request,
                                  struct p11_msg *answer)
{
    return pk_login(&helper.token, request, &channel->info, answer);
}

/* A login changes what all sessions share; without locks of its own the library is called by one at a time. */
static struct pk_end answer_request(struct channel *channel, const struct p11_msg *request,
                                    struct p11_msg *answer)
{
    bool login = request->op == P11_LOGIN, alone = login || !helper.module.threads;
    struct pk_end end;
    size_t n = 0;

    if (alone) {
        pthread_mutex_lock(&helper.lock);
    }
    end = login ? answer_login(channel, request, answer) : run(channel, request, &n);
    if (alone) {
        pthread_mutex_unlock(&helper.lock);
    }
    if (end.outcome == P11_OK && n > 0) {
        p11_msg_set(answer, P11_F_DATA, KLM_SLICE(channel->out, n));
    }
    return end;
}

static void send_answer(const struct channel *channel, struct p11_msg *answer)
{
    struct klm_buf buf;

    klm_buf_init_wiping(&buf, P11_MSG_MAX);
    if (p11_msg_encode(answer, &buf) != KLM_OK) { /* what the library gave fits no message */
        klm_buf_clear(&buf);
        *answer = (struct p11_msg){
            .answer = true, .op = answer->op, .id = answer->id, .outcome = P11_FAILED};
        KLM_IGNORE(p11_msg_encode(answer, &buf)); /* a bare failure is always well formed */
    }
    (void)send(channel->fd, buf.p, buf.n,
               MSG_NOSIGNAL); /* when it is closed, the next receive tells */
    klm_buf_done(&buf);
}

/* A message that is none cannot be answered: the sender is not the server we know. */
static bool serve_one(struct channel *channel, size_t n)
{
    struct p11_msg request, answer = {.answer = true};
    struct pk_end end;

    if (p11_msg_decode(KLM_SLICE(channel->in, n), &request) != KLM_OK || request.answer) {
        return false;
    }
    answer.op = request.op;
    answer.id = request.id;
    end = answer_request(channel, &request, &answer);
    answer.outcome = end.outcome;
    answer.rv = end.outcome == P11_OK ? 0 : (uint32_t)end.rv;
    if (end.outcome != P11_OK) {
        answer.has = 0;
    }
    send_answer(channel, &answer);
    klm_wipe(channel->in, P11_MSG_MAX);
    klm_wipe(channel->out, P11_MSG_MAX);
    return true;
}

/* The first channel that ends, ends the process: the server closes all of them together. */
static void *channel_main(void *arg)
{
    struct channel *channel = arg;

    for (;;) {
        ssize_t n = recv(channel->fd, channel->in, P11_MSG_MAX, MSG_TRUNC);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 || n > P11_MSG_MAX || !serve_one(channel, (size_t)n)) {
            break;
        }
    }
    pthread_mutex_lock(&helper.lock); /* for good */
    pk_module_close(&helper.module);
    _exit(EXIT_SUCCESS);
}

static klm_rc start_channel(struct channel *channel, unsigned number)
{
    pthread_attr_t attr;
    int err;

    channel->fd = FIRST_CHANNEL + (int)number;
    channel->session.token = &helper.token;
    channel->in = klm_secret_alloc(P11_MSG_MAX);
    channel->out = klm_secret_alloc(P11_MSG_MAX);
    if (!channel->in || !channel->out) {
        return KLM_E_NOMEM;
    }
    pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES); /* else it is the usual one */
    err = pthread_create(&channel->thread, &attr, channel_main, channel);
    pthread_attr_destroy(&attr);
    return err ? klm_rc_errno(err) : KLM_OK;
}

static klm_rc serve(unsigned n)
{
    static struct channel channels[P11_CHANNELS_MAX];

    for (unsigned i = 0; i < n; i++) {
        KLM_TRY(start_channel(&channels[i], i));
    }
    (void)pthread_join(channels[0].thread, NULL); /* does not return: the thread ends the process */
    return KLM_OK;
}

static klm_rc start(const struct hp_options *options)
{
    KLM_TRY(klm_secret_init(SECRET_BYTES));
    KLM_TRY(hp_sandbox(options->network));
    KLM_TRY(pk_module_open(options->library, &helper.module));
    helper.token.module = &helper.module;
    return serve(options->channels);
}

int hp_run(const struct hp_options *options)
{
    klm_rc rc;

    if (options->channels == 0 || options->channels > P11_CHANNELS_MAX) {
        return EXIT_FAILURE;
    }
    rc = start(options);
    if (rc != KLM_OK && rc != KLM_E_INVALID) {
        klm_say(KLM_MSG_P11_SANDBOX, klm_rc_text(rc));
    }
    return EXIT_FAILURE;
}
