// A C++ program that includes chorus.h and links the library alone.
#include <cstdio>
#include <cstring>
#include <string>

#include "chorus.h"

int main(int argc, char **argv)
{
    ch_err e{};
    chorus_model *m = nullptr;
    chorus_answer y{};
    const char *prompt = "one";
    chorus_device_opts how;
    chorus_device_defaults(&how);
    how.threads = 1;
    chorus_quiet(1);
    if (argc != 2 || chorus_open(&m, argv[1], &how, &e) != CH_OK) {
        std::fprintf(stderr, "%s\n", argc == 2 ? e.msg : "usage: test_api_cxx MODEL.gguf");
        return 1;
    }
    std::string name = chorus_name(m);
    ch_code c = chorus_generate(m, &prompt, 1, nullptr, &y, &e);
    bool fine = c == CH_OK && y.n_tokens > 0 && name == "tiny" && chorus_n_params(m) > 1000;
    if (c == CH_OK)
        chorus_answers_release(&y, 1);
    fine = fine && chorus_run("none.yaml", &e) == CH_EUSER && std::strstr(e.msg, "none.yaml");
    chorus_close(m);
    return fine ? 0 : 1;
}
