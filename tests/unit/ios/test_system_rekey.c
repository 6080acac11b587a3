/* Rekey of a storage system: what is where after each step, what is refused when, and that a command that was killed at any call is given again and makes one key. */
#include "base/kill_at.h"

#include "system_help.h"

#include <fcntl.h>
#include <stdlib.h>

static char dir[4096];
static struct klm_diag diag;

typedef klm_rc step_fn(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                       struct klm_diag *diag);

static klm_rc do_cancel(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                        struct klm_diag *out)
{
    struct klm_diag left;

    return ios_system_cancel(edit, ops, &left, out);
}

/* A command: lock, read, step. */
static klm_rc step(step_fn *fn)
{
    struct ios_system_edit edit;
    klm_rc rc;

    diag = (struct klm_diag){0};
    KLM_TRY(ios_system_edit_begin(dir, &diag, &edit));
    rc = fn(&edit, &fake_ops, &diag);
    ios_system_edit_end(&edit);
    return rc;
}

static void fresh(const char *name, unsigned servers)
{
    fakes_begin();
    snprintf(dir, sizeof dir, "%s", test_path(name));
    put_system(dir, servers);
}

static void replicate(void)
{
    for (unsigned i = 1; i < IOS_KEYSERVERS; i++) {
        fakes_copy(0, i);
    }
}

/* The keys as "1 obsolete, 2 current". */
static const char *keys(void)
{
    static char text[1024];
    const struct ios_system_state state = get_state(dir);

    text[0] = '\0';
    for (size_t i = 0; i < state.keys_n; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u %s", i ? ", " : "",
                 (unsigned)state.key[i].number, ios_key_place_name(state.key[i].place));
    }
    return text;
}

static const char *rekey(void)
{
    const struct ios_system_state state = get_state(dir);

    return ios_rekey_name(&state);
}

#define NOT_NOW(fn)                                                                                \
    do {                                                                                           \
        const struct ios_system_state before = get_state(dir);                                     \
        CHECK_RC(step(fn), KLM_E_STATE);                                                           \
        CHECK_STR(klm_msg(diag.msg)->id, "KLM2111E");                                              \
        CHECK_INT(get_state(dir).change, before.change);                                           \
    } while (0)

TEST(a_key_goes_from_prepared_to_current_to_obsolete)
{
    fresh("way", 2);
    CHECK_STR(rekey(), "no_key");
    NOT_NOW(ios_system_prepare);
    NOT_NOW(ios_system_commit);
    NOT_NOW(do_cancel);
    NOT_NOW(ios_system_disable);
    REQUIRE_OK(step(ios_system_enable));
    CHECK_STR(keys(), "1 current");
    CHECK_STR(rekey(), "no");
    CHECK_INT(fakes[0].key[0].state, KMIP_State_Active);
    CHECK_INT(fakes[1].n, 0);
    NOT_NOW(ios_system_enable);
    NOT_NOW(ios_system_commit);
    NOT_NOW(do_cancel);
    CHECK_RC(step(ios_system_prepare), KLM_E_STATE); /* the second key server has nothing yet */
    CHECK_STR(klm_msg(diag.msg)->id, "KLM2110E");
    CHECK_INT(fakes[0].made, 1);
    replicate();
    REQUIRE_OK(step(ios_system_prepare));
    CHECK_STR(keys(), "1 current, 2 prepared");
    CHECK_STR(rekey(), "prepared");
    CHECK_INT(fakes[0].key[1].state, KMIP_State_PreActive);
    CHECK(strstr(fakes[0].key[1].name, "SVC_1-" SERIAL "-K00002-") == fakes[0].key[1].name);
    CHECK_INT(fakes[1].n, 1);
    NOT_NOW(ios_system_prepare);
    NOT_NOW(ios_system_disable);
    REQUIRE_OK(step(ios_system_commit));
    CHECK_STR(keys(), "1 obsolete, 2 current");
    CHECK_STR(rekey(), "no");
    CHECK_INT(fakes[0].key[0].state, KMIP_State_Deactivated);
    CHECK_INT(fakes[0].key[1].state, KMIP_State_Active);
    CHECK_STR(fakes[0].key[0].replacement, fakes[0].key[1].uid);
    CHECK_STR(fakes[0].key[1].replaced, fakes[0].key[0].uid);
    NOT_NOW(ios_system_commit);
    REQUIRE_OK(step(ios_system_disable));
    CHECK_STR(keys(), "1 obsolete, 2 obsolete");
    CHECK_STR(rekey(), "no_key");
    CHECK_INT(fakes[0].key[1].state, KMIP_State_Deactivated);
    replicate();
    REQUIRE_OK(step(ios_system_enable));
    CHECK_STR(keys(), "1 obsolete, 2 obsolete, 3 current");
    CHECK_STR(fakes[0].key[2].replaced, "");
}

TEST(what_is_cancelled_is_destroyed_or_left_and_its_number_never_comes_again)
{
    struct ios_system_edit edit;
    struct klm_diag left;

    fresh("cancel", 1);
    REQUIRE_OK(step(ios_system_enable));
    REQUIRE_OK(step(ios_system_prepare));
    REQUIRE_OK(step(do_cancel));
    CHECK_STR(keys(), "1 current, 2 cancelled");
    CHECK_INT(fakes[0].key[1].state, KMIP_State_Destroyed);
    REQUIRE_OK(step(ios_system_prepare));
    fakes[0].strict = true;
    REQUIRE_OK(ios_system_edit_begin(dir, &diag, &edit));
    REQUIRE_OK(ios_system_cancel(&edit, &fake_ops, &left, &diag));
    CHECK(strstr(left.text, "not allowed") != NULL);
    ios_system_edit_end(&edit);
    CHECK_STR(keys(), "1 current, 2 cancelled, 3 cancelled");
    REQUIRE_OK(step(ios_system_prepare));
    fakes[0].down = true; /* given up without the key server */
    REQUIRE_OK(ios_system_edit_begin(dir, &diag, &edit));
    REQUIRE_OK(ios_system_cancel(&edit, &fake_ops, &left, &diag));
    CHECK(strstr(left.text, "it is down") != NULL);
    ios_system_edit_end(&edit);
    fakes[0].down = fakes[0].strict = false;
    REQUIRE_OK(step(ios_system_prepare));
    REQUIRE_OK(step(ios_system_commit));
    CHECK_STR(keys(), "1 obsolete, 2 cancelled, 3 cancelled, 4 cancelled, 5 current");
}

TEST(a_commit_needs_the_key_that_was_prepared)
{
    fresh("prove", 1);
    REQUIRE_OK(step(ios_system_enable));
    REQUIRE_OK(step(ios_system_prepare));
    fakes[0].other = true;
    CHECK_RC(step(ios_system_commit), KLM_E_WRONGKEY);
    fakes[0].other = false, fakes[0].down = true;
    CHECK_RC(step(ios_system_commit), KLM_E_IO);
    fakes[0].down = false;
    fakes[0].key[1].state = KMIP_State_Destroyed;
    CHECK_RC(step(ios_system_commit), KLM_E_DENIED);
    CHECK_STR(keys(), "1 current, 2 prepared");
    CHECK_STR(rekey(), "prepared");
    REQUIRE_OK(step(do_cancel));
    CHECK_STR(keys(), "1 current, 2 cancelled");
}

TEST(volumes_are_under_the_key_of_their_time)
{
    struct ios_system_edit edit;
    char path[4200], got[64] = "";
    uint64_t n = 0;
    int fd;

    fresh("volumes", 1);
    snprintf(path, sizeof path, "%s/in", dir);
    for (unsigned i = 1; i <= 2; i++) {
        char name[8], text[16];

        REQUIRE_OK(i == 1 ? step(ios_system_enable) : step(ios_system_prepare));
        REQUIRE_OK(i == 1 ? KLM_OK : step(ios_system_commit));
        snprintf(name, sizeof name, "VOL%u", i);
        snprintf(text, sizeof text, "content %u", i);
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        REQUIRE(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
                lseek(fd, 0, SEEK_SET) == 0);
        REQUIRE_OK(ios_system_edit_begin(dir, &diag, &edit));
        REQUIRE_OK(ios_system_write(&edit, &fake_ops, name, fd, &n, &diag));
        CHECK_INT(n, strlen(text));
        ios_system_edit_end(&edit);
        close(fd);
    }
    NOT_NOW(ios_system_disable);
    const struct ios_system_state state = get_state(dir);
    for (unsigned i = 1; i <= 2; i++) {
        char name[8], text[16];

        snprintf(name, sizeof name, "VOL%u", i);
        snprintf(text, sizeof text, "content %u", i);
        fd = open(path, O_RDWR | O_TRUNC);
        REQUIRE_OK(ios_system_read(dir, &state, &fake_ops, name, fd, &n, &diag));
        memset(got, 0, sizeof got);
        REQUIRE(pread(fd, got, sizeof got, 0) == (ssize_t)n);
        CHECK_STR(got, text);
        close(fd);
    }
    CHECK_RC(ios_system_read(dir, &state, &fake_ops, "VOL3", -1, &n, &diag), KLM_E_NOTFOUND);
    fakes[0].key[0].state = KMIP_State_Destroyed;
    CHECK_RC(ios_system_read(dir, &state, &fake_ops, "VOL1", -1, &n, &diag), KLM_E_NOTFOUND);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM2118E");
    struct ios_system_state younger = state; /* a state that does not know the key */
    younger.keys_n = 1;
    CHECK_RC(ios_system_read(dir, &younger, &fake_ops, "VOL2", -1, &n, &diag), KLM_E_NOTFOUND);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM2119E");
}

TEST(two_hundred_keys_are_kept_and_cancelled_ones_make_room)
{
    struct ios_system_state state;

    fresh("many", 1);
    REQUIRE_OK(step(ios_system_enable));
    state = get_state(dir);
    for (unsigned i = 1; i < IOS_SYSTEM_KEYS; i++) {
        state.key[i] = state.key[0];
        state.key[i].number = i + 1;
        state.key[i - 1].place = i == 100 ? IOS_KEY_CANCELLED : IOS_KEY_OBSOLETE;
    }
    state.keys_n = IOS_SYSTEM_KEYS;
    state.key[IOS_SYSTEM_KEYS - 1].place = IOS_KEY_CURRENT;
    put_state(dir, &state);
    REQUIRE_OK(step(ios_system_prepare));
    state = get_state(dir);
    CHECK(state.keys_n == IOS_SYSTEM_KEYS && state.key[IOS_SYSTEM_KEYS - 1].number == 201 &&
          !ios_system_key_number(&state, 100));
    REQUIRE_OK(step(ios_system_commit));
    NOT_NOW(ios_system_prepare);
    CHECK(strstr(diag.text, "200 keys") != NULL);
}

/* ---- Killed at each call that changes a file */

static int child(void *arg)
{
    klm_rc rc;

    kill_begin();
    rc = step(*(step_fn **)arg);
    return rc != KLM_OK;
}

static unsigned live(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < fakes[0].n; i++) {
        n += fakes[0].key[i].state != KMIP_State_Destroyed;
    }
    return n;
}

/* From the same beginning, killed at its nth call; given again, it ends as if nothing had been. */
static void kill_each(step_fn *fn, const char *name, const char *want_keys, unsigned want_live)
{
    static struct fake_server kept_server;
    char kept[4200];
    bool through = false;
    long n = 0;

    kept_server = fakes[0];
    snprintf(kept, sizeof kept, "%s.kept", dir);
    SPAWN("rm", "-rf", kept);
    SPAWN("cp", "-a", dir, kept);
    for (; !through && n < 100; n++) {
        SPAWN("rm", "-rf", dir);
        SPAWN("cp", "-a", kept, dir);
        fakes[0] = kept_server;
        through = kill_run(child, &fn, n);
        (void)get_state(dir); /* it is one */
        if (!through && strcmp(keys(), want_keys) != 0) {
            REQUIRE_OK(step(fn));
        }
        if (!through && get_state(dir).rekey != IOS_REKEY_NO && fn != ios_system_prepare) {
            REQUIRE_OK(step(fn));
        }
        CHECK_STR(keys(), want_keys);
        CHECK_INT(live(), want_live);
        CHECK(fakes[0].made - kept_server.made <= 1);
    }
    fprintf(stderr, "# %s: killed %ld times\n", name, n - 1);
    CHECK(through && n > 2); /* a write and a rename at least */
}

TEST(a_kill_at_each_call_loses_no_key_and_makes_none_twice)
{
    fresh("killed", 1);
    kill_each(ios_system_enable, "enable", "1 current", 1);
    kill_each(ios_system_prepare, "prepare", "1 current, 2 prepared", 2);
    kill_each(ios_system_commit, "commit", "1 obsolete, 2 current", 2);
    REQUIRE_OK(step(ios_system_prepare));
    kill_each(do_cancel, "cancel", "1 obsolete, 2 current, 3 cancelled", 2);
    kill_each(ios_system_disable, "disable", "1 obsolete, 2 obsolete, 3 cancelled", 2);
}

/* The request is noted, the key was made, and nothing more: it is found by its Name, or given up. */
TEST(a_key_that_was_made_and_not_noted_is_found_again)
{
    struct ios_system_state state;
    char uid[IOS_KEY_UID + 1];

    fresh("found", 1);
    REQUIRE_OK(step(ios_system_enable));
    for (int way = 0; way < 2; way++) {
        state = get_state(dir);
        state.rekey = IOS_REKEY_PREPARING;
        snprintf(state.request, sizeof state.request, "the-name-%d", way);
        put_state(dir, &state);
        CHECK_STR(rekey(), "preparing");
        NOT_NOW(ios_system_commit);
        REQUIRE_OK(fake_make(NULL, &state.server[0], state.request, SERIAL, uid, NULL));
        const unsigned made = fakes[0].made;
        REQUIRE_OK(way == 0 ? step(ios_system_prepare) : step(do_cancel));
        CHECK_INT(fakes[0].made, made);
        if (way == 0) {
            state = get_state(dir);
            CHECK_STR(ios_system_key(&state, IOS_KEY_PREPARED)->uid, uid);
            REQUIRE_OK(step(ios_system_commit));
        }
    }
    CHECK_STR(keys(), "1 obsolete, 2 current");
    CHECK_INT(fakes[0].key[2].state, KMIP_State_Destroyed);
    CHECK_STR(rekey(), "no");
}
