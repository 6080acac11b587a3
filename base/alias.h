/* Aliases of stored symmetric keys (isklm reference 3.4), their ranges and the 12-byte key identifiers that LTO cartridges carry. An alias
 * is plain, up to 12 characters, or sequential, exactly 21: three letters or digits and 18 hexadecimal digits, which we keep in lower
 * case. A range THZ001-FF is a run of sequential aliases. */
#ifndef BASE_ALIAS_H
#define BASE_ALIAS_H

#include "base/buf.h"
#include "base/rc.h"

#include <stdbool.h>
#include <stdint.h>

#define KLM_ALIAS_MAX 21   /* characters of an alias */
#define KLM_ALIAS_PLAIN 12 /* of a plain one, at most */
#define KLM_KEY_ID 12      /* bytes of a key identifier */

/* The alias as it is kept, from what was typed. KLM_E_INVALID: no alias (a character below 21 or above 7E, a comma or semicolon,
 * which part aliases in lists, or the form of a range); KLM_E_LIMIT: longer than an alias. */
klm_rc klm_alias(struct klm_slice typed, char out[KLM_ALIAS_MAX + 1]) KLM_MUST_USE;
bool klm_alias_sequential(const char *alias);
/* The key identifier of an alias: of a sequential one its three characters and its digits packed into 9 bytes, of a plain one its
 * characters and blanks. Two aliases may have the same one; who makes keys sees to it that only one of them exists. */
void klm_alias_id(const char *alias, uint8_t out[KLM_KEY_ID]);
/* The plain, or the sequential, alias of a key identifier. KLM_E_NOTFOUND: there is none. */
klm_rc klm_alias_of_id(const uint8_t id[KLM_KEY_ID], bool sequential, char out[KLM_ALIAS_MAX + 1])
    KLM_MUST_USE;
/* The other alias that has the same key identifier. KLM_E_NOTFOUND: none. */
klm_rc klm_alias_twin(const char *alias, char out[KLM_ALIAS_MAX + 1]) KLM_MUST_USE;

/* A run of aliases that differ in their number alone, lowest and highest; a single alias is a run of one. Aliases of a run compare as
 * texts in the order of their numbers. */
struct klm_alias_run {
    char first[KLM_ALIAS_MAX + 1], last[KLM_ALIAS_MAX + 1];
};
/* An alias, or a range: three letters or digits, hexadecimal digits, a hyphen, hexadecimal digits; up to 18 on each side, with 18 the first two
 * 00. KLM_E_INVALID: a range that breaks that or runs backwards, or no alias; KLM_E_LIMIT: longer than an alias, and no range. */
klm_rc klm_alias_run(struct klm_slice typed, struct klm_alias_run *out) KLM_MUST_USE;
/* How many aliases, UINT64_MAX when there are more. */
uint64_t klm_alias_run_count(const struct klm_alias_run *run);
bool klm_alias_run_has(const struct klm_alias_run *run, const char *alias);
bool klm_alias_runs_meet(const struct klm_alias_run *a, const struct klm_alias_run *b);
/* The alias with the number one higher, or lower, in its place. False, and unchanged: there is none. */
bool klm_alias_next(char alias[KLM_ALIAS_MAX + 1]);
bool klm_alias_previous(char alias[KLM_ALIAS_MAX + 1]);
/* "KMA0238ab34", or "des000000000000000001-1f" with the second number as short as it can be: what klm_alias_run reads. */
#define KLM_ALIAS_RUN_MAX 41
const char *klm_alias_run_text(const struct klm_alias_run *run, char out[KLM_ALIAS_RUN_MAX]);

#endif
