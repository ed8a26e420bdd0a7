# Tests of the Python tools that other tests judge profiles with.
add_test(NAME tools.pprof_check COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_pprof_check.py)
set_tests_properties(tools.pprof_check PROPERTIES TIMEOUT 120 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
set_property(SOURCE ${CMAKE_CURRENT_LIST_DIR}/../unit/test_pprof.c APPEND PROPERTY
  COMPILE_DEFINITIONS TEST_TOOLS="${CMAKE_CURRENT_LIST_DIR}")
