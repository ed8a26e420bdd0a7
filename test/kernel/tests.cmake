# The built program on real processes, one ctest entry per test/kernel/test_*.py. Included from test/CMakeLists.txt.
if(NOT TARGET ringside OR RINGSIDE_SANITIZE)
  return()
endif()

set(fixtures_dir ${CMAKE_BINARY_DIR}/fixtures)
add_test(NAME kernel.fixtures COMMAND ${CMAKE_SOURCE_DIR}/test/fixtures/build.sh ${fixtures_dir})
set_tests_properties(kernel.fixtures PROPERTIES TIMEOUT 600 FIXTURES_SETUP fixture_programs LABELS kernel)

file(GLOB helpers CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/helper_*.c)
foreach(source IN LISTS helpers)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  target_compile_options(${name} PRIVATE -Wall -Wextra -Werror)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test/kernel)
endforeach()

file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.py)
foreach(script IN LISTS scripts)
  get_filename_component(name ${script} NAME_WE)
  string(REPLACE test_ "" short ${name})
  add_test(NAME kernel.${short}
    COMMAND ${Python3_EXECUTABLE} ${script} --ringside $<TARGET_FILE:ringside> --fixtures ${fixtures_dir}
      --tools ${CMAKE_BINARY_DIR}/test/kernel)
  # CPU shares are measured: nothing else may run meanwhile.
  set_tests_properties(kernel.${short} PROPERTIES
    TIMEOUT 600 SKIP_RETURN_CODE 77 RUN_SERIAL ON FIXTURES_REQUIRED fixture_programs LABELS kernel)
endforeach()
