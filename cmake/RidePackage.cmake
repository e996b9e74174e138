# Read by cpack for each generator: a Debian package has the component `system` too.
if(CPACK_GENERATOR STREQUAL "DEB")
  list(GET CPACK_INSTALL_CMAKE_PROJECTS 0 build)
  set(CPACK_INSTALL_CMAKE_PROJECTS "${build};ride;ALL;/;${build};ride;system;/")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
endif()
