/* Names of the keyring and the record keys made of them. RACF's rules where it has them; zero
 * bytes never occur, so they separate. */
#include "keyring/internal.h"

#include <string.h>

/* 1 to max characters of printable ASCII; blanks only when allowed, and then not at the ends. */
static klm_rc check_text(const char *s, size_t max, bool blanks)
{
    size_t n = strnlen(s, max + 1);

    if (n == 0 || n > max) {
        return n ? KLM_E_LIMIT : KLM_E_INVALID;
    }
    for (size_t i = 0; i < n; i++) {
        bool inner_blank = blanks && s[i] == ' ' && i > 0 && i + 1 < n;

        if (!inner_blank && (s[i] <= ' ' || s[i] > '~')) {
            return KLM_E_INVALID;
        }
    }
    return KLM_OK;
}

/* A user id: 1 to 8 upper-case letters, digits, #, @ and $. CERTAUTH and SITE have that form
 * too. */
klm_rc kr_check_owner(const char *owner)
{
    size_t n = strnlen(owner, KR_OWNER_MAX + 1);

    if (n == 0 || n > KR_OWNER_MAX) {
        return n ? KLM_E_LIMIT : KLM_E_INVALID;
    }
    return strspn(owner, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#@$") == n ? KLM_OK : KLM_E_INVALID;
}

klm_rc kr_check_label(const char *label)
{
    return check_text(label, KR_LABEL_MAX, true);
}

klm_rc kr_check_token_label(const char *label)
{
    return check_text(label, KR_TOKEN_LABEL_MAX, false);
}

klm_rc kr_check_ring(const char *ring)
{
    return check_text(ring, KR_RING_MAX, false);
}

/* The names are checked before, so a key always fits: the longest is 8 + 237 + 8 + 64 and
 * separators. */
void kr_rkey_bytes(struct kr_rkey *key, const void *p, size_t n)
{
    if (n <= sizeof key->p - key->n) {
        memcpy(key->p + key->n, p, n);
        key->n += n;
    }
}

void kr_rkey_init(struct kr_rkey *key, const char *first)
{
    key->n = 0;
    kr_rkey_bytes(key, first, strlen(first));
}

void kr_rkey_add(struct kr_rkey *key, const char *part)
{
    kr_rkey_bytes(key, "", 1);
    kr_rkey_bytes(key, part, strlen(part));
}

struct klm_slice kr_rkey_slice(const struct kr_rkey *key)
{
    return KLM_SLICE(key->p, key->n);
}

klm_rc kr_rkey_part(struct klm_slice key, size_t *at, struct klm_pool *pool, const char **out)
{
    const uint8_t *from, *zero;
    size_t n;
    char *copy;

    if (*at > key.n) {
        return KLM_E_SHORT;
    }
    from = key.p + *at;
    zero = memchr(from, 0, key.n - *at);
    n = zero ? (size_t)(zero - from) : key.n - *at;
    copy = klm_pool_strn(pool, (const char *)from, n);
    if (!copy) {
        return KLM_E_NOMEM;
    }
    *at += n + 1;
    *out = copy;
    return KLM_OK;
}
