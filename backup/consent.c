/* Backups that are restored only with consent: older than what is here, of another server, of a later release. */
#include "backup/restore.h"

#include <stdio.h>
#include <string.h>

static klm_rc foreign(struct bk_restoring *r, const char *why)
{
    if (r->order->consent & BK_ACCEPT_FOREIGN) {
        return KLM_OK;
    }
    return klm_fail(r->diag, KLM_E_STATE, KLM_MSG_BK_FOREIGN, r->file.path, why);
}

static klm_rc check_signer(struct bk_restoring *r)
{
    const struct bk_signature *signature = &r->found->signature;
    bool knows = false;

    if (!signature->algorithm[0]) {
        return foreign(r, "it is not signed");
    }
    KLM_TRY(bk_present_knows(r, signature->cert, &knows));
    return knows ? KLM_OK : foreign(r, "the certificate that signed it is not known here");
}

bool bk_other_server(const struct bk_restoring *r)
{
    const struct bk_present *present = &r->present;

    return strcmp(r->file.header.server_id, present->server_id) != 0 ||
           (present->readable && !present->empty &&
            memcmp(r->file.header.lineage, present->id, BK_ID) != 0);
}

/* An empty server may become what its own backup says, so that a lost disk needs no consent. */
static klm_rc check_origin(struct bk_restoring *r)
{
    const struct bk_header *header = &r->file.header;
    const struct bk_present *present = &r->present;
    char why[2 * KM_SERVER_ID_MAX + 64];

    if (strcmp(header->server_id, present->server_id) != 0) {
        snprintf(why, sizeof why, "its server is %s, this one is %s", header->server_id,
                 present->server_id);
        return foreign(r, why);
    }
    if (present->empty || !present->readable) {
        return KLM_OK;
    }
    if (memcmp(header->lineage, present->id, BK_ID) != 0) {
        return foreign(r, "the store here is not one that it came from");
    }
    return check_signer(r);
}

static klm_rc check_age(struct bk_restoring *r)
{
    const struct bk_present *present = &r->present;
    const uint64_t number = r->found->manifest.number;

    if (present->empty || !present->readable || number >= present->number ||
        (r->order->consent & BK_ACCEPT_OLDER)) {
        return KLM_OK;
    }
    return klm_fail(r->diag, KLM_E_STATE, KLM_MSG_BK_OLDER, r->file.path, KLM_NUM(number),
                    KLM_NUM(present->number));
}

static klm_rc check_release(struct bk_restoring *r)
{
    const char *product = r->file.header.product;

    if (strverscmp(product, KLM_VERSION) <= 0 || (r->order->consent & BK_ACCEPT_NEWER)) {
        return KLM_OK;
    }
    return klm_fail(r->diag, KLM_E_STATE, KLM_MSG_BK_NEWER, r->file.path, product, KLM_VERSION);
}

klm_rc bk_consent_check(struct bk_restoring *r)
{
    KLM_TRY(check_release(r));
    KLM_TRY(check_origin(r));
    return check_age(r);
}

/* "older,foreign,newer,token" */
bool bk_consent_of(const char *list, unsigned *out)
{
    static const struct {
        const char *word;
        unsigned bit;
    } words[] = {{"older", BK_ACCEPT_OLDER},
                 {"foreign", BK_ACCEPT_FOREIGN},
                 {"newer", BK_ACCEPT_NEWER},
                 {"token", BK_ACCEPT_TOKEN}};
    unsigned consent = 0;

    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ","), before = consent;

        for (size_t i = 0; i < KLM_COUNT(words); i++) {
            if (strlen(words[i].word) == n && strncmp(words[i].word, p, n) == 0) {
                consent |= words[i].bit;
            }
        }
        if (consent == before) {
            return false;
        }
        p += n;
        p += *p == ',';
    }
    *out = consent;
    return consent != 0;
}
