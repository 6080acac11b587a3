/* Columns of filedrive.table: one table of headings, widths and how a word becomes a field. */
#include "drivetable/columns.h"

#include "drivetable/parts.h"

#include <string.h>

static bool set_serial(struct dt_drive *d, char *s)
{
    return dt_serial(s, d->serial, NULL) == KLM_OK;
}

static bool set_kind(struct dt_drive *d, char *s)
{
    return dt_kind_parse(s, &d->kind) == KLM_OK;
}

static bool set_wwn(struct dt_drive *d, char *s)
{
    return dt_wwn(s, d->wwn, NULL) == KLM_OK;
}

static bool set_label(char *out, const char *s)
{
    if (!dt_label_ok(s)) {
        return false;
    }
    memcpy(out, s, strlen(s) + 1);
    return true;
}

static bool set_alias1(struct dt_drive *d, char *s)
{
    return set_label(d->alias1, s);
}

static bool set_alias2(struct dt_drive *d, char *s)
{
    return set_label(d->alias2, s);
}

static bool set_symalias(struct dt_drive *d, char *s)
{
    return set_label(d->symalias, s);
}

static bool set_first(struct dt_drive *d, char *s)
{
    return klm_iso_date_parse(s, &d->first_contact) == KLM_OK;
}

static bool set_last(struct dt_drive *d, char *s)
{
    return klm_iso_date_parse(s, &d->last_contact) == KLM_OK;
}

static bool set_volser(struct dt_drive *d, char *s)
{
    if (!dt_volser_fix(s)) {
        return false;
    }
    memcpy(d->last_volser, s, strlen(s) + 1);
    return true;
}

static bool set_fingerprint(struct dt_drive *d, char *s)
{
    if (!dt_fingerprint_fix(s)) {
        return false;
    }
    memcpy(d->fingerprint, s, sizeof d->fingerprint);
    return true;
}

/* Heading, width, what is wrong when set refuses, and set: false when the word is not well
 * formed. The first NEEDED columns must be there and not empty; columns at the end of a line may
 * be left out. */
#define NEEDED 2
static const struct column {
    const char *name;
    size_t width;
    const char *wrong;
    bool (*set)(struct dt_drive *drive, char *word);
} columns[] = {
    {"serial", 12, "a serial number is 12 letters and digits, or 10 digits", set_serial},
    {"kind", 6, "the kind of a drive is 3592, LTO or DS8000", set_kind},
    {"wwn", 16, "a world wide name is 16 hexadecimal digits", set_wwn},
    {"alias1", 20, "an alias is at most 64 printable characters", set_alias1},
    {"alias2", 20, "an alias is at most 64 printable characters", set_alias2},
    {"symalias", 12, "an alias or key group is at most 64 printable characters", set_symalias},
    {"first-contact", 27, "a time looks like 2011-10-18T19:35:08.000000Z", set_first},
    {"last-contact", 27, "a time looks like 2011-10-18T19:35:08.000000Z", set_last},
    {"volser", 6, "a volume serial is 1 to 6 of A-Z, 0-9, @ # $ -", set_volser},
    {"fingerprint", 0, "a fingerprint is 64 hexadecimal digits", set_fingerprint},
};

static void put_time(struct klm_buf *out, klm_time t, size_t width)
{
    char date[KLM_ISO_DATE_MAX] = "";

    if (t > 0) {
        klm_iso_date(t, date);
    }
    dt_word_put(out, date, width);
    klm_buf_u8(out, ' ');
}

static void put_word(struct klm_buf *out, const char *word, size_t width)
{
    dt_word_put(out, word, width);
    klm_buf_u8(out, ' ');
}

void dt_columns_put(struct klm_buf *out, const struct dt_drive *d)
{
    put_word(out, d->serial, columns[0].width);
    put_word(out, dt_kind_name(d->kind), columns[1].width);
    put_word(out, d->wwn, columns[2].width);
    put_word(out, d->alias1, columns[3].width);
    put_word(out, d->alias2, columns[4].width);
    put_word(out, d->symalias, columns[5].width);
    put_time(out, d->first_contact, columns[6].width);
    put_time(out, d->last_contact, columns[7].width);
    put_word(out, d->last_volser, columns[8].width);
    dt_word_put(out, d->fingerprint, columns[9].width);
    klm_buf_u8(out, '\n');
}

/* The # of a comment takes the place of two characters of the first heading. */
void dt_columns_heading(struct klm_buf *out)
{
    klm_buf_u8(out, '#');
    for (size_t i = 0; i < KLM_COUNT(columns); i++) {
        klm_buf_printf(out, " %-*s", (int)columns[i].width - (i == 0 ? 2 : 0), columns[i].name);
    }
    klm_buf_u8(out, '\n');
}

static klm_rc read_column(struct dt_reader *r, size_t i, struct dt_word *word,
                          struct dt_drive *drive)
{
    bool empty = !word->quoted && strcmp(word->text, "-") == 0;

    if (i >= KLM_COUNT(columns)) {
        return dt_reader_fail(r, word->start, KLM_MSG_DRIVE_FILE_WORD,
                              "there are more columns than a drive has");
    }
    if (empty && i >= NEEDED) {
        return KLM_OK;
    }
    if (!columns[i].set(drive, word->text)) {
        return dt_reader_fail(r, word->start, KLM_MSG_DRIVE_FILE_WORD, columns[i].wrong);
    }
    return KLM_OK;
}

klm_rc dt_columns_read(struct dt_reader *r, struct dt_word *word, struct dt_drive *drive)
{
    bool found = true;
    size_t i = 0;

    for (; found; i++) {
        KLM_TRY(read_column(r, i, word, drive));
        KLM_TRY(dt_reader_word(r, word, &found));
    }
    if (i < NEEDED) {
        return dt_reader_fail(r, r->at, KLM_MSG_DRIVE_FILE_WORD,
                              "the kind of the drive is missing");
    }
    return KLM_OK;
}
