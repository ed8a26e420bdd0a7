# Tests that look at the repository rather than at the program, and those that other builds contribute, so that one ctest
# runs everything. Included from test/CMakeLists.txt.

function(ringside_check name)
  add_test(NAME check.${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(check.${name} PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77 LABELS check)
endfunction()

ringside_check(modules ${Python3_EXECUTABLE} tools/check_modules.py)
ringside_check(modules_self_test ${Python3_EXECUTABLE} tools/check_modules.py --self-test)
ringside_check(format tools/check_format.sh)
ringside_check(tidy tools/check_tidy.sh ${CMAKE_BINARY_DIR})
ringside_check(analysis_self_test ${Python3_EXECUTABLE} tools/check_analysis.py --self-test)
ringside_check(analysis ${Python3_EXECUTABLE} tools/check_analysis.py ${CMAKE_BINARY_DIR})
set_tests_properties(check.tidy check.analysis PROPERTIES PROCESSORS 2)

# tools/test.sh builds all presets and sets this for the last: unit tests of the other builds, and the fuzz targets.
option(RINGSIDE_OTHER_BUILDS "Run the tests of build/{dev,asan,clang,fuzz} too" OFF)
set(RINGSIDE_FUZZ_SECONDS 10 CACHE STRING "How long each fuzz target runs")
if(NOT RINGSIDE_OTHER_BUILDS)
  return()
endif()

foreach(build IN ITEMS dev asan clang)
  foreach(source IN LISTS unit_tests)
    get_filename_component(name ${source} NAME_WE)
    add_test(NAME ${build}.${name} COMMAND ${CMAKE_SOURCE_DIR}/build/${build}/test/${name})
    set_tests_properties(${build}.${name} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 LABELS ${build})
  endforeach()
endforeach()

# Leaks are looked for at each end of a program built so: in unit tests, in what is replayed, and in every process of a run.
file(GLOB replays CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/replay/test_*.py)
foreach(script IN LISTS replays)
  get_filename_component(name ${script} NAME_WE)
  string(REPLACE test_ "" short ${name})
  add_test(NAME asan.replay.${short} COMMAND ${Python3_EXECUTABLE} ${script} ${CMAKE_SOURCE_DIR}/build/asan/test/replay_script)
  set_tests_properties(asan.replay.${short} PROPERTIES TIMEOUT 300 LABELS asan)
endforeach()
add_test(NAME asan.runs COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/test/kernel/sanitized.py --ringside ${CMAKE_SOURCE_DIR}/build/asan/ringside
  --fixtures ${CMAKE_BINARY_DIR}/fixtures --tools ${CMAKE_BINARY_DIR}/test/kernel)
set_tests_properties(asan.runs PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77 FIXTURES_REQUIRED fixture_programs LABELS asan)

# One seed for all runs: with another in each, a run fails for a bug that its change did not bring. The timeout is of wall time,
# and a machine that stands still is no finding.
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/fuzz/fuzz_*.c)
foreach(source IN LISTS fuzz_sources)
  get_filename_component(name ${source} NAME_WE)
  string(REPLACE fuzz_ "" short ${name})
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz/${short})
  set(seeds ${CMAKE_SOURCE_DIR}/test/fuzz/corpus/${short})
  if(NOT IS_DIRECTORY ${seeds})
    message(FATAL_ERROR "fuzz_${short} has no seeds: test/fuzz/corpus/${short}")
  endif()
  math(EXPR limit "${RINGSIDE_FUZZ_SECONDS} + 120")
  add_test(NAME fuzz.${short}
    COMMAND ${CMAKE_SOURCE_DIR}/build/fuzz/test/${name} -seed=1 -max_total_time=${RINGSIDE_FUZZ_SECONDS} -timeout=60
      -rss_limit_mb=1024 -print_final_stats=1 ${CMAKE_BINARY_DIR}/fuzz/${short} ${seeds})
  set_tests_properties(fuzz.${short} PROPERTIES TIMEOUT ${limit} LABELS fuzz)
endforeach()
