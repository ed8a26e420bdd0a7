# Scripted records through the whole worker: what the accounting makes of exact times.
add_executable(replay_script replay/replay_script.c)
ringside_link_all(replay_script)
foreach(name accounting counts restart)
  add_test(NAME replay.${name} COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/replay/test_${name}.py
                                       $<TARGET_FILE:replay_script>)
  set_tests_properties(replay.${name} PROPERTIES TIMEOUT 120)
endforeach()
