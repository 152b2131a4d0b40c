# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Fails if a library exports anything but nvfp4_*.
#   cmake -DNM=nm -DLIBRARY=lib.so -P CheckSymbols.cmake
execute_process(COMMAND ${NM} -D --defined-only --format=posix ${LIBRARY}
  OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${output}")
set(count 0)
foreach(line IN LISTS lines)
  # "NVFP4_1 A" is the version itself.
  if(line MATCHES "^nvfp4_[a-z0-9_]+(@@NVFP4_1)? T")
    math(EXPR count "${count} + 1")
  elseif(NOT line MATCHES "^NVFP4_1(@@NVFP4_1)? A")
    message(FATAL_ERROR "expected exports named nvfp4_*, but got: ${line}")
  endif()
endforeach()
if(count EQUAL 0)
  message(FATAL_ERROR "expected exports named nvfp4_*, but got none")
endif()
message(STATUS "${count} functions exported")
