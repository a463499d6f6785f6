# steward_embed(TARGET KIND sql|schema|text NAMESPACE ns INCLUDE "folder/name.hpp" FILES …): turns files into constants
# (cmake/embed.py says which). Users of TARGET include the generated header by the name given.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
function(steward_embed target)
  cmake_parse_arguments(EMBED "" "KIND;NAMESPACE;INCLUDE" "FILES" ${ARGN})
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/embedded")
  string(REGEX REPLACE "\\.hpp$" ".cpp" source "${folder}/${EMBED_INCLUDE}")
  set(header "${folder}/${EMBED_INCLUDE}")
  add_custom_command(OUTPUT "${source}" "${header}"
    COMMAND Python3::Interpreter "${CMAKE_SOURCE_DIR}/cmake/embed.py" ${EMBED_KIND} "${source}" "${header}"
            ${EMBED_NAMESPACE} ${EMBED_INCLUDE} ${EMBED_FILES}
    DEPENDS "${CMAKE_SOURCE_DIR}/cmake/embed.py" ${EMBED_FILES}
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Embedding the ${EMBED_KIND} files of ${target}" VERBATIM)
  target_sources(${target} PRIVATE "${source}" "${header}")
  target_include_directories(${target} PUBLIC "${folder}")
endfunction()
