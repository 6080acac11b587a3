/* RACDCERT and KEYXFER: the examples of the slides as they stand, the grammar, and what is refused. Offline, as the programs
 * work when the task is down. */
#include "console/con_help.h"

#include "console/internal.h"

static struct house house, backup;

static void opened(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "racf", "key.minimum.rsa.write=1024\n");
        open_house(&house, true);
    }
}

/* As they stand in the presentation, with its line ends. */
static const char *const set_up[] = {
    "RACDCERT ID(TAPEKMS) ADDRING(KeyStore4758)",
    "RACDCERT CERTAUTH GENCERT SUBJECTSDN(CN('MyLocalCA')O('MyCo')C('US'))\n"
    "WITHLABEL('MyLocalRACFCA') PCICC(LOCAL.RACF.CERTAUTH) SIZE(2048)",
    "RACDCERT ID(TAPEKMS) GENCERT SUBJECTSDN(CN('ITOperations')\n"
    "O('MyCo') C('US')) WITHLABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20') PCICC(ITOPS.KLM20.CERT)\n"
    "SIZE(1024) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))",
    "RACDCERT ID(TAPEKMS) GENCERT SUBJECTSDN(CN('ITOperations2')\n"
    "O('MyCo') C('US')) WITHLABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21') PCICC(ITOPS.KLM21.CERT)\n"
    "SIZE(1024) SIGNWITH(CERTAUTH LABEL('MyLocalRACFCA'))",
    "RACDCERT ID(TAPEKMS) CONNECT(CERTAUTH LABEL('MyLocalRACFCA') RING(KeyStore4758))",
    "RACDCERT ID(TAPEKMS) CONNECT(LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20')  \nRING(KeyStore4758))",
    "RACDCERT ID(TAPEKMS) CONNECT(LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21')  "
    "\nRING(KeyStore4758))"};
static const char *const carry_out[] = {
    "RACDCERT ID(TAPEKMS) EXPORT "
    "(LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20'))\nDSN('TAPEKMS.LBL20.PUBKEY') FORMAT(CERTDER)",
    "RACDCERT ID(TAPEKMS) EXPORT "
    "(LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21'))\nDSN('TAPEKMS.LBL21.PUBKEY') FORMAT(CERTDER)",
    "RACDCERT CERTAUTH EXPORT (LABEL('MyLocalRACFCA')) DSN('TAPEKMS.CA.CERT')\nFORMAT(CERTDER)",
    "KEYXFER WRITE,-\nITOPS.KLM20.CERT,-\nCRYPTOR2.CCATEST.PARMS(KLM20)",
    "KEYXFER WRITE,-\nITOPS.KLM21.CERT,-\nCRYPTOR2.CCATEST.PARMS(KLM21)"};
static const char *const bring_in[] = {
    "KEYXFER READ,-\nITOPS.KLM20.CERT,-\nCRYPTOR2.CCATEST.PARMS(KLM20),-\nOVERWRITE",
    "KEYXFER READ,-\nITOPS.KLM21.CERT,-\nCRYPTOR2.CCATEST.PARMS(KLM21),-\nOVERWRITE",
    "RACDCERT CERTAUTH ADD('TAPEKMS.CA.CERT') WITHLABEL('MyLocalRACFCA')",
    "RACDCERT ID(TAPEKMS) ADD('TAPEKMS.LBL20.PUBKEY') "
    "TRUST\nWITHLABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20')\nPCICC(ITOPS.KLM20.CERT)",
    "RACDCERT ID(TAPEKMS) ADD('TAPEKMS.LBL21.PUBKEY') "
    "TRUST\nWITHLABEL('Tape_Sol_Tst_Shr_Pvt_2048_Lbl_21')\nPCICC(ITOPS.KLM21.CERT)",
    "RACDCERT ID(TAPEKMS) ADDRING(KeyStore4758)",
    "RACDCERT ID(TAPEKMS) CONNECT(CERTAUTH LABEL('MyLocalRACFCA') RING(KeyStore4758))",
    "RACDCERT ID(TAPEKMS) CONNECT(LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20')  "
    "\nRING(KeyStore4758))"};

static void all(const struct house *at, const char *const *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        check_answer(at, &admin, lines[i], 0, "", __FILE__, __LINE__);
    }
}

static void copy_file(const char *from, const char *to, const char *name)
{
    struct klm_buf buf;
    char path[700];

    klm_buf_init(&buf, 1 << 20);
    snprintf(path, sizeof path, "%s/%s", from, name);
    REQUIRE_OK(klm_file_read(path, 1 << 20, &buf, NULL));
    snprintf(path, sizeof path, "%s/%s", to, name);
    if (strrchr(name, '/')) {
        char folder[700];
        REQUIRE_OK(klm_path_folder(path, folder, sizeof folder));
        REQUIRE_OK(klm_folder_make(folder, 0700, NULL));
    }
    REQUIRE_OK(klm_file_replace(path, klm_buf_as_slice(&buf), 0600, NULL));
    klm_buf_done(&buf);
}

TEST(the_examples_of_the_slides_work_as_they_stand_on_both_sites)
{
    opened();
    static const char *const files[] = {"TAPEKMS.LBL20.PUBKEY", "TAPEKMS.LBL21.PUBKEY",
                                        "TAPEKMS.CA.CERT", "CRYPTOR2.CCATEST.PARMS/KLM20",
                                        "CRYPTOR2.CCATEST.PARMS/KLM21"};

    all(&house, set_up, KLM_COUNT(set_up));
    all(&house, carry_out, KLM_COUNT(carry_out));
    /* The backup site: its own store, the same master key; only files made by the commands move. */
    make_house(&backup, "backup", "key.minimum.rsa.write=1024\n");
    char sealed[700];
    snprintf(sealed, sizeof sealed, "%s/masterkey/masterkey.sealed", backup.dir);
    REQUIRE(unlink(sealed) == 0);
    copy_file(house.dir, backup.dir, "masterkey/masterkey.sealed");
    REQUIRE(chmod(sealed, 0400) == 0);
    open_house(&backup, true);
    for (size_t i = 0; i < KLM_COUNT(files); i++) {
        copy_file(house.files, backup.files, files[i]);
    }
    all(&backup, bring_in, KLM_COUNT(bring_in));
    check_answer(&backup, &admin,
                 "RACDCERT ID(TAPEKMS) LIST(LABEL('Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20'))", 0,
                 "ITOPS.KLM20.CERT", __FILE__, __LINE__);
    /* The private key came along: it opens and fits. */
    struct st_view *view = NULL;
    struct klm_pool *pool = NULL;
    struct klm_slice token;
    struct kr_key *key = NULL;
    struct kr_cert cert;
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_view_open(km_store(backup.server), &view));
    REQUIRE_OK(kr_cert_get(view, OWNER, "Tape_Sol_Tst_Shr_Pvt_2048_Lbl_21", pool, &cert));
    REQUIRE_OK(kr_token_get(view, "ITOPS.KLM21.CERT", pool, &token));
    REQUIRE_OK(kr_token_open(km_master(backup.server), "ITOPS.KLM21.CERT", token, &key));
    CHECK_RC(kr_cert_fits(cert.der, key), KLM_OK);
    kr_key_free(&key);
    st_view_close(&view);
    klm_pool_free(&pool);
    close_house(&backup);
}

TEST(twice_is_refused_once_each)
{
    opened();
    SAY("RACDCERT ID(U1) ADDRING(R1)", 0, "RACDCERT ADDRING processed");
    SAY("RACDCERT ID(u1) ADDRING(R1)", 1, "KLM0936E");
    SAY("RACDCERT ID(U1) DELRING(R1)", 0, "");
    SAY("RACDCERT ID(U1) DELRING(R1)", 1, "KLM0935E");
    SAY("RACDCERT ID(U1) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('TwiceX') NISTECC PCICC(T.TWICE)", 0,
        "");
    SAY("RACDCERT ID(U1) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('TwiceX') NISTECC", 1, "KLM0944E");
    SAY("RACDCERT ID(U1) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('TwiceY') NISTECC PCICC(T.TWICE)", 1,
        "KLM0945E");
    SAY("KEYXFER WRITE,T.TWICE,TWICE.PARMS(M)", 0,
        "KEY TOKEN T.TWICE WAS WRITTEN TO TWICE.PARMS(M)");
    SAY("KEYXFER READ,T.TWICE,TWICE.PARMS(M)", 1, "KLM0945E");
    SAY("KEYXFER READ,T.TWICE,TWICE.PARMS(M),OVERWRITE", 0, "WAS READ FROM");
    SAY("KEYXFER READ,T.OTHER,TWICE.PARMS(M),OVERWRITE", 1, "KLM0951E");
    SAY("RACDCERT ID(U1) DELETE(LABEL('TwiceX')) FORCIBLY", 2, "FORCIBLY");
    SAY("RACDCERT ID(U1) LIST(LABEL('TwiceX')) FORCE", 2, "FORCE");
    SAY("RACDCERT ID(U1) DELETE(LABEL('TwiceX')) FORCE", 0, "");
    SAY("RACDCERT ID(U1) DELETE(LABEL('TwiceX'))", 1, "KLM0938E");
}

TEST(listings_show_rings_and_certificates)
{
    opened();
    SAY("RACDCERT ID(U2) ADDRING(Ring.Two)", 0, "");
    SAY("RACDCERT ID(U2) GENCERT SUBJECTSDN(CN('two') O('A, B+C') C('DE')) WITHLABEL('Two''s') "
        "NISTECC(PKDS(T.TWO)) SIZE(384)",
        0, "");
    SAY("RACDCERT ID(U2) CONNECT(LABEL('Two''s') RING(Ring.Two) USAGE(personal) DEFAULT)", 0, "");
    SAY("RACDCERT ID(U2) LISTRING(Ring.Two)", 0, "Two's");
    SAY("RACDCERT ID(U2) LISTRING(*)", 0, "Ring.Two");
    SAY("RACDCERT ID(U2) LISTRING", 0, "YES");
    SAY("RACDCERT ID(U2) LIST", 0, "T.TWO");
    SAY("RACDCERT ID(U2) LIST(LABEL('Two''s'))", 0, "NISTECC 384");
    SAY("RACDCERT ID(U2) LIST(LABEL('Two''s'))", 0,
        "A\\, B\\+C"); /* RFC 4514: the comma is no separator */
    SAY("RACDCERT ID(U2) REMOVE(LABEL('Two''s') RING(Ring.Two))", 0, "");
    SAY("RACDCERT ID(U2) REMOVE(LABEL('Two''s') RING(Ring.Two))", 1, "KLM0939E");
    SAY("RACDCERT ID(U2) LISTRING(Ring.Two)", 0, "(no certificates)");
}

TEST(what_racdcert_cannot_read_is_told_with_its_place)
{
    opened();
    static const struct {
        const char *line, *has;
    } wrong[] = {{"RACDCERT", "KLM0978E"},
                 {"RACDCERT ID(U)", "KLM0978E"},
                 {"RACDCERT ID(U) NONSENSE(X)", "KLM0978E"},
                 {"RACDCERT ID(U) ADDRING(R", "KLM0973E"},
                 {"RACDCERT ID(U) ADDRING('R)", "KLM0973E"},
                 {"RACDCERT ID(U) )", "position 7"},
                 {"RACDCERT ID(U) ADDRING", "KLM0974E"},
                 {"RACDCERT ID() ADDRING(R)", "KLM0974E"},
                 {"RACDCERT ID(U) ADDRING(R) MORE(X)", "KLM0975E"},
                 {"RACDCERT ID(TOOLONGUSER) ADDRING(R)", "KLM0905E"},
                 {"RACDCERT ID(U) CONNECT(LABEL('x'))", "KLM0908E"},
                 {"RACDCERT ID(U) CONNECT(RING(R) COLOUR(RED))", "KLM0975E"},
                 {"RACDCERT ID(U) REMOVE(LABEL('x') RING(R) DEFAULT)", "KLM0975E"},
                 {"RACDCERT ID(U) GENCERT WITHLABEL('a' 'b')", "KLM0973E"},
                 {"RACDCERT ID(U) GENCERT SUBJECTSDN(XX('y')) WITHLABEL('a')", "KLM0975E"},
                 {"RACDCERT ID(U) GENCERT WITHLABEL('a') SIZE(big)", "KLM0904E"},
                 {"RACDCERT ID(U) EXPORT(LABEL('a'))", "KLM0976E"},
                 {"RACDCERT ID(U) DELETE", "KLM0908E"},
                 {"RACDCERT ID(U) ADD WITHLABEL('x')", "KLM0974E"},
                 {"RACDCERT 'ID' ADDRING(R)", "KLM0975E"}};

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        SAY(wrong[i].line, 2, wrong[i].has);
    }
    SAY("RACDCERT ID(U) GENCERT WITHLABEL('a') SUBJECTSDN(CN('x')) ROLE(QUEEN)", 2, "KLM0940E");
    SAY("RACDCERT ID(U) GENCERT WITHLABEL('a') SUBJECTSDN(CN('x')) SIZE(512)", 1, "KLM0941E");
    SAY("RACDCERT ID(U) ADD('NO.SUCH.FILE') WITHLABEL('x')", 1, "NO.SUCH.FILE");
}

TEST(dates_are_days_that_exist)
{
    opened();
    static const char *const wrong[] = {"2030-02-30", "2030-13-01",  "2030-00-10", "30-01-01",
                                        "2030-1-1",   "2030-01-01x", "1969-12-31", "tomorrow"};
    char line[256];

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        snprintf(line, sizeof line,
                 "RACDCERT ID(U) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('Date') NISTECC "
                 "NOTAFTER(DATE(%s))",
                 wrong[i]);
        SAY(line, 2, "KLM0977E");
    }
    SAY("RACDCERT ID(U) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('Date') NISTECC "
        "NOTAFTER(DATE(2030-01-01) TIME(24:00:00))",
        2, "KLM0977E");
    SAY("RACDCERT ID(U) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('Date') NISTECC "
        "NOTAFTER(TIME(10:00:00))",
        2, "KLM0977E");
    SAY("RACDCERT ID(U) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('Date') NISTECC "
        "NOTBEFORE(DATE(2026/01/02)) NOTAFTER(DATE(2030-02-28) TIME(12:34:56))",
        0, "");
    SAY("RACDCERT ID(U) LIST(LABEL('Date'))", 0, "2030-02-28");
    SAY("RACDCERT ID(U) LIST(LABEL('Date'))", 0, "2026-01-02");
    SAY("RACDCERT ID(U) GENCERT SUBJECTSDN(CN('x')) WITHLABEL('Date2') NISTECC "
        "NOTBEFORE(DATE(2031-01-01)) NOTAFTER(DATE(2030-01-01))",
        1, "KLM");
}

TEST(what_keyxfer_cannot_read_is_refused)
{
    opened();
    static const char *const wrong[] = {"KEYXFER",
                                        "KEYXFER WRITE",
                                        "KEYXFER WRITE,LABEL",
                                        "KEYXFER WRITE,,X",
                                        "KEYXFER WRITE,LABEL,",
                                        "KEYXFER WRITE,L,X,OVERWRITE",
                                        "KEYXFER READ,L,X,REPLACE",
                                        "KEYXFER READ,L,X,OVERWRITE,MORE",
                                        "KEYXFER COPY,L,X",
                                        "KEYXFER WRITEKEYS",
                                        "KEYXFER WRITEKEYS,",
                                        "KEYXFER WRITEKEYS,X,",
                                        "KEYXFER WRITEKEYS,X,des1,MORE",
                                        "KEYXFER READKEYS,X,des1",
                                        "KEYXFER WRITEGROUPS,X,A",
                                        "KEYXFER READGROUPS",
                                        "KEYXFERWRITE,L,X"};

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        SAY(wrong[i], 2, i + 1 < KLM_COUNT(wrong) ? "KLM0979E" : "KLM0967E");
    }
    SAY("KEYXFER WRITE,NO.TOKEN,X(Y)", 1, "KLM0946E");
    SAY("KEYXFER READ,NO.TOKEN,NOT.THERE(X)", 1, "NOT.THERE");
    write_file(test_path("racf/files/RUBBISH"), "this is no transfer file");
    SAY("KEYXFER READ,NO.TOKEN,RUBBISH", 1, "KLM04");
    SAY("KEYXFER READKEYS,RUBBISH", 1, "KLM0460E");
    SAY("KEYXFER READKEYS,NOT.THERE", 1, "NOT.THERE");
    SAY("KEYXFER READGROUPS,RUBBISH", 1, "KLM1740E");
    SAY("KEYXFER WRITEKEYS,KEYS", 0, "0 stored keys were written to KEYS");
    SAY("KEYXFER READKEYS,KEYS", 0, "0 stored keys taken, 0 were here from KEYS");
    SAY(" keyxfer  write , NO.TOKEN , X(Y) ", 1, "KLM0946E"); /* blanks and case do not matter */
}

/* ---- The grammar by itself */

static klm_rc parse(const char *text, struct racf_word *words, size_t *n, struct klm_pool *pool)
{
    struct klm_buf out;
    struct con_run run = {.pool = pool, .out = &out};
    klm_rc rc;

    klm_buf_init(&out, 65536);
    rc = racf_parse(&run, text, words, n);
    CHECK((rc == KLM_OK) == (out.n == 0)); /* a refusal always says something */
    klm_buf_done(&out);
    return rc;
}

TEST(words_bodies_and_quotes_are_taken_apart)
{
    struct racf_word words[RACF_WORDS_MAX];
    struct klm_pool *pool = NULL;
    size_t n = 9;

    REQUIRE_OK(klm_pool_new(0, &pool));
    CHECK_RC(parse(" id(User), Label('it''s (fine)') ( x ) 'quoted' RSA", words, &n, pool), KLM_OK);
    REQUIRE(n == 5);
    CHECK_STR(words[0].name, "ID");
    CHECK_STR(words[0].body, "User");
    CHECK_STR(words[1].name, "LABEL");
    CHECK_STR(words[1].body, "'it''s (fine)'");
    CHECK(words[2].name == NULL);
    CHECK_STR(words[2].body, " x ");
    CHECK(words[3].name == NULL);
    CHECK_STR(words[3].body, "'quoted'");
    CHECK_STR(words[4].name, "RSA");
    CHECK(words[4].body == NULL);
    CHECK_RC(parse("", words, &n, pool), KLM_OK);
    CHECK_INT(n, 0);
    static const char *const wrong[] = {"A(", "A(B", "A(B))", "'", "'''", "A('B)", ")", "A((B)"};
    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        CHECK_RC(parse(wrong[i], words, &n, pool), KLM_E_USAGE);
    }
    char many[2 * RACF_WORDS_MAX + 4] = "";
    for (int i = 0; i < RACF_WORDS_MAX; i++) {
        memcpy(many + (size_t)2 * (size_t)i, "a ", 2);
    }
    CHECK_RC(parse(many, words, &n, pool), KLM_OK);
    CHECK_INT(n, RACF_WORDS_MAX);
    many[2 * RACF_WORDS_MAX] = 'a';
    CHECK_RC(parse(many, words, &n, pool), KLM_E_USAGE);
    klm_pool_free(&pool);
}

TEST(zz_close)
{
    opened();
    close_house(&house);
    CHECK(house.server == NULL);
}
