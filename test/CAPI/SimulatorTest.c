/*===- SimulatorTest.c - The simulator from C99 ---------------------------===*
 *
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Usage: simulator-test SCALE_PTX, that is test/Tools/Inputs/scale.ptx.
 *
 *===----------------------------------------------------------------------===*/

#include "nvfp4-c/Simulator.h"

#include <stdio.h>
#include <string.h>

enum { COUNT = 100 };

static int numFailures = 0;

static void check(int condition, const char *text, int line) {
  if (condition)
    return;
  fprintf(stderr, "SimulatorTest.c:%d: expected %s; last error: %s\n", line,
          text, nvfp4_last_error());
  ++numFailures;
}

static void checkError(nvfp4_status status, const char *part, int line) {
  if (status == NVFP4_ERROR && strstr(nvfp4_last_error(), part))
    return;
  fprintf(stderr, "SimulatorTest.c:%d: expected the error '%s', but got '%s'\n",
          line, part, status == NVFP4_OK ? "success" : nvfp4_last_error());
  ++numFailures;
}

#define CHECK(condition) check(condition, #condition, __LINE__)
#define CHECK_OK(status) check((status) == NVFP4_OK, #status, __LINE__)
#define CHECK_ERROR(status, part) checkError(status, part, __LINE__)

static void testProgram(const char *path, const nvfp4_sim_program *program) {
  nvfp4_sim_parameter parameter;
  nvfp4_sim_program *other = (nvfp4_sim_program *)1;
  CHECK(strcmp(nvfp4_sim_program_target(program), "sm_120a") == 0);
  CHECK(nvfp4_sim_program_num_entries(program) == 2);
  CHECK(strcmp(nvfp4_sim_program_entry_name(program, 0), "scale") == 0);
  CHECK(nvfp4_sim_program_entry_name(program, 2) == NULL);
  CHECK(nvfp4_sim_program_num_parameters(program, 0) == 4);
  CHECK(nvfp4_sim_program_num_parameters(program, 2) == 0);
  CHECK_OK(nvfp4_sim_program_parameter(program, 0, 2, &parameter));
  CHECK(strcmp(parameter.name, "factor") == 0 && parameter.bytes == 4);
  CHECK_ERROR(nvfp4_sim_program_parameter(program, 0, 4, &parameter),
              "expected parameter index below 4, but got 4");
  CHECK_ERROR(nvfp4_sim_program_parameter(program, 9, 0, &parameter),
              "nvfp4_sim_program_parameter");
  CHECK_ERROR(nvfp4_sim_program_load("what?", 5, NULL, &other), "<ptx>:1:");
  CHECK(other == NULL);
  CHECK_ERROR(nvfp4_sim_program_load_file("none.ptx", &other),
              "'none.ptx': cannot open");
  CHECK_ERROR(nvfp4_sim_program_load_file(path, NULL),
              "nvfp4_sim_program_load_file");
  CHECK_ERROR(nvfp4_sim_program_load(NULL, 0, NULL, &other), "null");
  nvfp4_sim_program_free(NULL);
}

static void testMemory(nvfp4_sim_memory *memory) {
  char bytes[64] = {0};
  uint64_t address = 0;
  int64_t offset = 0;
  CHECK_OK(nvfp4_sim_memory_map(memory, bytes, sizeof(bytes), NULL,
                                NVFP4_SIM_UNDEFINED, &address));
  CHECK(address != 0 && address % 512 == 0);
  CHECK_OK(nvfp4_sim_memory_mark_defined(memory, address, 60));
  CHECK_OK(nvfp4_sim_memory_find_undefined(memory, address, &offset));
  CHECK(offset == 60);
  CHECK_OK(nvfp4_sim_memory_mark_defined(memory, address + 60, 4));
  CHECK_OK(nvfp4_sim_memory_find_undefined(memory, address, &offset));
  CHECK(offset == -1);
  CHECK_ERROR(nvfp4_sim_memory_mark_defined(memory, address + 60, 5),
              "expected 5 bytes within one buffer");
  CHECK_ERROR(nvfp4_sim_memory_map(memory, bytes, 64, NULL, 2, &address),
              "expected flags 0 or 1");
  CHECK_ERROR(nvfp4_sim_memory_map(memory, NULL, 1, NULL, 0, &address), "null");
  CHECK_ERROR(nvfp4_sim_memory_map(memory, bytes, UINT64_MAX, "", 0, &address),
              "less than 2^63");
  CHECK_OK(nvfp4_sim_memory_unmap(memory, address));
  CHECK_ERROR(nvfp4_sim_memory_unmap(memory, address),
              "expected the address of a buffer");
  CHECK_ERROR(nvfp4_sim_memory_find_undefined(memory, address, &offset),
              "within one buffer");
}

static void testRun(const nvfp4_sim_program *program,
                    nvfp4_sim_memory *memory) {
  float x[COUNT], y[COUNT], factor = 3;
  uint32_t count = COUNT;
  uint64_t xAddress, yAddress;
  int64_t undefined = 0;
  nvfp4_sim_argument arguments[4];
  nvfp4_sim_launch launch;
  nvfp4_sim_options options;
  nvfp4_sim_report *report = NULL;
  nvfp4_sim_finding finding;
  int i;
  for (i = 0; i < COUNT; ++i)
    x[i] = (float)i;
  CHECK_OK(nvfp4_sim_memory_map(memory, x, sizeof(x), "x", 0, &xAddress));
  CHECK_OK(nvfp4_sim_memory_map(memory, y, sizeof(y), "y", NVFP4_SIM_UNDEFINED,
                                &yAddress));
  arguments[0].data = &xAddress;
  arguments[1].data = &yAddress;
  arguments[2].data = &factor;
  arguments[3].data = &count;
  arguments[0].bytes = arguments[1].bytes = 8;
  arguments[2].bytes = arguments[3].bytes = 4;
  memset(&launch, 0, sizeof(launch));
  launch.struct_size = sizeof(launch);
  launch.entry = "scale";
  launch.grid[0] = 4;
  launch.block[0] = 32;
  launch.arguments = arguments;
  launch.num_arguments = 4;

  CHECK_OK(nvfp4_sim_run(program, &launch, memory, NULL, &report));
  CHECK(nvfp4_sim_report_num_findings(report) == 0);
  for (i = 0; i < COUNT; ++i)
    CHECK(y[i] == 3 * (float)i);
  CHECK_OK(nvfp4_sim_memory_find_undefined(memory, yAddress, &undefined));
  CHECK(undefined == -1);
  CHECK_ERROR(nvfp4_sim_report_finding(report, 0, &finding),
              "expected finding index below 0");
  nvfp4_sim_report_free(report);

  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  options.asynchrony = NVFP4_SIM_RANDOM;
  options.seed = 5;
  options.accumulation = NVFP4_SIM_EXACT;
  options.statistics = 1;
  CHECK_OK(nvfp4_sim_run(program, &launch, memory, &options, &report));
  CHECK(strstr(nvfp4_sim_report_statistics_json(report), "\"float\": 4") !=
        NULL);
  nvfp4_sim_report_free(report);

  /* One element too many: a report with an error, not a failure. */
  count = COUNT + 1;
  CHECK_OK(nvfp4_sim_run(program, &launch, memory, NULL, &report));
  CHECK(nvfp4_sim_report_num_errors(report) >= 1);
  CHECK_OK(nvfp4_sim_report_finding(report, 0, &finding));
  CHECK(finding.severity == NVFP4_SIM_ERROR && finding.line != 0);
  CHECK(finding.cta[0] == 3 && finding.count >= 1);
  CHECK(strcmp(finding.rule, "bounds") == 0);
  CHECK(strstr(nvfp4_sim_report_text(report), finding.message) != NULL);
  CHECK(strstr(nvfp4_sim_report_findings_json(report), "\"bounds\"") != NULL);
  nvfp4_sim_report_free(report);

  /* What cannot be launched is in the report too. */
  arguments[3].bytes = 3;
  CHECK_OK(nvfp4_sim_run(program, &launch, memory, NULL, &report));
  CHECK(nvfp4_sim_report_num_errors(report) == 1);
  nvfp4_sim_report_free(report);
  arguments[3].bytes = 4;
  launch.grid[0] = 0;
  CHECK_OK(nvfp4_sim_run(program, &launch, memory, NULL, &report));
  CHECK(nvfp4_sim_report_num_errors(report) == 1);
  nvfp4_sim_report_free(report);
  launch.grid[0] = 4;

  launch.entry = NULL;
  CHECK_ERROR(nvfp4_sim_run(program, &launch, memory, NULL, &report),
              "expected the name of an entry of a program with 2");
  CHECK(report == NULL);
  launch.struct_size = 4;
  CHECK_ERROR(nvfp4_sim_run(program, &launch, memory, NULL, &report),
              "nvfp4_sim_launch: expected a struct_size");
  launch.struct_size = sizeof(launch);
  launch.entry = "scale";
  launch.arguments = NULL;
  CHECK_ERROR(nvfp4_sim_run(program, &launch, memory, NULL, &report), "null");
  launch.arguments = arguments;
  options.asynchrony = 3;
  CHECK_ERROR(nvfp4_sim_run(program, &launch, memory, &options, &report),
              "expected asynchrony 0 to 2");
  CHECK_ERROR(nvfp4_sim_run(program, NULL, memory, NULL, &report), "null");
  CHECK_OK(nvfp4_sim_memory_unmap(memory, xAddress));
  CHECK_OK(nvfp4_sim_memory_unmap(memory, yAddress));
  nvfp4_sim_report_free(NULL);
}

int main(int argc, char **argv) {
  nvfp4_sim_program *program = NULL;
  nvfp4_sim_memory *memory = NULL;
  uint64_t address;
  if (argc != 2) {
    fprintf(stderr, "usage: %s SCALE_PTX\n", argv[0]);
    return 2;
  }
  CHECK_OK(nvfp4_sim_program_load_file(argv[1], &program));
  CHECK_OK(nvfp4_sim_memory_create(&memory));
  if (program && memory) {
    testProgram(argv[1], program);
    testMemory(memory);
    testRun(program, memory);
    CHECK_ERROR(nvfp4_sim_variable_address(program, memory, "none", &address),
                "expected a variable of the module, but got 'none'");
  }
  nvfp4_sim_memory_free(memory);
  nvfp4_sim_program_free(program);
  nvfp4_sim_memory_free(NULL);
  return numFailures != 0;
}
