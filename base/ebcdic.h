/* EBCDIC code page 1047, for tape labels and SMF records. Characters outside ISO 8859-1 become '?'. */
#ifndef BASE_EBCDIC_H
#define BASE_EBCDIC_H

#include <stddef.h>
#include <stdint.h>

/* n bytes each way; in and out may be the same memory. */
void klm_to_ebcdic(const void *in, void *out, size_t n);
void klm_from_ebcdic(const void *in, void *out, size_t n);
/* The same for the run of printable ASCII other than the backslash that in begins with; how long that is. */
size_t klm_plain_to_ebcdic(const void *in, void *out, size_t n);
/* A string as exactly n EBCDIC bytes, cut or padded with blanks (X'40'). */
void klm_ebcdic_field(const char *s, void *out, size_t n);

#endif
