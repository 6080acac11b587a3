/* iosdrive: the drive and the host it is attached to. All is in ios/command.c. */
#include "ios/command.h"

#include "base/msg.h"
#include "base/secret.h"

#include <signal.h>

#define SECRET_BYTES 65536

int main(int argc, const char **argv)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    /* A key manager or a pipe that goes away is an outcome, not the end of the process. */
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (klm_secret_init(SECRET_BYTES) != KLM_OK) {
        klm_say(KLM_MSG_SECRET_MEMORY, KLM_NUM(SECRET_BYTES), "RLIMIT_MEMLOCK");
        return 1;
    }
    return ios_command(argc, argv);
}
