/* Key servers of a storage system: which there may be, what online means, from whom a key comes. */
#include "system_help.h"

#include "base/secret.h"

static const char *why(const struct klm_diag *diag)
{
    return diag->text;
}

static klm_rc add(struct ios_system_state *state, const char *name, const char *host, uint16_t port,
                  bool primary, struct klm_diag *diag)
{
    const struct ios_keyserver server = server_at(name, host, port);

    *diag = (struct klm_diag){0};
    return ios_keyserver_add(state, &server, primary, diag);
}

TEST(up_to_four_key_servers_have_the_lowest_free_id_and_one_is_the_primary)
{
    struct ios_system_state state = plain_state();
    const struct ios_keyserver *found = NULL;
    struct klm_diag diag;

    CHECK(ios_keyserver_primary(&state) == NULL);
    REQUIRE_OK(add(&state, "", "a", 1, false, &diag));
    REQUIRE_OK(add(&state, "two", "a", 2, true, &diag));
    REQUIRE_OK(add(&state, "", "b", 1, false, &diag));
    CHECK_STR(state.server[0].name, "keyserver0");
    CHECK_STR(ios_keyserver_primary(&state)->name, "two");
    CHECK_RC(add(&state, "two", "c", 3, false, &diag), KLM_E_EXISTS);
    CHECK_RC(add(&state, "other", "a", 2, false, &diag), KLM_E_EXISTS);
    CHECK_RC(add(&state, "a b", "c", 3, false, &diag), KLM_E_INVALID);
    CHECK_RC(add(&state, "x", "", 3, false, &diag), KLM_E_INVALID);
    CHECK_RC(add(&state, "x", "c d", 3, false, &diag), KLM_E_INVALID);
    CHECK_RC(add(&state, "x", "c", 0, false, &diag), KLM_E_INVALID);
    CHECK(strstr(why(&diag), "KLM2108E") == why(&diag));
    REQUIRE_OK(add(&state, "four", "c", 3, false, &diag));
    CHECK_RC(add(&state, "five", "d", 4, false, &diag), KLM_E_LIMIT);
    CHECK_INT(state.servers_n, 4);

    CHECK_RC(ios_keyserver_remove(&state, 1, &diag), KLM_E_STATE); /* the primary */
    REQUIRE_OK(ios_keyserver_remove(&state, 0, &diag));
    REQUIRE_OK(ios_keyserver_remove(&state, 2, &diag));
    CHECK_RC(ios_keyserver_remove(&state, 2, &diag), KLM_E_NOTFOUND);
    REQUIRE_OK(add(&state, "zero", "e", 5, false, &diag));
    CHECK(state.servers_n == 3 && state.server[0].id == 0 && state.server[1].id == 1 &&
          state.server[2].id == 3);
    REQUIRE_OK(ios_keyserver_find(&state, "3", &diag, &found));
    CHECK_STR(found->name, "four");
    REQUIRE_OK(ios_keyserver_find(&state, "zero", &diag, &found));
    CHECK_INT(found->id, 0);
    CHECK_RC(ios_keyserver_find(&state, "2", &diag, &found), KLM_E_NOTFOUND);
}

TEST(a_key_server_is_changed_in_what_is_given)
{
    struct ios_system_state state = plain_state();
    struct klm_diag diag;

    REQUIRE_OK(add(&state, "one", "a", 1, false, &diag));
    REQUIRE_OK(add(&state, "two", "a", 2, false, &diag));
    REQUIRE_OK(ios_keyserver_change(&state, 1, "deux", NULL, 0, false, &diag));
    REQUIRE_OK(ios_keyserver_change(&state, 1, NULL, "b", 7, true, &diag));
    CHECK_STR(state.server[1].name, "deux");
    CHECK_STR(state.server[1].host, "b");
    CHECK_INT(state.server[1].port, 7);
    CHECK_INT(state.primary, 1);
    CHECK_RC(ios_keyserver_change(&state, 1, "one", NULL, 0, false, &diag), KLM_E_EXISTS);
    CHECK_RC(ios_keyserver_change(&state, 1, NULL, "a", 1, false, &diag), KLM_E_EXISTS);
    CHECK_RC(ios_keyserver_change(&state, 3, "x", NULL, 0, false, &diag), KLM_E_NOTFOUND);
    state.rekey = IOS_REKEY_PREPARING;
    CHECK_RC(ios_keyserver_change(&state, 0, NULL, NULL, 0, true, &diag), KLM_E_STATE);
    CHECK_RC(add(&state, "three", "c", 3, true, &diag), KLM_E_STATE);
    REQUIRE_OK(add(&state, "three", "c", 3, false, &diag));
    REQUIRE_OK(
        ios_keyserver_change(&state, 1, NULL, NULL, 8, true, &diag)); /* it is that already */
    CHECK_INT(state.primary, 1);
    REQUIRE_OK(ios_keyserver_remove(&state, 0, &diag));
    REQUIRE_OK(ios_keyserver_remove(&state, 2, &diag));
    CHECK_RC(ios_keyserver_remove(&state, 1, &diag), KLM_E_STATE); /* the last one */
    CHECK_STR(state.server[0].name, "deux");
}

static struct ios_system_edit opened(unsigned servers)
{
    struct ios_system_edit edit;
    static unsigned n;
    char name[16];

    fakes_begin();
    snprintf(name, sizeof name, "s%u", ++n);
    put_system(test_path(name), servers);
    REQUIRE_OK(ios_system_edit_begin(test_path(name), NULL, &edit));
    return edit;
}

TEST(online_is_who_answers_and_has_the_keys_in_force)
{
    struct ios_system_edit edit = opened(3);
    struct klm_diag diag = {0};
    uint8_t key[32];

#define ONLINE(i)                                                                                  \
    (ios_keyserver_check(&edit.state, &edit.state.server[i], &fake_ops, &diag) == KLM_OK)
    CHECK(ONLINE(0) && ONLINE(1) && ONLINE(2));
    fakes[1].down = true;
    CHECK(!ONLINE(1) && strstr(why(&diag), "it is down"));
    fakes[1].down = false;
    REQUIRE_OK(ios_system_enable(&edit, &fake_ops, &diag));
    CHECK(ONLINE(0) && !ONLINE(1) && !ONLINE(2));
    fakes_copy(0, 1), fakes_copy(0, 2);
    CHECK(ONLINE(0) && ONLINE(1) && ONLINE(2));
    fakes[2].other = true;
    CHECK(!ONLINE(2) && strstr(why(&diag), "KLM2117E") == why(&diag));
    fakes[2].other = false;
    REQUIRE_OK(ios_system_prepare(&edit, &fake_ops, &diag));
    CHECK(ONLINE(0) && !ONLINE(1) && !ONLINE(2));
    fakes_copy(0, 1);
    CHECK(ONLINE(1) && !ONLINE(2));

    /* The primary first, then whoever has it; never another key. */
    const struct ios_system_key *current = ios_system_key(&edit.state, IOS_KEY_CURRENT);
    fakes[1].asked = fakes[2].asked = 0;
    REQUIRE_OK(ios_system_key_fetch(&edit.state, current, &fake_ops, key, &diag));
    CHECK(fakes[1].asked == 0 && fakes[2].asked == 0);
    fakes[0].down = true, fakes[1].other = true;
    REQUIRE_OK(ios_system_key_fetch(&edit.state, current, &fake_ops, key, &diag));
    CHECK_MEM(key, fakes[0].key[0].key, 32);
    CHECK(fakes[1].asked == 1 && fakes[2].asked == 1);
    fakes[2].down = true;
    memset(key, 0xFF, sizeof key);
    CHECK_RC(ios_system_key_fetch(&edit.state, current, &fake_ops, key, &diag), KLM_E_NOTFOUND);
    CHECK(strstr(why(&diag), "KLM2118E") == why(&diag));
    CHECK(memcmp(key, fakes[0].key[0].key, 32) != 0 && key[1] == 0); /* a wrong one is wiped */
    ios_system_edit_end(&edit);
}
