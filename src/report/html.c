/* The page itself. */
#include "report/html.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/notes.h"

/* The lead sentence with its shares in bold: "<b>76.8&nbsp;%</b>". The input is escaped already. */
static void add_bold_shares(ch_str *b, const char *s)
{
    static const char digits[] = "0123456789.";
    while (*s) {
        size_t plain = strcspn(s, "0123456789"), n = strspn(s + plain, digits);
        ch_str_addn(b, s, plain);
        s += plain;
        if (n && s[n] == ' ' && s[n + 1] == '%') {
            ch_str_add(b, "<b>");
            ch_str_addn(b, s, n);
            ch_str_add(b, "&nbsp;%</b>");
            n += 2;
        } else {
            ch_str_addn(b, s, n);
        }
        s += n;
    }
}

/* A hyphen that stands for minus ("(-1.2", "[-3.1", ", -0.4") becomes U+2212. */
static void add_true_minus(ch_str *b, const char *s)
{
    for (const char *p = s; *p; p++) {
        if (*p == '-' && p > s && strchr(" ([", p[-1]) && p[1] >= '0' && p[1] <= '9')
            ch_str_add(b, CH_MINUS);
        else
            ch_str_addn(b, p, 1);
    }
}

/* The lead sentence, the large figures, then what the comparisons say. */
static void add_headline(ch_str *b, const ch_report_data *d)
{
    char *said = ch_report_headline(d);
    char *rest = strchr(said, '\n');
    ch_str escaped = {0};
    if (rest)
        *rest++ = 0;
    ch_html_text(&escaped, said);
    ch_str_add(b, "<p class=\"lead\">");
    add_bold_shares(b, ch_str_get(&escaped));
    ch_str_add(b, "</p>\n");
    ch_str_free(&escaped);
    ch_html_figures(b, d);
    for (char *line = rest, *end; line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = 0;
        ch_html_text(&escaped, line);
        ch_str_add(b, "<p class=\"sub\">");
        add_true_minus(b, ch_str_get(&escaped));
        ch_str_add(b, "</p>\n");
        ch_str_free(&escaped);
    }
    free(said);
}

static void add_warnings(ch_str *b, const ch_report_data *d)
{
    char **list;
    int64_t n = ch_report_warnings(d, &list);
    if (n)
        ch_str_add(b, "<ul class=\"warn\" aria-label=\"Warnings\">\n");
    for (int64_t i = 0; i < n; i++) {
        ch_str_add(b, "<li><b>Warning:</b> ");
        ch_html_text(b, list[i]);
        ch_str_add(b, "</li>\n");
        free(list[i]);
    }
    if (n)
        ch_str_add(b, "</ul>\n");
    free(list);
}

static void add_notes(ch_str *b, const ch_report_data *d)
{
    char **list;
    int64_t n = ch_report_notes(d, &list);
    for (int64_t i = 0; i < n; i++) {
        ch_str_add(b, "<p class=\"sub\"><b>Note:</b> ");
        ch_html_text(b, list[i]);
        ch_str_add(b, "</p>\n");
        free(list[i]);
    }
    free(list);
}

static void add_head(ch_str *b, const ch_report_data *d)
{
    const char *title = ch_has_text(d->title) ? d->title : "Consistency report";
    ch_str_add(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                  "style-src 'unsafe-inline'\">\n<title>");
    ch_html_text(b, title);
    ch_str_add(b, "</title>\n<style>\n");
    for (int i = 0; ch_html_css[i]; i++)
        ch_str_add(b, ch_html_css[i]);
    ch_str_add(b,
               "</style>\n</head>\n<body>\n<main>\n<header>\n<p class=\"over\">Consistency report");
    if (ch_has_text(d->model)) {
        ch_str_add(b, " \xC2\xB7 ");
        ch_html_text(b, d->model);
    }
    ch_str_add(b, "</p>\n<h1>");
    ch_html_text(b, title);
    ch_str_add(b, "</h1>\n");
}

ch_code ch_report_html(const char *path, const ch_report_data *d, ch_err *e)
{
    CH_TRY(ch_report_check(d, e));
    ch_str b = {0};
    add_head(&b, d);
    add_warnings(&b, d);
    add_headline(&b, d);
    add_notes(&b, d);
    ch_str_add(&b, "</header>\n");
    ch_html_arms(&b, d);
    ch_html_diffs(&b, d);
    ch_html_tasks(&b, d);
    ch_html_examples(&b, d);
    ch_html_curves(&b, d);
    ch_html_metrics(&b, d);
    ch_html_terms(&b);
    ch_html_measured(&b, d);
    ch_str_add(&b, "</main>\n</body>\n</html>\n");
    ch_code code = ch_file_write(path, ch_str_get(&b), b.n, e);
    ch_str_free(&b);
    return code;
}
