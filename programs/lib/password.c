/* A password that does not stand in the command: asked for at the terminal, or read from a file, and put behind PASSWORD. It then goes over the
 * operator's socket or stays in this process; shells, histories and process lists never see it. */
#include "base/file.h"
#include "base/prompt.h"
#include "base/secret.h"
#include "programs/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PASSWORD_LEN 255

/* The word PASSWORD outside of quotes; NULL: there is none. */
static const char *find_word(const char *command)
{
    static const char word[] = "PASSWORD";
    const size_t n = sizeof word - 1;
    bool quoted = false, inside = false;

    for (const char *p = command; *p; p++) {
        quoted = quoted != (*p == '\'');
        if (!quoted && !inside && strncasecmp(p, word, n) == 0 &&
            (!p[n] || strchr(" (\t,", p[n]))) {
            return p + n;
        }
        inside = !strchr(" \t,)", *p);
    }
    return NULL;
}

/* One line from the terminal, unseen. */
static klm_rc ask(int tty, const char *prompt, char out[PASSWORD_LEN + 2])
{
    struct klm_quiet quiet;
    ssize_t n = -1;

    klm_quiet_begin(tty, &quiet);
    if (quiet.terminal && write(tty, prompt, strlen(prompt)) > 0) {
        n = klm_quiet_read(&quiet, out, PASSWORD_LEN + 1);
        (void)!write(tty, "\n", 1);
    }
    klm_quiet_end(&quiet);
    if (n <= 0) {
        return KLM_E_IO;
    }
    out[n] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return *out ? KLM_OK : KLM_E_INVALID;
}

/* Twice when it is to encrypt something: a slip could not be put right. */
static klm_rc ask_terminal(bool twice, char out[PASSWORD_LEN + 2])
{
    char again[PASSWORD_LEN + 2] = "";
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    klm_rc rc = tty >= 0 ? ask(tty, "Password: ", out) : KLM_E_IO;

    if (rc == KLM_OK && twice) {
        rc = ask(tty, "Password again: ", again);
        rc = rc == KLM_OK && strcmp(out, again) != 0 ? KLM_E_INVALID : rc;
    }
    if (tty >= 0) {
        close(tty);
    }
    klm_wipe(again, sizeof again);
    return rc;
}

/* The first line of a file. */
static klm_rc read_file(const char *path, char out[PASSWORD_LEN + 2], struct klm_diag *diag)
{
    struct klm_buf text;
    size_t n;
    klm_rc rc;

    klm_buf_init_wiping(&text, 4096);
    rc = klm_file_read(path, 4096, &text, diag);
    if (rc == KLM_OK) {
        const uint8_t *end = memchr(text.p, '\n', text.n);

        n = end ? (size_t)(end - text.p) : text.n;
        n -= n > 0 && text.p[n - 1] == '\r';
        rc = n == 0 || n > PASSWORD_LEN || memchr(text.p, 0, n)
                 ? klm_fail(diag, KLM_E_INVALID, KLM_MSG_PASSWORD_FILE, path, KLM_NUM(PASSWORD_LEN))
                 : KLM_OK;
        if (rc == KLM_OK) {
            memcpy(out, text.p, n);
            out[n] = '\0';
        }
    }
    klm_buf_done(&text);
    return rc;
}

static void put(struct klm_buf *out, const char *password)
{
    klm_buf_text(out, "('");
    for (const char *p = password; *p; p++) {
        klm_buf_text(out, *p == '\'' ? "\'" : "");
        klm_buf_u8(out, (uint8_t)*p);
    }
    klm_buf_text(out, "')");
}

/* The command once more, with the value in its place. */
static klm_rc insert(struct klm_buf *command, const char *at, const char *password)
{
    const char *text = (const char *)command->p;
    struct klm_buf made;
    klm_rc rc;

    klm_buf_init_wiping(&made, 131072);
    if (at) {
        klm_buf_put(&made, text, (size_t)(at - text));
        put(&made, password);
        klm_buf_text(&made, at);
    } else {
        klm_buf_text(&made, text);
        klm_buf_text(&made, " PASSWORD");
        put(&made, password);
    }
    klm_buf_u8(&made, 0);
    rc = klm_buf_rc(&made);
    if (rc == KLM_OK) {
        klm_buf_clear(command);
        klm_buf_put(command, made.p, made.n);
        rc = klm_buf_rc(command);
    }
    klm_buf_done(&made);
    return rc;
}

klm_rc program_password(struct klm_buf *command, const char *file, struct klm_diag *diag)
{
    const char *text = (const char *)command->p, *at = find_word(text);
    char password[PASSWORD_LEN + 2] = "";
    klm_rc rc;

    if ((at && at[strspn(at, " \t")] == '(') || (!at && !file)) {
        return KLM_OK; /* it is there, or none is wanted */
    }
    rc = file ? read_file(file, password, diag)
              : ask_terminal(strcasestr(text, "EXPORT") != NULL, password);
    if (rc == KLM_OK) {
        rc = insert(command, at, password);
    } else if (!file) {
        (void)klm_fail(diag, rc, KLM_MSG_PASSWORD_TERMINAL);
    }
    klm_wipe(password, sizeof password);
    return rc;
}
