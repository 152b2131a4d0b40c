// Each error names the file and the place in it.
//
// RUN: split-file %s %t
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/syntax.json 2>&1 | FileCheck %s --check-prefix=SYNTAX
// SYNTAX: error: {{.*}}syntax.json:3:12: expected JSON, but got:
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/key.json 2>&1 | FileCheck %s --check-prefix=KEY
// KEY: error: {{.*}}key.json: rules[1].match: expected a key of site, weight, class, precision, use, block, m, n, k, not, but got 'clas'; did you mean 'class'?
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/glob.json 2>&1 | FileCheck %s --check-prefix=GLOB
// GLOB: error: {{.*}}glob.json: rules[0].match.site[1]: expected a glob, but got '*.fc[12': invalid glob pattern, unmatched '['
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/precision.json 2>&1 | FileCheck %s --check-prefix=PRECISION
// PRECISION: error: {{.*}}precision.json: rules[0].precision: expected a precision (nvfp4, nvfp4_weight_only, mxfp4, mxfp4_weight_only, {{.*}}bf16, f32, keep), but got 'nvpf4'; did you mean 'nvfp4'?
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/class.json 2>&1 | FileCheck %s --check-prefix=CLASS
// CLASS: error: {{.*}}class.json: rules[0].match.class: expected a class (linear, head, expert, attention, weight_product, conv, embedding), but got 'experts'; did you mean 'expert'?
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/type.json 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: error: {{.*}}type.json: rules: expected an array, but got an object
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/block.json 2>&1 | FileCheck %s --check-prefix=BLOCK
// BLOCK: error: {{.*}}block.json: rules[0].match.block: expected exactly one of first, last, first_share, last_share, range, but got 2
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/share.json 2>&1 | FileCheck %s --check-prefix=SHARE
// SHARE: error: {{.*}}share.json: rules[0].match.not.block.last_share: expected a number between 0 and 1, but got 15
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/extent.json 2>&1 | FileCheck %s --check-prefix=EXTENT
// EXTENT: error: {{.*}}extent.json: rules[0].match.k.multiple_of: expected an integer of at least 1, but got 0
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/activations.json 2>&1 | FileCheck %s --check-prefix=ACT
// ACT: error: {{.*}}activations.json: rules[0]: expected 'activations' only with a precision that quantizes them and has a global scale, but got 'mxfp4'
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/dynamic.json 2>&1 | FileCheck %s --check-prefix=DYNAMIC
// DYNAMIC: error: {{.*}}dynamic.json: rules[0].activations: expected an activation scale (dynamic<row>, dynamic<tensor>), but got 'dynamic'; did you mean 'dynamic<row>'?
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/nothing.json 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: error: {{.*}}nothing.json: rules[0]: expected 'precision' or 'activations', but got neither
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/version.json 2>&1 | FileCheck %s --check-prefix=VERSION
// VERSION: error: {{.*}}version.json: version: expected version 1, but got 2
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/noversion.json 2>&1 | FileCheck %s --check-prefix=NOVERSION
// NOVERSION: error: {{.*}}noversion.json: expected "version": 1, but got none
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/group.json 2>&1 | FileCheck %s --check-prefix=GROUP
// GROUP: error: {{.*}}group.json: groups[0]: expected at least two globs in a group, but got 1
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/self.json 2>&1 | FileCheck %s --check-prefix=SELF
// SELF: error: {{.*}}self.json: extends: {{.*}}self.json: the policy extends itself
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/base.json 2>&1 | FileCheck %s --check-prefix=BASE
// BASE: error: {{.*}}base.json: extends: {{.*}}precision.json: rules[0].precision: expected a precision
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=infrence 2>&1 | FileCheck %s --check-prefix=PRESET
// PRESET: error: expected a policy preset (none, inference, weight-only, mlp-only, nvidia-pretraining) or the path of a JSON file, but got 'infrence': No such file or directory; did you mean 'inference'?
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision="policy-text=[]" 2>&1 | FileCheck %s --check-prefix=TEXT
// TEXT: error: policy-text: expected an object, but got an array
// RUN: %python -c "print('{\"version\": 1, \"rules\": ' + '[' * 100000)" > %t/deep.json
// RUN: not nvfp4-opt %t/empty.mlir --nvfp4-assign-precision=policy=%t/deep.json 2>&1 | FileCheck %s --check-prefix=DEEP
// DEEP: error: {{.*}}deep.json: expected values nested at most 64 deep, but got more

//--- empty.mlir
module {}
//--- syntax.json
{
  "version": 1,
  "rules": oops
}
//--- key.json
{"version": 1, "rules": [{"precision": "bf16"}, {"match": {"clas": "linear"}, "precision": "bf16"}]}
//--- glob.json
{"version": 1, "rules": [{"match": {"site": ["*.fc1", "*.fc[12"]}, "precision": "bf16"}]}
//--- precision.json
{"version": 1, "rules": [{"precision": "nvpf4"}]}
//--- class.json
{"version": 1, "rules": [{"match": {"class": "experts"}, "precision": "bf16"}]}
//--- type.json
{"version": 1, "rules": {"precision": "bf16"}}
//--- block.json
{"version": 1, "rules": [{"match": {"block": {"first": 1, "last": 1}}, "precision": "bf16"}]}
//--- share.json
{"version": 1, "rules": [{"match": {"not": {"block": {"last_share": 15}}}, "precision": "bf16"}]}
//--- extent.json
{"version": 1, "rules": [{"match": {"k": {"multiple_of": 0}}, "precision": "bf16"}]}
//--- activations.json
{"version": 1, "rules": [{"precision": "mxfp4", "activations": "dynamic<row>"}]}
//--- dynamic.json
{"version": 1, "rules": [{"precision": "nvfp4", "activations": "dynamic"}]}
//--- nothing.json
{"version": 1, "rules": [{"why": "no reason"}]}
//--- version.json
{"version": 2, "rules": []}
//--- noversion.json
{"rules": []}
//--- group.json
{"version": 1, "groups": [["*.q_proj"]]}
//--- self.json
{"version": 1, "extends": "self.json"}
//--- base.json
{"version": 1, "extends": "precision.json"}
