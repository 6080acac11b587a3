/* The table of verbs, its rights and parameters: the same for every verb. */
#include "keymgr/km_help.h"

#include <grp.h>
#include <pwd.h>

static struct house house;

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "verbs", "");
        (void)quiet_number(&house); /* refusals change nothing, so it stays so */
    }
}

/* Every required parameter gets a text, so that only the right is missing. */
static void fill(struct km_call *call)
{
    size_t n;
    const struct km_param *param = km_params(&n);

    for (size_t i = 0; i < n; i++) {
        char *field = (char *)call->req + param[i].offset;

        if (param[i].verb == call->id && param[i].type == KM_T_STRING) {
            *(const char **)(void *)field = "X";
        } else if (param[i].verb == call->id && param[i].type == KM_T_BYTES) {
            *(struct klm_slice *)(void *)field = KLM_SLICE("X", 1);
        }
    }
}

/* Carry out a verb that must be refused for want of a right; its event must be in the journal, once. */
static void refused(enum km_verb_id id, const struct km_actor *actor)
{
    const char *name = km_verb(id)->name;
    size_t before = events(&house, name, SMF_FAILURE, "KLM0900E", actor->name);
    uint64_t number = st_number(km_store(house.server));
    struct km_call *call = new_call(&house, id, actor);

    fill(call);
    (void)km_run_wait(call);
    test_int(call->device_code, 0xEE30, name, __FILE__, __LINE__);
    CHECK_INT(call->rows.n, 0);
    CHECK_INT(call->bytes.n, 0);
    expect(call, KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, __FILE__, __LINE__);
    test_int((int64_t)events(&house, name, SMF_FAILURE, "KLM0900E", actor->name),
             (int64_t)before + 1, name, __FILE__, __LINE__);
    CHECK_INT(st_number(km_store(house.server)), number);
}

TEST(each_verb_is_refused_and_audited_for_somebody_without_any_right)
{
    serving();
    for (int id = 0; id < KM_VERBS; id++) {
        if (km_verb((enum km_verb_id)id)->right != KM_RIGHT_CONTACT) { /* that anyone may */
            refused((enum km_verb_id)id, &nobody);
        }
    }
}

TEST(each_verb_is_refused_to_each_role_that_does_not_have_its_right)
{
    serving();
    static const struct {
        unsigned role;
        const char *name;
    } roles[] = {{KM_ROLE_SECADMIN, "R1"}, {KM_ROLE_OPERATOR, "R2"}, {KM_ROLE_AUDITOR, "R3"},
                 {KM_ROLE_BACKUP, "R4"},   {KM_ROLE_DRIVE, "R5"},    {KM_ROLE_PARTNER, "R6"}};
    size_t n = 0;

    for (size_t r = 0; r < KLM_COUNT(roles); r++) {
        const struct km_actor actor = {
            .kind = KM_ACTOR_OPERATOR, .roles = roles[r].role, .name = roles[r].name};

        for (int id = 0; id < KM_VERBS; id++) {
            if (!km_may(roles[r].role, km_verb((enum km_verb_id)id)->right)) {
                refused((enum km_verb_id)id, &actor);
                n++;
            }
        }
    }
    CHECK(n > 60);
}

TEST(the_rights_table_gives_nobody_more_than_his_role)
{
    CHECK(km_may(KM_ROLE_DRIVE, KM_RIGHT_SERVE));
    CHECK(!km_may(KM_ROLE_SECADMIN | KM_ROLE_OPERATOR | KM_ROLE_AUDITOR | KM_ROLE_BACKUP |
                      KM_ROLE_SYSTEM,
                  KM_RIGHT_SERVE));
    CHECK(km_may(0, KM_RIGHT_CONTACT));
    CHECK(!km_may(KM_ROLE_OPERATOR, KM_RIGHT_SECURITY));
    CHECK(!km_may(KM_ROLE_OPERATOR, KM_RIGHT_AUDIT));
    CHECK(!km_may(KM_ROLE_AUDITOR, KM_RIGHT_CONFIG));
    CHECK(!km_may(KM_ROLE_BACKUP, KM_RIGHT_DRIVE));
    CHECK(!km_may(KM_ROLE_DRIVE, KM_RIGHT_VIEW));
    CHECK(!km_may(KM_ROLE_PARTNER, KM_RIGHT_SERVE) && !km_may(KM_ROLE_PARTNER, KM_RIGHT_VIEW));
    CHECK(!km_may(KM_ROLE_SECADMIN | KM_ROLE_SYSTEM | KM_ROLE_DRIVE, KM_RIGHT_TAKE));
    for (int right = 0; right < KM_RIGHTS; right++) {
        CHECK(km_may(0, (enum km_right)right) == (right == KM_RIGHT_CONTACT));
    }
}

TEST(rights_are_found_by_the_names_of_the_property_rows)
{
    enum km_right right = KM_RIGHT_SERVE;

    CHECK_RC(km_right_find("CONFIG", &right), KLM_OK);
    CHECK_INT(right, KM_RIGHT_CONFIG);
    CHECK_RC(km_right_find("config", &right), KLM_E_NOTFOUND);
    CHECK_RC(km_right_find("", &right), KLM_E_NOTFOUND);
    CHECK_INT(right, KM_RIGHT_CONFIG);
    for (int id = 0; id < PARM_COUNT_; id++) { /* or nobody could change the property */
        CHECK_RC(km_right_find(parm_row((enum parm_id)id)->right, &right), KLM_OK);
    }
}

/* ---- Parameters */

TEST(the_parameter_table_is_as_the_pipeline_expects_it)
{
    size_t n, objects = 0;
    const struct km_param *param = km_params(&n);

    for (size_t i = 0; i < n; i++) {
        const struct km_verb *verb = km_verb(param[i].verb);
        size_t size = param[i].type == KM_T_FLAG ? sizeof(bool) : sizeof(void *);

        CHECK(param[i].offset + size <= verb->request);
        CHECK(!(param[i].flags & KM_P_OBJECT) || param[i].type == KM_T_STRING);
        CHECK(param[i].type == KM_T_FLAG || param[i].max > 0);
        CHECK(km_param_find(param[i].verb, param[i].name) == &param[i]);
        objects += (param[i].flags & KM_P_OBJECT) != 0;
    }
    CHECK(objects > 10);
    CHECK(km_param_find(KM_STATUS, "serial") == NULL);
    for (int id = 0; id < KM_VERBS; id++) {
        const struct km_verb *verb = km_verb((enum km_verb_id)id);

        CHECK(verb->prepare != NULL);
        CHECK((verb->apply != NULL) == ((verb->flags & KM_CHANGE) != 0));
        CHECK(verb->help[0] != '\0');
    }
}

TEST(parameters_are_set_by_name_within_their_limits)
{
    serving();
    struct km_call *call = new_call(&house, KM_CERT_GENERATE, &admin);
    struct km_cert_req *req = call->req;
    struct klm_diag diag = {0};
    char label[66];

    memset(label, 'a', 64);
    label[64] = label[65] = '\0';
    CHECK_RC(km_call_set(call, "label", label, &diag), KLM_OK);
    CHECK_STR(req->label, label);
    label[64] = 'a';
    CHECK_RC(km_call_set(call, "label", label, &diag), KLM_E_LIMIT);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM0905E");
    CHECK_INT(strlen(req->label), 64); /* untouched */
    CHECK_RC(km_call_set(call, "label", "a\x1b[2Jb", &diag), KLM_E_INVALID);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM0906E");
    CHECK_RC(km_call_set(call, "size", "16384", &diag), KLM_OK);
    CHECK_INT(req->size, 16384);
    static const char *const wrong[] = {"16385", "-1", "", "0x10", "12 ", "99999999999999999999",
                                        "ten"};
    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        CHECK_RC(km_call_set(call, "size", wrong[i], &diag), KLM_E_INVALID);
        CHECK_STR(klm_msg(diag.msg)->id, "KLM0904E");
    }
    CHECK_INT(req->size, 16384);
    CHECK_RC(km_call_set(call, "colour", "red", &diag), KLM_E_USAGE);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM0907E");
    CHECK_RC(km_call_set(call, "bytes", "abc", &diag), KLM_E_USAGE); /* bytes have no text form */
    CHECK_RC(km_call_check(call, &diag), KLM_E_USAGE);
    CHECK_STR(klm_msg(diag.msg)->id, "KLM0908E");
    CHECK(strstr(diag.text, "owner") != NULL);
    km_call_free(&call);
    km_call_free(&call); /* NULL by now */
}

TEST(limits_hold_for_requests_filled_by_field_too)
{
    serving();
    struct km_call *call = new_call(&house, KM_TOKEN_READ, &admin);
    struct km_token_req *req = call->req;
    uint8_t *big = calloc(1, 65537);

    REQUIRE(big != NULL);
    req->label = "X";
    req->bytes = KLM_SLICE(big, 65537);
    expect((km_run_wait(call), call), KLM_E_LIMIT, KLM_MSG_PARAM_LONG, __FILE__, __LINE__);
    call = new_call(&house, KM_TOKEN_READ, &admin);
    req = call->req;
    req->label = "X";
    req->bytes = KLM_SLICE(big, 65536);
    (void)km_run_wait(call);
    CHECK(call->diag.msg != KLM_MSG_PARAM_LONG && call->rc != KLM_OK);
    km_call_free(&call);
    free(big);
}

TEST(a_flag_is_a_flag_whatever_text_comes_with_it)
{
    serving();
    struct km_call *call = new_call(&house, KM_DRIVE_LIST, &admin);
    struct km_drive_req *req = call->req;

    CHECK(!req->verbose);
    CHECK_RC(km_call_set(call, "verbose", "", NULL), KLM_OK);
    CHECK(req->verbose);
    km_call_free(&call);
}

/* ---- Roles of users */

static struct parm_config *config_with(const char *name, const char *value)
{
    struct parm_config *config = NULL, *changed = NULL;

    REQUIRE_OK(parm_load(house.config, NULL, &config));
    REQUIRE_OK(parm_with(config, name, value, NULL, &changed));
    parm_free(&config);
    return changed;
}

TEST(roles_come_from_the_lists_of_users_and_groups)
{
    serving();
    struct parm_config *config = config_with("console.role.AUDITOR", "daemon,bin");
    const struct passwd *bin = getpwnam("bin");
    uid_t uid = bin ? bin->pw_uid : 2;
    gid_t gid = bin ? bin->pw_gid : 2;

    CHECK_INT(km_roles_of(config, uid, gid), KM_ROLE_AUDITOR);
    CHECK_INT(km_roles_of(config, 0, 0), KM_ROLE_SECADMIN | KM_ROLE_OPERATOR | KM_ROLE_BACKUP);
    CHECK_INT(km_roles_of(config, 4000000000u, 0), 0); /* no such user */
    parm_free(&config);
    const struct group *group = getgrgid(gid);
    char list[128];
    snprintf(list, sizeof list, "%%%s", group ? group->gr_name : "bin");
    config = config_with("console.role.OPERATOR", list);
    CHECK_INT(km_roles_of(config, uid, gid), KM_ROLE_OPERATOR);
    CHECK_INT(km_roles_of(config, 0, 0) & KM_ROLE_OPERATOR, 0);
    parm_free(&config);
    config = config_with("console.role.OPERATOR", "bi,binn,%bi");
    CHECK_INT(km_roles_of(config, uid, gid), 0); /* a part of a name is no name */
    parm_free(&config);
}

/* ---- The server about itself */

TEST(status_tells_what_an_operator_asks_first)
{
    serving();
    struct km_call *call = run_call(&house, KM_STATUS, &oper, NULL);
    bool vp = false, journal = false;

    CHECK_RC(call->rc, KLM_OK);
    CHECK_STR(call->text, "Server is not started.");
    for (size_t i = 0; i < call->rows.n; i++) {
        vp = vp || (strcmp(cell(call, i, "Item"), "Master key verification pattern") == 0 &&
                    strlen(cell(call, i, "Value")) == 16);
        journal = journal || (strcmp(cell(call, i, "Item"), "Audit journal") == 0 &&
                              strcmp(cell(call, i, "Value"), "writing") == 0);
    }
    CHECK(vp && journal);
    km_call_free(&call);
}

static char asked[64];

static void control(void *arg, const char *what)
{
    (void)arg;
    snprintf(asked, sizeof asked, "%s", what);
}

TEST(start_and_stop_reach_the_task)
{
    serving();
    km_on_control(house.server, control, NULL);
    DO(&house, KM_SERVE_STOP, &oper, NULL);
    CHECK_STR(asked, "stopekm");
    DO(&house, KM_SERVE_START, &oper, NULL);
    CHECK_STR(asked, "startekm");
    asked[0] = '\0';
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_TASK_STOP, &nobody, NULL);
    CHECK_STR(asked, "");
    DO(&house, KM_TASK_STOP, &oper, NULL);
    CHECK_STR(asked, "stop");
    km_on_control(house.server, NULL, NULL);
}

TEST(listings_take_any_number_of_rows_and_copy_their_texts)
{
    serving();
    static const char *const columns[] = {"A", "B", NULL};
    struct km_call *call = new_call(&house, KM_STATUS, &oper);
    char text[16];

    REQUIRE_OK(km_rows_begin(call, "T", columns));
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%d", i);
        REQUIRE_OK(km_rows_add(call, (const char *[]){text, i % 2 ? NULL : text}));
    }
    CHECK_INT(call->rows.n, 1000);
    CHECK_STR(cell(call, 998, "A"), "998");
    CHECK_STR(cell(call, 998, "B"), "998");
    CHECK_STR(cell(call, 999, "B"), "");
    km_call_free(&call);
}

TEST(zz_close)
{
    serving();
    close_house(&house);
    CHECK(house.server == NULL);
}
