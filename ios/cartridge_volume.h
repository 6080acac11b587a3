/* Inside of cartridges: what the files of this part share. */
#ifndef IOS_CARTRIDGE_VOLUME_H
#define IOS_CARTRIDGE_VOLUME_H

#include "ios/awstape.h"
#include "ios/cartridge.h"
#include "ios/cartridge_block.h"
#include "ios/labels.h"

/* A complete file and where its first block is. */
struct ios_volume_file {
    struct ios_file_info info;
    struct ios_aws_pos data;
};

struct ios_cart {
    struct ios_aws *aws;
    char *path;
    char volser[7];
    enum ios_cart_mode mode;
    struct ios_volume_file *files;
    size_t n, cap;
    struct ios_aws_pos append; /* where the next file's HDR1 goes */
    bool damaged;              /* labels make no sense behind the files: never write there */
    struct klm_diag note;
    struct ios_file *open; /* the one file that is open */
};

struct ios_file {
    struct ios_cart *cart;
    struct ios_volume_file file;
    struct klm_buf header; /* header block as it is on the tape */
    struct klm_slice eedk[IOS_EEDKS];
    uint8_t eedk_n;
    bool by_id; /* a stored key instead */
    uint8_t key_id[IOS_KEY_ID];
    struct ios_sealer *sealer; /* NULL until the key is set */
    bool writing;
    bool done;      /* reading: the last block is here; writing: synced */
    klm_rc failed;  /* first failure, for good */
    uint8_t *chunk; /* one chunk in clear, wiped at the end */
    size_t chunk_size, chunk_n, chunk_at;
    uint8_t block[IOS_AWS_BLOCK_MAX];
};

/* Fills cart from the labels on the tape. KLM_E_INVALID with a message when it is no labelled
 * volume. */
klm_rc ios_volume_scan(struct ios_cart *cart, struct klm_diag *diag) KLM_MUST_USE;
/* Room for one more file, NULL without memory. */
struct ios_volume_file *ios_volume_add(struct ios_cart *cart);

/* A new file object, the one that is open on the cartridge. KLM_E_STATE when there is one
 * already. */
klm_rc ios_file_new(struct ios_cart *cart, struct ios_file **out) KLM_MUST_USE;
void ios_file_done(struct ios_file **file);
/* Room for one chunk. */
klm_rc ios_file_room(struct ios_file *file, size_t size) KLM_MUST_USE;
/* A file that is being written, off the tape again: the volume ends as it did before. */
void ios_file_take_off(struct ios_file *file);
klm_rc ios_file_finish(struct ios_file *file, struct klm_diag *diag) KLM_MUST_USE;

/* Cartridge memory after the open file was written as the last of the volume. */
klm_rc ios_cm_update(struct ios_cart *cart, struct klm_diag *diag) KLM_MUST_USE;
/* Compare the memory with the volume and make it anew when it differs; messages are said,
 * nothing fails. */
void ios_cm_check(struct ios_cart *cart);
/* The header block of a file from the memory. */
klm_rc ios_cm_header(const struct ios_cart *cart, unsigned seq, struct klm_buf *out) KLM_MUST_USE;

#endif
