/* States of played devices as files. */
#include "ios/state.h"

#include "base/digest.h"
#include "ios/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define HEAD (IOS_STATE_MAGIC + 2)

void ios_state_begin(struct klm_buf *out, const uint8_t magic[IOS_STATE_MAGIC], uint16_t version)
{
    klm_buf_put(out, magic, IOS_STATE_MAGIC);
    klm_buf_u16(out, version);
}

klm_rc ios_state_end(struct klm_buf *out, size_t start)
{
    uint8_t digest[IOS_STATE_DIGEST];

    KLM_TRY(klm_buf_rc(out));
    KLM_TRY(klm_sha256(&KLM_SLICE(out->p + start, out->n - start), 1, digest));
    klm_buf_put(out, digest, sizeof digest);
    return klm_buf_rc(out);
}

klm_rc ios_state_open(struct klm_slice in, const uint8_t magic[IOS_STATE_MAGIC], uint16_t version,
                      struct klm_slice *fields)
{
    uint8_t digest[IOS_STATE_DIGEST];

    if (in.n < HEAD + IOS_STATE_DIGEST || memcmp(in.p, magic, IOS_STATE_MAGIC) != 0) {
        return KLM_E_INVALID;
    }
    if (in.p[IOS_STATE_MAGIC] != version >> 8 || in.p[IOS_STATE_MAGIC + 1] != (version & 0xff)) {
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(klm_sha256(&KLM_SLICE(in.p, in.n - IOS_STATE_DIGEST), 1, digest));
    if (memcmp(digest, in.p + in.n - IOS_STATE_DIGEST, IOS_STATE_DIGEST) != 0) {
        return KLM_E_CORRUPT;
    }
    *fields = KLM_SLICE(in.p + HEAD, in.n - HEAD - IOS_STATE_DIGEST);
    return KLM_OK;
}

klm_rc ios_state_lock(const char *dir, const char *name, enum klm_msg_id busy,
                      struct klm_diag *diag, int *fd)
{
    char path[IOS_DRIVE_PATH_MAX], why[128];
    int made;

    KLM_TRY(ios_drive_path(dir, name, path, diag));
    made = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (made < 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, path,
                        strerror_r(errno, why, sizeof why));
    }
    if (flock(made, LOCK_EX | LOCK_NB) != 0) {
        close(made);
        return klm_fail(diag, KLM_E_BUSY, busy, dir);
    }
    *fd = made;
    return KLM_OK;
}
