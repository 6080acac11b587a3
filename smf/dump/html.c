/* HTML: escapes, and the head with the style of the page. */
#include "smf/dump/page.h"

#include "base/utf8.h"

#include <string.h>

/* Characters that do not show, or that change the order in which others are shown. */
static bool hides(const uint8_t *p, size_t n)
{
    uint32_t c = n == 3   ? (p[0] & 0xFu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu)
                 : n == 2 ? (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu)
                          : p[0];

    return c < ' ' || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           c == 0x61C;
}

void smfd_html_text(struct klm_buf *out, const char *text)
{
    size_t left = strlen(text);

    while (left) {
        size_t n = klm_utf8_char((const uint8_t *)text, left);
        const char *escape = klm_markup_escape((uint8_t)*text);

        if (n == 0 || hides((const uint8_t *)text, n)) {
            klm_buf_text(out, "\xEF\xBF\xBD");
        } else if (escape) {
            klm_buf_text(out, escape);
        } else {
            klm_buf_put(out, text, n);
        }
        text += n ? n : 1;
        left -= n ? n : 1;
    }
}

/* Calm, and the same without colours: shapes and words tell everything that colours do. */
static const char style[] =
    ":root{color-scheme:light "
    "dark;--bg:#fbfaf8;--card:#fff;--ink:#1f2328;--soft:#5b636d;--line:#dcd9d3;"
    "--ok:#33658a;--bad:#c8553d;--good-bg:#e4f0e6;--good-ink:#1d5b2e;--bad-bg:#fae4df;--bad-ink:#"
    "8a2412;"
    "--note-bg:#eeece7;--stripe:#f6f4f0}"
    "@media(prefers-color-scheme:dark){:root{--bg:#16181b;--card:#1d2024;--ink:#e4e6e8;--soft:#"
    "9aa3ad;"
    "--line:#33383e;--ok:#7fb2d6;--bad:#ec8b74;--good-bg:#1b3323;--good-ink:#a5dbb2;--bad-bg:#"
    "41201a;"
    "--bad-ink:#f5b5a6;--note-bg:#25292e;--stripe:#212529}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,'Segoe "
    "UI',Roboto,Cantarell,"
    "'Noto Sans',sans-serif}"
    "header,main,footer{max-width:78rem;margin:0 auto;padding:0 1.5rem}"
    "header{padding-top:2.5rem}"
    "h1{font-size:1.75rem;font-weight:600;line-height:1.2;margin:0 0 .25rem}"
    "h2{font-size:1.2rem;font-weight:600;margin:0 0 .25rem}"
    ".sub,.what,figcaption,.note,footer{color:var(--soft)}"
    ".sub{margin:0 0 1.5rem}.what{margin:0 0 1rem;max-width:62rem}"
    ".tiles{display:flex;flex-wrap:wrap;gap:.75rem;margin:0 0 1rem;padding:0}"
    ".tiles div{background:var(--card);border:1px solid "
    "var(--line);border-radius:8px;padding:.7rem 1rem;"
    "min-width:8.5rem;flex:1;display:flex;flex-direction:column-reverse}"
    ".tiles dd{margin:0;font-size:1.45rem;font-weight:600;font-variant-numeric:tabular-nums}"
    ".tiles dt{color:var(--soft);font-size:.85rem}"
    ".verdict{border-radius:8px;padding:.75rem 1rem;margin:0 0 "
    "1rem;background:var(--note-bg);white-space:pre-line}"
    ".verdict.good{background:var(--good-bg);color:var(--good-ink)}"
    ".verdict.bad{background:var(--bad-bg);color:var(--bad-ink)}"
    "nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;margin:0 0 "
    "1.5rem;padding:0;"
    "font-size:.92rem}"
    "a{color:var(--ok)}"
    "section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1.25rem;"
    "margin:0 0 1.25rem;scroll-margin-top:1rem}"
    "figure{margin:0 0 .25rem}figcaption{margin:0 0 .35rem;font-size:.92rem}figcaption "
    "b{color:var(--ink);font-weight:600}"
    "svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}"
    "svg text{fill:var(--soft)}svg .name{fill:var(--ink)}svg .grid{stroke:var(--line)}svg "
    ".ok{fill:var(--ok)}"
    "svg .bad{fill:var(--bad)}svg .base{stroke:var(--soft)}"
    ".scroll{overflow-x:auto;margin:0 0 1rem}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}"
    "caption{text-align:left;font-weight:600;padding:0 0 .4rem}"
    "th,td{text-align:left;vertical-align:top;padding:.32rem .75rem .32rem 0;border-bottom:1px "
    "solid var(--line);"
    "overflow-wrap:break-word}"
    "thead th{color:var(--soft);font-weight:600;white-space:nowrap;border-bottom-color:var(--soft)}"
    "tbody th{font-weight:500}tbody tr:nth-child(even){background:var(--stripe)}"
    ".r{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "td.m,tbody th.m{font-family:ui-monospace,'DejaVu Sans "
    "Mono',monospace;font-size:.85em;overflow-wrap:anywhere;min-width:7.2rem}"
    ".t{white-space:nowrap;font-variant-numeric:tabular-nums}"
    ".note{font-size:.9rem;margin:-.4rem 0 1rem}.none{color:var(--soft);margin:0 0 1rem}"
    "details{margin:0 0 1.5rem;font-size:.92rem}summary{cursor:pointer;color:var(--soft)}"
    "footer{padding-top:.5rem;padding-bottom:2.5rem;font-size:.9rem}"
    "@media "
    "print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--ok:#"
    "33658a;"
    "--bad:#c8553d;--good-bg:#fff;--good-ink:#000;--bad-bg:#fff;--bad-ink:#000;--note-bg:#fff;--"
    "stripe:#fff}"
    "body{font-size:9.5pt}nav,details{display:none}"
    "header,main,footer{max-width:none;padding-left:0;padding-right:0}header{padding-top:0}"
    "section{border:0;padding:0;margin:0 0 1rem;break-inside:auto}"
    ".verdict,.tiles div{border:1px solid "
    "#888}h2,figure,tr{break-inside:avoid}h2{break-after:avoid}"
    ".scroll{overflow:visible}table{font-size:8pt}thead{display:table-header-group}"
    "th,td,td.m,tbody th.m{padding-right:.4rem;min-width:0}"
    "svg .ok,svg .bad{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "@page{margin:14mm;size:landscape}}";

void smfd_html_head(struct klm_buf *out, const char *title)
{
    klm_buf_text(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                      "style-src 'unsafe-inline'\">\n"
                      "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    smfd_html_text(out, title);
    klm_buf_text(out, "</title>\n<style>");
    klm_buf_text(out, style);
    klm_buf_text(out, "</style>\n</head>\n<body>\n");
}
