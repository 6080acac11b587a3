/* Query (KMIP 1.4, 4.25; 2.1, 6.1.40): what is here, and nothing that is not. Each function that is asked for adds its items, in the order that the payload has; one that the version, or
 * this server, has nothing to say to adds none. Fields that a version does not know are left out when the answer is encoded. */
#include "kmip/ops/ops_int.h"

#include <stdlib.h>

klm_rc kmop_query_fill(struct kmop_item *item)
{
    ((struct km_kmip_query *)item->call->req)->version = item->msg->version;
    return KLM_OK;
}

static bool asked(const struct kmop_item *item, uint32_t function)
{
    for (const struct kmip_node *in = kmip_child(item->payload, KMIP_TAG_QueryFunction); in;
         in = kmip_next(in)) {
        if (in->type == KMIP_ENUMERATION && in->number == function) {
            return true;
        }
    }
    return false;
}

static klm_rc put_enum(struct kmop_item *item, struct kmip_node *to, uint32_t tag, uint32_t value)
{
    return kmip_put_number(item->msg->pool, to, tag, KMIP_ENUMERATION, value) ? KLM_OK
                                                                              : KLM_E_NOMEM;
}

static klm_rc put_flag(struct kmop_item *item, struct kmip_node *to, uint32_t tag, bool value)
{
    return kmip_put_number(item->msg->pool, to, tag, KMIP_BOOLEAN, value) ? KLM_OK : KLM_E_NOMEM;
}

/* ---- Operations and objects */

static bool offered(const struct kmop_item *item, uint32_t operation)
{
    return kmop_op(operation, item->msg->version) &&
           (operation != KMIP_Operation_Interop || km_interop(item->call));
}

static klm_rc operations(struct kmop_item *item, struct kmip_node *payload)
{
    size_t n;
    const struct kmop_op *op = kmop_ops(&n);

    for (size_t i = 0; i < n; i++) {
        if (offered(item, op[i].operation)) {
            KLM_TRY(put_enum(item, payload, KMIP_TAG_Operation, op[i].operation));
        }
    }
    return KLM_OK;
}

static klm_rc objects(struct kmop_item *item, struct kmip_node *payload)
{
    static const struct {
        uint32_t type;
        int until;
    } kept[] = {
#define KMOP_OBJECT(type, until) {KMIP_ObjectType_##type, until},
#include "kmip/ops/objects.def"
#undef KMOP_OBJECT
    };

    for (size_t i = 0; i < KLM_COUNT(kept); i++) {
        if (item->msg->version <= kept[i].until &&
            kmip_value_known(KMIP_E_ObjectType, kept[i].type, item->msg->version)) {
            KLM_TRY(put_enum(item, payload, KMIP_TAG_ObjectType, kept[i].type));
        }
    }
    return KLM_OK;
}

/* ---- Who this is. Fields of Server Information have names since 2.0 (KMIP 2.1, 7.37). */

static const char *load(struct kmop_item *item)
{
    double of_a_minute;

    return getloadavg(&of_a_minute, 1) == 1 ? klm_pool_printf(item->msg->pool, "%.2f", of_a_minute)
                                            : "unknown";
}

static klm_rc server_information(struct kmop_item *item, struct kmip_node *payload)
{
    const struct kmop_config *config = item->msg->req.config;
    char id[KM_SERVER_ID_MAX];
    struct kmip_node *to;

    KLM_TRY(kmop_put_text(item, payload, KMIP_TAG_VendorIdentification, config->vendor));
    to = kmip_structure(item->msg->pool, payload, KMIP_TAG_ServerInformation);
    if (item->msg->version < KMIP_V(2, 0)) {
        return to ? KLM_OK : KLM_E_NOMEM;
    }
    km_server_id(item->call->state->config, id);
    KLM_TRY(kmop_put_text(item, to, KMIP_TAG_ServerName, config->server_name));
    KLM_TRY(
        kmop_put_text(item, to, KMIP_TAG_ServerSerialNumber, klm_pool_str(item->msg->pool, id)));
    KLM_TRY(kmop_put_text(item, to, KMIP_TAG_ServerVersion, KLM_VERSION));
    KLM_TRY(kmop_put_text(item, to, KMIP_TAG_ServerLoad, load(item)));
    return kmop_put_text(item, to, KMIP_TAG_ProductName, "klmsrv");
}

/* ---- What it can do */

/* What makes random numbers here: the crypto library's generator (NIST SP 800-90A, CTR_DRBG with AES-256). */
static klm_rc rngs(struct kmop_item *item, struct kmip_node *payload)
{
    struct klm_pool *pool = item->msg->pool;
    struct kmip_node *to = kmip_structure(pool, payload, KMIP_TAG_RNGParameters);

    kmip_put_number(pool, to, KMIP_TAG_RNGAlgorithm, KMIP_ENUMERATION, KMIP_RNGAlgorithm_DRBG);
    kmip_put_number(pool, to, KMIP_TAG_CryptographicAlgorithm, KMIP_ENUMERATION,
                    KMIP_CryptographicAlgorithm_AES);
    kmip_put_number(pool, to, KMIP_TAG_CryptographicLength, KMIP_INTEGER, 256);
    return put_enum(item, to, KMIP_TAG_DRBGAlgorithm, KMIP_DRBGAlgorithm_CTR);
}

/* Operations that profiles need; each set has those before it, but RANDOM, which has OBJECTS. */
enum profile_needs { OBJECTS, KEYS, PAIRS, CRYPTO, ADVANCED, RANDOM };
static const struct {
    enum profile_needs set;
    uint32_t operation;
} profile_operations[] = {
    {OBJECTS, KMIP_Operation_Register},
    {OBJECTS, KMIP_Operation_Locate},
    {OBJECTS, KMIP_Operation_Check},
    {OBJECTS, KMIP_Operation_Get},
    {OBJECTS, KMIP_Operation_GetAttributes},
    {OBJECTS, KMIP_Operation_GetAttributeList},
    {OBJECTS, KMIP_Operation_AddAttribute},
    {OBJECTS, KMIP_Operation_ModifyAttribute},
    {OBJECTS, KMIP_Operation_DeleteAttribute},
    {OBJECTS, KMIP_Operation_Activate},
    {OBJECTS, KMIP_Operation_Revoke},
    {OBJECTS, KMIP_Operation_Destroy},
    {KEYS, KMIP_Operation_Create},
    {PAIRS, KMIP_Operation_CreateKeyPair},
    {CRYPTO, KMIP_Operation_Encrypt},
    {CRYPTO, KMIP_Operation_Decrypt},
    {ADVANCED, KMIP_Operation_Sign},
    {ADVANCED, KMIP_Operation_SignatureVerify},
    {ADVANCED, KMIP_Operation_MAC},
    {ADVANCED, KMIP_Operation_MACVerify},
    {ADVANCED, KMIP_Operation_Hash},
    {RANDOM, KMIP_Operation_RNGRetrieve},
    {RANDOM, KMIP_Operation_RNGSeed},
};

static bool meets(enum profile_needs needs)
{
    for (size_t i = 0; i < KLM_COUNT(profile_operations); i++) {
        const enum profile_needs set = profile_operations[i].set;
        const bool needed = set == needs || set == OBJECTS || (set < needs && needs != RANDOM);

        if (needed && !kmop_op(profile_operations[i].operation, KMIP_V_NEWEST)) {
            return false;
        }
    }
    return true;
}

/* KMIP 2.1, 11.41: the names of 1.x, which end with a version, are reserved in 2.x. */
static bool profile_named(uint32_t name, int version)
{
    return kmip_value_known(KMIP_E_ProfileName, name, version) &&
           (version < KMIP_V(2, 0) || name >= KMIP_ProfileName_CompleteServerBasic);
}

static klm_rc profiles(struct kmop_item *item, struct kmip_node *payload)
{
    static const struct {
        uint32_t name;
        enum profile_needs needs;
    } met[] = {
#define KMOP_PROFILE(name, needs) {KMIP_ProfileName_##name, needs},
#include "kmip/ops/profiles.def"
#undef KMOP_PROFILE
    };

    for (size_t i = 0; i < KLM_COUNT(met); i++) {
        if (profile_named(met[i].name, item->msg->version) && meets(met[i].needs)) {
            KLM_TRY(put_enum(item,
                             kmip_structure(item->msg->pool, payload, KMIP_TAG_ProfileInformation),
                             KMIP_TAG_ProfileName, met[i].name));
        }
    }
    return KLM_OK;
}

/* Wrapped keys are kept as they came, and unwrapped for an answer alone; what is destroyed is deleted, with the key token that it was kept in, and no disk is overwritten. */
static klm_rc capabilities(struct kmop_item *item, struct kmip_node *payload)
{
    struct kmip_node *to = kmip_structure(item->msg->pool, payload, KMIP_TAG_CapabilityInformation);

    KLM_TRY(put_flag(item, to, KMIP_TAG_StreamingCapability,
                     kmop_op(KMIP_Operation_Encrypt, KMIP_V_NEWEST) != NULL));
    KLM_TRY(put_flag(item, to, KMIP_TAG_AsynchronousCapability, false));
    KLM_TRY(put_flag(item, to, KMIP_TAG_AttestationCapability, false));
    KLM_TRY(put_flag(item, to, KMIP_TAG_BatchUndoCapability, true));
    KLM_TRY(put_flag(item, to, KMIP_TAG_BatchContinueCapability, true));
    KLM_TRY(put_enum(item, to, KMIP_TAG_UnwrapMode, KMIP_UnwrapMode_NotProcessed));
    KLM_TRY(put_enum(item, to, KMIP_TAG_DestroyAction, KMIP_DestroyAction_KeyMaterialDeleted));
    KLM_TRY(put_enum(item, to, KMIP_TAG_ShreddingAlgorithm, KMIP_ShreddingAlgorithm_Unsupported));
    KLM_TRY(put_enum(item, to, KMIP_TAG_RNGMode, KMIP_RNGMode_NonSharedInstantiation));
    return put_flag(item, to, KMIP_TAG_QuantumSafeCapability, false);
}

/* KMIP 2.1, 11.10: the client makes its key and its certificate, and the certificate is registered. */
static klm_rc registration(struct kmop_item *item, struct kmip_node *payload)
{
    return put_enum(item, payload, KMIP_TAG_ClientRegistrationMethod,
                    KMIP_ClientRegistrationMethod_ClientRegistered);
}

/* There are no defaults of algorithm and use; that of a length follows from the algorithm, which this has no place for (KMIP 2.1, 7.11). */
static klm_rc defaults(struct kmop_item *item, struct kmip_node *payload)
{
    return kmip_structure(item->msg->pool, payload, KMIP_TAG_DefaultsInformation) ? KLM_OK
                                                                                  : KLM_E_NOMEM;
}

static klm_rc storage(struct kmop_item *item, struct kmip_node *payload)
{
    struct klm_pool *pool = item->msg->pool;
    struct kmip_node *to = kmip_structure(pool, payload, KMIP_TAG_ProtectionStorageMasks);

    return kmip_put_number(pool, to, KMIP_TAG_ProtectionStorageMask, KMIP_INTEGER,
                           KMIP_ProtectionStorageMask_Software)
               ? KLM_OK
               : KLM_E_NOMEM;
}

/* Application namespaces, extensions, attestation types and validations: there are none, and no item says so. */
static const struct {
    uint32_t function;
    klm_rc (*answer)(struct kmop_item *item, struct kmip_node *payload);
} functions[] = {
    {KMIP_QueryFunction_QueryOperations, operations},
    {KMIP_QueryFunction_QueryObjects, objects},
    {KMIP_QueryFunction_QueryServerInformation, server_information},
    {KMIP_QueryFunction_QueryRNGs, rngs},
    {KMIP_QueryFunction_QueryProfiles, profiles},
    {KMIP_QueryFunction_QueryCapabilities, capabilities},
    {KMIP_QueryFunction_QueryClientRegistrationMethods, registration},
    {KMIP_QueryFunction_QueryDefaultsInformation, defaults},
    {KMIP_QueryFunction_QueryStorageProtectionMasks, storage},
};

/* Who is no client learns what is spoken here, and nothing of the server itself. */
static bool may_know(const struct kmop_item *item, uint32_t function)
{
    const struct km_kmip_query *req = item->call->req;

    return req->known || function == KMIP_QueryFunction_QueryOperations ||
           function == KMIP_QueryFunction_QueryObjects;
}

klm_rc kmop_query_answer(struct kmop_item *item, struct kmip_node *payload)
{
    for (size_t i = 0; i < KLM_COUNT(functions); i++) {
        if (asked(item, functions[i].function) && may_know(item, functions[i].function) &&
            kmip_value_known(KMIP_E_QueryFunction, functions[i].function, item->msg->version)) {
            KLM_TRY(functions[i].answer(item, payload));
        }
    }
    return KLM_OK;
}
