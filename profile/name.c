/* Names of profiles: which are allowed, what they match, and which of two is the more specific. */
#include "profile/pr.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *const classes[PR_CLASSES] = {
#define PR_CLASS(id, name, what) [id] = name,
#include "profile/class.def"
#undef PR_CLASS
};
static const char *const accesses[] = {
    [PR_NONE] = "NONE",       [PR_READ] = "READ",   [PR_UPDATE] = "UPDATE",
    [PR_CONTROL] = "CONTROL", [PR_ALTER] = "ALTER",
};

static klm_rc find(const char *const *names, size_t n, const char *name, size_t *out)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(names[i], name) == 0) {
            *out = i;
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}

const char *pr_class_name(enum pr_class class)
{
    return classes[class];
}

klm_rc pr_class_find(const char *name, enum pr_class *out)
{
    size_t i;

    KLM_TRY(find(classes, PR_CLASSES, name, &i));
    *out = (enum pr_class)i;
    return KLM_OK;
}

const char *pr_access_name(enum pr_access access)
{
    return accesses[access];
}

klm_rc pr_access_find(const char *name, enum pr_access *out)
{
    size_t i;

    KLM_TRY(find(accesses, KLM_COUNT(accesses), name, &i));
    *out = (enum pr_access)i;
    return KLM_OK;
}

/* ---- What is allowed */

static bool plain(char c)
{
    return c > ' ' && c <= '~' && !islower((unsigned char)c) && !strchr("()'\",;&?", c);
}

/* Length of the qualifier at p. */
static size_t qualifier(const char *p)
{
    return strcspn(p, ".");
}

static bool is_any(const char *p, size_t n)
{
    return n == 2 && p[0] == '*' && p[1] == '*';
}

/* An asterisk ends its qualifier; two are a qualifier of their own. */
static bool qualifier_allowed(const char *p, size_t n)
{
    const char *star = memchr(p, '*', n);

    return n > 0 && (!star || star == p + n - 1 || is_any(p, n));
}

klm_rc pr_name_check(const char *name)
{
    size_t n = strnlen(name, PR_NAME_MAX + 1), any = 0;

    if (n == 0 || n > PR_NAME_MAX) {
        return n ? KLM_E_LIMIT : KLM_E_INVALID;
    }
    for (const char *p = name; *p; p++) {
        if (!plain(*p)) {
            return KLM_E_INVALID;
        }
    }
    for (const char *p = name;; p++) {
        size_t len = qualifier(p);

        any += is_any(p, len);
        if (!qualifier_allowed(p, len) || any > 1) {
            return KLM_E_INVALID;
        }
        p += len;
        if (!*p) {
            return KLM_OK;
        }
    }
}

klm_rc pr_id_check(const char *id)
{
    size_t n = strnlen(id, PR_ID_MAX + 1);

    if (n == 0 || n > PR_ID_MAX) {
        return n ? KLM_E_LIMIT : KLM_E_INVALID;
    }
    return strcmp(id, "*") == 0 || strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#@$_-.") == n
               ? KLM_OK
               : KLM_E_INVALID;
}

void pr_resource(const char *text, char out[PR_RESOURCE_MAX])
{
    size_t n = 0;

    for (; *text && n + 1 < PR_RESOURCE_MAX; text++) {
        char c = (char)toupper((unsigned char)*text);

        out[n++] = plain(c) && c != '%' && c != '*' ? c : '?';
    }
    out[n] = '\0';
}

/* ---- Matching */

bool pr_generic(const char *name)
{
    return strpbrk(name, "*%") != NULL;
}

/* The qualifiers' characters up to an asterisk or their end; what is left of both. */
static bool same_beginning(const char **p, size_t *n, const char **r, size_t *len)
{
    while (*n > 0 && **p != '*') {
        if (*len == 0 || (**p != '%' && **p != **r)) {
            return false;
        }
        ++*p, --*n, ++*r, --*len;
    }
    return true;
}

/* A qualifier that is not the last, or has no asterisk, against one of the resource. */
static bool match_qualifier(const char *p, size_t n, const char *r, size_t len)
{
    return same_beginning(&p, &n, &r, &len) && (n > 0 || len == 0);
}

/* The last qualifier: an asterisk at its end stands for all that is left. r is NULL when nothing is. */
static bool match_last(const char *p, size_t n, const char *r)
{
    size_t len;

    if (!r) {
        return false;
    }
    len = qualifier(r);
    if (!same_beginning(&p, &n, &r, &len)) {
        return false;
    }
    return n > 0 || (len == 0 && !*r);
}

/* The next qualifier, or NULL behind the last. */
static const char *next(const char *p)
{
    p += qualifier(p);
    return *p ? p + 1 : NULL;
}

static bool match_rest(const char *p, const char *r);

/* ** stands for no or more qualifiers; what is behind it has no other, so that this looks at each place once. */
static bool match_any(const char *behind, const char *r)
{
    if (!behind) {
        return true;
    }
    for (; r; r = next(r)) {
        if (match_rest(behind, r)) {
            return true;
        }
    }
    return false;
}

static bool match_rest(const char *p, const char *r)
{
    for (; p; p = next(p)) {
        size_t n = qualifier(p);

        if (is_any(p, n)) {
            return match_any(next(p), r);
        }
        if (!p[n]) {
            return match_last(p, n, r);
        }
        if (!r || !match_qualifier(p, n, r, qualifier(r))) {
            return false;
        }
        r = next(r);
    }
    return !r;
}

bool pr_match(const char *name, const char *resource)
{
    return match_rest(name, resource);
}

/* ---- The more specific of two */

/* Smaller is more specific: a character, %, *, **. */
static int rank(const char *p)
{
    if (*p == '%') {
        return 1;
    }
    if (*p == '*') {
        return p[1] == '*' ? 3 : 2;
    }
    return 0;
}

/* A name that is the beginning of the other and ends with an asterisk is open there, so the longer one narrows it. Else what the other has
 * more can only be a ** that stands for nothing. */
int pr_name_compare(const char *a, const char *b)
{
    const char *p = a, *q = b;

    for (; *p && *q; p++, q++) {
        int left = rank(p), right = rank(q);

        if (left != right) {
            return left - right;
        }
        if (*p != *q) { /* they never match the same; any order will do, if it is one */
            return (unsigned char)*p - (unsigned char)*q;
        }
    }
    if (!*p && !*q) {
        return 0;
    }
    if (!*p) {
        return p[-1] == '*' ? 1 : -1;
    }
    return q[-1] == '*' ? -1 : 1;
}
