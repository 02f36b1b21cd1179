/* A main for fuzz targets where there is no libFuzzer: gives the target an empty input, then every
 * file of the directories on the command line. Fails when a directory holds none, for then nothing
 * was tried. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { LARGEST = 1 << 24 };

static int replay_file(const char *path, uint8_t *buf)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 0;
    }
    size_t n = fread(buf, 1, LARGEST, f);
    fclose(f);
    /* An exact copy on the heap, so that a sanitizer sees the first byte read past the end. */
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact)
        return 0;
    for (size_t i = 0; i < n; i++)
        exact[i] = buf[i];
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 1;
}

static int replay_dir(const char *dir, uint8_t *buf)
{
    char path[4096];
    int n = 0;
    DIR *d = opendir(dir);
    if (!d) {
        perror(dir);
        return 0;
    }
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' && snprintf(path, sizeof path, "%s/%s", dir, e->d_name) > 0)
            n += replay_file(path, buf);
    closedir(d);
    printf("%s: %d inputs\n", dir, n);
    return n;
}

int main(int argc, char **argv)
{
    uint8_t *buf = calloc(1, LARGEST);
    if (!buf)
        return 1;
    LLVMFuzzerTestOneInput(buf, 0);
    int bad = 0;
    for (int i = 1; i < argc; i++)
        bad |= replay_dir(argv[i], buf) == 0;
    free(buf);
    return bad;
}
