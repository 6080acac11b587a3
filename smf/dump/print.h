/* One record, field by field: offset, name, bytes, meaning. */
#ifndef SMF_DUMP_PRINT_H
#define SMF_DUMP_PRINT_H

#include "smf/dump/source.h"

#include <stdio.h>

/* Print record `number` (from 1, over all inputs in their order; damaged places count). KLM_E_NOTFOUND with a message: there is none. */
klm_rc smfd_print_record(const char *const *paths, size_t n, uint64_t number, FILE *to,
                         struct klm_diag *diag) KLM_MUST_USE;
/* Print the fields of a record (whole, with RDW). Other types: their header, and the rest as bytes. */
void smfd_print_fields(struct klm_slice record, FILE *to);

#endif
