# The libraries Ringside stands on. All are Debian packages (tools/bootstrap.sh lists them).
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBDW REQUIRED IMPORTED_TARGET libdw libelf)
pkg_check_modules(PROTOBUFC REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(LIBCAP REQUIRED IMPORTED_TARGET libcap)
pkg_check_modules(LIBSECCOMP REQUIRED IMPORTED_TARGET libseccomp>=2.5) # while building only (src/sandbox)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(CURL REQUIRED libcurl>=7.88) # its headers: it is loaded when something is sent (src/http)
find_package(ZLIB REQUIRED)
find_program(PROTOC_C protoc-c REQUIRED)

# Where the archives are installed they are taken: loading six shared libraries delays every start by half a millisecond.
option(RINGSIDE_ARCHIVES "Link libdw, libelf, zlib, protobuf-c, libinih and libcap as archives where there are any" ON)

# Replaces what linking to target means by archives, all of them or none.
function(ringside_prefer_archives target)
  foreach(name IN LISTS ARGN)
    find_library(RINGSIDE_ARCHIVE_${name} NAMES lib${name}.a)
    if(NOT RINGSIDE_ARCHIVES OR NOT RINGSIDE_ARCHIVE_${name})
      return()
    endif()
    list(APPEND archives ${RINGSIDE_ARCHIVE_${name}})
  endforeach()
  set_target_properties(${target} PROPERTIES INTERFACE_LINK_LIBRARIES "${archives}")
endfunction()
ringside_prefer_archives(PkgConfig::LIBDW dw elf z lzma bz2)
ringside_prefer_archives(PkgConfig::PROTOBUFC protobuf-c)
ringside_prefer_archives(PkgConfig::INIH inih)
ringside_prefer_archives(PkgConfig::LIBCAP cap)
if(RINGSIDE_ARCHIVES AND RINGSIDE_ARCHIVE_z)
  set_target_properties(ZLIB::ZLIB PROPERTIES IMPORTED_LOCATION ${RINGSIDE_ARCHIVE_z})
endif()

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
