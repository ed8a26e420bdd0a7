# Tests of backends unpack what these are sent.
foreach(name IN ITEMS test_target_pyroscope test_target_parca)
  target_link_libraries(${name} PRIVATE pprof_wire target_wire ZLIB::ZLIB)
endforeach()
