/* Opens a server's folder as the started task does, recovery included, prints what is in it, one fact a line, and closes it again, so that views
 * and text log are brought up to date too. Nothing listens. Fields are separated by tabs:
 *   usage NUMBER VOLSER DRIVE ALIAS1 ALIAS2     drive SERIAL WWN ALIAS1 ALIAS2
 *   ring OWNER NAME CERTIFICATES                cert OWNER LABEL TOKEN         token LABEL
 *   group NAME KEYS KEYS-OF-ITS-RUNS              mark ALIAS VOLSER (of a stored key that was given)
 *   object UID NAME STATE LABEL-OF-ITS-TOKEN
 *   outbox ROWS                                 index VOLSER FOUND (only where a query does not find exactly what the scan did)
 * Exit 1 when anything cannot be opened or read. The folder is thrown away afterwards, so nothing here waits for a disk. */
#include "base/secret.h"
#include "keymgr/km.h"
#include "kmip/registry/registry.h"
#include "metadata/group.h"
#include "metadata/object.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_BYTES (4u << 20)

/* In front of the C library's, for every library of this program. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

static int failed(const struct klm_diag *diag, klm_rc rc, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", what, klm_rc_text(rc),
            diag && diag->msg != KLM_MSG_NONE ? diag->text : "");
    return 1;
}

static klm_rc print_usage(void *arg, const struct md_usage *usage)
{
    (void)arg;
    printf("usage\t%" PRIu64 "\t%s\t%s\t%s\t%s\n", usage->number, usage->volser, usage->drive,
           usage->alias1, usage->alias2);
    return KLM_OK;
}

static klm_rc print_drive(void *arg, const struct dt_drive *drive)
{
    (void)arg;
    printf("drive\t%s\t%s\t%s\t%s\n", drive->serial, drive->wwn, drive->alias1, drive->alias2);
    return KLM_OK;
}

static klm_rc print_ring(void *arg, const struct kr_ring *ring)
{
    (void)arg;
    printf("ring\t%s\t%s\t%zu\n", ring->owner, ring->name, ring->n);
    return KLM_OK;
}

static klm_rc print_cert(void *arg, const struct kr_cert *cert)
{
    (void)arg;
    printf("cert\t%s\t%s\t%s\n", cert->owner, cert->label, cert->token_label);
    return cert->der.n ? KLM_OK : KLM_E_CORRUPT;
}

static klm_rc count_keys(void *arg, const struct klm_alias_run *run)
{
    *(uint64_t *)arg += klm_alias_run_count(run);
    return KLM_OK;
}

static klm_rc print_group(void *arg, const struct md_group *group)
{
    uint64_t keys = 0;

    KLM_TRY(md_group_runs(arg, group->name, count_keys, &keys));
    printf("group\t%s\t%" PRIu64 "\t%" PRIu64 "\n", group->name, group->keys, keys);
    return KLM_OK;
}

static klm_rc print_mark(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    char alias[KLM_ALIAS_MAX + 1];
    struct md_key_use use;

    (void)record;
    if (damaged || key.n > KLM_ALIAS_MAX) {
        return KLM_E_CORRUPT;
    }
    memcpy(alias, key.p, key.n);
    alias[key.n] = '\0';
    KLM_TRY(md_key_use(arg, alias, &use));
    printf("mark\t%s\t%s\n", alias, use.volser);
    return KLM_OK;
}

static klm_rc print_token(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)arg;
    (void)record;
    printf("token\t%.*s\n", (int)key.n, (const char *)key.p);
    return damaged ? KLM_E_CORRUPT : KLM_OK;
}

static klm_rc print_object(void *arg, const struct md_object *object)
{
    const struct md_attr *name = md_attr_find(&object->attrs, KMIP_TAG_Name);
    const struct kmip_node *value = name ? kmip_child(name->value, KMIP_TAG_NameValue) : NULL;
    const struct klm_slice text = value ? value->bytes : (struct klm_slice){0};
    char label[65];

    (void)arg;
    md_material_label(object->uid, label);
    printf(
        "object\t%s\t%.*s\t%s\t%s\n", object->uid, (int)text.n, (const char *)text.p,
        kmip_value_name(KMIP_E_State, (uint32_t)md_attr_number(&object->attrs, KMIP_TAG_State, 0)),
        label);
    return KLM_OK;
}

static klm_rc count_row(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key;
    (void)record;
    ++*(size_t *)arg;
    return damaged ? KLM_E_CORRUPT : KLM_OK;
}

/* ---- Does a query of each volume find what the scan found? */

struct asked {
    struct st_view *view;
    uint64_t number; /* of the event that the query must show */
    size_t found;
};

static klm_rc count_found(void *arg, const struct md_usage *usage)
{
    struct asked *asked = arg;

    asked->found += usage->number == asked->number;
    return KLM_OK;
}

static klm_rc query_volser(void *arg, const struct md_usage *usage)
{
    struct asked asked = {.view = arg, .number = usage->number};

    KLM_TRY(md_query(asked.view, MD_BY_VOLSER, usage->volser, 1000, count_found, &asked));
    if (asked.found != 1) {
        printf("index\t%s\t%zu\n", usage->volser, asked.found);
    }
    return KLM_OK;
}

static klm_rc print_view(struct st_view *view)
{
    const struct st_range all = {0};
    size_t rows = 0;

    KLM_TRY(md_usage_scan(view, 0, 0, print_usage, NULL));
    KLM_TRY(md_usage_scan(view, 0, 0, query_volser, view));
    KLM_TRY(dt_scan(view, print_drive, NULL));
    KLM_TRY(kr_ring_scan(view, NULL, print_ring, NULL));
    KLM_TRY(kr_cert_scan(view, NULL, print_cert, NULL));
    KLM_TRY(st_scan(view, ST_TOKEN, &all, print_token, NULL));
    KLM_TRY(md_group_scan(view, print_group, view));
    KLM_TRY(st_scan(view, ST_KEY_USE, &all, print_mark, view));
    KLM_TRY(md_object_scan(view, NULL, "", print_object, NULL));
    KLM_TRY(st_scan(view, ST_OUTBOX, &all, count_row, &rows));
    printf("outbox\t%zu\n", rows);
    return KLM_OK;
}

static void report(void *arg, enum st_table table, struct klm_slice key)
{
    (void)arg;
    fprintf(stderr, "damaged: a record of table %s, key of %zu bytes\n", st_table_name(table),
            key.n);
}

static klm_rc look(struct km_server *server)
{
    struct st_view *view;
    uint64_t records;
    klm_rc rc;

    KLM_TRY(st_view_open(km_store(server), &view));
    rc = print_view(view);
    st_view_close(&view);
    KLM_TRY(rc);
    return st_verify(km_store(server), report, NULL, &records);
}

int main(int argc, char **argv)
{
    struct km_options options = {.config_path = argc == 2 ? argv[1] : NULL};
    struct klm_diag diag = {0};
    struct km_server *server;
    klm_rc rc;

    if (argc != 2) {
        fprintf(stderr, "usage: checkstore CONFIG\n");
        return 2;
    }
    rc = klm_secret_init(SECRET_BYTES);
    if (rc != KLM_OK) {
        return failed(NULL, rc, "locked memory");
    }
    rc = km_open(&options, &diag, &server);
    if (rc != KLM_OK) {
        return failed(&diag, rc, "open");
    }
    rc = look(server);
    km_close(&server);
    return rc == KLM_OK ? 0 : failed(NULL, rc, "read");
}
