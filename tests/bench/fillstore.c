/* Fill the store of a key server that is down, for `make bench`: drives, key usage events, and keys with all that belongs to them, in large changes, by the
 * same functions that the server uses, indexed as it would have them after a quiet hour.
 *   fillstore -s STORE_FOLDER -m MASTER_KEY_FILE [-d DRIVES] [-e EVENTS] [-k STORED_KEYS] [-o KMIP_OBJECTS]
 *             [-c RECORDS_IN_A_CHANGE]
 * With -c 32 changes are as long as the server's are under load: to count what they cost. */
#include "drivetable/dt.h"
#include "keyring/kr.h"
#include "metadata/md.h"
#include "tests/bench/bench.h"
#include "tests/bench/fillkeys.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHANGE 2000 /* records in one change, unless -c says another number */
#define CACHE ((size_t)512 << 20)

static struct klm_diag diag;
static unsigned records_in_change = CHANGE;

static void need(klm_rc rc, const char *what)
{
    if (rc != KLM_OK) {
        bench_die(what, diag.text[0] ? diag.text : klm_rc_text(rc));
    }
}

static void serial_of(uint64_t number, char out[DT_SERIAL + 1])
{
    snprintf(out, DT_SERIAL + 1, "B%011u", (unsigned)(number % 1000000000u));
}

static void wwn_of(uint64_t number, char out[17])
{
    snprintf(out, 17, "5005076302%06X", (unsigned)(number & 0xffffff));
}

static klm_rc add_drive(struct st_change *change, uint64_t number)
{
    struct dt_drive drive = {.kind = DT_3592,
                             .alias1 = "Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20",
                             .alias2 = "Tape_Sol_Tst_Shr_Pvt_2048_Lbl_21"};

    serial_of(number, drive.serial);
    wwn_of(number, drive.wwn);
    return dt_add(change, &drive);
}

static uint64_t drives, last_event;
static struct kr_master *master_key;

static klm_rc add_event(struct st_change *change, uint64_t number)
{
    struct md_usage usage = {.number = last_event + number + 1,
                             .alias1 = "Tape_Sol_Tst_Shr_Pvt_2048_Lbl_20",
                             .alias2 = "Tape_Sol_Tst_Shr_Pvt_2048_Lbl_21"};
    uint64_t drive = drives ? number * 7919 % drives : 0;

    usage.time = (klm_time)1700000000 * 1000000 + (klm_time)number * 1000000;
    serial_of(drive, usage.drive);
    wwn_of(drive, usage.wwn);
    snprintf(usage.volser, sizeof usage.volser, "%06u", (unsigned)(number / 4 % 1000000));
    return md_usage_add(change, &usage);
}

static klm_rc add_stored_key(struct st_change *change, uint64_t number)
{
    return fill_stored_key(change, master_key, number, last_event + number + 1);
}

static klm_rc add_object(struct st_change *change, uint64_t number)
{
    return fill_object(change, master_key, number);
}

static void commit(struct st_store *store, struct st_change **change)
{
    need(st_change_commit_lazy(change, &diag), "commit");
    need(st_checkpoint(store, 200, 30), "checkpoint");
}

static void fill(struct st_store *store, uint64_t n, klm_rc (*add)(struct st_change *, uint64_t))
{
    struct st_change *change;

    for (uint64_t i = 0; i < n;) {
        need(st_change_open(store, &change), "change");
        for (unsigned k = 0; k < records_in_change && i < n; k++) {
            need(add(change, i++), "add");
        }
        commit(store, &change);
    }
}

static void index_all(struct st_store *store)
{
    struct st_change *change;
    uint64_t left = 1;

    while (left > 0) {
        need(st_change_open(store, &change), "change");
        need(md_index(change, CHANGE, &left), "index");
        commit(store, &change);
    }
}

static struct st_store *open_store(const char *folder, const char *master_file)
{
    struct st_options options = {.home = folder, .cache_bytes = CACHE};
    struct st_store *store;

    need(kr_master_load(master_file, &diag, &master_key), master_file);
    need(kr_master_derive(master_key, "store mac", options.mac_key), "key");
    need(st_open_bdb(&options, &diag, &store), folder);
    klm_wipe(options.mac_key, sizeof options.mac_key);
    return store;
}

static void find_last(struct st_store *store)
{
    struct st_view *view;

    need(st_view_open(store, &view), "view");
    need(md_usage_last(view, &last_event), "usage");
    st_view_close(&view);
}

struct amounts {
    const char *folder, *master;
    uint64_t events, stored, objects;
};

static void usage(void)
{
    bench_die("usage", "fillstore -s STORE_FOLDER -m MASTER_KEY_FILE [-d DRIVES] [-e EVENTS] "
                       "[-k STORED_KEYS] [-o KMIP_OBJECTS] [-c RECORDS_IN_A_CHANGE]");
}

static void read_options(int argc, char **argv, struct amounts *out)
{
    int c;

    while ((c = getopt(argc, argv, "s:m:d:e:k:o:c:")) != -1) {
        switch (c) {
        case 's':
            out->folder = optarg;
            break;
        case 'm':
            out->master = optarg;
            break;
        case 'd':
            drives = (uint64_t)bench_number(optarg, 0, 1e6);
            break;
        case 'e':
            out->events = (uint64_t)bench_number(optarg, 0, 1e8);
            break;
        case 'k':
            out->stored = (uint64_t)bench_number(optarg, 0, 1e7);
            break;
        case 'o':
            out->objects = (uint64_t)bench_number(optarg, 0, 1e7);
            break;
        case 'c':
            records_in_change = (unsigned)bench_number(optarg, 1, 1e5);
            break;
        default:
            usage();
        }
    }
    if (optind != argc || !out->folder || !out->master) {
        usage();
    }
}

int main(int argc, char **argv)
{
    struct amounts amounts = {0};
    uint64_t begin = bench_now();
    struct st_store *store;

    read_options(argc, argv, &amounts);
    need(klm_secret_init(1 << 20), "secret memory");
    store = open_store(amounts.folder, amounts.master);
    find_last(store);
    fill(store, drives, add_drive);
    fill(store, amounts.events, add_event);
    last_event += amounts.events;
    fill(store, amounts.stored, add_stored_key);
    fill(store, amounts.objects, add_object);
    index_all(store);
    st_close(&store);
    kr_master_free(&master_key);
    printf("{\"bench\":\"fill\",\"drives\":%llu,\"events\":%llu,\"stored_keys\":%llu,"
           "\"objects\":%llu,\"seconds\":%.1f}\n",
           (unsigned long long)drives, (unsigned long long)amounts.events,
           (unsigned long long)amounts.stored, (unsigned long long)amounts.objects,
           (double)(bench_now() - begin) / 1e9);
    return 0;
}
