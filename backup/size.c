/* How much room a store takes that is made of a backup: counted record by record, as the trees of Berkeley DB lay them out when they are filled in order. */
#include "backup/restore.h"

#include "store/st.h"

#include <string.h>

#define PAGE 4096
#define PAGE_ROOM (PAGE - 26) /* without its head */
#define IN_LEAF 1000          /* about: longer items lie on pages of their own, */
#define REFERENCE 12          /* and in the leaf is where */
#define ITEM_HEAD 3           /* of an item in a leaf, rounded to four bytes with it, */
#define ITEM_PLACE 2          /* and its place in the page's index */
#define ENVELOPE 18           /* in front of each record (store/envelope.h) */
#define INDEXES (3 * 64)      /* of a key usage event: they are made anew */
#define TREES_MORE 64         /* one in so many: pages above the leaves */

struct size {
    uint64_t pages, files; /* pages, bytes */
    size_t fill, last;     /* bytes in the leaf at hand, and of the record put last */
    uint64_t indexes;      /* bytes of those that are made anew */
    bool usage;            /* the table at hand is of key usage events */
};

/* Bytes of an item in its leaf; a long one takes pages beside it. */
static size_t in_leaf(struct size *size, size_t n)
{
    if (n > IN_LEAF) {
        size->pages += (n + PAGE_ROOM - 1) / PAGE_ROOM;
        n = REFERENCE;
    }
    return ((n + ITEM_HEAD + 3) & ~(size_t)3) + ITEM_PLACE;
}

static klm_rc begin(void *arg, const struct bk_section *section)
{
    struct size *size = arg;

    size->usage = strcmp(section->name, st_table_name(ST_USAGE)) == 0;
    size->pages += 2; /* the least of a table, with its last leaf */
    size->fill = size->last = 0;
    return KLM_OK;
}

/* A leaf that is full at its end gives its last record to the next one. */
static klm_rc record(void *arg, const struct bk_section *section, const struct bk_record *record)
{
    struct size *size = arg;
    const size_t n = in_leaf(size, record->key.n) + in_leaf(size, record->record.n + ENVELOPE);

    (void)section;
    if (size->fill + n > PAGE_ROOM) {
        size->pages++;
        size->fill = size->last;
    }
    size->fill += n;
    size->last = n;
    size->indexes += size->usage ? INDEXES : 0;
    return KLM_OK;
}

static klm_rc data(void *arg, const struct bk_section *section, struct klm_slice data)
{
    struct size *size = arg;

    (void)section;
    size->files += data.n;
    return KLM_OK;
}

klm_rc bk_size(struct bk_restoring *r, uint64_t *bytes)
{
    struct size size = {0};
    const struct bk_visitor visitor = {
        .begin = begin, .record = record, .data = data, .arg = &size};
    const struct bk_pulse pulse = {bk_restore_pulse, r};

    r->step = "measuring the new store";
    KLM_TRY(bk_file_walk(&r->file, &visitor, &pulse, r->diag, r->found));
    size.pages += size.pages / TREES_MORE;
    *bytes = size.pages * PAGE + size.indexes + size.files;
    return KLM_OK;
}
