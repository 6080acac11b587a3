/* Cartridges: mount whatever bytes come, and read every file of it with the key of the golden
 * cartridge. */
#include "base/file.h"
#include "ios/cartridge.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void quiet(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity, (void)line;
}

static void read_all(struct ios_cart *cart, unsigned seq)
{
    static uint8_t out[70000];
    uint8_t key[IOS_KEY_SIZE];
    struct klm_diag diag = {0};
    struct ios_file *file = NULL;
    size_t n = 1;

    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    if (ios_file_open_read(cart, seq, &diag, &file) != KLM_OK) {
        return;
    }
    if (ios_file_set_key(file, key) == KLM_OK) {
        while (n > 0 && ios_file_read(file, out, sizeof out, &n, &diag) == KLM_OK) {
        }
    }
    ios_file_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    struct ios_cart *cart = NULL;
    char path[64];

    if (fd < 0) {
        fd = memfd_create("cartridge", MFD_CLOEXEC);
        klm_say_to(quiet, NULL);
    }
    if (fd < 0 || ftruncate(fd, 0) != 0 || klm_pwrite_all(fd, data, size, 0) != KLM_OK) {
        abort();
    }
    /* The memory beside it cannot be written there, which is fine. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (ios_cart_open(path, IOS_CART_READ, NULL, &cart) == KLM_OK) {
        for (unsigned seq = 1; seq <= ios_cart_files(cart) && seq <= 4; seq++) {
            read_all(cart, seq);
        }
    }
    ios_cart_free(&cart);
    return 0;
}
