/* Locate: filters of 1.x and 2.x, ranges, order, archive, placeholder, and refusals (KMIP 1.4, 4.9 and 11.10; 2.1, 6.1.28). */
#include "kmip/ops/ops_rig.h"

#define V10 KMIP_V(1, 0)
#define V12 KMIP_V(1, 2)
#define V13 KMIP_V(1, 3)
#define V14 KMIP_V(1, 4)
#define V20 KMIP_V(2, 0)
#define V21 KMIP_V(2, 1)
#define NAME(text) "{NameValue='" text "' NameType=UninterpretedTextString}"
#define A1(name, value) "Attribute{AttributeName='" name "' AttributeValue" value "}"
#define GROUP2(value)                                                                              \
    "Attribute{VendorIdentification='x' AttributeName='Group' AttributeValue='" value "'}"

static struct rig rig;

/* Keys $1 to $5, a second apart: all of x-Group five, the first two also of Object Group g; $2 is active, $3 archived, $4 destroyed, $5 of another device group. */
static void serving(void)
{
    if (rig.house.server) {
        return;
    }
    rig_open(&rig, "locate", "");
    CHECK_INT(rig_create(&rig, GROUP2("five") "ObjectGroup='g' Name" NAME("first")), 1);
    rig_clock(&rig, rig.now + 1);
    CHECK_INT(rig_create(
                  &rig, GROUP2("five") "ObjectGroup='g' Name" NAME("second") " ActivationDate=NOW"),
              2);
    rig_clock(&rig, rig.now + 1);
    CHECK_INT(rig_create(&rig, GROUP2("five") "Name" NAME("third")), 3);
    rig_clock(&rig, rig.now + 1);
    CHECK_INT(rig_create(&rig, GROUP2("five") "Name" NAME("fourth")), 4);
    rig_clock(&rig, rig.now + 1);
    rig.who = &rig.others;
    CHECK_INT(rig_create(&rig, GROUP2("five") "Name" NAME("first")), 5);
    rig.who = &rig.mine;
    RIG_EXPECT(&rig, V21, "Archive{UniqueIdentifier='$3'} Destroy{UniqueIdentifier='$4'}",
               "Archive Success{UniqueIdentifier='$3'}\nDestroy Success{UniqueIdentifier='$4'}\n");
}

#define LOCATE(version, filters, expected)                                                         \
    RIG_EXPECT(&rig, (version), "Locate{" filters "}", "Locate Success{" expected "}\n")
#define U(n) "UniqueIdentifier='$" n "'"

TEST(an_object_is_found_by_its_name_in_each_version)
{
    serving();
    LOCATE(V10, A1("Name", NAME("first")), U("1"));
    LOCATE(V14, A1("Object Type", ":Enumeration=SymmetricKey") A1("Name", NAME("second")), U("2"));
    LOCATE(V20, "Attributes{Name" NAME("first") "}", U("1"));
    LOCATE(V21, "Attributes{ObjectType=SymmetricKey Name" NAME("second") "}", U("2"));
    LOCATE(V21, "Attributes{Name{NameValue='second'}}",
           U("2")); /* not all fields of a structure are needed */
}

TEST(nothing_found_is_a_success_without_identifiers)
{
    serving();
    LOCATE(V10, A1("Name", NAME("nobody")), "");
    LOCATE(V21, "Attributes{Name" NAME("nobody") "}", "");
    LOCATE(V21, "Attributes{UniqueIdentifier='$4'}", ""); /* destroyed */
    LOCATE(V14, A1("Object Type", ":Enumeration=Certificate"), "");
}

/* FortiGate does so; a server that looks past it finds the first key for every name. */
TEST(filters_in_a_template_attribute_count)
{
    serving();
    LOCATE(V12, "TemplateAttribute{" A1("Name", NAME("second")) "}", U("2"));
    LOCATE(V12, "TemplateAttribute{" A1("Name", NAME("nobody")) "}", "");
}

TEST(all_filters_have_to_match_and_none_match_all)
{
    serving();
    LOCATE(V14, A1("x-Group", "='five'"), U("2") " " U("1"));
    LOCATE(V14, A1("x-Group", "='five'") A1("Object Group", "='h'"), "");
    LOCATE(V14, "", U("2") " " U("1"));
    LOCATE(V21, "Attributes{}", U("2") " " U("1"));
    LOCATE(V21, "", U("2") " " U("1"));
    LOCATE(V14, "Attribute{AttributeName='Object Group' AttributeIndex=7 AttributeValue='g'}",
           U("2") " " U("1"));
}

TEST(states_masks_dates_and_limits_are_matched_as_the_specification_says)
{
    serving();
    LOCATE(V21, "Attributes{State=Active}", U("2"));
    LOCATE(V14, A1("State", ":Enumeration=PreActive"), U("1"));
    LOCATE(V21, "Attributes{CryptographicUsageMask=Encrypt}",
           U("2") " " U("1")); /* has all bits asked for */
    LOCATE(V21, "Attributes{CryptographicUsageMask='Encrypt Sign'}", "");
    LOCATE(V21, "Attributes{InitialDate=NOW-3}", U("2"));
    LOCATE(V21, "Attributes{InitialDate=NOW-9 InitialDate=NOW-4}",
           U("1")); /* a range, limits included */
    LOCATE(V14, A1("Unique Identifier", "='$2'") A1("State", ":Enumeration=Active"), U("2"));
}

/* 1.x leaves the order open; it is the one of 2.x, but with so many asked for before 1.4, where test cases have the oldest first. */
TEST(the_newest_come_first)
{
    serving();
    LOCATE(V20, "Attributes{" GROUP2("five") "}", U("2") " " U("1"));
    LOCATE(V14, A1("x-Group", "='five'"), U("2") " " U("1"));
    LOCATE(V10, A1("x-Group", "='five'"), U("2") " " U("1"));
    LOCATE(V10, "MaximumItems=2 " A1("x-Group", "='five'"), U("1") " " U("2"));
}

TEST(archived_and_destroyed_objects_are_found_when_they_are_asked_for)
{
    serving();
    LOCATE(V10, "StorageStatusMask='OnLineStorage ArchivalStorage' " A1("x-Group", "='five'"),
           U("3") " " U("2") " " U("1"));
    LOCATE(V10, "StorageStatusMask=ArchivalStorage " A1("x-Group", "='five'"), U("3"));
    LOCATE(V21, "StorageStatusMask=DestroyedStorage", U("4"));
}

TEST(ranges_of_what_is_found)
{
    serving();
    LOCATE(V14, "MaximumItems=1 " A1("x-Group", "='five'"), U("2"));
    LOCATE(V14, "MaximumItems=0 " A1("x-Group", "='five'"),
           U("2") " " U("1")); /* none, as clients mean it */
    LOCATE(V14, "MaximumItems=65535 " A1("x-Group", "='five'"), U("2") " " U("1"));
    LOCATE(V13, "MaximumItems=1 OffsetItems=1 " A1("x-Group", "='five'"), "LocatedItems=2 " U("2"));
    LOCATE(V21, "MaximumItems=1 OffsetItems=1 Attributes{" GROUP2("five") "}",
           "LocatedItems=2 " U("1"));
    LOCATE(V21, "OffsetItems=2 Attributes{" GROUP2("five") "}", "LocatedItems=2");
    LOCATE(V12, "OffsetItems=1 " A1("x-Group", "='five'"),
           U("2") " " U("1")); /* 1.2 has no such field */
}

TEST(an_object_that_was_not_served_yet_is_fresh)
{
    size_t key;
    char items[256], expected[128];

    serving();
    key = rig_create(&rig, "ObjectGroup='fresh'");
    snprintf(expected, sizeof expected, "Locate Success{UniqueIdentifier='$%zu'}\n", key);
    RIG_EXPECT(&rig, V12,
               "Locate{MaximumItems=1 ObjectGroupMember=GroupMemberFresh " A1("Object Group",
                                                                              "='fresh'") "}",
               expected);
    RIG_EXPECT(&rig, V21,
               "Locate{ObjectGroupMember=GroupMemberDefault Attributes{ObjectGroup='fresh'}}",
               expected);
    snprintf(items, sizeof items, "Get{UniqueIdentifier='$%zu'}", key);
    CHECK(strstr(rig_ask(&rig, V14, items), "Get Success") != NULL);
    LOCATE(V12, "MaximumItems=1 ObjectGroupMember=GroupMemberFresh " A1("Object Group", "='fresh'"),
           "");
    snprintf(items, sizeof items, "Destroy{UniqueIdentifier='$%zu'}", key);
    (void)rig_ask(&rig, V14, items);
}

TEST(one_that_is_found_is_meant_by_later_items_and_of_several_none)
{
    serving();
    RIG_EXPECT(&rig, V14,
               "Locate{" A1("Name", NAME("second")) "} GetAttributes{AttributeName='State'}",
               "Locate Success{" U("2") "}\nGetAttributes Success{" U("2") " " A1(
                   "State", ":Enumeration=Active") "}\n");
    RIG_EXPECT(
        &rig, V14, "Locate{" A1("x-Group", "='five'") "} GetAttributes{AttributeName='State'}",
        "Locate Success{" U("2") " " U("1") "}\nGetAttributes OperationFailed(ItemNotFound)\n");
    RIG_EXPECT(&rig, V21, "Locate{Attributes{Name" NAME("nobody") "}} GetAttributes{}",
               "Locate Success{}\nGetAttributes OperationFailed(ObjectNotFound)\n");
    RIG_EXPECT(
        &rig, V14,
        "Locate{MaximumItems=1 " A1("x-Group", "='five'") "} GetAttributes{AttributeName='State'}",
        "Locate Success{" U("2") "}\nGetAttributes Success{" U("2") " " A1(
            "State", ":Enumeration=Active") "}\n");
}

TEST(objects_of_other_groups_are_not_found)
{
    serving();
    rig.who = &rig.others;
    LOCATE(V14, A1("x-Group", "='five'"), U("5"));
    LOCATE(V14, A1("Name", NAME("first")), U("5"));
    LOCATE(V14, A1("Unique Identifier", "='$1'"), "");
    rig.who = &rig.stranger;
    RIG_EXPECT(&rig, V14, "Locate{}", "Locate OperationFailed(AuthenticationNotSuccessful)\n");
    rig.who = &rig.mine;
}

TEST(attributes_that_are_none_and_ranges_below_nothing_are_refused)
{
    serving();
    RIG_EXPECT(&rig, V14, "Locate{" A1("Colour", "='red'") "}",
               "Locate OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V10, "Locate{" A1("Fresh", ":Boolean=true") "}",
               "Locate OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V14, "Locate{" A1("State", "='Active'") "}",
               "Locate OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V21, "Locate{Attributes{KeyBlock{}}}",
               "Locate OperationFailed(InvalidAttribute)\n");
    RIG_EXPECT(&rig, V14, "Locate{MaximumItems=-1}", "Locate OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V14, "Locate{OffsetItems=-1}", "Locate OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V14, "Locate{MaximumItems:TextString='1'}",
               "Locate OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V12, "Locate{TemplateAttribute{Name" NAME("a template") "}}",
               "Locate OperationFailed(InvalidField)\n");
}

TEST(a_hundred_filters_are_taken_and_not_one_more)
{
    char items[16384];
    size_t n;

    serving();
    for (size_t filters = 100; filters <= 101; filters++) {
        n = (size_t)snprintf(items, sizeof items, "Locate{");
        for (size_t i = 0; i < filters; i++) {
            n += (size_t)snprintf(items + n, sizeof items - n, A1("x-Group", "='five'"));
        }
        snprintf(items + n, sizeof items - n, "}");
        RIG_EXPECT(&rig, V14, items,
                   filters == 100 ? "Locate Success{" U("2") " " U("1") "}\n"
                                  : "Locate OperationFailed(InvalidField)\n");
    }
}

TEST(what_the_answer_has_no_room_for_is_not_searched_for)
{
#define ALL "Locate{" A1("Object Type", ":Enumeration=SymmetricKey") "} "
    serving();
    /* Two identifiers each are 96 bytes: the third search is not made, and the batch stops there. */
    CHECK_STR(
        rig_short(&rig, rig_tree(&rig, V14, "MaximumResponseSize=100", ALL ALL ALL ALL ALL ALL)),
        "Locate OperationFailed(ResponseTooLarge)\n"
        "Locate OperationFailed(ResponseTooLarge)\n"
        "Locate OperationFailed(ResponseTooLarge)\n");
    CHECK(strstr(rig_ask(&rig, V14, ALL ALL ALL ALL ALL ALL), "Failed") == NULL);
#undef ALL
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
