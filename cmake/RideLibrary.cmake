# libride, the scoring engine as a library (host/include/ride/ride.h): build/PRESET/lib/libride.so.0 and libride.a, installed with their header, a
# pkg-config file and a CMake package (find_package(Ride), targets Ride::ride and Ride::ride_static). Only what a prediction needs is linked: the
# archive gives its members on demand. Beyond the C library it needs nothing; the C++ runtime, of which number parsing uses a little, is inside.
if(NOT TARGET ride_host_api OR RIDE_FUZZ)
  return()
endif()
include(GNUInstallDirs)
set(map ${CMAKE_SOURCE_DIR}/cmake/libride.map)
add_library(ride_shared SHARED $<TARGET_OBJECTS:ride_host_api>)
set_target_properties(ride_shared PROPERTIES OUTPUT_NAME ride VERSION ${PROJECT_VERSION} SOVERSION 0 EXPORT_NAME ride
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib LINK_DEPENDS ${map} SKIP_BUILD_RPATH ON INSTALL_RPATH ""
  LINKER_LANGUAGE CXX)
# The archive as a file: what else it is linked with is not for a library. YAML (manifests of several models) is taken in, where its archive is there.
find_library(RIDE_YAML_ARCHIVE libyaml.a HINTS ${yaml_PC_LIBRARY_DIRS})
set(inside $<TARGET_FILE:ride_core>)
if(RIDE_YAML_ARCHIVE)
  list(APPEND inside ${RIDE_YAML_ARCHIVE})
  target_link_libraries(ride_shared PRIVATE $<BUILD_INTERFACE:${inside}> Threads::Threads m)
else()
  target_link_libraries(ride_shared PRIVATE $<BUILD_INTERFACE:${inside}> ride::yaml Threads::Threads m)
endif()
add_dependencies(ride_shared ride_core)
if(SKBUILD) # in a wheel (pyproject.toml): beside the package's Python files, under a name without a version
  target_link_options(ride_shared PRIVATE LINKER:--strip-all)
  install(FILES $<TARGET_FILE:ride_shared> DESTINATION ride RENAME libride.so COMPONENT wheel)
endif()
target_link_options(ride_shared PRIVATE LINKER:--version-script,${map} LINKER:--exclude-libs,ALL LINKER:--as-needed)
if(NOT RIDE_SANITIZE)
  target_link_options(ride_shared PRIVATE LINKER:-z,defs -static-libgcc -static-libstdc++)
endif()
target_include_directories(ride_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# The archive is one object in which only the functions of the header are left global, so that no name of ours can meet one of the program's.
set(archive ${CMAKE_BINARY_DIR}/lib/libride.a)
if(NOT RIDE_SANITIZE AND NOT RIDE_COVERAGE)
  file(STRINGS ${map} names REGEX "^    ride_")
  string(REGEX REPLACE "[ ;]+" ";" names "${names}")
  list(REMOVE_ITEM names "")
  list(TRANSFORM names PREPEND "--keep-global-symbol=" OUTPUT_VARIABLE keep)
  set(object ${CMAKE_BINARY_DIR}/lib/libride.o)
  add_custom_command(OUTPUT ${archive}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -Wl,--force-group-allocation -o ${object} $<TARGET_OBJECTS:ride_host_api> ${inside}
    COMMAND ${CMAKE_OBJCOPY} ${keep} ${object}
    COMMAND ${CMAKE_AR} rcs ${archive} ${object}
    DEPENDS ride_host_api $<TARGET_OBJECTS:ride_host_api> ride_core ${map} COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(ride_static ALL DEPENDS ${archive})
  install(FILES ${archive} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
endif()

install(TARGETS ride_shared EXPORT RideTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(FILES ${CMAKE_SOURCE_DIR}/host/include/ride/ride.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ride COMPONENT library)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Ride)
install(EXPORT RideTargets NAMESPACE Ride:: DESTINATION ${package} COMPONENT library)
include(CMakePackageConfigHelpers)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/RideConfig.cmake.in ${CMAKE_BINARY_DIR}/lib/RideConfig.cmake
  INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/lib/RideConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/lib/RideConfig.cmake ${CMAKE_BINARY_DIR}/lib/RideConfigVersion.cmake DESTINATION ${package} COMPONENT library)
file(RELATIVE_PATH to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" to_prefix ${to_prefix})
configure_file(${CMAKE_SOURCE_DIR}/cmake/ride.pc.in ${CMAKE_BINARY_DIR}/lib/ride.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/lib/ride.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
