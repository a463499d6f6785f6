# steward_layer(NAME SOURCES … PUBLIC … PRIVATE …): the static library of one layer.
# PUBLIC: what its headers need; PRIVATE: what only its sources include (so that pqxx, Beast and json do not leak).
function(steward_layer name)
  cmake_parse_arguments(LAYER "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(steward_${name} STATIC ${LAYER_SOURCES})
  target_link_libraries(steward_${name} PUBLIC steward_options ${LAYER_PUBLIC} PRIVATE ${LAYER_PRIVATE})
endfunction()

# steward_test(NAME SOURCES … LIBS … LABELS …): one GoogleTest program; its tests are found when ctest runs.
function(steward_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_LIBS} steward_options GTest::gmock_main)
  add_dependencies(tests ${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${TEST_LABELS}")
endfunction()
