/* Rules of attributes: each attribute, each way to change it, in each state, against the tables "Attribute Rules" of the specification (KMIP 1.4, chapter 3; 2.1, chapter 4), written
 * down here as letters. */
#include "keymgr/attr_help.h"

#define V14 KMIP_V(1, 4)
#define V21 KMIP_V(2, 1)

static struct house house;

static void serving(void)
{
    if (!house.server) {
        object_house(&house, "object-attrs", "");
    }
}

/* A row is a table of the specification: may a client set it initially (c) or the server alone (s); may a client modify it: no (n), yes (y), only in Pre-Active (p), in Pre-Active or
 * Active (l), the same as long as the date has not been reached (d), as long as Get Usage Allocation has not been performed (u); may it delete it: the same letters; single or multiple
 * instances (1, m); does an object always have it (a). */
enum kind { KEY, PAIR, CERT };
static const struct rule {
    const char *name;
    enum kind kind;
    char set, modify, deletes, many, always;
    const char *value, *other; /* in XML: as it is on the object, and to be set */
} rules[] = {
#define TEXT(tag, value) "<" tag " type=\"TextString\" value=\"" value "\"/>"
#define DATE(tag, value) "<" tag " type=\"DateTime\" value=\"" value "\"/>"
#define ENUM(tag, value) "<" tag " type=\"Enumeration\" value=\"" value "\"/>"
#define INT(tag, value) "<" tag " type=\"Integer\" value=\"" value "\"/>"
#define FLAG(tag, value) "<" tag " type=\"Boolean\" value=\"" value "\"/>"
#define SOON "2024-01-01T00:00:00Z" /* later than OBJECT_NOW */
#define LATER "2024-02-01T00:00:00Z"
#define BEFORE "2023-01-01T00:00:00Z"
#define LIMITS(total)                                                                              \
    "<UsageLimits><UsageLimitsTotal type=\"LongInteger\" value=\"" total                           \
    "\"/><UsageLimitsCount type=\"LongInteger\" value=\"" total                                    \
    "\"/><UsageLimitsUnit type=\"Enumeration\" value=\"Byte\"/></UsageLimits>"
#define VENDOR(vendor, value)                                                                      \
    "<Attribute>" TEXT("VendorIdentification", vendor) TEXT("AttributeName", "n")                  \
        TEXT("AttributeValue", value) "</Attribute>"
#define LINK(to)                                                                                   \
    "<Link>" ENUM("LinkType", "ParentLink") TEXT("LinkedObjectIdentifier", to) "</Link>"
#define NAMED(text) "<Name>" TEXT("NameValue", text) ENUM("NameType", "URI") "</Name>"
#define ALTERNATIVE(text)                                                                          \
    "<AlternativeName>" TEXT("AlternativeNameValue", text)                                         \
        ENUM("AlternativeNameType", "URI") "</AlternativeName>"
#define APPLICATION(data)                                                                          \
    "<ApplicationSpecificInformation>" TEXT("ApplicationNamespace", "ssl")                         \
        TEXT("ApplicationData", data) "</ApplicationSpecificInformation>"
#define LOCATION(text)                                                                             \
    "<KeyValueLocation>" TEXT("KeyValueLocationValue", text)                                       \
        ENUM("KeyValueLocationType", "URI") "</KeyValueLocation>"
    /*                                     set   modify deletes many always */
    {"Activation Date", KEY, 'c', 'p', 'n', '1', '-', DATE("ActivationDate", SOON),
     DATE("ActivationDate", LATER)},
    {"Alternative Name", KEY, 'c', 'y', 'y', 'm', '-', ALTERNATIVE("a"), ALTERNATIVE("b")},
    {"Always Sensitive", KEY, 's', 'n', 'n', '1', 'a', FLAG("AlwaysSensitive", "true"),
     FLAG("AlwaysSensitive", "false")},
    {"Application Specific Information", KEY, 'c', 'y', 'y', 'm', '-', APPLICATION("a"),
     APPLICATION("b")},
    {"Archive Date", KEY, 's', 'n', 'n', '1', '-', DATE("ArchiveDate", BEFORE),
     DATE("ArchiveDate", SOON)},
    {"Certificate Length", CERT, 's', 'n', 'n', '1', 'a', INT("CertificateLength", "9"),
     INT("CertificateLength", "10")},
    {"Certificate Type", CERT, 's', 'n', 'n', '1', 'a', ENUM("CertificateType", "X_509"),
     ENUM("CertificateType", "PGP")},
    {"Comment", KEY, 'c', 'y', 'y', '1', '-', TEXT("Comment", "a"), TEXT("Comment", "b")},
    {"Compromise Date", KEY, 's', 'n', 'n', '1', '-', DATE("CompromiseDate", BEFORE),
     DATE("CompromiseDate", SOON)},
    {"Compromise Occurrence Date", KEY, 's', 'n', 'n', '1', '-',
     DATE("CompromiseOccurrenceDate", BEFORE), DATE("CompromiseOccurrenceDate", SOON)},
    {"Contact Information", KEY, 'c', 'y', 'y', '1', '-', TEXT("ContactInformation", "a"),
     TEXT("ContactInformation", "b")},
    {"Cryptographic Algorithm", KEY, 's', 'n', 'n', '1', 'a', ENUM("CryptographicAlgorithm", "AES"),
     ENUM("CryptographicAlgorithm", "DES")},
    {"Cryptographic Domain Parameters", PAIR, 'c', 'n', 'n', '1', '-',
     "<CryptographicDomainParameters>" INT("Qlength", "1") "</CryptographicDomainParameters>",
     "<CryptographicDomainParameters>" INT("Qlength", "2") "</CryptographicDomainParameters>"},
    {"Cryptographic Length", KEY, 's', 'n', 'n', '1', 'a', INT("CryptographicLength", "128"),
     INT("CryptographicLength", "256")},
    {"Cryptographic Parameters", KEY, 'c', 'y', 'y', 'm', '-',
     "<CryptographicParameters>" ENUM("BlockCipherMode", "CBC") "</CryptographicParameters>",
     "<CryptographicParameters>" ENUM("BlockCipherMode", "ECB") "</CryptographicParameters>"},
    {"Cryptographic Usage Mask", KEY, 'c', 'n', 'n', '1', 'a', INT("CryptographicUsageMask", "4"),
     INT("CryptographicUsageMask", "8")},
    {"Custom Attribute of a client", KEY, 'c', 'y', 'y', 'm', '-', VENDOR("x", "a"),
     VENDOR("x", "b")},
    {"Custom Attribute of the server", KEY, 's', 'n', 'n', 'm', '-', VENDOR("y", "a"),
     VENDOR("y", "b")},
    {"Deactivation Date", KEY, 'c', 'l', 'n', '1', '-', DATE("DeactivationDate", SOON),
     DATE("DeactivationDate", LATER)},
    {"Description", KEY, 'c', 'y', 'y', '1', '-', TEXT("Description", "a"),
     TEXT("Description", "b")},
    {"Destroy Date", KEY, 's', 'n', 'n', '1', '-', DATE("DestroyDate", BEFORE),
     DATE("DestroyDate", SOON)},
    {"Digest", KEY, 's', 'n', 'n', 'm', 'a',
     "<Digest>" ENUM("HashingAlgorithm", "SHA_256") "</Digest>",
     "<Digest>" ENUM("HashingAlgorithm", "SHA_1") "</Digest>"},
    {"Digital Signature Algorithm", CERT, 's', 'n', 'n', 'm', 'a',
     ENUM("DigitalSignatureAlgorithm", "ECDSAWithSHA256"),
     ENUM("DigitalSignatureAlgorithm", "ECDSAWithSHA384")},
    {"Extractable", KEY, 'c', 'y', 'n', '1', 'a', FLAG("Extractable", "true"),
     FLAG("Extractable", "false")},
    {"Fresh", KEY, 'c', 'n', 'n', '1', '-', FLAG("Fresh", "true"), FLAG("Fresh", "false")},
    {"Initial Date", KEY, 's', 'n', 'n', '1', 'a', DATE("InitialDate", BEFORE),
     DATE("InitialDate", SOON)},
    {"Key Value Location", KEY, 'c', 'y', 'y', 'm', '-', LOCATION("a"), LOCATION("b")},
    {"Key Value Present", KEY, 's', 'n', 'n', '1', '-', FLAG("KeyValuePresent", "true"),
     FLAG("KeyValuePresent", "false")},
    {"Last Change Date", KEY, 's', 'n', 'n', '1', 'a', NULL, DATE("LastChangeDate", SOON)},
    {"Lease Time", KEY, 's', 'n', 'n', '1', '-', "<LeaseTime type=\"Interval\" value=\"1\"/>",
     "<LeaseTime type=\"Interval\" value=\"2\"/>"},
    {"Link", KEY, 'c', 'y', 'y', 'm', '-', LINK("a"), LINK("b")},
    {"Name", KEY, 'c', 'y', 'y', 'm', '-', NULL, NULL}, /* each object has its own */
    {"Never Extractable", KEY, 's', 'n', 'n', '1', 'a', FLAG("NeverExtractable", "true"),
     FLAG("NeverExtractable", "false")},
    {"NIST Key Type", KEY, 'c', 'n', 'n', 'm', '-', ENUM("NISTKeyType", "SymmetricMasterKey"),
     ENUM("NISTKeyType", "SymmetricKeyWrappingKey")},
    {"Object Group", KEY, 'c', 'y', 'y', 'm', '-', TEXT("ObjectGroup", "a"),
     TEXT("ObjectGroup", "b")},
    {"Object Type", KEY, 's', 'n', 'n', '1', 'a', NULL, ENUM("ObjectType", "PublicKey")},
    {"Operation Policy Name", KEY, 'c', 'n', 'n', '1', '-', TEXT("OperationPolicyName", "a"),
     TEXT("OperationPolicyName", "b")},
    {"Original Creation Date", KEY, 'c', 'n', 'n', '1', '-', DATE("OriginalCreationDate", BEFORE),
     DATE("OriginalCreationDate", SOON)},
    {"PKCS#12 Friendly Name", KEY, 'c', 'y', 'y', '1', '-', TEXT("PKCS_12FriendlyName", "a"),
     TEXT("PKCS_12FriendlyName", "b")},
    {"Process Start Date", KEY, 'c', 'd', 'n', '1', '-', DATE("ProcessStartDate", SOON),
     DATE("ProcessStartDate", LATER)},
    {"Protect Stop Date", KEY, 'c', 'd', 'n', '1', '-', DATE("ProtectStopDate", SOON),
     DATE("ProtectStopDate", LATER)},
    {"Protection Level", KEY, 'c', 'y', 'y', '1', '-', ENUM("ProtectionLevel", "High"),
     ENUM("ProtectionLevel", "Low")},
    {"Protection Storage Mask", KEY, 's', 'n', 'n', '1', 'a', INT("ProtectionStorageMask", "1"),
     INT("ProtectionStorageMask", "2")},
    {"Quantum Safe", KEY, 'c', 'y', 'y', '1', '-', FLAG("QuantumSafe", "true"),
     FLAG("QuantumSafe", "false")},
    {"Random Number Generator", KEY, 'c', 'n', 'n', '1', '-',
     "<RandomNumberGenerator>" ENUM("RNGAlgorithm", "DRBG") "</RandomNumberGenerator>",
     "<RandomNumberGenerator>" ENUM("RNGAlgorithm", "NRBG") "</RandomNumberGenerator>"},
    {"Revocation Reason", KEY, 's', 'n', 'n', '1', '-',
     "<RevocationReason>" ENUM("RevocationReasonCode", "Superseded") "</RevocationReason>",
     "<RevocationReason>" ENUM("RevocationReasonCode", "KeyCompromise") "</RevocationReason>"},
    {"Rotate Automatic", KEY, 'c', 'n', 'n', '1', '-', FLAG("RotateAutomatic", "true"),
     FLAG("RotateAutomatic", "false")},
    {"Rotate Date", KEY, 's', 'n', 'n', '1', '-', DATE("RotateDate", BEFORE),
     DATE("RotateDate", SOON)},
    {"Rotate Name", KEY, 'c', 'y', 'y', '1', '-',
     "<RotateName>" TEXT("RotateNameValue", "a") ENUM("RotateNameType", "URI") "</RotateName>",
     "<RotateName>" TEXT("RotateNameValue", "b") ENUM("RotateNameType", "URI") "</RotateName>"},
    {"Sensitive", KEY, 'c', 'y', 'n', '1', 'a', FLAG("Sensitive", "true"),
     FLAG("Sensitive", "false")},
    {"State", KEY, 's', 'n', 'n', '1', 'a', NULL, ENUM("State", "Active")},
    {"Unique Identifier", KEY, 's', 'n', 'n', '1', 'a', NULL, TEXT("UniqueIdentifier", "a")},
    {"Usage Limits", KEY, 'c', 'u', 'u', '1', '-', LIMITS("10"), LIMITS("20")},
    {"X.509 Certificate Issuer", CERT, 's', 'n', 'n', '1', 'a', "<X_509CertificateIssuer/>",
     "<X_509CertificateIssuer/>"},
};

static const uint32_t states[] = {KMIP_State_PreActive,   KMIP_State_Active,
                                  KMIP_State_Deactivated, KMIP_State_Compromised,
                                  KMIP_State_Destroyed,   KMIP_State_DestroyedCompromised};

/* One trial: an attribute is there or not, of an object in a state, before or after the moments that rules speak of. */
struct trial {
    const struct rule *rule;
    uint32_t state;
    bool there;
    bool late; /* the date has come, a part of the limits is given out */
};

static bool live(uint32_t state)
{
    return state == KMIP_State_PreActive || state == KMIP_State_Active;
}

static uint32_t type_of(enum kind kind)
{
    return kind == KEY    ? KMIP_ObjectType_SymmetricKey
           : kind == PAIR ? KMIP_ObjectType_PublicKey
                          : KMIP_ObjectType_Certificate;
}

/* What the letter says of the moment: KLM_MSG_NONE, or what is said when it has passed (fixed: for good). */
static enum klm_msg_id moment(char letter, const struct trial *trial, enum klm_msg_id fixed)
{
    switch (letter) {
    case 'y':
        return KLM_MSG_NONE;
    case 'p':
        return trial->state == KMIP_State_PreActive ? KLM_MSG_NONE : KLM_MSG_ATTR_STATE;
    case 'l':
        return live(trial->state) ? KLM_MSG_NONE : KLM_MSG_ATTR_STATE;
    case 'd':
        return !live(trial->state) ? KLM_MSG_ATTR_STATE : trial->late ? fixed : KLM_MSG_NONE;
    case 'u':
        return trial->late ? fixed : KLM_MSG_NONE;
    default:
        return fixed;
    }
}

static enum klm_msg_id of_add(const struct trial *trial)
{
    const struct rule *rule = trial->rule;

    if (rule->set == 's') {
        return KLM_MSG_ATTR_READ_ONLY;
    }
    if (trial->there && rule->many == '1') {
        return KLM_MSG_ATTR_EXISTS;
    }
    return strchr("pld", rule->modify) ? moment(rule->modify, trial, KLM_MSG_ATTR_READ_ONLY)
                                       : KLM_MSG_NONE;
}

static enum klm_msg_id of_modify(const struct trial *trial)
{
    if (trial->rule->modify == 'n') {
        return KLM_MSG_ATTR_FIXED;
    }
    return trial->there ? moment(trial->rule->modify, trial, KLM_MSG_ATTR_FIXED)
                        : KLM_MSG_ATTR_TO_ADD;
}

static enum klm_msg_id of_set(const struct trial *trial)
{
    return trial->there ? moment(trial->rule->modify, trial, KLM_MSG_ATTR_READ_ONLY)
                        : of_add(trial);
}

static enum klm_msg_id of_delete(const struct trial *trial)
{
    if (trial->rule->always == 'a' || trial->rule->deletes == 'n') {
        return KLM_MSG_ATTR_NEEDED;
    }
    return trial->there ? moment(trial->rule->deletes, trial, KLM_MSG_ATTR_NEEDED)
                        : KLM_MSG_ATTR_ABSENT;
}

/* ---- Carrying it out */

static const struct kmip_node *value_of(const struct rule *rule, const char *xml, const char *uid)
{
    char named[256];

    if (strcmp(rule->name, "Name") == 0) {
        snprintf(named, sizeof named, NAMED("%s%s"), uid, xml ? "" : "-other");
        return item_of(named);
    }
    return item_of(xml);
}

/* The date that had not come has, or a part of the limits is given out. */
static void make_late(struct md_object *object, struct md_attr *attr)
{
    struct kmip_node *value = NULL;

    object->allocated = true;
    if (attr->value->type == KMIP_DATE_TIME) {
        REQUIRE_OK(md_item_copy(attr->value, object_pool, &value));
        value->number = OBJECT_NOW;
        REQUIRE_OK(md_attr_replace(&object->attrs, attr, value));
    }
}

static void object_of(const struct trial *trial, struct md_object *object)
{
    const struct rule *rule = trial->rule;

    object_begin(object, type_of(rule->kind), trial->state);
    if (trial->there && (rule->value || strcmp(rule->name, "Name") == 0)) {
        const struct kmip_node *value = value_of(rule, rule->value ? rule->value : "", object->uid);

        REQUIRE_OK(md_attr_set(&object->attrs, value));
        if (trial->late) {
            make_late(object, md_attr_like(&object->attrs, value));
        }
    }
}

static struct km_call *change_call(enum km_verb_id verb, const struct md_object *object,
                                   const struct kmip_node *value)
{
    struct km_call *call = new_call(&house, verb, &object_client);
    struct km_attr_change *req = call->req;

    req->version = V21;
    req->uid = object->uid;
    req->value = value;
    req->index = -1;
    req->by_reference = verb == KM_ATTR_DELETE;
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* What has to be the same afterwards when it was refused, and different when it was done. */
static void check_store(const struct md_object *before, const struct kmip_node *value,
                        enum km_verb_id verb, bool done, const char *what)
{
    struct md_object after;
    const struct md_attr *attr;

    object_now(&house, before->uid, &after);
    test_int(md_attr_number(&after.attrs, KMIP_TAG_LastChangeDate, 0),
             done ? OBJECT_NOW : OBJECT_NOW - 1000, what, __FILE__, __LINE__);
    if (!done) {
        test_int((int64_t)after.attrs.n, (int64_t)before->attrs.n, what, __FILE__, __LINE__);
        return;
    }
    attr = md_attr_equal(&after.attrs, value);
    if (verb == KM_ATTR_DELETE) {
        test_int(md_attr_like(&after.attrs, value) == NULL, true, what, __FILE__, __LINE__);
    } else {
        test_int(attr != NULL, true, what, __FILE__, __LINE__);
    }
}

/* What is going to be tried, each with an object of its own; all objects of a rule are put into the store at once. */
static struct plan {
    struct trial trial;
    enum km_verb_id verb;
    enum klm_msg_id expected;
    struct md_object object;
} plans[100];
static size_t planned;

static void plan(const struct trial *trial, enum km_verb_id verb, enum klm_msg_id expected)
{
    struct plan *to = &plans[planned++];

    REQUIRE(planned < KLM_COUNT(plans));
    *to = (struct plan){.trial = *trial, .verb = verb, .expected = expected};
    object_of(trial, &to->object);
}

static void try_one(const struct plan *p)
{
    const struct trial *trial = &p->trial;
    const struct kmip_node *value = value_of(trial->rule, trial->rule->other, p->object.uid);
    struct km_call *call = change_call(p->verb, &p->object, value);
    char what[200];

    snprintf(what, sizeof what, "%s of %s, state %s, %s%s", km_verb(p->verb)->name,
             trial->rule->name, kmip_value_name(KMIP_E_State, trial->state),
             trial->there ? "there" : "not there", trial->late ? ", late" : "");
    test_str(klm_msg(call->diag.msg)->id, klm_msg(p->expected)->id, what, __FILE__, __LINE__);
    test_int(call->rc == KLM_OK, p->expected == KLM_MSG_NONE, what, __FILE__, __LINE__);
    check_store(&p->object, value, p->verb, p->expected == KLM_MSG_NONE, what);
    km_call_free(&call);
}

static void try_planned(void)
{
    struct st_change *change = NULL;

    change = change_begin(&house);
    for (size_t i = 0; i < planned; i++) {
        REQUIRE_OK(md_object_add(change, &plans[i].object));
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
    for (size_t i = 0; i < planned; i++) {
        try_one(&plans[i]);
    }
    planned = 0;
}

/* Attributes that objects always have, or that stand in the record itself, are there in any case. */
static bool can_be(const struct trial *trial)
{
    const struct rule *rule = trial->rule;
    const bool fixed = !rule->value && strcmp(rule->name, "Name") != 0;

    return (trial->there || (!fixed && rule->always != 'a')) &&
           (!trial->late || strchr("du", rule->modify));
}

static void plan_all(const struct trial *trial)
{
    if (can_be(trial)) {
        plan(trial, KM_ATTR_ADD, of_add(trial));
        plan(trial, KM_ATTR_MODIFY, of_modify(trial));
        plan(trial, KM_ATTR_SET, of_set(trial));
        plan(trial, KM_ATTR_DELETE, of_delete(trial));
    }
}

TEST(each_attribute_is_changed_by_clients_as_its_rules_say_in_each_state)
{
    serving();
    for (size_t r = 0; r < KLM_COUNT(rules); r++) {
        for (size_t s = 0; s < KLM_COUNT(states); s++) {
            plan_all(&(struct trial){&rules[r], states[s], false, false});
            plan_all(&(struct trial){&rules[r], states[s], true, false});
            plan_all(&(struct trial){&rules[r], states[s], true, true});
        }
        try_planned();
    }
}

/* A row that is missing here is a rule that nothing checks. Certificates' names and what came for one thing have the rules of a neighbour. */
TEST(attributes_of_the_registry_have_their_rules_here)
{
    static const char *const elsewhere[] = {
        "Certificate ",    "X.509 ",           "Rotate ",           "Custom Attribute",
        "Key Format Type", "Opaque Data Type", "Protection Period", "Short Unique Identifier"};
    size_t n;
    const struct kmip_attr_row *row = kmip_attrs(&n);

    for (size_t i = 0; i < n; i++) {
        bool here = false;

        for (size_t r = 0; r < KLM_COUNT(rules) && !here; r++) {
            here = strcmp(rules[r].name, row[i].name) == 0;
        }
        for (size_t e = 0; e < KLM_COUNT(elsewhere) && !here; e++) {
            here = strncmp(row[i].name, elsewhere[e], strlen(elsewhere[e])) == 0;
        }
        test_int(here, true, row[i].name, __FILE__, __LINE__);
    }
}

/* ---- What the matrix does not see */

TEST(attributes_are_not_for_objects_of_every_type)
{
    static const struct {
        uint32_t type;
        const char *value;
        bool in14, in21;
    } row[] = {
        {KMIP_ObjectType_SymmetricKey, "<CryptographicDomainParameters/>", false, false},
        {KMIP_ObjectType_PrivateKey, "<CryptographicDomainParameters/>", true, true},
        {KMIP_ObjectType_OpaqueObject, DATE("ActivationDate", SOON), false, true},
        {KMIP_ObjectType_OpaqueObject, TEXT("Comment", "a"), true, true},
        {KMIP_ObjectType_SecretData, LIMITS("1"), false, true},
        {KMIP_ObjectType_Template, DATE("ActivationDate", SOON), true, true},
    };

    serving();
    for (size_t i = 0; i < KLM_COUNT(row); i++) {
        for (int v = 0; v < 2; v++) {
            struct md_object object;
            struct km_call *call;
            struct km_attr_change *req;
            const bool ok = v ? row[i].in21 : row[i].in14;

            object_begin(&object, row[i].type,
                         row[i].type == KMIP_ObjectType_Template ? 0 : KMIP_State_PreActive);
            object_add(&house, &object);
            call = new_call(&house, KM_ATTR_ADD, &object_client);
            req = call->req;
            *req = (struct km_attr_change){.version = v ? V21 : V14,
                                           .uid = object.uid,
                                           .value = item_of(row[i].value),
                                           .index = -1};
            KLM_IGNORE(km_run_wait(call));
            test_str(klm_msg(call->diag.msg)->id,
                     klm_msg(ok ? KLM_MSG_NONE : KLM_MSG_ATTR_UNFIT)->id, row[i].value, __FILE__,
                     __LINE__);
            km_call_free(&call);
        }
    }
}

TEST(attributes_beside_the_key_material_are_not_listed)
{
    struct md_object object;
    struct km_call *call;
    struct km_object_attrs *req;

    serving();
    object_begin(&object, KMIP_ObjectType_SecretData, KMIP_State_PreActive);
    REQUIRE_OK(md_attr_set_number(&object.attrs, KMIP_TAG_SecretDataType, 1));
    REQUIRE_OK(md_attr_set(&object.attrs, item_of("<KeyWrappingData/>")));
    REQUIRE_OK(md_attr_set_text(&object.attrs, KMIP_TAG_Comment, "c"));
    object_add(&house, &object);
    call = new_call(&house, KM_OBJECT_ATTRS, &object_client);
    req = call->req;
    req->version = V21;
    req->uid = object.uid;
    REQUIRE_OK(km_run_wait(call));
    CHECK_INT(req->object.attrs.n, 5);
    CHECK_INT(req->object.attrs.at[0].tag, KMIP_TAG_UniqueIdentifier);
    CHECK_INT(req->object.attrs.at[1].tag, KMIP_TAG_ObjectType);
    CHECK(md_attr_find(&req->object.attrs, KMIP_TAG_Comment) != NULL);
    CHECK(!md_attr_find(&req->object.attrs, KMIP_TAG_SecretDataType));
    CHECK(!md_attr_find(&req->object.attrs, KMIP_TAG_KeyWrappingData));
    km_call_free(&call);
}

static void refused(const struct km_actor *actor, const char *uid, klm_rc rc, enum klm_msg_id msg)
{
    static const enum km_verb_id verb[] = {KM_OBJECT_ATTRS, KM_ATTR_ADD, KM_ATTR_MODIFY,
                                           KM_ATTR_SET, KM_ATTR_DELETE};

    for (size_t i = 0; i < KLM_COUNT(verb); i++) {
        struct km_call *call = new_call(&house, verb[i], actor);

        if (verb[i] == KM_OBJECT_ATTRS) {
            ((struct km_object_attrs *)call->req)->uid = uid;
        } else {
            struct km_attr_change *req = call->req;

            req->uid = uid;
            req->value = item_of(TEXT("Comment", "b"));
        }
        KLM_IGNORE(km_run_wait(call));
        expect(call, rc, msg, __FILE__, __LINE__);
    }
}

TEST(others_do_not_see_an_object_and_operators_have_no_right_to_it)
{
    struct md_object object;
    struct km_actor other = object_client;

    serving();
    object_begin(&object, KMIP_ObjectType_SymmetricKey, KMIP_State_Active);
    REQUIRE_OK(md_attr_set_text(&object.attrs, KMIP_TAG_Comment, "c"));
    object_add(&house, &object);
    other.group = "OTHERS";
    refused(&other, object.uid, KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    other.group = "";
    refused(&other, object.uid, KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    refused(&object_client, "no such", KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    refused(&object_client, NULL, KLM_E_INVALID, KLM_MSG_OBJECT_UNNAMED);
    refused(&admin, object.uid, KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED);
    object_now(&house, object.uid, &object);
    CHECK_INT(object.attrs.n, 3);
}

TEST(each_change_and_each_refusal_leaves_an_event_with_the_identifier)
{
    struct md_object object;
    struct km_call *call;

    serving();
    object_begin(&object, KMIP_ObjectType_SymmetricKey, KMIP_State_Active);
    object_add(&house, &object);
    call = change_call(KM_ATTR_ADD, &object, item_of(TEXT("Comment", "b")));
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    call = change_call(KM_ATTR_ADD, &object, item_of(TEXT("Comment", "b")));
    CHECK_RC(call->rc, KLM_E_EXISTS);
    km_call_free(&call);
    CHECK_INT(events(&house, "attribute-add", SMF_SUCCESS, NULL, object.uid), 1);
    CHECK_INT(events(&house, "attribute-add", SMF_FAILURE, "KLM2034E", object.uid), 1);
}

TEST(zz_close)
{
    serving();
    object_house_done(&house);
}
