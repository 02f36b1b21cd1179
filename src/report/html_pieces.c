/* What the parts of the page share: text made safe, sections, intervals, verdicts. */
#include "report/html.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

void ch_html_text(ch_str *b, const char *s)
{
    char *clean = ch_clean(s);
    for (const char *p = clean; *p;) {
        size_t n = strcspn(p, "&<>\"'");
        ch_str_addn(b, p, n);
        p += n;
        switch (*p) {
        case '&':
            ch_str_add(b, "&amp;");
            break;
        case '<':
            ch_str_add(b, "&lt;");
            break;
        case '>':
            ch_str_add(b, "&gt;");
            break;
        case '"':
            ch_str_add(b, "&quot;");
            break;
        case '\'':
            ch_str_add(b, "&#39;");
            break;
        }
        p += *p != 0;
    }
    free(clean);
}

void ch_html_folded(ch_str *b, const char *s, size_t most)
{
    if (strlen(s) <= most) {
        ch_html_text(b, s);
        return;
    }
    char *clean = ch_clean(s);
    size_t n = ch_utf8_whole(clean, most / 2);
    char keep = clean[n];
    clean[n] = 0;
    ch_str_add(b, "<details><summary>");
    ch_html_text(b, clean);
    ch_str_add(b, "\xE2\x80\xA6</summary>\xE2\x80\xA6");
    clean[n] = keep;
    ch_html_text(b, clean + n);
    ch_str_add(b, "</details>");
    free(clean);
}

void ch_html_section(ch_str *b, const char *title, const char *note)
{
    ch_str_addf(b, "<section>\n<h2>%s</h2>\n", title);
    if (note)
        ch_str_addf(b, "<p class=\"sub\">%s</p>\n", note);
}

void ch_html_interval(ch_str *b, int metric, ch_stat s)
{
    ch_str_add(b, "<span class=\"iv\">");
    ch_add_interval(b, metric, s);
    ch_str_add(b, "</span>");
}

void ch_html_verdict(ch_str *b, int metric, ch_stat diff)
{
    static const char *const class[] = {[CH_V_UNCLEAR] = "none",
                                        [CH_V_BETTER] = "good",
                                        [CH_V_WORSE] = "bad",
                                        [CH_V_CHANGED] = "chg"};
    static const char *const word[] = {[CH_V_UNCLEAR] = "~ cannot be told",
                                       [CH_V_BETTER] = "\xE2\x9C\x93 better",
                                       [CH_V_WORSE] = "\xE2\x9C\x97 worse",
                                       [CH_V_CHANGED] = "changed"};
    ch_verdict v = ch_diff_verdict(metric, diff);
    ch_str_addf(b, "<span class=\"v %s\"><b>%s</b> ", class[v], word[v]);
    ch_str figures = {0};
    ch_add_diff(&figures, metric, diff, CH_MINUS);
    const char *text = ch_str_get(&figures), *interval = strchr(text, '[');
    ch_str_addn(b, text, (size_t)(interval - text));
    ch_str_addf(b, "<span class=\"iv\">%s</span></span>", interval);
    ch_str_free(&figures);
}
