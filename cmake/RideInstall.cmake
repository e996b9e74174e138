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
install(FILES deploy/prometheus/rules.yml deploy/prometheus/rules_test.yml DESTINATION ${CMAKE_INSTALL_DATADIR}/ride/prometheus)
install(FILES deploy/grafana/ride.json DESTINATION ${CMAKE_INSTALL_DATADIR}/ride/grafana)
# What only a package of the system has: the unit names /usr/bin/ride.
install(FILES deploy/systemd/ride.service DESTINATION lib/systemd/system COMPONENT system EXCLUDE_FROM_ALL)
install(FILES deploy/systemd/gpu.conf deploy/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT system EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_NAME ride)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_FILE_NAME ride-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/package)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "scores payment events for fraud in real time")
set(CPACK_STRIP_FILES TRUE)
set(CPACK_PACKAGE_CHECKSUM SHA256)

# The Debian package (cpack -G DEB, target deb): under /usr, with the unit, depending on what the program is linked with.
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/cmake/RidePackage.cmake) # read for each generator
set(CPACK_PACKAGE_CONTACT "the authors of RIDE <ride@localhost>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "passwd")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "prometheus")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Reads events from Kafka, HTTP or files, computes exact windowed features,
scores them with a gradient-boosted model, decides by rules, and writes one
decision per event. One process, one configuration file.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/deploy/debian/postinst ${CMAKE_SOURCE_DIR}/deploy/debian/prerm
  ${CMAKE_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION TRUE)
include(CPack)
find_program(RIDE_DPKG_SHLIBDEPS dpkg-shlibdeps)
if(RIDE_DPKG_SHLIBDEPS)
  add_custom_target(deb COMMAND ${CMAKE_CPACK_COMMAND} -G DEB DEPENDS ride completion WORKING_DIRECTORY ${CMAKE_BINARY_DIR}
    VERBATIM USES_TERMINAL)
  foreach(library ride_shared ride_static)
    if(TARGET ${library})
      add_dependencies(deb ${library})
    endif()
  endforeach()
endif()
