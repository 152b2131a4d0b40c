#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Interesting (1) if the module has the op.
if grep -q nvfp4.hadamard "$1"; then exit 1; fi
exit 0
