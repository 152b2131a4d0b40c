/*===- nvfp4-c/Simulator.h - Run PTX from C --------------------*- C -*-===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Loads PTX, launches its kernels on memory of the caller, and tells what is
 * wrong with them. docs/Simulator.md says what counts as wrong. Link with
 * libNVFP4Runtime. C99; no exception leaves, nothing prints, nothing exits.
 *
 * Functions that can fail return NVFP4_OK or NVFP4_ERROR; the reason is then in
 * `nvfp4_last_error`. Pointers that a function returns belong to the object it
 * was asked about and live as long as that. Structs that say so are filled with
 * zeros first; 0 and NULL mean the default.
 *
 *===----------------------------------------------------------------------===*/

#ifndef NVFP4_C_SIMULATOR_H
#define NVFP4_C_SIMULATOR_H

#include "nvfp4-c/Runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* C has no namespaces: NOLINTBEGIN(readability-identifier-naming) */

/** Decoded PTX. Immutable: any number of threads may launch from one. */
typedef struct nvfp4_sim_program nvfp4_sim_program;

/** The global memory of a simulated device. One thread at a time. */
typedef struct nvfp4_sim_memory nvfp4_sim_memory;

/** What one launch found and counted. */
typedef struct nvfp4_sim_report nvfp4_sim_report;

/*===----------------------------------------------------------------------===*
 * Programs
 *===----------------------------------------------------------------------===*/

/** Parses and decodes `bytes` bytes of PTX text. `file_name` is for messages;
 * NULL: "<ptx>". Stores the program, to be freed with `nvfp4_sim_program_free`.
 *
 * Fails with all syntax errors, or all instructions that the simulator does not
 * know, with their lines; `*program` is NULL then. */
nvfp4_status nvfp4_sim_program_load(const char *text, size_t bytes,
                                    const char *file_name,
                                    nvfp4_sim_program **program);

/** As `nvfp4_sim_program_load`, from a file. */
nvfp4_status nvfp4_sim_program_load_file(const char *path,
                                         nvfp4_sim_program **program);

/** Frees a program; NULL is ignored. Reports that it gave stay valid. */
void nvfp4_sim_program_free(nvfp4_sim_program *program);

/** The `.target` of the PTX, such as "sm_120a". */
const char *nvfp4_sim_program_target(const nvfp4_sim_program *program);

/** How many kernels a program has. */
size_t nvfp4_sim_program_num_entries(const nvfp4_sim_program *program);

/** The name of a kernel; NULL if `entry` is out of range. */
const char *nvfp4_sim_program_entry_name(const nvfp4_sim_program *program,
                                         size_t entry);

/** How many parameters a kernel has; 0 if `entry` is out of range. */
size_t nvfp4_sim_program_num_parameters(const nvfp4_sim_program *program,
                                        size_t entry);

/** A parameter of a kernel. */
typedef struct nvfp4_sim_parameter {
  const char *name;
  uint64_t bytes;
  uint32_t alignment;
  uint32_t reserved;
} nvfp4_sim_parameter;

/** Describes a parameter. Fails if an index is out of range. */
nvfp4_status nvfp4_sim_program_parameter(const nvfp4_sim_program *program,
                                         size_t entry, size_t index,
                                         nvfp4_sim_parameter *parameter);

/*===----------------------------------------------------------------------===*
 * Memory
 *===----------------------------------------------------------------------===*/

/** Makes an empty device memory, to be freed with `nvfp4_sim_memory_free`. */
nvfp4_status nvfp4_sim_memory_create(nvfp4_sim_memory **memory);

/** Frees a device memory; NULL is ignored. What was mapped stays the caller's.
 */
void nvfp4_sim_memory_free(nvfp4_sim_memory *memory);

/** The bytes of a buffer are no data yet: a kernel must write them before it
 * uses them. */
#define NVFP4_SIM_UNDEFINED 1u

/** Makes `bytes` bytes at `data` visible to kernels and stores their device
 * address, a multiple of 512. They belong to the caller and stay where they are
 * until unmapped. `name` is for messages; NULL: none. `flags` is 0 or
 * NVFP4_SIM_UNDEFINED. */
nvfp4_status nvfp4_sim_memory_map(nvfp4_sim_memory *memory, void *data,
                                  uint64_t bytes, const char *name,
                                  uint32_t flags, uint64_t *address);

/** Removes the buffer at `address`. Fails if there is none. */
nvfp4_status nvfp4_sim_memory_unmap(nvfp4_sim_memory *memory, uint64_t address);

/** Tells that the host wrote bytes: they are defined from now on. Fails if they
 * are not within one buffer. */
nvfp4_status nvfp4_sim_memory_mark_defined(nvfp4_sim_memory *memory,
                                           uint64_t address, uint64_t bytes);

/** Stores the offset of the first byte with an undefined bit in the buffer at
 * `address`, or -1: what an output must not have (rule R11). Fails if there is
 * no such buffer. */
nvfp4_status nvfp4_sim_memory_find_undefined(const nvfp4_sim_memory *memory,
                                             uint64_t address, int64_t *offset);

/** Stores the device address of a module variable of a program: it lives in
 * `memory` from the first launch, or the first such call, on. Fails if there is
 * none of that name. */
nvfp4_status nvfp4_sim_variable_address(const nvfp4_sim_program *program,
                                        nvfp4_sim_memory *memory,
                                        const char *name, uint64_t *address);

/*===----------------------------------------------------------------------===*
 * Launching
 *===----------------------------------------------------------------------===*/

/** One kernel argument: its bytes, as many as the parameter has. A pointer is
 * the 8 bytes of a device address. */
typedef struct nvfp4_sim_argument {
  const void *data;
  size_t bytes;
} nvfp4_sim_argument;

/** What to launch. Fill with zeros and set `struct_size`. */
typedef struct nvfp4_sim_launch {
  /** sizeof(nvfp4_sim_launch) of the caller. */
  uint32_t struct_size;
  uint32_t dynamic_shared_bytes;
  /** The kernel; NULL: the only one of the program. */
  const char *entry;
  /** Blocks of the grid, threads of a block, blocks of a cluster. 0 means 1,
   * but in grid[0] and block[0], where it is an error. */
  uint32_t grid[3];
  uint32_t block[3];
  uint32_t cluster[3];
  uint32_t reserved;
  const nvfp4_sim_argument *arguments;
  size_t num_arguments;
} nvfp4_sim_launch;

/** When asynchronous effects become visible. */
#define NVFP4_SIM_LATE 0
#define NVFP4_SIM_EARLY 1
#define NVFP4_SIM_RANDOM 2

/** How matrix instructions add. */
#define NVFP4_SIM_HARDWARE 0
#define NVFP4_SIM_EXACT 1

/** How to run. Fill with zeros and set `struct_size`. */
typedef struct nvfp4_sim_options {
  /** sizeof(nvfp4_sim_options) of the caller. */
  uint32_t struct_size;
  /** NVFP4_SIM_LATE and so on. */
  uint32_t asynchrony;
  /** For NVFP4_SIM_RANDOM. */
  uint64_t seed;
  /** NVFP4_SIM_HARDWARE or NVFP4_SIM_EXACT. */
  uint32_t accumulation;
  /** Not 0: look for no races and missing waits (R1 to R10). */
  uint32_t skip_ordering;
  /** Not 0: look for no use of undefined data (R11). */
  uint32_t skip_definedness;
  /** Not 0: warnings become errors. */
  uint32_t strict;
  /** Not 0: count; see `nvfp4_sim_report_statistics_json`. */
  uint32_t statistics;
  /** Threads of the CPU; 0: all. */
  uint32_t num_threads;
  /** Limits; 0: the default. */
  uint64_t max_instructions;
  uint64_t max_memory;
} nvfp4_sim_options;

/** Runs a kernel to its end, or to an error that the simulator found in it, and
 * stores the report, to be freed with `nvfp4_sim_report_free`. `options` may be
 * NULL.
 *
 * Returns NVFP4_OK if there is a report, whatever it says: look at
 * `nvfp4_sim_report_num_errors`. Fails if an argument of this function is
 * wrong; `*report` is NULL then. */
nvfp4_status nvfp4_sim_run(const nvfp4_sim_program *program,
                           const nvfp4_sim_launch *launch,
                           nvfp4_sim_memory *memory,
                           const nvfp4_sim_options *options,
                           nvfp4_sim_report **report);

/** Frees a report; NULL is ignored. */
void nvfp4_sim_report_free(nvfp4_sim_report *report);

/*===----------------------------------------------------------------------===*
 * Reports
 *===----------------------------------------------------------------------===*/

#define NVFP4_SIM_WARNING 0
#define NVFP4_SIM_ERROR 1

/** One thing found wrong, or worth a warning. */
typedef struct nvfp4_sim_finding {
  /** NVFP4_SIM_WARNING or NVFP4_SIM_ERROR. */
  uint32_t severity;
  /** Line of the PTX; 0 if there is none. */
  uint32_t line;
  /** Line of the other access; 0 if there is none. */
  uint32_t other_line;
  /** Block, warp and lane that met it first. */
  uint32_t cta[3];
  uint32_t warp;
  uint32_t lane;
  /** How often it was met. */
  uint64_t count;
  /** "R4", or a word such as "bounds". */
  const char *rule;
  const char *message;
} nvfp4_sim_finding;

/** How many findings there are, errors first, and how many are errors. */
size_t nvfp4_sim_report_num_findings(const nvfp4_sim_report *report);
size_t nvfp4_sim_report_num_errors(const nvfp4_sim_report *report);

/** Describes a finding. Fails if `index` is out of range. */
nvfp4_status nvfp4_sim_report_finding(const nvfp4_sim_report *report,
                                      size_t index, nvfp4_sim_finding *finding);

/** All findings as text, one per line, with a last line that counts them. */
const char *nvfp4_sim_report_text(const nvfp4_sim_report *report);

/** All findings, and all counts, as JSON; docs/Simulator.md has the schemas.
 * Counts are 0 without `statistics` in the options. */
const char *nvfp4_sim_report_findings_json(const nvfp4_sim_report *report);
const char *nvfp4_sim_report_statistics_json(const nvfp4_sim_report *report);

/* NOLINTEND(readability-identifier-naming) */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* NVFP4_C_SIMULATOR_H */
