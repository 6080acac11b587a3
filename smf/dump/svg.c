/* Charts as inline SVG: bars that stand on a time axis, and bars that lie beside their names. Failures are hatched as well as of
 * another colour, so that they show without it. */
#include "smf/dump/page.h"

#include <inttypes.h>
#include <string.h>

#define WIDTH 1000
#define LEFT 64 /* of the axis of standing bars */
#define TOP 12
#define HEIGHT 180 /* of the bars */
#define TICKS 8    /* names under the axis at most */
#define ROW 26
#define NAME_WIDTH 230
#define COUNT_WIDTH 150

static uint64_t highest(const struct smfd_chart *chart)
{
    uint64_t max = 1;

    for (size_t i = 0; i < chart->n; i++) {
        uint64_t sum = chart->bars[i].ok + chart->bars[i].failed;

        max = sum > max ? sum : max;
    }
    return max;
}

/* 1, 2 or 5 times a power of ten, not below v. */
static uint64_t round_up(uint64_t v)
{
    uint64_t unit = 1;

    while (unit < UINT64_MAX / 100) {
        if (v <= unit) {
            return unit;
        }
        if (v <= 2 * unit) {
            return 2 * unit;
        }
        if (v <= 5 * unit) {
            return 5 * unit;
        }
        unit *= 10;
    }
    return v;
}

static void rectangle(struct klm_buf *out, const char *class, double x, double y, double w,
                      double h)
{
    if (w > 0 && h > 0) {
        klm_buf_printf(out,
                       "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>",
                       class, x, y, w, h);
    }
}

/* Failures have lines across them. */
static void hatched(struct klm_buf *out, unsigned number, double x, double y, double w, double h)
{
    rectangle(out, "bad", x, y, w, h);
    if (w > 0 && h > 0) {
        klm_buf_printf(
            out, "<rect fill=\"url(#h%u)\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>",
            number, x, y, w, h);
    }
}

static void open_svg(struct klm_buf *out, const struct smfd_chart *chart, unsigned number,
                     size_t height)
{
    klm_buf_printf(out,
                   "<svg role=\"img\" aria-labelledby=\"t%u d%u\" viewBox=\"0 0 %d %zu\" "
                   "xmlns=\"http://www.w3.org/2000/svg\">\n<title id=\"t%u\">",
                   number, number, WIDTH, height, number);
    smfd_html_text(out, chart->title);
    klm_buf_printf(out, "</title><desc id=\"d%u\">", number);
    smfd_html_text(out, chart->what);
    klm_buf_printf(
        out,
        "</desc><defs><pattern id=\"h%u\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><path d=\"M0 0V6\" stroke=\"#fff\" stroke-opacity=\".45\" "
        "stroke-width=\"3\"/></pattern></defs>\n",
        number);
}

static void grid(struct klm_buf *out, uint64_t top)
{
    uint64_t steps = top % 4 == 0 ? 4 : top % 5 == 0 ? 5 : top < 4 ? top : 2;

    for (uint64_t i = 0; i <= steps; i++) {
        double y = TOP + HEIGHT - (double)HEIGHT * (double)i / (double)steps;

        klm_buf_printf(out,
                       "<path class=\"%s\" d=\"M%d %.2fH%d\"/><text x=\"%d\" y=\"%.2f\" "
                       "text-anchor=\"end\">%" PRIu64 "</text>",
                       i ? "grid" : "base", LEFT, y, WIDTH, LEFT - 8, y + 4, top * i / steps);
    }
    klm_buf_text(out, "\n");
}

static void tick(struct klm_buf *out, double x, const char *name)
{
    klm_buf_printf(out, "<text x=\"%.2f\" y=\"%d\" text-anchor=\"%s\">", x, TOP + HEIGHT + 20,
                   x > WIDTH - 60 ? "end" : "middle");
    smfd_html_text(out, name);
    klm_buf_text(out, "</text>");
}

static void standing(struct klm_buf *out, const struct smfd_chart *chart, unsigned number)
{
    uint64_t top = round_up(highest(chart));
    double step = (double)(WIDTH - LEFT) / (double)(chart->n ? chart->n : 1);
    double gap = step > 6 ? step * 0.2 : step > 2 ? 1 : 0;
    size_t every = (chart->n + TICKS - 1) / TICKS;

    open_svg(out, chart, number, TOP + HEIGHT + 30);
    grid(out, top);
    for (size_t i = 0; i < chart->n; i++) {
        const struct smfd_bar *bar = &chart->bars[i];
        double ok = (double)HEIGHT * (double)bar->ok / (double)top;
        double bad = (double)HEIGHT * (double)bar->failed / (double)top;
        double x = LEFT + step * (double)i + gap / 2;

        bad = bar->failed && bad < 1 ? 1 : bad; /* a failure is always seen */
        rectangle(out, "ok", x, TOP + HEIGHT - ok, step - gap, ok);
        hatched(out, number, x, TOP + HEIGHT - ok - bad, step - gap, bad);
        if (i % every == 0) {
            tick(out, x + (step - gap) / 2, bar->name);
        }
    }
    klm_buf_text(out, "\n</svg>\n");
}

static void lying(struct klm_buf *out, const struct smfd_chart *chart, unsigned number)
{
    uint64_t top = highest(chart);
    double scale = (double)(WIDTH - NAME_WIDTH - COUNT_WIDTH) / (double)top;

    open_svg(out, chart, number, chart->n * ROW + 8);
    for (size_t i = 0; i < chart->n; i++) {
        const struct smfd_bar *bar = &chart->bars[i];
        double y = (double)(i * ROW) + 4, ok = (double)bar->ok * scale;
        double bad = (double)bar->failed * scale;

        bad = bar->failed && bad < 2 ? 2 : bad;
        klm_buf_printf(out, "<text class=\"name\" x=\"%d\" y=\"%.2f\" text-anchor=\"end\">",
                       NAME_WIDTH - 10, y + 14);
        smfd_html_text(out, bar->name);
        klm_buf_text(out, "</text>");
        rectangle(out, "ok", NAME_WIDTH, y, ok, ROW - 8);
        hatched(out, number, NAME_WIDTH + ok, y, bad, ROW - 8);
        klm_buf_printf(out, "<text x=\"%.2f\" y=\"%.2f\">%" PRIu64, NAME_WIDTH + ok + bad + 8,
                       y + 14, bar->ok);
        if (bar->failed) {
            klm_buf_printf(out, " + %" PRIu64 " failed", bar->failed);
        }
        klm_buf_text(out, "</text>\n");
    }
    klm_buf_text(out, "</svg>\n");
}

void smfd_svg_chart(struct klm_buf *out, const struct smfd_chart *chart, unsigned number)
{
    if (chart->across) {
        lying(out, chart, number);
    } else {
        standing(out, chart, number);
    }
}
