/* The partner's role in certificates: another key server that may send and be sent copies. The extended key usage of ours says it;
 * which partner it is says the label under which the certificate is connected to the ring of partners. */
#include "keyring/open.h"

#include <string.h>

/* Does the certificate have the extended key usage of ours? An authority never has it. */
static bool has_role(X509 *x509)
{
    EXTENDED_KEY_USAGE *usages = X509_get_ext_d2i(x509, NID_ext_key_usage, NULL, NULL);
    bool found = false;

    for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
        char text[64];
        int n = OBJ_obj2txt(text, sizeof text, sk_ASN1_OBJECT_value(usages, i), 1);

        found =
            found || (n > 0 && (size_t)n < sizeof text && strcmp(text, KR_OID_PARTNER_ROLE) == 0);
    }
    EXTENDED_KEY_USAGE_free(usages);
    ERR_clear_error();
    return found && !kr_x509_is_ca(x509);
}

bool kr_label_tls(const struct kr_label *label)
{
    return (X509_get_extension_flags(label->x509) & EXFLAG_XKUSAGE) &&
           (X509_get_extended_key_usage(label->x509) & (XKU_SSL_SERVER | XKU_SSL_CLIENT));
}

klm_rc kr_cert_partner(struct klm_slice der)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;

    KLM_TRY(kr_x509(der, &x509));
    return has_role(x509) ? KLM_OK : KLM_E_NOTFOUND;
}

klm_rc kr_label_partner(const struct kr_open_ring *ring, const struct kr_label **out)
{
    const struct kr_label *found = NULL;

    for (size_t i = 0; i < ring->n; i++) {
        const struct kr_label *label = &ring->labels[i];

        if (label->key && has_role(label->x509) && (!found || (label->deflt && !found->deflt))) {
            found = label;
        }
    }
    if (!found) {
        return KLM_E_NOTFOUND;
    }
    *out = found;
    return KLM_OK;
}

klm_rc kr_label_find_cert(const struct kr_open_ring *ring, struct klm_slice der,
                          const struct kr_label **out)
{
    for (size_t i = 0; i < ring->n; i++) {
        const struct kr_label *label = &ring->labels[i];

        if (label->der.n == der.n && memcmp(label->der.p, der.p, der.n) == 0) {
            *out = label;
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}
