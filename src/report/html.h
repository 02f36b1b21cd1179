/* Inside the report room: the parts of the HTML page. Everything is appended to one string. */
#ifndef CH_REPORT_HTML_H
#define CH_REPORT_HTML_H

#include "report/report.h"
#include "report/words.h"

#define CH_MINUS "\xE2\x88\x92" /* U+2212 */

/* The style sheet; no url() in it. Pieces, NULL at the end (a C string literal is at most 4095
 * long). */
extern const char *const ch_html_css[];

/* Clean text with & < > " ' escaped: safe as element content and in a quoted attribute. */
void ch_html_text(ch_str *b, const char *s);
/* The same, but long text (over `most` bytes) is folded into <details> behind its beginning. */
void ch_html_folded(ch_str *b, const char *s, size_t most);
/* Opens <section> with its heading and, when note is not NULL, a line of plain HTML below it. */
void ch_html_section(ch_str *b, const char *title, const char *note);
/* "[74.1, 79.2]", small. */
void ch_html_interval(ch_str *b, int metric, ch_stat s);
/* "better +12.3 [9.8, 14.9]" with a mark, so that colour is never alone. */
void ch_html_verdict(ch_str *b, int metric, ch_stat diff);

/* html_charts.c: the pictures. */
/* Before and after of CR, accuracy and the worst wording in large figures. */
void ch_html_figures(ch_str *b, const ch_report_data *d);
/* CR and accuracy of each arm with intervals. */
void ch_html_arms(ch_str *b, const ch_report_data *d);
/* The paired differences around 0; nothing when no arm has any. */
void ch_html_diffs(ch_str *b, const ch_report_data *d);
/* Each task from the first arm to the main arm. */
void ch_html_tasks(ch_str *b, const ch_report_data *d);
/* One small panel an arm that was trained; nothing when none was. */
void ch_html_curves(ch_str *b, const ch_report_data *d);

/* html_text.c: tables and words. */
void ch_html_metrics(ch_str *b, const ch_report_data *d);
void ch_html_examples(ch_str *b, const ch_report_data *d);
void ch_html_terms(ch_str *b);
void ch_html_measured(ch_str *b, const ch_report_data *d);

#endif
