/* The terminal table: built as cells first, so that columns can be as wide as their widest cell and
 * parts of the table can be moved below each other when the terminal is narrow. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/notes.h"
#include "report/report.h"
#include "report/words.h"

enum { GAP = 2, MAX_COLUMNS = CH_M_COUNT + 1 };

typedef struct {
    char *text;       /* clean, one line */
    const char *tint; /* ANSI sequence or NULL */
} cell;

typedef struct {
    FILE *f;
    int colour;
    int64_t columns;
} screen;

/* n_rows x n_cols cells, the first column left, the others right aligned. */
typedef struct {
    cell *cells;
    int64_t n_rows, n_cols;
} table;

static table table_new(int64_t n_rows, int64_t n_cols)
{
    return (table){ch_new((size_t)(n_rows * n_cols), sizeof(cell)), n_rows, n_cols};
}

static void table_set(table *t, int64_t row, int64_t col, char *text, const char *tint)
{
    t->cells[row * t->n_cols + col] = (cell){text, tint};
}

static void table_free(table *t)
{
    for (int64_t i = 0; i < t->n_rows * t->n_cols; i++)
        free(t->cells[i].text);
    free(t->cells);
}

static const char *cell_text(const table *t, int64_t row, int64_t col)
{
    const char *s = t->cells[row * t->n_cols + col].text;
    return s ? s : "";
}

static int64_t column_width(const table *t, int64_t col)
{
    int64_t widest = 0;
    for (int64_t r = 0; r < t->n_rows; r++) {
        int64_t w = ch_width(cell_text(t, r, col));
        widest = w > widest ? w : widest;
    }
    return widest;
}

static void print_cell(const screen *s, const table *t, int64_t row, int64_t col, int64_t width)
{
    const cell *c = &t->cells[row * t->n_cols + col];
    const char *text = cell_text(t, row, col);
    int pad = (int)(width - ch_width(text));
    const char *on = s->colour && c->tint ? c->tint : "", *off = *on ? "\x1b[0m" : "";
    if (col == 0)
        fprintf(s->f, "%s%s%s%*s", on, text, off, pad, "");
    else
        fprintf(s->f, "%*s%*s%s%s%s", GAP, "", pad, "", on, text, off);
}

static void print_table(const screen *s, const table *t)
{
    int64_t width[MAX_COLUMNS] = {0};
    for (int64_t c = 0; c < t->n_cols; c++)
        width[c] = column_width(t, c);
    for (int64_t from = 1, to; from < t->n_cols; from = to) {
        int64_t used = width[0];
        for (to = from; to < t->n_cols; to++) {
            if (s->columns > 0 && to > from && used + GAP + width[to] > s->columns)
                break;
            used += GAP + width[to];
        }
        for (int64_t r = 0; r < t->n_rows; r++) {
            print_cell(s, t, r, 0, width[0]);
            for (int64_t c = from; c < to; c++)
                print_cell(s, t, r, c, width[c]);
            fputc('\n', s->f);
        }
        if (to < t->n_cols)
            fputc('\n', s->f);
    }
}

/* Wraps at blanks; continuation lines are indented. columns 0 leaves the line whole. */
static void print_wrapped(const screen *s, const char *lead, const char *text)
{
    int64_t at = fprintf(s->f, "%s", lead), indent = at;
    char *clean = ch_clean_line(text);
    for (const char *word = clean; *word;) {
        size_t n = strcspn(word, " \n");
        char *piece = ch_dupn(word, n);
        int64_t w = ch_width(piece);
        if (s->columns > 0 && at > indent && at + 1 + w > s->columns)
            at = fprintf(s->f, "\n%*s", (int)indent, "") - 1;
        else if (at > indent)
            at += fprintf(s->f, " ");
        fputs(piece, s->f);
        at += w;
        free(piece);
        word += n;
        word += strspn(word, " \n");
    }
    free(clean);
    fputc('\n', s->f);
}

/* The columns: ROUGE-L joins where answers are free text. */
static int pick_metrics(const ch_report_data *d, int out[CH_M_COUNT])
{
    static const int always[] = {CH_M_CR, CH_M_MCR, CH_M_ACC, CH_M_WORST, CH_M_ALL_CORRECT};
    int n = 0;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        out[n++] = always[i];
    for (int64_t t = 0; t < d->n_tasks; t++)
        if (ch_has_text(d->tasks[t].sim) && strcmp(d->tasks[t].sim, "exact") != 0) {
            out[n++] = CH_M_ROUGEL;
            break;
        }
    return n;
}

static void set_titles(table *t, char *corner, const int *metrics, int n)
{
    static const char bold[] = "\x1b[1m";
    table_set(t, 0, 0, corner, bold);
    for (int c = 0; c < n; c++) {
        const ch_metric *m = &ch_metrics[metrics[c]];
        table_set(t, 0, c + 1, ch_dup(m->title), bold);
    }
}

static void print_measures(const screen *s, const ch_report_data *d, const int *metrics, int n)
{
    table t = table_new(d->n_arms + 1, n + 1);
    set_titles(&t, ch_dup("arm"), metrics, n);
    for (int64_t a = 0; a < d->n_arms; a++) {
        table_set(&t, a + 1, 0, ch_clean_line(d->arms[a].name), NULL);
        for (int c = 0; c < n; c++) {
            ch_str b = {0};
            ch_add_stat(&b, metrics[c], d->arms[a].measure.all[metrics[c]]);
            table_set(&t, a + 1, c + 1, ch_str_take(&b), NULL);
        }
    }
    print_table(s, &t);
    table_free(&t);
}

static void set_diff(table *t, int64_t row, char *name, const ch_stat *diff, const int *metrics,
                     int n)
{
    static const char *const tint[] = {[CH_V_UNCLEAR] = "\x1b[2m",
                                       [CH_V_BETTER] = "\x1b[32m",
                                       [CH_V_WORSE] = "\x1b[31m",
                                       [CH_V_CHANGED] = NULL};
    table_set(t, row, 0, name, NULL);
    for (int c = 0; c < n; c++) {
        ch_verdict v = ch_diff_verdict(metrics[c], diff[metrics[c]]);
        ch_str b = {0};
        ch_str_add(&b, v == CH_V_UNCLEAR ? "~ " : "");
        ch_add_diff(&b, metrics[c], diff[metrics[c]], "-");
        table_set(t, row, c + 1, ch_str_take(&b), tint[v]);
    }
}

/* Differences to arm 0 when versus is 0, else those to the other arms that arms name. */
static int64_t print_diffs(const screen *s, const ch_report_data *d, const int *metrics, int n,
                           int versus)
{
    int64_t rows = 0;
    for (int64_t a = 0; a < d->n_arms; a++)
        rows += versus ? ch_has_text(d->arms[a].versus) : d->arms[a].has_diff != 0;
    if (rows == 0)
        return 0;
    table t = table_new(rows + 1, n + 1);
    char *first = ch_clean_line(d->arms[0].name);
    set_titles(&t, versus ? ch_dup("against another arm") : ch_fmt("difference to %s", first),
               metrics, n);
    int64_t row = 1;
    for (int64_t a = 0; a < d->n_arms; a++) {
        const ch_report_arm *arm = &d->arms[a];
        char *name = ch_clean_line(arm->name), *other = ch_clean_line(arm->versus);
        if (versus && *other)
            set_diff(&t, row++, ch_fmt("%s - %s", name, other), arm->versus_diff, metrics, n);
        else if (!versus && arm->has_diff)
            set_diff(&t, row++, ch_dup(name), arm->diff, metrics, n);
        free(name);
        free(other);
    }
    fputc('\n', s->f);
    print_table(s, &t);
    table_free(&t);
    free(first);
    return rows;
}

static void print_warning(const screen *s, char *text)
{
    if (s->colour)
        fputs("\x1b[33m", s->f);
    print_wrapped(s, "warning: ", text);
    if (s->colour)
        fputs("\x1b[0m", s->f);
    free(text);
}

static void print_warnings(const screen *s, const ch_report_data *d)
{
    char **list;
    int64_t n = ch_report_warnings(d, &list);
    for (int64_t i = 0; i < n; i++)
        print_warning(s, list[i]);
    free(list);
}

static void print_head(const screen *s, const ch_report_data *d)
{
    char *title = ch_clean_line(d->title), *split = ch_clean_line(d->split);
    if (*title)
        fprintf(s->f, "%s%s%s\n", s->colour ? "\x1b[1m" : "", title, s->colour ? "\x1b[0m" : "");
    char *wordings = ch_wordings_text(d->n_wordings, d->most_wordings), **notes;
    char *counts = ch_fmt("%lld tasks, %lld inputs, %s an input%s%s; 95 %% intervals from %lld "
                          "bootstrap resamples by task and then input",
                          (long long)d->n_tasks, (long long)d->n_inputs, wordings,
                          *split ? "; " : "", split, (long long)d->resamples);
    print_wrapped(s, "", counts);
    int64_t n_notes = ch_report_notes(d, &notes);
    for (int64_t i = 0; i < n_notes; i++) {
        print_wrapped(s, "note: ", notes[i]);
        free(notes[i]);
    }
    fputc('\n', s->f);
    free(notes);
    free(wordings);
    free(counts);
    free(title);
    free(split);
}

ch_code ch_report_terminal(FILE *f, const ch_report_data *d, int colour, int64_t columns, ch_err *e)
{
    CH_TRY(ch_report_check(d, e));
    screen s = {f, colour, columns};
    int metrics[CH_M_COUNT], n = pick_metrics(d, metrics);
    print_head(&s, d);
    print_warnings(&s, d);
    print_measures(&s, d, metrics, n);
    int64_t diffs = print_diffs(&s, d, metrics, n, 0) + print_diffs(&s, d, metrics, n, 1);
    if (diffs)
        print_wrapped(&s, "", "~ the interval holds 0: no difference that this test can tell");
    fputc('\n', f);
    char *said = ch_report_headline(d);
    for (char *line = said, *end; line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = 0;
        print_wrapped(&s, "", line);
    }
    free(said);
    return CH_OK;
}
