/* Inside of cartridges: the header block of an encrypted file and the sealing of its data blocks
 * (CARTRIDGE.md, sections 3 and 4). */
#ifndef IOS_CARTRIDGE_BLOCK_H
#define IOS_CARTRIDGE_BLOCK_H

#include "base/buf.h"
#include "ios/cartridge.h"

#define IOS_CART_BLOCK_MAX                                                                         \
    32760                    /* what is written: the longest block that every access method reads */
#define IOS_CART_OVERHEAD 40 /* head and tag of a data block */
#define IOS_CART_CHUNK 32704 /* content of a full block, before compression */
#define IOS_CART_CHUNK_MAX 65495 /* what is read: 65,535 less the overhead */
#define IOS_CART_HEADER_MAX 2104
#define IOS_CART_SALT 32

enum ios_cart_compression { IOS_CART_STORED = 0, IOS_CART_ZSTD = 1 };

struct ios_cart_header {
    uint32_t chunk;
    uint8_t compression; /* ios_cart_compression */
    uint8_t salt[IOS_CART_SALT];
    struct klm_slice eedk[IOS_EEDKS];
    uint8_t eedk_n;
    bool by_id; /* a stored key, named by its identifier; no EEDKs */
    uint8_t key_id[IOS_KEY_ID];
};
/* KLM_E_LIMIT, KLM_E_INVALID. */
klm_rc ios_cart_header_encode(const struct ios_cart_header *header, struct klm_buf *out)
    KLM_MUST_USE;
/* KLM_E_INVALID: no header block; KLM_E_UNSUPPORTED: of a later version. Slices borrow from
 * block. */
klm_rc ios_cart_header_decode(struct klm_slice block, struct ios_cart_header *out) KLM_MUST_USE;

/* Cipher state of one file. */
struct ios_sealer;
/* block: the encoded header, whose hash goes into the key. The key is used and forgotten.
 * KLM_E_CRYPTO, KLM_E_NOMEM. */
klm_rc ios_sealer_new(struct klm_slice block, const uint8_t key[IOS_KEY_SIZE], bool sealing,
                      struct ios_sealer **out) KLM_MUST_USE;
void ios_sealer_free(struct ios_sealer **sealer);
/* One chunk as the next block: out has n + IOS_CART_OVERHEAD bytes of room. */
klm_rc ios_seal(struct ios_sealer *sealer, bool last, const uint8_t *plain, size_t n, uint8_t *out,
                size_t *out_n) KLM_MUST_USE;

enum ios_block_fault {
    IOS_BLOCK_GOOD,
    IOS_BLOCK_FORM,    /* cut, or no data block at all */
    IOS_BLOCK_FOREIGN, /* of another file */
    IOS_BLOCK_ORDER,   /* moved, dropped before, or repeated */
    IOS_BLOCK_TAG,     /* damaged, or another key */
    IOS_BLOCK_CONTENT, /* does not decompress to what it says */
};
struct ios_opened {
    size_t n; /* bytes of the chunk */
    bool last;
    uint64_t number; /* what the block calls itself, also when refused for its order */
};
/* The block expected next. out has the header's chunk size of room. Other outcomes than GOOD
 * leave out without content. */
enum ios_block_fault ios_open(struct ios_sealer *sealer, struct klm_slice block, uint8_t *out,
                              struct ios_opened *opened) KLM_MUST_USE;
/* Number of the next block. */
uint64_t ios_sealer_number(const struct ios_sealer *sealer);

#endif
