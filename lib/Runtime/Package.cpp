//===- Package.cpp - A package on the disk, checked and loaded ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Expects: any folder. Leaves: a loaded program whose entries, arguments and
// weights are those of the manifest, or an error that names the file.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Runtime/Package.h"
#include "nvfp4/Runtime/Messages.h"

#include <cstring>
#include <dlfcn.h>
#include <filesystem>

using namespace nvfp4;
namespace fs = std::filesystem;

/// The report has a row per contraction; the largest models have some
/// thousands.
static constexpr uint64_t kMaxManifestBytes = 256 << 20;

static std::string getFilePath(const std::string &package, const char *name) {
  return (fs::path(package) / name).string();
}

Result<Manifest> nvfp4::readManifest(const std::string &packagePath) {
  std::error_code error;
  if (!fs::is_directory(packagePath, error))
    return Status::error(
        quote(packagePath) +
        ": expected a package, that is a folder with "
        "manifest.json, but got " +
        (fs::exists(packagePath, error) ? "a file" : "nothing there"));
  std::string path = getFilePath(packagePath, kManifestFileName);
  Result<std::string> text = readTextFile(path, kMaxManifestBytes);
  if (!text)
    return text.getStatus();
  return Manifest::parse(*text, quote(path));
}

/// A dlopen handle.
struct Package::Library {
  void *handle = nullptr;
  ~Library() {
    if (handle)
      ::dlclose(handle);
  }
};

Package::Package() = default;
Package::~Package() = default;

Result<std::unique_ptr<Package>> Package::open(const std::string &path,
                                               const Device &device,
                                               const PackageOptions &options) {
  Result<Manifest> manifest = readManifest(path);
  if (!manifest)
    return manifest.getStatus();
  std::unique_ptr<Package> package(new Package());
  package->path = path;
  package->manifest = std::move(*manifest);
  const ManifestTarget &target = package->manifest.target;
  std::string place = quote(getFilePath(path, kManifestFileName)) + ": target";
  if (!device.runsPackagesFor(target.device))
    return Status::error(place + ": expected a package for device " +
                         quote(device.getName()) + ", but got one for device " +
                         quote(target.device) + " (target " +
                         quote(target.name) + ")");
  Status status = device.checkTarget(target, place);
  if (status)
    status = package->checkFiles(options);
  if (status)
    status = package->openWeights();
  if (status)
    status = package->loadProgram();
  if (!status)
    return status;
  return package;
}

Status Package::checkFiles(const PackageOptions &options) {
  for (const auto &[name, expected] : manifest.files) {
    std::string file = getFilePath(path, name.c_str());
    Result<UniqueFd> fd = openForReading(file);
    if (!fd)
      return fd.getStatus();
    Result<uint64_t> bytes = getFileSize(*fd, file);
    if (!bytes)
      return bytes.getStatus();
    if (*bytes != expected.bytes)
      return Status::error(quote(file) + ": expected " +
                           std::to_string(expected.bytes) + " bytes, but got " +
                           std::to_string(*bytes));
    if (!options.verifyChecksums)
      continue;
    Result<FileDigest> digest = computeFileDigest(file);
    if (!digest)
      return digest.getStatus();
    if (digest->xxh3 != expected.xxh3)
      return Status::error(quote(file) + ": expected XXH3-128 checksum " +
                           expected.xxh3 + ", but got " + digest->xxh3);
  }
  return Status();
}

Status Package::openWeights() {
  std::string file = getFilePath(path, kWeightsFileName);
  Result<SafetensorsFile> opened = SafetensorsFile::open(file);
  if (!opened)
    return opened.getStatus();
  for (const ManifestEntry &entry : manifest.entries) {
    for (const ManifestArgument &argument : entry.arguments) {
      if (argument.isInput())
        continue;
      const TensorInfo *info = opened->find(argument.weightName);
      std::string place =
          quote(file) + ": tensor " + quote(argument.weightName);
      std::string expected = std::string(getDTypeName(argument.dtype)) + " " +
                             formatShape(argument.shape);
      if (!info)
        return Status::error(place + ": expected " + expected + " for entry " +
                             quote(entry.name) + ", but got no such tensor");
      if (info->dtype != argument.dtype || info->shape != argument.shape)
        return Status::error(place + ": expected " + expected + ", but got " +
                             std::string(getDTypeName(info->dtype)) + " " +
                             formatShape(info->shape));
    }
  }
  Result<MappedFile> view = opened->map();
  if (!view)
    return view.getStatus();
  weightsView = std::make_unique<MappedFile>(std::move(*view));
  weights = opened->getHeader();
  return Status();
}

const void *Package::getWeightData(const std::string &name) const {
  return weightsView->data() + weights.find(name)->offset;
}

Status Package::loadProgram() {
  // A name without a slash would be searched for in the system's folders.
  std::error_code error;
  std::string file =
      fs::absolute(getFilePath(path, kProgramFileName), error).string();
  library = std::make_unique<Library>();
  library->handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library->handle) {
    const char *reason = ::dlerror();
    return Status::error(quote(file) +
                         ": expected a shared object for this "
                         "machine, but got: " +
                         (reason ? reason : "an unknown error"));
  }
  void *symbol = ::dlsym(library->handle, NVFP4_PROGRAM_SYMBOL);
  if (!symbol)
    return Status::error(quote(file) + ": expected the symbol "
                                       "'" NVFP4_PROGRAM_SYMBOL
                                       "', but got none of that name");
  return readProgram(*static_cast<const nvfp4_program_descriptor *>(symbol));
}

/// Compares one of the program's counts with the manifest's.
static Status checkCount(const char *what, size_t expected, uint32_t got,
                         const std::string &place) {
  if (expected == got)
    return Status();
  return Status::error(place + ": expected " + std::to_string(expected) + " " +
                       what + ", as the manifest says, but got " +
                       std::to_string(got));
}

static_assert(offsetof(nvfp4_program_descriptor, num_images) ==
                  NVFP4_PROGRAM_DESCRIPTOR_BYTES_1,
              "what version 1 has ends where version 2 begins");

/// Whether a table of the descriptor has rows but no address.
static bool isMissing(uint32_t count, const void *table) {
  return count != 0 && !table;
}

Status Package::readProgram(const nvfp4_program_descriptor &exported) {
  std::string place = quote(getFilePath(path, kProgramFileName));
  if (exported.abi_version < NVFP4_PROGRAM_ABI_VERSION ||
      exported.abi_version > NVFP4_PROGRAM_ABI_VERSION_KERNELS)
    return Status::error(place + ": expected a program ABI version from " +
                         std::to_string(NVFP4_PROGRAM_ABI_VERSION) + " to " +
                         std::to_string(NVFP4_PROGRAM_ABI_VERSION_KERNELS) +
                         ", but got " + std::to_string(exported.abi_version));
  bool hasDeviceCode =
      exported.abi_version == NVFP4_PROGRAM_ABI_VERSION_DEVICE ||
      exported.abi_version == NVFP4_PROGRAM_ABI_VERSION_TENSOR_MAPS;
  // A later version may append fields, which this reader does not need.
  size_t bytes = hasDeviceCode ? sizeof(nvfp4_program_descriptor)
                               : NVFP4_PROGRAM_DESCRIPTOR_BYTES_1;
  if (exported.struct_size < bytes)
    return Status::error(place + ": expected a descriptor of at least " +
                         std::to_string(bytes) + " bytes, but got " +
                         std::to_string(exported.struct_size));
  std::memcpy(&program, &exported, bytes);
  if (isMissing(program.num_entries, program.entries) ||
      isMissing(program.num_images, program.images) ||
      isMissing(program.num_kernels, program.kernels))
    return Status::error(place + ": expected a descriptor with its tables, "
                                 "but got null");
  if (Status status = checkKernels(); !status)
    return status;
  return checkEntries();
}

Status Package::checkKernels() const {
  std::string place = quote(getFilePath(path, kProgramFileName));
  for (uint32_t i = 0; i < program.num_images; ++i) {
    const nvfp4_image &image = program.images[i];
    if (!image.chip || !image.data)
      return Status::error(place + ": image " + std::to_string(i) +
                           ": expected a chip and data, but got null");
  }
  for (uint32_t i = 0; i < program.num_kernels; ++i) {
    const nvfp4_kernel &kernel = program.kernels[i];
    if (!kernel.name || isMissing(kernel.num_args, kernel.arg_bytes))
      return Status::error(place + ": kernel " + std::to_string(i) +
                           ": expected a name and the sizes of its arguments, "
                           "but got null");
  }
  return Status();
}

Status Package::checkEntries() {
  std::string place = quote(getFilePath(path, kProgramFileName));
  if (Status status = checkCount("entries", manifest.entries.size(),
                                 program.num_entries, place);
      !status)
    return status;
  for (size_t i = 0; i < manifest.entries.size(); ++i) {
    const ManifestEntry &expected = manifest.entries[i];
    const nvfp4_entry &got = program.entries[i];
    if (!got.name || expected.name != got.name)
      return Status::error(place + ": expected entry " + std::to_string(i) +
                           " to be " + quote(expected.name) + ", but got " +
                           quote(got.name ? got.name : ""));
    std::string entryPlace = place + ": entry " + quote(expected.name);
    Status status = checkCount("dimensions", expected.dimensions.size(),
                               got.num_dims, entryPlace);
    if (status)
      status = checkCount("arguments", expected.arguments.size(), got.num_args,
                          entryPlace);
    if (status)
      status = checkCount("results", expected.results.size(), got.num_results,
                          entryPlace);
    if (status && (!got.plan || !got.run))
      status = Status::error(entryPlace + ": expected the functions 'plan' and "
                                          "'run', but got null");
    if (!status)
      return status;
    entries.push_back(&got);
  }
  return Status();
}
