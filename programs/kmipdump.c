/* kmipdump: KMIP messages as text that anybody may see. */
#include "programs/program.h"

#include "base/file.h"
#include "kmip/codec/capture.h"
#include "kmip/codec/dump.h"
#include "kmip/codec/wiping.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "kmipdump"
#define INPUT_MAX (64u << 20)
#define TEXT_MAX (256u << 20)

static void print_head(const struct kmip_capture *capture, const struct kmip_node *message,
                       size_t length)
{
    int version;

    printf("Message %u, %zu bytes", capture->number, length);
    if (kmip_version_of(message, &version) == KLM_OK) {
        printf(", KMIP %d.%d", version / 16, version % 16);
    }
    putchar('\n');
}

static klm_rc print_message(struct kmip_capture *capture, struct klm_pool *pool)
{
    struct kmip_node *message;
    struct klm_buf text;
    size_t length;
    klm_rc rc;

    KLM_TRY(kmip_capture_next(capture, pool, &message, &length));
    print_head(capture, message, length);
    klm_buf_init_wiping(&text, TEXT_MAX);
    kmip_dump(message, pool, &text);
    rc = klm_buf_rc(&text);
    if (rc == KLM_OK && fwrite(text.p, 1, text.n, stdout) != text.n) {
        rc = KLM_E_IO;
    }
    klm_buf_done(&text);
    return rc;
}

/* Each message in a pool of its own, so that a long capture needs no more memory than its longest message. */
static klm_rc print_messages(struct kmip_capture *capture)
{
    struct klm_pool *pool;
    klm_rc rc = KLM_OK;

    while (rc == KLM_OK) {
        KLM_TRY(klm_pool_new_wiping(TEXT_MAX, &pool));
        rc = print_message(capture, pool);
        klm_pool_free(&pool);
    }
    return rc == KLM_E_NOTFOUND && capture->number > 0 ? KLM_OK : rc;
}

static klm_rc dump_file(const char *path, struct klm_diag *diag)
{
    struct kmip_capture capture = {0};
    struct klm_buf in, room;
    klm_rc rc;

    klm_buf_init_wiping(&in, INPUT_MAX);
    klm_buf_init_wiping(&room, INPUT_MAX);
    rc = klm_file_read(path, INPUT_MAX, &in, diag);
    if (rc == KLM_OK) {
        rc = kmip_capture_open(klm_buf_as_slice(&in), &room, &capture);
    }
    if (rc == KLM_OK) {
        rc = print_messages(&capture);
    }
    if (rc == KLM_E_IO && diag->msg == KLM_MSG_NONE) {
        rc = klm_fail(diag, rc, KLM_MSG_FILE_WRITE, "standard output", strerror(errno));
    } else if (rc != KLM_OK && diag->msg == KLM_MSG_NONE) {
        rc = klm_fail(diag, rc, KLM_MSG_KMIP_CAPTURE, path, KLM_NUM(capture.number),
                      KLM_NUM(capture.at), klm_rc_text(rc));
    }
    klm_buf_done(&room);
    klm_buf_done(&in);
    return rc;
}

static klm_rc dump_files(const char **files, struct klm_diag *diag)
{
    static const char *input[] = {"/dev/stdin", NULL};

    for (files = files && files[0] ? files : input; *files; files++) {
        KLM_TRY(dump_file(strcmp(*files, "-") == 0 ? input[0] : *files, diag));
    }
    return fflush(stdout) == 0
               ? KLM_OK
               : klm_fail(diag, KLM_E_IO, KLM_MSG_FILE_WRITE, "standard output", strerror(errno));
}

int main(int argc, const char **argv)
{
    const struct poptOption options[] = {
        {"version", 'V', POPT_ARG_NONE, NULL, 'V', "print the version", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx = poptGetContext(NAME, argc, argv, options, 0);
    struct klm_diag diag = {0};
    klm_rc rc = kmip_wiping_init();

    poptSetOtherOptionHelp(ctx, "[OPTION...] [FILE...]");
    program_options(ctx, NAME);
    if (rc == KLM_OK) {
        rc = dump_files(poptGetArgs(ctx), &diag);
    }
    poptFreeContext(ctx);
    return rc == KLM_OK ? EXIT_SUCCESS : program_failed(&diag, rc);
}
