# The wire code of the backends that speak protobuf, generated from the schemas while building: one library, not held
# to our warnings.
add_library(target_wire STATIC)
target_compile_options(target_wire PRIVATE -w -fno-omit-frame-pointer)
target_link_libraries(target_wire PUBLIC PkgConfig::PROTOBUFC)
if(RINGSIDE_SANITIZE)
  target_compile_options(target_wire PRIVATE -fsanitize=${RINGSIDE_SANITIZE})
endif()
target_link_libraries(rs_target PRIVATE target_wire)

# Adds third_party/schemas/NAME.proto of each name. All are given to one run of protoc-c's import path, so they may
# import each other.
function(ringside_target_schemas)
  set(schemas ${CMAKE_SOURCE_DIR}/third_party/schemas)
  set(generated ${CMAKE_BINARY_DIR}/generated/target)
  file(MAKE_DIRECTORY ${generated})
  foreach(name IN LISTS ARGN)
    add_custom_command(
      OUTPUT ${generated}/${name}.pb-c.c ${generated}/${name}.pb-c.h
      COMMAND ${PROTOC_C} --c_out=${generated} -I${schemas} ${schemas}/${name}.proto
      DEPENDS ${schemas}/${name}.proto
      COMMENT "Generating ${name}.pb-c.c"
      VERBATIM)
    target_sources(target_wire PRIVATE ${generated}/${name}.pb-c.c ${generated}/${name}.pb-c.h)
  endforeach()
  target_include_directories(target_wire SYSTEM PUBLIC ${generated})
endfunction()

ringside_target_schemas(pyroscope_push otlp_common otlp_resource otlp_profiles otlp_profiles_service otlp_status)
