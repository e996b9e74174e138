# Targets for people: tidy (clang-tidy), cppcheck, format, and coverage in a coverage build.
find_program(RIDE_CLANG_FORMAT clang-format-14)
find_program(RIDE_CLANG_TIDY clang-tidy-14)
find_program(RIDE_RUN_CLANG_TIDY run-clang-tidy-14)
find_program(RIDE_CPPCHECK cppcheck)
foreach(tool CLANG_FORMAT CLANG_TIDY CPPCHECK)
  string(TOLOWER ${tool} what)
  string(REPLACE "_" "-" what ${what})
  if(RIDE_${tool})
    ride_note("${what}" "on " "${RIDE_${tool}}")
  else()
    ride_note("${what}" "off" "not found")
  endif()
endforeach()
if(CCACHE)
  ride_note("ccache" "on " "${CCACHE}")
else()
  ride_note("ccache" "off" "not found")
endif()
if(RIDE_SANITIZE)
  ride_note("sanitizers" "on " "${RIDE_SANITIZE}")
endif()

if(RIDE_RUN_CLANG_TIDY AND RIDE_CLANG_TIDY) # .clang-tidy says which checks and why
  add_custom_target(tidy
    COMMAND ${RIDE_RUN_CLANG_TIDY} -clang-tidy-binary ${RIDE_CLANG_TIDY} -quiet -p ${CMAKE_BINARY_DIR}
            "^${CMAKE_SOURCE_DIR}/(host|kernels|models|io|scheduler)/.*\\.c$$"
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM USES_TERMINAL)
endif()
if(RIDE_CPPCHECK) # cmake/cppcheck.txt says what is left out and why
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/cppcheck)
  add_custom_target(cppcheck
    COMMAND ${RIDE_CPPCHECK} --project=${CMAKE_BINARY_DIR}/compile_commands.json --enable=warning,performance,portability
            --std=c17 -D__cppcheck__ --inline-suppr --suppressions-list=${CMAKE_SOURCE_DIR}/cmake/cppcheck.txt --quiet --error-exitcode=1
            --cppcheck-build-dir=${CMAKE_BINARY_DIR}/cppcheck "--file-filter=${CMAKE_SOURCE_DIR}/*"
            -i${CMAKE_SOURCE_DIR}/tests -i${CMAKE_SOURCE_DIR}/bench
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM USES_TERMINAL)
endif()
if(RIDE_CLANG_FORMAT) # formats what git tracks; tests/lint/test_format.py checks the same files
  add_custom_target(format
    COMMAND sh -c "git ls-files -z '*.c' '*.h' '*.cc' '*.cu' '*.cuh' | xargs -0 ${RIDE_CLANG_FORMAT} -i"
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM)
endif()
if(RIDE_COVERAGE) # without the two that only repeat over much data what others do
  include(ProcessorCount)
  ProcessorCount(cores)
  add_custom_target(coverage
    COMMAND ${CMAKE_CTEST_COMMAND} --test-dir ${CMAKE_BINARY_DIR} -j ${cores} -L "^(unit|conformance|stress|fuzz|integration)$$"
            -E "integration/(windows_pandas|train)" --output-on-failure
    COMMAND ${CMAKE_SOURCE_DIR}/scripts/python ${CMAKE_SOURCE_DIR}/cmake/coverage.py ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM USES_TERMINAL)
endif()
