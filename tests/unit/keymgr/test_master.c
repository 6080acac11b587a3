/* Change of the master key: what is moved with it. How it is asked for and confirmed, and what kills it, is in tests/scenario/test_master.py. */
#include "keymgr/km_help.h"

#include "keyring/material.h"

#define LABEL "KMIP.018f2f3c-0b1a-7c3d-8e4f-5a6b7c8d9e0f"

static const struct km_actor officer = {
    .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_OFFICER, .name = "OFFICER", .address = "console"};
static struct house house;

/* A new key beside the one in use. */
static void make_next(char vp[KR_VP_MAX])
{
    struct kr_master *master = NULL;
    char path[400];

    snprintf(path, sizeof path, "%s/masterkey/masterkey.sealed.next", house.dir);
    REQUIRE_OK(kr_master_generate(&master));
    REQUIRE_OK(kr_master_save(master, path, NULL));
    REQUIRE_OK(kr_master_confirm_escrow(path, NULL));
    kr_master_vp(master, vp);
    kr_master_free(&master);
}

static void ask(enum km_verb_id verb, const struct km_actor *actor, const char *pattern)
{
    struct km_call *call = new_call(&house, verb, actor);

    ((struct km_master_req *)call->req)->pattern = pattern;
    CHECK_RC(km_run_wait(call), KLM_OK);
    km_call_free(&call);
}

static struct kr_material *material_of(size_t n)
{
    static uint8_t much[KR_MATERIAL_MAX];
    struct kr_material *material = NULL;

    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = KMIP_ObjectType_OpaqueObject},
                               KLM_SLICE(much, n), &material));
    return material;
}

static void put(const char *label, const struct kr_material *material)
{
    struct st_change *change = NULL;
    struct klm_buf token;

    klm_buf_init(&token, ST_RECORD_MAX);
    REQUIRE_OK(kr_material_seal(km_master(house.server), label, material, &token));
    change = change_begin(&house);
    REQUIRE_OK(kr_token_put(change, label, klm_buf_as_slice(&token), false));
    REQUIRE_OK(st_change_commit(&change, NULL));
    klm_buf_done(&token);
}

/* Verification pattern that the material is under; and it opens. */
static void pattern_of(const char *label, const struct kr_material *material, char vp[KR_VP_MAX])
{
    struct kr_material *again = NULL;
    struct klm_pool *pool = NULL;
    struct st_view *view = NULL;
    struct klm_slice token;

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    REQUIRE_OK(kr_token_get(view, label, pool, &token));
    st_view_close(&view);
    REQUIRE_OK(kr_token_vp(token, vp));
    REQUIRE_OK(kr_material_open(km_master(house.server), label, token, &again));
    CHECK(kr_material_same(material, again));
    kr_material_free(&again);
    klm_pool_free(&pool);
}

#define MANY 150 /* more than one change can hold, by number and by size */

TEST(the_material_of_managed_objects_is_moved_to_the_new_master_key)
{
    struct kr_material *material = material_of(KR_MATERIAL_MAX);
    char next[KR_VP_MAX], now[KR_VP_MAX] = "", label[KR_TOKEN_LABEL_MAX + 1];

    start_house(&house, "moving", "");
    for (int i = 0; i < MANY; i++) {
        snprintf(label, sizeof label, LABEL "-%03d", i);
        put(label, material);
    }
    make_next(next);
    ask(KM_MASTER_REQUEST, &admin, NULL);
    ask(KM_MASTER_CONFIRM, &officer, next);
    for (int i = 0; i < 800 && strcmp(now, next) != 0; i++) {
        nap_ms(25); /* the pass begins two seconds after the confirmation */
        pattern_of(LABEL "-149", material, now);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(label, sizeof label, LABEL "-%03d", i);
        pattern_of(label, material, now);
        CHECK_STR(now, next);
    }
    close_house(&house);
    kr_material_free(&material);
}

TEST(the_material_of_a_managed_object_is_no_private_key_to_be_written_to_a_file)
{
    struct kr_material *material = material_of(100);

    start_house(&house, "no_key", "");
    put(LABEL, material);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_TOKEN_NOT_FOUND, &house, KM_TOKEN_WRITE, &admin, "label",
            LABEL);
    close_house(&house);
    kr_material_free(&material);
}
