/* What a certificate says of itself, as attributes: those of 1.0, of 1.1 to 1.4 and of 2.x (KMIP 1.0, 3.9 to 3.11; 1.4, 3.9 to 3.15; 2.1, 4.5 and 4.61 to 4.63). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

static void put_text(struct km_call *call, struct kmip_node *to, uint32_t tag, const char *text)
{
    if (text) {
        kmip_put_bytes(call->pool, to, tag, KMIP_TEXT, klm_slice_str(text));
    }
}

static void put_bytes(struct km_call *call, struct kmip_node *to, uint32_t tag,
                      struct klm_slice bytes)
{
    if (bytes.n) {
        kmip_put_bytes(call->pool, to, tag, KMIP_BYTES, bytes);
    }
}

static klm_rc add(struct md_object *object, const struct kmip_node *node)
{
    return node && node->first ? md_attr_set(&object->attrs, node) : KLM_OK;
}

/* 1.1 and later: names as the DER that the certificate has. */
static klm_rc add_x509(struct km_call *call, struct md_object *object,
                       const struct kr_cert_facts *facts)
{
    struct kmip_node *id = kmip_root(call->pool, KMIP_TAG_X_509CertificateIdentifier);
    struct kmip_node *subject = kmip_root(call->pool, KMIP_TAG_X_509CertificateSubject);
    struct kmip_node *issuer = kmip_root(call->pool, KMIP_TAG_X_509CertificateIssuer);

    put_bytes(call, id, KMIP_TAG_IssuerDistinguishedName, facts->issuer.der);
    put_bytes(call, id, KMIP_TAG_CertificateSerialNumber, facts->serial);
    put_bytes(call, subject, KMIP_TAG_SubjectDistinguishedName, facts->subject.der);
    put_bytes(call, subject, KMIP_TAG_SubjectAlternativeName, facts->subject_alt);
    put_bytes(call, issuer, KMIP_TAG_IssuerDistinguishedName, facts->issuer.der);
    put_bytes(call, issuer, KMIP_TAG_IssuerAlternativeName, facts->issuer_alt);
    KLM_TRY(add(object, id));
    KLM_TRY(add(object, subject));
    return add(object, issuer);
}

/* 1.0, and deprecated after: names as text. */
static klm_rc add_old(struct km_call *call, struct md_object *object,
                      const struct kr_cert_facts *facts)
{
    struct kmip_node *id = kmip_root(call->pool, KMIP_TAG_CertificateIdentifier);
    struct kmip_node *subject = kmip_root(call->pool, KMIP_TAG_CertificateSubject);
    struct kmip_node *issuer = kmip_root(call->pool, KMIP_TAG_CertificateIssuer);
    char *serial = klm_pool_alloc(call->pool, 2 * facts->serial.n + 1);

    if (!serial) {
        return KLM_E_NOMEM;
    }
    klm_hex_upper(facts->serial.p, facts->serial.n, serial);
    put_text(call, id, KMIP_TAG_Issuer, facts->issuer.dn);
    put_text(call, id, KMIP_TAG_SerialNumber, serial);
    put_text(call, subject, KMIP_TAG_CertificateSubjectDistinguishedName, facts->subject.dn);
    put_text(call, issuer, KMIP_TAG_CertificateIssuerDistinguishedName, facts->issuer.dn);
    KLM_TRY(add(object, id));
    KLM_TRY(add(object, subject));
    return add(object, issuer);
}

/* They may be there already: a certificate that is made has what its client said. */
static klm_rc set_parts(struct km_call *call, struct md_object *object, uint32_t tag,
                        const struct kr_cert_part *part)
{
    if (part) {
        md_attr_remove_all(&object->attrs, tag);
    }
    for (; part; part = part->next) {
        struct kmip_node *value = kmip_item(call->pool, NULL, tag, KMIP_TEXT);

        if (!value) {
            return KLM_E_NOMEM;
        }
        value->bytes = klm_slice_str(part->text);
        KLM_TRY(md_attr_add(&object->attrs, value));
    }
    return KLM_OK;
}

/* 2.x: each part of a name is an attribute (2.1, 4.5). */
static klm_rc add_parts(struct km_call *call, struct md_object *object,
                        const struct kr_cert_facts *facts)
{
    const struct {
        uint32_t tag;
        const struct kr_cert_part *of;
    } part[] = {
        {KMIP_TAG_CertificateSubjectCN, facts->subject.cn},
        {KMIP_TAG_CertificateSubjectO, facts->subject.o},
        {KMIP_TAG_CertificateSubjectOU, facts->subject.ou},
        {KMIP_TAG_CertificateSubjectEmail, facts->subject.email},
        {KMIP_TAG_CertificateSubjectC, facts->subject.c},
        {KMIP_TAG_CertificateSubjectST, facts->subject.st},
        {KMIP_TAG_CertificateSubjectL, facts->subject.l},
        {KMIP_TAG_CertificateSubjectUID, facts->subject.uid},
        {KMIP_TAG_CertificateSubjectSerialNumber, facts->subject.serial},
        {KMIP_TAG_CertificateSubjectTitle, facts->subject.title},
        {KMIP_TAG_CertificateSubjectDC, facts->subject.dc},
        {KMIP_TAG_CertificateSubjectDNQualifier, facts->subject.dn_qualifier},
        {KMIP_TAG_CertificateIssuerCN, facts->issuer.cn},
        {KMIP_TAG_CertificateIssuerO, facts->issuer.o},
        {KMIP_TAG_CertificateIssuerOU, facts->issuer.ou},
        {KMIP_TAG_CertificateIssuerEmail, facts->issuer.email},
        {KMIP_TAG_CertificateIssuerC, facts->issuer.c},
        {KMIP_TAG_CertificateIssuerST, facts->issuer.st},
        {KMIP_TAG_CertificateIssuerL, facts->issuer.l},
        {KMIP_TAG_CertificateIssuerUID, facts->issuer.uid},
        {KMIP_TAG_CertificateIssuerSerialNumber, facts->issuer.serial},
        {KMIP_TAG_CertificateIssuerTitle, facts->issuer.title},
        {KMIP_TAG_CertificateIssuerDC, facts->issuer.dc},
        {KMIP_TAG_CertificateIssuerDNQualifier, facts->issuer.dn_qualifier},
    };

    for (size_t i = 0; i < KLM_COUNT(part); i++) {
        KLM_TRY(set_parts(call, object, part[i].tag, part[i].of));
    }
    return KLM_OK;
}

klm_rc km_certificate_attrs(struct km_call *call, struct md_object *object,
                            const struct kr_material *material)
{
    struct kr_cert_facts facts = {0};
    struct klm_slice der;

    if (object->type != KMIP_ObjectType_Certificate) {
        return KLM_OK;
    }
    KLM_TRY(kr_material_bytes(material, call->pool, &der));
    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_CertificateLength, (int64_t)der.n));
    if (kr_material_spec(material)->format != KMIP_CertificateType_X_509) {
        return KLM_OK;
    }
    KLM_TRY(kr_cert_facts(der, call->pool, &facts));
    if (facts.signature) {
        KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_DigitalSignatureAlgorithm,
                                   facts.signature));
    }
    KLM_TRY(add_x509(call, object, &facts));
    KLM_TRY(add_old(call, object, &facts));
    return add_parts(call, object, &facts);
}
