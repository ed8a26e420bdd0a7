# The filter is made by libseccomp while building, and is data from then on.
get_target_property(sandbox_sources rs_sandbox SOURCES)
list(FILTER sandbox_sources EXCLUDE REGEX "/maker/")
set(sandbox_generated ${CMAKE_BINARY_DIR}/generated/sandbox)
file(MAKE_DIRECTORY ${sandbox_generated})
add_executable(make_filter ${CMAKE_SOURCE_DIR}/src/sandbox/maker/make_filter.c)
target_include_directories(make_filter PRIVATE ${CMAKE_SOURCE_DIR}/src/sandbox)
target_compile_definitions(make_filter PRIVATE _GNU_SOURCE)
target_compile_options(make_filter PRIVATE -Wall -Wextra -Werror)
target_link_libraries(make_filter PRIVATE PkgConfig::LIBSECCOMP)
add_custom_command(
  OUTPUT ${sandbox_generated}/filters.h
  COMMAND make_filter ${sandbox_generated}/filters.h
  DEPENDS make_filter
  COMMENT "Generating filters.h"
  VERBATIM)
set_property(TARGET rs_sandbox PROPERTY SOURCES ${sandbox_sources} ${sandbox_generated}/filters.h)
target_include_directories(rs_sandbox PRIVATE ${sandbox_generated})
