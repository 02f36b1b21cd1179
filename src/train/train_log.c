#define _GNU_SOURCE
#include "train/train_log.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"

static int is_count(const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);
    return json_is_integer(v) && json_integer_value(v) >= 0;
}

/* The update whose row a line is, 0: it is none. */
static int64_t row_step(const char *line, size_t n)
{
    static const char *const numbers[] = {"loss", "lr", "norm"};
    json_t *row = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *dev = json_object_get(row, "dev");
    int ok = is_count(row, "step") && is_count(row, "tokens") && is_count(row, "rows");
    for (int i = 0; i < 3; i++)
        ok = ok && json_is_number(json_object_get(row, numbers[i]));
    ok = ok && (!dev || json_is_number(dev)) && json_object_size(row) == (dev ? 7u : 6u);
    int64_t step = ok ? json_integer_value(json_object_get(row, "step")) : 0;
    json_decref(row);
    return step;
}

void ch_train_log_keep(ch_str *keep, const char *text, size_t n, int64_t last, int64_t *n_lost)
{
    const char *end = text + n, *line = text;
    int64_t before = 0, kept = 0;
    for (const char *next; line < end; line = next) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        int64_t step = stop ? row_step(line, (size_t)(stop - line)) : 0;
        next = stop ? stop + 1 : end;
        if (step > before && step <= last) {
            ch_str_addn(keep, line, (size_t)(next - line));
            before = step;
            kept++;
        }
    }
    *n_lost = last - kept;
}

ch_code ch_train_log_open(FILE **f, const char *path, int64_t last, ch_err *e)
{
    char *old = NULL;
    size_t n = 0;
    ch_str keep = {0};
    int64_t dropped = 0;
    if (last > 0 && ch_exists(path))
        CH_TRY(ch_file_read(path, &old, &n, e));
    ch_train_log_keep(&keep, old ? old : "", n, last, &dropped);
    free(old);
    if (dropped)
        ch_log(CH_WARN, "%s: %lld of %lld rows are lost or damaged; they stay away", path,
               (long long)dropped, (long long)last);
    ch_code c = ch_file_write(path, ch_str_get(&keep), keep.n, e);
    ch_str_free(&keep);
    if (c == CH_OK && !(*f = fopen(path, "ab")))
        c = ch_fail(e, CH_EIO, "%s: cannot be written: %s", path, strerror(errno));
    if (c == CH_OK)
        ch_stream_guard(*f);
    return c;
}

/* With a point, whatever the locale. */
static void add_number(ch_str *row, const char *key, int digits, double v)
{
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    locale_t was = uselocale(c);
    ch_str_addf(row, ", \"%s\": %.*g", key, digits, v);
    uselocale(was);
    if (c)
        freelocale(c);
}

static ch_code failed(const char *path, ch_err *e)
{
    return ch_fail(e, CH_EIO, "%s: writing failed: %s", path, strerror(errno));
}

ch_code ch_train_log_row(FILE *f, const char *path, const ch_position *p, int with_dev, ch_err *e)
{
    ch_str row = {0};
    ch_str_addf(&row, "{\"step\": %lld", (long long)p->step);
    add_number(&row, "loss", 6, p->last.loss);
    add_number(&row, "lr", 4, p->last.lr);
    add_number(&row, "norm", 4, p->last.norm);
    ch_str_addf(&row, ", \"tokens\": %lld, \"rows\": %lld", (long long)p->last.tokens,
                (long long)p->last.rows);
    if (with_dev)
        add_number(&row, "dev", 6, p->last_dev);
    ch_str_add(&row, "}\n");
    int bad = fwrite(row.s, 1, row.n, f) != row.n || fflush(f);
    ch_str_free(&row);
    return bad ? failed(path, e) : CH_OK;
}

ch_code ch_train_log_close(FILE *f, const char *path, ch_err *e)
{
    return f && ch_stream_close(f) ? failed(path, e) : CH_OK;
}
