/* Stored keys of LTO drives: create-stored, get-stored and their answers (PROTOCOL.md, section 4). */
#include "exchange/body.h"

#include <string.h>

klm_rc kx_encode_stored_create(const struct kx_stored_create *create, uint32_t id,
                               struct klm_buf *out)
{
    KLM_TRY(kx_check_id(id));
    KLM_TRY(kx_check_volser(create->volser));
    size_t start = kx_begin(out, KX_STORED_CREATE, id);
    kx_put_volser(out, create->volser);
    return kx_end(out, start);
}

void kx_get_stored_create(struct klm_cur *cur, struct kx_stored_create *out)
{
    kx_get_volser(cur, out->volser);
}

klm_rc kx_encode_stored_get(const struct kx_stored_get *get, uint32_t id, struct klm_buf *out)
{
    KLM_TRY(kx_check_id(id));
    KLM_TRY(kx_check_volser(get->volser));
    size_t start = kx_begin(out, KX_STORED_GET, id);
    kx_put_volser(out, get->volser);
    klm_buf_put(out, get->key_id, sizeof get->key_id);
    return kx_end(out, start);
}

void kx_get_stored_get(struct klm_cur *cur, struct kx_stored_get *out)
{
    kx_get_volser(cur, out->volser);
    klm_cur_copy(cur, out->key_id, sizeof out->key_id);
}

static klm_rc check_alias(const char *alias)
{
    size_t n = strnlen(alias, KX_ALIAS_MAX + 1);

    if (n > KX_ALIAS_MAX) {
        return KLM_E_LIMIT;
    }
    return kx_check_label_text(alias, n);
}

klm_rc kx_encode_stored(enum kx_type type, const struct kx_stored *stored, uint32_t id,
                        struct klm_buf *out)
{
    KLM_TRY(kx_check_id(id));
    if (type != KX_STORED_CREATED && type != KX_STORED_GOT) {
        return KLM_E_INVALID;
    }
    KLM_TRY(check_alias(stored->alias));
    size_t start = kx_begin(out, type, id);
    klm_buf_put(out, stored->wrapped, sizeof stored->wrapped);
    klm_buf_put(out, stored->key_id, sizeof stored->key_id);
    klm_buf_lp8(out, klm_slice_str(stored->alias));
    return kx_end(out, start);
}

void kx_get_stored(struct klm_cur *cur, struct kx_stored *out)
{
    struct klm_slice alias = {0};

    klm_cur_copy(cur, out->wrapped, sizeof out->wrapped);
    klm_cur_copy(cur, out->key_id, sizeof out->key_id);
    klm_cur_lp8(cur, KX_ALIAS_MAX, &alias);
    if (klm_cur_rc(cur) != KLM_OK) {
        return;
    }
    klm_cur_fail(cur, kx_check_label_text((const char *)alias.p, alias.n));
    if (klm_cur_rc(cur) == KLM_OK) {
        memcpy(out->alias, alias.p, alias.n);
    }
}
