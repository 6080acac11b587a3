/* Keys and key pairs that operators make for clients in numbers. Material and attributes are made in prepare as those that clients make; their names, a prefix and the next number of
 * it in the device group, are given by the writer, so that two commands never give the same. What is made here is an ordinary object of the group. */
#include "keymgr/clients.h"
#include "keymgr/object.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TAKEN_MAX 1000 /* numbers in a row that are skipped because other objects have the names */

static const struct kind {
    const char *name;
    uint32_t algorithm;
    bool pair;
    uint32_t bits[4]; /* the first is the one when none is asked for; 0 ends */
    uint32_t usage, public_usage;
} kinds[] = {
#define USE(name) KMIP_CryptographicUsageMask_##name
    {"AES",
     KMIP_CryptographicAlgorithm_AES,
     false,
     {256, 128, 192},
     USE(Encrypt) | USE(Decrypt) | USE(WrapKey) | USE(UnwrapKey),
     0},
    {"3DES",
     KMIP_CryptographicAlgorithm_DES3,
     false,
     {168, 112},
     USE(Encrypt) | USE(Decrypt) | USE(WrapKey) | USE(UnwrapKey),
     0},
    {"RSA",
     KMIP_CryptographicAlgorithm_RSA,
     true,
     {2048, 3072, 4096},
     USE(Sign) | USE(Decrypt) | USE(UnwrapKey),
     USE(Verify) | USE(Encrypt) | USE(WrapKey)},
    {"DSA", KMIP_CryptographicAlgorithm_DSA, true, {2048, 3072}, USE(Sign), USE(Verify)},
#undef USE
};

struct making {
    const struct kind *kind;
    const char *owner;
    char prefix[4];
    void *made[KM_KEYS_AT_ONCE]; /* call->work of each */
    size_t n;
};

/* ---- What is asked for */

static klm_rc find_kind(struct km_call *call, const char *name, const struct kind **out)
{
    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        if (strcasecmp(kinds[i].name, name) == 0) {
            *out = &kinds[i];
            return KLM_OK;
        }
    }
    return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ADMIN_VALUE, name,
                     "algorithm of keys that are made here");
}

static klm_rc find_bits(struct km_call *call, const struct kind *kind, int64_t asked, int64_t *out)
{
    for (size_t i = 0; i < KLM_COUNT(kind->bits) && kind->bits[i]; i++) {
        if (asked == 0 || asked == kind->bits[i]) {
            *out = kind->bits[i];
            return KLM_OK;
        }
    }
    return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ADMIN_LENGTH, kind->name, KLM_NUM(asked));
}

static klm_rc find_mask(struct km_call *call, const char *names, uint32_t otherwise, uint32_t *out)
{
    static const char parts[] = ", |";
    uint32_t bit;

    *out = names ? 0 : otherwise;
    for (const char *p = names ? names + strspn(names, parts) : ""; *p; p += strspn(p, parts)) {
        const size_t n = strcspn(p, parts);
        const char *name = klm_pool_strn(call->pool, p, n);

        if (!name) {
            return KLM_E_NOMEM;
        }
        KLM_TRY(km_admin_value(call, KMIP_E_CryptographicUsageMask, "usage of a key", name, &bit));
        *out |= bit;
        p += n;
    }
    return *out ? KLM_OK
                : KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ADMIN_VALUE, names ? names : "",
                            "usage of a key");
}

static klm_rc find_prefix(struct km_call *call, struct making *making)
{
    const struct km_objects_make *req = call->req;
    struct dt_device_group group = {0};
    struct st_view *view;
    const char *prefix = req->prefix;

    if (!prefix) {
        KLM_TRY(km_view(call, &view));
        if (dt_device_group_get(view, req->group_now, &group) == KLM_OK) {
            prefix = group.prefix;
        }
    }
    if (!prefix || !*prefix || dt_prefix_check(prefix) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ADMIN_PREFIX);
    }
    memcpy(making->prefix, prefix, sizeof making->prefix);
    return KLM_OK;
}

static klm_rc key_attrs(struct km_call *call, struct md_attrs *attrs, const struct kind *kind,
                        int64_t bits, uint32_t mask)
{
    md_attrs_init(attrs, call->pool);
    KLM_TRY(md_attr_set_number(attrs, KMIP_TAG_CryptographicAlgorithm, kind->algorithm));
    KLM_TRY(md_attr_set_number(attrs, KMIP_TAG_CryptographicLength, bits));
    return md_attr_set_number(attrs, KMIP_TAG_CryptographicUsageMask, mask);
}

/* The request of one key, as a client's Create or Create Key Pair would be. */
static klm_rc fill(struct km_call *call, struct making *making)
{
    struct km_objects_make *req = call->req;
    const struct kind *kind = making->kind;
    uint32_t mask = 0, public_mask = 0;
    int64_t bits = 0;

    req->make.version = KMIP_V_NEWEST;
    KLM_TRY(find_bits(call, kind, req->length, &bits));
    KLM_TRY(find_mask(call, req->usage, kind->usage, &mask));
    if (!kind->pair && req->public_usage) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_ADMIN_VALUE, kind->name,
                         "algorithm of key pairs, which have a public key");
    }
    if (!kind->pair) {
        return key_attrs(call, &req->make.attrs, kind, bits, mask);
    }
    KLM_TRY(find_mask(call, req->public_usage, kind->public_usage, &public_mask));
    KLM_TRY(key_attrs(call, &req->make.private_attrs, kind, bits, mask));
    return key_attrs(call, &req->make.public_attrs, kind, bits, public_mask);
}

/* ---- Made */

static klm_rc make_key(struct km_call *call, const struct kind *kind)
{
    const struct km_objects_make *req = call->req;
    const uint32_t bits =
        (uint32_t)md_attr_number(&req->make.attrs, KMIP_TAG_CryptographicLength, 0);
    struct kr_material *material = NULL;
    klm_rc rc = kr_material_generate(kind->algorithm, bits, &material);

    if (rc != KLM_OK) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_KEY_NOT_MADE, kind->name, KLM_NUM(bits),
                         klm_rc_text(rc));
    }
    rc = km_made(call, KMIP_ObjectType_SymmetricKey, &req->make.attrs, material, 0);
    kr_material_free(&material);
    return rc;
}

/* It belongs to the group it is made for, and counts as its client's where one was named. */
static void give_to(struct km_call *call, const struct making *making, size_t place)
{
    const struct km_objects_make *req = call->req;
    struct md_object *object = km_made_object(call, place);

    snprintf(object->group, sizeof object->group, "%s", req->group_now);
    snprintf(object->owner, sizeof object->owner, "%s", making->owner);
}

static klm_rc make_all(struct km_call *call, struct making *making, size_t n)
{
    for (making->n = 0; making->n < n; making->n++) {
        call->work = NULL; /* each has its own */
        KLM_TRY(making->kind->pair ? km_pair_made(call) : make_key(call, making->kind));
        give_to(call, making, 0);
        if (making->kind->pair) {
            give_to(call, making, 1);
        }
        making->made[making->n] = call->work;
    }
    call->work = making;
    return KLM_OK;
}

klm_rc km_objects_make_prepare(struct km_call *call)
{
    struct km_objects_make *req = call->req;
    struct making *making = klm_pool_alloc(call->pool, sizeof *making);
    size_t n = req->count > 0 ? (size_t)req->count : 1, most;

    if (!making) {
        return KLM_E_NOMEM;
    }
    (void)km_call_seconds(call);
    KLM_TRY(find_kind(call, req->algorithm, &making->kind));
    KLM_TRY(km_admin_group(call, req->client, req->group, false, PR_UPDATE, &req->group_now,
                           &making->owner));
    KLM_TRY(find_prefix(call, making));
    KLM_TRY(fill(call, making));
    most = making->kind->pair ? KM_PAIRS_AT_ONCE : KM_KEYS_AT_ONCE;
    return make_all(call, making, n < most ? n : most);
}

/* ---- Named and put, on the writer */

static klm_rc counter_key(const struct km_call *call, const struct making *making, char out[128])
{
    const struct km_objects_make *req = call->req;
    const int n = snprintf(out, 128, "kmip.number.%s.%s", req->group_now, making->prefix);

    return n > 0 && n < 128 ? KLM_OK : KLM_E_LIMIT;
}

/* The last number that was given; 0: none was, or the record is damaged, and the names that are there are skipped. */
static klm_rc read_counter(struct km_call *call, struct st_view *view, const char *key,
                           uint64_t *out)
{
    struct klm_slice record;
    struct klm_cur cur;
    uint64_t number = 0;
    klm_rc rc = st_get(view, ST_META, klm_slice_str(key), call->pool, &record);

    if (rc == KLM_OK) {
        klm_cur_init(&cur, record);
        klm_cur_u64(&cur, &number);
        klm_cur_end(&cur);
    }
    *out = rc == KLM_OK && klm_cur_rc(&cur) == KLM_OK ? number : 0;
    return rc == KLM_OK || rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT ? KLM_OK : rc;
}

static klm_rc write_counter(struct st_change *change, const char *key, uint64_t number)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};

    klm_buf_init(&buf, 16);
    klm_buf_u64(&buf, number);
    KLM_TRY(klm_buf_rc(&buf));
    return st_put(change, ST_META, klm_slice_str(key), klm_buf_as_slice(&buf));
}

static klm_rc name_item(struct km_call *call, const char *text, const struct kmip_node **out)
{
    struct kmip_node *name = kmip_root(call->pool, KMIP_TAG_Name);
    const char *copy = klm_pool_str(call->pool, text);

    if (!copy ||
        !kmip_put_bytes(call->pool, name, KMIP_TAG_NameValue, KMIP_TEXT, klm_slice_str(copy)) ||
        !kmip_put_number(call->pool, name, KMIP_TAG_NameType, KMIP_ENUMERATION,
                         KMIP_NameType_UninterpretedTextString)) {
        return KLM_E_NOMEM;
    }
    *out = name;
    return KLM_OK;
}

/* The names of a number: the key's, and of a pair the public key's too. */
struct names {
    char alias[KLM_ALIAS_MAX + 1];
    const struct kmip_node *item[2];
};

static klm_rc names_of(struct km_call *call, const struct making *making, uint64_t number,
                       struct names *out)
{
    char public_name[KLM_ALIAS_MAX + sizeof ".public"];

    snprintf(out->alias, sizeof out->alias, "%.3s%018llx", making->prefix,
             (unsigned long long)number);
    snprintf(public_name, sizeof public_name, "%s.public", out->alias);
    KLM_TRY(name_item(call, out->alias, &out->item[0]));
    return name_item(call, public_name, &out->item[1]);
}

/* The next number whose names nobody has. */
static klm_rc next_names(struct km_call *call, struct st_view *view, const struct making *making,
                         uint64_t *number, struct names *out)
{
    const struct km_objects_make *req = call->req;
    const size_t n = making->kind->pair ? 2 : 1;

    for (unsigned tried = 0; tried < TAKEN_MAX && *number < UINT64_MAX; tried++) {
        bool all = true;

        ++*number;
        KLM_TRY(names_of(call, making, *number, out));
        for (size_t i = 0; i < n && all; i++) {
            KLM_TRY(km_name_free(view, out->item[i], req->group_now, &all));
        }
        if (all) {
            return KLM_OK;
        }
    }
    return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_ADMIN_NUMBERS, making->prefix,
                     km_group_shown(req->group_now));
}

static klm_rc put_one(struct km_call *call, struct st_change *change, const struct making *making,
                      const struct names *names)
{
    const struct km_objects_make *req = call->req;
    const size_t n = making->kind->pair ? 2 : 1;

    for (size_t i = 0; i < n; i++) {
        struct md_attrs *attrs = &km_made_object(call, i)->attrs;
        const struct km_news news = {.what = KM_HAP_OBJECT_MADE,
                                     .object = km_made_object(call, i)->uid,
                                     .now = req->group_now};

        md_attr_remove_all(attrs, KMIP_TAG_Name);
        KLM_TRY(md_attr_add(attrs, names->item[i]));
        KLM_TRY(km_more(call, &news));
    }
    return km_made_put(call, change);
}

static klm_rc put_all(struct km_call *call, struct st_change *change, const struct making *making)
{
    struct km_objects_make *req = call->req;
    struct names names;
    uint64_t number;
    char key[128];

    KLM_TRY(counter_key(call, making, key));
    KLM_TRY(read_counter(call, st_change_view(change), key, &number));
    for (size_t i = 0; i < making->n; i++) {
        KLM_TRY(next_names(call, st_change_view(change), making, &number, &names));
        call->work = making->made[i];
        KLM_TRY(put_one(call, change, making, &names));
        memcpy(i == 0 ? req->first : req->last, names.alias, sizeof req->last);
    }
    if (making->n == 1) {
        memcpy(req->last, req->first, sizeof req->last);
    }
    return write_counter(change, key, number);
}

/* Is it there still, and not being deleted? */
static klm_rc check_group(struct km_call *call, struct st_view *view)
{
    const struct km_objects_make *req = call->req;
    struct dt_device_group group;
    struct dt_client client;

    if (req->client) {
        KLM_TRY(dt_client_get(view, req->client, call->pool, &client));
        return client.closed || strcmp(client.group, req->group_now) != 0
                   ? KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_DELETE_CLOSED, req->client)
                   : KLM_OK;
    }
    KLM_TRY(dt_device_group_get(view, req->group_now, &group));
    return group.closed ? KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_DELETE_CLOSED, req->group_now)
                        : KLM_OK;
}

klm_rc km_objects_make_apply(struct km_call *call, struct st_change *change)
{
    struct km_objects_make *req = call->req;
    struct making *making = call->work;
    klm_rc rc;

    KLM_TRY(check_group(call, st_change_view(change)));
    rc = put_all(call, change, making);
    call->work = making;
    KLM_TRY(rc);
    req->n = making->n;
    call->event.field[SMF_F_OBJECT] = req->client ? req->client : req->group;
    call->event.field[SMF_F_NEW] =
        klm_pool_printf(call->pool, "%zu %s %s, %s to %s", making->n, making->kind->name,
                        making->kind->pair ? "key pairs" : "keys", req->first, req->last);
    return KLM_OK;
}
