# What cmake --install leaves behind. Included from test/CMakeLists.txt.
if(NOT TARGET ringside)
  return()
endif()

add_test(NAME install COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_install.py
  --cmake ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --prefix ${CMAKE_INSTALL_PREFIX})
set_tests_properties(install PROPERTIES TIMEOUT 120 LABELS check)
