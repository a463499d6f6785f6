# steward_embed(TARGET … KIND sql|text FILES …): turns files into a C++ source with one constant each (scripts/embed.py).
find_package(Python3 REQUIRED COMPONENTS Interpreter)
function(steward_embed target)
  cmake_parse_arguments(EMBED "" "KIND" "FILES" ${ARGN})
  set(out "${CMAKE_CURRENT_BINARY_DIR}/${target}_embedded.cpp")
  add_custom_command(OUTPUT "${out}"
    COMMAND Python3::Interpreter "${CMAKE_SOURCE_DIR}/cmake/embed.py" ${EMBED_KIND} "${out}" ${EMBED_FILES}
    DEPENDS "${CMAKE_SOURCE_DIR}/cmake/embed.py" ${EMBED_FILES}
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Embedding ${EMBED_KIND} files of ${target}" VERBATIM)
  target_sources(${target} PRIVATE "${out}")
endfunction()
