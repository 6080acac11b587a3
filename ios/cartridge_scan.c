/* Reading a volume's labels: which files are complete, and where the next one goes
 * (CARTRIDGE.md, section 2). */
#include "ios/cartridge_volume.h"

#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 32 /* labels of one group */
#define FILES_STEP 64

struct scan {
    struct ios_cart *cart;
    struct ios_volume_file now; /* the file being looked at */
    const char *wrong;          /* what does not fit, in words */
    bool over;                  /* the recording ends within the file */
    uint8_t block[IOS_AWS_BLOCK_MAX];
    size_t n;
    enum ios_aws_kind kind;
    enum ios_label_kind label;
};

struct ios_volume_file *ios_volume_add(struct ios_cart *cart)
{
    if (cart->n == cart->cap) {
        struct ios_volume_file *more =
            realloc(cart->files, (cart->cap + FILES_STEP) * sizeof *more);
        if (!more) {
            return NULL;
        }
        cart->files = more;
        cart->cap += FILES_STEP;
    }
    return &cart->files[cart->n++];
}

/* What comes next on the tape. Anything that no tape holds is damage, not an error of reading. */
static klm_rc next(struct scan *s)
{
    klm_rc rc = ios_aws_read(s->cart->aws, s->block, &s->n, &s->kind);

    if (rc == KLM_E_CORRUPT || rc == KLM_E_LIMIT) {
        s->wrong = "a block header is damaged";
        return KLM_E_CORRUPT;
    }
    KLM_TRY(rc);
    if (s->kind == IOS_AWS_END || s->kind == IOS_AWS_TORN) {
        s->over = true;
        return KLM_E_SHORT;
    }
    s->label = s->kind == IOS_AWS_BLOCK ? ios_label_kind(s->block, s->n) : IOS_LABEL_NONE;
    return KLM_OK;
}

static klm_rc wrong(struct scan *s, const char *what)
{
    s->wrong = what;
    return KLM_E_CORRUPT;
}

/* The rest of a label group up to its tape mark; HDR2 is remembered. */
static klm_rc rest_of_group(struct scan *s)
{
    struct ios_label2 label;

    for (int i = 0; i < LABELS_MAX; i++) {
        KLM_TRY(next(s));
        if (s->kind == IOS_AWS_MARK) {
            return KLM_OK;
        }
        if (s->label == IOS_LABEL_HDR2 && ios_label_2_parse(s->block, &label) == KLM_OK) {
            memcpy(s->now.info.job, label.job, sizeof label.job);
            memcpy(s->now.info.step, label.step, sizeof label.step);
        } else if (s->label == IOS_LABEL_NONE) {
            return wrong(s, "a label group holds what is no label");
        }
    }
    return wrong(s, "a label group does not end");
}

static klm_rc header_group(struct scan *s)
{
    struct ios_label1 label;

    if (s->label != IOS_LABEL_HDR1 || ios_label_1_parse(s->block, &label) != KLM_OK) {
        return wrong(s, "HDR1 is missing or damaged");
    }
    if (label.fileseq != s->cart->n + 1) {
        return wrong(s, "HDR1 has another file sequence number");
    }
    memset(&s->now, 0, sizeof s->now);
    s->now.info.seq = label.fileseq;
    s->now.info.year = label.year;
    s->now.info.day = label.day;
    memcpy(s->now.info.dsname, label.dsname, sizeof label.dsname);
    return rest_of_group(s);
}

/* The data's blocks are stepped over. */
static klm_rc data_blocks(struct scan *s)
{
    klm_rc rc;

    s->now.data = ios_aws_tell(s->cart->aws);
    for (;;) {
        rc = ios_aws_skip(s->cart->aws, &s->n, &s->kind);
        if (rc == KLM_E_CORRUPT || rc == KLM_E_LIMIT) {
            return wrong(s, "a block header is damaged");
        }
        KLM_TRY(rc);
        if (s->kind == IOS_AWS_MARK) {
            return KLM_OK;
        }
        if (s->kind != IOS_AWS_BLOCK) {
            s->over = true;
            return KLM_E_SHORT;
        }
        s->now.info.blocks++;
    }
}

static klm_rc trailer_group(struct scan *s)
{
    struct ios_label1 label;

    KLM_TRY(next(s));
    if (s->label == IOS_LABEL_EOV1) {
        return wrong(s, "the file goes on on another volume");
    }
    if (s->label != IOS_LABEL_EOF1 || ios_label_1_parse(s->block, &label) != KLM_OK) {
        return wrong(s, "EOF1 is missing or damaged");
    }
    if (label.fileseq != s->now.info.seq || strcmp(label.dsname, s->now.info.dsname) != 0) {
        return wrong(s, "EOF1 is that of another file");
    }
    /* The block count is for people; each block proves its place itself. */
    return rest_of_group(s);
}

static klm_rc one_file(struct scan *s)
{
    KLM_TRY(header_group(s));
    KLM_TRY(data_blocks(s));
    KLM_TRY(trailer_group(s));
    struct ios_volume_file *file = ios_volume_add(s->cart);
    if (!file) {
        return KLM_E_NOMEM;
    }
    *file = s->now;
    s->cart->append = ios_aws_tell(s->cart->aws);
    return KLM_OK;
}

/* Files up to the second tape mark. KLM_E_SHORT when the recording ends without one. */
static klm_rc all_files(struct scan *s)
{
    for (;;) {
        KLM_TRY(next(s));
        if (s->kind == IOS_AWS_MARK) {
            return KLM_OK;
        }
        if (s->cart->n == 0 && s->label == IOS_LABEL_HDR1 && ios_label_is_dummy(s->block)) {
            return rest_of_group(s); /* initialised, never written: nothing counts behind it */
        }
        if (s->cart->n == IOS_FILESEQ_MAX) {
            return wrong(s, "it holds more files than can be numbered");
        }
        KLM_TRY(one_file(s));
    }
}

static klm_rc volume_label(struct scan *s, struct klm_diag *diag)
{
    struct ios_cart *cart = s->cart;
    klm_rc rc = next(s);

    if (rc == KLM_E_CORRUPT || rc == KLM_E_SHORT) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_CART_NOT_AWS, cart->path,
                        s->wrong ? s->wrong : "it is empty or cut within its first block");
    }
    KLM_TRY(rc);
    if (s->label == IOS_LABEL_ASCII) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_CART_FOREIGN, cart->path,
                        "its labels are ASCII");
    }
    if (s->label != IOS_LABEL_VOL1 || ios_label_vol1_parse(s->block, cart->volser) != KLM_OK) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_CART_FOREIGN, cart->path,
                        "its first block is no VOL1 label with a volume serial number");
    }
    cart->append = ios_aws_tell(cart->aws);
    return KLM_OK;
}

klm_rc ios_volume_scan(struct ios_cart *cart, struct klm_diag *diag)
{
    struct scan *s = calloc(1, sizeof *s);

    if (!s) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, cart->path);
    }
    s->cart = cart;
    klm_rc rc = volume_label(s, diag);
    if (rc == KLM_OK) {
        rc = all_files(s);
        if (rc == KLM_E_CORRUPT) {
            cart->damaged = true;
            rc = klm_fail(&cart->note, KLM_OK, KLM_MSG_CART_DAMAGED, cart->volser, KLM_NUM(cart->n),
                          s->wrong);
        } else if (rc == KLM_E_SHORT && s->over) {
            rc = klm_fail(&cart->note, KLM_OK, KLM_MSG_CART_INTERRUPTED, cart->volser,
                          KLM_NUM(cart->n + 1));
        } else if (rc != KLM_OK) {
            rc = klm_fail(diag, rc, KLM_MSG_FILE_READ, cart->path, klm_rc_text(rc));
        }
    }
    free(s);
    return rc;
}
