/* What Berkeley DB does at best with the records of a restore, for backupbench: new B-trees, sorted bulk puts, no log, no locks, no check, one sync each. */
#ifndef BENCH_BULKLOAD_H
#define BENCH_BULKLOAD_H

struct bulk;
/* All records of the tables that a restore fills, as they lie in the files of a store that is closed; ends the program when they cannot be read. */
struct bulk *bulk_read(const char *store_folder);
/* Into new files in a folder, which is made; so many threads, each with tables of its own. */
void bulk_load(struct bulk *bulk, const char *folder, unsigned threads);
void bulk_remove(const char *folder);
void bulk_free(struct bulk *bulk);

#endif
