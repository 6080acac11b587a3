/* The device codes, from codes.def. */
#include "exchange/kx.h"

static const struct kx_code codes[] = {
#define KX_CODE(code, group, meaning, action) {code, group, meaning, action},
#include "exchange/codes.def"
#undef KX_CODE
};

const struct kx_code *kx_code_find(uint16_t code)
{
    for (size_t i = 0; i < KLM_COUNT(codes); i++) {
        if (codes[i].code == code) {
            return &codes[i];
        }
    }
    return NULL;
}
