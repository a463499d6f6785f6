# steward_options: what every target of ours is compiled with. Flags of a kind of build live in CMakePresets.json.
add_library(steward_options INTERFACE)
target_include_directories(steward_options INTERFACE "${CMAKE_SOURCE_DIR}/bot")
target_compile_definitions(steward_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
  JSON_USE_IMPLICIT_CONVERSIONS=0 STEWARD_VERSION="${PROJECT_VERSION}")
# g++ 12: false alarms inside Boost and the standard library (PR 105562, PR 105593; coroutine frames of Asio once
# inlined are taken for mismatched new and delete), fences unknown to TSan in Asio.
target_compile_options(steward_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Wsuggest-override -Wformat=2 -Wimplicit-fallthrough -Wduplicated-cond
  -Wlogical-op -Wextra-semi -Wno-restrict -Wno-maybe-uninitialized -Wno-null-dereference -Wno-mismatched-new-delete -Wno-tsan)
if(STEWARD_DEV)
  target_compile_options(steward_options INTERFACE -Werror)
endif()
if(STEWARD_SANITIZE)
  # Of UBSan's checks, those left out here look at every pointer there is and double what the compiler has to do; what
  # they would find ends under AddressSanitizer too (a null pointer), or cannot happen in code without casts and RTTI.
  target_compile_options(steward_options INTERFACE -fsanitize=${STEWARD_SANITIZE} -fno-sanitize=null,alignment,vptr,object-size
    -fno-omit-frame-pointer)
  target_link_options(steward_options INTERFACE -fsanitize=${STEWARD_SANITIZE})
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
