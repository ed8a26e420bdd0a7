# What the documentation says, tried: commands, variables, links, and what is sent as each page says. Included from
# test/CMakeLists.txt.
if(NOT TARGET ringside OR RINGSIDE_SANITIZE)
  return()
endif()

file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.py)
foreach(script IN LISTS scripts)
  get_filename_component(name ${script} NAME_WE)
  string(REPLACE test_ "" short ${name})
  add_test(NAME docs.${short} COMMAND ${Python3_EXECUTABLE} ${script} --ringside $<TARGET_FILE:ringside>)
  set_tests_properties(docs.${short} PROPERTIES
    TIMEOUT 300 SKIP_RETURN_CODE 77 LABELS check ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endforeach()
