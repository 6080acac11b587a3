/* What a check of the chain tells a person. */
#include "smf/dump/verify.h"

#include <inttypes.h>

static void print_signatures(const struct smfd_chain *chain, bool certified, FILE *to)
{
    char hex[2 * SMF_FINGERPRINT_SIZE + 1];

    if (chain->checkpoints == 0) {
        fprintf(to, "  no checkpoint: nothing is signed here\n");
        return;
    }
    klm_hex(chain->last.fingerprint, SMF_FINGERPRINT_SIZE, hex);
    fprintf(to, "  %" PRIu64 " checkpoints, the last signed %s with certificate %s\n",
            chain->checkpoints, chain->last.algorithm, hex);
    if (certified) {
        fprintf(to, "  %" PRIu64 " signatures are good\n", chain->checked);
    } else {
        fprintf(to, "  signatures were not checked: no certificate was given\n");
    }
    if (chain->behind) {
        fprintf(to,
                "  %" PRIu64 " records stand behind the last checkpoint: chained, not signed yet\n",
                chain->behind);
    } else {
        fprintf(to, "  nothing stands behind the last checkpoint\n");
    }
}

/* A text log among checkpoints of more than it. */
static void print_around(const struct smfd_chain *chain, FILE *to)
{
    if (chain->text && !chain->whole && chain->records) {
        fprintf(to, "  the first record %s\n",
                chain->joined ? "goes on from what the checkpoint before it signs"
                              : "cannot be checked: there is no checkpoint right before it");
    }
    if (chain->later) {
        fprintf(to,
                "  %" PRIu64
                " checkpoints sign records behind these: they are in files that were not given, or "
                "were cut off\n",
                chain->later);
    }
}

static void print_chain(const struct smfd_chain *chain, bool certified, FILE *to)
{
    const struct smfd_problem *first = &chain->first;

    fprintf(to, "%s: %u %s, %" PRIu64 " records of the chain, %" PRIu64 " events\n",
            *chain->server ? chain->server : "(server not known)", chain->pieces,
            chain->text ? "files of the text log" : "data sets", chain->records, chain->events);
    if (chain->events) {
        fprintf(to, "  sequence %" PRIu64 " to %" PRIu64 "; %s\n", chain->first_seq,
                chain->last_seq,
                chain->whole ? "begins with the first record of the chain"
                             : "begins later than the first record of the chain");
    }
    if (chain->left_out && !chain->problems) {
        fprintf(to,
                "  %" PRIu64
                " numbers are not there: left out by configuration, the chain goes on\n",
                chain->left_out);
    }
    print_signatures(chain, certified, to);
    print_around(chain, to);
    if (chain->problems) {
        klm_say(KLM_MSG_VERIFY_BAD, first->at.path, KLM_NUM(first->at.number),
                KLM_NUM(first->at.offset), first->at.seq ? KLM_NUM(first->at.seq) : "-",
                first->why);
        fprintf(to, "  NOT GOOD: %" PRIu64 " places, the first is record %" PRIu64 " of %s\n",
                chain->problems, first->at.number, first->at.path);
    }
}

void smfd_verdict_print(const struct smfd_verdict *verdict, FILE *to)
{
    for (size_t i = 0; i < verdict->n; i++) {
        print_chain(&verdict->chains[i], verdict->certified, to);
    }
    if (verdict->others) {
        fprintf(to, "%" PRIu64 " other records were passed over\n", verdict->others);
    }
    if (verdict->unfinished) {
        fprintf(to, "a record that the task is just writing was passed over\n");
    }
    fprintf(to, "%s\n", verdict->good ? "VERIFIED" : "NOT VERIFIED");
}
