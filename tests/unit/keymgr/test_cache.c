/* The cache of managed objects, as callers see it: what was read lately is answered without the store, and never after a change that was answered; and the marks of objects that were
 * served, which reach the store later. */
#include "keymgr/object_help.h"

#include "kmip/codec/ttlv.h"

#include <stdatomic.h>

static struct house house;

static void opened(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "cache", "");
        open_house(&house, true);
        furnish(&house);
    }
}

/* ---- What the status says of it */

static struct {
    unsigned long long entries, hits, misses;
} was;

static const char *status_of(const struct km_call *status, const char *item)
{
    for (size_t i = 0; i < status->rows.n; i++) {
        if (strcmp(cell(status, i, "Item"), item) == 0) {
            return cell(status, i, "Value");
        }
    }
    return "";
}

static void look(void)
{
    struct km_call *status = run_call(&house, KM_STATUS, &oper, NULL);

    was.entries = strtoull(status_of(status, "Objects and names in memory"), NULL, 10);
    REQUIRE(sscanf(status_of(status, "Found there, and not"), "%llu, %llu", &was.hits,
                   &was.misses) == 2);
    km_call_free(&status);
}

/* Has something been found in the cache since look, and nothing been missed? */
static bool all_hit(void)
{
    const unsigned long long hits = was.hits, misses = was.misses;

    look();
    return was.hits > hits && was.misses == misses;
}

/* ---- Get */

static struct km_call *get(const char *uid)
{
    return run_it(object_call(&house, KM_OBJECT_GET, &alpha, uid));
}

/* The object as it stands in the answer, as TTLV. */
static void answer_of(const struct km_call *call, struct klm_buf *out)
{
    klm_buf_init(out, 65536);
    REQUIRE_OK(call->rc);
    kmip_ttlv_encode(((const struct km_object_get *)call->req)->item, V21, out);
    REQUIRE_OK(klm_buf_rc(out));
}

static void same_answer(const char *uid)
{
    struct km_call *first = get(uid), *second;
    struct klm_buf a, b;

    look();
    second = get(uid);
    CHECK(all_hit());
    answer_of(first, &a);
    answer_of(second, &b);
    CHECK(a.n == b.n && memcmp(a.p, b.p, a.n) == 0);
    CHECK_STR(((struct km_object_get *)second->req)->object.uid, uid);
    CHECK_INT(((struct km_object_get *)second->req)->object.type,
              ((struct km_object_get *)first->req)->object.type);
    klm_buf_done(&a);
    klm_buf_done(&b);
    km_call_free(&first);
    km_call_free(&second);
}

TEST(a_get_from_memory_answers_what_a_get_from_the_store_does)
{
    opened();
    same_answer(made(register_call(
        &house, KMIP_ObjectType_SymmetricKey,
        "SymmetricKey{KeyBlock{KeyFormatType=Raw KeyValue{KeyMaterial:ByteString="
        "00112233445566778899AABBCCDDEEFF} CryptographicAlgorithm=AES CryptographicLength=128}}",
        ANY_MASK)));
    same_answer(made(register_call(&house, KMIP_ObjectType_SecretData,
                                   "SecretData{SecretDataType=Password "
                                   "KeyBlock{KeyFormatType=Opaque KeyValue{KeyMaterial:ByteString="
                                   "70617373776F7264}}}",
                                   ANY_MASK)));
    same_answer(made(register_call(
        &house, KMIP_ObjectType_OpaqueObject,
        "OpaqueObject{OpaqueDataType:Enumeration=0x80000001 OpaqueDataValue=FFEEDD}", "")));
}

TEST(a_new_key_is_known_before_it_is_asked_for)
{
    opened();
    const char *uid = new_key(&house, "");

    look();
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    CHECK(all_hit());
}

TEST(the_same_key_is_given_from_memory_and_after_a_restart)
{
    opened();
    const char *uid = new_key(&house, "");
    struct km_call *call = get(uid);
    struct klm_buf a, b;

    answer_of(call, &a);
    km_call_free(&call);
    close_house(&house);
    open_house(&house, true);
    call = get(uid);
    answer_of(call, &b);
    CHECK(a.n == b.n && memcmp(a.p, b.p, a.n) == 0);
    km_call_free(&call);
    klm_buf_done(&a);
    klm_buf_done(&b);
}

TEST(what_a_change_makes_of_an_object_counts_at_once)
{
    opened();
    const char *uid = new_key(&house, "ActivationDate=NOW-60");

    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    WORKS(state_call(&house, KM_OBJECT_ARCHIVE, uid, 0));
    ENDS(object_call(&house, KM_OBJECT_GET, &alpha, uid), KLM_E_STATE, KLM_MSG_OBJECT_ARCHIVED);
    WORKS(state_call(&house, KM_OBJECT_RECOVER, uid, 0));
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    WORKS(state_call(&house, KM_OBJECT_REVOKE, uid, LEAKED));
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    WORKS(state_call(&house, KM_OBJECT_DESTROY, uid, 0));
    ENDS(object_call(&house, KM_OBJECT_GET, &alpha, uid), KLM_E_STATE, KLM_MSG_OBJECT_DESTROYED);
}

TEST(a_key_that_became_sensitive_does_not_leave_from_memory)
{
    opened();
    const char *uid = new_key(&house, "");
    struct km_call *call;

    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    call = object_call(&house, KM_ATTR_SET, &alpha, uid);
    ((struct km_attr_change *)call->req)->value = item_of(call->pool, "Sensitive=true");
    WORKS(call);
    ENDS(object_call(&house, KM_OBJECT_GET, &alpha, uid), KLM_E_DENIED, KLM_MSG_OBJECT_SENSITIVE);
}

TEST(another_group_gets_nothing_out_of_it)
{
    opened();
    const char *uid = new_key(&house, "");

    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    ENDS(object_call(&house, KM_OBJECT_GET, &beta, uid), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
}

TEST(another_form_than_the_kept_one_is_made_anew)
{
    opened();
    const char *uid = new_key(&house, "");
    struct km_call *call = object_call(&house, KM_OBJECT_GET, &alpha, uid);
    const struct kmip_node *block, *format;

    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    ((struct km_object_get *)call->req)->format = KMIP_KeyFormatType_TransparentSymmetricKey;
    call = run_it(call);
    REQUIRE_OK(call->rc);
    block = kmip_child(((struct km_object_get *)call->req)->item, KMIP_TAG_KeyBlock);
    format = kmip_child(block, KMIP_TAG_KeyFormatType);
    REQUIRE(format != NULL);
    CHECK_INT(format->number, KMIP_KeyFormatType_TransparentSymmetricKey);
    km_call_free(&call);
    same_answer(uid); /* in its own form still */
}

/* ---- Batches */

struct script {
    struct km_batch batch;
    struct km_batch_item item[4];
};

static klm_rc fill(void *arg, size_t i)
{
    struct script *script = arg;
    const struct km_object_make *made = script->item[0].call->req;

    if (i > 0 && i < KLM_COUNT(script->item) && script->item[i].call->id == KM_OBJECT_DESTROY) {
        struct km_object_state *req = script->item[i].call->req;

        req->uid = req->uid ? req->uid : made->made[0];
    }
    return KLM_OK;
}

static void ended(void *arg, size_t i)
{
    (void)arg, (void)i;
}

static void done(void *arg)
{
    (void)arg;
}

static void carry_out(struct script *script, enum km_batch_option option)
{
    script->batch = (struct km_batch){.server = house.server,
                                      .option = option,
                                      .item = script->item,
                                      .n = script->batch.n,
                                      .fill = fill,
                                      .ended = ended,
                                      .done = done,
                                      .arg = script};
    km_batch_run(&script->batch);
}

TEST(a_key_that_its_own_batch_destroys_is_never_given)
{
    opened();
    struct script script = {.batch.n = 2};
    char uid[MD_UID_MAX];

    script.item[0].call = make_call(&house, KM_OBJECT_CREATE, NULL, AES256 ANY_MASK);
    script.item[1].call = object_call(&house, KM_OBJECT_DESTROY, &alpha, NULL);
    carry_out(&script, KM_BATCH_STOP);
    CHECK_RC(script.item[1].rc, KLM_OK);
    memcpy(uid, ((struct km_object_make *)script.item[0].call->req)->made[0], sizeof uid);
    ENDS(object_call(&house, KM_OBJECT_GET, &alpha, uid), KLM_E_STATE, KLM_MSG_OBJECT_DESTROYED);
    km_call_free(&script.item[0].call);
    km_call_free(&script.item[1].call);
}

TEST(a_destroy_that_is_undone_takes_no_key_away)
{
    opened();
    const char *uid = new_key(&house, "");
    struct script script = {.batch.n = 2};

    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    script.item[0].call = object_call(&house, KM_OBJECT_DESTROY, &alpha, uid);
    script.item[1].call = object_call(&house, KM_OBJECT_GET, &alpha, "nothing");
    carry_out(&script, KM_BATCH_UNDO);
    CHECK_INT(script.item[0].fate, KM_FATE_UNDONE);
    km_call_free(&script.item[0].call);
    km_call_free(&script.item[1].call);
    same_answer(uid);
}

TEST(inside_a_batch_a_get_sees_what_was_destroyed_before_it)
{
    opened();
    const char *uid = new_key(&house, "");
    struct script script = {.batch.n = 2};

    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    script.item[0].call = object_call(&house, KM_OBJECT_DESTROY, &alpha, uid);
    script.item[1].call = object_call(&house, KM_OBJECT_GET, &alpha, uid);
    carry_out(&script, KM_BATCH_CONTINUE);
    CHECK_RC(script.item[0].rc, KLM_OK);
    CHECK_RC(script.item[1].rc, KLM_E_STATE);
    km_call_free(&script.item[0].call);
    km_call_free(&script.item[1].call);
}

/* ---- Locate */

/* Identifiers that a search for a name of this type finds, parted by blanks, in a static buffer. */
static const char *located(const char *name, const char *type, bool newest)
{
    static char out[4][400];
    static unsigned turn;
    char text[200], *to = out[turn = (turn + 1) % 4];
    struct km_call *call = new_call(&house, KM_OBJECT_LOCATE, &alpha);
    struct km_locate *req = call->req;
    const struct kmip_node *filter;

    snprintf(text, sizeof text, "Name{NameValue='%s' NameType=%s}", name, type);
    filter = item_of(call->pool, text);
    req->what.filter = &filter;
    req->what.filters = 1;
    req->what.newest = newest;
    KLM_IGNORE(km_run_wait(call));
    REQUIRE_OK(call->rc);
    to[0] = '\0';
    for (size_t i = 0; i < req->n; i++) {
        snprintf(to + strlen(to), sizeof out[0] - strlen(to), "%s%s", i ? " " : "", req->uid[i]);
    }
    km_call_free(&call);
    return to;
}
#define TEXT "UninterpretedTextString"

static void named(const char *uid, enum km_verb_id verb, const char *name)
{
    struct km_call *call = object_call(&house, verb, &alpha, uid);
    char text[200];

    snprintf(text, sizeof text, "Name{NameValue='%s' NameType=" TEXT "}", name);
    ((struct km_attr_change *)call->req)->value = item_of(call->pool, text);
    ((struct km_attr_change *)call->req)->current =
        verb == KM_ATTR_MODIFY ? item_of(call->pool, NAMED("first")) : NULL;
    WORKS(call);
}

TEST(a_search_by_name_follows_every_change_of_names)
{
    opened();
    CHECK_STR(located("first", TEXT, false), "");
    CHECK_STR(located("first", TEXT, false), ""); /* that there is none is known, too */
    const char *uid = new_key(&house, NAMED("first"));

    look();
    CHECK_STR(located("first", TEXT, false), uid);
    CHECK(all_hit()); /* a new name is known at once */
    CHECK_STR(located("second", TEXT, false), "");
    named(uid, KM_ATTR_MODIFY, "second");
    CHECK_STR(located("first", TEXT, false), "");
    CHECK_STR(located("second", TEXT, false), uid);
    look();
    CHECK_STR(located("second", TEXT, false), uid);
    CHECK(all_hit());
    named(uid, KM_ATTR_ADD, "third");
    CHECK_STR(located("third", TEXT, false), uid);
    CHECK_STR(located("second", TEXT, false), uid);
    WORKS(state_call(&house, KM_OBJECT_DESTROY, uid, 0));
    CHECK_STR(located("second", TEXT, false), "");
    CHECK_STR(located("third", TEXT, false), "");
    uid = new_key(&house, NAMED("second")); /* the name is free again */
    CHECK_STR(located("second", TEXT, false), uid);
}

TEST(names_of_two_types_are_two_names)
{
    opened();
    const char *one = new_key(&house, NAMED("both"));
    const char *two = new_key(&house, "Name{NameValue='both' NameType=URI} ");

    for (int i = 0; i < 2; i++) { /* from the store, then from memory */
        CHECK_STR(located("both", TEXT, false), one);
        CHECK_STR(located("both", "URI", false), two);
    }
}

TEST(archived_objects_are_not_found_by_name)
{
    opened();
    const char *uid = new_key(&house, NAMED("kept"));

    CHECK_STR(located("kept", TEXT, false), uid);
    WORKS(state_call(&house, KM_OBJECT_ARCHIVE, uid, 0));
    CHECK_STR(located("kept", TEXT, false), "");
    WORKS(state_call(&house, KM_OBJECT_RECOVER, uid, 0));
    CHECK_STR(located("kept", TEXT, false), uid);
}

TEST(what_is_known_by_name_is_not_given_before_it_was_read)
{
    opened();
    const char *uid = new_key(&house, NAMED("hidden") "Sensitive=true");

    CHECK_STR(located("hidden", TEXT, false), uid);
    CHECK_STR(located("hidden", TEXT, false), uid);
    ENDS(object_call(&house, KM_OBJECT_GET, &alpha, uid), KLM_E_DENIED, KLM_MSG_OBJECT_SENSITIVE);
}

/* ---- Objects that are fresh no longer */

/* What Get Attributes says. */
static bool says_fresh(const char *uid)
{
    struct km_call *call = run_it(object_call(&house, KM_OBJECT_ATTRS, &alpha, uid));
    bool fresh;

    REQUIRE_OK(call->rc);
    fresh =
        md_attr_number(&((struct km_object_attrs *)call->req)->object.attrs, KMIP_TAG_Fresh, false);
    km_call_free(&call);
    return fresh;
}

static size_t fresh_named(const char *name)
{
    struct km_call *call = new_call(&house, KM_OBJECT_LOCATE, &alpha);
    struct km_locate *req = call->req;
    const struct kmip_node *filter[2];
    char text[200];
    size_t n;

    snprintf(text, sizeof text, "Name{NameValue='%s' NameType=" TEXT "}", name);
    filter[0] = item_of(call->pool, text);
    filter[1] = item_of(call->pool, "Fresh=true");
    req->what.filter = filter;
    req->what.filters = 2;
    KLM_IGNORE(km_run_wait(call));
    REQUIRE_OK(call->rc);
    n = req->n;
    km_call_free(&call);
    return n;
}

TEST(a_first_get_ends_freshness_for_all_who_ask_and_the_store_learns_of_it)
{
    opened();
    char uid[MD_UID_MAX];
    uint64_t number;

    snprintf(uid, sizeof uid, "%s", new_key(&house, NAMED("new")));
    number = st_number(km_store(house.server));
    CHECK(says_fresh(uid));
    CHECK_INT(fresh_named("new"), 1);
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    CHECK(!says_fresh(uid));
    CHECK_INT(fresh_named("new"), 0);
    CHECK_INT(st_number(km_store(house.server)), number); /* no change of its own */
    close_house(&house);
    open_house(&house, true);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_Fresh), false);
    CHECK(!says_fresh(uid));
}

TEST(a_served_object_that_is_changed_or_destroyed_stays_so)
{
    opened();
    char changed[MD_UID_MAX], gone[MD_UID_MAX];

    snprintf(changed, sizeof changed, "%s", new_key(&house, ""));
    snprintf(gone, sizeof gone, "%s", new_key(&house, ""));
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, changed));
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, gone));
    WORKS(state_call(&house, KM_OBJECT_ACTIVATE, changed, 0));
    CHECK_INT(attr_of(&house, changed, KMIP_TAG_Fresh), false); /* written with the change */
    WORKS(state_call(&house, KM_OBJECT_DESTROY, gone, 0));
    close_house(&house);
    open_house(&house, true);
    CHECK_INT(attr_of(&house, changed, KMIP_TAG_State), KMIP_State_Active);
    CHECK_INT(attr_of(&house, changed, KMIP_TAG_Fresh), false);
    CHECK_INT(attr_of(&house, gone, KMIP_TAG_State), KMIP_State_Destroyed);
}

TEST(a_first_get_of_a_groups_key_is_in_the_store_before_its_answer)
{
    opened();
    const char *uid = new_key(&house, "ObjectGroup='tapes' ");

    CHECK_INT(attr_of(&house, uid, KMIP_TAG_Fresh), true);
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_Fresh), false);
}

/* ---- Without a cache */

TEST(a_server_that_is_to_keep_nothing_answers_the_same)
{
    static struct house small;
    const struct house big = house;

    opened();
    make_house(&small, "small", "kmip.cache.megabytes=0\n");
    open_house(&small, true);
    house = small;
    const char *uid = new_key(&house, NAMED("first"));
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    CHECK_STR(located("first", TEXT, false), uid);
    CHECK_STR(located("first", TEXT, false), uid);
    look();
    CHECK_INT(was.entries, 0);
    close_house(&house);
    house = big;
}

/* ---- Threads: gets, searches and changes of the same objects at once */

#define ROUNDS 150

static struct {
    _Atomic(const char *) uid; /* what is asked for now */
    atomic_bool gone;          /* it was destroyed, and that was answered */
    atomic_bool stop;
    atomic_uint given, late;
} race;

static void *ask(void *arg)
{
    (void)arg;
    while (!atomic_load(&race.stop)) {
        const char *uid = atomic_load(&race.uid);
        const bool gone = atomic_load(&race.gone);
        struct km_call *call = uid ? get(uid) : NULL;

        if (call && call->rc == KLM_OK) {
            atomic_fetch_add(&race.given, 1);
            /* Asked for after the answer to the Destroy, and still the same object: it must not be given. */
            atomic_fetch_add(&race.late, gone && atomic_load(&race.uid) == uid);
        }
        if (call) {
            km_call_free(&call);
        }
    }
    return NULL;
}

TEST(no_key_is_given_after_its_destruction_was_answered)
{
    static char uid[ROUNDS][MD_UID_MAX];
    pthread_t thread[2];

    opened();
    close_house(&house);
    open_house(&house, false);
    for (size_t i = 0; i < 2; i++) {
        REQUIRE(pthread_create(&thread[i], NULL, ask, NULL) == 0);
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        unsigned before;

        snprintf(uid[i], sizeof uid[i], "%s", new_key(&house, ""));
        atomic_store(&race.gone, false);
        before = atomic_load(&race.given);
        atomic_store(&race.uid, uid[i]);
        WAIT_FOR(atomic_load(&race.given) > before + 5, 20);
        WORKS(state_call(&house, KM_OBJECT_DESTROY, uid[i], 0));
        atomic_store(&race.gone, true);
        ENDS(object_call(&house, KM_OBJECT_GET, &alpha, uid[i]), KLM_E_STATE,
             KLM_MSG_OBJECT_DESTROYED);
    }
    atomic_store(&race.stop, true);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
    CHECK(atomic_load(&race.given) > ROUNDS);
    CHECK_INT(atomic_load(&race.late), 0);
}

TEST(the_writer_brings_marks_into_the_store_by_itself)
{
    const char *uid = new_key(&house, "");

    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    WAIT_FOR(attr_of(&house, uid, KMIP_TAG_Fresh) == false, 10);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_Fresh), false);
    look();
    WORKS(object_call(&house, KM_OBJECT_GET, &alpha, uid));
    CHECK(all_hit()); /* and takes nothing out of memory by that */
    close_house(&house);
}
