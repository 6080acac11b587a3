/* The commands as an operator gives them: exit codes, what is printed, and a whole write and read with a key manager. */
#include "fake_km.h"

#include "ios/command.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct fake fake;
static char said[16384], printed[65536];

static void hear(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", line);
}

/* A standard descriptor goes to (or comes from) a file while a command runs. */
static int redirect(int fd, const char *path, int flags)
{
    int kept = dup(fd), to = open(path, flags | O_CREAT, 0600);

    REQUIRE(kept >= 0 && to >= 0 && dup2(to, fd) == fd);
    close(to);
    return kept;
}

static void restore(int fd, int kept)
{
    dup2(kept, fd);
    close(kept);
}

static void take(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, out, cap - 1);

    out[n > 0 ? n : 0] = '\0';
    close(fd);
}

/* A command that may ask a key manager, and does not say itself for how long. */
static bool asks(const char *const *words)
{
    static const char *const all[] = {"write", "read", "display", "translate"};
    bool found = false;

    for (size_t i = 0; i < KLM_COUNT(all); i++) {
        found = found || strcmp(words[0], all[i]) == 0;
    }
    for (; *words; words++) {
        found = found && strcmp(*words, "--timeout") != 0;
    }
    return found;
}

/* iosdrive with these words (NULL ends); input is a file for standard input, or NULL. */
static int iosdrive(const char *input, const char *const *words)
{
    const char *argv[24] = {"iosdrive"};
    int argc = 1, status, out, err, in = -1;

    for (const char *const *word = words; *word; word++) {
        argv[argc++] = *word;
        if (word == words && asks(words)) { /* machines may be slow */
            argv[argc++] = "--timeout=100";
        }
    }
    said[0] = '\0';
    klm_say_to(hear, NULL);
    fflush(stdout);
    out = redirect(STDOUT_FILENO, test_path("stdout"), O_WRONLY | O_TRUNC);
    err = redirect(STDERR_FILENO, test_path("stderr"), O_WRONLY | O_TRUNC);
    if (input) {
        in = redirect(STDIN_FILENO, input, O_RDONLY);
    }
    status = ios_command(argc, argv);
    fflush(stdout);
    restore(STDOUT_FILENO, out);
    restore(STDERR_FILENO, err);
    if (input) {
        restore(STDIN_FILENO, in);
    }
    klm_say_to(NULL, NULL);
    take(test_path("stdout"), printed, sizeof printed);
    return status;
}

#define RUN(...) iosdrive(NULL, (const char *const[]){__VA_ARGS__, NULL})
#define RUN_WITH(input, ...) iosdrive(input, (const char *const[]){__VA_ARGS__, NULL})

static char cartridge[4096], member[4096], folder[4096], data[4096];
static uint8_t content[200000];

static void write_file(const char *path, const void *p, size_t n)
{
    REQUIRE_OK(klm_file_replace(path, KLM_SLICE(p, n), 0600, NULL));
}

/* A key manager, a drive, a member that names it, and something to write; no cartridge yet. */
static void begin(enum fake_mode mode)
{
    char text[100];

    fake_start(&fake, mode);
    (void)fake_drive();
    snprintf(folder, sizeof folder, "%s", test_path("drive"));
    snprintf(member, sizeof member, "%s", test_path("IECIOS00"));
    snprintf(cartridge, sizeof cartridge, "%s", test_path("WXY662.aws"));
    snprintf(data, sizeof data, "%s", test_path("data"));
    snprintf(text, sizeof text, "EKM PRIMARY=127.0.0.1:%u\n", (unsigned)fake.port);
    write_file(member, text, strlen(text));
    for (size_t i = 0; i < sizeof content; i++) {
        content[i] = (uint8_t)(i * i >> 7);
    }
    write_file(data, content, sizeof content);
    setenv("KLM_DRIVE", folder, 1);
    setenv("KLM_IECIOS", member, 1);
    (void)unlink(cartridge);
}

static void done(void)
{
    fake_stop(&fake);
    unsetenv("KLM_DRIVE");
    unsetenv("KLM_IECIOS");
}

static void same_as_content(const char *path)
{
    struct klm_buf back;

    klm_buf_init(&back, sizeof content + 1);
    REQUIRE_OK(klm_file_read(path, sizeof content + 1, &back, NULL));
    CHECK_INT(back.n, sizeof content);
    CHECK(back.n == sizeof content && memcmp(back.p, content, sizeof content) == 0);
    klm_buf_done(&back);
}

TEST(what_is_written_is_told_as_iec205i_and_comes_back)
{
    begin(FAKE_GOOD);
    CHECK_INT(RUN("write", "-v", "WXY662", "--kl1", "LABEL1", "--kl2", "LABEL2", "--enc2", "H",
                  "--job", "ENCRYPT", "--step", "STEP2", "--dsn", "PET.ENCY.PLX.TEST", "--stored",
                  cartridge, data),
              0);
    CHECK_STR(printed, "IEC205I SYSUT2,ENCRYPT,STEP2,FILESEQ=1, COMPLETE VOLUME LIST, 001\n"
                       "VOLS=WXY662,LISTED VOL(S) HAVE BEEN DATA\nENCRYPTED,KL1CD:L,KL2CD:H,\n"
                       "KL1=LABEL1,\nKL2=LABEL2,TOTALBLOCKS=8\n");
    CHECK_STR(said, "");
    CHECK_INT(RUN("read", cartridge, test_path("back")), 0);
    same_as_content(test_path("back"));
    done();
}

TEST(pipes_are_read_and_written)
{
    begin(FAKE_GOOD);
    CHECK_INT(RUN_WITH(data, "write", "-v", "WXY662", cartridge, "-"), 0);
    CHECK_INT(RUN_WITH(data, "write", "--append", cartridge), 0);
    CHECK(strstr(printed, "FILESEQ=2") != NULL);
    CHECK_INT(RUN("read", "-f", "2", cartridge, "-"), 0);
    same_as_content(test_path("stdout"));
    done();
}

TEST(several_files_have_a_key_each_over_one_connection)
{
    begin(FAKE_GOOD);
    CHECK_INT(RUN("write", "-v", "WXY662", cartridge, data, data, data), 0);
    CHECK(strstr(printed, "FILESEQ=3, COMPLETE VOLUME LIST, 003") != NULL);
    CHECK_INT(fake.requests, 3);
    CHECK_INT(fake.sessions, 1);
    CHECK_INT(RUN("list", cartridge), 0);
    CHECK(strncmp(printed, "VOLUME WXY662, 3 files\n", 23) == 0);
    done();
}

TEST(files_are_never_written_over)
{
    begin(FAKE_GOOD);
    CHECK_INT(RUN("write", "-v", "WXY662", cartridge, data), 0);
    CHECK_INT(RUN("write", "-v", "WXY662", cartridge, data), 1);
    CHECK(strstr(said, "KLM1071E Volume WXY662 holds 1 files already") != NULL);
    CHECK_INT(RUN("write", "-v", "OTHER1", "--append", cartridge, data), 1);
    CHECK(strstr(said, "KLM1070E") != NULL);
    CHECK_INT(fake.requests, 1); /* no key was asked for in vain */
    done();
}

TEST(a_refused_key_is_told_as_ios000i_and_leaves_no_volume)
{
    char err[4096];

    begin(FAKE_REFUSE);
    CHECK_INT(RUN("write", "-v", "WXY662", "--unit", "B5E1", cartridge, data), 1);
    take(test_path("stderr"), err, sizeof err);
    CHECK_STR(err, "IOS000I B5E1,**,IOE,**,****,,**,WXY662,IOSDRIVE\nENCRYPTION FAILURE\n"
                   "CU=00 DRIVE=000000 EKM=05EE31\n");
    CHECK(strstr(said, "KLM1069E Key manager 127.0.0.1:") != NULL);
    CHECK_STR(printed, "");
    CHECK(access(cartridge, F_OK) != 0);
    done();
}

TEST(a_key_manager_that_is_not_there_is_cu_01)
{
    char err[4096];

    begin(FAKE_GOOD);
    CHECK_INT(RUN("write", "-v", "WXY662", cartridge, data), 0);
    fake.mode = FAKE_CLOSE;
    CHECK_INT(RUN("read", cartridge, test_path("none")), 1);
    take(test_path("stderr"), err, sizeof err);
    CHECK(strstr(err, "CU=01 DRIVE=000000 EKM=000000\n") != NULL);
    CHECK(strstr(said, "KLM1068E No key manager answers") != NULL);
    done();
}

TEST(a_damaged_block_is_named_and_what_came_before_is_right)
{
    struct stat st;
    int fd;

    begin(FAKE_GOOD);
    CHECK_INT(RUN("write", "-v", "WXY662", "--stored", cartridge, data), 0);
    fd = open(cartridge, O_WRONLY);
    REQUIRE(fd >= 0 && pwrite(fd, "\xff\xff", 2, 100000) == 2);
    close(fd);
    CHECK_INT(RUN("read", cartridge, test_path("part")), 1);
    CHECK(strstr(said, "KLM1012E File 1 of volume WXY662: block 3 is damaged or was changed") !=
          NULL);
    CHECK(strstr(said, "KLM1072W File 1 of volume WXY662: 98112 bytes were given out") != NULL);
    REQUIRE(stat(test_path("part"), &st) == 0);
    CHECK_INT(st.st_size, 98112);
    done();
}

TEST(a_file_that_is_not_there_empties_no_output)
{
    begin(FAKE_GOOD);
    CHECK_INT(RUN("write", "-v", "WXY662", cartridge, data), 0);
    CHECK_INT(RUN("read", "-f", "2", cartridge, data), 1);
    CHECK(strstr(said, "KLM1009E There is no complete file 2") != NULL);
    same_as_content(data);
    CHECK_INT(RUN("write", "--append", cartridge, test_path("nothing")), 1);
    CHECK(strstr(said, "KLM0001E") != NULL);
    done();
}

TEST(translate_prints_eedks_and_leaves_the_cartridge)
{
    begin(FAKE_GOOD);
    CHECK_INT(RUN("write", "-v", "WXY662", cartridge, data), 0);
    CHECK_INT(RUN("translate", "--kl1", "LABEL9", cartridge), 0);
    CHECK_STR(printed, "EEDK1 L:LABEL1 6565646B206F6E65\nEEDK2 H:LABEL2 6565646B2074776F\n");
    CHECK_INT(RUN("read", cartridge, test_path("back")), 0);
    same_as_content(test_path("back"));
    done();
}

TEST(display_shows_and_verifies)
{
    begin(FAKE_GOOD);
    CHECK_INT(RUN("display"), 0);
    CHECK(strncmp(printed, "IOS099I ", 8) == 0);
    CHECK(strstr(printed, "VERIFICATION") == NULL);
    CHECK_INT(fake.sessions, 0);
    CHECK_INT(RUN("display", "--verify=ALL"), 0);
    CHECK(strstr(printed, "IOS631I EKM PRIMARY HOST 127.0.0.1:") != NULL);
    CHECK(strstr(printed, "SECONDARY HOST ") == NULL);
    fake.mode = FAKE_REFUSE_DRIVE;
    CHECK_INT(RUN("display", "--verify", "PRIMARY"), 1);
    CHECK(strstr(printed, "IOS627E EKM PRIMARY HOST 127.0.0.1:") != NULL);
    CHECK(strstr(printed, "EKM=05EF01 KLM0204E Unknown drive") != NULL);
    CHECK_INT(RUN("display", "--verify=SECONDARY"), 1);
    CHECK(strstr(printed, "IOS627E EKM SECONDARY HOST NONE") != NULL);
    done();
}

TEST(setios_changes_the_member)
{
    begin(FAKE_GOOD);
    CHECK_INT(RUN("setios", "EKM,SECONDARY=two:22"), 0);
    CHECK(strstr(printed, " SECONDARY HOSTNAME=two:22\n") != NULL);
    CHECK_INT(RUN("setios", "-i", member, "SETIOS", "EKM,SECONDARY=NONE"), 0);
    CHECK(strstr(printed, " SECONDARY HOSTNAME=NONE\n") != NULL);
    CHECK_INT(RUN("setios", "EKM,THIRD=x"), 1);
    CHECK(strstr(said, "KLM0154E") != NULL);
    done();
}

TEST(the_cartridge_memory_is_made_again)
{
    char cm[4200];

    begin(FAKE_GOOD);
    CHECK_INT(RUN("write", "-v", "WXY662", cartridge, data), 0);
    snprintf(cm, sizeof cm, "%s.cm", cartridge);
    REQUIRE(unlink(cm) == 0);
    CHECK_INT(RUN("rebuild-cm", cartridge), 0);
    CHECK(access(cm, F_OK) == 0);
    CHECK(strstr(said, "KLM1073I") != NULL);
    done();
}

TEST(codes_are_explained)
{
    CHECK_INT(RUN("explain", "EKM=05EE31", "EF01"), 0);
    CHECK(strncmp(printed, "EE31 ", 5) == 0);
    CHECK(strstr(printed, "\nEF01 ") != NULL);
    CHECK_INT(RUN("explain", "1234"), 1);
    CHECK_INT(RUN("explain", "nonsense"), 1);
}

TEST(init_and_install_from_the_command_line)
{
    char key[4200];

    CHECK_INT(RUN("init", "--serial", "0000000001", "--wwn", "500507630240FBCC", test_path("cli")),
              0);
    CHECK(strstr(said, "KLM1062I") != NULL);
    snprintf(key, sizeof key, "%s/drive.key", test_path("cli"));
    CHECK(access(key, F_OK) == 0);
    CHECK_INT(RUN("init", "--serial", "0000000001", "--wwn", "500507630240FBCC", test_path("cli")),
              1);
    CHECK_INT(RUN("install", "--cert", key, "--ca", key, test_path("cli")), 1);
    CHECK(strstr(said, "KLM1060E") != NULL);
}

/* What is given wrongly ends with 2 and a message, and no key manager is asked. */
TEST(usage_errors_end_with_2)
{
    static const char *const wrong[][10] = {
        {NULL},
        {"frobnicate"},
        {"write"},
        {"write", "--no-such-option", "x"},
        {"write", "x", "y"}, /* a new cartridge without a volser */
        {"write", "-v", "toolong", "x", "y"},
        {"write", "-v", "A", "--enc1", "L", "x"},
        {"write", "-v", "A", "--kl1", "L", "--enc1", "X", "x"},
        {"write", "-v", "A", "--kl1", "", "x"},
        {"write", "-v", "A", "--kl1", " A", "x"},
        {"write", "-v", "A", "--dsn", "lower", "x"},
        {"write", "-v", "A", "--job", "TOOLONGJOB", "x"},
        {"write", "-v", "A", "--timeout", "0", "x"},
        {"read"},
        {"read", "a", "b", "c"},
        {"read", "-f", "0", "a"},
        {"read", "-f", "10000", "a"},
        {"read", "-f", "x", "a"},
        {"list"},
        {"display", "--verify=THIRD"},
        {"display", "extra"},
        {"init", "--serial", "0000000001", "x"},
        {"init", "--serial", "0000000001", "--wwn", "500507630240FBCC"},
        {"install", "--cert", "x", "y"},
        {"explain"},
        {"setios"},
    };
    begin(FAKE_GOOD);
    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        CHECK_INT(iosdrive(NULL, wrong[i]), 2);
        CHECK(strncmp(said, "KLM1050E iosdrive", 17) == 0);
    }
    CHECK_INT(fake.sessions, 0);
    done();
    CHECK_INT(RUN("display"), 2);
    CHECK(strstr(said, "KLM_IECIOS") != NULL);
    CHECK_INT(RUN("read", "a"), 2);
    CHECK(strstr(said, "KLM_DRIVE") != NULL);
}

TEST(labels_of_64_characters_pass_and_one_more_does_not)
{
    char label[66];

    begin(FAKE_GOOD);
    memset(label, 'L', 65);
    label[65] = '\0';
    CHECK_INT(RUN("write", "-v", "WXY662", "--kl1", label, cartridge, data), 2);
    label[64] = '\0';
    CHECK_INT(RUN("write", "-v", "WXY662", "--kl1", label, cartridge, data), 0);
    done();
}

TEST(help_and_version_end_well)
{
    CHECK_INT(RUN("--help"), 0);
    CHECK(strstr(printed, "rebuild-cm") != NULL);
    CHECK_INT(RUN("--version"), 0);
    CHECK(strncmp(printed, "iosdrive ", 9) == 0);
}
