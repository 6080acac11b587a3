/* Bytes of a backup (BACKUP.md): header, items of the stream inside, manifest. Encoding and decoding only; no files here. */
#ifndef BACKUP_FORMAT_H
#define BACKUP_FORMAT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/msg.h"
#include "keyring/backup.h"

#define BK_FORMAT 1 /* version that this build writes, and the highest that it reads */
#define BK_ID 16
#define BK_HASH 32
#define BK_HEADER_LEAST 16
#define BK_HEADER_MOST 65536
#define BK_CHUNK (256u << 10) /* compressed bytes in a chunk, as written */
#define BK_CHUNK_LEAST 4096
#define BK_SLOTS_MOST 8
#define BK_NAME_MOST 64
#define BK_SECTIONS_MOST 256
#define BK_ITEM_MOST (1u << 20) /* bytes of an item */
#define BK_CERT_MOST 65535

struct bk_slot {
    uint8_t type; /* enum kr_slot, or one of a later release */
    struct klm_slice body;
};
struct bk_header {
    const char *product;    /* version of the product that made it */
    const char *server_id;  /* and its server */
    uint8_t id[BK_ID];      /* of the backup, random */
    uint8_t lineage[BK_ID]; /* of the store: the same for all that were restored from one another */
    klm_time created;
    uint32_t chunk; /* bytes put into a chunk, at most */
    struct bk_slot slot[BK_SLOTS_MOST];
    size_t slots;
    struct klm_slice whole; /* decoded: all its bytes */
};
/* Append a header, authenticated with the backup's key. */
klm_rc bk_header_encode(const struct bk_header *header, const struct kr_backup *key,
                        struct klm_buf *out) KLM_MUST_USE;
/* How long the header is that begins so. KLM_E_INVALID: no backup; KLM_E_UNSUPPORTED: only a later release reads it; KLM_E_CORRUPT. Each
 * with a message that names the file. */
klm_rc bk_header_length(const uint8_t start[BK_HEADER_LEAST], const char *file,
                        struct klm_diag *diag, size_t *n) KLM_MUST_USE;
/* Take a header apart; text lives in the pool, slots are borrowed from in. Its checksum is right when this is KLM_OK; who made it is told
 * by bk_header_check alone. */
klm_rc bk_header_decode(struct klm_slice in, const char *file, struct klm_pool *pool,
                        struct klm_diag *diag, struct bk_header *out) KLM_MUST_USE;
/* Is it authenticated by this key? KLM_E_CORRUPT. */
klm_rc bk_header_check(const struct bk_header *header, const struct kr_backup *key) KLM_MUST_USE;

/* ---- Items of the stream */
enum bk_kind { BK_BEGIN = 1, BK_DATA = 2, BK_END = 3, BK_MANIFEST = 4, BK_SIGNATURE = 5 };
#define BK_ITEM_HEAD 5 /* kind, length */
enum bk_type { BK_TABLE = 1, BK_FILE = 2 };
/* Of a record: as in the store; a key token under the backup's own master key; a token that names a key in a PKCS#11 token, as in the store. */
enum bk_form { BK_PLAIN = 0, BK_TOKEN = 1, BK_REFERENCE = 2 };

struct bk_record {
    struct klm_slice key, record;
    uint8_t form;
};
/* A record behind those of a data item; a failure stays in the buffer (klm_buf_rc). */
void bk_record_put(struct klm_buf *out, const struct bk_record *record);
/* The next of a data item. KLM_E_CORRUPT. */
klm_rc bk_record_take(struct klm_cur *cur, struct bk_record *out) KLM_MUST_USE;

/* ---- Manifest: what the backup holds, section by section */
struct bk_section {
    uint8_t type; /* enum bk_type */
    char name[BK_NAME_MOST + 1];
    uint64_t items;        /* records; of a file 1 */
    uint64_t bytes;        /* of its data items */
    uint64_t damaged;      /* records that could not be read, and are not in it */
    uint8_t hash[BK_HASH]; /* SHA-256 of its data items */
};
struct bk_manifest {
    uint8_t header[BK_HASH]; /* SHA-256 of the header */
    const char *journal_id;  /* server id of its journal */
    uint64_t journal_last;   /* last sequence number when the snapshot was taken */
    uint8_t journal_value[BK_HASH];
    const char *master_vp; /* verification pattern of the server's master key */
    uint64_t number;       /* of the last change in the snapshot */
    struct bk_section section[BK_SECTIONS_MOST];
    size_t n;
};
klm_rc bk_manifest_encode(const struct bk_manifest *manifest, struct klm_buf *out) KLM_MUST_USE;
/* KLM_E_CORRUPT. Text lives in the pool. */
klm_rc bk_manifest_decode(struct klm_slice in, struct klm_pool *pool, struct bk_manifest *out)
    KLM_MUST_USE;

/* The signature of a manifest, made with the key that signs checkpoints of the journal. */
struct bk_signature {
    const char *algorithm; /* "": not signed */
    struct klm_slice cert; /* DER */
    struct klm_slice bytes;
};
void bk_signature_put(struct klm_buf *out, const struct bk_signature *signature);
klm_rc bk_signature_take(struct klm_slice in, struct klm_pool *pool, struct bk_signature *out)
    KLM_MUST_USE;
/* What is signed: "klmsrv backup manifest 1" with its length (2 bytes), and the SHA-256 of the manifest's bytes. */
klm_rc bk_signed_message(struct klm_slice manifest, struct klm_buf *out) KLM_MUST_USE;

#endif
