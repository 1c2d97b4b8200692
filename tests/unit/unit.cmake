# heapd_unit_test(name SOURCES file... LIBS target...)
#
# One cmocka program and its entry in ctest, labelled `unit`. The programs lie in bin/unit/ of the
# build folder. A leak fails the test where the build is sanitized; elsewhere the variables say nothing.
include_guard(GLOBAL)

set(HEAPD_TEST_ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1;UBSAN_OPTIONS=print_stacktrace=1"
                           "TSAN_OPTIONS=atexit_sleep_ms=0")

function(heapd_unit_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "heapd_unit_test(${name}): wants SOURCES and LIBS, got ${ARGN}")
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} PkgConfig::CMOCKA)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/unit)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300
                                          ENVIRONMENT "${HEAPD_TEST_ENVIRONMENT}")
endfunction()
