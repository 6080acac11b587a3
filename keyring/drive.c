/* The identity of a drive in a certificate or request: the extended key usage of ours, the
 * serial number of the subject, the WWN. */
#include "keyring/internal.h"

#include <string.h>

#define SERIAL 12
#define WWN 16

static bool is_role(const ASN1_OBJECT *oid)
{
    char text[64];
    int n = OBJ_obj2txt(text, sizeof text, oid, 1);

    return n > 0 && (size_t)n < sizeof text && strcmp(text, KR_OID_DRIVE_ROLE) == 0;
}

static bool has_role(const STACK_OF(X509_EXTENSION) * exts)
{
    EXTENDED_KEY_USAGE *usages = X509V3_get_d2i(exts, NID_ext_key_usage, NULL, NULL);
    bool found = false;

    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
        found = found || is_role(sk_ASN1_OBJECT_value(usages, i));
    }
    EXTENDED_KEY_USAGE_free(usages);
    ERR_clear_error();
    return found;
}

/* Copies exactly n characters of a set. */
static klm_rc copy_text(const uint8_t *p, int have, size_t n, const char *set, char *out)
{
    if (have < 0 || (size_t)have != n) {
        return KLM_E_INVALID;
    }
    for (size_t i = 0; i < n; i++) {
        if (p[i] == 0 || !strchr(set, p[i])) {
            return KLM_E_INVALID;
        }
    }
    memcpy(out, p, n);
    out[n] = 0;
    return KLM_OK;
}

/* Exactly one serialNumber attribute: with two, others might read the other one. */
static klm_rc serial_of(const X509_NAME *name, char out[SERIAL + 1])
{
    int at = X509_NAME_get_index_by_NID(name, NID_serialNumber, -1);
    const ASN1_STRING *text;

    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_serialNumber, at) >= 0) {
        return KLM_E_INVALID;
    }
    text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    return copy_text(ASN1_STRING_get0_data(text), ASN1_STRING_length(text), SERIAL,
                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", out);
}

/* The WWN extension: a UTF8String of 16 upper-case hex digits; "" when there is none. */
static klm_rc wwn_of(const STACK_OF(X509_EXTENSION) * exts, char out[WWN + 1])
{
    KLM_AUTO(kr_done_obj) ASN1_OBJECT *oid = OBJ_txt2obj(KR_OID_DRIVE_WWN, 1);
    int at = oid ? X509v3_get_ext_by_OBJ(exts, oid, -1) : -1;
    const ASN1_OCTET_STRING *value;
    const uint8_t *p;

    if (!oid) {
        return kr_quiet(KLM_E_NOMEM);
    }
    if (at < 0) {
        out[0] = 0;
        return KLM_OK;
    }
    if (X509v3_get_ext_by_OBJ(exts, oid, at) >= 0) {
        return KLM_E_INVALID;
    }
    value = X509_EXTENSION_get_data(X509v3_get_ext(exts, at));
    p = ASN1_STRING_get0_data(value);
    if (ASN1_STRING_length(value) != 2 + WWN || p[0] != 0x0c || p[1] != WWN) {
        return KLM_E_INVALID;
    }
    return copy_text(p + 2, WWN, WWN, "0123456789ABCDEF", out);
}

klm_rc kr_drive_identity(const X509_NAME *name, const STACK_OF(X509_EXTENSION) * exts,
                         char serial[13], char wwn[17])
{
    char found_serial[SERIAL + 1], found_wwn[WWN + 1];

    if (!exts || !has_role(exts)) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(serial_of(name, found_serial));
    KLM_TRY(wwn_of(exts, found_wwn));
    memcpy(serial, found_serial, sizeof found_serial);
    memcpy(wwn, found_wwn, strlen(found_wwn) + 1);
    return KLM_OK;
}

klm_rc kr_cert_drive(struct klm_slice der, char serial[13], char wwn[17])
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;

    KLM_TRY(kr_x509(der, &x509));
    if (X509_get_extension_flags(x509) & EXFLAG_CA) {
        return kr_quiet(KLM_E_NOTFOUND); /* an authority is never a drive */
    }
    ERR_clear_error();
    return kr_drive_identity(X509_get_subject_name(x509), X509_get0_extensions(x509), serial, wwn);
}
