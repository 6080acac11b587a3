/* Jobs on cartridges. */
#include "ios/ops.h"

#include "base/file.h"
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE 65536

/* ---- Mounting */

static klm_rc open_or_create(const struct ios_write *write, struct klm_diag *diag,
                             struct ios_cart **out, bool *made)
{
    if (access(write->path, F_OK) != 0 && errno == ENOENT) {
        KLM_TRY(ios_cart_create(write->path, write->volser, diag));
        *made = true;
    }
    return ios_cart_open(write->path, IOS_CART_WRITE, diag, out);
}

klm_rc ios_op_mount(const struct ios_write *write, struct klm_diag *diag, struct ios_cart **out,
                    bool *made)
{
    KLM_AUTO(ios_cart_free) struct ios_cart *cart = NULL;
    const char *volser;
    size_t files;

    *made = false;
    KLM_TRY(open_or_create(write, diag, &cart, made));
    volser = ios_cart_volser(cart);
    files = ios_cart_files(cart);
    if (write->volser[0] && strcmp(write->volser, volser)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_IOS_OTHER_VOLUME, write->path, volser,
                        write->volser);
    }
    if (files && !write->append) {
        return klm_fail(diag, KLM_E_EXISTS, KLM_MSG_IOS_HAS_FILES, volser, KLM_NUM(files));
    }
    *out = cart;
    cart = NULL;
    return KLM_OK;
}

/* ---- Writing */

static klm_rc copy_in(struct ios_file *file, int fd, const char *name, uint8_t *piece,
                      struct klm_diag *diag)
{
    for (;;) {
        ssize_t n = read(fd, piece, PIECE);

        if (n > 0) {
            KLM_TRY(ios_file_write(file, piece, (size_t)n, diag));
        } else if (n == 0) {
            return KLM_OK;
        } else if (errno != EINTR) {
            char why[128];

            return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_READ, name,
                            strerror_r(errno, why, sizeof why));
        }
    }
}

static klm_rc write_content(struct ios_file *file, int fd, const char *name, struct klm_diag *diag)
{
    uint8_t *piece = malloc(PIECE);
    klm_rc rc;

    if (!piece) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, name);
    }
    rc = copy_in(file, fd, name, piece, diag);
    klm_wipe(piece, PIECE);
    free(piece);
    return rc;
}

static klm_rc ask_key(const struct ios_cart *cart, const struct ios_write *write,
                      struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag,
                      struct ios_keyed **out)
{
    struct kx_create create = {.labels_n = write->labels_n};
    struct kx_stored_create stored;

    if (write->by_id) {
        snprintf(stored.volser, sizeof stored.volser, "%s", ios_cart_volser(cart));
        return ios_hosts_ask(
            hosts, &(struct ios_request){.type = KX_STORED_CREATE, .u.stored_create = &stored},
            fault, diag, out);
    }
    snprintf(create.volser, sizeof create.volser, "%s", ios_cart_volser(cart));
    memcpy(create.labels, write->labels, sizeof create.labels);
    return ios_hosts_ask(hosts, &(struct ios_request){.type = KX_CREATE, .u.create = &create},
                         fault, diag, out);
}

static klm_rc begin(struct ios_cart *cart, const struct ios_write *write,
                    const struct ios_keyed *keyed, struct klm_diag *diag, struct ios_file **out)
{
    struct ios_file_key key = {.key = keyed->key,
                               .eedk_n = keyed->eedk_n,
                               .key_id = keyed->by_id ? keyed->key_id : NULL,
                               .stored = write->stored,
                               .job = write->job,
                               .step = write->step};

    memcpy(key.eedk, keyed->eedk, sizeof key.eedk);
    return ios_file_begin_write(cart, write->dsname, &key, diag, out);
}

klm_rc ios_op_write(struct ios_cart *cart, const struct ios_write *write, struct ios_hosts *hosts,
                    int fd, const char *name, struct ios_written *out, struct ios_fault *fault,
                    struct klm_diag *diag)
{
    KLM_AUTO(ios_keyed_free) struct ios_keyed *keyed = NULL;
    KLM_AUTO(ios_file_free) struct ios_file *file = NULL;
    struct ios_written written = {0};

    KLM_TRY(ask_key(cart, write, hosts, fault, diag, &keyed));
    KLM_TRY(begin(cart, write, keyed, diag, &file));
    written.labels_n = keyed->labels_n;
    memcpy(written.labels, keyed->labels, sizeof written.labels);
    ios_keyed_free(&keyed); /* the cipher has what it needs */
    KLM_TRY(write_content(file, fd, name, diag));
    KLM_TRY(ios_file_close(&file, &written.info, diag));
    *out = written;
    return KLM_OK;
}

/* ---- Reading */

static klm_rc copy_out(struct ios_file *file, int fd, const char *name, uint8_t *piece,
                       uint64_t *given, struct klm_diag *diag)
{
    for (size_t n = 1; n;) {
        klm_rc rc;

        n = 0;
        KLM_TRY(ios_file_read(file, piece, PIECE, &n, diag));
        rc = klm_write_all(fd, piece, n);
        if (rc != KLM_OK) {
            return klm_fail(diag, rc, KLM_MSG_FILE_WRITE, name, klm_rc_text(rc));
        }
        *given += n;
    }
    return KLM_OK;
}

static klm_rc read_content(struct ios_file *file, int fd, const char *name, uint64_t *given,
                           struct klm_diag *diag)
{
    uint8_t *piece = malloc(PIECE);
    klm_rc rc;

    if (!piece) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, name);
    }
    rc = copy_out(file, fd, name, piece, given, diag);
    klm_wipe(piece, PIECE);
    free(piece);
    return rc;
}

static struct kx_get get_of(const struct ios_cart *cart, const struct ios_file *file)
{
    struct kx_get get = {0};

    get.eedk_n = (uint8_t)ios_file_eedks(file, get.eedk);
    snprintf(get.volser, sizeof get.volser, "%s", ios_cart_volser(cart));
    return get;
}

/* The key that a file was written with: by its EEDKs, or by the identifier of a stored key. */
static klm_rc ask_read(const struct ios_cart *cart, const struct ios_file *file,
                       struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag,
                       struct ios_keyed **out)
{
    const struct kx_get get = get_of(cart, file);
    struct kx_stored_get stored = {0};
    struct ios_request request = {.type = KX_GET, .u.get = &get};

    if (ios_file_key_id(file, stored.key_id)) {
        memcpy(stored.volser, get.volser, sizeof stored.volser);
        request = (struct ios_request){.type = KX_STORED_GET, .u.stored_get = &stored};
    }
    return ios_hosts_ask(hosts, &request, fault, diag, out);
}

klm_rc ios_op_read(struct ios_cart *cart, unsigned seq, struct ios_hosts *hosts, int fd,
                   const char *name, uint64_t *given, struct ios_fault *fault,
                   struct klm_diag *diag)
{
    KLM_AUTO(ios_keyed_free) struct ios_keyed *keyed = NULL;
    KLM_AUTO(ios_file_free) struct ios_file *file = NULL;

    *given = 0;
    KLM_TRY(ios_file_open_read(cart, seq, diag, &file));
    KLM_TRY(ask_read(cart, file, hosts, fault, diag, &keyed));
    KLM_TRY(ios_file_set_key(file, keyed->key));
    ios_keyed_free(&keyed);
    return read_content(file, fd, name, given, diag);
}

klm_rc ios_op_translate(struct ios_cart *cart, unsigned seq, struct ios_hosts *hosts,
                        const struct kx_label *labels, uint8_t labels_n, struct ios_keyed **out,
                        struct ios_fault *fault, struct klm_diag *diag)
{
    KLM_AUTO(ios_file_free) struct ios_file *file = NULL;
    struct kx_translate translate = {.labels_n = labels_n};
    uint8_t key_id[IOS_KEY_ID];

    KLM_TRY(ios_file_open_read(cart, seq, diag, &file));
    if (ios_file_key_id(file, key_id)) {
        return klm_fail(diag, KLM_E_UNSUPPORTED, KLM_MSG_IOS_NO_EEDK, KLM_NUM(seq),
                        ios_cart_volser(cart));
    }
    translate.old = get_of(cart, file);
    memcpy(translate.labels, labels, labels_n * sizeof *labels);
    return ios_hosts_ask(hosts,
                         &(struct ios_request){.type = KX_TRANSLATE, .u.translate = &translate},
                         fault, diag, out);
}

/* ---- Listing */

static void list_eedk(struct klm_slice bytes, struct klm_buf *out)
{
    struct kx_eedk eedk;
    char hash[65];

    if (kx_eedk_decode(bytes, &eedk) != KLM_OK) {
        klm_buf_text(out, " ?:?");
    } else if (eedk.encoding == KX_ENC_LABEL) {
        klm_buf_printf(out, " L:%s", eedk.label);
    } else {
        klm_hex(eedk.hash, sizeof eedk.hash, hash);
        klm_buf_printf(out, " H:%s", hash);
    }
}

static klm_rc list_keys(struct ios_cart *cart, unsigned seq, struct klm_buf *out)
{
    KLM_AUTO(ios_file_free) struct ios_file *file = NULL;
    struct klm_slice eedk[IOS_EEDKS];
    uint8_t key_id[IOS_KEY_ID];
    char hex[2 * IOS_KEY_ID + 1];
    klm_rc rc = ios_file_open_read(cart, seq, NULL, &file);
    size_t n = rc == KLM_OK ? ios_file_eedks(file, eedk) : 0;

    if (rc != KLM_OK) {
        klm_buf_text(out, " not readable here");
    }
    for (size_t i = 0; i < n; i++) {
        list_eedk(eedk[i], out);
    }
    if (rc == KLM_OK && ios_file_key_id(file, key_id)) {
        klm_hex(key_id, sizeof key_id, hex);
        klm_buf_printf(out, " DKI:%s", hex);
    }
    return rc == KLM_E_UNSUPPORTED ? KLM_OK : rc; /* a file of another program is no damage */
}

klm_rc ios_op_list(struct ios_cart *cart, struct klm_buf *out)
{
    klm_rc rc = KLM_OK;

    klm_buf_printf(out, "VOLUME %s, %zu files\n", ios_cart_volser(cart), ios_cart_files(cart));
    if (ios_cart_files(cart)) {
        klm_buf_text(out,
                     " SEQ DATA SET NAME     CREATED  JOB      STEP         BLOCKS KEY LABELS\n");
    }
    for (size_t i = 0; i < ios_cart_files(cart); i++) {
        const struct ios_file_info *info = ios_cart_file(cart, i);
        klm_rc one;

        klm_buf_printf(out, "%4u %-17s %04u.%03u %-8s %-8s %10llu", info->seq, info->dsname,
                       info->year, info->day, info->job, info->step,
                       (unsigned long long)info->blocks);
        one = list_keys(cart, info->seq, out);
        klm_buf_text(out, "\n");
        rc = rc == KLM_OK ? one : rc;
    }
    KLM_TRY(klm_buf_rc(out));
    return rc;
}
