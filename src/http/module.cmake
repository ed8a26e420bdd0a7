# Its headers only: the library is loaded at run time (library.c).
if(TARGET rs_http)
  get_target_property(http_kind rs_http TYPE)
  if(http_kind STREQUAL "STATIC_LIBRARY")
    target_include_directories(rs_http SYSTEM PRIVATE ${CURL_INCLUDE_DIRS})
  endif()
endif()
