/* Names of tokens (RFC 7512) and the PIN file. */
#include "test.h"

#include "base/file.h"
#include "base/secret.h"
#include "keyring/p11/pin.h"
#include "keyring/p11/uri.h"

#include <sys/stat.h>
#include <unistd.h>

TEST(a_uri_names_token_serial_number_and_key)
{
    struct p11_uri uri;

    REQUIRE_OK(p11_uri_parse(
        "pkcs11:token=The%20Software%20PKCS%2311;serial=0a1b;object=klm.master", &uri, NULL));
    CHECK_STR(uri.token, "The Software PKCS#11");
    CHECK_STR(uri.serial, "0a1b");
    CHECK_STR(uri.object, "klm.master");
    REQUIRE_OK(p11_uri_parse("PKCS11:object=k", &uri, NULL));
    CHECK_STR(uri.token, "");
    CHECK(p11_uri_is("pkcs11:") && !p11_uri_is("/etc/key"));
}

TEST(a_uri_that_says_anything_else_is_refused)
{
    static const char *const wrong[] = {
        "",
        "token=KLM",
        "pkcs11:",
        "pkcs11:token",
        "pkcs11:token=",
        "pkcs11:token=KLM;",
        "pkcs11:token=KLM;token=KLM",
        "pkcs11:slot-id=1",
        "pkcs11:token=KLM;manufacturer=x",
        "pkcs11:token=a%2",
        "pkcs11:token=a%zz",
        "pkcs11:token=a%00b",
        "pkcs11:token=a%C3%A4",
        "pkcs11:serial=12345678901234567",
        "pkcs11:token=123456789012345678901234567890123",
        "pkcs11:object=k?pin-value=secret",
        "pkcs11:object=k?module-path=/lib/x.so",
    };
    struct p11_uri uri = {.token = "kept"};
    struct klm_diag diag;

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        diag = (struct klm_diag){0};
        CHECK_RC(p11_uri_parse(wrong[i], &uri, &diag), KLM_E_INVALID);
        CHECK_INT(diag.msg, KLM_MSG_P11_URI);
        CHECK(strstr(diag.text, "secret") ==
              NULL); /* a PIN is not shown, wherever it was written */
    }
    CHECK_STR(uri.token, "kept");
}

static klm_rc read_pin(const char *content, mode_t mode, char got[P11_PIN_MAX + 1])
{
    const char *path = test_path("pin");
    uint8_t *pin = klm_secret_alloc(P11_PIN_MAX);
    struct klm_diag diag = {0};
    size_t n = 0;
    klm_rc rc;

    (void)unlink(path); /* it may be there from before */
    REQUIRE(pin != NULL);
    REQUIRE_OK(klm_file_create(path, klm_slice_str(content), 0600, NULL));
    REQUIRE(chmod(path, mode) == 0);
    rc = p11_pin_read(path, pin, &n, &diag);
    CHECK((rc == KLM_OK) == (diag.msg == KLM_MSG_NONE));
    memcpy(got, pin, n);
    got[n] = '\0';
    klm_secret_free(pin, P11_PIN_MAX);
    return rc;
}

TEST(the_pin_is_the_first_line_of_its_file)
{
    char got[P11_PIN_MAX + 1], longest[P11_PIN_MAX + 3];

    REQUIRE_OK(read_pin("123456\n", 0600, got));
    CHECK_STR(got, "123456");
    REQUIRE_OK(read_pin("no end of line", 0400, got));
    CHECK_STR(got, "no end of line");
    REQUIRE_OK(read_pin("one\r\ntwo\n", 0400, got));
    CHECK_STR(got, "one");
    memset(longest, 'x', sizeof longest);
    longest[P11_PIN_MAX] = '\0';
    REQUIRE_OK(read_pin(longest, 0400, got));
    longest[P11_PIN_MAX] = 'x';
    longest[P11_PIN_MAX + 1] = '\0';
    CHECK_RC(read_pin(longest, 0400, got), KLM_E_INVALID);
    CHECK_RC(read_pin("", 0400, got), KLM_E_INVALID);
    CHECK_RC(read_pin("\n123456\n", 0400, got), KLM_E_INVALID);
}

TEST(a_pin_file_that_others_can_reach_is_refused)
{
    char got[P11_PIN_MAX + 1];
    uint8_t pin[P11_PIN_MAX];
    size_t n = 0;

    CHECK_RC(read_pin("123456\n", 0644, got), KLM_E_INVALID);
    CHECK_RC(read_pin("123456\n", 0620, got), KLM_E_INVALID);
    CHECK_RC(p11_pin_read(test_path("none"), pin, &n, NULL), KLM_E_INVALID);
    CHECK_RC(p11_pin_read(test_dir(), pin, &n, NULL), KLM_E_INVALID);
    REQUIRE(symlink(test_path("pin"), test_path("link")) == 0);
    CHECK_RC(p11_pin_read(test_path("link"), pin, &n, NULL), KLM_E_INVALID);
}
