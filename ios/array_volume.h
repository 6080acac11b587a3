/* A volume of an array: one file, an image encrypted block by block under a key of its own (ARRAY.md, section 3). A write replaces the volume as a whole;
 * memory does not depend on its length. */
#ifndef IOS_ARRAY_VOLUME_H
#define IOS_ARRAY_VOLUME_H

#include "ios/array.h"

#define IOS_VOLUME_NAME 16
#define IOS_VOLUME_HEADER 130
#define IOS_VOLUME_BLOCK 65536 /* bytes of content in a block */
#define IOS_VOLUME_TAG 16

/* Whose volumes they are, and the key they are under. */
struct ios_volume_keys {
    const char *dir; /* of the array; volumes are in its folder "volumes" */
    const char *serial, *group;
    const uint8_t *group_key;
};

struct ios_volume_header {
    char serial[13], group[7], name[IOS_VOLUME_NAME + 1];
    klm_time written;
    uint8_t salt[IOS_ARRAY_SALT], wrapped[IOS_WRAPPED];
};
/* KLM_E_INVALID. Exactly IOS_VOLUME_HEADER bytes. */
klm_rc ios_volume_header_encode(const struct ios_volume_header *header, struct klm_buf *out)
    KLM_MUST_USE;
/* KLM_E_INVALID: no volume; KLM_E_UNSUPPORTED: of a later version. */
klm_rc ios_volume_header_decode(struct klm_slice in, struct ios_volume_header *out) KLM_MUST_USE;

/* 1 to 16 capital letters, digits, and _ - $ # @. KLM_E_INVALID with a message. */
klm_rc ios_volume_name(const char *name, struct klm_diag *diag) KLM_MUST_USE;
/* All of fd as the volume: temporary name, sync, rename. *bytes is what it holds; the volume before stands when it fails. */
klm_rc ios_volume_write(const struct ios_volume_keys *keys, const char *name, int fd,
                        uint64_t *bytes, struct klm_diag *diag) KLM_MUST_USE;
/* The volume to fd, each block after it was authenticated; *bytes tells how many were given out, also after a failure. KLM_E_NOTFOUND, KLM_E_WRONGKEY,
 * KLM_E_CORRUPT with a message that names the block. */
klm_rc ios_volume_read(const struct ios_volume_keys *keys, const char *name, int fd,
                       uint64_t *bytes, struct klm_diag *diag) KLM_MUST_USE;

#endif
