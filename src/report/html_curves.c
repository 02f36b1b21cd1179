/* Loss curves: small panels with one common height, the train line solid, the dev line dashed. */
#include <math.h>

#include "report/html.h"

enum { HEIGHT = 150, MOST_POINTS = 400 };

/* The smallest of 1, 2, 2.5, 5 x 10^k that is >= v. */
static double round_up(double v)
{
    static const double steps[] = {1, 2, 2.5, 5, 10};
    if (!(v > 0))
        return 1;
    double unit = pow(10, floor(log10(v)));
    for (int i = 0; i < 5; i++)
        if (steps[i] * unit >= v * (1 - 1e-12))
            return steps[i] * unit;
    return 10 * unit;
}

static void range(const double *v, int64_t n, double *low, double *high)
{
    for (int64_t i = 0; i < n; i++) {
        *low = fmin(*low, v[i]);
        *high = fmax(*high, v[i]);
    }
}

typedef struct {
    double low, high;   /* losses at the bottom and the top */
    double first, last; /* steps at the left and the right */
} frame;

static double across(const frame *f, double step)
{
    return f->last > f->first ? (step - f->first) / (f->last - f->first) : 0.5;
}

static double down(const frame *f, double loss)
{
    return (f->high - loss) / (f->high - f->low);
}

/* Long runs are averaged over equal numbers of updates, so that the page stays small. */
static void add_polyline(ch_str *b, const frame *f, const char *class, const int64_t *step,
                         const double *loss, int64_t n)
{
    int64_t each = (n + MOST_POINTS - 1) / MOST_POINTS;
    ch_str_addf(b, "<polyline class=\"%s\" points=\"", class);
    for (int64_t i = 0; i < n; i += each) {
        int64_t end = i + each < n ? i + each : n;
        double x = 0, y = 0;
        for (int64_t k = i; k < end; k++) {
            x += (double)step[k];
            y += loss[k];
        }
        x /= (double)(end - i);
        y /= (double)(end - i);
        ch_str_addf(b, "%s%.1f,%.1f", i ? " " : "", 1000 * across(f, x), 1000 * down(f, y));
    }
    ch_str_add(b, "\"/>");
}

static frame frame_of(const ch_report_curve *c, frame f)
{
    f.first = INFINITY;
    f.last = -INFINITY;
    if (c->n_train) {
        f.first = (double)c->train_step[0];
        f.last = (double)c->train_step[c->n_train - 1];
    }
    if (c->n_dev) {
        f.first = fmin(f.first, (double)c->dev_step[0]);
        f.last = fmax(f.last, (double)c->dev_step[c->n_dev - 1]);
    }
    return f;
}

static void add_scale(ch_str *b, const frame *f)
{
    for (int i = 0; i <= 2; i++) {
        double at = f->high - (f->high - f->low) * i / 2;
        int y = HEIGHT * i / 2;
        ch_str_addf(b, "<line class=\"g\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>", y, y);
        ch_str_addf(b, "<text x=\"-8\" y=\"%d\" text-anchor=\"end\">%.3g</text>", y + 4, at);
    }
    ch_str_addf(b, "<text x=\"0\" y=\"%d\">%.0f</text>", HEIGHT + 17, f->first);
    if (f->last > f->first)
        ch_str_addf(b, "<text x=\"100%%\" y=\"%d\" text-anchor=\"end\">%.0f updates</text>",
                    HEIGHT + 17, f->last);
}

static void add_panel(ch_str *b, const ch_report_arm *a, const frame *common)
{
    const ch_report_curve *c = &a->curve;
    frame f = frame_of(c, *common);
    ch_str_add(b, "<figure><figcaption><span class=\"name\">");
    ch_html_text(b, a->name);
    ch_str_add(b, "</span><span class=\"desc\">");
    ch_str_add(b, "at the end:");
    if (c->n_train)
        ch_str_addf(b, " train %.3f", c->train[c->n_train - 1]);
    if (c->n_dev)
        ch_str_addf(b, "%s dev %.3f", c->n_train ? "," : "", c->dev[c->n_dev - 1]);
    ch_str_addf(b, "</span></figcaption><svg class=\"c\" height=\"%d\" aria-hidden=\"true\">",
                HEIGHT + 22);
    add_scale(b, &f);
    ch_str_addf(b,
                "<svg width=\"100%%\" height=\"%d\" viewBox=\"0 0 1000 1000\" "
                "preserveAspectRatio=\"none\">",
                HEIGHT);
    if (c->n_train)
        add_polyline(b, &f, "tr", c->train_step, c->train, c->n_train);
    if (c->n_dev)
        add_polyline(b, &f, "dv", c->dev_step, c->dev, c->n_dev);
    ch_str_add(b, "</svg>");
    for (int64_t i = 0; i < c->n_dev && c->n_dev <= 40; i++)
        ch_str_addf(b, "<circle class=\"a\" cx=\"%.2f%%\" cy=\"%.1f\" r=\"3\"/>",
                    100 * across(&f, (double)c->dev_step[i]), HEIGHT * down(&f, c->dev[i]));
    ch_str_add(b, "</svg></figure>\n");
}

void ch_html_curves(ch_str *b, const ch_report_data *d)
{
    static const char key[] =
        "<span class=\"key\"><svg width=\"22\" height=\"8\"><line class=\"tr\" x1=\"0\" x2=\"22\" "
        "y1=\"4\" y2=\"4\"/></svg>train</span><span class=\"key\"><svg width=\"22\" "
        "height=\"8\"><line "
        "class=\"dv\" x1=\"0\" x2=\"22\" y1=\"4\" y2=\"4\"/></svg>dev</span> Losses of different "
        "objectives cannot be compared by height.";
    double low = 0, high = 0;
    int64_t trained = 0;
    for (int64_t i = 0; i < d->n_arms; i++) {
        const ch_report_curve *c = &d->arms[i].curve;
        trained += c->n_train + c->n_dev > 0;
        range(c->train, c->n_train, &low, &high);
        range(c->dev, c->n_dev, &low, &high);
    }
    if (!trained)
        return;
    frame common = {low < 0 ? -round_up(-low) : 0, round_up(high), 0, 0};
    ch_html_section(b, "Loss while training", key);
    ch_str_add(b, "<div class=\"curves\">\n");
    for (int64_t i = 0; i < d->n_arms; i++)
        if (d->arms[i].curve.n_train + d->arms[i].curve.n_dev > 0)
            add_panel(b, &d->arms[i], &common);
    ch_str_add(b, "</div>\n</section>\n");
}
