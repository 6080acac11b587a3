/* Writing and reading a file of a cartridge with a key from a key manager: what a job does when its DD is encrypted. */
#ifndef IOS_OPS_H
#define IOS_OPS_H

#include "ios/cartridge.h"
#include "ios/display.h"
#include "ios/hosts.h"

struct ios_write {
    const char *path;   /* of the cartridge */
    const char *volser; /* "": that of the cartridge, which must exist then */
    const char *dsname, *job, *step;
    bool append; /* the cartridge may hold files already */
    bool stored; /* do not compress */
    bool by_id;  /* an LTO drive: the key is a stored one, named by its identifier */
    struct kx_label labels[KX_EEDKS];
    uint8_t labels_n; /* 0: the drive's aliases or the key manager's defaults */
};

/* What was written, for IEC205I. */
struct ios_written {
    struct ios_file_info info;
    struct kx_label labels[KX_EEDKS]; /* really used */
    uint8_t labels_n;
};

/* Mount the cartridge for writing; one that is missing is initialised (*made). KLM_E_INVALID: another volume serial; KLM_E_EXISTS: it holds files
 * and append was not asked for. */
klm_rc ios_op_mount(const struct ios_write *write, struct klm_diag *diag, struct ios_cart **out,
                    bool *made) KLM_MUST_USE;
/* One file from fd (name is for messages): a new key, then the content, then labels; durable when this returns KLM_OK. fault->error.code or
 * KLM_MSG_IOS_NONE_ANSWERS in diag tell a failure of the key exchange. The tape is as before when it fails. */
klm_rc ios_op_write(struct ios_cart *cart, const struct ios_write *write, struct ios_hosts *hosts,
                    int fd, const char *name, struct ios_written *out, struct ios_fault *fault,
                    struct klm_diag *diag) KLM_MUST_USE;
/* One file to fd. Bytes are given out as their blocks are authenticated; after a failure *given tells how many were. */
klm_rc ios_op_read(struct ios_cart *cart, unsigned seq, struct ios_hosts *hosts, int fd,
                   const char *name, uint64_t *given, struct ios_fault *fault,
                   struct klm_diag *diag) KLM_MUST_USE;
/* EEDKs of a file for other labels. The cartridge is not changed: its header block is bound into the encryption of the data (CARTRIDGE.md, 4). */
klm_rc ios_op_translate(struct ios_cart *cart, unsigned seq, struct ios_hosts *hosts,
                        const struct kx_label *labels, uint8_t labels_n, struct ios_keyed **out,
                        struct ios_fault *fault, struct klm_diag *diag) KLM_MUST_USE;
/* Volume and files, with their key labels. KLM_E_CORRUPT when a header block cannot be read; the list is complete even so. */
klm_rc ios_op_list(struct ios_cart *cart, struct klm_buf *out) KLM_MUST_USE;

#endif
