# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# One function per kind of target. Sources are listed by name and every
# dependency is declared where it is used.

set(NVFP4_WARNINGS -Wall -Wextra -Wno-unused-parameter -Werror=switch -Werror=return-type)

# A library without MLIR: Support, Runtime, and whatever a user ships.
#   add_nvfp4_library(NVFP4Support A.cpp B.cpp LINK_LIBS foo)
function(add_nvfp4_library name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_compile_options(${name} PRIVATE ${NVFP4_WARNINGS})
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${name} PUBLIC ${ARG_LINK_LIBS})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  install(TARGETS ${name} EXPORT NVFP4Targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()

# A library of the compiler. MLIR_LIBS are MLIR's component libraries: with the
# shared libMLIR they collapse into one, with the static ones each must be named.
#   add_nvfp4_mlir_library(NVFP4IR Ops.cpp MLIR_LIBS MLIRIR LINK_LIBS NVFP4Support DEPENDS NVFP4OpsIncGen)
function(add_nvfp4_mlir_library name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS;MLIR_LIBS;LLVM_COMPONENTS;DEPENDS" ${ARGN})
  add_nvfp4_library(${name} ${ARG_UNPARSED_ARGUMENTS}
    LINK_LIBS ${ARG_LINK_LIBS} DEPENDS ${ARG_DEPENDS})
  mlir_target_link_libraries(${name} PUBLIC ${ARG_MLIR_LIBS})
  nvfp4_link_llvm(${name} PUBLIC ${ARG_LLVM_COMPONENTS})
  nvfp4_use_pch(${name})
  set_property(GLOBAL APPEND PROPERTY NVFP4_MLIR_LIBRARIES ${name})
endfunction()

# Distributions link even the static MLIR libraries against the shared LLVM, and
# a process with two LLVMs frees in one what the other allocated.
function(nvfp4_link_llvm name visibility)
  if(NVFP4_LINK_MLIR_DYLIB OR LLVM_LINK_LLVM_DYLIB)
    target_link_libraries(${name} ${visibility} LLVM)
  elseif(ARGN)
    llvm_map_components_to_libnames(libs ${ARGN})
    target_link_libraries(${name} ${visibility} ${libs})
  endif()
endfunction()

# MLIR's headers dominate the compile time of every file: parse them once.
function(nvfp4_use_pch name)
  if(NOT TARGET NVFP4PrecompiledHeaders)
    file(WRITE ${PROJECT_BINARY_DIR}/pch.cpp "")
    add_library(NVFP4PrecompiledHeaders OBJECT ${PROJECT_BINARY_DIR}/pch.cpp)
    target_compile_options(NVFP4PrecompiledHeaders PRIVATE ${NVFP4_WARNINGS})
    target_precompile_headers(NVFP4PrecompiledHeaders PRIVATE
      <mlir/Dialect/Arith/IR/Arith.h>
      <mlir/Dialect/Func/IR/FuncOps.h>
      <mlir/Dialect/Linalg/IR/Linalg.h>
      <mlir/Dialect/MemRef/IR/MemRef.h>
      <mlir/Dialect/SCF/IR/SCF.h>
      <mlir/Dialect/Tensor/IR/Tensor.h>
      <mlir/IR/BuiltinOps.h>
      <mlir/IR/PatternMatch.h>
      <mlir/Pass/PassManager.h>
      <mlir/Transforms/DialectConversion.h>)
  endif()
  target_precompile_headers(${name} REUSE_FROM NVFP4PrecompiledHeaders)
endfunction()

# An executable. Add MLIR through nvfp4_use_mlir(name libs…) below.
function(add_nvfp4_tool name)
  cmake_parse_arguments(ARG "NO_INSTALL" "" "LINK_LIBS;MLIR_LIBS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_compile_options(${name} PRIVATE ${NVFP4_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK_LIBS})
  if(ARG_MLIR_LIBS)
    mlir_target_link_libraries(${name} PRIVATE ${ARG_MLIR_LIBS})
    nvfp4_link_llvm(${name} PRIVATE)
    # Executables default to -fPIE, which the precompiled header is not.
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIC)
    nvfp4_use_pch(${name})
  endif()
  if(NOT ARG_NO_INSTALL)
    install(TARGETS ${name} EXPORT NVFP4Targets
      RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()

# A GoogleTest program, run by ctest under its own name.
function(add_nvfp4_unittest name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS;MLIR_LIBS" ${ARGN})
  add_nvfp4_tool(${name} ${ARG_UNPARSED_ARGUMENTS} NO_INSTALL
    LINK_LIBS ${ARG_LINK_LIBS} GTest::gtest_main MLIR_LIBS ${ARG_MLIR_LIBS})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/unittests)
  add_dependencies(nvfp4-unit-tests ${name})
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# A libFuzzer program. Its seeds are the files of test/Fuzz/corpus/<name>.
# The preset `fuzz` instruments the libraries too.
function(add_nvfp4_fuzzer name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS;MLIR_LIBS" ${ARGN})
  if(NOT TARGET nvfp4-fuzzers)
    add_custom_target(nvfp4-fuzzers)
  endif()
  add_nvfp4_tool(${name} ${ARG_UNPARSED_ARGUMENTS} NO_INSTALL
    LINK_LIBS ${ARG_LINK_LIBS} MLIR_LIBS ${ARG_MLIR_LIBS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzzers)
  add_dependencies(nvfp4-fuzzers ${name})
endfunction()
