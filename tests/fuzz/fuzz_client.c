/* Records of clients, of clients that wait, and of device groups. The first byte says which; what is behind it is damage, or is written back byte for byte, and then it
 * goes into a store and is found there by its name and its fingerprint. Other bytes in front: names, where what is well formed is printable. */
#include "drivetable/client_record.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void same_bytes(struct klm_buf *buf, struct klm_slice in)
{
    must(klm_buf_rc(buf) == KLM_OK && klm_slice_equal(klm_buf_as_slice(buf), in));
    klm_buf_done(buf);
}

static struct st_change *begin(struct st_store **store)
{
    const struct st_options options = {.create = true};
    struct st_change *change = NULL;

    must(st_open_memory(&options, store) == KLM_OK);
    must(st_change_open(*store, &change) == KLM_OK);
    return change;
}

static void try_client(struct klm_slice record)
{
    struct dt_client client = {.name = "A"}, found;
    struct dt_clients *clients = NULL;
    struct klm_pool *pool = NULL;
    struct st_change *change;
    struct st_store *store;
    struct klm_buf buf;

    if (dt_client_decode(record, &client) != KLM_OK) {
        return;
    }
    klm_buf_init(&buf, DT_CLIENT_RECORD_MAX);
    dt_client_encode(&client, &buf);
    same_bytes(&buf, record);
    change = begin(&store);
    must(klm_pool_new(0, &pool) == KLM_OK);
    must(dt_client_change(change, NULL, &client) == KLM_OK);
    must(dt_client_get(st_change_view(change), "A", pool, &found) == KLM_OK);
    must(klm_slice_equal(found.cert, client.cert));
    must(!client.fingerprint[0] ||
         dt_client_find(st_change_view(change), client.fingerprint, pool, &found) == KLM_OK);
    must(dt_clients_load(st_change_view(change), &clients) == KLM_OK);
    must(dt_clients_count(clients) == 1);
    must((dt_clients_find(clients, client.fingerprint) != NULL) == (client.fingerprint[0] != '\0'));
    must(dt_client_change(change, &client, NULL) == KLM_OK);
    must(dt_client_get(st_change_view(change), "A", pool, &found) == KLM_E_NOTFOUND);
    dt_clients_free(&clients);
    klm_pool_free(&pool);
    st_change_drop(&change);
    st_close(&store);
}

static void try_pending(struct klm_slice record)
{
    struct dt_client_pending pending = {0}, found;
    char pushed[DT_FINGERPRINT_MAX];
    struct klm_pool *pool = NULL;
    struct st_change *change;
    struct st_store *store;
    struct klm_buf buf;

    memset(pending.fingerprint, 'a', DT_FINGERPRINT_MAX - 1);
    if (dt_client_pending_decode(record, &pending) != KLM_OK) {
        return;
    }
    klm_buf_init(&buf, DT_CLIENT_RECORD_MAX);
    dt_client_pending_encode(&pending, &buf);
    same_bytes(&buf, record);
    change = begin(&store);
    must(klm_pool_new(0, &pool) == KLM_OK);
    must(dt_client_pending_put(change, &pending, pushed) == KLM_OK && !pushed[0]);
    must(dt_client_pending_find(st_change_view(change), "aaaaaaaaaaaaaaaa", pool, &found) ==
         KLM_OK);
    must(klm_slice_equal(found.cert, pending.cert));
    klm_pool_free(&pool);
    st_change_drop(&change);
    st_close(&store);
}

static void try_group(struct klm_slice record)
{
    struct dt_device_group group = {.name = "G"};
    struct klm_buf buf;

    if (dt_device_group_decode(record, &group) == KLM_OK) {
        klm_buf_init(&buf, 256);
        dt_device_group_encode(&group, &buf);
        same_bytes(&buf, record);
    }
}

static void try_names(const uint8_t *data, size_t size)
{
    char name[256];
    size_t n = size < sizeof name - 1 ? size : sizeof name - 1;

    memcpy(name, data, n);
    name[n] = '\0';
    n = strlen(name);
    if (dt_client_name_check(name) == KLM_OK) {
        must(n > 0 && n <= DT_CLIENT_NAME_MAX && klm_utf8_printable(KLM_SLICE(name, n)));
    }
    if (dt_device_group_check(name) == KLM_OK) {
        must(n > 0 && n <= DT_DEVICE_GROUP_MAX && !dt_group_own(name));
        must(dt_client_name_check(name) == KLM_OK);
    }
    must(dt_prefix_check(name) != KLM_OK || n == 0 || n == 3);
}

static void quiet(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity, (void)line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > DT_CLIENT_RECORD_MAX + 1) {
        return 0;
    }
    klm_say_to(quiet, NULL);
    switch (data[0]) {
    case 'C':
        try_client(KLM_SLICE(data + 1, size - 1));
        break;
    case 'P':
        try_pending(KLM_SLICE(data + 1, size - 1));
        break;
    case 'G':
        try_group(KLM_SLICE(data + 1, size - 1));
        break;
    default:
        try_names(data, size);
    }
    return 0;
}
