/* Objects for tests of the verbs on them: put into the store as they are to be, without key material, and looked at there. */
#ifndef TESTS_KEYMGR_ATTR_HELP_H
#define TESTS_KEYMGR_ATTR_HELP_H

#include "keymgr/km_help.h"

#include "keymgr/object.h"
#include "kmip/codec/xml.h"

#define OBJECT_NOW 1700000000

static const struct km_actor object_client = {.kind = KM_ACTOR_CLIENT,
                                              .roles = KM_ROLE_CLIENT,
                                              .name = "ALPHA",
                                              .address = "192.0.2.7:40022",
                                              .fingerprint = "aa",
                                              .group = "RIGS",
                                              .may_destroy = true};

static struct klm_pool *object_pool;

static UNUSED void object_house(struct house *house, const char *name, const char *more)
{
    listen_now();
    klm_clock_set(OBJECT_NOW * 1000000LL);
    make_house(house, name, more);
    open_house(house, true);
    REQUIRE_OK(klm_pool_new(64 << 20, &object_pool));
}

static UNUSED void object_house_done(struct house *house)
{
    klm_pool_free(&object_pool);
    close_house(house);
    klm_clock_set(0);
}

/* An item from its XML. */
static UNUSED struct kmip_node *item_of(const char *xml)
{
    struct kmip_node *node = NULL;
    klm_rc rc = kmip_xml_decode(klm_slice_str(xml), NULL, object_pool, &node);

    if (rc != KLM_OK) {
        fprintf(stderr, "# %s\n", xml);
    }
    REQUIRE_OK(rc);
    return node;
}

/* An object without attributes but State (0: none), of the client's device group. */
static UNUSED void object_begin(struct md_object *object, uint32_t type, uint32_t state)
{
    *object = (struct md_object){.type = type, .group = "RIGS"};
    REQUIRE_OK(md_uid_new(object->uid));
    md_attrs_init(&object->attrs, object_pool);
    REQUIRE_OK(md_attr_set_number(&object->attrs, KMIP_TAG_LastChangeDate, OBJECT_NOW - 1000));
    if (state) {
        REQUIRE_OK(md_attr_set_number(&object->attrs, KMIP_TAG_State, state));
    }
}

static UNUSED void object_add(const struct house *house, const struct md_object *object)
{
    struct st_change *change = NULL;

    change = change_begin(house);
    REQUIRE_OK(md_object_add(change, object));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

/* What the store has of it now. */
static UNUSED void object_now(const struct house *house, const char *uid, struct md_object *out)
{
    struct st_view *view = NULL;

    REQUIRE_OK(st_view_open(km_store(house->server), &view));
    REQUIRE_OK(md_object_get(view, uid, object_pool, out));
    st_view_close(&view);
}

#endif
