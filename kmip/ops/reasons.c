/* What a mistake is called in each version. */
#include "kmip/ops/ops_int.h"

static const struct {
    enum klm_msg_id msg;
    uint32_t v1, v20, v21;
} reasons[] = {
#define KMOP_REASON(msg, v1, v2)                                                                   \
    {msg, KMIP_ResultReason_##v1, KMIP_ResultReason_##v2, KMIP_ResultReason_##v2},
#define KMOP_REASONS(msg, v1, v20, v21)                                                            \
    {msg, KMIP_ResultReason_##v1, KMIP_ResultReason_##v20, KMIP_ResultReason_##v21},
#include "kmip/ops/reasons.def"
#undef KMOP_REASON
#undef KMOP_REASONS
};

/* A failure that no row names. */
static uint32_t by_outcome(klm_rc rc)
{
    switch (rc) {
    case KLM_E_NOTFOUND:
        return KMIP_ResultReason_ItemNotFound;
    case KLM_E_DENIED:
        return KMIP_ResultReason_PermissionDenied;
    case KLM_E_UNSUPPORTED:
        return KMIP_ResultReason_FeatureNotSupported;
    case KLM_E_CRYPTO:
        return KMIP_ResultReason_CryptographicFailure;
    case KLM_E_INVALID:
    case KLM_E_USAGE:
        return KMIP_ResultReason_InvalidField;
    default:
        return KMIP_ResultReason_GeneralFailure;
    }
}

/* What came with a later version, to a client of an earlier one: an object of the one may be asked for in the other, and a failure has a reason (KMIP 1.4, 6.10: REQUIRED). */
static const struct {
    uint32_t reason, instead;
} earlier[] = {
    {KMIP_ResultReason_EncodingOptionError, KMIP_ResultReason_FeatureNotSupported},
    {KMIP_ResultReason_KeyValueNotPresent, KMIP_ResultReason_IllegalOperation}, /* 1.0, 11.10 */
    {KMIP_ResultReason_Sensitive, KMIP_ResultReason_PermissionDenied},
    {KMIP_ResultReason_NotExtractable, KMIP_ResultReason_PermissionDenied},
};

static uint32_t known(uint32_t reason, int version)
{
    for (size_t i = 0; i < KLM_COUNT(earlier); i++) {
        if (earlier[i].reason == reason &&
            !kmip_value_known(KMIP_E_ResultReason, reason, version)) {
            return earlier[i].instead;
        }
    }
    return reason;
}

uint32_t kmop_reason(const struct kmop_item *item)
{
    const struct klm_diag *diag =
        item->call && item->call->diag.msg ? &item->call->diag : item->diag;
    const enum klm_msg_id msg = diag ? diag->msg : KLM_MSG_NONE;

    if (msg == KLM_MSG_NOT_AUTHORISED && !item->msg->registered) {
        return KMIP_ResultReason_AuthenticationNotSuccessful;
    }
    for (size_t i = 0; i < KLM_COUNT(reasons); i++) {
        if (reasons[i].msg == msg) {
            return item->msg->version < KMIP_V(2, 0)    ? known(reasons[i].v1, item->msg->version)
                   : item->msg->version == KMIP_V(2, 0) ? reasons[i].v20
                                                        : reasons[i].v21;
        }
    }
    return by_outcome(item->rc);
}
