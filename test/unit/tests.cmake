# Tests of backends unpack what these are sent.
foreach(name IN ITEMS test_target_pyroscope test_target_parca test_target_otlp test_target_otlp_wire)
  target_link_libraries(${name} PRIVATE pprof_wire target_wire ZLIB::ZLIB)
endforeach()
foreach(name IN ITEMS test_target_otlp test_target_otlp_wire)
  target_compile_definitions(${name} PRIVATE TEST_SCHEMAS="${CMAKE_SOURCE_DIR}/third_party/schemas")
endforeach()
