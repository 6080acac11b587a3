/* Key groups and the aliases in them. */
#include "metadata/group_record.h"
#include "metadata/parts.h"

#include <stdio.h>
#include <string.h>

#define GAP (1u << 20) /* between the places of two runs: room for halves of a run that is cut */

klm_rc md_group_name(const char *typed, struct klm_diag *diag)
{
    size_t n = strlen(typed);

    for (const char *p = typed; *p; p++) {
        if (*p < 0x21 || *p > 0x7E || strchr(",;&<>\"'", *p)) {
            n = 0;
            break;
        }
    }
    if (n < 1 || n > MD_GROUP_MAX || strcmp(typed, MD_KEYSET_GROUP) == 0) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_GROUP_NAME, typed, KLM_NUM(MD_GROUP_MAX));
    }
    return KLM_OK;
}

static klm_rc count_one(void *arg, const struct md_group *group)
{
    (void)group;
    return ++*(size_t *)arg < MD_GROUPS_MAX ? KLM_OK : KLM_E_LIMIT;
}

klm_rc md_group_add(struct st_change *change, const char *name, bool wrap)
{
    struct st_view *view = st_change_view(change);
    struct md_group group;
    size_t n = 0;

    if (md_group_get(view, name, &group) != KLM_E_NOTFOUND) {
        return KLM_E_EXISTS;
    }
    KLM_TRY(md_group_scan(view, count_one, &n));
    group = (struct md_group){.wrap = wrap, .next = GAP};
    snprintf(group.name, sizeof group.name, "%s", name);
    return md_group_save(change, &group);
}

klm_rc md_group_wrap(struct st_change *change, const char *name, bool wrap)
{
    struct md_group group;

    KLM_TRY(md_group_get(st_change_view(change), name, &group));
    group.wrap = wrap;
    return md_group_save(change, &group);
}

uint64_t md_group_left(const struct md_group *group)
{
    return group->keys > group->passed ? group->keys - group->passed : 0;
}

/* ---- Runs */

static klm_rc put_run(struct st_change *change, const char *name, const struct md_placed *placed)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};
    struct md_group_key run = md_group_run_key(name, placed->place),
                        first = md_group_first_key(name, placed->run.first);
    uint8_t place[MD_NUMBER];

    klm_buf_init(&buf, 64);
    klm_buf_u8(&buf, 1);
    klm_buf_lp8(&buf, klm_slice_str(placed->run.first));
    klm_buf_lp8(&buf, klm_slice_str(placed->run.last));
    KLM_TRY(klm_buf_rc(&buf));
    KLM_TRY(st_put(change, ST_GROUP_RUN, md_group_key_slice(&run), klm_buf_as_slice(&buf)));
    return st_put(change, ST_GROUP_FIRST, md_group_key_slice(&first),
                  md_number_key(placed->place, place));
}

static klm_rc delete_run(struct st_change *change, const char *name, const struct md_placed *placed)
{
    struct md_group_key run = md_group_run_key(name, placed->place),
                        first = md_group_first_key(name, placed->run.first);

    KLM_TRY(st_delete(change, ST_GROUP_RUN, md_group_key_slice(&run)));
    return st_delete(change, ST_GROUP_FIRST, md_group_key_slice(&first));
}

static klm_rc delete_runs(struct st_change *change, const char *name)
{
    struct md_placed placed = {0};
    klm_rc rc;

    while ((rc = md_run_after(st_change_view(change), name, placed.place, &placed)) == KLM_OK) {
        KLM_TRY(delete_run(change, name, &placed));
    }
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

klm_rc md_group_delete(struct st_change *change, const char *name)
{
    struct md_group group;

    KLM_TRY(md_group_get(st_change_view(change), name, &group));
    KLM_TRY(delete_runs(change, name));
    return st_delete(change, ST_GROUP, klm_slice_str(name));
}

klm_rc md_group_own(struct st_change *change, const char *source)
{
    struct md_group group = {.name = MD_KEYSET_GROUP, .next = GAP};

    if (strlen(source) > MD_KEYSET_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(delete_runs(change, MD_KEYSET_GROUP));
    snprintf(group.source, sizeof group.source, "%s", source);
    return md_group_save(change, &group);
}

static void count(uint64_t *total, const struct klm_alias_run *run)
{
    uint64_t n = klm_alias_run_count(run);

    *total = n > UINT64_MAX - *total ? UINT64_MAX : *total + n;
}

static uint64_t less(uint64_t total, uint64_t n)
{
    return total > n ? total - n : 0;
}

/* The run at the end of the turn, when this one goes on where it ends. */
static bool extends(struct st_view *view, const struct md_group *group,
                    const struct klm_alias_run *run, struct md_placed *tail)
{
    char behind[KLM_ALIAS_MAX + 1];

    if (group->runs == 0 || md_run_at(view, group->name, group->next - GAP, tail) != KLM_OK) {
        return false;
    }
    memcpy(behind, tail->run.last, sizeof behind);
    return klm_alias_next(behind) && strcmp(behind, run->first) == 0;
}

klm_rc md_group_put(struct st_change *change, const char *name, const struct klm_alias_run *run)
{
    struct st_view *view = st_change_view(change);
    struct md_group group;
    struct md_placed placed;
    klm_rc rc;

    KLM_TRY(md_group_get(view, name, &group));
    rc = md_run_meeting(view, name, run, &placed);
    if (rc != KLM_E_NOTFOUND) {
        return rc == KLM_OK ? KLM_E_EXISTS : rc;
    }
    if (extends(view, &group, run, &placed)) {
        memcpy(placed.run.last, run->last, sizeof placed.run.last);
    } else if (group.runs == MD_GROUP_RUNS) {
        return KLM_E_LIMIT;
    } else {
        placed = (struct md_placed){group.next, *run};
        group.next += GAP;
        group.runs++;
    }
    count(&group.keys, run);
    KLM_TRY(put_run(change, name, &placed));
    return md_group_save(change, &group);
}

/* The place of the second half of a run: behind the first half if there is room, else at the end of the turn. */
static klm_rc place_behind(struct st_view *view, struct md_group *group, uint64_t place,
                           uint64_t *out)
{
    struct md_placed after = {.place = group->next};
    klm_rc rc = md_run_after(view, group->name, place, &after);

    if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
        return rc;
    }
    *out = place + (after.place - place) / 2;
    if (*out == place) {
        *out = group->next;
        group->next += GAP;
    }
    return KLM_OK;
}

/* How many of the aliases of a part of a run the turn has passed. */
static uint64_t passed(const struct md_group *group, uint64_t place,
                       const struct klm_alias_run *part)
{
    struct klm_alias_run behind = *part;

    if (place != group->at) {
        return place < group->at ? klm_alias_run_count(part) : 0;
    }
    if (strcmp(group->last, part->first) < 0) {
        return 0;
    }
    if (klm_alias_run_has(part, group->last)) {
        memcpy(behind.last, group->last, sizeof behind.last);
    }
    return klm_alias_run_count(&behind);
}

/* What is left of a run in front of and behind a part that goes; the turn stays where it is. */
static klm_rc put_rest(struct st_change *change, struct md_group *group,
                       const struct md_placed *from, const struct klm_alias_run *part)
{
    struct md_placed front = *from, rear = *from;

    if (strcmp(from->run.first, part->first) < 0) {
        memcpy(front.run.last, part->first, sizeof front.run.last);
        (void)klm_alias_previous(front.run.last); /* there is one: first lies before it */
        KLM_TRY(put_run(change, group->name, &front));
        group->runs++;
    }
    if (strcmp(part->last, from->run.last) < 0) {
        memcpy(rear.run.first, part->last, sizeof rear.run.first);
        (void)klm_alias_next(rear.run.first);
        KLM_TRY(place_behind(st_change_view(change), group, from->place, &rear.place));
        if (group->at == from->place && strcmp(group->last, part->last) > 0) {
            group->at = rear.place;
        }
        KLM_TRY(put_run(change, group->name, &rear));
        group->runs++;
    }
    return KLM_OK;
}

static klm_rc cut(struct st_change *change, struct md_group *group, const struct md_placed *from,
                  const struct klm_alias_run *run, uint64_t *n)
{
    struct klm_alias_run part = *run;
    uint64_t of_part;

    if (strcmp(part.first, from->run.first) < 0) {
        memcpy(part.first, from->run.first, sizeof part.first);
    }
    if (strcmp(part.last, from->run.last) > 0) {
        memcpy(part.last, from->run.last, sizeof part.last);
    }
    of_part = klm_alias_run_count(&part);
    group->passed = less(group->passed, passed(group, from->place, &part));
    group->keys = less(group->keys, of_part);
    group->runs--;
    *n += of_part;
    KLM_TRY(delete_run(change, group->name, from));
    return put_rest(change, group, from, &part);
}

klm_rc md_group_take_out(struct st_change *change, const char *name,
                         const struct klm_alias_run *run, uint64_t *n)
{
    struct md_group group;
    struct md_placed from;
    uint64_t taken = 0;
    klm_rc rc;

    KLM_TRY(md_group_get(st_change_view(change), name, &group));
    while ((rc = md_run_meeting(st_change_view(change), name, run, &from)) == KLM_OK) {
        KLM_TRY(cut(change, &group, &from, run, &taken));
    }
    if (rc != KLM_E_NOTFOUND) {
        return rc;
    }
    KLM_TRY(md_group_save(change, &group));
    *n = taken;
    return KLM_OK;
}

klm_rc md_group_has(struct st_view *view, const char *name, const char *alias)
{
    struct klm_alias_run one;
    struct md_placed found;

    KLM_TRY(klm_alias(klm_slice_str(alias), one.first));
    memcpy(one.last, one.first, sizeof one.last);
    return md_run_meeting(view, name, &one, &found);
}

klm_rc md_group_runs(struct st_view *view, const char *name, md_run_fn *fn, void *arg)
{
    struct md_placed placed = {0};
    klm_rc rc;

    while ((rc = md_run_after(view, name, placed.place, &placed)) == KLM_OK) {
        KLM_TRY(fn(arg, &placed.run));
    }
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}
