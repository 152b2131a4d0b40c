//===- TargetTest.cpp - A target can be added without touching others -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Target.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace nvfp4;

namespace {

/// A target made of nothing but the interface: what somebody else would write.
class DummyTarget : public Target {
public:
  explicit DummyTarget(StringRef name) : name(name) {}

  StringRef getName() const override { return name; }
  StringRef getDeviceName() const override { return "nowhere"; }
  StringRef getDescription() const override { return "does nothing"; }
  void registerDialects(DialectRegistry &registry) const override {}
  void addLowerPasses(OpPassManager &pm) const override {}
  FailureOr<Program> emit(ModuleOp module,
                          const EmitOptions &options) const override {
    Program program;
    program.image = "image of " + name;
    program.triple = "none";
    program.cpu = options.cpu.empty() ? "abacus" : options.cpu;
    return program;
  }

private:
  std::string name;
};

class TargetTest : public ::testing::Test {
protected:
  TargetTest()
      : module(ModuleOp::create(UnknownLoc::get(&context))),
        handler(&context, [this](Diagnostic &diagnostic) {
          message = diagnostic.str();
        }) {}

  const Target *lookup(StringRef name) {
    return registry.lookup(name, [&] { return emitError(module->getLoc()); });
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::string message;
  ScopedDiagnosticHandler handler;
  TargetRegistry registry;
};

TEST_F(TargetTest, FindsEachTargetByItsName) {
  EXPECT_TRUE(succeeded(registry.add(std::make_unique<DummyTarget>("first"))));
  EXPECT_TRUE(succeeded(registry.add(std::make_unique<DummyTarget>("second"))));

  const Target *second = lookup("second");
  ASSERT_NE(second, nullptr);
  FailureOr<Program> program = second->emit(*module, EmitOptions{});
  ASSERT_TRUE(succeeded(program));
  EXPECT_EQ(program->image, "image of second");
  EXPECT_EQ(program->cpu, "abacus");
  EXPECT_EQ(message, "");
}

TEST_F(TargetTest, NamesTheKnownTargetsWhenOneIsUnknown) {
  EXPECT_TRUE(succeeded(registry.add(std::make_unique<DummyTarget>("first"))));
  EXPECT_TRUE(succeeded(registry.add(std::make_unique<DummyTarget>("second"))));

  EXPECT_EQ(lookup("third"), nullptr);
  EXPECT_EQ(message,
            "expected one of the targets first, second, but got 'third'");
}

TEST_F(TargetTest, SaysThatNoTargetIsRegistered) {
  EXPECT_EQ(lookup("cpu"), nullptr);
  EXPECT_EQ(message, "expected a known target, but got 'cpu' and no target is "
                     "registered");
}

TEST_F(TargetTest, RefusesASecondTargetOfTheSameName) {
  EXPECT_TRUE(succeeded(registry.add(std::make_unique<DummyTarget>("first"))));
  EXPECT_TRUE(failed(registry.add(std::make_unique<DummyTarget>("first"))));
  EXPECT_EQ(registry.getTargets().size(), 1u);
}

TEST_F(TargetTest, ReportsAMissingTextForm) {
  DummyTarget target("first");
  EXPECT_TRUE(failed(target.emitText(*module, "ptx", EmitOptions{})));
  EXPECT_EQ(message, "expected a target with a text form, but target 'first' "
                     "has none");
}

} // namespace
