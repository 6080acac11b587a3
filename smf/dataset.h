/* The SMF sink: type 83 records on data sets, as an operator of SMF knows them. One data set is recorded on; when it is full or an
 * operator says I SMF, recording goes on in the next empty one of the list, and the full one waits to be dumped and cleared
 * (smfdump). When none is empty, the full one that was switched longest ago is renamed NAME.Dyyyyddd.Thhmmsst, so that nothing ever waits
 * or is lost; nothing is deleted. */
#ifndef SMF_DATASET_H
#define SMF_DATASET_H

#include "smf/blocks.h"
#include "smf/sink.h"
#include "smf/type83.h"

#define SMF_DATASETS_MAX 36 /* as many as SMFPRMxx DSNAME takes */

#define SMF_DATASET_NAME_MAX                                                                       \
    64 /* bytes of a name with its end: 44 characters, and .Dyyyyddd.Thhmmsst */

struct smf_dataset_sink;

struct smf_dataset_options {
    const char *folder;       /* Audit.smf.directory; made when missing, 0750 */
    const char *const *names; /* base names: SYS1.Z1.MAN1, ... */
    size_t names_n;
    uint64_t size; /* bytes after which a data set is full; 0: 64 MiB */
    enum smf_format format;
    struct smf_t83_origin origin; /* texts are copied */
    bool local_time; /* not its utc_offset_min, but the system's zone at the time of each event */
    const char *server_id;
    const struct smf_signer *signer; /* borrowed as long as the sink lives; NULL: no checkpoints */
    struct smf_begin
        begin; /* where recording begins when nothing was ever recorded; zeros: the oldest event */
};
/* Find the place again, start the thread. The cursor (smf.cursor in the folder) tells how far the data sets were on disk; what is
 * behind that is cut off and comes again from the journal, so that each event stands in them once, in order, and whole. Without
 * a cursor the data sets are read. KLM_E_INVALID: a name is no data set name; KLM_E_BUSY: another process records there. */
klm_rc smf_dataset_sink_open(const struct smf_dataset_options *options, struct smf_journal *journal,
                             struct klm_diag *diag, struct smf_dataset_sink **out) KLM_MUST_USE;
struct smf_sink *smf_dataset_sink_core(struct smf_dataset_sink *sink);
/* Its folder, borrowed. */
const char *smf_dataset_folder(const struct smf_dataset_sink *sink);
/* I SMF: checkpoint, close the data set, go on in the next. Every event that is in the journal now stands before the switch: it is waited for,
 * five seconds at most; what is not there by then is said, and comes behind it. from, to: names (SMF_DATASET_NAME_MAX bytes each), from as it is
 * called afterwards; empty: there was nothing in it, and recording stays there. */
klm_rc smf_dataset_switch(struct smf_dataset_sink *sink, char *from, char *to) KLM_MUST_USE;
struct smf_dataset_row {
    char name[SMF_DATASET_NAME_MAX];
    uint64_t bytes, size;
    const char *state; /* "ACTIVE", "ALTERNATE" (empty), "DUMP REQUIRED" */
};
/* D SMF: the data sets of the list. */
klm_rc smf_dataset_list(struct smf_dataset_sink *sink, struct smf_dataset_row *rows, size_t *n)
    KLM_MUST_USE;
void smf_dataset_sink_close(struct smf_dataset_sink **sink);

#endif
