/* The recovery key of an array: how it is written, and what may be done with it (ARRAY.md, section 4). */
#include "ios/array.h"

#include "base/digest.h"
#include "base/secret.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PARTS 2
#define PART 16 /* bytes of the key in a part */
#define CHECK 2 /* bytes of its check */
#define FREE_TRIES 3
#define FIRST_WAIT 10 /* seconds after the third wrong try; doubled for each further one */
#define LONGEST_WAIT 3600
#define SECOND 1000000LL
#define BLANKS " \t\r\n"

/* ---- As text */

/* First bytes of SHA-256 over what part it is and its bytes: finds a slip of the pen, and parts that were exchanged. */
static klm_rc check_of(unsigned part, const uint8_t *bytes, uint8_t out[CHECK])
{
    uint8_t digest[32], name[] = "klm array recovery part 1";

    name[sizeof name - 2] = (uint8_t)('1' + part);
    KLM_TRY(klm_sha256((struct klm_slice[]){{name, sizeof name - 1}, {bytes, PART}}, 2, digest));
    memcpy(out, digest, CHECK);
    return KLM_OK;
}

/* "PART 1: 0123-4567-...": groups of four digits, the last the check. */
static klm_rc put_part(unsigned part, const uint8_t *bytes, struct klm_buf *out)
{
    uint8_t whole[PART + CHECK];
    char hex[2 * sizeof whole + 1];
    klm_rc rc = check_of(part, bytes, whole + PART);

    memcpy(whole, bytes, PART);
    klm_hex_upper(whole, sizeof whole, hex);
    klm_buf_printf(out, "PART %u: ", part + 1);
    for (size_t i = 0; i < sizeof hex - 1; i += 4) {
        klm_buf_printf(out, "%s%.4s", i ? "-" : "", hex + i);
    }
    klm_buf_text(out, "\n");
    klm_wipe(whole, sizeof whole);
    klm_wipe(hex, sizeof hex);
    return rc == KLM_OK ? klm_buf_rc(out) : rc;
}

klm_rc ios_recovery_text(const uint8_t key[IOS_SUBKEY], char out[IOS_RECOVERY_TEXT])
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;

    klm_buf_init_wiping(&text, IOS_RECOVERY_TEXT - 1);
    for (unsigned part = 0; part < PARTS; part++) {
        KLM_TRY(put_part(part, key + part * PART, &text));
    }
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return KLM_OK;
}

/* Text behind "PART n:", when it stands there. */
static const char *skip_heading(const char *at)
{
    const char *p = at + strspn(at, BLANKS);

    if (strncasecmp(p, "part ", 5) != 0 || (p[5] != '1' && p[5] != '2') || p[6] != ':') {
        return at;
    }
    return p + 7;
}

/* The bytes of one part and its check; returns where the text goes on, NULL when it does not fit. */
static const char *get_part(const char *at, uint8_t out[PART + CHECK])
{
    size_t digits = 0;

    for (at = skip_heading(at); *at && digits < 2 * (PART + CHECK); at++) {
        unsigned char c = (unsigned char)*at;

        if (isxdigit(c)) {
            uint8_t value = (uint8_t)(isdigit(c) ? c - '0' : toupper(c) - 'A' + 10);

            out[digits / 2] = (uint8_t)(digits % 2 ? out[digits / 2] << 4 | value : value);
            digits++;
        } else if (c != '-' && !isspace(c)) {
            return NULL;
        }
    }
    return digits == 2 * (PART + CHECK) ? at : NULL;
}

static klm_rc parse(const char *at, uint8_t *key)
{
    uint8_t part[PART + CHECK], check[CHECK];
    klm_rc rc = KLM_OK;

    for (unsigned i = 0; i < PARTS && rc == KLM_OK; i++) {
        at = get_part(at, part);
        rc = at ? check_of(i, part, check) : KLM_E_INVALID;
        if (rc == KLM_OK && memcmp(part + PART, check, CHECK) != 0) {
            rc = KLM_E_INVALID;
        }
        if (rc == KLM_OK) {
            memcpy(key + i * PART, part, PART);
        }
    }
    klm_wipe(part, sizeof part);
    return rc == KLM_OK && at[strspn(at, BLANKS)] ? KLM_E_INVALID : rc;
}

klm_rc ios_recovery_parse(const char *text, uint8_t key[IOS_SUBKEY])
{
    uint8_t *room = klm_secret_alloc(IOS_SUBKEY);
    klm_rc rc = room ? parse(text, room) : KLM_E_NOMEM;

    if (rc == KLM_OK) {
        memcpy(key, room, IOS_SUBKEY);
    }
    klm_secret_free(room, IOS_SUBKEY);
    return rc;
}

/* ---- Tries */

/* Seconds that a try has to wait still. A clock that was set back makes it wait no longer than a full wait. */
static int64_t must_wait(const struct ios_array_recovery *recovery)
{
    int64_t wait = FIRST_WAIT, gone = (klm_clock() - recovery->last_try) / SECOND;

    if (recovery->tries < FREE_TRIES) {
        return 0;
    }
    for (uint32_t i = FREE_TRIES; i < recovery->tries && wait < LONGEST_WAIT; i++) {
        wait *= 2;
    }
    wait = wait < LONGEST_WAIT ? wait : LONGEST_WAIT;
    gone = gone < 0 ? 0 : gone;
    return gone < wait ? wait - gone : 0;
}

/* May a try be made? It is counted on disk first, so that no kill makes it free. */
static klm_rc count_try(struct ios_array_edit *edit, struct klm_diag *diag)
{
    struct ios_array_recovery *recovery = &edit->state.recovery;
    int64_t wait = must_wait(recovery);

    if (recovery->tries >= IOS_RECOVERY_TRIES) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_RECOVERY_BLOCKED, KLM_NUM(recovery->tries));
    }
    if (wait > 0) {
        return klm_fail(diag, KLM_E_AGAIN, KLM_MSG_RECOVERY_WAIT, KLM_NUM(wait));
    }
    recovery->tries++;
    recovery->last_try = klm_clock();
    return ios_array_edit_save(edit, diag);
}

/* The group key, or a failure that is counted. */
static klm_rc try_key(struct ios_array_edit *edit, const char *text, struct klm_diag *diag,
                      uint8_t *group_key)
{
    struct ios_array_state *state = &edit->state;
    uint8_t *key = klm_secret_alloc(IOS_SUBKEY);
    klm_rc rc = key ? ios_recovery_parse(text, key) : KLM_E_NOMEM;

    if (rc != KLM_OK) {
        rc = klm_fail(diag, rc, KLM_MSG_RECOVERY_TEXT);
    } else {
        rc = count_try(edit, diag);
    }
    if (rc == KLM_OK &&
        ios_array_open(IOS_USE_RECOVERY_KEY, state->serial, state->group, key, state->recovery.salt,
                       state->recovery.wrapped, group_key) != KLM_OK) {
        rc = klm_fail(diag, KLM_E_WRONGKEY, KLM_MSG_RECOVERY_WRONG, KLM_NUM(state->recovery.tries),
                      KLM_NUM(IOS_RECOVERY_TRIES));
    }
    klm_secret_free(key, IOS_SUBKEY);
    if (rc == KLM_OK) {
        state->recovery.tries = 0;
        rc = ios_array_edit_save(edit, diag);
    }
    return rc;
}

static klm_rc need(const struct ios_array_edit *edit, enum ios_recovery_state state,
                   struct klm_diag *diag)
{
    return edit->state.recovery.state == state
               ? KLM_OK
               : klm_fail(diag, KLM_E_STATE,
                          state == IOS_RECOVERY_READY ? KLM_MSG_RECOVERY_NOT_READY
                                                      : KLM_MSG_RECOVERY_NOT_SHOWN,
                          edit->state.serial);
}

klm_rc ios_array_recover(struct ios_array_edit *edit, const char *text, struct klm_diag *diag,
                         uint8_t *group_key)
{
    KLM_TRY(need(edit, IOS_RECOVERY_READY, diag));
    return try_key(edit, text, diag, group_key);
}

klm_rc ios_array_recovery_verify(const char *dir, const char *text, struct klm_diag *diag)
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};
    uint8_t *group_key;
    klm_rc rc;

    KLM_TRY(ios_array_edit_begin(dir, false, diag, &edit));
    KLM_TRY(need(&edit, IOS_RECOVERY_SHOWN, diag));
    group_key = klm_secret_alloc(IOS_SUBKEY);
    if (!group_key) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "the group key");
    }
    rc = try_key(&edit, text, diag, group_key);
    klm_secret_free(group_key, IOS_SUBKEY);
    KLM_TRY(rc);
    edit.state.recovery.state = IOS_RECOVERY_READY;
    edit.state.recovery.changed = klm_clock();
    return ios_array_edit_save(&edit, diag);
}

/* ---- Making and ending */

static klm_rc make(struct ios_array_state *state, const uint8_t *group_key,
                   char out[IOS_RECOVERY_TEXT])
{
    struct ios_array_recovery recovery = {.state = IOS_RECOVERY_SHOWN, .changed = klm_clock()};
    uint8_t *key = klm_secret_alloc(IOS_SUBKEY);
    klm_rc rc = key ? klm_random(key, IOS_SUBKEY) : KLM_E_NOMEM;

    if (rc == KLM_OK) {
        rc = ios_array_seal(IOS_USE_RECOVERY_KEY, state->serial, state->group, key, group_key,
                            recovery.salt, recovery.wrapped);
    }
    if (rc == KLM_OK) {
        rc = ios_recovery_text(key, out);
    }
    if (rc == KLM_OK) {
        state->recovery = recovery;
    }
    klm_secret_free(key, IOS_SUBKEY);
    return rc;
}

klm_rc ios_array_recovery_create(const char *dir, struct ios_hosts *hosts, struct ios_fault *fault,
                                 struct klm_diag *diag, char out[IOS_RECOVERY_TEXT])
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};
    KLM_AUTO(ios_array_opened_done) struct ios_array_opened opened = {0};
    klm_rc rc;

    KLM_TRY(ios_array_edit_begin(dir, false, diag, &edit));
    if (edit.state.recovery.state == IOS_RECOVERY_READY) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_RECOVERY_THERE, edit.state.serial);
    }
    KLM_TRY(ios_array_unlock(&edit.state, hosts, fault, diag, &opened));
    rc = make(&edit.state, opened.group_key, out);
    if (rc == KLM_OK) {
        rc = ios_array_edit_save(&edit, diag);
    } else {
        rc = klm_fail(diag, rc, KLM_MSG_ARRAY_CRYPTO, klm_rc_text(rc));
    }
    if (rc != KLM_OK) {
        klm_wipe(out, IOS_RECOVERY_TEXT);
    }
    return rc;
}

klm_rc ios_array_recovery_disable(const char *dir, struct ios_hosts *hosts, struct ios_fault *fault,
                                  struct klm_diag *diag)
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};
    KLM_AUTO(ios_array_opened_done) struct ios_array_opened opened = {0};

    KLM_TRY(ios_array_edit_begin(dir, false, diag, &edit));
    KLM_TRY(ios_array_unlock(&edit.state, hosts, fault, diag, &opened));
    edit.state.recovery =
        (struct ios_array_recovery){.state = IOS_RECOVERY_OFF, .changed = klm_clock()};
    return ios_array_edit_save(&edit, diag);
}

klm_rc ios_array_recovery_reset(const char *dir, struct klm_diag *diag)
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};

    KLM_TRY(ios_array_edit_begin(dir, false, diag, &edit));
    if (edit.state.recovery.tries == 0) {
        return KLM_OK;
    }
    edit.state.recovery.tries = 0;
    return ios_array_edit_save(&edit, diag);
}
