/* keygroups.xml, written; and the content of a group as files have it. */
#include "metadata/keygroups.h"
#include "metadata/parts.h"

#include "base/digest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 512
#define SHA256 32 /* bytes of a digest */

klm_rc md_content_put(struct md_group_content *group, const struct klm_alias_run *run)
{
    if (group->n == group->cap) {
        size_t cap = group->cap ? 2 * group->cap : 8;
        struct klm_alias_run *grown;

        if (group->n == MD_GROUP_RUNS) {
            return KLM_E_LIMIT;
        }
        grown = realloc(group->run, cap * sizeof *grown);
        if (!grown) {
            return KLM_E_NOMEM;
        }
        group->run = grown;
        group->cap = cap;
    }
    group->run[group->n++] = *run;
    return KLM_OK;
}

void md_content_done(struct md_group_content *group)
{
    free(group->run);
    *group = (struct md_group_content){0};
}

void md_groups_file_free(struct md_groups_file **file)
{
    struct md_groups_file *f = *file;

    if (!f) {
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        md_content_done(&f->group[i]);
    }
    free(f->group);
    free(f);
    *file = NULL;
}

bool md_groups_intact(const struct md_groups_file *file)
{
    return file->intact;
}

uint64_t md_groups_generation(const struct md_groups_file *file)
{
    return file->generation;
}

size_t md_groups_count(const struct md_groups_file *file)
{
    return file->n;
}

/* ---- Writing */

struct writing {
    struct st_view *view;
    struct klm_buf *out;
};

static klm_rc put_run(void *arg, const struct klm_alias_run *run)
{
    const bool one = strcmp(run->first, run->last) == 0;
    char text[KLM_ALIAS_RUN_MAX];
    struct klm_buf *out = arg;

    klm_buf_text(out, one ? "<keyAlias>" : "<keyRange>");
    md_xml_escape(out, klm_alias_run_text(run, text));
    klm_buf_text(out, one ? "</keyAlias>\n" : "</keyRange>\n");
    return klm_buf_rc(out);
}

static klm_rc put_group(void *arg, const struct md_group *group)
{
    const struct writing *w = arg;

    if (strcmp(group->name, MD_KEYSET_GROUP) == 0) {
        return KLM_OK;
    }
    klm_buf_text(w->out, "<keyGroup id=\"");
    md_xml_escape(w->out, group->name);
    klm_buf_printf(w->out, "\" wrap=\"%s\" lastUsed=\"", group->wrap ? "true" : "false");
    md_xml_escape(w->out, group->last);
    klm_buf_text(w->out, "\">\n");
    KLM_TRY(md_group_runs(w->view, group->name, put_run, w->out));
    klm_buf_text(w->out, "</keyGroup>\n");
    return klm_buf_rc(w->out);
}

klm_rc md_groups_encode(struct st_view *view, uint64_t generation, struct klm_buf *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf head = {0}, body = {0};
    struct writing w = {view, &body};
    uint8_t sum[SHA256];
    char hex[2 * sizeof sum + 1];

    klm_buf_init(&head, HEAD_MAX);
    klm_buf_init(&body, MD_GROUPS_FILE_MAX - HEAD_MAX);
    klm_buf_printf(&head,
                   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                   "<!-- Key groups of the key manager; keys are given out in this order. -->\n"
                   "<keyGroups format=\"1\" generation=\"%" PRIu64 "\"\ndigest=\"",
                   generation);
    klm_buf_text(&body, "\">\n");
    KLM_TRY(md_group_scan(view, put_group, &w));
    klm_buf_text(&body, "</keyGroups>\n");
    KLM_TRY(klm_buf_rc(&head));
    KLM_TRY(klm_buf_rc(&body));
    KLM_TRY(
        klm_sha256((struct klm_slice[]){klm_buf_as_slice(&head), klm_buf_as_slice(&body)}, 2, sum));
    klm_hex(sum, sizeof sum, hex);
    klm_buf_slice(out, klm_buf_as_slice(&head));
    klm_buf_text(out, hex);
    klm_buf_slice(out, klm_buf_as_slice(&body));
    return klm_buf_rc(out);
}
