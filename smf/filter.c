/* The lists of Audit.event.types and Audit.event.outcome. */
#include "smf/filter.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS ",; \t"
#define ALL UINT32_MAX

struct keyword {
    const char *word;
    uint32_t bits;
};

static const struct keyword type_words[] = {
    {"all", ALL},
    {"none", 0},
#define SMF_KIND(name, title, type, keyword) {keyword, 1u << (name)},
#include "smf/events.def"
#undef SMF_KIND
    /* of other releases of the product: kinds that have no event here */
    {"authorization_terminate", 0},
    {"authentication_terminate", 0},
    {"key_management", 0},
    {"multimaster_management", 0},
    {NULL, 0},
};

static const struct keyword outcome_words[] = {
    {"all", ALL}, {"none", 0}, {"success", 1u << SMF_SUCCESS}, {"failure", 1u << SMF_FAILURE},
    {NULL, 0},
};

static const struct keyword *find(const struct keyword *words, const char *p, size_t n)
{
    while (words->word && !(strlen(words->word) == n && strncasecmp(words->word, p, n) == 0)) {
        words++;
    }
    return words;
}

static uint32_t bits_of(const char *list, const struct keyword *words, const char *property)
{
    uint32_t bits = 0;
    bool any = false;

    for (const char *p = list ? list : ""; *(p += strspn(p, SEPARATORS));) {
        size_t n = strcspn(p, SEPARATORS);
        const struct keyword *word = find(words, p, n);
        char unknown[40];

        if (!word->word) {
            snprintf(unknown, sizeof unknown, "%.*s", n > 39 ? 39 : (int)n, p);
            klm_say(KLM_MSG_TEXT_KEYWORD, unknown, property);
        }
        bits |= word->bits;
        any = true;
        p += n;
    }
    return any ? bits : ALL;
}

struct smf_filter smf_filter_of(const char *types, const char *outcomes)
{
    return (struct smf_filter){bits_of(types, type_words, "Audit.event.types"),
                               bits_of(outcomes, outcome_words, "Audit.event.outcome")};
}

bool smf_filter_takes_bytes(struct smf_filter filter, struct klm_slice event)
{
    return (filter.kinds >> event.p[1] & 1) && (filter.outcomes >> event.p[2] & 1);
}
