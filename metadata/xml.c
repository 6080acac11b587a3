/* A key usage event as XML, in the look and order of the product's own file. */
#include "metadata/parts.h"

#include "base/utf8.h"

#include <string.h>

/* XML 1.0, 2.2: control characters and broken UTF-8 cannot stand in a document at all; they
 * become '?'. Events that were added by md_usage_add hold none. */
void md_xml_escape(struct klm_buf *out, const char *s)
{
    size_t left = strlen(s);

    while (left) {
        const uint8_t *p = (const uint8_t *)s;
        size_t n = klm_utf8_char(p, left);
        const char *escape = klm_markup_escape(*p);

        if (escape) {
            klm_buf_text(out, escape);
        } else if (n && klm_utf8_printable(KLM_SLICE(p, n))) {
            klm_buf_put(out, p, n);
        } else {
            klm_buf_u8(out, '?');
        }
        s += n ? n : 1;
        left -= n ? n : 1;
    }
}

static void put_child(struct klm_buf *out, const char *name, const char *value)
{
    klm_buf_u8(out, '<');
    klm_buf_text(out, name);
    klm_buf_u8(out, '>');
    md_xml_escape(out, value);
    klm_buf_text(out, "</");
    klm_buf_text(out, name);
    klm_buf_text(out, ">\n");
}

klm_rc md_xml_event(const struct md_usage *usage, struct klm_buf *out)
{
    char date[KLM_JAVA_DATE_MAX];

    klm_java_date(usage->time, date);
    klm_buf_text(out, "<KeyUsageEvent>\n");
    put_child(out, "driveSSN", usage->drive);
    put_child(out, "volSer", usage->volser);
    put_child(out, "driveWWN", usage->wwn);
    put_child(out, "keyAlias2", usage->alias2);
    put_child(out, "keyAlias1", usage->alias1);
    put_child(out, "dateTime", date);
    if (usage->dki[0]) {
        put_child(out, "dki", usage->dki);
    }
    if (usage->client[0]) {
        put_child(out, "client", usage->client);
    }
    klm_buf_text(out, "</KeyUsageEvent>");
    return klm_buf_rc(out);
}
