/* Requests of the drive: create, get, translate (PROTOCOL.md, section 4). */
#include "exchange/body.h"

klm_rc kx_encode_create(const struct kx_create *create, uint32_t id, struct klm_buf *out)
{
    KLM_TRY(kx_check_id(id));
    KLM_TRY(kx_check_volser(create->volser));
    KLM_TRY(kx_check_labels(create->labels, create->labels_n, 0));
    size_t start = kx_begin(out, KX_CREATE, id);
    kx_put_volser(out, create->volser);
    kx_put_labels(out, create->labels, create->labels_n);
    return kx_end(out, start);
}

void kx_get_create(struct klm_cur *cur, struct kx_create *out)
{
    kx_get_volser(cur, out->volser);
    kx_get_labels(cur, 0, out->labels, &out->labels_n);
}

static klm_rc check_get(const struct kx_get *get)
{
    KLM_TRY(kx_check_volser(get->volser));
    return kx_check_eedks(get->eedk, get->eedk_n, 1);
}

static void put_get(struct klm_buf *out, const struct kx_get *get)
{
    kx_put_volser(out, get->volser);
    kx_put_eedks(out, get->eedk, get->eedk_n);
}

klm_rc kx_encode_get(const struct kx_get *get, uint32_t id, struct klm_buf *out)
{
    KLM_TRY(kx_check_id(id));
    KLM_TRY(check_get(get));
    size_t start = kx_begin(out, KX_GET, id);
    put_get(out, get);
    return kx_end(out, start);
}

void kx_get_get(struct klm_cur *cur, struct kx_get *out)
{
    kx_get_volser(cur, out->volser);
    kx_get_eedks(cur, 1, out->eedk, &out->eedk_n);
}

klm_rc kx_encode_translate(const struct kx_translate *translate, uint32_t id, struct klm_buf *out)
{
    KLM_TRY(kx_check_id(id));
    KLM_TRY(check_get(&translate->old));
    KLM_TRY(kx_check_labels(translate->labels, translate->labels_n, 0));
    size_t start = kx_begin(out, KX_TRANSLATE, id);
    put_get(out, &translate->old);
    kx_put_labels(out, translate->labels, translate->labels_n);
    return kx_end(out, start);
}

void kx_get_translate(struct klm_cur *cur, struct kx_translate *out)
{
    kx_get_get(cur, &out->old);
    kx_get_labels(cur, 0, out->labels, &out->labels_n);
}
