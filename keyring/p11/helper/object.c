/* Keys of the token by their label, and what a key must be like. */
#include "keyring/p11/helper/pk.h"

#include <string.h>

struct pk_end pk_session_open(struct pk_session *session)
{
    if (session->open) {
        return PK_DONE;
    }
    if (!session->token->logged_in) {
        return pk_ours(P11_NO_LOGIN);
    }
    session->f = session->token->module->f;
    PK_CALL(session->f->C_OpenSession(session->token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                      NULL, NULL, &session->handle));
    session->open = true;
    return PK_DONE;
}

void pk_session_forget(struct pk_session *session)
{
    memset(session->known, 0, sizeof session->known);
}

/* Up to two keys of a class and label: one more shows that it is not the only one. */
static struct pk_end search(struct pk_session *session, ck_object_class_t class,
                            struct klm_slice label, ck_object_handle_t keys[2], unsigned long *n)
{
    struct ck_attribute what[] = {{CKA_CLASS, &class, sizeof class},
                                  {CKA_LABEL, pk_unconst(label.p), label.n}};
    ck_rv_t rv;

    PK_CALL(session->f->C_FindObjectsInit(session->handle, what, KLM_COUNT(what)));
    rv = session->f->C_FindObjects(session->handle, keys, 2, n);
    (void)session->f->C_FindObjectsFinal(session->handle); /* what was found stands */
    return pk_end(rv);
}

static void remember(struct pk_session *session, ck_object_class_t class, struct klm_slice label,
                     ck_object_handle_t key)
{
    unsigned at = session->next++ % PK_KNOWN;

    if (label.n < sizeof session->known[at].label) {
        memset(session->known[at].label, 0, sizeof session->known[at].label);
        memcpy(session->known[at].label, label.p, label.n);
        session->known[at].class = class;
        session->known[at].key = key;
    }
}

static bool recall(const struct pk_session *session, ck_object_class_t class,
                   struct klm_slice label, ck_object_handle_t *out)
{
    for (size_t i = 0; i < PK_KNOWN; i++) {
        const char *known = session->known[i].label;

        if (known[0] && session->known[i].class == class && strlen(known) == label.n &&
            memcmp(known, label.p, label.n) == 0) {
            *out = session->known[i].key;
            return true;
        }
    }
    return false;
}

struct pk_end pk_find(struct pk_session *session, ck_object_class_t class, struct klm_slice label,
                      ck_object_handle_t *out)
{
    ck_object_handle_t keys[2];
    unsigned long n = 0;

    if (recall(session, class, label, out)) {
        return PK_DONE;
    }
    PK_TRY(search(session, class, label, keys, &n));
    if (n != 1) {
        return pk_ours(n ? P11_MANY_OBJECTS : P11_NO_OBJECT);
    }
    if (class != CKO_PUBLIC_KEY) {
        PK_TRY(pk_policy(session, keys[0]));
    }
    remember(session, class, label, keys[0]);
    *out = keys[0];
    return PK_DONE;
}

struct pk_end pk_free(struct pk_session *session, ck_object_class_t class, struct klm_slice label)
{
    ck_object_handle_t keys[2];
    unsigned long n = 0;

    PK_TRY(search(session, class, label, keys, &n));
    return n ? pk_ours(P11_MANY_OBJECTS) : PK_DONE;
}

struct pk_end pk_policy(struct pk_session *session, ck_object_handle_t key)
{
    unsigned char sensitive = 0, extractable = 1, always = 0, never = 0, local = 0;
    struct ck_attribute is[] = {{CKA_SENSITIVE, &sensitive, 1},
                                {CKA_EXTRACTABLE, &extractable, 1},
                                {CKA_ALWAYS_SENSITIVE, &always, 1},
                                {CKA_NEVER_EXTRACTABLE, &never, 1},
                                {CKA_LOCAL, &local, 1}};

    PK_CALL(session->f->C_GetAttributeValue(session->handle, key, is, KLM_COUNT(is)));
    return sensitive && !extractable && always && never && local ? PK_DONE : pk_ours(P11_POLICY);
}

static struct pk_end remove_class(struct pk_session *session, ck_object_class_t class,
                                  struct klm_slice label, size_t *removed)
{
    ck_object_handle_t keys[2];
    unsigned long n = 0;

    PK_TRY(search(session, class, label, keys, &n));
    for (unsigned long i = 0; i < n; i++) {
        PK_CALL(session->f->C_DestroyObject(session->handle, keys[i]));
    }
    *removed += n;
    return PK_DONE;
}

struct pk_end pk_remove(struct pk_session *session, struct klm_slice label)
{
    size_t removed = 0;

    pk_session_forget(session);
    PK_TRY(remove_class(session, CKO_PRIVATE_KEY, label, &removed));
    PK_TRY(remove_class(session, CKO_PUBLIC_KEY, label, &removed));
    PK_TRY(remove_class(session, CKO_SECRET_KEY, label, &removed));
    return removed ? PK_DONE : pk_ours(P11_NO_OBJECT);
}

struct pk_end pk_remove_request(struct pk_session *session, const struct p11_msg *request,
                                uint8_t *out, size_t *n)
{
    (void)out;
    *n = 0;
    return pk_remove(session, request->field[P11_F_OBJECT]);
}

struct pk_end pk_ping(struct pk_session *session, const struct p11_msg *request, uint8_t *out,
                      size_t *n)
{
    struct ck_token_info info;

    (void)request, (void)out;
    *n = 0;
    return pk_end(session->f->C_GetTokenInfo(session->token->slot, &info));
}
