#include "report/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/shown.h"

int ch_has_text(const char *s)
{
    return s && *s;
}

void ch_add_clean(ch_str *b, const char *text)
{
    if (text)
        ch_add_shown(b, text);
}

char *ch_clean(const char *s)
{
    ch_str b = {0};
    ch_add_clean(&b, s);
    return ch_str_take(&b);
}

char *ch_clean_line(const char *s)
{
    char *line = ch_clean(s);
    for (char *c = line; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    return line;
}

int64_t ch_width(const char *s)
{
    int64_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static double shown(int metric, double value)
{
    return ch_metrics[metric].percent ? 100 * value : value;
}

/* %.*f without "-0.0". */
static void print_fixed(char out[64], double x, int decimals)
{
    snprintf(out, 64, "%.*f", decimals, x);
    if (out[0] == '-' && strspn(out + 1, "0.") == strlen(out + 1))
        memmove(out, out + 1, strlen(out));
}

void ch_add_value(ch_str *b, int metric, double value)
{
    char text[64];
    print_fixed(text, shown(metric, value), 1);
    ch_str_add(b, text);
}

void ch_add_interval(ch_str *b, int metric, ch_stat s)
{
    ch_str_add(b, "[");
    ch_add_value(b, metric, s.low);
    ch_str_add(b, ", ");
    ch_add_value(b, metric, s.high);
    ch_str_add(b, "]");
}

void ch_add_stat(ch_str *b, int metric, ch_stat s)
{
    ch_add_value(b, metric, s.value);
    ch_str_add(b, " ");
    ch_add_interval(b, metric, s);
}

static void add_signed(ch_str *b, double x, int decimals, int plus, const char *minus)
{
    char text[64];
    print_fixed(text, x, decimals);
    if (text[0] == '-')
        ch_str_add(b, minus);
    else if (plus && strspn(text, "0.") != strlen(text))
        ch_str_add(b, "+");
    ch_str_add(b, text + (text[0] == '-'));
}

static int vanishes(double x)
{
    return x != 0 && fabs(x) < 0.05;
}

void ch_add_diff(ch_str *b, int metric, ch_stat s, const char *minus)
{
    double v = shown(metric, s.value), low = shown(metric, s.low), high = shown(metric, s.high);
    int decimals = vanishes(low) || vanishes(high) ? 2 : 1;
    add_signed(b, v, decimals, 1, minus);
    ch_str_add(b, " [");
    add_signed(b, low, decimals, 0, minus);
    ch_str_add(b, ", ");
    add_signed(b, high, decimals, 0, minus);
    ch_str_add(b, "]");
}

ch_verdict ch_diff_verdict(int metric, ch_stat s)
{
    if (s.low <= 0 && s.high >= 0)
        return CH_V_UNCLEAR;
    int good = ch_metrics[metric].higher_is_better;
    if (good < 0)
        return CH_V_CHANGED;
    return (s.low > 0) == (good == 1) ? CH_V_BETTER : CH_V_WORSE;
}
