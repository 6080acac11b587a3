/* Stored keys and managed objects, as the verbs make them. */
#include "tests/bench/fillkeys.h"

#include "base/alias.h"
#include "keyring/material.h"
#include "metadata/md.h"
#include "metadata/object.h"
/* after object.h, which has the same limit for names */
#include "metadata/group.h"

#include <stdio.h>
#include <string.h>

#define BEGAN                                                                                      \
    ((klm_time)1700000000 * 1000000) /* the first key was made then, one a second after it */
#define OWNER "5f2c1d0e9b8a7766554433221100ffeeddccbbaa99887766554433221100ffee"

static klm_time made(uint64_t number)
{
    return BEGAN + (klm_time)number * 1000000;
}

/* ---- Stored keys */

static klm_rc put_usage(struct st_change *change, const char *alias, const char *volser,
                        uint64_t number, uint64_t event)
{
    struct md_usage usage = {.number = event, .time = made(number)};
    uint8_t id[KLM_KEY_ID];

    snprintf(usage.drive, sizeof usage.drive, "B%011u", (unsigned)(number % 1000));
    snprintf(usage.wwn, sizeof usage.wwn, "5005076302%06X", (unsigned)(number % 1000));
    snprintf(usage.volser, sizeof usage.volser, "%s", volser);
    snprintf(usage.alias1, sizeof usage.alias1, "%s", alias);
    klm_alias_id(alias, id);
    klm_hex(id, sizeof id, usage.dki);
    return md_usage_add(change, &usage);
}

klm_rc fill_stored_key(struct st_change *change, const struct kr_master *master, uint64_t number,
                       uint64_t event)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    KLM_AUTO(klm_buf_done) struct klm_buf token = {0};
    char alias[KLM_ALIAS_MAX + 1], volser[7];

    snprintf(alias, sizeof alias, "ben%018llx", (unsigned long long)number);
    snprintf(volser, sizeof volser, "%06X", (unsigned)(number & 0xffffff));
    klm_buf_init(&token, ST_RECORD_MAX);
    KLM_TRY(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    KLM_TRY(kr_token_seal(master, alias, key, &token));
    KLM_TRY(st_put(change, ST_TOKEN, klm_slice_str(alias), klm_buf_as_slice(&token)));
    KLM_TRY(md_key_used_there(change, alias, volser, made(number)));
    return put_usage(change, alias, volser, number, event);
}

/* ---- Managed objects */

struct object {
    struct md_object object;
    struct klm_pool *pool;
    const struct kr_material *material;
};

static klm_rc set_number(struct object *o, uint32_t tag, int64_t number)
{
    return md_attr_set_number(&o->object.attrs, tag, number);
}

static klm_rc put_name(struct object *o, uint64_t number)
{
    struct kmip_node *name = kmip_root(o->pool, KMIP_TAG_Name);
    const char *text = klm_pool_printf(o->pool, "volume-%08llu", (unsigned long long)number);

    kmip_put_bytes(o->pool, name, KMIP_TAG_NameValue, KMIP_TEXT, klm_slice_str(text ? text : ""));
    kmip_put_number(o->pool, name, KMIP_TAG_NameType, KMIP_ENUMERATION,
                    KMIP_NameType_UninterpretedTextString);
    return md_attr_add(&o->object.attrs, name);
}

static klm_rc put_digest(struct object *o)
{
    struct kmip_node *digest = kmip_root(o->pool, KMIP_TAG_Digest);
    uint8_t hash[64];
    struct klm_slice value;
    size_t n;

    KLM_TRY(kr_material_digest(o->material, KMIP_HashingAlgorithm_SHA_256, hash, &n));
    KLM_TRY(klm_pool_slice(o->pool, KLM_SLICE(hash, n), &value));
    kmip_put_number(o->pool, digest, KMIP_TAG_HashingAlgorithm, KMIP_ENUMERATION,
                    KMIP_HashingAlgorithm_SHA_256);
    kmip_put_bytes(o->pool, digest, KMIP_TAG_DigestValue, KMIP_BYTES, value);
    kmip_put_number(o->pool, digest, KMIP_TAG_KeyFormatType, KMIP_ENUMERATION,
                    KMIP_KeyFormatType_Raw);
    return md_attr_set(&o->object.attrs, digest);
}

static klm_rc put_short_id(struct object *o)
{
    struct kmip_node *id = kmip_item(o->pool, NULL, KMIP_TAG_ShortUniqueIdentifier, KMIP_BYTES);
    uint8_t bytes[MD_UID_BYTES];

    if (!md_uid_bytes(o->object.uid, bytes)) {
        return KLM_E_INVALID;
    }
    KLM_TRY(id ? klm_pool_slice(o->pool, KLM_SLICE(bytes, sizeof bytes), &id->bytes) : KLM_E_NOMEM);
    return md_attr_set(&o->object.attrs, id);
}

static klm_rc put_generator(struct object *o)
{
    struct kmip_node *rng = kmip_root(o->pool, KMIP_TAG_RandomNumberGenerator);

    kmip_put_number(o->pool, rng, KMIP_TAG_RNGAlgorithm, KMIP_ENUMERATION, KMIP_RNGAlgorithm_DRBG);
    kmip_put_number(o->pool, rng, KMIP_TAG_CryptographicAlgorithm, KMIP_ENUMERATION,
                    KMIP_CryptographicAlgorithm_AES);
    kmip_put_number(o->pool, rng, KMIP_TAG_CryptographicLength, KMIP_INTEGER, 256);
    kmip_put_number(o->pool, rng, KMIP_TAG_DRBGAlgorithm, KMIP_ENUMERATION, KMIP_DRBGAlgorithm_CTR);
    return md_attr_set(&o->object.attrs, rng);
}

static klm_rc put_numbers(struct object *o, uint64_t number)
{
    const int64_t now = made(number) / 1000000;
    const struct {
        uint32_t tag;
        int64_t value;
    } all[] = {{KMIP_TAG_CryptographicAlgorithm, KMIP_CryptographicAlgorithm_AES},
               {KMIP_TAG_CryptographicLength, 256},
               {KMIP_TAG_CryptographicUsageMask, 12},
               {KMIP_TAG_ActivationDate, now},
               {KMIP_TAG_InitialDate, now},
               {KMIP_TAG_LastChangeDate, now},
               {KMIP_TAG_LeaseTime, 3600},
               {KMIP_TAG_OriginalCreationDate, now},
               {KMIP_TAG_Fresh, 0},
               {KMIP_TAG_State, KMIP_State_Active},
               {KMIP_TAG_ProtectionStorageMask, KMIP_ProtectionStorageMask_Software},
               {KMIP_TAG_Sensitive, 0},
               {KMIP_TAG_AlwaysSensitive, 0},
               {KMIP_TAG_Extractable, 1},
               {KMIP_TAG_NeverExtractable, 0},
               {KMIP_TAG_KeyFormatType, KMIP_KeyFormatType_Raw}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        KLM_TRY(set_number(o, all[i].tag, all[i].value));
    }
    return KLM_OK;
}

static klm_rc put_token(struct object *o, struct st_change *change, const struct kr_master *master)
{
    KLM_AUTO(klm_buf_done) struct klm_buf token = {0};
    char label[65];

    md_material_label(o->object.uid, label);
    klm_buf_init(&token, ST_RECORD_MAX);
    KLM_TRY(kr_material_seal(master, label, o->material, &token));
    return kr_token_put_new(change, label, klm_buf_as_slice(&token));
}

static klm_rc put_object(struct object *o, struct st_change *change, const struct kr_master *master,
                         uint64_t number)
{
    o->object.type = KMIP_ObjectType_SymmetricKey;
    KLM_TRY(md_uid_new(o->object.uid));
    snprintf(o->object.group, sizeof o->object.group, "BENCH");
    snprintf(o->object.owner, sizeof o->object.owner, "%s", OWNER);
    md_attrs_init(&o->object.attrs, o->pool);
    KLM_TRY(put_name(o, number));
    KLM_TRY(put_numbers(o, number));
    KLM_TRY(put_short_id(o));
    KLM_TRY(put_generator(o));
    KLM_TRY(put_digest(o));
    KLM_TRY(md_object_add_new(change, &o->object));
    return put_token(o, change, master);
}

klm_rc fill_object(struct st_change *change, const struct kr_master *master, uint64_t number)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    KLM_AUTO(kr_material_free) struct kr_material *material = NULL;
    struct object o = {0};

    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(kr_material_generate(KMIP_CryptographicAlgorithm_AES, 256, &material));
    o.pool = pool;
    o.material = material;
    return put_object(&o, change, master, number);
}
