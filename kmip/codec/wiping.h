/* Messages carry keys, and libxml2 and jansson keep copies of what they read: with this they wipe memory before they free it. */
#ifndef KMIP_CODEC_WIPING_H
#define KMIP_CODEC_WIPING_H

#include "base/rc.h"

#include <stddef.h>

/* Give both libraries an allocator that wipes what it frees. At the start of a process, before either is used and before a
 * second thread. KLM_E_INTERNAL: libxml2 took it not. */
klm_rc kmip_wiping_init(void) KLM_MUST_USE;
/* The allocator, for tests: as malloc and its kin, wiping what is freed or left behind. */
void *kmip_wiping_malloc(size_t n);
void *kmip_wiping_realloc(void *p, size_t n);
char *kmip_wiping_strdup(const char *s);
void kmip_wiping_free(void *p);

#endif
