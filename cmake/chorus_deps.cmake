# The libraries chorus links, each asked for by library, header and Debian package.
add_library(chorus_deps INTERFACE)
set(CHORUS_THIRD_PARTY ${PROJECT_SOURCE_DIR}/third_party/llama CACHE PATH "what `make deps` built")

# chorus_need(TARGET LIBRARY HEADER PACKAGE): finds a library and adds it to TARGET's interface
function(chorus_need target lib header package)
  find_library(${lib}_LIBRARY ${lib})
  find_path(${lib}_INCLUDE ${header})
  mark_as_advanced(${lib}_LIBRARY ${lib}_INCLUDE)
  if(NOT ${lib}_LIBRARY OR NOT ${lib}_INCLUDE)
    message(FATAL_ERROR "${header} and lib${lib} are missing: run `make deps`, or install ${package}")
  endif()
  target_link_libraries(${target} INTERFACE ${${lib}_LIBRARY})
  target_include_directories(${target} SYSTEM INTERFACE ${${lib}_INCLUDE})
endfunction()

# chorus_llama_in(DIR): libllama and ggml of an install, of a llama.cpp tree or of its build directory
function(chorus_llama_in dir)
  foreach(lib llama ggml ggml-cpu ggml-base) # in link order
    find_library(found_${lib} ${lib} PATHS ${dir} NO_DEFAULT_PATH PATH_SUFFIXES lib lib64 src bin
      ggml/src build/src build/bin build/ggml/src)
    if(found_${lib})
      list(APPEND libs ${found_${lib}})
    elseif(NOT lib STREQUAL ggml-cpu) # which may be a plug-in
      message(FATAL_ERROR "no lib${lib} in ${dir}: run `make deps`, or set CHORUS_LLAMA")
    endif()
  endforeach()
  foreach(header llama.h ggml.h)
    find_path(found_${header} ${header} PATHS ${dir} NO_DEFAULT_PATH PATH_SUFFIXES include
      ggml/include ../include ../ggml/include)
    if(NOT found_${header})
      message(FATAL_ERROR "no ${header} in ${dir}: run `make deps`, or set CHORUS_LLAMA")
    endif()
    target_include_directories(chorus_deps SYSTEM INTERFACE ${found_${header}})
    unset(found_${header} CACHE)
  endforeach()
  if(found_llama MATCHES "\\.a$")
    list(APPEND libs gomp stdc++) # it is C++ inside, built by gcc
  endif()
  target_link_libraries(chorus_deps INTERFACE ${libs})
  message(STATUS "libllama: ${found_llama}")
  foreach(lib llama ggml ggml-cpu ggml-base)
    unset(found_${lib} CACHE) # looked up anew each time: CHORUS_LLAMA may change
  endforeach()
endfunction()

chorus_need(chorus_deps dnnl dnnl.h libdnnl-dev)
chorus_need(chorus_deps jansson jansson.h libjansson-dev)
chorus_need(chorus_deps cyaml cyaml/cyaml.h libcyaml-dev)
chorus_need(chorus_deps yaml yaml.h libyaml-dev)
chorus_need(chorus_deps crypto openssl/evp.h libssl-dev)

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND AND NOT CHORUS_LLAMA)
  pkg_check_modules(system_llama QUIET IMPORTED_TARGET llama)
endif()
if(CHORUS_LLAMA)
  chorus_llama_in(${CHORUS_LLAMA})
elseif(system_llama_FOUND)
  message(STATUS "libllama: ${system_llama_VERSION}, by pkg-config")
  target_link_libraries(chorus_deps INTERFACE PkgConfig::system_llama)
else()
  chorus_llama_in(${CHORUS_THIRD_PARTY})
endif()

find_package(Threads REQUIRED)
target_link_libraries(chorus_deps INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)
