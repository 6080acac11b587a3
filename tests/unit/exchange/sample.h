/* Messages used by several tests of this folder. */
#ifndef TESTS_UNIT_EXCHANGE_SAMPLE_H
#define TESTS_UNIT_EXCHANGE_SAMPLE_H

#include "exchange/kx.h"

#include <stdio.h>

static inline struct kx_hello sample_drive(void)
{
    return (struct kx_hello){.version_min = 1,
                             .version_max = 1,
                             .serial = "000123456789",
                             .wwn = "500507630240FBCC",
                             .kind = 0,
                             .capabilities = KX_CAP_SIGN};
}

static inline struct kx_hello sample_server(void)
{
    return (struct kx_hello){.version_min = 1, .version_max = 1};
}

static inline struct kx_label sample_label(const char *text, uint8_t encoding)
{
    struct kx_label label = {.encoding = encoding};

    snprintf(label.label, sizeof label.label, "%s", text);
    return label;
}

#endif
