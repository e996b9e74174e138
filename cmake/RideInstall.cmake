# cmake --install and a relocatable tarball (cpack). The program links its own code statically, finds nothing by
# absolute path and has no RPATH, so the tree works from wherever it is unpacked; tests/integration/test_install.sh moves it.
if(NOT TARGET ride)
  return()
endif()
include(GNUInstallDirs)
set_target_properties(ride PROPERTIES SKIP_BUILD_RPATH ON INSTALL_RPATH "")
install(TARGETS ride RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET ride_cuda) # where the registry of backends looks for plugins, seen from bin
  install(TARGETS ride_cuda LIBRARY DESTINATION lib/ride)
endif()
# What `ride completion` prints, where bash and zsh look for it.
set(completion ${CMAKE_BINARY_DIR}/completion)
add_custom_command(OUTPUT ${completion}/ride ${completion}/_ride
  COMMAND ${CMAKE_COMMAND} -E make_directory ${completion}
  COMMAND ride completion bash > ${completion}/ride
  COMMAND ride completion zsh > ${completion}/_ride
  DEPENDS ride VERBATIM)
add_custom_target(completion ALL DEPENDS ${completion}/ride ${completion}/_ride)
install(FILES ${completion}/ride DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${completion}/_ride DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES README.md LICENSE CHANGELOG.md SECURITY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL FILES_MATCHING PATTERN "*.md")
install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DATADIR}/ride/examples OPTIONAL)
install(DIRECTORY python/ride DESTINATION ${CMAKE_INSTALL_DATADIR}/ride/python OPTIONAL
        PATTERN "__pycache__" EXCLUDE PATTERN "test_*.py" EXCLUDE)
install(FILES python/requirements.txt python/requirements-train.txt DESTINATION ${CMAKE_INSTALL_DATADIR}/ride/python)

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_NAME ride)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_FILE_NAME ride-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/package)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "scores payment events for fraud in real time")
set(CPACK_STRIP_FILES TRUE)
set(CPACK_PACKAGE_CHECKSUM SHA256)
include(CPack)
