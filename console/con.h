/* The operator's door: console commands in, verbs, blocks of text out. The same parser serves F ISKLM,APPL='...' from the operator socket, the command
 * line programs, and racdcert and keyxfer when the task is down. Doors translate; they decide nothing. */
#ifndef CONSOLE_CON_H
#define CONSOLE_CON_H

#include "keymgr/km.h"

#define CON_COMMAND_MAX 65536 /* bytes of one command line */
#define CON_ANSWER_MAX (64u << 20)

/* Ask the operator for a secret, which is never part of a command: it is typed without echo, twice when it is new, or comes from where he said.
 * Appended to a wiping buffer. KLM_E_USAGE: nobody can be asked, or he gives none. */
typedef klm_rc con_ask_fn(void *arg, const char *prompt, bool twice, struct klm_buf *out);

/* Who gives a command, and where his files are. */
struct con_context {
    struct km_server *server;
    struct km_actor actor;
    const char
        *files;      /* the one folder under which files named in commands lie (openat2, beneath) */
    con_ask_fn *ask; /* NULL: nobody can be asked */
    void *ask_arg;
};

/* What a command came to. */
enum con_status {
    CON_DONE = 0,
    CON_FAILED = 1,
    CON_MISUSED = 2, /* the command was given wrongly */
    CON_AMISS = 3    /* done: the answer is whole, and says that something is not as it should be */
};

/* Carry out one line: "F ISKLM,APPL='...'" (or MODIFY), "P ISKLM" (STOP), "D A,ISKLM" (DISPLAY), "D SMF", "I SMF" (SWITCH), "RACDCERT ...", "KEYXFER ...". Blocks: not on a loop. The answer (lines, each
 * ending with a newline) is appended to out; *status is one of enum con_status. Never fails otherwise: what goes wrong is in the answer. */
void con_execute(const struct con_context *context, const char *line, struct klm_buf *out,
                 int *status);

/* A command line as it may stand in logs and histories: control characters as '.', and values of passwords as ****. Appended to out. */
void con_shown(const char *line, struct klm_buf *out);

/* ---- Operator socket, server side: a thread per connection, at most 16; who it is comes from the socket's credentials, what he may do from console.role.* */
struct con_socket;
klm_rc con_socket_open(struct km_server *server, const char *path, struct klm_diag *diag,
                       struct con_socket **out) KLM_MUST_USE;
/* Hear of each command before it is carried out, as con_shown shows it (a hard-copy log). Called on their threads. */
typedef void con_heard_fn(void *arg, const char *user, const char *shown);
void con_socket_on_command(struct con_socket *socket, con_heard_fn *fn, void *arg);
/* A console line for operators who are attached. Any thread; slow ones miss lines rather than hold the task up. */
void con_socket_broadcast(struct con_socket *socket, const char *line);
/* Let the commands under way finish, then close. */
void con_socket_close(struct con_socket **socket);

/* ---- Operator socket, client side (programs) */
struct con_client;
/* Connect: path, else $KLM_OPER_SOCKET, else /run/isklm/oper.sock. KLM_E_NOTFOUND: no task listens there. */
klm_rc con_client_open(const char *path, struct klm_diag *diag, struct con_client **out)
    KLM_MUST_USE;
/* Who answers when a command asks for a secret; without one nothing is given. */
void con_client_on_ask(struct con_client *client, con_ask_fn *ask, void *arg);
/* One command; the answer is appended to out. */
klm_rc con_client_command(struct con_client *client, const char *line, struct klm_buf *out,
                          int *status, struct klm_diag *diag) KLM_MUST_USE;
/* Ask for console messages too; fd for poll, and take the next message line (KLM_E_AGAIN: none yet). */
klm_rc con_client_attach(struct con_client *client, struct klm_diag *diag) KLM_MUST_USE;
int con_client_fd(const struct con_client *client);
klm_rc con_client_message(struct con_client *client, struct klm_buf *out) KLM_MUST_USE;
void con_client_close(struct con_client **client);

#endif
