# The wire code of pprof, generated from the schema while building.
set(pprof_schemas ${CMAKE_SOURCE_DIR}/third_party/schemas)
set(pprof_generated ${CMAKE_BINARY_DIR}/generated/pprof)
file(MAKE_DIRECTORY ${pprof_generated})
add_custom_command(
  OUTPUT ${pprof_generated}/profile.pb-c.c ${pprof_generated}/profile.pb-c.h
  COMMAND ${PROTOC_C} --c_out=${pprof_generated} -I${pprof_schemas} ${pprof_schemas}/profile.proto
  DEPENDS ${pprof_schemas}/profile.proto
  COMMENT "Generating profile.pb-c.c"
  VERBATIM)
# Its own library: it is not held to our warnings.
add_library(pprof_wire STATIC ${pprof_generated}/profile.pb-c.c ${pprof_generated}/profile.pb-c.h)
target_include_directories(pprof_wire SYSTEM PUBLIC ${pprof_generated})
target_compile_options(pprof_wire PRIVATE -w -fno-omit-frame-pointer)
target_link_libraries(pprof_wire PUBLIC PkgConfig::PROTOBUFC)
if(RINGSIDE_SANITIZE)
  target_compile_options(pprof_wire PRIVATE -fsanitize=${RINGSIDE_SANITIZE})
endif()
get_target_property(pprof_kind rs_pprof TYPE)
if(pprof_kind STREQUAL "STATIC_LIBRARY")
  target_link_libraries(rs_pprof PRIVATE pprof_wire)
endif()
