/* keygroups.xml, read: every element, attribute and alias is one of the format's, or the file is refused with line and column. */
#include "metadata/keygroups.h"
#include "metadata/sax.h"

#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 64
#define SHA256 32 /* bytes of a digest */
#define DIGEST_HEX (2 * SHA256)

struct reader {
    struct md_groups_file *file;
    char digest[DIGEST_HEX + 1]; /* "": none */
    bool range;                  /* the element that is open is keyRange, else keyAlias */
    char text[TEXT_MAX];
    size_t n;
};

static const char *attr(const char **attrs, const char *name)
{
    for (size_t i = 0; attrs && attrs[i]; i += 2) {
        if (strcmp(attrs[i], name) == 0) {
            return attrs[i + 1];
        }
    }
    return NULL;
}

/* Attributes that are not among the names (parted by blanks, one before and behind). */
static void only(struct md_sax *sax, const char **attrs, const char *names)
{
    for (size_t i = 0; attrs && attrs[i]; i += 2) {
        const char *at = strstr(names, attrs[i]);
        size_t n = strlen(attrs[i]);

        if (!at || at[-1] != ' ' || at[n] != ' ') {
            md_sax_refuse(sax, "an attribute that is not known here");
        }
    }
}

static klm_rc number(const char *text, uint64_t *out)
{
    uint64_t n = 0;

    for (const char *p = text; *p; p++) {
        unsigned digit = (unsigned)(uint8_t)*p - '0';

        if (digit > 9 || n > (UINT64_MAX - digit) / 10) {
            return KLM_E_INVALID;
        }
        n = 10 * n + digit;
    }
    *out = n;
    return *text ? KLM_OK : KLM_E_INVALID;
}

static void open_root(struct md_sax *sax, struct reader *r, const char *element, const char **attrs)
{
    const char *format = attr(attrs, "format"), *generation = attr(attrs, "generation"),
               *digest = attr(attrs, "digest");

    if (strcmp(element, "keyGroups") != 0) {
        md_sax_refuse(sax, "the document is not keyGroups");
    } else if (!format || strcmp(format, "1") != 0) {
        md_sax_refuse(sax, "format is not 1");
    } else if (generation && number(generation, &r->file->generation) != KLM_OK) {
        md_sax_refuse(sax, "generation is no number");
    } else if (digest && strlen(digest) < sizeof r->digest) {
        memcpy(r->digest, digest, strlen(digest) + 1);
    }
    only(sax, attrs, " format generation digest ");
}

static void add_group(struct md_sax *sax, struct reader *r, const char *id, bool wrap)
{
    struct md_groups_file *file = r->file;
    struct md_group_content *group;

    if (file->n == file->cap) {
        size_t cap = file->cap ? 2 * file->cap : 8;

        group = file->n < MD_GROUPS_MAX ? realloc(file->group, cap * sizeof *group) : NULL;
        if (!group) {
            md_sax_end(sax, file->n < MD_GROUPS_MAX ? KLM_E_NOMEM : KLM_E_LIMIT);
            return;
        }
        file->group = group;
        file->cap = cap;
    }
    group = &file->group[file->n++];
    *group = (struct md_group_content){.wrap = wrap, .line = md_sax_line(sax)};
    memcpy(group->name, id, strlen(id) + 1);
}

static void open_group(struct md_sax *sax, struct reader *r, const char *element,
                       const char **attrs)
{
    const char *id = attr(attrs, "id"), *wrap = attr(attrs, "wrap");

    only(sax, attrs, " id wrap lastUsed ");
    if (strcmp(element, "keyGroup") != 0) {
        md_sax_refuse(sax, "an element that is no keyGroup");
    } else if (!id || md_group_name(id, NULL) != KLM_OK) {
        md_sax_refuse(sax, "id is missing or no name of a key group");
    } else if (wrap && strcmp(wrap, "true") != 0 && strcmp(wrap, "false") != 0) {
        md_sax_refuse(sax, "wrap is neither true nor false");
    } else {
        add_group(sax, r, id, wrap && *wrap == 't');
    }
}

static void on_open(struct md_sax *sax, unsigned depth, const char *element, const char **attrs)
{
    struct reader *r = sax->arg;

    switch (depth) {
    case 0:
        open_root(sax, r, element, attrs);
        return;
    case 1:
        open_group(sax, r, element, attrs);
        return;
    case 2:
        only(sax, attrs, "  ");
        r->range = strcmp(element, "keyRange") == 0;
        r->n = 0;
        if (!r->range && strcmp(element, "keyAlias") != 0) {
            md_sax_refuse(sax, "an element that is neither keyAlias nor keyRange");
        }
        return;
    default:
        md_sax_refuse(sax, "elements are nested too deeply");
    }
}

static void on_text(struct md_sax *sax, unsigned depth, const char *text, size_t n)
{
    struct reader *r = sax->arg;

    if (depth != 2) {
        md_sax_blank(sax, text, n, "text outside of aliases and ranges");
    } else if (n > sizeof r->text - r->n) {
        md_sax_refuse(sax, "an alias or a range is too long");
    } else {
        memcpy(r->text + r->n, text, n);
        r->n += n;
    }
}

static void on_close(struct md_sax *sax, unsigned depth)
{
    struct reader *r = sax->arg;
    struct klm_alias_run run;
    struct md_group_content *group;

    if (depth != 2) {
        return;
    }
    group = &r->file->group[r->file->n - 1];
    if (klm_alias_run(KLM_SLICE(r->text, r->n), &run) != KLM_OK ||
        (!r->range && strcmp(run.first, run.last) != 0)) {
        md_sax_refuse(sax, r->range ? "this is no range of aliases" : "this is no alias");
    } else {
        md_sax_end(sax, md_content_put(group, &run));
    }
}

/* ---- What holds for the whole file */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct md_group_content *)a)->name,
                  ((const struct md_group_content *)b)->name);
}

int md_run_order(const void *a, const void *b)
{
    const struct klm_alias_run *x = a, *y = b;
    bool sx = klm_alias_sequential(x->first), sy = klm_alias_sequential(y->first);

    return sx != sy ? (int)sx - (int)sy : strcmp(x->first, y->first);
}

/* No alias twice in a group. */
static klm_rc check_group(const struct md_group_content *group, const char *name,
                          struct klm_diag *diag)
{
    struct klm_alias_run *sorted;
    klm_rc rc = KLM_OK;

    if (group->n < 2) {
        return KLM_OK;
    }
    sorted = malloc(group->n * sizeof *sorted);
    if (!sorted) {
        return KLM_E_NOMEM;
    }
    memcpy(sorted, group->run, group->n * sizeof *sorted);
    qsort(sorted, group->n, sizeof *sorted, md_run_order);
    for (size_t i = 1; i < group->n && rc == KLM_OK; i++) {
        if (klm_alias_runs_meet(&sorted[i - 1], &sorted[i])) {
            rc = klm_fail(diag, KLM_E_INVALID, KLM_MSG_GROUPS_TWICE, name, KLM_NUM(group->line),
                          sorted[i].first, group->name);
        }
    }
    free(sorted);
    return rc;
}

static klm_rc check_groups(struct md_groups_file *file, const char *name, struct klm_diag *diag)
{
    if (file->n > 0) {
        qsort(file->group, file->n, sizeof *file->group, by_name);
    }
    for (size_t i = 0; i < file->n; i++) {
        if (i > 0 && strcmp(file->group[i - 1].name, file->group[i].name) == 0) {
            return klm_fail(diag, KLM_E_INVALID, KLM_MSG_GROUPS_TWICE, name,
                            KLM_NUM(file->group[i].line), file->group[i].name, "the file");
        }
        KLM_TRY(check_group(&file->group[i], name, diag));
    }
    return KLM_OK;
}

/* SHA-256 over all but the digest's own digits. */
static klm_rc check_digest(const struct reader *r, struct klm_slice text)
{
    static const char lead[] = "\ndigest=\"";
    const uint8_t *at = text.n ? memmem(text.p, text.n, lead, sizeof lead - 1) : NULL;
    uint8_t sum[SHA256];
    char hex[DIGEST_HEX + 1];
    size_t before;

    if (!at || strlen(r->digest) != DIGEST_HEX) {
        return KLM_OK;
    }
    before = (size_t)(at - text.p) + sizeof lead - 1;
    if (text.n - before < DIGEST_HEX || memcmp(text.p + before, r->digest, DIGEST_HEX) != 0) {
        return KLM_OK;
    }
    KLM_TRY(klm_sha256(
        (struct klm_slice[]){{text.p, before},
                             {text.p + before + DIGEST_HEX, text.n - before - DIGEST_HEX}},
        2, sum));
    klm_hex(sum, sizeof sum, hex);
    r->file->intact = memcmp(hex, r->digest, DIGEST_HEX) == 0;
    return KLM_OK;
}

klm_rc md_groups_decode(struct klm_slice text, struct klm_diag *diag, struct md_groups_file **out)
{
    KLM_AUTO(md_groups_file_free) struct md_groups_file *file = calloc(1, sizeof *file);
    struct reader r = {.file = file};
    struct md_sax sax = {.name = "keygroups.xml",
                         .bad = KLM_MSG_GROUPS_BAD,
                         .doctype = KLM_MSG_GROUPS_DOCTYPE,
                         .diag = diag,
                         .arg = &r,
                         .open = on_open,
                         .close = on_close,
                         .text = on_text};

    if (!file) {
        return KLM_E_NOMEM;
    }
    if (text.n > MD_GROUPS_FILE_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(md_sax_read(&sax, text));
    KLM_TRY(check_groups(file, sax.name, diag));
    KLM_TRY(check_digest(&r, text));
    *out = file;
    file = NULL;
    return KLM_OK;
}
