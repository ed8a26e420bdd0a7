# Where the system's config file is looked for.
target_compile_definitions(rs_options PRIVATE RINGSIDE_SYSCONFDIR="${CMAKE_INSTALL_FULL_SYSCONFDIR}")

install(FILES ${CMAKE_SOURCE_DIR}/docs/ringside.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${CMAKE_SOURCE_DIR}/docs/ringside.conf.example DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${CMAKE_SOURCE_DIR}/docs/completion/ringside.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ringside)
install(FILES ${CMAKE_SOURCE_DIR}/docs/completion/_ringside DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
