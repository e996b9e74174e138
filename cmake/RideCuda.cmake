# The CUDA plugin: build/PRESET/bin/libride_cuda.so, beside the program, where the registry of backends looks for it. It is linked
# with nothing of CUDA but the static runtime, so it loads on a machine without a driver and says so. Nothing is downloaded here.
#   RIDE_CUDA=AUTO   built when a toolkit is found; the table says why not
#   RIDE_CUDA=ON     it must be built
#   RIDE_CUDA=OFF    not
set(RIDE_CUDA AUTO CACHE STRING "CUDA plugin: AUTO (when a toolkit is found), ON (needed) or OFF")
set_property(CACHE RIDE_CUDA PROPERTY STRINGS AUTO ON OFF)
file(GLOB RIDE_CUDA_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/*.cu)

# Instrumented builds have none: nvcc knows no coverage, its host code's exit handlers trip ThreadSanitizer, and CUDA's own
# allocations are not ours to find. What runs under sanitizers is the same sources in the emulator.
set(why "")
if(NOT RIDE_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "RIDE_CUDA is AUTO, ON or OFF, not ${RIDE_CUDA}")
elseif(RIDE_CUDA STREQUAL "OFF")
  set(why "RIDE_CUDA=OFF")
elseif(RIDE_SANITIZE OR RIDE_COVERAGE OR RIDE_FUZZ)
  set(why "not in sanitizer, coverage and fuzz builds")
else()
  include(RideCudaToolkit)
  if(NOT RIDE_CUDA_ROOT)
    set(why "${RIDE_CUDA_WHY}")
  endif()
endif()
if(why)
  if(RIDE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "RIDE_CUDA=ON, but the CUDA plugin cannot be built: ${why}")
  endif()
  ride_note("CUDA plugin" "off" "${why}")
  return()
endif()

# Always named: CMake 3.25 would take the compiler's own default, and its "all" names machines that CUDA 13 refuses.
set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100-real 90-virtual CACHE STRING "machines that the plugin has code for")
set(CMAKE_CUDA_COMPILER ${RIDE_CUDA_ROOT}/bin/nvcc CACHE FILEPATH "")
set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER} CACHE FILEPATH "")
if(RIDE_CUDA_FLAGS AND NOT CMAKE_CUDA_FLAGS MATCHES "${RIDE_CUDA_FLAGS}") # cached: CMake's own compiler test reads it there
  string(STRIP "${CMAKE_CUDA_FLAGS} $ENV{CUDAFLAGS} ${RIDE_CUDA_FLAGS}" flags)
  set(CMAKE_CUDA_FLAGS ${flags} CACHE STRING "" FORCE)
endif()
enable_language(CUDA)
if(CCACHE) # by the content of all files read: what the preprocessor gives for the host says nothing about each machine's code
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1 CCACHE_COMPILERCHECK=content ${CCACHE})
endif()
set(CMAKE_CUDA_FLAGS_RELEASE "-O3 -lineinfo -Xcompiler=-g1") # as C: asserts stay, RIDE_ASSERT and device ones alike

add_library(ride_cuda MODULE ${RIDE_CUDA_SOURCES} $<TARGET_OBJECTS:ride_host_base> $<TARGET_OBJECTS:ride_kernels_layout>)
set_target_properties(ride_cuda PROPERTIES
  CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_RUNTIME_LIBRARY Static
  CUDA_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin SKIP_BUILD_RPATH ON INSTALL_RPATH "" EXPORT_COMPILE_COMMANDS OFF)
# One result everywhere: no contraction on the device either. All warnings are errors, of nvcc, ptxas and the host compiler.
target_compile_options(ride_cuda PRIVATE --fmad=false -Xcompiler=-Wall,-Wextra)
if(RIDE_WERROR)
  target_compile_options(ride_cuda PRIVATE "SHELL:-Werror all-warnings")
endif()
# A spill is a warning, hence an error. Not in sort.cu: CUB's own kernels spill 8 bytes on sm_100.
set(gated ${RIDE_CUDA_SOURCES})
list(FILTER gated EXCLUDE REGEX "/sort\\.cu$")
set_source_files_properties(${gated} PROPERTIES COMPILE_OPTIONS -Xptxas=-warn-spills)
# "80-real;90-virtual" as a word that a macro can hold: sm80_ptx90 (kernels/cuda/probe.cu)
string(REGEX REPLACE "(^|;)([0-9]+[a-z]?)(;|$)" "\\1\\2-real;\\2-virtual\\3" code "${CMAKE_CUDA_ARCHITECTURES}") # without a suffix: both
string(REGEX REPLACE "([0-9]+[a-z]?)-real" "sm\\1" code "${code}")
string(REGEX REPLACE "([0-9]+[a-z]?)-virtual" "ptx\\1" code "${code}")
list(REMOVE_DUPLICATES code)
list(JOIN code " " machines)
list(JOIN code "_" code)
set_source_files_properties(${CMAKE_SOURCE_DIR}/kernels/cuda/probe.cu PROPERTIES COMPILE_DEFINITIONS RIDE_CUDA_CODE=${code})
target_link_options(ride_cuda PRIVATE LINKER:-z,defs LINKER:--exclude-libs,ALL LINKER:--version-script,${CMAKE_SOURCE_DIR}/cmake/plugin.map)
set_target_properties(ride_cuda PROPERTIES LINK_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/plugin.map)
target_link_libraries(ride_cuda PRIVATE Threads::Threads m ${CMAKE_DL_LIBS})
# What the reports and tests about the plugin need to know.
string(JOIN "\", \"" quoted ${CMAKE_CUDA_ARCHITECTURES})
file(WRITE ${CMAKE_BINARY_DIR}/cuda/build.json "{\"root\": \"${RIDE_CUDA_ROOT}\", \"version\": \"${RIDE_CUDA_VERSION}\",
 \"architectures\": [\"${quoted}\"], \"plugin\": \"${CMAKE_BINARY_DIR}/bin/libride_cuda.so\"}\n")
# cuda/report.txt: what the compiler made of each kernel, and how many of them were seen to work.
find_program(RIDE_PYTHON3 python3)
if(RIDE_PYTHON3)
  set(report ${CMAKE_BINARY_DIR}/cuda/report.txt)
  add_custom_command(OUTPUT ${report} COMMAND ${RIDE_PYTHON3} ${CMAKE_SOURCE_DIR}/cmake/kernel_report.py ${CMAKE_BINARY_DIR} --brief
    COMMAND ${RIDE_PYTHON3} ${CMAKE_SOURCE_DIR}/cmake/kernel_status.py --brief
    DEPENDS ride_cuda ${CMAKE_SOURCE_DIR}/cmake/kernel_report.py VERBATIM)
  add_custom_target(cuda_report ALL DEPENDS ${report})
endif()
ride_note("CUDA plugin" "on " "${RIDE_CUDA_WHY}, for ${machines}")
