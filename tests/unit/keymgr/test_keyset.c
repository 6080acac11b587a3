/* Stored keys on their way to a backup key server with the same master key: taken once, never replaced, and never given there for a second volume. */
#include "keymgr/km_help.h"

#include "metadata/group.h"

static struct house house, backup, stranger;
static struct klm_slice set;

/* A house without rings, offline; with the master key of another. */
static void make_beside(struct house *made, const char *name, const struct house *master)
{
    char from[500], to[500];
    struct klm_buf file;

    make_house(made, name, "");
    if (master) {
        snprintf(from, sizeof from, "%s/masterkey/masterkey.sealed", master->dir);
        snprintf(to, sizeof to, "%s/masterkey/masterkey.sealed", made->dir);
        klm_buf_init(&file, 65536);
        REQUIRE_OK(klm_file_read(from, 65536, &file, NULL));
        REQUIRE_OK(klm_file_replace(to, klm_buf_as_slice(&file), 0600, NULL));
        klm_buf_done(&file);
    }
    open_house(made, true);
}

static struct km_call *write_set(const struct house *from, const char *after)
{
    struct km_call *call = run_call(from, KM_KEYSET_WRITE, &admin, "after", after, NULL);

    REQUIRE_OK(call->rc);
    return call;
}

static struct km_call *read_set(const struct house *to, struct klm_slice bytes)
{
    struct km_call *call = new_call(to, KM_KEYSET_READ, &admin);

    ((struct km_keyset_req *)call->req)->bytes = bytes;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static void check_read(const struct house *to, const char *text)
{
    struct km_call *call = read_set(to, set);

    CHECK_RC(call->rc, KLM_OK);
    CHECK_STR(call->text, text);
    km_call_free(&call);
}

static klm_rc give(const struct house *at, const char *volser, char alias[KLM_ALIAS_MAX + 1])
{
    struct st_change *change = change_begin(at);
    uint64_t left;
    klm_rc rc;

    rc = md_group_next(change, "TAPES", volser, klm_clock(), alias, &left);
    if (rc == KLM_OK) {
        rc = st_change_commit(&change, NULL);
    }
    st_change_drop(&change);
    return rc;
}

static void opened(void)
{
    char alias[KLM_ALIAS_MAX + 1];
    struct km_call *call;

    if (house.server) {
        return;
    }
    listen_now();
    make_beside(&house, "first", NULL);
    make_beside(&backup, "backup", &house);
    make_beside(&stranger, "stranger", NULL);
    DO(&house, KM_GROUP_ADD, &admin, "groupID", "TAPES");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "des1-3", "groupID", "TAPES");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "PLAIN");
    REQUIRE_OK(give(&house, "LTO001", alias));
    call = write_set(&house, "");
    CHECK_STR(call->text, "4 stored keys up to des000000000000000003");
    set = KLM_SLICE(malloc(call->bytes.n), call->bytes.n);
    REQUIRE(set.p != NULL);
    memcpy((uint8_t *)(uintptr_t)set.p, call->bytes.p, set.n);
    km_call_free(&call);
}

TEST(all_keys_are_taken_once_with_the_volumes_that_have_them)
{
    char alias[KLM_ALIAS_MAX + 1] = "";
    struct km_call *groups, *call;

    opened();
    check_read(&backup, "4 stored keys taken, 0 were here");
    check_read(&backup, "0 stored keys taken, 4 were here");
    groups = run_call(&house, KM_GROUPS_WRITE, &admin, NULL);
    REQUIRE_OK(groups->rc);
    call = new_call(&backup, KM_GROUPS_READ, &admin);
    ((struct km_file_req *)call->req)->bytes = groups->bytes;
    CHECK_RC(km_run_wait(call), KLM_OK);
    CHECK_STR(call->text, "1 key groups added, 0 changed, 0 removed; 0 of their keys not here");
    km_call_free(&groups);
    km_call_free(&call);
    REQUIRE_OK(give(&backup, "OTHER1", alias));
    CHECK_STR(alias, "des000000000000000002"); /* the first is on LTO001 */
    CHECK_INT(events(&backup, "keyset-read", SMF_SUCCESS, NULL, NULL), 2);
    CHECK_INT(events(&house, "keyset-write", SMF_SUCCESS, NULL, NULL), 1);
}

TEST(keys_behind_an_alias_are_the_next_file)
{
    struct km_call *call;

    opened();
    call = write_set(&house, "des000000000000000002");
    CHECK_STR(call->text, "1 stored keys up to des000000000000000003");
    km_call_free(&call);
    call = write_set(&house, "des000000000000000003");
    CHECK_STR(call->text, "0 stored keys");
    km_call_free(&call);
}

TEST(another_master_key_and_another_key_of_the_same_alias_change_nothing)
{
    struct km_call *call;

    opened();
    expect(read_set(&stranger, set), KLM_E_WRONGKEY, KLM_MSG_XFER_OTHER_MASTER, __FILE__, __LINE__);
    DO(&backup, KM_KEYS_DELETE, &admin, "alias", "des3-3");
    DO(&backup, KM_KEYS_DELETE, &admin, "alias", "PLAIN");
    DO(&backup, KM_KEYS_CREATE, &admin, "range", "PLAIN");
    expect(read_set(&backup, set), KLM_E_EXISTS, KLM_MSG_KEYSET_OTHER, __FILE__, __LINE__);
    call = write_set(&backup, "");
    CHECK_STR(call->text, "3 stored keys up to des000000000000000002");
    km_call_free(&call);
    DO(&backup, KM_KEYS_DELETE, &admin, "alias", "PLAIN");
    check_read(&backup, "2 stored keys taken, 2 were here");
}

TEST(what_is_no_stored_key_or_has_the_name_of_a_group_is_refused)
{
    struct km_call *token;
    struct klm_buf file;

    opened();
    DO(&house, KM_CERT_GENERATE, &admin, "owner", OWNER, "label", "X", "subject", "CN=x", "type",
       "NISTECC", "token_label", "T.X");
    token = run_call(&house, KM_TOKEN_WRITE, &admin, "label", "T.X", NULL);
    REQUIRE_OK(token->rc);
    klm_buf_init(&file, 65536);
    kr_xfer_set_head(1, &file);
    klm_buf_put(&file, token->bytes.p, token->bytes.n);
    expect(read_set(&backup, klm_buf_as_slice(&file)), KLM_E_INVALID, KLM_MSG_KEYSET_NO_KEY,
           __FILE__, __LINE__);
    klm_buf_done(&file);
    km_call_free(&token);
    DO(&backup, KM_KEYS_DELETE, &admin, "alias", "PLAIN");
    DO(&backup, KM_GROUP_ADD, &admin, "groupID", "PLAIN");
    expect(read_set(&backup, set), KLM_E_EXISTS, KLM_MSG_GROUP_TAKEN, __FILE__, __LINE__);
    DO(&backup, KM_GROUP_DELETE, &admin, "groupID", "PLAIN");
    expect(read_set(&backup, KLM_SLICE(set.p, set.n - 1)), KLM_E_CORRUPT, KLM_MSG_XFER_SHORT,
           __FILE__, __LINE__);
    check_read(&backup, "1 stored keys taken, 3 were here");
}

TEST(only_security_administrators_move_keys_and_profiles_narrow_it)
{
    opened();
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_KEYSET_WRITE, &oper, NULL);
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_GROUPS_WRITE, &oper, NULL);
    DO(&backup, KM_CLASS_SET, &admin, "classact", "CSFKEYS");
    expect(read_set(&backup, set), KLM_E_DENIED, KLM_MSG_ACCESS_NONE, __FILE__, __LINE__);
    DO(&backup, KM_PROFILE_DEFINE, &admin, "class", "CSFKEYS", "profile", "PLAIN", "uacc", "READ");
    expect(read_set(&backup, set), KLM_E_DENIED, KLM_MSG_ACCESS_LOW, __FILE__, __LINE__);
    DO(&house, KM_CLASS_SET, &admin, "classact", "CSFKEYS");
    REFUSED(KLM_E_DENIED, KLM_MSG_ACCESS_NONE, &house, KM_KEYSET_WRITE, &admin, NULL);
    close_house(&house);
    close_house(&backup);
    close_house(&stranger);
}
