/* What each kind of filter of a Locate finds (KMIP 1.4, 4.9; 2.1, 6.1.28). */
#include "locate_help.h"

/* ---- Filters, one by one: is an object with this value found by that one? */

static struct kmip_node *digest(int64_t hash, const char *value)
{
    struct kmip_node *node = help_structure(KMIP_TAG_Digest);

    if (hash) {
        help_number(node, KMIP_TAG_HashingAlgorithm, KMIP_ENUMERATION, hash);
    }
    if (value) {
        help_bytes(node, KMIP_TAG_DigestValue, KMIP_BYTES, value, strlen(value));
    }
    return node;
}

static struct kmip_node *texts(uint32_t tag, enum kmip_type type, uint32_t tag1, const char *text1,
                               uint32_t tag2, const char *text2)
{
    struct kmip_node *node = help_structure(tag);

    if (text1) {
        help_bytes(node, tag1, type, text1, strlen(text1));
    }
    if (text2) {
        help_bytes(node, tag2, type, text2, strlen(text2));
    }
    return node;
}

static struct kmip_node *application(const char *space, const char *data)
{
    return texts(KMIP_TAG_ApplicationSpecificInformation, KMIP_TEXT, KMIP_TAG_ApplicationNamespace,
                 space, KMIP_TAG_ApplicationData, data);
}

static struct kmip_node *certificate(const char *issuer, const char *serial)
{
    return texts(KMIP_TAG_X_509CertificateIdentifier, KMIP_BYTES, KMIP_TAG_IssuerDistinguishedName,
                 issuer, KMIP_TAG_CertificateSerialNumber, serial);
}

static struct kmip_node *old_certificate(const char *issuer, const char *serial)
{
    return texts(KMIP_TAG_CertificateIdentifier, KMIP_TEXT, KMIP_TAG_Issuer, issuer,
                 KMIP_TAG_SerialNumber, serial);
}

static struct kmip_node *subject(const char *name)
{
    return texts(KMIP_TAG_X_509CertificateSubject, KMIP_BYTES, KMIP_TAG_SubjectDistinguishedName,
                 name, 0, NULL);
}

static struct kmip_node *limits(int64_t total, int64_t count, int64_t unit)
{
    struct kmip_node *node = help_structure(KMIP_TAG_UsageLimits);

    if (total >= 0) {
        help_number(node, KMIP_TAG_UsageLimitsTotal, KMIP_LONG_INTEGER, total);
    }
    if (count >= 0) {
        help_number(node, KMIP_TAG_UsageLimitsCount, KMIP_LONG_INTEGER, count);
    }
    if (unit) {
        help_number(node, KMIP_TAG_UsageLimitsUnit, KMIP_ENUMERATION, unit);
    }
    return node;
}

static struct kmip_node *alternative(const char *text, int64_t type)
{
    return help_pair(KMIP_TAG_AlternativeName, KMIP_TAG_AlternativeNameValue, text,
                     KMIP_TAG_AlternativeNameType, type);
}

static struct kmip_node *usage(int64_t mask)
{
    return help_number(NULL, KMIP_TAG_CryptographicUsageMask, KMIP_INTEGER, mask);
}

/* A vendor's attribute with parts left out. */
static struct kmip_node *vendor(const char *who, const char *name, const char *value)
{
    struct kmip_node *node = texts(KMIP_TAG_Attribute, KMIP_TEXT, KMIP_TAG_VendorIdentification,
                                   who, KMIP_TAG_AttributeName, name);

    if (value) {
        help_text(node, KMIP_TAG_AttributeValue, value);
    }
    return node;
}

static struct kmip_node *vendor_number(int64_t number)
{
    struct kmip_node *node = vendor("x", "n", NULL);

    help_number(node, KMIP_TAG_AttributeValue, KMIP_INTEGER, number);
    return node;
}

/* A vendor's attribute whose value is a structure. */
static struct kmip_node *vendor_structure(const char *one, const char *two)
{
    struct kmip_node *node = vendor("x", "s", NULL),
                     *value = kmip_structure(help_pool(), node, KMIP_TAG_AttributeValue);

    if (one) {
        help_text(value, KMIP_TAG_Comment, one);
    }
    if (two) {
        help_text(value, KMIP_TAG_Description, two);
    }
    return node;
}

struct filter_row {
    const struct kmip_node *value, *filter;
    bool want;
};

/* Another object is there too, so that finding everything is no way out. */
static void check_row(const struct filter_row *row, size_t number)
{
    struct st_store *store = help_store();
    struct md_object mine = help_key("G", NULL, KMIP_State_Active),
                     other = help_key("G", NULL, KMIP_State_PreActive);
    struct md_locate search = in("G");
    struct found found;
    char what[32];

    REQUIRE_OK(md_attr_add(&mine.attrs, row->value));
    help_add(store, &mine);
    help_add(store, &other);
    snprintf(what, sizeof what, "row %zu", number);
    for (int all = 0; all < 2; all++) {
        search.group = all ? NULL : "G";
        found = LOCATE(store, search, row->filter);
        test_int(found.n, row->want, what, __FILE__, __LINE__);
        if (found.n == 1) {
            CHECK_STR(found.uid[0], mine.uid);
        }
    }
    st_close(&store);
}

TEST(each_kind_of_filter_finds_its_values_and_no_others)
{
    const struct filter_row rows[] = {
        /* Name: value and type, or one of them, to the letter */
        {help_name("Key1"), help_name("Key1"), true},
        {help_name("Key1"), help_name("key1"), false},
        {help_name("Key1"), help_name("Key"), false},
        {help_name("Key1"), help_name("Key*"), false},
        {help_name("Key1"), help_name("Key1 "), false},
        {help_name("Key1"),
         help_pair(KMIP_TAG_Name, KMIP_TAG_NameValue, "Key1", KMIP_TAG_NameType, 0), true},
        {help_name("Key1"),
         help_pair(KMIP_TAG_Name, KMIP_TAG_NameValue, "Key1", KMIP_TAG_NameType, KMIP_NameType_URI),
         false},
        {help_name("Key1"),
         help_pair(KMIP_TAG_Name, 0, NULL, KMIP_TAG_NameType,
                   KMIP_NameType_UninterpretedTextString),
         true},
        {help_name("Key1"), help_structure(KMIP_TAG_Name), true}, /* has one at all */
        {help_name("Key1"), alternative("Key1", 1), false},
        /* Link: without the type, without the identifier */
        {help_link(KMIP_LinkType_ParentLink, "id"), help_link(KMIP_LinkType_ParentLink, "id"),
         true},
        {help_link(KMIP_LinkType_ParentLink, "id"), help_link(0, "id"), true},
        {help_link(KMIP_LinkType_ParentLink, "id"), help_link(KMIP_LinkType_ParentLink, NULL),
         true},
        {help_link(KMIP_LinkType_ParentLink, "id"), help_link(KMIP_LinkType_ChildLink, "id"),
         false},
        {help_link(KMIP_LinkType_ParentLink, "id"), help_link(0, "ID"), false},
        /* other texts and structures */
        {alternative("a", KMIP_AlternativeNameType_URI), alternative("a", 0), true},
        {alternative("a", KMIP_AlternativeNameType_URI),
         alternative("a", KMIP_AlternativeNameType_IPAddress), false},
        {application("LIBRARY-LTO", "123"), application("LIBRARY-LTO", "123"), true},
        {application("LIBRARY-LTO", "123"), application(NULL, "123"), true},
        {application("LIBRARY-LTO", "123"), application("LIBRARY-LTO", NULL), true},
        {application("LIBRARY-LTO", "123"), application("LIBRARY-LTO4", "123"), false},
        {help_text(NULL, KMIP_TAG_ObjectGroup, "g"), help_text(NULL, KMIP_TAG_ObjectGroup, "g"),
         true},
        {help_text(NULL, KMIP_TAG_ObjectGroup, "g"), help_text(NULL, KMIP_TAG_ObjectGroup, "G"),
         false},
        {digest(6, "abc"), digest(6, "abc"), true},
        {digest(6, "abc"), digest(0, "abc"), true},
        {digest(6, "abc"), digest(6, NULL), true},
        {digest(6, "abc"), digest(4, "abc"), false},
        {digest(6, "abc"), digest(6, "abd"), false},
        {certificate("i", "1"), certificate("i", "1"), true},
        {certificate("i", "1"), certificate(NULL, "1"), true},
        {certificate("i", "1"), certificate("i", NULL), true},
        {certificate("i", "1"), certificate("j", "1"), false},
        {old_certificate("CN=i", "01"), old_certificate("CN=i", "01"), true},
        {old_certificate("CN=i", "01"), old_certificate("CN=j", "01"), false},
        {subject("s"), subject("s"), true},
        {subject("s"), subject("t"), false},
        {help_bytes(NULL, KMIP_TAG_ShortUniqueIdentifier, KMIP_BYTES, "12", 2),
         help_bytes(NULL, KMIP_TAG_ShortUniqueIdentifier, KMIP_BYTES, "12", 2), true},
        {help_text(NULL, KMIP_TAG_ContactInformation, "Joe"),
         help_text(NULL, KMIP_TAG_ContactInformation, "Joe"), true},
        {help_text(NULL, KMIP_TAG_ContactInformation, "Joe"),
         help_text(NULL, KMIP_TAG_ContactInformation, "JOE"), false},
        {help_text(NULL, KMIP_TAG_OperationPolicyName, "default"),
         help_text(NULL, KMIP_TAG_OperationPolicyName, "default"), true},
        /* vendors' */
        {vendor("x", "n", "v"), vendor("x", "n", "v"), true},
        {vendor("x", "n", "v"), vendor("y", "n", "v"), false},
        {vendor("x", "n", "v"), vendor("x", "m", "v"), false},
        {vendor("x", "n", "v"), vendor("x", "n", "w"), false},
        {vendor("x", "n", "v"), vendor("x", "n", NULL), true},
        {vendor("x", "nv", "v"), vendor("xn", "v", "v"), false}, /* the same letters in a row */
        {vendor_number(7), vendor_number(7), true},
        {vendor_number(7), vendor_number(8), false},
        {vendor_number(7), vendor("x", "n", "7"), false},
        {vendor_structure("1", "2"), vendor_structure("1", "2"), true},
        {vendor_structure("1", "2"), vendor_structure(NULL, "2"), true},
        {vendor_structure("1", "2"), vendor_structure("2", NULL), false},
        /* numbers */
        {help_number(NULL, KMIP_TAG_CryptographicLength, KMIP_INTEGER, 256),
         help_number(NULL, KMIP_TAG_CryptographicLength, KMIP_INTEGER, 256), true},
        {help_number(NULL, KMIP_TAG_CryptographicLength, KMIP_INTEGER, 256),
         help_number(NULL, KMIP_TAG_CryptographicLength, KMIP_INTEGER, 128), false},
        {help_enum(KMIP_TAG_CryptographicAlgorithm, KMIP_CryptographicAlgorithm_AES),
         help_enum(KMIP_TAG_CryptographicAlgorithm, KMIP_CryptographicAlgorithm_AES), true},
        {help_enum(KMIP_TAG_CryptographicAlgorithm, KMIP_CryptographicAlgorithm_AES),
         help_enum(KMIP_TAG_CryptographicAlgorithm, KMIP_CryptographicAlgorithm_DES3), false},
        {help_number(NULL, KMIP_TAG_Sensitive, KMIP_BOOLEAN, 1),
         help_number(NULL, KMIP_TAG_Sensitive, KMIP_BOOLEAN, 1), true},
        {help_number(NULL, KMIP_TAG_Sensitive, KMIP_BOOLEAN, 0),
         help_number(NULL, KMIP_TAG_Sensitive, KMIP_BOOLEAN, 1), false},
        /* Cryptographic Usage Mask: all that are asked for; the example of the specification */
        {usage(12), usage(12), true},
        {usage(12), usage(4), true},
        {usage(12), usage(13), false},
        {usage(0x2110), usage(0x2310), false},
        {usage(12), usage(0), true},
        /* Usage Limits: at least */
        {limits(100, 50, 1), limits(100, 50, 1), true},
        {limits(100, 50, 1), limits(99, 1, 1), true},
        {limits(100, 50, 1), limits(101, 50, 1), false},
        {limits(100, 50, 1), limits(100, 51, 1), false},
        {limits(100, 50, 1), limits(100, 50, 2), false},
        {limits(100, 50, 1), limits(-1, 50, 0), true},
        {limits(100, -1, 1), limits(-1, 1, 0), false},
        /* Identity */
        {help_name("x"), help_enum(KMIP_TAG_State, KMIP_State_Active), true},
        {help_name("x"), help_enum(KMIP_TAG_State, KMIP_State_Compromised), false},
        {help_name("x"), help_number(NULL, KMIP_TAG_State, KMIP_INTEGER, KMIP_State_Active), false},
        {help_name("x"), help_enum(KMIP_TAG_ObjectType, KMIP_ObjectType_SecretData), false},
        {help_name("x"), help_text(NULL, KMIP_TAG_UniqueIdentifier, "x"), false},
        {help_name("x"), help_text(NULL, KMIP_TAG_UniqueIdentifier, ""), false},
        {help_name("x"),
         help_text(NULL, KMIP_TAG_UniqueIdentifier, "0123456789012345678901234567890123456789"),
         false},
        {help_name("x"), help_enum(KMIP_TAG_UniqueIdentifier, 1), false},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        check_row(&rows[i], i);
    }
    help_pool_done();
}

/* ---- Dates */

struct date_row {
    int64_t date;     /* of the object; -1: it has none */
    int64_t from, to; /* to -1: one filter */
    bool want;
};

TEST(a_date_is_met_and_a_range_holds_its_limits)
{
    static const struct date_row rows[] = {
        {S0, S0, -1, true},
        {S0, S0 + 1, -1, false},
        {-1, S0, -1, false},
        {S0, S0, S0, true},
        {S0, S0 - 5, S0, true},
        {S0, S0, S0 + 5, true},
        {S0, S0 + 5, S0 - 5, true}, /* whichever comes first */
        {S0, S0 + 1, S0 + 5, false},
        {S0, S0 - 5, S0 - 1, false},
        {S0, 0, INT64_MAX, true},
        {S0, S0 + 1, INT64_MAX, false},
        {-1, 0, INT64_MAX,
         true}, /* "its largest possible value ... is equivalent to an undefined attribute" */
        {-1, INT64_MAX, -1, true},
        {S0, INT64_MAX, -1, false},
        {-1, 0, INT64_MAX - 1, false},
        {INT64_MAX, INT64_MAX, -1, true},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct st_store *store = help_store();
        struct md_object o = help_key("G", NULL, KMIP_State_Active);
        const struct kmip_node *const filter[] = {
            help_date(KMIP_TAG_ActivationDate, rows[i].from),
            help_date(KMIP_TAG_ActivationDate, rows[i].to),
        };
        struct found found;
        char what[32];

        if (rows[i].date >= 0) {
            REQUIRE_OK(md_attr_set_number(&o.attrs, KMIP_TAG_ActivationDate, rows[i].date));
        }
        help_add(store, &o);
        found = locate_by(store, in("G"), filter, rows[i].to < 0 ? 1 : 2);
        snprintf(what, sizeof what, "row %zu", i);
        test_int(found.n, rows[i].want, what, __FILE__, __LINE__);
        st_close(&store);
    }
    help_pool_done();
}

TEST(dates_in_microseconds_are_compared_in_seconds)
{
    struct st_store *store = help_store();
    struct md_object o = help_key("G", NULL, KMIP_State_Active);

    REQUIRE_OK(md_attr_set_number(&o.attrs, KMIP_TAG_InitialDate, S0));
    help_add(store, &o);
    CHECK_FOUND(LOCATE(store, in("G"),
                       help_number(NULL, KMIP_TAG_InitialDate, KMIP_DATE_TIME_EXTENDED, T0 + 5)),
                o.uid);
    CHECK_NONE(LOCATE(store, in("G"),
                      help_number(NULL, KMIP_TAG_InitialDate, KMIP_DATE_TIME_EXTENDED, T0 - 5)));
    st_close(&store);
    help_pool_done();
}

/* ---- Several filters, states, storage, members */

TEST(every_filter_has_to_match)
{
    struct st_store *store = help_store();
    struct md_object a = help_key("G", "n", KMIP_State_Active),
                     b = help_key("G", "n", KMIP_State_Active),
                     c = help_key("G", "m", KMIP_State_Active);

    REQUIRE_OK(md_attr_add(&a.attrs, help_name("m")));
    b.type = KMIP_ObjectType_SecretData;
    help_add(store, &a);
    help_add(store, &b);
    help_add(store, &c);
    CHECK_FOUND(LOCATE(store, in("G"), help_name("n")), a.uid, b.uid);
    CHECK_FOUND(LOCATE(store, in("G"), help_name("m")), a.uid, c.uid);
    CHECK_FOUND(LOCATE(store, in("G"), help_name("n"), help_name("m")), a.uid);
    CHECK_FOUND(LOCATE(store, in("G"), help_name("n"),
                       help_enum(KMIP_TAG_ObjectType, KMIP_ObjectType_SecretData)),
                b.uid);
    CHECK_FOUND(
        LOCATE(store, in("G"), help_enum(KMIP_TAG_ObjectType, KMIP_ObjectType_SymmetricKey)), a.uid,
        c.uid);
    CHECK_FOUND(LOCATE(store, in("G"), help_text(NULL, KMIP_TAG_UniqueIdentifier, b.uid)), b.uid);
    CHECK_NONE(
        LOCATE(store, in("G"), help_text(NULL, KMIP_TAG_UniqueIdentifier, b.uid), help_name("m")));
    CHECK_NONE(LOCATE(store, in("G"), help_text(NULL, KMIP_TAG_UniqueIdentifier, b.uid),
                      help_text(NULL, KMIP_TAG_UniqueIdentifier, a.uid)));
    CHECK_FOUND(locate_by(store, in("G"), NULL, 0), a.uid, b.uid, c.uid);
    st_close(&store);
    help_pool_done();
}

TEST(a_device_group_hides_the_others)
{
    struct st_store *store = help_store();
    struct md_object a = help_key("A", "n", KMIP_State_Active),
                     b = help_key("AB", "n", KMIP_State_Active),
                     c = help_key("B", "n", KMIP_State_Active);

    help_add(store, &a);
    help_add(store, &b);
    help_add(store, &c);
    CHECK_FOUND(LOCATE(store, in("A"), help_name("n")), a.uid);
    CHECK_FOUND(LOCATE(store, in("AB"), help_name("n")), b.uid);
    CHECK_FOUND(locate_by(store, in("B"), NULL, 0), c.uid);
    CHECK_NONE(LOCATE(store, in("A"), help_text(NULL, KMIP_TAG_UniqueIdentifier, c.uid)));
    CHECK_NONE(locate_by(store, in("C"), NULL, 0));
    CHECK_FOUND(LOCATE(store, in(NULL), help_name("n")), a.uid, b.uid, c.uid);
    CHECK_FOUND(locate_by(store, in(NULL), NULL, 0), a.uid, b.uid, c.uid);
    CHECK_FOUND(LOCATE(store, in(NULL), help_text(NULL, KMIP_TAG_UniqueIdentifier, c.uid)), c.uid);
    st_close(&store);
    help_pool_done();
}

TEST(the_state_that_is_looked_for_is_the_state_now)
{
    struct st_store *store = help_store();
    struct md_object o = help_key("G", "n", KMIP_State_PreActive);
    struct md_locate search = in("G");

    REQUIRE_OK(md_attr_set_number(&o.attrs, KMIP_TAG_ActivationDate, S0));
    help_add(store, &o);
    CHECK_FOUND(LOCATE(store, search, help_enum(KMIP_TAG_State, KMIP_State_Active)), o.uid);
    search.now = T0 - 1;
    CHECK_NONE(LOCATE(store, search, help_enum(KMIP_TAG_State, KMIP_State_Active)));
    CHECK_FOUND(LOCATE(store, search, help_enum(KMIP_TAG_State, KMIP_State_PreActive)), o.uid);
    st_close(&store);
    help_pool_done();
}

TEST(archived_and_destroyed_objects_are_found_only_when_asked_for)
{
    enum { ON = 1, ARCHIVED = 2, DESTROYED = 4 };
    struct st_store *store = help_store();
    struct md_object on = help_key("G", "n", KMIP_State_Active),
                     archived = help_key("G", "n", KMIP_State_Deactivated),
                     destroyed = help_key("G", "n", KMIP_State_Destroyed),
                     both = help_key("G", "n", KMIP_State_DestroyedCompromised);
    static const uint32_t masks[] = {0,
                                     ON,
                                     ARCHIVED,
                                     DESTROYED,
                                     ON | ARCHIVED,
                                     ON | DESTROYED,
                                     ARCHIVED | DESTROYED,
                                     ON | ARCHIVED | DESTROYED};

    archived.archived = both.archived = true;
    help_add(store, &on);
    help_add(store, &archived);
    help_add(store, &destroyed);
    help_add(store, &both);
    for (size_t i = 0; i < KLM_COUNT(masks); i++) {
        const uint32_t mask = masks[i] ? masks[i] : ON;
        struct md_locate search = in("G");
        struct found found[3];

        search.storage = masks[i];
        found[0] = LOCATE(store, search, help_name("n"));
        found[1] = locate_by(store, search, NULL, 0);
        search.group = NULL;
        found[2] = LOCATE(store, search, help_name("n"));
        for (size_t f = 0; f < KLM_COUNT(found); f++) {
            const char *want[4];
            size_t n = 0;

            n += mask & ON ? (want[n] = on.uid, 1) : 0;
            n += mask & ARCHIVED ? (want[n] = archived.uid, 1) : 0;
            n += mask & DESTROYED ? (want[n] = destroyed.uid, 1) : 0;
            n += (mask & 6) == 6 ? (want[n] = both.uid, 1) : 0;
            check_found(found[f], want, n, __FILE__, __LINE__);
        }
    }
    CHECK_NONE(LOCATE(store, in("G"), help_text(NULL, KMIP_TAG_UniqueIdentifier, destroyed.uid)));
    st_close(&store);
    help_pool_done();
}

static struct md_object member(const char *group, int64_t fresh, uint32_t state)
{
    struct md_object o = help_key("G", NULL, state);

    REQUIRE_OK(md_attr_set_text(&o.attrs, KMIP_TAG_ObjectGroup, group));
    if (fresh >= 0) {
        REQUIRE_OK(md_attr_set_number(&o.attrs, KMIP_TAG_Fresh, fresh));
    }
    return o;
}

TEST(fresh_members_are_those_never_served)
{
    struct st_store *store = help_store();
    struct md_object used = member("g", 0, KMIP_State_Active),
                     old = member("g", -1, KMIP_State_Active),
                     fresh = member("g", 1, KMIP_State_Active),
                     other = member("h", 1, KMIP_State_Active);
    struct md_locate search = in("G");

    help_add(store, &used);
    help_add(store, &old);
    help_add(store, &fresh);
    help_add(store, &other);
    search.member = KMIP_ObjectGroupMember_GroupMemberFresh;
    CHECK_FOUND(LOCATE(store, search, help_text(NULL, KMIP_TAG_ObjectGroup, "g")), fresh.uid);
    CHECK_FOUND(locate_by(store, search, NULL, 0), fresh.uid, other.uid);
    REQUIRE_OK(md_attr_set_number(&fresh.attrs, KMIP_TAG_Fresh, false));
    help_put(store, &fresh);
    CHECK_NONE(LOCATE(store, search, help_text(NULL, KMIP_TAG_ObjectGroup, "g")));
    st_close(&store);
    help_pool_done();
}

TEST(the_default_member_is_the_newest_active_one_or_the_newest)
{
    struct st_store *store = help_store();
    struct md_object a = member("g", 0, KMIP_State_PreActive),
                     b = member("g", 0, KMIP_State_PreActive),
                     c = member("g", 0, KMIP_State_PreActive);
    const struct kmip_node *group = help_text(NULL, KMIP_TAG_ObjectGroup, "g");
    struct md_locate search = in("G");

    help_add(store, &a);
    help_add(store, &b);
    help_add(store, &c);
    search.member = KMIP_ObjectGroupMember_GroupMemberDefault;
    CHECK_FOUND(LOCATE(store, search, group), c.uid);
    search.max = 1;
    CHECK_FOUND(LOCATE(store, search, group), c.uid);
    REQUIRE_OK(md_attr_set_number(&a.attrs, KMIP_TAG_State, KMIP_State_Active));
    REQUIRE_OK(md_attr_set_number(&b.attrs, KMIP_TAG_State, KMIP_State_Active));
    help_put(store, &a);
    help_put(store, &b);
    CHECK_FOUND(LOCATE(store, search, group), b.uid);
    search.offset = 1;
    CHECK_NONE(LOCATE(store, search, group));
    CHECK_NONE(LOCATE(store, search, help_text(NULL, KMIP_TAG_ObjectGroup, "h")));
    st_close(&store);
    help_pool_done();
}
