/* Does an object match what a Locate asks for (KMIP 1.4, 4.9; 2.1, 6.1.28)? */
#include "metadata/object_int.h"

#include <string.h>

#define SECOND 1000000

/* ---- Values */

/* 2.1, 6.1.28: "all of the structure fields are not REQUIRED to be specified": those that are have to be there. */
static bool fits(const struct kmip_node *want, const struct kmip_node *have)
{
    const struct kmip_node *inside;

    if (want->type != KMIP_STRUCTURE || have->type != KMIP_STRUCTURE || want->tag != have->tag) {
        return kmip_equal(want, have);
    }
    for (want = want->first; want; want = want->next) {
        for (inside = have->first; inside && !fits(want, inside); inside = inside->next) {
        }
        if (!inside) {
            return false;
        }
    }
    return true;
}

/* "the logical AND of the requested mask with the mask in the candidate object, and then a comparison of the resulting value with the
 * requested mask" */
static bool mask_fits(const struct kmip_node *want, const struct kmip_node *have)
{
    return want->type == KMIP_INTEGER && have->type == KMIP_INTEGER &&
           (have->number & want->number) == want->number;
}

static bool at_least(const struct kmip_node *want, const struct kmip_node *have, uint32_t tag)
{
    const struct kmip_node *least = kmip_child(want, tag), *there = kmip_child(have, tag);

    return !least || (there && least->type == KMIP_LONG_INTEGER &&
                      there->type == KMIP_LONG_INTEGER && there->number >= least->number);
}

/* "matching candidate objects SHALL have a Usage Limits Count and Usage Limits Total equal to or larger than the values specified" */
static bool limits_fit(const struct kmip_node *want, const struct kmip_node *have)
{
    const struct kmip_node *unit = kmip_child(want, KMIP_TAG_UsageLimitsUnit);

    return at_least(want, have, KMIP_TAG_UsageLimitsTotal) &&
           at_least(want, have, KMIP_TAG_UsageLimitsCount) &&
           (!unit || kmip_equal(unit, kmip_child(have, KMIP_TAG_UsageLimitsUnit)));
}

static bool any(const struct md_object *object, const struct kmip_node *want,
                bool (*fit)(const struct kmip_node *want, const struct kmip_node *have))
{
    const struct md_attr *attr = md_attr_find(&object->attrs, want->tag);

    while (attr && !fit(want, attr->value)) {
        attr = md_attr_next(&object->attrs, attr);
    }
    return attr != NULL;
}

/* ---- Dates */

static bool is_date(const struct kmip_node *node)
{
    return node->type == KMIP_DATE_TIME || node->type == KMIP_DATE_TIME_EXTENDED;
}

/* In seconds, as attributes have them; the largest stays what it is. */
static int64_t date_of(const struct kmip_node *node)
{
    const int64_t n = node->number;

    if (node->type == KMIP_DATE_TIME || n == INT64_MAX) {
        return n;
    }
    return n / SECOND - (n % SECOND < 0);
}

struct range {
    int64_t low, high;
};

/* "inside or at a limit of the range", whichever limit is named first. */
static struct range range_of(const struct md_locate *locate, uint32_t tag)
{
    struct range range = {INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < locate->filters; i++) {
        if (locate->filter[i]->tag == tag && is_date(locate->filter[i])) {
            const int64_t date = date_of(locate->filter[i]);

            range.low = date < range.low ? date : range.low;
            range.high = date > range.high ? date : range.high;
        }
    }
    return range;
}

/* "If a Date attribute is set to its largest possible value, then it is equivalent to an undefined attribute": an object without the date has
 * that one. */
static bool date_fits(const struct md_object *object, const struct md_locate *locate, uint32_t tag)
{
    const struct range range = range_of(locate, tag);
    const struct md_attr *attr = md_attr_find(&object->attrs, tag);

    if (!attr) {
        return range.high == INT64_MAX;
    }
    for (; attr; attr = md_attr_next(&object->attrs, attr)) {
        if (is_date(attr->value) && date_of(attr->value) >= range.low &&
            date_of(attr->value) <= range.high) {
            return true;
        }
    }
    return false;
}

/* ---- Objects */

static bool is_number(const struct kmip_node *want, uint32_t number)
{
    return want->type == KMIP_ENUMERATION && want->number == (int64_t)number;
}

static bool is_text(const struct kmip_node *want, const char *text)
{
    return want->type == KMIP_TEXT && klm_slice_equal(want->bytes, klm_slice_str(text));
}

static bool filter_fits(const struct md_object *object, const struct md_locate *locate,
                        const struct kmip_node *want)
{
    if (is_date(want)) {
        return date_fits(object, locate, want->tag);
    }
    switch (want->tag) {
    case KMIP_TAG_UniqueIdentifier:
        return is_text(want, object->uid);
    case KMIP_TAG_ObjectType:
        return is_number(want, object->type);
    case KMIP_TAG_State:
        return is_number(want, md_object_state(object, locate->now));
    case KMIP_TAG_CryptographicUsageMask:
        return any(object, want, mask_fits);
    case KMIP_TAG_UsageLimits:
        return any(object, want, limits_fit);
    default:
        return any(object, want, fits);
    }
}

/* "matching candidate objects SHALL be fresh objects" */
static bool member_fits(const struct md_object *object, uint32_t member)
{
    return member != KMIP_ObjectGroupMember_GroupMemberFresh ||
           md_attr_number(&object->attrs, KMIP_TAG_Fresh, false);
}

bool md_matches(const struct md_object *object, const struct md_locate *locate)
{
    if ((locate->group && strcmp(object->group, locate->group) != 0) ||
        !md_storage_within(md_object_storage(object), locate->storage) ||
        !member_fits(object, locate->member)) {
        return false;
    }
    for (size_t i = 0; i < locate->filters; i++) {
        if (!filter_fits(object, locate, locate->filter[i])) {
            return false;
        }
    }
    return true;
}
