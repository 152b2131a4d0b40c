# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lit configuration: FileCheck tests of passes, tools and documentation."""

import os
import shutil
import subprocess

import lit.formats
import lit.llvm

config.name = "NVFP4"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test", ".py"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = config.nvfp4_binary_dir + "/test"
config.excludes = ["Inputs", "run_examples.py", "CMakeLists.txt", "lit.cfg.py", "lit.site.cfg.py", "Unit", "Consumer", "Fuzz", "attention_layers.py", "golden.py", "gpu_layers.py", "harness.py", "kernel_harness.py", "simulate.py"]

config.substitutions.append(("%python", config.python))
config.substitutions.append(("%inputs", config.test_source_root + "/Inputs"))
config.substitutions.append(("%src_root", config.nvfp4_source_dir))
config.substitutions.append(("%bin", config.nvfp4_binary_dir + "/bin"))
config.substitutions.append(("%fake_cuda", config.nvfp4_binary_dir + "/unittests/programs/libNVFP4FakeCuda.so"))

config.environment["PATH"] = os.pathsep.join(
    [config.nvfp4_binary_dir + "/bin", config.llvm_tools_dir, config.environment.get("PATH", "")]
)
# Remarks and errors must not depend on the machine's language.
config.environment["LC_ALL"] = "C"

# Optional tools.
if shutil.which("ptxas"):
    config.available_features.add("ptxas")
if subprocess.run([config.python, "-c", "import numpy"], capture_output=True).returncode == 0:
    config.available_features.add("numpy")
# A GPU: "cuda", and "cuda-sm_90" for its compute capability.
query_gpu = """
import ctypes
driver, value = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
assert driver.cuInit(0) == 0
for attribute in (75, 76):
    assert driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, 0) == 0
    print(value.value, end="")
"""
gpu = subprocess.run([config.python, "-c", query_gpu], capture_output=True, text=True)
if gpu.returncode == 0:
    config.available_features.update({"cuda", f"cuda-sm_{gpu.stdout}"})
# A small disk of one's own, to fill it.
mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", config.nvfp4_binary_dir]
if shutil.which("unshare") and subprocess.run(mount, capture_output=True).returncode == 0:
    config.available_features.add("tmpfs")
for name, path in (("minilm-weights", config.minilm_weights),):
    if path and os.path.exists(path):
        config.available_features.add(name)
        config.substitutions.append(("%minilm_weights", path))
