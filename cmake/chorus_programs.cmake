# chorus_programs(DIR [PUBLIC_HEADER_ONLY] [OPTIONAL]): every DIR/*.c is a program, built into DIR of
# the build tree; DIR/support/*.c is shared by them. OPTIONAL ones are built by the target DIR only.
function(chorus_programs dir)
  cmake_parse_arguments(arg "PUBLIC_HEADER_ONLY;OPTIONAL" "" "" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${dir}/*.c)
  file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${dir}/support/*.c)
  add_custom_target(${dir})
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    set(target ${name})
    if(arg_PUBLIC_HEADER_ONLY)
      set(target ${dir}_${name}) # an example may be called like one of our own targets
    endif()
    add_executable(${target} ${source} ${support})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}
      RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${dir})
    target_link_libraries(${target} PRIVATE chorus_core)
    if(NOT arg_PUBLIC_HEADER_ONLY)
      target_include_directories(${target} PRIVATE
        ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/${dir})
      target_link_libraries(${target} PRIVATE chorus_deps)
    endif()
    if(arg_OPTIONAL)
      set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()
    add_dependencies(${dir} ${target})
  endforeach()
endfunction()
