/* Drives: what init makes (looked at with OpenSSL's own program too), what install takes and refuses, what load finds wrong. */
#include "fake_km.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct klm_diag diag;

static struct ios_drive_spec spec_of(const char *serial, const char *wwn)
{
    return (struct ios_drive_spec){.serial = serial, .wwn = wwn};
}

static const char *load_text(const char *path)
{
    static struct klm_buf buf;

    klm_buf_done(&buf);
    klm_buf_init(&buf, 1 << 20);
    REQUIRE_OK(klm_file_read(path, 1 << 19, &buf, NULL));
    klm_buf_u8(&buf, 0);
    return (const char *)buf.p;
}

static const char *in(const char *dir, const char *name)
{
    static char path[4][4096];
    static unsigned next;
    char *out = path[next++ % 4];

    snprintf(out, sizeof path[0], "%s/%s", dir, name);
    return out;
}

TEST(serial_numbers_and_wwns_have_one_form)
{
    char serial[13] = "x", wwn[17] = "x";

    REQUIRE_OK(ios_drive_serial("0007888422", serial, &diag));
    CHECK_STR(serial, "000007888422");
    REQUIRE_OK(ios_drive_serial("abcdef123456", serial, &diag));
    CHECK_STR(serial, "ABCDEF123456");
    CHECK_RC(ios_drive_serial("ABCDEF1234", serial, &diag), KLM_E_INVALID);
    CHECK_RC(ios_drive_serial("", serial, &diag), KLM_E_INVALID);
    CHECK_RC(ios_drive_serial("00000788842", serial, &diag), KLM_E_INVALID);
    CHECK_RC(ios_drive_serial("0000078884222", serial, &diag), KLM_E_INVALID);
    CHECK_RC(ios_drive_serial("00000788842-", serial, &diag), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_IOS_SERIAL);
    CHECK_STR(serial, "ABCDEF123456");
    REQUIRE_OK(ios_drive_wwn("500507630240fbcc", wwn, &diag));
    CHECK_STR(wwn, "500507630240FBCC");
    CHECK_RC(ios_drive_wwn("500507630240FBC", wwn, &diag), KLM_E_INVALID);
    CHECK_RC(ios_drive_wwn("500507630240FBCG", wwn, &diag), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_IOS_WWN);
}

TEST(kinds_are_those_of_the_exchange)
{
    uint8_t kind = 9;

    REQUIRE_OK(ios_drive_kind("3592", &kind, &diag));
    CHECK_INT(kind, 0);
    REQUIRE_OK(ios_drive_kind("lto", &kind, &diag));
    CHECK_INT(kind, 1);
    REQUIRE_OK(ios_drive_kind("DS8000", &kind, &diag));
    CHECK_INT(kind, 2);
    CHECK_STR(ios_drive_kind_name(2), "DS8000");
    CHECK_RC(ios_drive_kind("3590", &kind, &diag), KLM_E_INVALID);
    CHECK_INT(kind, 2);
}

TEST(init_makes_a_private_key_that_only_the_owner_can_read)
{
    struct ios_drive_spec spec = spec_of("0007888422", "500507630240fbcc");
    const char *dir = test_path("made");
    struct stat st;

    REQUIRE_OK(ios_drive_init(dir, &spec, &diag));
    REQUIRE(stat(in(dir, "drive.key"), &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0600);
    CHECK(strncmp(load_text(in(dir, "drive.key")), "-----BEGIN PRIVATE KEY-----\n", 28) == 0);
    CHECK_STR(load_text(in(dir, "drive.conf")),
              "serial=000007888422\nwwn=500507630240FBCC\nkind=3592\n");
}

TEST(a_key_is_never_made_twice)
{
    struct ios_drive_spec spec = spec_of(FAKE_SERIAL, FAKE_WWN);
    const char *dir = test_path("twice");
    char before[2048];

    REQUIRE_OK(ios_drive_init(dir, &spec, &diag));
    snprintf(before, sizeof before, "%s", load_text(in(dir, "drive.key")));
    CHECK_RC(ios_drive_init(dir, &spec, &diag), KLM_E_EXISTS);
    CHECK_INT(diag.msg, KLM_MSG_FILE_EXISTS);
    CHECK_STR(load_text(in(dir, "drive.key")), before);
}

TEST(init_refuses_what_it_does_not_know_and_makes_nothing)
{
    struct ios_drive_spec spec = spec_of(FAKE_SERIAL, FAKE_WWN);

    spec.key_type = "rsa:1024";
    CHECK_RC(ios_drive_init(test_path("no"), &spec, &diag), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_IOS_KEY_TYPE);
    spec.key_type = NULL;
    spec.kind = "FLOPPY";
    CHECK_RC(ios_drive_init(test_path("no"), &spec, &diag), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_IOS_KIND);
    CHECK(access(test_path("no"), F_OK) != 0);
}

/* openssl req ... on a request; its output. */
static const char *openssl_req(const char *csr)
{
    const char *out = test_path("req.txt");
    char *argv[] = {(char[]){"openssl"}, (char[]){"req"},
                    (char[]){"-in"},     NULL,
                    (char[]){"-noout"},  (char[]){"-verify"},
                    (char[]){"-text"},   (char[]){"-nameopt"},
                    (char[]){"RFC2253"}, NULL};
    posix_spawn_file_actions_t actions;
    char path[4096];
    pid_t pid;
    int status = -1;

    snprintf(path, sizeof path, "%s", csr);
    argv[3] = path;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    REQUIRE(posix_spawnp(&pid, "openssl", &actions, NULL, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
    return load_text(out);
}

TEST(the_request_says_role_serial_number_and_wwn_as_others_read_it)
{
    struct ios_drive_spec spec = spec_of(FAKE_SERIAL, FAKE_WWN);
    const char *dir = test_path("csr"), *text;

    spec.key_type = "ec:P-384";
    REQUIRE_OK(ios_drive_init(dir, &spec, &diag));
    text = openssl_req(in(dir, "drive.csr"));
    CHECK(strstr(text, "signature verify OK") || strstr(text, "verify OK"));
    CHECK(strstr(text, "CN=Drive 000007888422,serialNumber=000007888422") != NULL);
    CHECK(strstr(text, "TLS Web Client Authentication, 1.3.6.1.4.1.32473.83.1") != NULL);
    CHECK(strstr(text, "1.3.6.1.4.1.32473.83.2:") != NULL);
    CHECK(strstr(text, "..500507630240FBCC") != NULL);
    CHECK(strstr(text, "(384 bit)") != NULL);
}

TEST(a_drive_that_is_installed_can_be_loaded)
{
    struct ios_drive *drive = NULL;

    fake_drive_folder(test_path("whole"), NULL);
    REQUIRE_OK(ios_drive_load(test_path("whole"), &diag, &drive));
    CHECK_STR(drive->serial, FAKE_SERIAL);
    CHECK_STR(drive->wwn, FAKE_WWN);
    CHECK_INT(drive->kind, 0);
    CHECK_INT(drive->ca_n, 1);
    CHECK(drive->key && drive->cert);
    ios_drive_free(&drive);
    CHECK(drive == NULL);
}

TEST(der_is_taken_as_well_as_pem)
{
    struct ios_drive_spec spec = spec_of(FAKE_SERIAL, FAKE_WWN);
    const char *dir = test_path("der");
    struct ios_drive *drive = NULL;
    unsigned char *der = NULL;
    X509 *cert;
    int n;

    ids_make();
    REQUIRE_OK(ios_drive_init(dir, &spec, &diag));
    cert = fake_sign(dir, &ca, true);
    n = i2d_X509(cert, &der);
    REQUIRE_OK(klm_file_replace(test_path("c.der"), KLM_SLICE(der, (size_t)n), 0600, NULL));
    fake_pem(test_path("ca.pem"), ca.cert);
    CHECK_RC(ios_drive_install(dir, test_path("c.der"), test_path("ca.pem"), &diag), KLM_OK);
    REQUIRE_OK(ios_drive_load(dir, &diag, &drive));
    ios_drive_free(&drive);
    REQUIRE_OK(klm_file_replace(test_path("c.der"), KLM_SLICE(der, (size_t)n - 1), 0600, NULL));
    CHECK_RC(ios_drive_install(dir, test_path("c.der"), test_path("ca.pem"), &diag), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_IOS_CERT);
    OPENSSL_free(der);
    X509_free(cert);
}

/* ---- Certificates that are not good for the drive */

static void not_installed(const char *dir, X509 *cert, const struct id *authority, klm_rc rc,
                          const char *why)
{
    fake_pem(test_path("bad.crt"), cert);
    fake_pem(test_path("bad.ca"), authority->cert);
    diag = (struct klm_diag){0};
    CHECK_RC(ios_drive_install(dir, test_path("bad.crt"), test_path("bad.ca"), &diag), rc);
    CHECK_INT(diag.msg, KLM_MSG_IOS_CERT_OTHER);
    CHECK(strstr(diag.text, why) != NULL);
    CHECK(access(in(dir, "drive.crt"), F_OK) != 0);
    CHECK(access(in(dir, "ca.crt"), F_OK) != 0);
}

TEST(a_certificate_that_is_not_this_drives_is_not_installed)
{
    struct ios_drive_spec spec = spec_of(FAKE_SERIAL, FAKE_WWN);
    char dir[4096], theirs[4096];
    X509 *other, *plain, *stranger;

    snprintf(dir, sizeof dir, "%s", test_path("mine"));
    snprintf(theirs, sizeof theirs, "%s", test_path("theirs"));
    ids_make();
    REQUIRE_OK(ios_drive_init(dir, &spec, &diag));
    REQUIRE_OK(ios_drive_init(theirs, &spec, &diag));
    other = fake_sign(theirs, &ca, true);
    plain = fake_sign(dir, &ca, false);
    stranger = fake_sign(dir, &other_ca, true);
    not_installed(dir, other, &ca, KLM_E_WRONGKEY, "another key");
    not_installed(dir, plain, &ca, KLM_E_DENIED, "role of a drive");
    not_installed(dir, stranger, &ca, KLM_E_DENIED, "local issuer");
    X509_free(other);
    X509_free(plain);
    X509_free(stranger);
}

static void conf_is(const char *dir, const char *text)
{
    REQUIRE_OK(klm_file_replace(in(dir, "drive.conf"), klm_slice_str(text), 0600, NULL));
}

TEST(a_certificate_of_another_serial_number_or_wwn_is_refused)
{
    const char *dir = test_path("renamed");
    struct ios_drive *drive = NULL;

    fake_drive_folder(dir, NULL);
    conf_is(dir, "serial=000007888423\nwwn=" FAKE_WWN "\n");
    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_E_DENIED);
    CHECK(strstr(diag.text, "serial number") != NULL);
    conf_is(dir, "serial=" FAKE_SERIAL "\nwwn=500507630240FBCD\n");
    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_E_DENIED);
    CHECK(strstr(diag.text, "WWN") != NULL);
    conf_is(dir, "# nothing\nwwn=" FAKE_WWN "\n");
    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_IOS_CONF);
    conf_is(dir, "serial=" FAKE_SERIAL "\nwwn=" FAKE_WWN "\nkind=LTO\n");
    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_OK);
    CHECK_INT(drive->kind, 1);
    ios_drive_free(&drive);
}

TEST(a_key_that_others_can_read_is_not_used)
{
    const char *dir = test_path("open");
    struct ios_drive *drive = NULL;

    fake_drive_folder(dir, NULL);
    REQUIRE(chmod(in(dir, "drive.key"), 0640) == 0);
    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_E_DENIED);
    CHECK_INT(diag.msg, KLM_MSG_IOS_KEY_MODE);
    REQUIRE(chmod(in(dir, "drive.key"), 0600) == 0);
    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_OK);
    ios_drive_free(&drive);
}

TEST(a_damaged_key_or_a_missing_file_is_told)
{
    const char *dir = test_path("broken");
    struct ios_drive *drive = NULL;

    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_E_NOTFOUND);
    fake_drive_folder(dir, NULL);
    REQUIRE_OK(klm_file_replace(in(dir, "drive.key"), klm_slice_str("no key\n"), 0600, NULL));
    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_IOS_KEY);
    REQUIRE_OK(klm_file_replace(in(dir, "drive.key"), KLM_SLICE("", 0), 0600, NULL));
    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_E_INVALID);
    CHECK(drive == NULL);
}

TEST(no_more_authorities_than_there_is_room_for)
{
    const char *dir = test_path("many");
    struct ios_drive *drive = NULL;
    FILE *to;

    fake_drive_folder(dir, NULL);
    to = fopen(in(dir, "ca.crt"), "w");
    REQUIRE(to != NULL);
    for (int i = 0; i < IOS_DRIVE_CAS; i++) {
        PEM_write_X509(to, i ? other_ca.cert : ca.cert);
    }
    fflush(to);
    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_OK);
    CHECK_INT(drive->ca_n, IOS_DRIVE_CAS);
    ios_drive_free(&drive);
    PEM_write_X509(to, ca.cert);
    fclose(to);
    CHECK_RC(ios_drive_load(dir, &diag, &drive), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_IOS_CERT);
}

TEST(a_signature_needs_room)
{
    uint8_t binding[32] = {1}, out[80];
    size_t n = 0;

    CHECK_RC(ios_drive_sign(fake_drive(), binding, out, 8, &n), KLM_E_LIMIT);
    CHECK_INT(n, 0);
    CHECK_RC(ios_drive_sign(fake_drive(), binding, out, sizeof out, &n), KLM_OK);
    CHECK(n > 60 && n <= sizeof out);
}
