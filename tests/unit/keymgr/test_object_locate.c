/* Locate as a verb: whose objects are found, how many at most, what a batch sees, and what is left to workers. */
#include "keymgr/attr_help.h"

static struct house house;
static char uid[5][MD_UID_MAX];

/* Five keys of one name's group, the last one of another device group. */
static void serving(void)
{
    if (house.server) {
        return;
    }
    object_house(&house, "object-locate", "kmip.locate.max=3\n");
    for (size_t i = 0; i < KLM_COUNT(uid); i++) {
        struct md_object object;

        object_begin(&object, KMIP_ObjectType_SymmetricKey, KMIP_State_Active);
        REQUIRE_OK(md_attr_set_text(&object.attrs, KMIP_TAG_ObjectGroup, "g"));
        if (i == 4) {
            snprintf(object.group, sizeof object.group, "OTHERS");
        }
        object_add(&house, &object);
        memcpy(uid[i], object.uid, sizeof uid[i]);
    }
}

static struct km_call *locate(const struct km_actor *actor, uint64_t offset, uint64_t max,
                              bool counts)
{
    static const struct kmip_node *filter[1];
    struct km_call *call = new_call(&house, KM_OBJECT_LOCATE, actor);
    struct km_locate *req = call->req;

    filter[0] = item_of("<ObjectGroup type=\"TextString\" value=\"g\"/>");
    req->what.filter = filter;
    req->what.filters = 1;
    req->what.offset = offset;
    req->what.max = max;
    req->counts = counts;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

static void found(struct km_call *call, size_t n, const char *first, uint64_t total)
{
    const struct km_locate *req = call->req;

    CHECK_RC(call->rc, KLM_OK);
    CHECK_INT(req->n, n);
    CHECK_STR(req->n ? req->uid[0] : "", first);
    CHECK_INT(req->total, total);
    km_call_free(&call);
}

TEST(no_more_are_found_than_the_property_says_and_the_rest_by_their_place)
{
    serving();
    found(locate(&object_client, 0, 0, false), 3, uid[0], 0);
    found(locate(&object_client, 0, 1000, true), 3, uid[0], 4);
    found(locate(&object_client, 3, 1000, true), 1, uid[3], 4);
    found(locate(&object_client, 4, 0, true), 0, "", 4);
    found(locate(&object_client, 1, 2, false), 2, uid[1], 0);
    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.locate.max", "value", "1");
    found(locate(&object_client, 0, 2, false), 1, uid[0], 0);
    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.locate.max", "value", "3");
}

TEST(only_objects_of_ones_own_device_group_are_found)
{
    struct km_actor other = object_client;

    serving();
    other.group = "OTHERS";
    found(locate(&other, 0, 0, true), 1, uid[4], 1);
    other.group = "NOBODY";
    found(locate(&other, 0, 0, true), 0, "", 0);
    other.group = NULL; /* a client without a group: never all */
    found(locate(&other, 0, 0, true), 0, "", 0);
    expect(locate(&admin, 0, 0, false), KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, __FILE__, __LINE__);
}

TEST(a_search_that_may_look_far_is_not_for_a_loop)
{
    const struct kmip_node *name, *unique, *group, *one[1], *two[2];
    struct km_locate req = {0};

    serving();
    name = item_of("<Name><NameValue type=\"TextString\" value=\"a\"/></Name>");
    unique = item_of("<UniqueIdentifier type=\"TextString\" value=\"a\"/>");
    group = item_of("<ObjectGroup type=\"TextString\" value=\"g\"/>");
    CHECK(km_locate_slow(&req));
    one[0] = group;
    req.what.filter = one;
    req.what.filters = 1;
    CHECK(km_locate_slow(&req));
    one[0] = name;
    CHECK(!km_locate_slow(&req));
    two[0] = group;
    two[1] = unique;
    req.what.filter = two;
    req.what.filters = 2;
    CHECK(!km_locate_slow(&req));
}

TEST(a_search_leaves_an_event)
{
    const size_t before = (serving(), events(&house, "object-locate", SMF_SUCCESS, NULL, NULL));

    found(locate(&object_client, 0, 0, false), 3, uid[0], 0);
    CHECK_INT(events(&house, "object-locate", SMF_SUCCESS, NULL, NULL), before + 1);
}

TEST(a_search_has_an_end)
{
    struct km_call *call;
    struct km_locate *req;

    serving();
    for (unsigned counts = 0; counts <= 1; counts++) {
        call = new_call(&house, KM_OBJECT_LOCATE, &object_client);
        req = call->req;
        req->counts = counts;
        req->what.until_ms = 1; /* what others of the message searched for took so long */
        KLM_IGNORE(km_run_wait(call));
        CHECK_INT(req->n, 0);
        expect(call, KLM_E_TIMEOUT, KLM_MSG_OBJECT_SEARCH, __FILE__, __LINE__);
    }
    call = new_call(&house, KM_OBJECT_LOCATE, &object_client);
    CHECK(km_locate_until(call) > klm_clock_mono_ms() + 9000);
    CHECK(km_locate_until(call) <= klm_clock_mono_ms() + 10000);
    km_call_free(&call);
}

TEST(zz_close)
{
    serving();
    object_house_done(&house);
}
