//===- PolicyTest.cpp - Rules, globs, positions ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Policy.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "gtest/gtest.h"

#include <set>

using namespace nvfp4;

namespace {

bool globMatches(llvm::StringRef glob, llvm::StringRef text) {
  GlobList globs;
  EXPECT_FALSE(llvm::errorToBool(globs.add(glob))) << glob.str();
  return globs.matches(text);
}

Policy parse(llvm::StringRef text) {
  llvm::Expected<Policy> policy = parsePolicy(text, "test.json");
  if (!policy) {
    ADD_FAILURE() << llvm::toString(policy.takeError());
    return {};
  }
  return std::move(*policy);
}

std::string errorOf(llvm::StringRef text) {
  llvm::Expected<Policy> policy = parsePolicy(text, "test.json");
  return policy ? "" : llvm::toString(policy.takeError());
}

/// A linear layer; rules that look at extents need a contraction.
Site makeSite(llvm::StringRef name, SiteClass siteClass = SiteClass::Linear) {
  Site site;
  site.siteClass = siteClass;
  site.name = name.str();
  site.weightName = name.str() + ".weight";
  site.block = parseBlockPosition(name);
  if (site.block)
    site.block->count = 10;
  return site;
}

Site makeSite(int64_t m, int64_t n, int64_t k) {
  Site site = makeSite("fc");
  site.contraction.emplace();
  site.contraction->extents = {m, n, k};
  site.contraction->m = {0};
  site.contraction->n = {1};
  site.contraction->k = {2};
  return site;
}

TEST(Globs, StarCrossesDots) {
  EXPECT_TRUE(globMatches("*.q_proj", "model.layers.0.self_attn.q_proj"));
  EXPECT_TRUE(globMatches("*router*", "a.router.b"));
  EXPECT_FALSE(globMatches("*.gate", "model.mlp.gate_proj"));
  EXPECT_FALSE(globMatches("lm_head", "model.lm_head"));
}

TEST(Globs, ClassesAlternativesEscapes) {
  EXPECT_TRUE(globMatches("*.fc[12]", "mlp.fc2"));
  EXPECT_FALSE(globMatches("*.fc[^12]", "mlp.fc2"));
  EXPECT_TRUE(globMatches("{wq,wk}.?", "wk.0"));
  EXPECT_TRUE(globMatches("a\\*b", "a*b"));
  EXPECT_FALSE(globMatches("a\\*b", "axb"));
}

TEST(Globs, SurviveMoves) {
  GlobList first;
  for (int i = 0; i < 20; ++i)
    ASSERT_FALSE(llvm::errorToBool(first.add("x" + std::to_string(i) + "*")));
  GlobList second = std::move(first);
  EXPECT_EQ(second.find("x17z"), 1u); // x1* comes before x17*.
  EXPECT_EQ(second.find("y"), std::nullopt);
}

TEST(BlockPosition, Names) {
  auto check = [](llvm::StringRef name, llvm::StringRef stack, int64_t index) {
    auto position = parseBlockPosition(name);
    ASSERT_TRUE(position) << name.str();
    EXPECT_EQ(position->stack, stack.str());
    EXPECT_EQ(position->index, index);
  };
  check("model.layers.12.self_attn.q_proj", "model.layers", 12);
  check("encoder.layer.0.output.dense", "encoder.layer", 0);
  check("transformer.h.3.attn.c_attn", "transformer.h", 3);
  check("visual.blocks.4.mlp", "visual.blocks", 4);
  check("encoder.block.2.layer.0.SelfAttention.q", "encoder.block", 2);
  check("transformer_blocks.7.ff", "transformer_blocks", 7);
  check("model.layers.3.mlp.experts.5.up_proj", "model.layers", 3);
  for (llvm::StringRef name : {"lm_head", "mlp.0.weight", "layers", "0.layers",
                               "layers.x", "layers.-1", "path.3"})
    EXPECT_FALSE(parseBlockPosition(name)) << name.str();
}

TEST(BlockCondition, CountsAndShares) {
  auto count = [](const char *condition, int64_t numBlocks) {
    Policy policy = parse(
        (llvm::Twine(R"({"version": 1, "rules": [{"precision": "bf16",)") +
         R"("match": {"block": )" + condition + "}}]}")
            .str());
    int64_t matches = 0;
    for (int64_t i = 0; i < numBlocks; ++i) {
      Site site = makeSite("layers." + std::to_string(i) + ".fc");
      site.block->count = numBlocks;
      matches += policy.decide(site).kind == "bf16";
    }
    return matches;
  };
  EXPECT_EQ(count(R"({"first": 2})", 62), 2);
  EXPECT_EQ(count(R"({"last": 8})", 62), 8);
  EXPECT_EQ(count(R"({"last": 8})", 4), 4);
  EXPECT_EQ(count(R"({"first": 0})", 4), 0);
  EXPECT_EQ(count(R"({"first_share": 0.03})", 62), 2);
  EXPECT_EQ(count(R"({"last_share": 0.13})", 62), 8);
  EXPECT_EQ(count(R"({"last_share": 0.13})", 6), 1);
  EXPECT_EQ(count(R"({"last_share": 1})", 7), 7);
  EXPECT_EQ(count(R"({"range": [3, 5]})", 62), 3);
}

TEST(BlockCondition, OutsideEveryBlockNothingMatches) {
  Policy policy = parse(R"({"version": 1, "rules": [
      {"match": {"block": {"range": [0, 99]}}, "precision": "bf16"}]})");
  EXPECT_EQ(policy.decide(makeSite("lm_head")).kind, "keep");
  EXPECT_EQ(policy.decide(makeSite("layers.0.fc")).kind, "bf16");
}

TEST(ExtentCondition, NumbersBoundsMultiples) {
  Policy policy = parse(R"({"version": 1, "rules": [
      {"name": "m", "match": {"m": 1}, "precision": "f32"},
      {"name": "n", "match": {"n": {"min": 100, "max": 200}}, "precision": "bf16"},
      {"name": "k", "match": {"k": {"multiple_of": 128}}, "precision": "nvfp4"}]})");
  int64_t dynamic = mlir::ShapedType::kDynamic;
  EXPECT_EQ(policy.decide(makeSite(1, 8, 8)).rule, "test:m");
  EXPECT_EQ(policy.decide(makeSite(dynamic, 8, 8)).rule, "default");
  EXPECT_EQ(policy.decide(makeSite(1, 100, 8)).rule, "test:n");
  EXPECT_EQ(policy.decide(makeSite(2, 201, 8)).rule, "default");
  EXPECT_EQ(policy.decide(makeSite(dynamic, 150, 256)).rule, "test:k");
  // An embedding has no extents.
  EXPECT_EQ(policy.decide(makeSite("wte", SiteClass::Embedding)).rule,
            "default");
}

TEST(Rules, LastMatchWins) {
  Policy policy = parse(R"({"version": 1, "name": "p", "rules": [
      {"precision": "nvfp4"},
      {"match": {"site": "*.fc2"}, "precision": "bf16", "why": "because"},
      {"match": {"site": "a.*", "not": {"site": "*.fc1"}}, "precision": "f32"}]})");
  EXPECT_EQ(policy.decide(makeSite("b.fc1")).kind, "nvfp4");
  EXPECT_EQ(policy.decide(makeSite("b.fc2")).rule, "p:1");
  EXPECT_EQ(policy.decide(makeSite("b.fc2")).why, "because");
  EXPECT_EQ(policy.decide(makeSite("a.fc2")).kind, "f32");
  EXPECT_EQ(policy.decide(makeSite("a.fc1")).kind, "nvfp4");
}

TEST(Rules, ActivationsAloneChangeWhatHasThem) {
  Policy policy = parse(R"({"version": 1, "rules": [
      {"match": {"class": "linear"}, "precision": "nvfp4"},
      {"match": {"class": "head"}, "precision": "bf16"},
      {"name": "scale", "activations": "dynamic<tensor>"}]})");
  PolicyDecision linear = policy.decide(makeSite("fc"));
  EXPECT_EQ(linear.kind, "nvfp4");
  EXPECT_EQ(linear.activations.scale, ActivationScale::DynamicTensor);
  EXPECT_EQ(linear.rule, "test:scale");
  EXPECT_EQ(policy.decide(makeSite("fc", SiteClass::Head)).rule, "test:1");
}

TEST(Rules, ANewPrecisionResetsActivations) {
  Policy policy = parse(R"({"version": 1, "rules": [
      {"precision": "nvfp4", "activations": "dynamic<tensor>"},
      {"precision": "nvfp4"}]})");
  EXPECT_EQ(policy.decide(makeSite("fc")).activations.scale,
            ActivationScale::DynamicRow);
}

TEST(Rules, StaticTensorsAreNamedBySite) {
  Policy policy = parse(R"({"version": 1, "rules": [
      {"precision": "nvfp4", "activations": {"static": "{site}.x/{weight}/{site}"}}]})");
  mlir::MLIRContext context;
  context.loadDialect<NVFP4Dialect>();
  Site site = makeSite("fc");
  PrecisionAttr attr = policy.decide(site).getAttr(&context, site);
  EXPECT_EQ(attr.getStaticTensor(), "fc.x/fc.weight/fc");
  EXPECT_EQ(stringifyPrecision(attr),
            "nvfp4, activations = static<\"fc.x/fc.weight/fc\">");
}

TEST(Heads, AreNamedByThePolicy) {
  Policy policy =
      parse(R"({"version": 1, "extends": "inference", "heads": "my_head"})");
  std::vector<Site> sites = {makeSite("my_head"), makeSite("lm_head"),
                             makeSite("fc"),
                             makeSite("lm_head", SiteClass::Attention)};
  policy.assignHeads(sites);
  EXPECT_EQ(sites[0].siteClass, SiteClass::Head);
  EXPECT_EQ(sites[1].siteClass, SiteClass::Head);
  EXPECT_EQ(sites[2].siteClass, SiteClass::Linear);
  EXPECT_EQ(sites[3].siteClass, SiteClass::Attention);
}

TEST(PrecisionRank, Order) {
  const char *kinds[] = {
      "keep",  "f32",  "bf16", "nvfp4_weight_only", "mxfp4_weight_only",
      "nvfp4", "mxfp4"};
  for (size_t i = 1; i < std::size(kinds); ++i)
    EXPECT_GT(getPrecisionRank(kinds[i - 1]), getPrecisionRank(kinds[i]))
        << kinds[i];
}

TEST(Presets, Parse) {
  std::set<std::string> names;
  for (const PolicyPreset &preset : getPolicyPresets()) {
    llvm::Expected<Policy> policy = loadPolicy(preset.name);
    ASSERT_TRUE(bool(policy)) << llvm::toString(policy.takeError());
    EXPECT_EQ(policy->name, preset.name.str());
    EXPECT_FALSE(policy->description.empty());
    for (const PolicyRule &rule : policy->rules)
      EXPECT_FALSE(rule.why.empty()) << rule.label;
    names.insert(policy->name);
  }
  EXPECT_EQ(names, (std::set<std::string>{"none", "inference", "weight-only",
                                          "mlp-only", "nvidia-pretraining"}));
}

TEST(Errors, NameThePlace) {
  EXPECT_EQ(errorOf("[1]"), "test.json: expected an object, but got an array");
  EXPECT_EQ(
      errorOf(R"({"version": "1"})"),
      "test.json: version: expected an integer of at least 1, but got \"1\"");
  EXPECT_EQ(
      errorOf(
          R"({"version": 1, "rules": [{"precision": "bf16", "match": {"use": -1}}]})"),
      "test.json: rules[0].match.use: expected an integer of at least 0, but "
      "got -1");
  EXPECT_EQ(
      errorOf(
          R"({"version": 1, "rules": [{"precision": "bf16", "match": {"block": {"range": [3, 1]}}}]})"),
      "test.json: rules[0].match.block.range: expected the first and the "
      "last block, [first, last], in this order");
  EXPECT_EQ(errorOf(R"({"version": 1, "heads": [""]})"),
            "test.json: heads[0]: expected a glob, but got \"\"");
  EXPECT_EQ(errorOf(R"({"version": 1, "extends": 3})"),
            "test.json: extends: expected a string, but got 3");
}

TEST(Schema, ListsTheKeysOfTheParser) {
  auto buffer =
      llvm::MemoryBuffer::getFile(NVFP4_SOURCE_DIR "/docs/policy.schema.json");
  ASSERT_TRUE(bool(buffer));
  llvm::Expected<llvm::json::Value> schema =
      llvm::json::parse((*buffer)->getBuffer());
  ASSERT_TRUE(bool(schema)) << llvm::toString(schema.takeError());
  const llvm::json::Object *definitions =
      schema->getAsObject()->getObject("$defs");
  std::pair<const char *, const char *> objects[] = {
      {"policy", "policy"},       {"rule", "rule"},
      {"match", "match"},         {"block", "block"},
      {"extent", "extentBounds"}, {"activations", "staticActivations"}};
  for (auto [object, definition] : objects) {
    std::set<std::string> inSchema, inParser;
    for (const auto &property :
         *definitions->getObject(definition)->getObject("properties"))
      inSchema.insert(property.first.str());
    for (llvm::StringRef key : getPolicyKeys(object))
      inParser.insert(key.str());
    EXPECT_EQ(inSchema, inParser) << object;
  }
  std::set<std::string> inSchema, inParser;
  for (const llvm::json::Value &word :
       *definitions->getObject("class")->getArray("enum"))
    inSchema.insert(word.getAsString()->str());
  for (llvm::StringRef word : getSiteClassWords())
    inParser.insert(word.str());
  EXPECT_EQ(inSchema, inParser);
}

} // namespace
