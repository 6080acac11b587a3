/* What may come when, on the server's side (PROTOCOL.md, section 1.5). */
#include "exchange/kx.h"

/* Everything that is not a row is out of sequence. */
static const struct {
    enum kx_state state;
    enum kx_type type;
    enum kx_state next;
} moves[] = {
    {KX_AWAIT_HELLO, KX_HELLO, KX_UPGRADE}, {KX_AWAIT_CONFIRM, KX_CONFIRM, KX_READY},
    {KX_AWAIT_CONFIRM, KX_BYE, KX_CLOSED},  {KX_READY, KX_VERIFY, KX_READY},
    {KX_READY, KX_CREATE, KX_READY},        {KX_READY, KX_GET, KX_READY},
    {KX_READY, KX_TRANSLATE, KX_READY},     {KX_READY, KX_STORED_CREATE, KX_READY},
    {KX_READY, KX_STORED_GET, KX_READY},    {KX_READY, KX_BYE, KX_CLOSED},
};

klm_rc kx_next(enum kx_state state, enum kx_type type, enum kx_state *next)
{
    for (size_t i = 0; i < KLM_COUNT(moves); i++) {
        if (moves[i].state == state && moves[i].type == type) {
            *next = moves[i].next;
            return KLM_OK;
        }
    }
    return KLM_E_STATE;
}
