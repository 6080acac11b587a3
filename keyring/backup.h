/* The key of one backup. Each backup has a random key of its own; everything in the file is encrypted under keys derived from it, and it
 * stands in the file only inside key slots, each of which opens with something else: a password, or a PKCS#11 token. Key tokens go into
 * a backup under a master key of that backup, which is derived from its key as well, so the master key of the server never travels.
 * backup/BACKUP.md describes the bytes. */
#ifndef KEYRING_BACKUP_H
#define KEYRING_BACKUP_H

#include "keyring/kr.h"
#include "keyring/p11/p11.h"

struct kr_backup;
/* A random one. The caller frees it; freeing wipes. */
klm_rc kr_backup_new(struct kr_backup **out) KLM_MUST_USE;
void kr_backup_free(struct kr_backup **backup);

/* ---- Key slots */
enum kr_slot {
    KR_SLOT_PASSWORD = 1, /* the key under a key that scrypt makes of a password */
    KR_SLOT_PKCS11 = 2    /* the key sealed by an AES key of a PKCS#11 token */
};
#define KR_SLOT_MAX 1024 /* bytes of a slot's body */
#define KR_PASSWORD_LEAST 8
#define KR_PASSWORD_MOST 1024
/* Cost of scrypt (RFC 7914): N = 2^log_n. What a file asks for is held to these, and to KR_SCRYPT_MEMORY bytes (128 * N * r), so that a
 * hostile file can take neither the machine's memory nor its time. */
struct kr_scrypt {
    unsigned log_n, r, p;
};
#define KR_SCRYPT_LOG_N_LEAST 10
#define KR_SCRYPT_LOG_N_MOST 20
#define KR_SCRYPT_R_MOST 32
#define KR_SCRYPT_P_MOST 16
#define KR_SCRYPT_MEMORY ((uint64_t)512 << 20)
#define KR_SCRYPT_DEFAULT ((struct kr_scrypt){17, 8, 1}) /* 128 MiB, about half a second */

/* Append the body of a password slot of the backup with this identity (16 bytes) to out. KLM_E_LIMIT: the password is shorter than
 * KR_PASSWORD_LEAST or longer than KR_PASSWORD_MOST bytes, or the cost is out of range; KLM_E_NOMEM: no memory for scrypt. */
klm_rc kr_slot_password(const struct kr_backup *backup, const uint8_t id[16],
                        const struct kr_scrypt *cost, struct klm_slice password,
                        struct klm_buf *out) KLM_MUST_USE;
/* The key of a password slot's body. KLM_E_WRONGKEY: another password; KLM_E_CORRUPT: no such body; KLM_E_LIMIT: it asks for too much. */
klm_rc kr_slot_open_password(struct klm_slice body, const uint8_t id[16], struct klm_slice password,
                             struct kr_backup **out) KLM_MUST_USE;

#define KR_SLOT_KEY_ID 8 /* bytes that tell a token's key from others of its name */
/* Make the key in the token that backups are to be sealed with. */
klm_rc kr_slot_token_make(struct p11 *p11, const char *object, struct klm_diag *diag) KLM_MUST_USE;
/* Append the body of a token slot: the key under the AES key of that label in the token. Fails as p11_call, with a message; KLM_E_NOTFOUND: the token
 * has no such key. */
klm_rc kr_slot_token(const struct kr_backup *backup, const uint8_t id[16], struct p11 *p11,
                     const char *object, struct klm_diag *diag, struct klm_buf *out) KLM_MUST_USE;
/* Which token and which key a token slot's body names. KLM_E_CORRUPT: no such body. */
klm_rc kr_slot_token_names(struct klm_slice body, struct p11_uri *out) KLM_MUST_USE;
/* The key of a token slot's body, opened by the token given. KLM_E_NOTFOUND: it has no key of that name; KLM_E_WRONGKEY: that key is another one;
 * KLM_E_CORRUPT: no such body; else as p11_call, with a message. */
klm_rc kr_slot_open_token(struct klm_slice body, const uint8_t id[16], struct p11 *p11,
                          struct klm_diag *diag, struct kr_backup **out) KLM_MUST_USE;

/* ---- What the key is for */
/* HMAC-SHA256 of the header, under a key for that alone. */
klm_rc kr_backup_mac(const struct kr_backup *backup, struct klm_slice header, uint8_t out[32])
    KLM_MUST_USE;
/* The master key under which the key tokens in this backup stand. The caller frees it. */
klm_rc kr_backup_master(const struct kr_backup *backup, struct kr_master **out) KLM_MUST_USE;

/* Chunks: AES-256-GCM under a key for that alone, the nonce a counter and a mark of the last one, so that a chunk that is missing,
 * doubled, moved or cut off does not open. A chunk is its head, then as many bytes as were put in, then the tag. */
struct kr_chunks;
#define KR_CHUNK_HEAD 4
#define KR_CHUNK_TAG 16
#define KR_CHUNK_MOST (16u << 20) /* bytes put into one, at most */
klm_rc kr_chunks_new(const struct kr_backup *backup, bool seal, struct kr_chunks **out)
    KLM_MUST_USE;
void kr_chunks_free(struct kr_chunks **chunks);
/* Seal the next chunk into KR_CHUNK_HEAD + plain.n + KR_CHUNK_TAG bytes at out. KLM_E_STATE: the last one was made; KLM_E_LIMIT. */
klm_rc kr_chunk_seal(struct kr_chunks *chunks, struct klm_slice plain, bool last, uint8_t *out)
    KLM_MUST_USE;
/* What a head says: how many bytes were put in, and whether it is the last. */
uint32_t kr_chunk_size(const uint8_t head[KR_CHUNK_HEAD], bool *last);
/* Open the next chunk: sealed is what follows its head. KLM_E_CORRUPT: damaged, or not the next one. */
klm_rc kr_chunk_open(struct kr_chunks *chunks, const uint8_t head[KR_CHUNK_HEAD],
                     struct klm_slice sealed, uint8_t *out) KLM_MUST_USE;

#endif
