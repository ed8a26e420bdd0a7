# Go's linker compresses .debug_frame.
target_link_libraries(rs_cfi PUBLIC ZLIB::ZLIB)
