//===- PolicyJSON.cpp - Reading policies ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns JSON into a Policy. Every error names the file and the place in it,
// says what was expected, and for a mistyped word which known one is nearest.
// The keys are the tables below; docs/policy.schema.json lists the same.
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Dialect/NVFP4/Transforms/Policy.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Regex.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;
namespace json = llvm::json;

namespace nvfp4 {

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

static constexpr llvm::StringLiteral kPolicyKeys[] = {
    "$schema", "version", "name",  "description",
    "extends", "heads",   "rules", "groups"};
static constexpr llvm::StringLiteral kRuleKeys[] = {
    "name", "match", "precision", "activations", "why"};
static constexpr llvm::StringLiteral kMatchKeys[] = {
    "site",  "weight", "class", "precision", "use",
    "block", "m",      "n",     "k",         "not"};
static constexpr llvm::StringLiteral kBlockKeys[] = {
    "first", "last", "first_share", "last_share", "range"};
static constexpr llvm::StringLiteral kExtentKeys[] = {"min", "max",
                                                      "multiple_of"};
static constexpr llvm::StringLiteral kActivationsKeys[] = {"static"};

ArrayRef<llvm::StringLiteral> getPolicyKeys(StringRef object) {
  return llvm::StringSwitch<ArrayRef<llvm::StringLiteral>>(object)
      .Case("policy", kPolicyKeys)
      .Case("rule", kRuleKeys)
      .Case("match", kMatchKeys)
      .Case("block", kBlockKeys)
      .Case("extent", kExtentKeys)
      .Case("activations", kActivationsKeys)
      .Default({});
}

/// The version of the rule language that this reader knows.
static constexpr int64_t kPolicyVersion = 1;

//===----------------------------------------------------------------------===//
// A value with its place
//===----------------------------------------------------------------------===//

namespace {
/// A JSON value that knows where it is, so that errors can say so.
class Node {
public:
  Node(const json::Value &value, StringRef file, std::string path)
      : value(value), file(file), path(std::move(path)) {}

  /// `file: path: message`.
  Error error(const Twine &message) const {
    std::string place = path.empty() ? file.str() : (file + ": " + path).str();
    return llvm::createStringError(Twine(place) + ": " + message);
  }
  Error expected(const Twine &what) const {
    return error("expected " + what + ", but got " + describe());
  }

  /// Calls `visit(key, node)` for each field in the order of `keys`; a key that
  /// is not in `keys` is an error.
  Error forEachField(ArrayRef<llvm::StringLiteral> keys,
                     llvm::function_ref<Error(StringRef, Node)> visit) const;
  /// Calls `visit` for each element of an array.
  Error forEachElement(llvm::function_ref<Error(Node)> visit) const;
  /// Calls `visit` for the value itself, or for each element if it is an array.
  Error forOneOrMore(llvm::function_ref<Error(Node)> visit) const;

  Expected<std::string> asString() const;
  /// An integer of at least `min`.
  Expected<int64_t> asInteger(int64_t min) const;
  /// A number between 0 and 1.
  Expected<double> asShare() const;
  /// One of `words`; `what` is a noun phrase for the message.
  Expected<std::string> asWord(StringRef what, ArrayRef<StringRef> words) const;

  bool isArray() const { return value.getAsArray(); }
  bool isObject() const { return value.getAsObject(); }
  bool isString() const { return value.getAsString().has_value(); }

private:
  std::string describe() const;

  const json::Value &value;
  StringRef file;
  std::string path;
};
} // namespace

/// The value in short, for messages.
std::string Node::describe() const {
  switch (value.kind()) {
  case json::Value::Object:
    return "an object";
  case json::Value::Array:
    return "an array";
  case json::Value::Null:
  case json::Value::Boolean:
  case json::Value::Number:
  case json::Value::String: {
    std::string text;
    llvm::raw_string_ostream(text) << value;
    return text;
  }
  }
  llvm_unreachable("all kinds of JSON values are handled");
}

Error Node::forEachField(
    ArrayRef<llvm::StringLiteral> keys,
    llvm::function_ref<Error(StringRef, Node)> visit) const {
  const json::Object *object = value.getAsObject();
  if (!object)
    return expected("an object");
  SmallVector<StringRef> known(keys.begin(), keys.end());
  // The object is a hash map: take the first unknown key by name.
  std::optional<StringRef> unknown;
  for (const auto &[name, field] : *object) {
    StringRef key = name;
    if (!llvm::is_contained(keys, key) && (!unknown || key < *unknown))
      unknown = key;
  }
  if (unknown)
    return error("expected a key of " + llvm::join(known, ", ") +
                 ", but got '" + *unknown + "'; did you mean '" +
                 findNearest(*unknown, known) + "'?");
  for (StringRef key : keys)
    if (const json::Value *field = object->get(key)) {
      std::string fieldPath = path.empty() ? key.str() : path + "." + key.str();
      if (Error error = visit(key, Node(*field, file, fieldPath)))
        return error;
    }
  return Error::success();
}

Error Node::forEachElement(llvm::function_ref<Error(Node)> visit) const {
  const json::Array *array = value.getAsArray();
  if (!array)
    return expected("an array");
  for (auto [index, element] : llvm::enumerate(*array))
    if (Error error = visit(
            Node(element, file, path + "[" + std::to_string(index) + "]")))
      return error;
  return Error::success();
}

Error Node::forOneOrMore(llvm::function_ref<Error(Node)> visit) const {
  return isArray() ? forEachElement(visit) : visit(*this);
}

Expected<std::string> Node::asString() const {
  if (std::optional<StringRef> text = value.getAsString())
    return text->str();
  return expected("a string");
}

Expected<int64_t> Node::asInteger(int64_t min) const {
  std::optional<int64_t> number = value.getAsInteger();
  if (!number || *number < min)
    return expected("an integer of at least " + Twine(min));
  return *number;
}

Expected<double> Node::asShare() const {
  std::optional<double> number = value.getAsNumber();
  if (!number || !(*number >= 0 && *number <= 1))
    return expected("a number between 0 and 1");
  return *number;
}

Expected<std::string> Node::asWord(StringRef what,
                                   ArrayRef<StringRef> words) const {
  Expected<std::string> word = asString();
  if (!word || llvm::is_contained(words, StringRef(*word)))
    return word;
  return error("expected " + what + " (" + llvm::join(words, ", ") +
               "), but got '" + *word + "'; did you mean '" +
               findNearest(*word, words) + "'?");
}

/// Stores a parsed value, or passes its error on.
template <typename T, typename U>
static Error assign(T &target, Expected<U> value) {
  if (!value)
    return value.takeError();
  target = std::move(*value);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

static Error readGlobs(const Node &node, GlobList &globs) {
  return node.forOneOrMore([&](Node element) -> Error {
    Expected<std::string> text = element.asString();
    if (!text)
      return text.takeError();
    if (text->empty())
      return element.expected("a glob");
    if (Error error = globs.add(*text))
      return element.error("expected a glob, but got '" + Twine(*text) +
                           "': " + llvm::toString(std::move(error)));
    return Error::success();
  });
}

static Error readClasses(const Node &node, std::vector<SiteClass> &classes) {
  SmallVector<StringRef> words(getSiteClassWords().begin(),
                               getSiteClassWords().end());
  return node.forOneOrMore([&](Node element) -> Error {
    Expected<std::string> word = element.asWord("a class", words);
    if (!word)
      return word.takeError();
    classes.push_back(*symbolizeSiteClass(*word));
    return Error::success();
  });
}

static Expected<std::string> readPrecision(const Node &node) {
  SmallVector<std::string> kinds = PrecisionAttr::getKnownKinds();
  SmallVector<StringRef> words(kinds.begin(), kinds.end());
  return node.asWord("a precision", words);
}

static Error readExtent(const Node &node,
                        std::optional<ExtentCondition> &condition) {
  condition.emplace();
  if (!node.isObject()) {
    if (Error error = assign(condition->min, node.asInteger(0)))
      return error;
    condition->max = condition->min;
    return Error::success();
  }
  return node.forEachField(kExtentKeys, [&](StringRef key, Node field) {
    if (key == "min")
      return assign(condition->min, field.asInteger(0));
    if (key == "max")
      return assign(condition->max, field.asInteger(0));
    return assign(condition->multipleOf, field.asInteger(1));
  });
}

static Error readRange(const Node &node, BlockCondition &condition) {
  unsigned count = 0;
  Error error = node.forEachElement([&](Node element) {
    ++count;
    return assign(count == 1 ? condition.begin : condition.end,
                  element.asInteger(0));
  });
  if (error)
    return error;
  if (count != 2 || condition.begin > condition.end)
    return node.error("expected the first and the last block, [first, last], "
                      "in this order");
  return Error::success();
}

static Error readBlock(const Node &node,
                       std::optional<BlockCondition> &condition) {
  condition.emplace();
  unsigned count = 0;
  using Kind = BlockCondition::Kind;
  Error error =
      node.forEachField(kBlockKeys, [&](StringRef key, Node field) -> Error {
        ++count;
        condition->kind = llvm::StringSwitch<Kind>(key)
                              .Case("first", Kind::First)
                              .Case("last", Kind::Last)
                              .Case("first_share", Kind::FirstShare)
                              .Case("last_share", Kind::LastShare)
                              .Default(Kind::Range);
        switch (condition->kind) {
        case Kind::First:
        case Kind::Last:
          return assign(condition->begin, field.asInteger(0));
        case Kind::FirstShare:
        case Kind::LastShare:
          return assign(condition->share, field.asShare());
        case Kind::Range:
          return readRange(field, *condition);
        }
        llvm_unreachable("all kinds of block conditions are handled");
      });
  if (error)
    return error;
  if (count != 1)
    return node.error("expected exactly one of first, last, first_share, "
                      "last_share, range, but got " +
                      Twine(count));
  return Error::success();
}

static Error readMatch(const Node &node, SiteCondition &match) {
  return node.forEachField(kMatchKeys, [&](StringRef key, Node field) -> Error {
    if (key == "site")
      return readGlobs(field, match.site);
    if (key == "weight")
      return readGlobs(field, match.weight);
    if (key == "class")
      return readClasses(field, match.classes);
    if (key == "precision")
      return field.forOneOrMore([&](Node element) {
        return assign(match.precisions.emplace_back(), readPrecision(element));
      });
    if (key == "use")
      return assign(match.use, field.asInteger(0));
    if (key == "block")
      return readBlock(field, match.block);
    if (key == "m")
      return readExtent(field, match.m);
    if (key == "n")
      return readExtent(field, match.n);
    if (key == "k")
      return readExtent(field, match.k);
    match.negated = std::make_unique<SiteCondition>();
    return readMatch(field, *match.negated);
  });
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

static Expected<ActivationChoice> readActivations(const Node &node) {
  if (node.isString()) {
    Expected<std::string> word =
        node.asWord("an activation scale", {"dynamic<row>", "dynamic<tensor>"});
    if (!word)
      return word.takeError();
    return ActivationChoice{*word == "dynamic<row>"
                                ? ActivationScale::DynamicRow
                                : ActivationScale::DynamicTensor,
                            ""};
  }
  if (!node.isObject())
    return node.expected(
        "\"dynamic<row>\", \"dynamic<tensor>\" or {\"static\": \"name\"}");
  ActivationChoice choice{ActivationScale::Static, ""};
  Error error = node.forEachField(kActivationsKeys, [&](StringRef, Node field) {
    return assign(choice.staticTensor, field.asString());
  });
  if (error)
    return error;
  if (choice.staticTensor.empty())
    return node.error("expected the name of a tensor of the weights file as "
                      "'static'");
  return choice;
}

/// Checks what the fields of a rule mean together.
static Error checkRule(const Node &node, const PolicyRule &rule) {
  if (rule.precision.empty() && !rule.activations)
    return node.error("expected 'precision' or 'activations', but got neither");
  if (!rule.precision.empty() && rule.activations &&
      !takesActivationScale(rule.precision))
    return node.error("expected 'activations' only with a precision that "
                      "quantizes them and has a global scale, but got '" +
                      Twine(rule.precision) + "'");
  return Error::success();
}

static Error readRule(const Node &node, StringRef policyName, size_t index,
                      PolicyRule &rule) {
  std::string name = std::to_string(index);
  Error error =
      node.forEachField(kRuleKeys, [&](StringRef key, Node field) -> Error {
        if (key == "name")
          return assign(name, field.asString());
        if (key == "match")
          return readMatch(field, rule.match);
        if (key == "precision")
          return assign(rule.precision, readPrecision(field));
        if (key == "activations")
          return assign(rule.activations, readActivations(field));
        return assign(rule.why, field.asString());
      });
  if (error)
    return error;
  rule.label = (policyName + ":" + name).str();
  return checkRule(node, rule);
}

//===----------------------------------------------------------------------===//
// Policies
//===----------------------------------------------------------------------===//

static Expected<Policy> parsePolicyImpl(StringRef text, StringRef fileName,
                                        ArrayRef<std::string> extenders);

static const PolicyPreset *findPreset(StringRef name) {
  for (const PolicyPreset &preset : getPolicyPresets())
    if (preset.name == name)
      return &preset;
  return nullptr;
}

/// `extenders` are the files on the way here, against cycles.
static Expected<Policy> loadPolicyImpl(StringRef presetOrPath, StringRef folder,
                                       ArrayRef<std::string> extenders) {
  if (const PolicyPreset *preset = findPreset(presetOrPath))
    return parsePolicyImpl(preset->text, preset->name, extenders);
  SmallString<128> path(presetOrPath);
  if (llvm::sys::path::is_relative(path) && !folder.empty()) {
    path = folder;
    llvm::sys::path::append(path, presetOrPath);
  }
  if (llvm::is_contained(extenders, path.str()))
    return llvm::createStringError(Twine(path) + ": the policy extends itself");
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (buffer)
    return parsePolicyImpl((*buffer)->getBuffer(), path, extenders);
  SmallVector<StringRef> names;
  for (const PolicyPreset &preset : getPolicyPresets())
    names.push_back(preset.name);
  std::string message =
      ("expected a policy preset (" + Twine(llvm::join(names, ", ")) +
       ") or the path of a JSON file, but got '" + presetOrPath +
       "': " + buffer.getError().message())
          .str();
  StringRef nearest = findNearest(presetOrPath, names);
  if (presetOrPath.edit_distance(nearest) <= nearest.size() / 3)
    message += ("; did you mean '" + nearest + "'?").str();
  return llvm::createStringError(message);
}

static Error readGroups(const Node &node, std::vector<GlobList> &groups) {
  return node.forEachElement([&](Node element) -> Error {
    if (!element.isArray())
      return element.expected("an array of globs");
    if (Error error = readGlobs(element, groups.emplace_back()))
      return error;
    if (groups.back().size() < 2)
      return element.error("expected at least two globs in a group, but got " +
                           Twine(groups.back().size()));
    return Error::success();
  });
}

/// Starts from the extended policy, whose rules come first.
static Error readExtends(const Node &field, StringRef fileName,
                         ArrayRef<std::string> extenders, Policy &policy) {
  Expected<std::string> base = field.asString();
  if (!base)
    return base.takeError();
  SmallVector<std::string> chain(extenders);
  chain.push_back(fileName.str());
  Expected<Policy> extended =
      loadPolicyImpl(*base, llvm::sys::path::parent_path(fileName), chain);
  if (!extended)
    return field.error(llvm::toString(extended.takeError()));
  std::string name = std::move(policy.name);
  std::string description = std::move(policy.description);
  policy = std::move(*extended);
  policy.name = std::move(name);
  policy.description = std::move(description);
  return Error::success();
}

static Error readVersion(const Node &field) {
  Expected<int64_t> version = field.asInteger(1);
  if (!version)
    return version.takeError();
  if (*version != kPolicyVersion)
    return field.expected("version " + Twine(kPolicyVersion));
  return Error::success();
}

/// A syntax error of the JSON parser as `file:line:column: …`.
static Error describeSyntaxError(Error error, StringRef fileName) {
  std::string message = llvm::toString(std::move(error));
  SmallVector<StringRef> parts;
  if (llvm::Regex("^\\[([0-9]+):([0-9]+), byte=[0-9]+\\]: (.*)$")
          .match(message, &parts))
    return llvm::createStringError(fileName + ":" + parts[1] + ":" + parts[2] +
                                   ": expected JSON, but got: " + parts[3]);
  return llvm::createStringError(fileName + ": " + message);
}

/// Fails if brackets nest deeper than any policy needs: LLVM's parser recurses
/// once per level, so a garbled file could exhaust the stack.
static Error checkNesting(StringRef text, StringRef fileName) {
  constexpr int kMaxDepth = 64;
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString && c == '\\')
      ++i; // The next character is no quote.
    else if (c == '"')
      inString = !inString;
    else if (!inString && (c == '[' || c == '{'))
      ++depth;
    else if (!inString && (c == ']' || c == '}'))
      --depth;
    if (depth > kMaxDepth)
      return llvm::createStringError(fileName +
                                     ": expected values nested at most " +
                                     Twine(kMaxDepth) + " deep, but got more");
  }
  return Error::success();
}

static Expected<Policy> parsePolicyImpl(StringRef text, StringRef fileName,
                                        ArrayRef<std::string> extenders) {
  if (Error error = checkNesting(text, fileName))
    return error;
  Expected<json::Value> value = json::parse(text);
  if (!value)
    return describeSyntaxError(value.takeError(), fileName);
  Policy policy;
  policy.name = llvm::sys::path::stem(fileName).str();
  bool hasVersion = false;
  Node root(*value, fileName, "");
  // Fields arrive in the order of kPolicyKeys: the name before the rules that
  // carry it, the extended policy before what is added to it.
  Error error =
      root.forEachField(kPolicyKeys, [&](StringRef key, Node field) -> Error {
        if (key == "version") {
          hasVersion = true;
          return readVersion(field);
        }
        if (key == "name")
          return assign(policy.name, field.asString());
        if (key == "description" || key == "$schema") {
          std::string ignored;
          return assign(key == "description" ? policy.description : ignored,
                        field.asString());
        }
        if (key == "extends")
          return readExtends(field, fileName, extenders, policy);
        if (key == "heads")
          return readGlobs(field, policy.heads);
        if (key == "groups")
          return readGroups(field, policy.groups);
        size_t index = 0;
        return field.forEachElement([&](Node element) {
          return readRule(element, policy.name, index++,
                          policy.rules.emplace_back());
        });
      });
  if (error)
    return std::move(error);
  if (!hasVersion)
    return root.error("expected \"version\": " + Twine(kPolicyVersion) +
                      ", but got none");
  return policy;
}

Expected<Policy> parsePolicy(StringRef text, StringRef fileName) {
  return parsePolicyImpl(text, fileName, {});
}

Expected<Policy> loadPolicy(StringRef presetOrPath) {
  return loadPolicyImpl(presetOrPath, /*folder=*/"", {});
}

} // namespace nvfp4
