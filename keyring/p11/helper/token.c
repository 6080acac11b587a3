/* Which token: by its label and serial number, whatever slot it is in today; and the login, which is never tried when it could be the last try. */
#include "keyring/p11/helper/pk.h"

#include <string.h>

#define SLOTS_MAX 256

/* 2.40, 3.2: fixed-length texts are padded with blanks. */
static struct klm_slice padded(const unsigned char *text, size_t cap)
{
    while (cap && text[cap - 1] == ' ') {
        cap--;
    }
    return KLM_SLICE(text, cap);
}

static bool has_label(const struct ck_token_info *info, const struct p11_msg *request)
{
    return (info->flags & CKF_TOKEN_INITIALIZED) &&
           klm_slice_equal(padded(info->label, sizeof info->label), request->field[P11_F_TOKEN]);
}

static bool has_serial(const struct ck_token_info *info, const struct p11_msg *request)
{
    struct klm_slice serial = request->field[P11_F_SERIAL];

    return !serial.n ||
           klm_slice_equal(padded(info->serial_number, sizeof info->serial_number), serial);
}

/* The slot of the one token that is meant. */
static struct pk_end find_slot(const struct pk_module *module, const struct p11_msg *request,
                               ck_slot_id_t *slot, struct ck_token_info *out)
{
    ck_slot_id_t slots[SLOTS_MAX];
    unsigned long n = SLOTS_MAX;
    unsigned found = 0, others = 0; /* those that have the label, but another serial number */

    PK_CALL(module->f->C_GetSlotList(1, slots, &n));
    for (unsigned long i = 0; i < n; i++) {
        struct ck_token_info info;

        if (module->f->C_GetTokenInfo(slots[i], &info) != CKR_OK || !has_label(&info, request)) {
            continue;
        }
        if (!has_serial(&info, request)) {
            others++;
            continue;
        }
        *slot = slots[i];
        *out = info;
        found++;
    }
    if (found == 1) {
        return PK_DONE;
    }
    return pk_ours(found ? P11_MANY_TOKENS : others ? P11_OTHER_SERIAL : P11_NO_TOKEN);
}

/* A few wrong PINs lock a token for good, so the last try is left to a person at the token. */
static struct pk_end check_pin(const struct ck_token_info *info)
{
    if (info->flags & CKF_USER_PIN_LOCKED) {
        return pk_ours(P11_PIN_LOCKED);
    }
    if (info->flags & CKF_USER_PIN_FINAL_TRY) {
        return pk_ours(P11_PIN_FINAL);
    }
    if (!(info->flags & CKF_USER_PIN_INITIALIZED) || (info->flags & CKF_USER_PIN_TO_BE_CHANGED)) {
        return pk_ours(P11_PIN_UNSET);
    }
    return PK_DONE;
}

static struct pk_end log_in(struct pk_token *token, const struct p11_msg *request,
                            const struct ck_token_info *info)
{
    struct ck_function_list *f = token->module->f;
    struct klm_slice pin = request->field[P11_F_PIN];
    ck_rv_t rv;

    PK_CALL(f->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                             &token->session));
    if (!(info->flags & CKF_LOGIN_REQUIRED)) {
        return PK_DONE;
    }
    if (!pin.n && !(info->flags & CKF_PROTECTED_AUTHENTICATION_PATH)) {
        return pk_ours(P11_WRONG_PIN); /* an empty try would count as a wrong one */
    }
    PK_TRY(check_pin(info));
    rv = f->C_Login(token->session, CKU_USER, pin.n ? pk_unconst(pin.p) : NULL, pin.n);
    return rv == CKR_USER_ALREADY_LOGGED_IN ? PK_DONE : pk_end(rv);
}

static void tell(const struct ck_token_info *info, struct p11_msg *answer)
{
    static const uint8_t low[4] = {0, 0, 0, P11_PIN_LOW}, fine[4];

    p11_msg_set(answer, P11_F_SERIAL, padded(info->serial_number, sizeof info->serial_number));
    p11_msg_set(answer, P11_F_MODEL, padded(info->model, sizeof info->model));
    p11_msg_set(answer, P11_F_FLAGS,
                KLM_SLICE(info->flags & CKF_USER_PIN_COUNT_LOW ? low : fine, 4));
}

struct pk_end pk_login(struct pk_token *token, const struct p11_msg *request,
                       struct ck_token_info *info, struct p11_msg *answer)
{
    PK_TRY(find_slot(token->module, request, &token->slot, info));
    if (!token->logged_in) {
        PK_TRY(log_in(token, request, info));
        token->logged_in = true;
    }
    tell(info, answer);
    return PK_DONE;
}
