# The libraries Ringside stands on. All are Debian packages (tools/bootstrap.sh lists them).
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBDW REQUIRED IMPORTED_TARGET libdw libelf)
pkg_check_modules(PROTOBUFC REQUIRED IMPORTED_TARGET libprotobuf-c)
find_package(ZLIB REQUIRED)
find_program(PROTOC_C protoc-c REQUIRED)

# GNU demangler (C++ and Rust): libiberty is a static archive without a pkg-config file.
find_library(LIBIBERTY iberty REQUIRED)
find_path(LIBIBERTY_INCLUDE libiberty/demangle.h REQUIRED)
add_library(iberty INTERFACE)
target_link_libraries(iberty INTERFACE ${LIBIBERTY})
target_include_directories(iberty SYSTEM INTERFACE ${LIBIBERTY_INCLUDE}/libiberty)

if(RINGSIDE_JEMALLOC AND NOT RINGSIDE_SANITIZE)
  # The archive: the shared library needs libstdc++, which would cost every start 2 ms of dynamic linking.
  find_library(JEMALLOC NAMES libjemalloc_pic.a REQUIRED)
  find_package(Threads REQUIRED)
  add_library(jemalloc INTERFACE)
  target_link_libraries(jemalloc INTERFACE ${JEMALLOC} Threads::Threads m)
endif()
