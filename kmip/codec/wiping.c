/* An allocator that remembers how much to wipe, in front of each block. */
#include "kmip/codec/wiping.h"

#include "base/secret.h"

#include <jansson.h>
#include <libxml/parser.h>
#include <libxml/xmlmemory.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* As wide as the strictest alignment, so that what follows is aligned as malloc's would be. */
union head {
    size_t n;
    max_align_t align;
};

void *kmip_wiping_malloc(size_t n)
{
    union head *head = n <= SIZE_MAX - sizeof *head ? malloc(sizeof *head + n) : NULL;

    if (!head) {
        return NULL;
    }
    head->n = n;
    return head + 1;
}

void kmip_wiping_free(void *p)
{
    union head *head = p;

    if (head) {
        head--;
        klm_wipe(head + 1, head->n);
        free(head);
    }
}

void *kmip_wiping_realloc(void *p, size_t n)
{
    size_t old = p ? ((union head *)p - 1)->n : 0;
    void *out = kmip_wiping_malloc(n);

    if (out && p) {
        memcpy(out, p, old < n ? old : n);
        kmip_wiping_free(p);
    }
    return out;
}

char *kmip_wiping_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *out = kmip_wiping_malloc(n);

    return out ? memcpy(out, s, n) : NULL;
}

klm_rc kmip_wiping_init(void)
{
    json_set_alloc_funcs(kmip_wiping_malloc, kmip_wiping_free);
    if (xmlMemSetup(kmip_wiping_free, kmip_wiping_malloc, kmip_wiping_realloc,
                    kmip_wiping_strdup) != 0) {
        return KLM_E_INTERNAL;
    }
    xmlInitParser();
    return KLM_OK;
}
