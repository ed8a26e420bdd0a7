# Tests of backends unpack what these are sent.
foreach(name IN ITEMS test_target_pyroscope test_target_parca test_target_otlp)
  target_link_libraries(${name} PRIVATE pprof_wire target_wire ZLIB::ZLIB)
endforeach()
target_compile_definitions(test_target_otlp PRIVATE TEST_SCHEMAS="${CMAKE_SOURCE_DIR}/third_party/schemas")
