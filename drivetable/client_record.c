/* Encoding and decoding of clients, and what is well formed. */
#include "drivetable/client_record.h"

#include "base/secret.h"
#include "base/utf8.h"

#include <string.h>
#include <strings.h>

#define VERSION 1
#define VERSION_PROOF 2 /* of a client */
#define HAS_CERT 1
#define HAS_PASSWORD 2
#define CLOSED 4
#define ONCE 8
#define HASHED 16
#define MAY_DESTROY 1
#define GROUP_CLOSED 2

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char name_rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
static const char digits[] = "0123456789abcdef";

/* ---- What is well formed */

static bool text_ok(const char *text, size_t max)
{
    size_t n = strnlen(text, max + 1);

    return n <= max && klm_utf8_printable(KLM_SLICE(text, n));
}

klm_rc dt_client_name_check(const char *name)
{
    size_t n = strnlen(name, DT_CLIENT_NAME_MAX + 1);
    bool ok = n > 0 && text_ok(name, DT_CLIENT_NAME_MAX) && !strchr(name, '"') && name[0] != ' ' &&
              name[n - 1] != ' ' && strcasecmp(name, DT_GROUP_NONE) != 0;

    return ok ? KLM_OK : KLM_E_INVALID;
}

klm_rc dt_device_group_check(const char *name)
{
    size_t n = strnlen(name, DT_DEVICE_GROUP_MAX + 1);
    bool ok = n > 0 && n <= DT_DEVICE_GROUP_MAX && strchr(letters, name[0]) &&
              strspn(name, name_rest) == n && strcasecmp(name, DT_GROUP_NONE) != 0;

    return ok ? KLM_OK : KLM_E_INVALID;
}

klm_rc dt_prefix_check(const char *prefix)
{
    size_t n = strnlen(prefix, 4);

    return n == 0 || (n == 3 && strspn(prefix, letters) == 3) ? KLM_OK : KLM_E_INVALID;
}

bool dt_is_fingerprint(const char *fingerprint)
{
    return strnlen(fingerprint, DT_FINGERPRINT_MAX) == 64 && strspn(fingerprint, digits) == 64;
}

#define OWN_BYTES 16

bool dt_group_own(const char *group)
{
    return group[0] == '.' && strnlen(group, DT_DEVICE_GROUP_MAX + 1) == 1 + 2 * OWN_BYTES &&
           strspn(group + 1, digits) == 2 * OWN_BYTES;
}

klm_rc dt_group_own_new(char out[DT_DEVICE_GROUP_MAX + 1])
{
    uint8_t id[OWN_BYTES];

    KLM_TRY(klm_random(id, sizeof id));
    out[0] = '.';
    klm_hex(id, sizeof id, out + 1);
    return KLM_OK;
}

static bool label_ok(const char *label)
{
    static const size_t prefix = sizeof DT_HASHED_PREFIX - 1;

    return !*label ||
           (strnlen(label, DT_HASHED_MAX) == DT_HASHED_MAX - 1 &&
            strncmp(label, DT_HASHED_PREFIX, prefix) == 0 && strspn(label + prefix, digits) == 32);
}

klm_rc dt_client_check(const struct dt_client *c)
{
    bool cert = c->fingerprint[0] != '\0';
    bool ok = dt_client_name_check(c->name) == KLM_OK &&
              (!cert || dt_is_fingerprint(c->fingerprint)) &&
              (dt_group_own(c->group) || dt_device_group_check(c->group) == KLM_OK) &&
              text_ok(c->user, DT_CLIENT_USER_MAX) && text_ok(c->device, DT_CLIENT_USER_MAX) &&
              label_ok(c->hashed) && (cert || (c->from == 0 && c->until == 0)) &&
              c->from <= c->until && c->added >= 0 && c->last >= 0;

    return ok ? KLM_OK : KLM_E_INVALID;
}

klm_rc dt_client_pending_check(const struct dt_client_pending *p)
{
    bool ok = dt_is_fingerprint(p->fingerprint) && text_ok(p->address, sizeof p->address - 1) &&
              text_ok(p->subject, sizeof p->subject - 1) && p->first >= 0 && p->first <= p->last &&
              p->cert.n > 0 && p->cert.n <= DT_CLIENT_CERT_MAX;

    return ok ? KLM_OK : KLM_E_INVALID;
}

/* ---- Fields */

static uint8_t get_version_to(struct klm_cur *cur, uint8_t last)
{
    uint8_t version;

    klm_cur_u8(cur, &version);
    if (version < VERSION || version > last) {
        klm_cur_fail(cur, KLM_E_UNSUPPORTED);
    }
    return version;
}

static void get_version(struct klm_cur *cur)
{
    (void)get_version_to(cur, VERSION);
}

static uint8_t get_flags(struct klm_cur *cur, uint8_t known)
{
    uint8_t flags;

    klm_cur_u8(cur, &flags);
    if (flags & ~known) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
    return flags;
}

/* Of a certificate, whose time may be before 1970. */
static void get_moment(struct klm_cur *cur, klm_time *out)
{
    uint64_t t;

    klm_cur_u64(cur, &t);
    *out = (klm_time)t;
}

static void get_fingerprint(struct klm_cur *cur, char *out)
{
    uint8_t bytes[32];

    klm_cur_copy(cur, bytes, sizeof bytes);
    klm_hex(bytes, sizeof bytes, out);
}

static void put_fingerprint(struct klm_buf *out, const char *fingerprint)
{
    uint8_t bytes[32];
    size_t n = 0;

    if (klm_unhex(fingerprint, bytes, sizeof bytes, &n) == KLM_OK) {
        klm_buf_put(out, bytes, n);
    }
}

/* ---- Records */

void dt_client_encode(const struct dt_client *c, struct klm_buf *out)
{
    const bool cert = c->fingerprint[0] != '\0', hashed = c->hashed[0] != '\0';

    klm_buf_u8(out, c->once || hashed ? VERSION_PROOF : VERSION);
    klm_buf_u8(out,
               (uint8_t)((cert ? HAS_CERT : 0) | (c->has_password ? HAS_PASSWORD : 0) |
                         (c->closed ? CLOSED : 0) | (c->once ? ONCE : 0) | (hashed ? HASHED : 0)));
    if (cert) {
        put_fingerprint(out, c->fingerprint);
    }
    klm_buf_lp8(out, klm_slice_str(c->group));
    klm_buf_lp8(out, klm_slice_str(c->user));
    if (c->has_password) {
        klm_buf_put(out, c->verifier, sizeof c->verifier);
    }
    klm_buf_lp8(out, klm_slice_str(c->device));
    klm_buf_u64(out, (uint64_t)c->from);
    klm_buf_u64(out, (uint64_t)c->until);
    klm_buf_u64(out, (uint64_t)c->added);
    klm_buf_u64(out, (uint64_t)c->last);
    klm_buf_lp16(out, c->cert);
    if (c->once || hashed) {
        klm_buf_lp8(out, klm_slice_str(c->hashed));
    }
}

klm_rc dt_client_decode(struct klm_slice record, struct dt_client *out)
{
    struct klm_cur cur;
    struct dt_client c = {0};
    uint8_t version, flags;

    memcpy(c.name, out->name, sizeof c.name);
    klm_cur_init(&cur, record);
    version = get_version_to(&cur, VERSION_PROOF);
    flags = get_flags(&cur, version == VERSION ? HAS_CERT | HAS_PASSWORD | CLOSED
                                               : HAS_CERT | HAS_PASSWORD | CLOSED | ONCE | HASHED);
    c.has_password = flags & HAS_PASSWORD;
    c.closed = flags & CLOSED;
    c.once = flags & ONCE;
    if (flags & HAS_CERT) {
        get_fingerprint(&cur, c.fingerprint);
    }
    klm_cur_text8(&cur, sizeof c.group, c.group);
    klm_cur_text8(&cur, sizeof c.user, c.user);
    if (c.has_password) {
        klm_cur_copy(&cur, c.verifier, sizeof c.verifier);
    }
    klm_cur_text8(&cur, sizeof c.device, c.device);
    get_moment(&cur, &c.from);
    get_moment(&cur, &c.until);
    klm_cur_i64(&cur, &c.added);
    klm_cur_i64(&cur, &c.last);
    klm_cur_lp16(&cur, DT_CLIENT_CERT_MAX, &c.cert);
    if (version == VERSION_PROOF) {
        klm_cur_text8(&cur, sizeof c.hashed, c.hashed);
    }
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || (c.cert.n > 0) != (c.fingerprint[0] != '\0') ||
        (c.hashed[0] != '\0') != ((flags & HASHED) != 0) || dt_client_check(&c) != KLM_OK) {
        return KLM_E_CORRUPT;
    }
    *out = c;
    return KLM_OK;
}

void dt_proof_encode(const struct dt_proof *proof, struct klm_buf *out)
{
    klm_buf_u8(out, VERSION);
    klm_buf_u64(out, (uint64_t)proof->stamp);
    klm_buf_put(out, proof->once_head, sizeof proof->once_head);
    klm_buf_u8(out, (uint8_t)proof->n);
    for (size_t i = 0; i < proof->n; i++) {
        klm_buf_put(out, proof->once[i], sizeof proof->once[i]);
    }
}

klm_rc dt_proof_decode(struct klm_slice record, struct dt_proof *out)
{
    struct klm_cur cur;
    struct dt_proof p = {0};
    uint8_t n;

    klm_cur_init(&cur, record);
    get_version(&cur);
    klm_cur_i64(&cur, &p.stamp);
    klm_cur_copy(&cur, p.once_head, sizeof p.once_head);
    klm_cur_u8(&cur, &n);
    p.n = n <= DT_ONCE_MAX ? n : 0;
    for (size_t i = 0; i < p.n; i++) {
        klm_cur_copy(&cur, p.once[i], sizeof p.once[i]);
    }
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || n > DT_ONCE_MAX || p.stamp < 0) {
        return KLM_E_CORRUPT;
    }
    *out = p;
    return KLM_OK;
}

void dt_device_group_encode(const struct dt_device_group *group, struct klm_buf *out)
{
    klm_buf_u8(out, VERSION);
    klm_buf_u8(out, (uint8_t)((group->kmip_delete ? MAY_DESTROY : 0) |
                              (group->closed ? GROUP_CLOSED : 0)));
    klm_buf_lp8(out, klm_slice_str(group->prefix));
    klm_buf_u64(out, (uint64_t)group->added);
}

klm_rc dt_device_group_decode(struct klm_slice record, struct dt_device_group *out)
{
    struct klm_cur cur;
    struct dt_device_group g = {0};
    uint8_t flags;

    memcpy(g.name, out->name, sizeof g.name);
    klm_cur_init(&cur, record);
    get_version(&cur);
    flags = get_flags(&cur, MAY_DESTROY | GROUP_CLOSED);
    g.kmip_delete = flags & MAY_DESTROY;
    g.closed = flags & GROUP_CLOSED;
    klm_cur_text8(&cur, sizeof g.prefix, g.prefix);
    klm_cur_i64(&cur, &g.added);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || dt_device_group_check(g.name) != KLM_OK ||
        dt_prefix_check(g.prefix) != KLM_OK || g.added < 0) {
        return KLM_E_CORRUPT;
    }
    *out = g;
    return KLM_OK;
}

void dt_client_pending_encode(const struct dt_client_pending *pending, struct klm_buf *out)
{
    klm_buf_u8(out, VERSION);
    klm_buf_lp8(out, klm_slice_str(pending->address));
    klm_buf_lp8(out, klm_slice_str(pending->subject));
    klm_buf_u64(out, (uint64_t)pending->first);
    klm_buf_u64(out, (uint64_t)pending->last);
    klm_buf_u32(out, pending->tries);
    klm_buf_lp16(out, pending->cert);
}

klm_rc dt_client_pending_decode(struct klm_slice record, struct dt_client_pending *out)
{
    struct klm_cur cur;
    struct dt_client_pending p = {0};

    memcpy(p.fingerprint, out->fingerprint, sizeof p.fingerprint);
    klm_cur_init(&cur, record);
    get_version(&cur);
    klm_cur_text8(&cur, sizeof p.address, p.address);
    klm_cur_text8(&cur, sizeof p.subject, p.subject);
    klm_cur_i64(&cur, &p.first);
    klm_cur_i64(&cur, &p.last);
    klm_cur_u32(&cur, &p.tries);
    klm_cur_lp16(&cur, DT_CLIENT_CERT_MAX, &p.cert);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || dt_client_pending_check(&p) != KLM_OK) {
        return KLM_E_CORRUPT;
    }
    *out = p;
    return KLM_OK;
}
