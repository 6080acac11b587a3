/* The parts of a sync as a table: which verbs give, check and take each. */
#include "replication/repl.h"

static const struct repl_part_row rows[] = {
#define REPL_PART(name, number, word, give, check, take) {name, word, give, check, take},
#include "replication/parts.def"
#undef REPL_PART
};
_Static_assert(KLM_COUNT(rows) <= REPL_PARTS_MAX, "a message has room for every part");

const struct repl_part_row *repl_parts(size_t *n)
{
    *n = KLM_COUNT(rows);
    return rows;
}

const struct repl_part_row *repl_part_row(uint8_t part)
{
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        if ((uint8_t)rows[i].part == part) {
            return &rows[i];
        }
    }
    return NULL;
}
