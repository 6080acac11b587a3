/* Whose turn it is: the next key of a group, and the mark that says for which volume a key was given.
 * Mark: 1 version (1), s8 volser, 8 times, 8 first and 8 last in microseconds. */
#include "metadata/group_record.h"

#include <stdio.h>
#include <string.h>

#define VERSION 1
#define POOL_MAX 4096

/* ---- Marks */

klm_rc md_key_use_of(struct klm_slice record, struct md_key_use *out)
{
    struct md_key_use use = {0};
    struct klm_slice volser = {0};
    uint64_t first = 0, last = 0;
    uint8_t version = 0;
    struct klm_cur cur;

    klm_cur_init(&cur, record);
    klm_cur_u8(&cur, &version);
    klm_cur_lp8(&cur, sizeof use.volser - 1, &volser);
    klm_cur_u64(&cur, &use.times);
    klm_cur_u64(&cur, &first);
    klm_cur_u64(&cur, &last);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || version != VERSION || first > INT64_MAX || last > INT64_MAX) {
        return KLM_E_CORRUPT;
    }
    memcpy(use.volser, volser.p, volser.n);
    use.first = (klm_time)first;
    use.last = (klm_time)last;
    *out = use;
    return KLM_OK;
}

klm_rc md_key_use(struct st_view *view, const char *alias, struct md_key_use *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(st_get(view, ST_KEY_USE, klm_slice_str(alias), pool, &record));
    return md_key_use_of(record, out);
}

klm_rc md_key_use_forget(struct st_change *change, const char *alias)
{
    return st_delete(change, ST_KEY_USE, klm_slice_str(alias));
}

/* use is what was known of the key before, all zero when it was never given out. */
static klm_rc mark(struct st_change *change, const char *alias, const char *volser, klm_time now,
                   struct md_key_use *use)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};

    use->times++;
    use->first = use->first ? use->first : now;
    use->last = now;
    snprintf(use->volser, sizeof use->volser, "%s", volser);
    klm_buf_init(&buf, 64);
    klm_buf_u8(&buf, VERSION);
    klm_buf_lp8(&buf, klm_slice_str(use->volser));
    klm_buf_u64(&buf, use->times);
    klm_buf_u64(&buf, (uint64_t)use->first);
    klm_buf_u64(&buf, (uint64_t)use->last);
    KLM_TRY(klm_buf_rc(&buf));
    return st_put(change, ST_KEY_USE, klm_slice_str(alias), klm_buf_as_slice(&buf));
}

klm_rc md_key_take(struct st_change *change, const char *alias, const char *volser, klm_time now,
                   struct md_key_use *out)
{
    struct md_key_use use = {0};
    klm_rc rc = md_key_use(st_change_view(change), alias, &use);

    if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
        return rc;
    }
    if (rc == KLM_OK && strcmp(use.volser, volser) != 0) {
        *out = use;
        return KLM_E_STATE;
    }
    KLM_TRY(mark(change, alias, volser, now, &use));
    *out = use;
    return KLM_OK;
}

klm_rc md_key_used_there(struct st_change *change, const char *alias, const char *volser,
                         klm_time when)
{
    struct md_key_use use = {0};
    klm_rc rc = md_key_use(st_change_view(change), alias, &use);
    struct md_key_use here = use;

    if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
        return rc;
    }
    if (rc == KLM_OK && here.last == when && strcmp(here.volser, volser) == 0) {
        return KLM_OK; /* known already */
    }
    if (rc == KLM_E_NOTFOUND || here.last <= when) {
        return mark(change, alias, volser, when, &use);
    }
    use.first = when < use.first ? when : use.first;
    return mark(change, alias, here.volser, here.last, &use);
}

/* ---- The turn */

/* One step on: the alias behind the last one in its run, else the first of the next run. KLM_E_NOTFOUND: the turn is at its end. */
static klm_rc step(struct st_view *view, struct md_group *group, struct md_placed *run)
{
    if (run->place == group->at && group->at != 0 && strcmp(group->last, run->run.last) < 0 &&
        klm_alias_next(group->last)) {
        group->passed++;
        return KLM_OK;
    }
    KLM_TRY(md_run_after(view, group->name, group->at, run));
    group->at = run->place;
    memcpy(group->last, run->run.first, sizeof group->last);
    group->passed++;
    return KLM_OK;
}

/* A step; a group that wraps begins again. */
static klm_rc step_round(struct st_view *view, struct md_group *group, struct md_placed *run)
{
    klm_rc rc = step(view, group, run);

    if (rc == KLM_E_NOTFOUND && group->wrap && group->at != 0) {
        group->at = group->passed = 0;
        rc = step(view, group, run);
    }
    return rc;
}

/* The run the turn is in. One that was taken out of the group since leaves nothing. */
static klm_rc current(struct st_view *view, const struct md_group *group, struct md_placed *run)
{
    klm_rc rc = KLM_E_NOTFOUND;

    *run = (struct md_placed){0};
    if (group->at != 0) {
        rc = md_run_at(view, group->name, group->at, run);
    }
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

/* Keys that another group gave out, or an alias of a drive, are passed. */
static klm_rc find(struct st_view *view, struct md_group *group, struct md_key_use *use)
{
    struct md_placed run;

    KLM_TRY(current(view, group, &run));
    for (;;) {
        klm_rc rc;

        *use = (struct md_key_use){0};
        KLM_TRY(step_round(view, group, &run));
        rc = md_key_use(view, group->last, use);
        if (rc == KLM_E_NOTFOUND || (rc == KLM_OK && group->wrap)) {
            return KLM_OK;
        }
        KLM_TRY(rc);
    }
}

klm_rc md_group_next(struct st_change *change, const char *name, const char *volser, klm_time now,
                     char alias[KLM_ALIAS_MAX + 1], uint64_t *left)
{
    struct st_view *view = st_change_view(change);
    struct md_group group;
    struct md_key_use use;
    uint64_t before;
    klm_rc rc;

    KLM_TRY(md_group_get(view, name, &group));
    before = group.passed;
    rc = find(view, &group, &use);
    if (rc == KLM_E_NOTFOUND) {
        if (before != group.passed) {
            KLM_TRY(md_group_save(change, &group));
        }
        return KLM_E_LIMIT;
    }
    KLM_TRY(rc);
    group.last_time = now;
    KLM_TRY(mark(change, group.last, volser, now, &use));
    KLM_TRY(md_group_save(change, &group));
    memcpy(alias, group.last, sizeof group.last);
    *left = group.wrap ? UINT64_MAX : md_group_left(&group);
    return KLM_OK;
}
