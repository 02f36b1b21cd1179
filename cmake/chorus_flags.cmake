# Switches for chorus' own C. Portable code by default: only the kernel files that are chosen at run
# time get instructions of their own. Never -Ofast or -ffast-math: they delete isnan().
find_package(OpenMP REQUIRED COMPONENTS C)

add_library(chorus_flags INTERFACE)
target_compile_options(chorus_flags INTERFACE -fno-math-errno
  -Wall -Wextra -Wshadow -Wvla $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> -Wwrite-strings -Wformat=2
  $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes> -Wconversion $<$<BOOL:${DEV}>:-Werror>)
target_link_options(chorus_flags INTERFACE -Wl,--as-needed)
target_link_libraries(chorus_flags INTERFACE OpenMP::OpenMP_C)

if(CHORUS_SANITIZE)
  set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_compile_options(chorus_flags INTERFACE ${sanitize} -g -O1 -fno-omit-frame-pointer)
  target_link_options(chorus_flags INTERFACE ${sanitize})
endif()
if(CHORUS_FUZZ)
  target_compile_options(chorus_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# chorus_isa(PATTERN FLAG...): files of src/tensor that may use these instructions
function(chorus_isa pattern)
  file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/tensor/${pattern})
  set_property(SOURCE ${files} APPEND PROPERTY COMPILE_OPTIONS ${ARGN})
endfunction()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  chorus_isa(cpu_*.c -Wno-psabi) # 64-byte vectors never cross a file
  chorus_isa(cpu_avx2*.c -mavx2 -mfma -mf16c)
  chorus_isa(cpu_avx512*.c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma
             -mprefer-vector-width=512)
  chorus_isa(cpu_avx512_bf16.c -mavx512bf16)
endif()
if(CHORUS_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # gcc 12 puts 64-byte vectors into fake stack frames without aligning them
  chorus_isa(cpu_*.c --param=asan-use-after-return=0)
endif()
