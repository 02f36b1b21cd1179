#!/bin/sh
# llama.cpp's side of `make bench-peers`: its own tools and llama_shared from the source that
# `make deps` pins, into third_party/peers-llama/bin, and the demo's model in f32, f16 and bf16 into
# third_party/peers-llama/models. Nothing is done when all is there.
#   usage: bench/peers/llama/build.sh       (some ten minutes the first time)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../.."

model=models/SmolLM2-135M-Instruct.Q4_1.gguf
sha=$(sed -n 's/^llama_sha=//p' scripts/deps.sh)
name=$(sed -n 's/^llama_name=//p' scripts/deps.sh)
package=third_party/dl/$name
out=third_party/peers-llama
stamp=$(echo "$sha"; cat "$here/CMakeLists.txt" "$here/llama_shared.c" | cksum
    gcc -dumpfullversion; sed -n '/^\(flags\|Features\)/{p;q;}' /proc/cpuinfo | cksum)

convert() {
    mkdir -p $out/models
    for type in F32 F16 BF16; do
        [ ! -f $out/models/$type.gguf ] || continue
        # weights dequantised and rounded once, as chorus does when it reads the model
        $out/bin/llama-quantize --allow-requantize $model $out/models/tmp.gguf $type \
            >$out/convert.log 2>&1 || { tail -n 5 $out/convert.log >&2; exit 1; }
        mv $out/models/tmp.gguf $out/models/$type.gguf
    done
}

if [ "$(cat $out/stamp 2>/dev/null)" != "$stamp" ]; then
    version=${name#llama_cpp_python-}
    [ -f "$package" ] || python3 -m pip download -q --disable-pip-version-check --no-deps \
        --no-binary llama-cpp-python -d third_party/dl "llama-cpp-python==${version%.tar.gz}"
    echo "$sha  $package" | sha256sum -c --status ||
        { echo "peers: $package does not have the pinned SHA-256" >&2; exit 1; }
    echo "peers: building llama.cpp's tools with $(nproc) jobs: once"
    mkdir -p $out
    if [ "$(cat $out/src.sha 2>/dev/null)" != "$sha" ]; then
        rm -rf $out/src && mkdir $out/src
        (for part in CMakeLists.txt LICENSE cmake common ggml include scripts src tools vendor; do
            echo "${name%.tar.gz}/vendor/llama.cpp/$part"
        done) | tar -xzf "$package" -C $out/src --strip-components=3 -T -
        echo "$sha" >$out/src.sha
    fi
    generator=
    command -v ninja >/dev/null 2>&1 && generator='-G Ninja'
    # shellcheck disable=SC2086 # zero or two words
    { cmake $generator -S "$here" -B $out/build -DLLAMA_SRC="$PWD/$out/src" \
        -DCMAKE_BUILD_TYPE=Release &&
        env -u MAKEFLAGS -u MAKELEVEL cmake --build $out/build --target peers \
            --parallel "$(nproc)"; } >$out/build.log 2>&1 ||
        { tail -n 20 $out/build.log >&2; exit 1; }
    mkdir -p $out/bin
    for tool in llama-batched-bench llama-bench llama-server llama-quantize llama_shared; do
        cp $out/build/bin/$tool $out/bin/
    done
    echo "$stamp" >$out/stamp
fi
convert
