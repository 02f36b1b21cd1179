#include "recipe/number.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char ch_number_whole[] = "a whole number in digits";
const char ch_number_real[] = "a number such as 0.5 or 5e-5";

enum { EXACT_DIGITS = 16 };
#define LARGEST_EXACT 9007199254740992 /* 2^53 */

int ch_number_int(const char *text, int64_t *v)
{
    const char *p = text + (text[0] == '-');
    size_t n = strspn(p, "0123456789");
    if (!n || p[n] || n > EXACT_DIGITS || (n > 1 && p[0] == '0'))
        return 0;
    int64_t x = 0;
    for (; *p; p++)
        x = 10 * x + (*p - '0');
    if (x > LARGEST_EXACT)
        return 0;
    *v = text[0] == '-' ? -x : x;
    return 1;
}

static const char *digits(const char *p, size_t *n)
{
    for (; isdigit((unsigned char)*p); p++)
        ++*n;
    return p;
}

static int is_decimal(const char *p)
{
    size_t mantissa = 0, exponent = 0;
    p = digits(p + (*p == '-'), &mantissa);
    if (*p == '.')
        p = digits(p + 1, &mantissa);
    if (!mantissa)
        return 0;
    if (!*p)
        return 1;
    if (*p != 'e' && *p != 'E')
        return 0;
    p++;
    p = digits(p + (*p == '-' || *p == '+'), &exponent);
    return exponent && !*p;
}

int ch_number_read(const char *text, double *v)
{
    if (!is_decimal(text))
        return 0;
    double x = strtod(text, NULL);
    if (!isfinite(x))
        return 0;
    *v = x;
    return 1;
}

char *ch_number_text(double v)
{
    char text[40];
    double back;
    for (int digits = 12; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        back = strtod(text, NULL);
        if (memcmp(&back, &v, sizeof v) == 0)
            break;
    }
    return ch_dup(text);
}
