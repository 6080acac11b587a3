/* Several calls as one change: what each sees of those before it, what is left when one fails, and that all of it comes in force at once or not at all. */
#include "keymgr/object_help.h"

#define ITEMS 120

static struct house house;

/* A batch: its calls, and what happens between them. */
struct script {
    struct km_batch batch;
    struct km_batch_item item[ITEMS];
    void (*before)(struct script *script, size_t i); /* item i is carried out; NULL: nothing */
    bool ended[ITEMS], failed_fill[ITEMS];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    unsigned done;
};

static void open_offline(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "batch", "kmip.certify.label=" CA_LABEL "\n");
        open_house(&house, true);
        furnish(&house);
    }
}

static klm_rc fill(void *arg, size_t i)
{
    struct script *script = arg;

    if (script->before) {
        script->before(script, i);
    }
    return script->failed_fill[i] ? KLM_E_INVALID : KLM_OK;
}

static void ended(void *arg, size_t i)
{
    ((struct script *)arg)->ended[i] = true;
}

static void all_done(void *arg)
{
    struct script *script = arg;

    pthread_mutex_lock(&script->lock);
    script->done++;
    pthread_cond_signal(&script->wake);
    pthread_mutex_unlock(&script->lock);
}

static void script_init(struct script *script, enum km_batch_option option)
{
    *script = (struct script){.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    script->batch = (struct km_batch){.server = house.server,
                                      .option = option,
                                      .item = script->item,
                                      .fill = fill,
                                      .ended = ended,
                                      .done = all_done,
                                      .arg = script};
}

static void add(struct script *script, struct km_call *call)
{
    REQUIRE(script->batch.n < ITEMS);
    script->item[script->batch.n++].call = call;
}

static void carry_out(struct script *script)
{
    km_batch_run(&script->batch);
    pthread_mutex_lock(&script->lock);
    while (!script->done) {
        pthread_cond_wait(&script->wake, &script->lock);
    }
    pthread_mutex_unlock(&script->lock);
    CHECK_INT(script->done, 1);
}

static void script_done(struct script *script)
{
    for (size_t i = 0; i < script->batch.n; i++) {
        km_call_free(&script->item[i].call);
    }
}

static void item_is(const struct script *script, size_t i, enum km_batch_fate fate, klm_rc rc,
                    enum klm_msg_id msg, const char *file, int line)
{
    const struct km_call *call = script->item[i].call;
    char what[32];

    snprintf(what, sizeof what, "item %zu", i);
    test_int(script->item[i].fate, fate, what, file, line);
    test_rc(script->item[i].rc, rc, what, file, line, false);
    if (call && fate != KM_FATE_WAITS) {
        test_rc(call->rc, rc, what, file, line, false);
        test_str(klm_msg(call->diag.msg)->id, klm_msg(msg)->id, call->diag.text, file, line);
    }
}
#define ITEM(i, fate, rc, msg) item_is(&script, (i), (fate), (rc), (msg), __FILE__, __LINE__)
#define DONE(i) ITEM((i), KM_FATE_DONE, KLM_OK, KLM_MSG_NONE)

static struct km_call *create(const char *attrs)
{
    char all[1024];

    snprintf(all, sizeof all, AES256 ANY_MASK "%s", attrs);
    return make_call(&house, KM_OBJECT_CREATE, NULL, all);
}

static struct km_call *on(enum km_verb_id verb, const char *uid)
{
    return object_call(&house, verb, &alpha, uid);
}

static const char *made_by(const struct script *script, size_t i)
{
    return ((struct km_object_make *)script->item[i].call->req)->made[0];
}

static bool is_there(const char *uid)
{
    return attr_of(&house, uid, KMIP_TAG_InitialDate) >= 0;
}

static uint64_t number(void)
{
    return st_number(km_store(house.server));
}

/* The identifier of the first item's object goes to those behind it. */
static void name_first(struct script *script, size_t i)
{
    const char *uid = made_by(script, 0);

    switch (script->item[i].call ? (int)script->item[i].call->id : -1) {
    case KM_OBJECT_GET:
        ((struct km_object_get *)script->item[i].call->req)->uid = uid;
        break;
    case KM_OBJECT_ATTRS:
        ((struct km_object_attrs *)script->item[i].call->req)->uid = uid;
        break;
    case KM_OBJECT_ACTIVATE:
    case KM_OBJECT_DESTROY:
        ((struct km_object_state *)script->item[i].call->req)->uid = uid;
        break;
    case KM_OBJECT_ENCRYPT:
        ((struct km_crypt *)script->item[i].call->req)->uid = uid;
        break;
    default:
        break;
    }
}

TEST(each_item_sees_what_those_before_it_did_and_all_are_one_change)
{
    struct script script;

    open_offline();
    script_init(&script, KM_BATCH_STOP);
    script.before = name_first;
    add(&script, create(""));
    add(&script, on(KM_OBJECT_ATTRS, NULL));
    add(&script, on(KM_OBJECT_ACTIVATE, NULL));
    add(&script, on(KM_OBJECT_ATTRS, NULL));
    add(&script, on(KM_OBJECT_GET, NULL));
    const uint64_t before = number();
    carry_out(&script);
    for (size_t i = 0; i < 5; i++) {
        DONE(i);
        CHECK(script.ended[i]);
    }
    const struct km_object_attrs *first = script.item[1].call->req,
                                 *then = script.item[3].call->req;
    CHECK_INT(md_attr_number(&first->object.attrs, KMIP_TAG_State, 0), KMIP_State_PreActive);
    CHECK_INT(md_attr_number(&then->object.attrs, KMIP_TAG_State, 0), KMIP_State_Active);
    CHECK(((struct km_object_get *)script.item[4].call->req)->item != NULL);
    CHECK_INT(number(), before + 1);
    CHECK_INT(attr_of(&house, made_by(&script, 0), KMIP_TAG_State), KMIP_State_Active);
    CHECK_INT(attr_of(&house, made_by(&script, 0), KMIP_TAG_Fresh), false);
    CHECK(has_material(&house, made_by(&script, 0)));
    CHECK_INT(events(&house, "object-create", SMF_SUCCESS, NULL, made_by(&script, 0)), 1);
    CHECK_INT(events(&house, "object-activate", SMF_SUCCESS, NULL, NULL), 1);
    CHECK_INT(events(&house, "object-attributes", SMF_SUCCESS, NULL, NULL), 2);
    CHECK_INT(events(&house, "object-get", SMF_SUCCESS, NULL, NULL), 1);
    script_done(&script);
}

TEST(what_is_made_and_destroyed_in_a_batch_leaves_its_record_alone)
{
    struct script script;

    open_offline();
    script_init(&script, KM_BATCH_STOP);
    script.before = name_first;
    add(&script, create(NAMED("brief")));
    add(&script, on(KM_OBJECT_DESTROY, NULL));
    add(&script, create(NAMED("brief"))); /* the name is free again */
    carry_out(&script);
    DONE(0);
    DONE(1);
    DONE(2);
    CHECK_INT(attr_of(&house, made_by(&script, 0), KMIP_TAG_State), KMIP_State_Destroyed);
    CHECK(!has_material(&house, made_by(&script, 0)));
    CHECK(has_material(&house, made_by(&script, 2)));
    script_done(&script);
}

TEST(a_batch_that_stops_keeps_what_was_done_and_does_not_reach_what_follows)
{
    struct script script;
    const uint64_t before = (open_offline(), number());

    script_init(&script, KM_BATCH_STOP);
    add(&script, create(""));
    add(&script, on(KM_OBJECT_ACTIVATE, "none"));
    add(&script, create(""));
    carry_out(&script);
    DONE(0);
    ITEM(1, KM_FATE_DONE, KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    ITEM(2, KM_FATE_WAITS, KLM_OK, KLM_MSG_NONE);
    CHECK(script.ended[0] && !script.ended[1] && !script.ended[2]);
    CHECK(is_there(made_by(&script, 0)));
    CHECK_STR(made_by(&script, 2), "");
    CHECK_INT(number(), before + 1);
    script_done(&script);
}

/* A pair whose keys have the same name: the first of them is put before the second is refused. */
TEST(an_item_that_fails_half_way_is_undone_alone_and_a_batch_that_continues_does_the_others)
{
    struct script script;
    const uint64_t before = (open_offline(), number());

    script_init(&script, KM_BATCH_CONTINUE);
    add(&script, create(NAMED("first")));
    add(&script, make_call(&house, KM_OBJECT_PAIR, NULL,
                           "CryptographicAlgorithm=EC CryptographicLength=256 "
                           "CryptographicUsageMask=Sign " NAMED("both")));
    add(&script, NULL);
    script.failed_fill[2] = true;
    add(&script, NULL);
    add(&script, create(NAMED("both")));
    carry_out(&script);
    DONE(0);
    ITEM(1, KM_FATE_DONE, KLM_E_EXISTS, KLM_MSG_OBJECT_NAME);
    ITEM(2, KM_FATE_DONE, KLM_E_INVALID, KLM_MSG_NONE);
    DONE(3);
    DONE(4); /* the name was not taken */
    CHECK(is_there(made_by(&script, 0)) && is_there(made_by(&script, 4)));
    CHECK(!is_there(made_by(&script, 1)) && !has_material(&house, made_by(&script, 1)));
    CHECK_INT(number(), before + 1);
    CHECK_INT(events(&house, "object-create-pair", SMF_FAILURE, "KLM2010E", NULL), 1);
    CHECK_INT(events(&house, "object-create-pair", SMF_SUCCESS, NULL, NULL), 0);
    script_done(&script);
}

TEST(a_batch_that_undoes_leaves_nothing_but_failures_in_the_journal)
{
    struct script script;
    const uint64_t before = (open_offline(), number());
    const size_t created = events(&house, "object-create", SMF_SUCCESS, NULL, NULL);
    const size_t activated = events(&house, "object-activate", SMF_SUCCESS, NULL, NULL);
    const size_t read = events(&house, "object-attributes", SMF_SUCCESS, NULL, NULL);

    script_init(&script, KM_BATCH_UNDO);
    script.before = name_first;
    add(&script, create(""));
    add(&script, on(KM_OBJECT_ACTIVATE, NULL));
    add(&script, on(KM_OBJECT_ATTRS, NULL));
    add(&script, on(KM_OBJECT_ACTIVATE, NULL)); /* it is Active by then */
    add(&script, create(""));
    carry_out(&script);
    ITEM(0, KM_FATE_UNDONE, KLM_E_CANCELLED, KLM_MSG_BATCH_UNDONE);
    ITEM(1, KM_FATE_UNDONE, KLM_E_CANCELLED, KLM_MSG_BATCH_UNDONE);
    ITEM(2, KM_FATE_UNDONE, KLM_OK, KLM_MSG_NONE); /* it had changed nothing */
    ITEM(3, KM_FATE_DONE, KLM_E_STATE, KLM_MSG_OBJECT_STATE);
    ITEM(4, KM_FATE_WAITS, KLM_OK, KLM_MSG_NONE);
    CHECK(!is_there(made_by(&script, 0)) && !has_material(&house, made_by(&script, 0)));
    CHECK_INT(number(), before);
    CHECK_INT(events(&house, "object-create", SMF_SUCCESS, NULL, NULL), created);
    CHECK_INT(events(&house, "object-activate", SMF_SUCCESS, NULL, NULL), activated);
    CHECK_INT(events(&house, "object-create", SMF_FAILURE, "KLM1961E", NULL), 1);
    CHECK_INT(events(&house, "object-activate", SMF_FAILURE, "KLM1961E", NULL), 1);
    CHECK_INT(events(&house, "object-activate", SMF_FAILURE, "KLM2005E", NULL), 1);
    CHECK_INT(events(&house, "object-attributes", SMF_SUCCESS, NULL, NULL), read + 1);
    script_done(&script);
}

TEST(rights_and_group_are_asked_of_each_item)
{
    struct script script;

    open_offline();
    const char *mine = new_key(&house, "");
    script_init(&script, KM_BATCH_CONTINUE);
    add(&script, object_call(&house, KM_OBJECT_ACTIVATE, &beta, mine));
    add(&script, object_call(&house, KM_OBJECT_ACTIVATE, &admin, mine));
    add(&script, on(KM_OBJECT_ACTIVATE, mine));
    carry_out(&script);
    ITEM(0, KM_FATE_DONE, KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    ITEM(1, KM_FATE_DONE, KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED);
    DONE(2);
    script_done(&script);
}

/* ---- What others do meanwhile */

static char contended[MD_UID_MAX];

/* Before the second item, when the first was done on the draft, somebody else activates the key. */
static void overtake(struct script *script, size_t i)
{
    (void)script;
    if (i == 1) {
        WORKS(object_call(&house, KM_OBJECT_ACTIVATE, &alpha, contended));
    }
}

static void conflict(enum km_batch_option option)
{
    struct script script;
    const size_t created = events(&house, "object-create", SMF_SUCCESS, NULL, NULL);
    const size_t conflicts = events(&house, "object-create", SMF_FAILURE, "KLM1960E", NULL);
    const size_t activated = events(&house, "object-activate", SMF_SUCCESS, NULL, NULL);

    memcpy(contended, new_key(&house, ""), sizeof contended);
    script_init(&script, option);
    script.before = overtake;
    add(&script, create(""));
    add(&script, on(KM_OBJECT_ATTRS, contended));
    add(&script, on(KM_OBJECT_ACTIVATE, contended));
    add(&script, create(""));
    carry_out(&script);
    ITEM(0, KM_FATE_DONE, KLM_E_AGAIN, KLM_MSG_BATCH_CONFLICT);
    DONE(1);
    ITEM(2, KM_FATE_DONE, KLM_E_STATE, KLM_MSG_OBJECT_STATE);
    ITEM(3, KM_FATE_DONE, KLM_E_AGAIN, KLM_MSG_BATCH_CONFLICT);
    CHECK(!is_there(made_by(&script, 0)) && !has_material(&house, made_by(&script, 0)));
    CHECK(!is_there(made_by(&script, 3)));
    CHECK_INT(attr_of(&house, contended, KMIP_TAG_State), KMIP_State_Active);
    CHECK_INT(events(&house, "object-create", SMF_SUCCESS, NULL, NULL), created + 1); /* new_key */
    CHECK_INT(events(&house, "object-create", SMF_FAILURE, "KLM1960E", NULL), conflicts + 2);
    CHECK_INT(events(&house, "object-activate", SMF_SUCCESS, NULL, NULL), activated + 1);
    script_done(&script);
}

TEST(a_batch_that_somebody_else_overtook_does_nothing_and_says_so_of_all_its_changes)
{
    open_offline();
    conflict(KM_BATCH_STOP);
    conflict(KM_BATCH_CONTINUE);
    conflict(KM_BATCH_UNDO);
}

/* ---- Limits */

static void many(size_t n, klm_rc rc, enum klm_msg_id msg)
{
    struct script script;
    const uint64_t before = number();

    script_init(&script, KM_BATCH_STOP);
    for (size_t i = 0; i < n; i++) {
        add(&script, create(""));
    }
    carry_out(&script);
    for (size_t i = 0; i < n; i++) {
        ITEM(i, KM_FATE_DONE, rc, msg);
        CHECK(is_there(made_by(&script, i)) == (rc == KLM_OK));
    }
    CHECK_INT(number(), before + (rc == KLM_OK));
    script_done(&script);
}

TEST(a_batch_changes_at_most_a_hundred_times)
{
    open_offline();
    many(KM_BATCH_CHANGES, KLM_OK, KLM_MSG_NONE);
    many(KM_BATCH_CHANGES + 1, KLM_E_LIMIT, KLM_MSG_BATCH_LONG);
}

TEST(what_only_reads_does_not_count)
{
    struct script script;

    open_offline();
    script_init(&script, KM_BATCH_STOP);
    script.before = name_first;
    add(&script, create(""));
    while (script.batch.n < ITEMS) {
        add(&script, on(KM_OBJECT_ATTRS, NULL));
    }
    carry_out(&script);
    DONE(0);
    DONE(ITEMS - 1);
    script_done(&script);
}

static void dawdle(struct script *script, size_t i)
{
    (void)script;
    if (i == 1) {
        usleep(1100000);
    }
}

TEST(a_batch_that_takes_too_long_begins_no_more_items)
{
    struct script script;

    open_offline();
    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.batch.seconds", "value", "1");
    for (int option = KM_BATCH_CONTINUE; option <= KM_BATCH_UNDO; option++) {
        script_init(&script, (enum km_batch_option)option);
        script.before = dawdle;
        for (size_t i = 0; i < 4; i++) {
            add(&script, create(""));
        }
        carry_out(&script);
        if (option == KM_BATCH_UNDO) {
            ITEM(0, KM_FATE_UNDONE, KLM_E_CANCELLED, KLM_MSG_BATCH_UNDONE);
            ITEM(1, KM_FATE_UNDONE, KLM_E_CANCELLED, KLM_MSG_BATCH_UNDONE);
        } else {
            DONE(0);
            DONE(1); /* it was begun in time */
        }
        ITEM(2, KM_FATE_DONE, KLM_E_TIMEOUT, KLM_MSG_BATCH_TIME);
        if (option == KM_BATCH_CONTINUE) {
            ITEM(3, KM_FATE_DONE, KLM_E_TIMEOUT, KLM_MSG_BATCH_TIME);
        } else {
            ITEM(3, KM_FATE_WAITS, KLM_OK, KLM_MSG_NONE);
        }
        script_done(&script);
    }
    DO(&house, KM_CONFIG_SET, &admin, "property", "kmip.batch.seconds", "value", "60");
}

TEST(an_empty_batch_ends)
{
    struct script script;

    open_offline();
    script_init(&script, KM_BATCH_STOP);
    carry_out(&script);
}

TEST(zz_close)
{
    close_house(&house);
    REQUIRE_OK(smf_journal_verify(house.journal, &(uint64_t){0}, NULL));
}

/* ---- A server with threads: the writer stands, and batches queue up behind it. */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held, go;
    size_t done;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void hold_writer(struct km_call *call)
{
    pthread_mutex_lock(&gate.lock);
    gate.held = true;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.go) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
    km_call_free(&call);
}

static void count_done(struct km_call *call)
{
    pthread_mutex_lock(&gate.lock);
    gate.done++;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
    km_call_free(&call);
}

static void stop_writer(void)
{
    struct km_call *call = create("");

    gate.held = gate.go = false;
    gate.done = 0;
    call->done = hold_writer;
    km_run(call);
    pthread_mutex_lock(&gate.lock);
    while (!gate.held) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
}

static void go_on_until(size_t done)
{
    pthread_mutex_lock(&gate.lock);
    gate.go = true;
    pthread_cond_broadcast(&gate.changed);
    while (gate.done < done) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
}

static void reopen_with_threads(void)
{
    static bool serving;

    if (!serving) {
        serving = true;
        open_house(&house, false);
    }
}

static void wait_done(struct script *script)
{
    pthread_mutex_lock(&script->lock);
    while (!script->done) {
        pthread_cond_wait(&script->wake, &script->lock);
    }
    pthread_mutex_unlock(&script->lock);
}

/* As long names as an actor may have, so that events are large; those of certificates carry a warning, too, as their authority ends before they would. */
static const struct km_actor wordy = {
    .kind = KM_ACTOR_CLIENT,
    .roles = KM_ROLE_CLIENT,
    .name = "NNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN",
    .address = "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
    .session = "1318966508-1234567890",
    .fingerprint = ALPHA_PRINT,
    .group = "GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGG",
    .may_destroy = true};

static struct km_call *wordy_call(enum km_verb_id verb, const char *uid, const char *attrs)
{
    struct km_call *call = object_call(&house, verb, &wordy, uid);

    attrs_in(&((struct km_object_make *)call->req)->attrs, attrs);
    return call;
}

TEST(zz_long_batches_at_once_do_not_take_the_room_for_each_others_events)
{
    static struct script script[3];
    char pair[2][MD_UID_MAX];
    uint64_t before;

    reopen_with_threads();
    make_in(wordy_call(KM_OBJECT_PAIR, NULL,
                       "CryptographicAlgorithm=EC CryptographicLength=256 "
                       "CryptographicUsageMask='Sign Verify'"),
            pair);
    stop_writer();
    before = number();
    for (size_t b = 0; b < 3; b++) {
        for (int i = 0; i < 31; i++) { /* single changes before each */
            struct km_call *call = wordy_call(KM_OBJECT_CREATE, NULL, AES256 ANY_MASK);

            call->done = count_done;
            km_run(call);
        }
        script_init(&script[b], KM_BATCH_STOP);
        while (script[b].batch.n < KM_BATCH_CHANGES) {
            add(&script[b], wordy_call(KM_OBJECT_CERTIFY, pair[1], "CertificateSubjectCN='x'"));
        }
        km_batch_run(&script[b].batch);
        nap_ms(200); /* a worker is through with it */
    }
    go_on_until(93);
    for (size_t b = 0; b < 3; b++) {
        wait_done(&script[b]);
        for (size_t i = 0; i < KM_BATCH_CHANGES; i++) {
            CHECK_RC(script[b].item[i].rc, KLM_OK);
        }
        CHECK_INT(events(&house, "object-certify", SMF_SUCCESS, NULL, made_by(&script[b], 99)), 1);
        script_done(&script[b]);
    }
    CHECK(number() >= before + 3);
    CHECK_INT(events(&house, "object-certify", SMF_SUCCESS, NULL, wordy.name), 300);
}

TEST(zz_the_queue_of_the_writer_full_refuses_the_whole_batch)
{
    struct script script;
    const size_t busy =
        (reopen_with_threads(), events(&house, "object-create", SMF_FAILURE, "KLM0902W", NULL));

    stop_writer();
    for (size_t i = 0; i < 4096; i++) {
        struct km_call *call = on(KM_OBJECT_RECOVER, "none");

        call->done = count_done;
        km_run(call);
    }
    script_init(&script, KM_BATCH_STOP);
    add(&script, create(""));
    add(&script, create(""));
    carry_out(&script);
    ITEM(0, KM_FATE_DONE, KLM_E_LIMIT, KLM_MSG_BUSY);
    ITEM(1, KM_FATE_DONE, KLM_E_LIMIT, KLM_MSG_BUSY);
    go_on_until(4096);
    CHECK(!is_there(made_by(&script, 0)));
    CHECK_INT(events(&house, "object-create", SMF_FAILURE, "KLM0902W", NULL), busy + 2);
    script_done(&script);
}

TEST(zz_zz_close)
{
    close_house(&house);
    REQUIRE_OK(smf_journal_verify(house.journal, &(uint64_t){0}, NULL));
}
