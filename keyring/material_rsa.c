/* The numbers of a private RSA key: KMIP lets a client send some of them, OpenSSL needs all. All arithmetic is in secret memory. */
#include "keyring/material_int.h"

#include <openssl/bn.h>

#define FACTOR_BITS_MAX 4096 /* of a modulus that is factored: takes a second or two at worst */
#define E_BITS_MAX 256       /* FIPS 186-5, A.1.1 */

/* RFC 8017, 3.2. All numbers are of one context, and go with it. */
struct rsa {
    BN_CTX *ctx;
    BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *crt;
    BIGNUM *p1, *q1; /* p - 1, q - 1 */
};

static void done(BN_CTX **ctx)
{
    if (*ctx) {
        BN_CTX_end(*ctx);
        BN_CTX_free(*ctx);
    }
}

/* A number that came, or NULL. */
static bool load(BN_CTX *ctx, struct klm_slice from, BIGNUM **out)
{
    if (!from.p) {
        return true;
    }
    *out = BN_CTX_get(ctx);
    return *out && BN_bin2bn(from.p, (int)from.n, *out);
}

static bool load_all(const struct kr_parts *known, struct rsa *rsa)
{
    return load(rsa->ctx, known->modulus, &rsa->n) &&
           load(rsa->ctx, known->public_exponent, &rsa->e) &&
           load(rsa->ctx, known->private_exponent, &rsa->d) && load(rsa->ctx, known->p, &rsa->p) &&
           load(rsa->ctx, known->q, &rsa->q) && load(rsa->ctx, known->dp, &rsa->dp) &&
           load(rsa->ctx, known->dq, &rsa->dq) && load(rsa->ctx, known->crt, &rsa->crt);
}

static bool less(const BIGNUM *a, const BIGNUM *b)
{
    return !a || BN_cmp(a, b) < 0;
}

static bool good_e(const BIGNUM *e)
{
    return !e || (BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= E_BITS_MAX);
}

static bool in_range(const struct rsa *rsa)
{
    const BIGNUM *n = rsa->n;

    return BN_is_odd(n) && BN_num_bits(n) >= 128 && less(rsa->e, n) && less(rsa->d, n) &&
           less(rsa->p, n) && less(rsa->q, n) && less(rsa->dp, n) && less(rsa->dq, n) &&
           less(rsa->crt, n) && good_e(rsa->e);
}

/* Most keys have this public exponent; a wrong guess is noticed, since then nothing fits. */
static bool guess_e(struct rsa *rsa)
{
    rsa->e = BN_CTX_get(rsa->ctx);
    return rsa->e && BN_set_word(rsa->e, 65537);
}

/* p = gcd(x, n), if that is no trivial one. */
static bool take_factor(struct rsa *rsa, const BIGNUM *x)
{
    BIGNUM *p = BN_CTX_get(rsa->ctx);

    if (!p || !BN_gcd(p, x, rsa->n, rsa->ctx) || BN_is_one(p) || BN_cmp(p, rsa->n) == 0) {
        return false;
    }
    rsa->p = p;
    return true;
}

enum trial { FOUND, TRIVIAL, WRONG };

/* One base of NIST SP 800-56B Revision 2, Appendix C.1: y becomes base^r, and is squared up to t times until it is a root of 1 that is neither 1 nor
 * -1. That it comes to no root at all says that the exponents do not belong together. */
static enum trial try_base(struct rsa *rsa, BIGNUM *y, const BIGNUM *r, int t,
                           const BIGNUM *minus_one)
{
    if (!BN_mod_exp(y, y, r, rsa->n, rsa->ctx)) {
        return WRONG;
    }
    for (int i = 0; i < t && !BN_is_one(y) && BN_cmp(y, minus_one) != 0; i++) {
        BIGNUM *x = BN_CTX_get(rsa->ctx);

        if (!x || !BN_mod_sqr(x, y, rsa->n, rsa->ctx)) {
            return WRONG;
        }
        if (BN_is_one(x)) {
            return BN_sub_word(y, 1) && take_factor(rsa, y) ? FOUND : WRONG;
        }
        BN_swap(x, y);
    }
    return BN_is_one(y) || BN_cmp(y, minus_one) == 0 ? TRIVIAL : WRONG;
}

/* r and t, so that e * d - 1 = r * 2^t with an odd r. */
static bool split(const struct rsa *rsa, BIGNUM *r, int *t)
{
    if (!BN_mul(r, rsa->e, rsa->d, rsa->ctx) || !BN_sub_word(r, 1) || BN_is_zero(r)) {
        return false;
    }
    *t = 0;
    while (!BN_is_bit_set(r, *t)) {
        ++*t;
    }
    return BN_rshift(r, r, *t);
}

/* Half of all bases find a factor. */
static bool factor_by_d(struct rsa *rsa)
{
    static const BN_ULONG bases[] = {2,  3,  5,  7,  11, 13,  17,  19,  23,  29,
                                     31, 37, 41, 43, 47, 53,  59,  61,  67,  71,
                                     73, 79, 83, 89, 97, 101, 103, 107, 109, 113};
    BIGNUM *r = BN_CTX_get(rsa->ctx), *minus_one = BN_CTX_get(rsa->ctx);
    BIGNUM *y = BN_CTX_get(rsa->ctx), *p = BN_CTX_get(rsa->ctx);
    enum trial trial = TRIVIAL;
    int t;

    if (!p || BN_num_bits(rsa->n) > FACTOR_BITS_MAX || !split(rsa, r, &t) ||
        !BN_copy(minus_one, rsa->n) || !BN_sub_word(minus_one, 1)) {
        return false;
    }
    for (size_t i = 0; i < KLM_COUNT(bases) && trial == TRIVIAL; i++) {
        BN_CTX_start(rsa->ctx);
        trial = BN_set_word(y, bases[i]) ? try_base(rsa, y, r, t, minus_one) : WRONG;
        if (trial == FOUND) {
            rsa->p = BN_copy(p, rsa->p); /* that one goes with this base */
        }
        BN_CTX_end(rsa->ctx);
    }
    return trial == FOUND && rsa->p;
}

/* e * dp = 1 (mod p - 1), so base^(e * dp) - base is a multiple of p, and hardly ever one of q. */
static bool factor_by_dp(struct rsa *rsa)
{
    BIGNUM *k = BN_CTX_get(rsa->ctx), *base = BN_CTX_get(rsa->ctx), *x = BN_CTX_get(rsa->ctx);

    return x && BN_mul(k, rsa->e, rsa->dp, rsa->ctx) && BN_set_word(base, 2) &&
           BN_mod_exp(x, base, k, rsa->n, rsa->ctx) && BN_mod_sub(x, x, base, rsa->n, rsa->ctx) &&
           take_factor(rsa, x);
}

static bool find_primes(struct rsa *rsa)
{
    BIGNUM *rest = BN_CTX_get(rsa->ctx);
    bool found;

    if (rsa->p && rsa->q) {
        return true;
    }
    rsa->p = rsa->p ? rsa->p : rsa->q;
    rsa->q = NULL;
    if (!rsa->e && !guess_e(rsa)) {
        return false;
    }
    found = rsa->p || (rsa->d && factor_by_d(rsa)) || (!rsa->d && rsa->dp && factor_by_dp(rsa));
    rsa->q = BN_CTX_get(rsa->ctx);
    return found && rsa->q && rest && !BN_is_zero(rsa->p) &&
           BN_div(rsa->q, rest, rsa->n, rsa->p, rsa->ctx) && BN_is_zero(rest);
}

/* The modulus is the product of the two, and neither is 1. */
static bool check_primes(struct rsa *rsa)
{
    BIGNUM *n = BN_CTX_get(rsa->ctx);

    rsa->p1 = BN_CTX_get(rsa->ctx);
    rsa->q1 = BN_CTX_get(rsa->ctx);
    return rsa->q1 && BN_mul(n, rsa->p, rsa->q, rsa->ctx) && BN_cmp(n, rsa->n) == 0 &&
           !BN_is_one(rsa->p) && !BN_is_one(rsa->q) && BN_copy(rsa->p1, rsa->p) &&
           BN_sub_word(rsa->p1, 1) && BN_copy(rsa->q1, rsa->q) && BN_sub_word(rsa->q1, 1);
}

/* The exponent that is missing is the other's inverse modulo the least common multiple of p - 1 and q - 1. */
static bool find_exponents(struct rsa *rsa)
{
    BIGNUM *lcm = BN_CTX_get(rsa->ctx), *gcd = BN_CTX_get(rsa->ctx), *made = BN_CTX_get(rsa->ctx);

    if (rsa->e && rsa->d) {
        return true;
    }
    if (!rsa->e && !rsa->d && !guess_e(rsa)) {
        return false;
    }
    if (!made || !BN_gcd(gcd, rsa->p1, rsa->q1, rsa->ctx) ||
        !BN_mul(lcm, rsa->p1, rsa->q1, rsa->ctx) || !BN_div(lcm, NULL, lcm, gcd, rsa->ctx) ||
        !BN_mod_inverse(made, rsa->e ? rsa->e : rsa->d, lcm, rsa->ctx)) {
        return false;
    }
    if (rsa->e) {
        rsa->d = made;
    } else {
        rsa->e = made;
    }
    return good_e(rsa->e);
}

/* e * d = 1 (mod m)? */
static bool inverse_mod(struct rsa *rsa, const BIGNUM *m)
{
    BIGNUM *x = BN_CTX_get(rsa->ctx);

    return x && BN_mod_mul(x, rsa->e, rsa->d, m, rsa->ctx) && BN_is_one(x);
}

/* A number that is known must be this one. */
static bool same_or_set(BIGNUM **known, BIGNUM *is)
{
    if (*known && BN_cmp(*known, is) != 0) {
        return false;
    }
    *known = is;
    return true;
}

static bool find_crt(struct rsa *rsa)
{
    BIGNUM *dp = BN_CTX_get(rsa->ctx), *dq = BN_CTX_get(rsa->ctx), *crt = BN_CTX_get(rsa->ctx);

    return crt && BN_mod(dp, rsa->d, rsa->p1, rsa->ctx) && BN_mod(dq, rsa->d, rsa->q1, rsa->ctx) &&
           BN_mod_inverse(crt, rsa->q, rsa->p, rsa->ctx) && same_or_set(&rsa->dp, dp) &&
           same_or_set(&rsa->dq, dq) && same_or_set(&rsa->crt, crt);
}

static klm_rc store(const struct rsa *rsa, struct kr_secret *block, struct kr_parts *out)
{
    const BIGNUM *const numbers[] = {rsa->n, rsa->e,  rsa->d,  rsa->p,
                                     rsa->q, rsa->dp, rsa->dq, rsa->crt};
    struct kr_secret made = {0};
    struct kr_parts parts = {.curve = 0};
    size_t n = 0;

    for (size_t i = 0; i < KLM_COUNT(numbers); i++) {
        n += (size_t)BN_num_bytes(numbers[i]);
    }
    KLM_TRY(kr_secret_new(n, &made));
    for (size_t i = 0; i < KLM_COUNT(numbers); i++) {
        const size_t bytes = (size_t)BN_bn2bin(numbers[i], made.p + made.n);

        *kr_part(&parts, KR_PART_modulus + i) = KLM_SLICE(made.p + made.n, bytes);
        made.n += bytes;
    }
    *block = made;
    *out = parts;
    return KLM_OK;
}

klm_rc kr_rsa_complete(const struct kr_parts *known, struct kr_secret *block, struct kr_parts *out)
{
    KLM_AUTO(done) BN_CTX *ctx = BN_CTX_secure_new();
    struct rsa rsa = {.ctx = ctx};

    if (!ctx) {
        return kr_quiet(KLM_E_NOMEM);
    }
    BN_CTX_start(ctx);
    if (!load_all(known, &rsa) || !rsa.n || !in_range(&rsa) || !find_primes(&rsa) ||
        !check_primes(&rsa) || !find_exponents(&rsa) || !inverse_mod(&rsa, rsa.p1) ||
        !inverse_mod(&rsa, rsa.q1) || !find_crt(&rsa)) {
        return kr_failed(KLM_E_INVALID);
    }
    return store(&rsa, block, out);
}
