# Scripted records through the whole worker: what the accounting makes of exact times.
add_executable(replay_script replay/replay_script.c)
ringside_link_all(replay_script)
add_test(NAME replay.accounting COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/replay/test_accounting.py
                                        $<TARGET_FILE:replay_script>)
set_tests_properties(replay.accounting PROPERTIES TIMEOUT 120)
