# The fake servers of this folder (server.py) judged by good and broken requests.
foreach(name fakes series otlp serving)
  add_test(NAME fakes.${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.py)
  set_tests_properties(fakes.${name} PROPERTIES TIMEOUT 300 LABELS check ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endforeach()

# What every target makes of profiles of many shapes, judged by the fakes.
add_executable(convert ${CMAKE_CURRENT_LIST_DIR}/convert.c)
ringside_link_all(convert)
add_test(NAME fakes.convert COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_convert.py $<TARGET_FILE:convert>)
set_tests_properties(fakes.convert PROPERTIES TIMEOUT 300 LABELS check ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
