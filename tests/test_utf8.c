/* UTF-8 against its definition, over every code point and every pair of bytes. */
#include <string.h>

#include "base/utf8.h"
#include "support/support.h"

/* What RFC 3629 writes for a code point; returns its length. */
static size_t encode(uint32_t c, char *s)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6)
        s[i] = (char)(0x80 | (c & 0x3F));
    s[0] = (char)(lead[n] | c);
    return n;
}

static void every_code_point_is_one_character_and_surrogates_are_none(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        char s[5] = {0};
        size_t n = encode(c, s), want = (c >= 0xD800 && c < 0xE000) || c > 0x10FFFF ? 0 : n;
        CHECK_(ch_utf8_char(s, n) == want && ch_utf8_valid(s, n) == (want > 0));
        for (size_t k = 1; k < n; k++)
            CHECK_(!ch_utf8_valid(s, k) && ch_utf8_whole(s, k) == 0);
    }
}

static void other_bytes_are_ill_formed(void **state)
{
    (void)state;
    int good = 0;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            const char s[2] = {(char)a, (char)b};
            good += ch_utf8_valid(s, 2);
        }
    CHECK_(good == 128 * 128 + 30 * 64);
    static const char *const bad[] = {
        "\xC0\x80",
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80",
        "\xF4\x90\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "a\xFF",
        "\x80"
        "a",
        "\xE2\x82"
        "a",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_(!ch_utf8_valid(bad[i], strlen(bad[i])));
    CHECK_(ch_utf8_valid("", 0) && ch_utf8_valid("a\0b", 3));
    CHECK_(ch_utf8_whole("a\xE2\x82\xAC"
                         "b\xE2\x82",
                         7) == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_is_one_character_and_surrogates_are_none),
        cmocka_unit_test(other_bytes_are_ill_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
