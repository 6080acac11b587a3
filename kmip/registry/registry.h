/* The numbers and names of KMIP 1.0 to 2.1: item types, tags, enumerations, masks and attributes, with the versions that know
 * them. The idea: all of it is rows of .def files, and whoever asks whether a version knows something asks here, so that no other
 * place has a version in it. Names are those of XML and JSON (KMIP Additional Message Encodings 1.0, 3: "CryptographicLength"); attributes
 * also have the name that 1.x puts into Attribute Name ("Cryptographic Length"). */
#ifndef KMIP_REGISTRY_REGISTRY_H
#define KMIP_REGISTRY_REGISTRY_H

#include "base/pool.h"

#include <stdbool.h>
#include <stdint.h>

/* A version as one number, so that versions compare. KMIP_V_LAST: no end in sight. */
#define KMIP_V(major, minor) ((major)*16 + (minor))
#define KMIP_V_FIRST KMIP_V(1, 0)
#define KMIP_V_NEWEST KMIP_V(2, 1)
#define KMIP_V_LAST KMIP_V(15, 15)

enum kmip_type {
    KMIP_ANY = 0, /* in rows only: the type depends on something else */
#define KMIP_TYPE(name, code, text, bytes, since) KMIP_##name = (code),
#include "kmip/registry/types.def"
#undef KMIP_TYPE
};

enum kmip_tag {
#define KMIP_TAG(name, code, since, until, type, values) KMIP_TAG_##name = (code),
#include "kmip/registry/tags.def"
#undef KMIP_TAG
};

/* Enumerations and masks. KMIP_E_TAG: the values are tags (Attribute Reference). */
enum kmip_enum {
    KMIP_E_NONE,
    KMIP_E_TAG,
#define KMIP_ENUM(name) KMIP_E_##name,
#define KMIP_MASK(name) KMIP_E_##name,
#define KMIP_VALUE(set, name, code, since)
#define KMIP_ALIAS(set, name, code, since)
#include "kmip/registry/enums.def"
#undef KMIP_ENUM
#undef KMIP_MASK
    KMIP_ENUMS
};

/* The values: KMIP_Operation_Create and the like. */
enum kmip_value {
#undef KMIP_VALUE
#define KMIP_ENUM(name)
#define KMIP_MASK(name)
#define KMIP_VALUE(set, name, code, since) KMIP_##set##_##name = (code),
#include "kmip/registry/enums.def"
#undef KMIP_ENUM
#undef KMIP_MASK
#undef KMIP_VALUE
#undef KMIP_ALIAS
};

struct kmip_type_row {
    enum kmip_type type;
    const char *name;
    uint32_t bytes; /* of a value; 0: any */
    int since;
};
/* The row of a type code, or NULL when there is none (KMIP 2.1, 11.63). */
const struct kmip_type_row *kmip_type(uint32_t code);
/* By its name in XML and JSON ("TextString"), or NULL. */
const struct kmip_type_row *kmip_type_find(const char *name);

struct kmip_tag_row {
    uint32_t code;
    const char *name;
    int since, until;      /* first and last version that know it */
    enum kmip_type type;   /* KMIP_ANY where it depends on version or neighbours */
    enum kmip_enum values; /* of an enumeration or mask; KMIP_E_NONE */
};
/* The row of a tag, or NULL when no version knows the code. */
const struct kmip_tag_row *kmip_tag(uint32_t code);
/* By its name in XML and JSON, or NULL. */
const struct kmip_tag_row *kmip_tag_find(const char *name);
/* Does a version know the tag? True too for tags of no specification: extensions (54xxxx) are somebody's own business. */
bool kmip_tag_known(uint32_t code, int version);

/* Are the values of the set bits that may be combined? */
bool kmip_is_mask(enum kmip_enum set);
/* The name of a value as it is written; NULL when the set has no such code. Tags for KMIP_E_TAG. */
const char *kmip_value_name(enum kmip_enum set, uint32_t code);
/* The code of a name of the set, in any of its spellings. KLM_E_NOTFOUND. */
klm_rc kmip_value_find(enum kmip_enum set, const char *name, uint32_t *code) KLM_MUST_USE;
/* Does a version know the value? True too for codes of no specification: extensions (8xxxxxxx). */
bool kmip_value_known(enum kmip_enum set, uint32_t code, int version);

/* ---- Attributes (KMIP 1.4, 3; 2.1, 4) */
enum kmip_attr_flag {
    KMIP_A_ALWAYS = 1,      /* every object it is for has it */
    KMIP_A_SERVER_SETS = 2, /* who may set it first */
    KMIP_A_CLIENT_SETS = 4,
    KMIP_A_MULTI = 8 /* several instances */
};
/* When a value may be changed or deleted. */
enum kmip_attr_when {
    KMIP_WHEN_NO,
    KMIP_WHEN_YES,
    KMIP_WHEN_PREACTIVE,   /* while the object is Pre-Active */
    KMIP_WHEN_LIVE,        /* while it is Pre-Active or Active */
    KMIP_WHEN_NOT_REACHED, /* the same, and the date has not come */
    KMIP_WHEN_UNALLOCATED  /* until Get Usage Allocation was done */
};
/* Operations that set an attribute unasked. */
enum kmip_attr_on {
    KMIP_ON_NEVER = 0,
    KMIP_ON_CREATE = 1 << 0,
    KMIP_ON_CREATE_PAIR = 1 << 1,
    KMIP_ON_REGISTER = 1 << 2,
    KMIP_ON_DERIVE = 1 << 3,
    KMIP_ON_CERTIFY = 1 << 4,
    KMIP_ON_RECERTIFY = 1 << 5,
    KMIP_ON_REKEY = 1 << 6,
    KMIP_ON_REKEY_PAIR = 1 << 7,
    KMIP_ON_MADE = (1 << 8) - 1, /* all that make objects */
    KMIP_ON_ACTIVATE = 1 << 8,
    KMIP_ON_REVOKE = 1 << 9,
    KMIP_ON_DESTROY = 1 << 10,
    KMIP_ON_ARCHIVE = 1 << 11,
    KMIP_ON_RECOVER = 1 << 12,
    KMIP_ON_ADD = 1 << 13,
    KMIP_ON_MODIFY = 1 << 14,
    KMIP_ON_DELETE = 1 << 15,
    KMIP_ON_ALLOCATE = 1 << 16
};
/* Object types an attribute is for: bits by object type code, KMIP_FOR(KMIP_ObjectType_PublicKey). */
#define KMIP_FOR(object_type) (1u << (object_type))
enum kmip_attr_for {
    KMIP_FOR_CERTIFICATES = KMIP_FOR(KMIP_ObjectType_Certificate),
    KMIP_FOR_SYMMETRIC =
        KMIP_FOR(KMIP_ObjectType_SymmetricKey) | KMIP_FOR(KMIP_ObjectType_SplitKey),
    KMIP_FOR_PAIRS = KMIP_FOR(KMIP_ObjectType_PublicKey) | KMIP_FOR(KMIP_ObjectType_PrivateKey),
    KMIP_FOR_KEYS = KMIP_FOR_SYMMETRIC | KMIP_FOR_PAIRS,
    KMIP_FOR_SECRETS = KMIP_FOR_SYMMETRIC | KMIP_FOR(KMIP_ObjectType_PrivateKey) |
                       KMIP_FOR(KMIP_ObjectType_SecretData),
    KMIP_FOR_OPAQUE = KMIP_FOR(KMIP_ObjectType_OpaqueObject),
    KMIP_FOR_CRYPTOGRAPHIC =
        KMIP_FOR_KEYS | KMIP_FOR_SECRETS | KMIP_FOR_CERTIFICATES | KMIP_FOR(KMIP_ObjectType_PGPKey),
    KMIP_FOR_ALL =
        KMIP_FOR_CRYPTOGRAPHIC | KMIP_FOR_OPAQUE | KMIP_FOR(KMIP_ObjectType_CertificateRequest)
};
struct kmip_attr_row {
    uint32_t tag;
    const char *name; /* in Attribute Name of 1.x */
    int since, until; /* first and last version that know it */
    unsigned flags;   /* kmip_attr_flag */
    enum kmip_attr_when server_changes, client_changes, client_deletes;
    unsigned set_on;  /* kmip_attr_on */
    unsigned objects; /* kmip_attr_for */
};
/* The row of an attribute by its tag, or NULL when the tag is none. */
const struct kmip_attr_row *kmip_attr(uint32_t tag);
/* By the name 1.x has for it ("Cryptographic Length"), or NULL: a vendor's own, or none. */
const struct kmip_attr_row *kmip_attr_find(struct klm_slice name);
/* All rows, sorted by name. */
const struct kmip_attr_row *kmip_attrs(size_t *n);

#endif
