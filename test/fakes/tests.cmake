# The fake servers of this folder (server.py) judged by good and broken requests.
foreach(name fakes serving)
  add_test(NAME fakes.${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.py)
  set_tests_properties(fakes.${name} PROPERTIES TIMEOUT 300 LABELS check ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endforeach()
