/* Keys that tape libraries make over KMIP: usage metadata has them with the change that makes them or names their cartridge, and events name the cartridge. */
#include "keymgr/object_help.h"

#include "metadata/md.h"

static struct house house;

static void opened(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "library", "");
        open_house(&house, true);
        furnish(&house);
    }
}

#define DKI "00112233445566778899AABB"
/* Version 14 of clang-format does not come to rest on these. */
/* clang-format off */
#define LTO(dki)                                                                                   \
    "ApplicationSpecificInformation{ApplicationNamespace='LIBRARY-LTO7' ApplicationData='" dki "'" \
                                                                                               "}" \
                                                                                               " "
#define BARCODE(text)                                                                              \
    "AlternativeName{AlternativeNameValue='" text "' "                                             \
                                                  "AlternativeNameType=UninterpretedTextString} "
/* clang-format on */
#define X_BARCODE(text)                                                                            \
    "Attribute{VendorIdentification='x' AttributeName='Barcode' AttributeValue:TextString='" text  \
    "'} "

struct uses {
    struct md_usage at[20];
    size_t n;
};

static klm_rc keep(void *arg, const struct md_usage *usage)
{
    struct uses *uses = arg;

    REQUIRE(uses->n < KLM_COUNT(uses->at));
    uses->at[uses->n++] = *usage;
    return KLM_OK;
}

/* Newest first. */
static struct uses uses_of(enum md_by by, const char *what)
{
    struct uses uses = {.n = 0};
    struct st_view *view = NULL;

    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    REQUIRE_OK(md_query(view, by, what, 0, keep, &uses));
    st_view_close(&view);
    return uses;
}

static uint64_t usage_last(void)
{
    struct st_view *view = NULL;
    uint64_t last = 0;

    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    REQUIRE_OK(md_usage_last(view, &last));
    st_view_close(&view);
    return last;
}

static void check_use(const struct md_usage *use, const char *volser, const char *dki,
                      const char *uid)
{
    CHECK_STR(use->client, "ALPHA");
    CHECK_STR(use->drive, "");
    CHECK_STR(use->volser, volser);
    CHECK_STR(use->dki, dki);
    CHECK_STR(use->alias1, uid);
    CHECK_STR(use->alias2, "");
}

/* The newest event of a verb: what it says of the cartridge. */
struct told {
    const char *verb;
    char volser[8], dki[200], alias[65], resource[512];
    size_t n;
};

static void copy(char *out, size_t cap, const char *text)
{
    snprintf(out, cap, "%s", text ? text : "");
}

static klm_rc listen_for(void *arg, const struct smf_record *record)
{
    struct told *told = arg;
    const struct smf_event *event = &record->event;

    if (field_is(event, SMF_F_VERB, told->verb)) {
        copy(told->volser, sizeof told->volser, event->field[SMF_F_VOLSER]);
        copy(told->dki, sizeof told->dki, event->field[SMF_F_DKI]);
        copy(told->alias, sizeof told->alias, event->field[SMF_F_ALIAS1]);
        copy(told->resource, sizeof told->resource, event->field[SMF_F_RESOURCE]);
        told->n++;
    }
    return KLM_OK;
}

static void check_event(const char *verb, const char *volser, const char *dki, const char *uid)
{
    struct told told = {.verb = verb};

    REQUIRE_OK(smf_journal_read(house.journal, 0, listen_for, &told, NULL));
    REQUIRE(told.n > 0);
    CHECK_STR(told.volser, volser);
    CHECK_STR(told.dki, dki);
    CHECK_STR(told.alias, uid);
    CHECK(!*uid || (strstr(told.resource, volser) && strstr(told.resource, uid) &&
                    strstr(told.resource, "Client: ALPHA")));
}

TEST(a_key_made_for_a_cartridge_is_in_usage_metadata_and_audit)
{
    struct uses uses;

    opened();
    const char *uid = new_key(&house, LTO(DKI) BARCODE("AAA001L7"));
    uses = uses_of(MD_BY_VOLSER, "AAA001");
    REQUIRE(uses.n == 1);
    check_use(&uses.at[0], "AAA001", DKI, uid);
    CHECK(klm_clock() - uses.at[0].time < 60000000);
    check_event("object-create", "AAA001", DKI, uid);
    uses = uses_of(MD_BY_ALIAS, uid);
    CHECK_INT(uses.n, 1);
    uses = uses_of(MD_BY_CLIENT, "ALPHA");
    CHECK(uses.n >= 1 && strcmp(uses.at[0].alias1, uid) == 0);
}

TEST(a_get_is_audited_with_the_cartridge_and_is_no_new_use)
{
    opened();
    const char *uid = new_key(&house, LTO(DKI) X_BARCODE("AAA002"));
    const uint64_t before = usage_last();
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    check_event("object-get", "AAA002", DKI, uid);
    /* Refused: it is another group's, and who asks is not told whose cartridge it is of. */
    ENDS(object_call(&house, KM_OBJECT_GET, &beta, uid), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    check_event("object-get", "", "", "");
    WORKS(state_call(&house, KM_OBJECT_DESTROY, uid, 0));
    check_event("object-destroy", "AAA002", DKI, uid);
    ENDS(object_call(&house, KM_OBJECT_GET, &alpha, uid), KLM_E_STATE, KLM_MSG_OBJECT_DESTROYED);
    check_event("object-get", "AAA002", DKI, uid);
    CHECK_INT(usage_last(), before);
}

TEST(a_registered_key_and_a_renewed_one_are_uses_too)
{
    static const char item[] =
        "SymmetricKey{KeyBlock{KeyFormatType=Raw KeyValue{KeyMaterial:ByteString="
        "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a} "
        "CryptographicAlgorithm=AES CryptographicLength=256}}";
    struct uses uses;
    char uid[MD_UID_MAX];

    opened();
    snprintf(uid, sizeof uid, "%s",
             made(register_call(&house, KMIP_ObjectType_SymmetricKey, item,
                                ANY_MASK LTO(DKI) BARCODE("AAA003L7"))));
    check_event("object-register", "AAA003", DKI, uid);
    const char *renewed = made(make_call(&house, KM_OBJECT_REKEY, uid, ""));
    check_event("object-rekey", "AAA003", DKI, renewed);
    uses = uses_of(MD_BY_VOLSER, "AAA003");
    REQUIRE(uses.n == 2);
    check_use(&uses.at[0], "AAA003", DKI, renewed);
    check_use(&uses.at[1], "AAA003", DKI, uid);
}

static struct km_call *attr_call(enum km_verb_id verb, const char *uid, const char *value)
{
    struct km_call *call = object_call(&house, verb, &alpha, uid);

    ((struct km_attr_change *)call->req)->value = item_of(call->pool, value);
    return call;
}

TEST(a_cartridge_that_is_named_later_is_a_use_from_then_on)
{
    struct uses uses;

    opened();
    const char *uid = new_key(&house, "");
    const uint64_t before = usage_last();
    CHECK_INT(uses_of(MD_BY_ALIAS, uid).n, 0);
    WORKS(attr_call(KM_ATTR_ADD, uid, LTO(DKI)));
    check_event("attribute-add", "", DKI, uid);
    WORKS(attr_call(KM_ATTR_ADD, uid, X_BARCODE("AAA004L7")));
    check_event("attribute-add", "AAA004", DKI, uid);
    uses = uses_of(MD_BY_ALIAS, uid);
    REQUIRE(uses.n == 2);
    check_use(&uses.at[0], "AAA004", DKI, uid);
    check_use(&uses.at[1], "", DKI, uid);
    /* Another attribute, or the same barcode again, is none. */
    WORKS(attr_call(KM_ATTR_ADD, uid, "ContactInformation='somebody'"));
    WORKS(attr_call(KM_ATTR_MODIFY, uid, X_BARCODE("AAA004")));
    CHECK_INT(usage_last(), before + 2);
    WORKS(attr_call(KM_ATTR_MODIFY, uid, X_BARCODE("AAA005L7")));
    uses = uses_of(MD_BY_ALIAS, uid);
    CHECK_INT(uses.n, 3);
    check_use(&uses.at[0], "AAA005", DKI, uid);
    WORKS(attr_call(KM_ATTR_DELETE, uid, X_BARCODE("AAA005L7")));
    CHECK_INT(uses_of(MD_BY_VOLSER, "AAA005").n, 1); /* what happened stays */
}

TEST(keys_without_cartridge_and_keys_of_operators_are_no_uses)
{
    opened();
    const uint64_t before = usage_last();
    const char *uid = new_key(&house, BARCODE("AAA006L7") NAMED("AAA006"));
    check_event("object-create", "", "", "");
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    struct km_call *call = object_call(&house, KM_OBJECT_CREATE, &admin, NULL);
    attrs_in(&((struct km_object_make *)call->req)->attrs,
             AES256 ANY_MASK LTO(DKI) BARCODE("AAA006"));
    KLM_IGNORE(km_run_wait(call));
    km_call_free(&call);
    ENDS(make_call(&house, KM_OBJECT_CREATE, NULL, AES256 LTO(DKI) BARCODE("AAA006")),
         KLM_E_INVALID, KLM_MSG_KMIP_FIELD);
    CHECK_INT(usage_last(), before);
    CHECK_INT(uses_of(MD_BY_VOLSER, "AAA006").n, 0);
}

/* ---- In a batch: numbers are given once, by the writer, and what is undone leaves nothing */

struct script {
    struct km_batch batch;
    struct km_batch_item item[3];
    bool done;
};

static klm_rc fill(void *arg, size_t i)
{
    (void)arg, (void)i;
    return KLM_OK;
}

static void ended(void *arg, size_t i)
{
    (void)arg, (void)i;
}

static void all_done(void *arg)
{
    ((struct script *)arg)->done = true;
}

static void carry_out(struct script *script, size_t n, enum km_batch_option option)
{
    script->batch = (struct km_batch){.server = house.server,
                                      .option = option,
                                      .item = script->item,
                                      .n = n,
                                      .fill = fill,
                                      .ended = ended,
                                      .done = all_done,
                                      .arg = script};
    km_batch_run(&script->batch); /* the server is without threads: it is done on return */
    CHECK(script->done);
    for (size_t i = 0; i < n; i++) {
        km_call_free(&script->item[i].call);
    }
}

static struct km_call *create(const char *attrs)
{
    char all[1024];

    snprintf(all, sizeof all, AES256 ANY_MASK "%s", attrs);
    return make_call(&house, KM_OBJECT_CREATE, NULL, all);
}

TEST(a_batch_has_each_use_once_or_not_at_all)
{
    struct script script = {0};

    opened();
    const uint64_t before = usage_last();
    script.item[0].call = create(LTO(DKI) BARCODE("BAT001L7"));
    script.item[1].call = create(LTO(DKI) BARCODE("BAT002L7"));
    carry_out(&script, 2, KM_BATCH_STOP);
    CHECK_INT(uses_of(MD_BY_VOLSER, "BAT001").n, 1);
    CHECK_INT(uses_of(MD_BY_VOLSER, "BAT002").n, 1);
    CHECK_INT(usage_last(), before + 2);
    script = (struct script){0};
    script.item[0].call = create(LTO(DKI) BARCODE("BAT003L7"));
    script.item[1].call = object_call(&house, KM_OBJECT_GET, &alpha, "no such object");
    carry_out(&script, 2, KM_BATCH_UNDO);
    CHECK_INT(uses_of(MD_BY_VOLSER, "BAT003").n, 0);
    CHECK_INT(usage_last(), before + 2);
}

TEST(a_query_shows_the_client_and_goes_by_it)
{
    opened();
    new_key(&house, LTO(DKI) BARCODE("QRY001L7"));
    struct km_call *rows =
        run_call(&house, KM_USAGE_QUERY, &oper, "client", "ALPHA", "limit", "1", NULL);
    REQUIRE_OK(rows->rc);
    REQUIRE(rows->rows.n == 1);
    CHECK_STR(cell(rows, 0, "VolSer"), "QRY001");
    CHECK_STR(cell(rows, 0, "Drive or Client"), "ALPHA");
    CHECK_STR(cell(rows, 0, "DKi"), DKI);
    km_call_free(&rows);
}

TEST(zz_close)
{
    if (house.server) {
        close_house(&house);
    }
}
